/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Pids as profd, /proc and the user see them: those of profd's pid namespace. bpf_get_current_pid_
 * tgid gives the initial namespace's, and bpf_get_ns_current_pid_tgid only knows tasks whose own
 * namespace it is, not those of containers inside. For programs that have a `config`.
 */
#pragma once

#include "kernel.h"
#include "wire.h"

struct task_ids {
	uint32_t tgid, tid; /* 0: outside of profd's namespace, or no longer known there */
};

/* Profd's pid namespace: its address, a mere cookie, and how far below the initial one it lies. */
uint64_t own_pid_namespace;
uint32_t own_pid_level;

/* What a pid is called in the namespace so many below the initial one; NULL: nothing. */
static __always_inline const struct upid *name_at(const struct pid *pid, uint32_t level)
{
	if (!pid || level > BPF_CORE_READ(pid, level))
		return NULL;
	return (const void *)pid + bpf_core_field_offset(struct pid, numbers) +
	       (uint64_t)level * bpf_core_type_size(struct upid);
}

static __always_inline uint32_t own_number(const struct pid *pid)
{
	const struct upid *name = name_at(pid, own_pid_level);

	if (!name || (uint64_t)BPF_CORE_READ(name, ns) != own_pid_namespace)
		return 0;
	return BPF_CORE_READ(name, nr);
}

static __always_inline struct task_ids ids_of(struct task_struct *task)
{
	if (!config.translate_pids)
		return (struct task_ids){ BPF_CORE_READ(task, tgid), BPF_CORE_READ(task, pid) };
	return (struct task_ids){ own_number(BPF_CORE_READ(task, signal, pids[PIDTYPE_TGID])),
				  own_number(BPF_CORE_READ(task, thread_pid)) };
}

/* The same of the current task, with less to read. */
static __always_inline struct task_ids current_ids(struct task_struct *task)
{
	uint64_t both = bpf_get_current_pid_tgid();

	return config.translate_pids ? ids_of(task)
				     : (struct task_ids){ both >> 32, (uint32_t)both };
}

/* Run once by profd, for its own task, before anything else is. */
static __always_inline void learn_own_namespace(void)
{
	struct task_struct *task = current_task();
	const struct upid *name;

	own_pid_level = BPF_CORE_READ(task, thread_pid, level);
	name = name_at(BPF_CORE_READ(task, thread_pid), own_pid_level);
	own_pid_namespace = (uint64_t)BPF_CORE_READ(name, ns);
}
