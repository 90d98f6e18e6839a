/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The few kernel structures and fields that are read, relocated to the running kernel when the
 * program is loaded (CO-RE), so that no generated vmlinux.h is needed to build.
 *
 * Before 5.11 the current task is a mere number to the verifier: what programs on perf events share is read
 * by BPF_CORE_READ, not through pointers.
 */
#pragma once

#include "wire.h"

#define KERNEL_STRUCT __attribute__((preserve_access_index))

#define PF_EXITING 0x00000004 /* include/linux/sched.h */
#define PF_KTHREAD 0x00200000

struct mm_struct {
	unsigned long exec_vm; /* pages of executable mappings, include/linux/mm_types.h */
	unsigned long mmap_base, start_code, end_code, start_stack;
} KERNEL_STRUCT;

typedef struct {
	int counter;
} atomic_t___profd;

struct pid_namespace;

/* A pid's number in one namespace, include/linux/pid.h. */
struct upid {
	int nr;
	struct pid_namespace *ns;
} KERNEL_STRUCT;

struct pid {
	unsigned int level;	/* how many namespaces its own lies below the initial one */
	struct upid numbers[1]; /* level + 1 of them, the initial namespace's first */
} KERNEL_STRUCT;

enum { PIDTYPE_TGID = 1, PIDTYPE_MAX = 4 }; /* enum pid_type, include/linux/pid_types.h */

struct signal_struct {
	atomic_t___profd live; /* threads that have not begun to exit, include/linux/sched/signal.h */
	struct pid *pids[PIDTYPE_MAX];
} KERNEL_STRUCT;

struct rq {
	struct task_struct *idle; /* the idle task of the CPU, kernel/sched/sched.h */
	uint64_t clock;		  /* sched_clock when the scheduler looked last */
} KERNEL_STRUCT;

struct cfs_rq {
	struct rq *rq; /* only with CONFIG_FAIR_GROUP_SCHED */
} KERNEL_STRUCT;

struct sched_entity {
	uint64_t sum_exec_runtime;	/* CPU time */
	uint64_t prev_sum_exec_runtime; /* the same when it was last put on a CPU */
	struct cfs_rq *cfs_rq;
} KERNEL_STRUCT;

struct sched_info {
	unsigned long long last_arrival; /* on a CPU, include/linux/sched.h; 0: never */
} KERNEL_STRUCT;

#if defined(__TARGET_ARCH_x86)
struct thread_struct {
	unsigned long fsbase; /* arch/x86/include/asm/processor.h */
} KERNEL_STRUCT;
#elif defined(__TARGET_ARCH_arm64)
struct thread_user_words {
	unsigned long tp_value; /* arch/arm64/include/asm/processor.h */
} KERNEL_STRUCT;

struct thread_struct {
	struct thread_user_words uw;
} KERNEL_STRUCT;
#else
#error "kernel.h: this processor is not described yet"
#endif

struct task_struct {
	unsigned int __state; /* TASK_*, include/linux/sched.h */
	int on_cpu, exit_state;
	unsigned int policy; /* SCHED_* */
	struct sched_info sched_info;
	struct sched_entity se;
	unsigned long nvcsw, nivcsw; /* how often the task has left the CPU */
	unsigned long min_flt, maj_flt; /* page faults */
	unsigned int flags;
	int pid, tgid; /* in the initial pid namespace */
	struct pid *thread_pid;
	struct mm_struct *mm;
	struct task_struct *group_leader, *real_parent;
	unsigned long sas_ss_sp, sas_ss_size; /* the alternate signal stack */
	struct signal_struct *signal;
	char comm[16];
	struct thread_struct thread;
	void *stack; /* the kernel's, its lowest byte */
	unsigned in_execve : 1;
} KERNEL_STRUCT;

/* Before 5.14. */
struct task_struct___before_514 {
	long state;
} KERNEL_STRUCT;

static __always_inline struct task_struct *current_task(void)
{
	return (struct task_struct *)bpf_get_current_task();
}

/*
 * What the current task has, cheaply where the verifier knows what it is: plain loads, which the kernel lets
 * fail without harm, instead of calls.
 */
#define CURRENT_IS_TYPED                                                                           \
	bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)
#define CURRENT_FIELD_1(a) bpf_get_current_task_btf()->a
#define CURRENT_FIELD_2(a, b) bpf_get_current_task_btf()->a->b
#define CURRENT_FIELD_OF(_1, _2, which, ...) which
#define CURRENT_READ(task, ...)                                                                    \
	(CURRENT_IS_TYPED                                                                          \
		 ? CURRENT_FIELD_OF(__VA_ARGS__, CURRENT_FIELD_2, CURRENT_FIELD_1)(__VA_ARGS__)    \
		 : BPF_CORE_READ(task, __VA_ARGS__))

/* Where a thread's own data lies. */
static __always_inline unsigned long task_thread_pointer(struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	return BPF_CORE_READ(task, thread.fsbase);
#else
	return BPF_CORE_READ(task, thread.uw.tp_value);
#endif
}
