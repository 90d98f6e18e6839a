/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Pieces of user stack for the walks that user space has to finish. */
#pragma once

#include "maps.h"

enum {
	COPY_SKIPS_PAGES = 4,
	/* Below the stack pointer, where a leaf may keep what it likes: System V ABI, 3.2.2. */
	RED_ZONE_BYTES = 128,
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

static int copy_payload_page(uint32_t index, void *context)
{
	uint32_t cpu = bpf_get_smp_processor_id();
	struct scratch *s = bpf_map_lookup_elem(&scratches, &cpu);

	(void)context;
	return !s || copy_page(&s->copy, index, (unsigned char *)s->payload, PAYLOAD_BYTES,
			       s->copy_offset + s->copy.copied);
}

/* The user stack from below s->sample.sp on, behind the addresses. Returns the number of bytes. */
static __always_inline uint32_t copy_stack(struct scratch *s, uint32_t payload_offset)
{
	/* Kept in a map: the verifier need not follow what it is on each turn of the loop. */
	s->copy = stack_copy_begin(s->sample.sp, WIRE_STACK_COPY_BYTES);
	s->copy_offset = payload_offset;
	bpf_loop(WIRE_STACK_COPY_BYTES / 4096 + COPY_SKIPS_PAGES, copy_payload_page, NULL, 0);
	s->sample.stack_at = s->copy.begin;
	return s->copy.copied <= WIRE_STACK_COPY_BYTES ? s->copy.copied : 0;
}

/* The stack that an exiting task had, behind the addresses. Returns the number of bytes. */
static __always_inline uint32_t copy_exit_stack(struct scratch *s, uint32_t payload_offset,
						uint32_t tid, uint32_t *exact)
{
	struct exit_stack *saved = bpf_map_lookup_elem(&exiting, &tid);
	uint32_t size;

	if (!saved || payload_offset > WIRE_MAX_KERNEL_FRAMES * 8)
		return 0;
	size = saved->stack_bytes;
	if (size == 0 || size > EXIT_STACK_BYTES)
		return 0;
	if (bpf_probe_read_kernel((char *)s->payload + payload_offset, size, saved->stack) < 0)
		return 0;
	s->sample.ip = saved->ip;
	s->sample.sp = saved->sp;
	s->sample.bp = saved->bp;
	s->sample.bx = saved->bx;
	__builtin_memcpy(s->sample.temporaries, saved->temporaries, sizeof(saved->temporaries));
	s->sample.stack_at = saved->stack_at;
	*exact = saved->exact;
	s->outcome = WALK_NO_PROCESS; /* to be walked from the registers on */
	return size;
}
