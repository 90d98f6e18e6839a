/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What lies beyond the copy of a deep stack: only the lines that a walk may want to read. Those are
 * where a word could be a return address, and the lines before, with what the same frame saves: all
 * of System V ABI 3.2.1's six registers fit into one. What else is taken along does no harm.
 */
#pragma once

#include "kernel.h"
#include "maps.h"

enum {
	FAR_PAGES = 2048, /* 8 MiB, the usual limit of a stack */
	FAR_SHARE = 32,	  /* one part of so many of a CPU's time goes into this */
};
#define FAR_SCAN_NS 4000000ULL	   /* a single one takes no longer */
#define FAR_AHEAD_NS 4000000000ULL /* of the share at once: many processes are new in a moment */
#define FAR_LIBRARIES (1ULL << 36) /* below mmap_base, where libraries and the loader lie */

/*
 * Where the task's stack ends, or 0: the first thread's at what exec has put there, those of others
 * in front of their thread control block, which libraries allocate together with the stack.
 */
static __always_inline uint64_t stack_end(struct task_struct *task, uint64_t from)
{
	uint64_t end = BPF_CORE_READ(task, mm, start_stack);

	if (end - from < FAR_PAGES * 4096ULL)
		return end;
	end = task_thread_pointer(task);
	return end - from < FAR_PAGES * 4096ULL ? end : 0;
}

static __always_inline void keep_line(struct scratch *s, uint64_t address)
{
	uint32_t at = s->far.offset + s->far.lines * sizeof(struct wire_far_line);
	unsigned char *to = (unsigned char *)s->payload;

	if (address <= s->far.last || s->far.lines >= WIRE_FAR_LINES ||
	    at > PAYLOAD_BYTES - sizeof(struct wire_far_line))
		return;
	if (bpf_probe_read_user(to + at + 8, 64, (const void *)address) < 0)
		return;
	bpf_probe_read_kernel(to + at, 8, &address);
	s->far.last = address;
	s->far.lines++;
}

/* Keeps a line of s->far_page, if it may be wanted. Returns 1 when there is no scratch. */
__attribute__((noinline)) int look_at_line(uint32_t index)
{
	uint32_t cpu = bpf_get_smp_processor_id();
	struct scratch *s = bpf_map_lookup_elem(&scratches, &cpu);
	uint64_t code, code_size, libraries, stack, stack_size, address;
	const uint64_t *words;

	if (!s)
		return 1;
	words = s->far_page + (index & 63) * 8;
	code = s->far.code;
	code_size = s->far.code_size;
	libraries = s->far.libraries;
	stack = s->far.from;
	stack_size = s->far.end - stack;
	for (int i = 0; i < 8; i++)
		if (words[i] - code < code_size ||
		    (words[i] - libraries < FAR_LIBRARIES && words[i] - stack >= stack_size))
			goto keep;
	return 0;
keep:
	address = s->far.at + (index & 63) * 64;
	keep_line(s, address - 64);
	keep_line(s, address);
	return 0;
}

/* The page at s->far.at. Returns 1 when no further one is to be looked at. */
__attribute__((noinline)) int look_at_page(uint32_t index)
{
	uint32_t cpu = bpf_get_smp_processor_id();
	struct scratch *s = bpf_map_lookup_elem(&scratches, &cpu);

	if (!s || s->far.at >= s->far.end || s->far.lines >= WIRE_FAR_LINES ||
	    ((index & 15) == 0 && bpf_ktime_get_ns() > s->far.deadline_ns))
		return 1;
	/* Large frames have pages that nothing was ever written to. */
	if (bpf_probe_read_user(s->far_page, 4096, (const void *)s->far.at) == 0)
		TURNS(i, 64)
			if (look_at_line(i))
				break;
	s->far.at += 4096;
	return 0;
}

/*
 * The lines from the address `from` on, behind the copies. Returns how many there are. A global
 * function: verified once by itself.
 */
__attribute__((noinline)) uint32_t copy_far_lines(uint64_t from, uint32_t payload_offset)
{
	uint64_t end, now = bpf_ktime_get_ns();
	uint32_t cpu = bpf_get_smp_processor_id();
	struct scratch *s = bpf_map_lookup_elem(&scratches, &cpu);
	struct task_struct *task = current_task();
	struct mm_struct *mm = BPF_CORE_READ(task, mm);

	if (!s || !mm)
		return 0;
	end = stack_end(task, from);
	if (!end || s->far_paid_ns > now + FAR_AHEAD_NS)
		return 0;
	s->far = (struct far_scan){ .from = from,
				    .end = end,
				    .at = from & ~4095ULL,
				    .deadline_ns = now + FAR_SCAN_NS,
				    .code = BPF_CORE_READ(mm, start_code),
				    .code_size = BPF_CORE_READ(mm, end_code) - BPF_CORE_READ(mm, start_code),
				    .libraries = BPF_CORE_READ(mm, mmap_base) - FAR_LIBRARIES,
				    .offset = payload_offset };
	TURNS(i, FAR_PAGES + 1)
		if (look_at_page(i))
			break;
	if (s->far_paid_ns < now)
		s->far_paid_ns = now;
	s->far_paid_ns += (bpf_ktime_get_ns() - now) * FAR_SHARE;
	return s->far.lines <= WIRE_FAR_LINES ? s->far.lines : 0;
}
