/* SPDX-License-Identifier: Apache-2.0 */
/* Samples as the kernel half lays them out in its ring (struct wire_sample), made by hand. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "bpf/wire.h"

struct sample_builder {
	struct wire_sample head;
	const uint64_t *kernel, *user; /* head.kernel_count and head.user_count of them */
	const void *stack;	       /* head.stack_bytes of it, from head.sp on */
	const void *other;	       /* head.other_bytes of it, from head.other_at on */
};

/* In a block of exactly that size, which the caller frees. */
static inline struct wire_sample *sample_build(const struct sample_builder *from, size_t *size)
{
	size_t kernel = 8UL * from->head.kernel_count, user = 8UL * from->head.user_count;
	struct wire_sample *sample;
	unsigned char *at;

	*size = sizeof(*sample) + kernel + user + from->head.stack_bytes + from->head.other_bytes;
	sample = malloc(*size);
	if (!sample)
		abort();
	*sample = from->head;
	sample->stack_at = from->head.sp;
	at = (unsigned char *)(sample + 1);
	if (kernel)
		memcpy(at, from->kernel, kernel);
	if (user)
		memcpy(at + kernel, from->user, user);
	if (from->head.stack_bytes)
		memcpy(at + kernel + user, from->stack, from->head.stack_bytes);
	if (from->head.other_bytes)
		memcpy(at + kernel + user + from->head.stack_bytes, from->other,
		       from->head.other_bytes);
	return sample;
}
