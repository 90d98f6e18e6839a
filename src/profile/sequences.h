/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting many sequences of numbers that mostly begin alike, as stacks do. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "profile/profile.h"

/* Sequences are runs in `words`, whose numbers are below UINT32_MAX. */
struct sequences {
	const uint32_t *words;
	const struct profile_run *runs;
	bool from_end; /* the last number is the first to be compared */
};

/*
 * Sorts `order`, `count` positions in runs: by their numbers, shorter before longer ones. Equal ones
 * come in any order. Returns 0 or -ENOMEM.
 */
int sequences_sort(const struct sequences *sequences, uint32_t *order, uint32_t count);
