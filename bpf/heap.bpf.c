// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The heap of a process that runs already: probes on the functions that give out memory and on those
 * that take it back. Objects are sampled by the bytes that are asked for (allocation.h); where each of
 * them lies is known when its call returns, and from then on until it is freed it stands in `objects`.
 *
 * A probe is passed before the function does its work. So a freed object is out of `objects` before its
 * address can be given out again, and a new one is in it before anybody can free it.
 *
 * Only a sampled call has its return probed, and realloc of an object that is followed: until it has
 * returned it is not known whether that was taken back.
 */
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "allocation.h"
#include "take_sample.h"
#include "watched.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* What a program that is called at both ends of a function says at its beginning, Linux 6.13. */
enum { RETURN_IS_PROBED = 0, RETURN_IS_NOT = 1 };

/* By how much more the stack is left than it was at the site, where it has not moved (elf/allocator.h). */
#if defined(__TARGET_ARCH_x86)
#define RETURN_ADDRESS_BYTES 8
#else
#define RETURN_ADDRESS_BYTES 0
#endif

/* Of the exponential distribution its mean, in bytes. */
const volatile uint64_t interval = 1;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WIRE_HEAP_PROCESSES);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct wire_heap_process);
} followed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WIRE_HEAP_PROCESSES);
	__type(key, uint32_t);
	__type(value, struct wire_heap_counts);
} heap_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WIRE_HEAP_OBJECTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct wire_heap_place);
	__type(value, struct wire_heap_object);
} objects SEC(".maps");

/* Which call: nothing else of a thread can be where its stack is. */
struct pending_key {
	uint64_t thread, stack;
};

/* A call that has not returned. */
struct pending {
	uint64_t size;	 /* of the new object, if that is sampled; 0: it is not */
	uint64_t asked;	 /* by realloc */
	uint64_t result; /* where the result will lie; 0: it is returned */
	uint64_t old_address;
	uint64_t id;
	struct wire_heap_object old; /* id 0: none */
};

/* A thread may never return from a call: what is oldest goes. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WIRE_HEAP_PENDING);
	__type(key, struct pending_key);
	__type(value, struct pending);
} pending_calls SEC(".maps");

/* One entry per possible CPU: whether a sample is under way there. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, uint32_t);
} claims SEC(".maps");

static __always_inline uint32_t slot_of(uint64_t cookie)
{
	return cookie >> 32 & (WIRE_HEAP_PROCESSES - 1);
}

/* Of the sampled object at an address; also what is no object's. */
static __always_inline struct wire_heap_object *find_object(uint32_t slot, uint64_t address)
{
	struct wire_heap_place place = { address, slot, 0 };

	return bpf_map_lookup_elem(&objects, &place);
}

static __always_inline long forget_object(uint32_t slot, uint64_t address)
{
	struct wire_heap_place place = { address, slot, 0 };

	return bpf_map_delete_elem(&objects, &place);
}

static __always_inline long keep_object(uint32_t slot, uint64_t address,
					const struct wire_heap_object *object)
{
	struct wire_heap_place place = { address, slot, 0 };

	return bpf_map_update_elem(&objects, &place, object, BPF_ANY);
}

/* Is its memory the one that was followed from the beginning? */
static __always_inline int is_same_program(struct wire_heap_process *process,
					   struct task_struct *task)
{
	uint64_t mm = (uint64_t)task->mm;

	if (!process->mm)
		process->mm = mm;
	if (process->mm == mm)
		return 1;
	process->replaced = 1;
	return 0;
}

/* Of the sampled bytes, is one among these? */
static __always_inline int is_sampled(struct wire_heap_counts *counts, uint64_t size)
{
	if (!counts->open) {
		counts->open = 1;
		counts->left = draw(interval);
	}
	counts->left -= (int64_t)size;
	if (counts->left > 0)
		return 0;
	counts->left = draw(interval);
	return 1;
}

static __always_inline struct pending_key key_of(uint64_t stack)
{
	return (struct pending_key){ bpf_get_current_pid_tgid(), stack };
}

/*
 * The kernel tells by kernel functions, too, which of both it is; their signatures have changed since
 * there are any. No return leads to where a function begins.
 */
static __always_inline int is_behind_call(struct probe_registers *ctx)
{
	return bpf_get_func_ip(ctx) != PT_REGS_IP(ctx);
}

static __always_inline int call_begins(struct probe_registers *ctx, uint64_t cookie, uint32_t slot,
				       struct wire_heap_process *process,
				       struct wire_heap_counts *counts)
{
	struct wire_heap_object *old = NULL;
	struct pending call = {};
	struct task_struct *task;
	struct pending_key key;
	uint64_t size;
	int sampled;

	if (cookie >> 20 & 1) {
		call.old_address = context_register(ctx, cookie >> 4 & 15);
		if (call.old_address)
			old = find_object(slot, call.old_address);
	}
	size = bytes_asked(ctx);
	sampled = size && is_sampled(counts, size);
	if (!sampled && !old)
		return RETURN_IS_NOT;
	task = bpf_get_current_task_btf();
	if (!is_same_program(process, task))
		return RETURN_IS_NOT;
	sampled = sampled && is_watched(task, ids_of(task));
	if (!sampled && !old)
		return RETURN_IS_NOT;
	if (sampled)
		call.size = size;
	if (cookie >> 16 & 15)
		call.result = context_register(ctx, cookie >> 16 & 15);
	call.asked = context_register(ctx, cookie & 15);
	if (old)
		call.old = *old;
	call.id = (uint64_t)slot << 56 | (uint64_t)bpf_get_smp_processor_id() << 40 |
		  (__sync_fetch_and_add(&counts->ids, 1) + 1);
	key = key_of(PT_REGS_SP(ctx));
	if (bpf_map_update_elem(&pending_calls, &key, &call, BPF_ANY) < 0) {
		counts->lost++;
		return RETURN_IS_NOT;
	}
	/* From now on others may get its address. */
	if (old)
		(void)forget_object(slot, call.old_address);
	return RETURN_IS_PROBED;
}

