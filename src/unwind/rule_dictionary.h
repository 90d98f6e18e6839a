/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Distinct unwind rules by number, each with the count of its users. Rule 0 is RULE_NONE and stays.
 *
 * A rule that nobody uses any more is no longer found, but its number is only given to another one
 * once it was reclaimed: a walk on another CPU may still be reading it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/array.h"
#include "base/hash.h"
#include "bpf/wire.h"

struct rule_dictionary {
	ARRAY_OF(struct wire_rule) rules;
	ARRAY_OF(uint32_t) users; /* parallel to rules */
	ARRAY_OF(uint16_t) unused; /* numbers to be given out again */
	struct hash_index index;
	uint32_t limit; /* of rules.count */
};

#define RULE_ABSENT UINT32_MAX

/* limit: how many rules at most, 1..WIRE_MAX_RULES. Returns 0 or -ENOMEM. */
int rule_dictionary_init(struct rule_dictionary *dictionary, uint32_t limit);
void rule_dictionary_fini(struct rule_dictionary *dictionary);
/* The rule's number, or RULE_ABSENT. */
uint32_t rule_dictionary_find(const struct rule_dictionary *dictionary,
			      const struct wire_rule *rule);
/* How many more distinct rules it takes. */
uint32_t rule_dictionary_room(const struct rule_dictionary *dictionary);
/*
 * The rule's number, added if need be, with one user more. Returns 0, -ENOSPC when it is a new one
 * and there is no room, or -ENOMEM.
 */
int rule_dictionary_add(struct rule_dictionary *dictionary, uint32_t *ret,
			const struct wire_rule *rule);
/* One user less. Returns whether that was the last one: then reclaim the number later. */
bool rule_dictionary_release(struct rule_dictionary *dictionary, uint32_t number);
void rule_dictionary_reclaim(struct rule_dictionary *dictionary, uint32_t number);

/* All of a rule in one number. */
static inline uint64_t rule_bits(const struct wire_rule *rule)
{
	uint64_t bits;

	_Static_assert(sizeof(bits) == sizeof(*rule), "a rule is 64 bits without padding");
	memcpy(&bits, rule, sizeof(bits));
	return bits;
}
