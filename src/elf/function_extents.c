// SPDX-License-Identifier: Apache-2.0
#include "elf/function_extents.h"

#include <errno.h>

#include "elf/rows.h"

enum { MAX_PADDING_BYTES = 15 }; /* functions and loops are aligned to 16 bytes */

static bool is_gap(const struct cfi_row *row)
{
	return row->rule.kind_and_step == RULE_NONE && row->rule.cfa_words == CFI_GAP;
}

/* Adds a part, or makes the last one longer when only padding lies between. */
static int add_part(struct function_extents *extents, uint64_t start, uint64_t end,
		    uint64_t function)
{
	uint32_t count = extents->list.count;
	struct function_extent *last = count ? &extents->list.at[count - 1] : NULL;

	if (last && last->function == function && start - last->end <= MAX_PADDING_BYTES) {
		last->end = end;
		return 0;
	}
	last = array_push(&extents->list);
	if (!last)
		return -ENOMEM;
	*last = (struct function_extent){ start, end, function };
	return 0;
}

/* A function goes on up to the next one, as far as there are rows. */
static int list_extents(struct function_extents *ret, const struct cfi_table *table)
{
	uint32_t next = 0;
	int r = 0;

	for (uint32_t i = 0; i + 1 < table->rows.count && r == 0; i++) {
		uint64_t start = table->rows.at[i].address, end = table->rows.at[i + 1].address;

		if (is_gap(&table->rows.at[i]))
			continue;
		while (start < end && r == 0) {
			uint64_t part = end;

			while (next < table->functions.count && table->functions.at[next] <= start)
				next++;
			if (next < table->functions.count && table->functions.at[next] < part)
				part = table->functions.at[next];
			if (next > 0)
				r = add_part(ret, start, part, table->functions.at[next - 1]);
			start = part;
		}
	}
	return r;
}

int function_extents_read(struct function_extents *ret, const struct object *object)
{
	struct function_extents extents = {};
	struct cfi_table table = {};
	int r = rows_read(&table, object);

	if (r == 0)
		r = list_extents(&extents, &table);
	cfi_table_fini(&table);
	if (r < 0) {
		function_extents_fini(&extents);
		return r;
	}
	*ret = extents;
	return 0;
}

void function_extents_fini(struct function_extents *extents)
{
	array_fini(&extents->list);
}

int function_extents_find(const struct function_extents *extents, uint64_t address,
			  uint64_t *ret_start)
{
	uint32_t low = 0, high = extents->list.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (extents->list.at[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || address >= extents->list.at[low - 1].end)
		return -ENOENT;
	*ret_start = extents->list.at[low - 1].function;
	return 0;
}