/* Behind the call, so that its caller is the leaf, as in what the library of preloaded programs tells. */
static __always_inline void take_object(struct probe_registers *ctx, struct task_struct *task,
					const struct occasion *why)
{
	struct task_ids ids = ids_of(task);
	struct scratch *s = sample_begin(ids, why);
	struct saved_place place;

	if (!s)
		return;
	s->leaf_exact = 0;
	if (CONTEXT_IS_COMPAT(ctx)) {
		s->outcome = WALK_COMPAT;
	} else if (task->mm && config.user_stacks) {
		CONTEXT_LEAF(&place, s->sample.temporaries, ctx);
		s->at.ip = place.ip;
		s->at.sp = place.sp;
		s->at.bp = place.bp;
		s->at.bx = place.bx;
		s->at.exact = 0;
		sample_walk(s, task, ids.tgid, 0);
	}
	sample_send(s, task, 0);
}

static __always_inline void tell_object(struct probe_registers *ctx, struct task_struct *task,
					const struct wire_heap_process *process,
					struct wire_heap_counts *counts,
					const struct wire_heap_object *object)
{
	uint32_t cpu = bpf_get_smp_processor_id(), *claim = bpf_map_lookup_elem(&claims, &cpu);
	uint64_t begin = bpf_ktime_get_ns();

	if (!claim)
		return;
	if (__sync_val_compare_and_swap(claim, 0, 1) != 0) {
		counts->lost++;
		return;
	}
	take_object(ctx, task,
		    &(struct occasion){ .event = EVENT_HEAP,
					.time_ns = begin,
					.weight_ns = process->nonce,
					.address = object->id,
					.size = object->size });
	__sync_val_compare_and_swap(claim, 1, 0);
	counts->samples++;
	begin = bpf_ktime_get_ns() - begin;
	counts->sample_ns += begin;
	count_add(COUNT_RUN_NS, begin);
	count_add(COUNT_SAMPLE_NS, begin);
}

static __always_inline void call_ends(struct probe_registers *ctx, uint32_t slot,
				      struct wire_heap_process *process,
				      struct wire_heap_counts *counts)
{
	struct pending_key key = key_of(PT_REGS_SP(ctx) - RETURN_ADDRESS_BYTES);
	uint64_t address = PT_REGS_RC(ctx);
	struct wire_heap_object object;
	struct pending *found, call;
	struct task_struct *task;

	found = bpf_map_lookup_elem(&pending_calls, &key);
	if (!found) {
		counts->lost++;
		return;
	}
	call = *found;
	(void)bpf_map_delete_elem(&pending_calls, &key);
	if (call.result && (address || bpf_probe_read_user(&address, sizeof(address),
							   (void *)call.result) < 0))
		address = 0;
	/* Of no bytes it makes nothing; else, where it fails, the old block is as it was. */
	if (call.old.id && !address && call.asked)
		(void)keep_object(slot, call.old_address, &call.old);
	if (!address || !call.size || !process->open)
		return;
	task = bpf_get_current_task_btf();
	object = (struct wire_heap_object){ call.id, call.size };
	if (keep_object(slot, address, &object) < 0)
		counts->untracked++;
	tell_object(ctx, task, process, counts, &object);
}

/* Before a call that gives out memory, and behind those for which this says so. */
SEC("kprobe")
int heap_call(struct probe_registers *ctx)
{
	uint64_t cookie = bpf_get_attach_cookie(ctx);
	uint32_t slot = slot_of(cookie);
	struct wire_heap_process *process = bpf_map_lookup_elem(&followed, &slot);
	struct wire_heap_counts *counts = bpf_map_lookup_elem(&heap_counts, &slot);

	if (!process || !counts)
		return RETURN_IS_NOT;
	if (is_behind_call(ctx)) {
		call_ends(ctx, slot, process, counts);
		return 0;
	}
	counts->hits++;
	if (!process->open)
		return RETURN_IS_NOT;
	return call_begins(ctx, cookie, slot, process, counts);
}

/* To see what a probed return does to a process of ours. */
SEC("kprobe")
int heap_check(struct probe_registers *ctx)
{
	return RETURN_IS_PROBED;
}

/* Before memory is taken back. */
SEC("kprobe")
int heap_free(struct probe_registers *ctx)
{
	uint64_t cookie = bpf_get_attach_cookie(ctx), address;
	uint32_t slot = slot_of(cookie);
	struct wire_heap_process *process = bpf_map_lookup_elem(&followed, &slot);
	struct wire_heap_counts *counts = bpf_map_lookup_elem(&heap_counts, &slot);

	if (!process || !counts)
		return 0;
	counts->hits++;
	if (!process->open)
		return 0;
	address = context_register(ctx, cookie & 15);
	if (address && find_object(slot, address))
		(void)forget_object(slot, address);
	return 0;
}
