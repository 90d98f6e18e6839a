/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Pieces of user stack for the walks that user space has to finish. */
#pragma once

#include "maps.h"

enum {
	COPY_SKIPS_PAGES = 4,
	/* Below the stack pointer, where a leaf may keep what it likes: System V ABI, 3.2.2. */
	RED_ZONE_BYTES = 128,
#if defined(WIRE_LINK_REGISTER)
	/* What a signal saves lies so far below the frame that leads there, at most: struct rt_sigframe. */
	OTHER_BELOW_BYTES = 6144,
#else
	OTHER_BELOW_BYTES = 0,
#endif
};

/* A copy of so many bytes at most, for a walk that begins with this stack pointer. */
static __always_inline struct stack_copy stack_copy_begin(uint64_t sp, uint32_t bytes)
{
	return (struct stack_copy){ sp - RED_ZONE_BYTES, sp - RED_ZONE_BYTES, 0, bytes };
}

/*
 * Copies up to the end of a page to `to` + `at`, `to` having `bytes` in all.
 * Returns 1 when the copy is over.
 */
static __always_inline int copy_page(struct stack_copy *copy, uint32_t index, unsigned char *to,
				     uint32_t bytes, uint32_t at)
{
	uint32_t size = 4096 - (copy->from & 4095);

	if (copy->copied + size > copy->limit)
		size = copy->limit - copy->copied;
	if (size == 0 || size > 4096 || at > bytes - 4096)
		return 1;
	if (bpf_probe_read_user(to + at, size, (const void *)copy->from) == 0)
		copy->copied += size;
	else if (copy->copied || index >= COPY_SKIPS_PAGES)
		return 1;
	else
		copy->begin = copy->from + size;
	copy->from += size;
	return 0;
}

/* Copies one more page of s->copy. Returns 1 when the copy is over. */
__attribute__((noinline)) int copy_payload_page(uint32_t index)
{
	uint32_t cpu = bpf_get_smp_processor_id();
	struct scratch *s = bpf_map_lookup_elem(&scratches, &cpu);

	return !s || copy_page(&s->copy, index, (unsigned char *)s->payload, PAYLOAD_BYTES,
			       s->copy_offset + s->copy.copied);
}

/* The user stack from below s->sample.sp on, behind the addresses. Returns the number of bytes. */
static __always_inline uint32_t copy_stack(struct scratch *s, uint32_t payload_offset,
					   uint32_t limit)
{
	s->copy = stack_copy_begin(s->sample.sp, limit);
	s->copy_offset = payload_offset;
	TURNS(i, WIRE_STACK_COPY_BYTES / 4096 + COPY_SKIPS_PAGES)
		if (copy_payload_page(i))
			break;
	s->sample.stack_at = s->copy.begin;
	return s->copy.copied <= WIRE_STACK_COPY_BYTES ? s->copy.copied : 0;
}

/* How many frames are followed to where they leave the stack. */
enum { MAX_FRAME_POINTERS = 64 };

/*
 * Where rbp's chain of frames goes on on another stack than the one whose `bytes` from sp on are
 * copied; 0: nowhere. In code without frame pointers that is nowhere or anywhere. A global function:
 * verified once by itself.
 */
__attribute__((noinline)) uint64_t find_other_stack(uint64_t sp, uint64_t bp, uint32_t bytes)
{
	uint64_t at = bp, frame[2];

	for (int i = 0; i < MAX_FRAME_POINTERS; i++) {
		if (!at || at & 7 ||
		    bpf_probe_read_user(frame, sizeof(frame), (const void *)at) < 0 || !frame[1])
			return 0;
		if (at - sp >= bytes)
			return at;
		if (frame[0] - sp < bytes && frame[0] <= at)
			return 0;
		at = frame[0];
	}
	return 0;
}

/* The other stack, if there is one, behind the first copy. Returns the number of bytes. */
static __always_inline uint32_t copy_other_stack(struct scratch *s, uint32_t payload_offset)
{
	uint64_t at = find_other_stack(s->sample.sp, s->sample.bp, WIRE_STACK_COPY_BYTES);

	if (!at)
		return 0;
	at -= OTHER_BELOW_BYTES;
	s->copy = (struct stack_copy){ at, at, 0, WIRE_OTHER_COPY_BYTES };
	s->copy_offset = payload_offset;
	TURNS(i, WIRE_OTHER_COPY_BYTES / 4096 + 1)
		if (copy_payload_page(i))
			break;
	s->sample.other_at = s->copy.begin;
	return s->copy.copied <= WIRE_OTHER_COPY_BYTES ? s->copy.copied : 0;
}

/* The stacks that an exiting task had, behind the addresses. Returns the number of bytes. */
static __always_inline uint32_t copy_exit_stack(struct scratch *s, uint32_t payload_offset,
						uint32_t tid, uint32_t *exact)
{
	struct exit_stack *saved = bpf_map_lookup_elem(&exiting, &tid);
	uint32_t size, other;

	if (!saved || payload_offset > WIRE_MAX_KERNEL_FRAMES * 8)
		return 0;
	size = saved->stack_bytes;
	if (size == 0 || size > EXIT_STACK_BYTES)
		return 0;
	/* Whole, whatever is in them: of a size that was spilled, verifiers before 6.6 forget the limit. */
	if (bpf_probe_read_kernel((char *)s->payload + payload_offset, EXIT_STACK_BYTES, saved->stack) < 0)
		return 0;
	s->sample.ip = saved->ip;
	s->sample.sp = saved->sp;
	s->sample.bp = saved->bp;
	s->sample.bx = saved->bx;
	__builtin_memcpy(s->sample.temporaries, saved->temporaries, sizeof(saved->temporaries));
	s->sample.stack_at = saved->stack_at;
	s->sample.stack_bytes = size;
	*exact = saved->exact;
	s->outcome = WALK_NO_PROCESS; /* to be walked from the registers on */
	other = saved->other_bytes;
	if (other == 0 || other > EXIT_STACK_BYTES ||
	    bpf_probe_read_kernel((char *)s->payload + payload_offset + size, EXIT_STACK_BYTES,
				  saved->other) < 0)
		return size;
	s->sample.other_at = saved->other_at;
	s->sample.other_bytes = other;
	return size + other;
}
