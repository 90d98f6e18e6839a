/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which code the history has names for, so that each is named once and not in each window. A set of
 * keys (naming_key); when it is full, or what it stands for got lost, it begins anew, and names are
 * told again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"

struct naming;

struct known_names {
	struct hash_index index;
	uint64_t since_ns; /* of the oldest in it, CLOCK_MONOTONIC */
};

void known_names_fini(struct known_names *known);
void known_names_forget(struct known_names *known);
/* For naming.knows; context is the set. */
bool known_names_has(void *known, uint64_t key);
/* What has its name in a window that is handed over now. */
void known_names_take(struct known_names *known, const struct naming *naming, uint64_t now_ns);
