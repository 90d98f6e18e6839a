/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers that a file gives to its things, and what they are here. Most files count from 1, some
 * take addresses: small numbers are looked up in an array, the others in a hash.
 */
#pragma once

#include "base/hash.h"

struct id_table {
	uint32_t *near; /* number → position + 1; 0: there is none */
	uint64_t near_count;
	struct hash_index far;
};

/* Named outcome: the number is another one's already. */
enum { ID_TABLE_TAKEN = 1 };

enum { ID_TABLE_BYTES = 8 }; /* that each of the expected ones takes */

/* expected: how many there will be, about. Returns 0 or -ENOMEM. */
int id_table_init(struct id_table *table, uint64_t expected);
void id_table_fini(struct id_table *table);
/* Returns 0, ID_TABLE_TAKEN or -ENOMEM. */
int id_table_add(struct id_table *table, uint64_t id, uint32_t position);
uint32_t id_table_find_far(const struct id_table *table, uint64_t id);

/* What was added with the number, or HASH_ABSENT. */
static inline uint32_t id_table_find(const struct id_table *table, uint64_t id)
{
	return id < table->near_count ? table->near[id] - 1 : id_table_find_far(table, id);
}
