/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose files fill the rule dictionary. One table may look modest whose makers have shipped hundreds,
 * or each of them twice: so it is the origin that counts, whatever number of tables it takes.
 */
#pragma once

#include <stdint.h>

#include "base/array.h"
#include "base/hash.h"

struct rule_origin {
	uint64_t origin; /* struct unwind_table */
	uint32_t rules;	 /* that nobody else has */
};

struct rule_origins {
	uint32_t *of_rule; /* by number in the dictionary: 1 + position in `all`, or who: .c */
	uint32_t limit;
	ARRAY_OF(struct rule_origin) all;
	struct hash_index index;
};

/* For rules 0 to limit - 1, of which 0 (RULE_NONE) is nobody's. Returns 0 or -ENOMEM. */
int rule_origins_init(struct rule_origins *origins, uint32_t limit);
void rule_origins_fini(struct rule_origins *origins);
static inline void rule_origins_fini_cleanup(struct rule_origins *origins)
{
	rule_origins_fini(origins);
}
/* A table of this origin has these rules. Returns 0 or -ENOMEM. */
int rule_origins_add(struct rule_origins *origins, uint64_t origin, const uint16_t *rules,
		     uint32_t count);
/* How many rules only tables of this origin have. */
uint32_t rule_origins_of(const struct rule_origins *origins, uint64_t origin);
/* The one that has the most, other than `except`; NULL: nobody else has any. */
const struct rule_origin *rule_origins_greediest(const struct rule_origins *origins,
						 uint64_t except);
