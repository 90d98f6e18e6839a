// SPDX-License-Identifier: Apache-2.0
#include "input/id_table.h"

#include <errno.h>
#include <stdlib.h>

/* What there may be besides: numbers that are left free. */
enum { SPARE = 1024 };

int id_table_init(struct id_table *table, uint64_t expected)
{
	*table = (struct id_table){ .near_count = 2 * expected + SPARE };
	table->near = calloc(table->near_count, sizeof(*table->near));
	return table->near ? 0 : -ENOMEM;
}

void id_table_fini(struct id_table *table)
{
	free(table->near);
	hash_index_fini(&table->far);
	*table = (struct id_table){};
}

uint32_t id_table_find_far(const struct id_table *table, uint64_t id)
{
	/* Different numbers have different hashes. */
	return hash_index_find(&table->far, hash_u64(id), NULL, NULL, NULL);
}

int id_table_add(struct id_table *table, uint64_t id, uint32_t position)
{
	if (id_table_find(table, id) != HASH_ABSENT)
		return ID_TABLE_TAKEN;
	if (id >= table->near_count)
		return hash_index_add(&table->far, hash_u64(id), position);
	table->near[id] = position + 1;
	return 0;
}
