/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sampled objects of all processes: what each is worth, on which stack it was made, and in how many
 * processes it lives. Objects that live nowhere any more are dropped.
 */
#pragma once

#include "base/array.h"
#include "base/hash.h"
#include "source/heap_region.h"

struct heap_object {
	uint64_t nonce, id; /* of the region in which it was sampled, and there */
	uint64_t time_ns;
	struct heap_weight weight;
	uint32_t stack, labels; /* of the profile; once counted */
	bool counted;
	uint32_t holders,
		held; /* in how many processes it lives; in how many it was when last told */
};

struct heap_objects {
	ARRAY_OF(struct heap_object) at;
	struct hash_index index;
};

void heap_objects_fini(struct heap_objects *objects);
/* NULL: it is not there. Good until the next one is added or dropped. */
struct heap_object *heap_objects_find(const struct heap_objects *objects, uint64_t nonce,
				      uint64_t id);
/* Adds one, or returns the one there is with *ret_new false. NULL when out of memory. */
struct heap_object *heap_objects_add(struct heap_objects *objects, uint64_t nonce, uint64_t id,
				     bool *ret_new);
/*
 * Drops what has no holders, was told so, and is older than before_ns. Returns 0 or -ENOMEM (then
 * nothing was dropped).
 */
int heap_objects_drop(struct heap_objects *objects, uint64_t before_ns);
