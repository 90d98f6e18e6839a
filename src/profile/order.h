/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sorting many things by keys of 64 bits, one after another: stacks by pairs of their frames, names
 * by eight of their bytes. What things have in common is read once each, where comparing them in
 * pairs would read it with every comparison.
 */
#pragma once

#include <stdint.h>

struct order_entry {
	uint64_t key;
	uint32_t position;
};

/*
 * Sets the keys of the things at the entries' positions to those at `depth`, from 0. A key whose
 * lower 32 bits are 0 is a thing's last one, or lies behind it.
 */
typedef void (*order_read_fn)(const void *context, struct order_entry *entries, uint32_t count,
			      uint32_t depth);

/*
 * Sorts `order`, `count` positions. Those whose keys are all equal come in any order. Returns 0 or
 * -ENOMEM.
 */
int order_sort(uint32_t *order, uint32_t count, order_read_fn read, const void *context);
