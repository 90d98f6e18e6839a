// SPDX-License-Identifier: Apache-2.0
#include "unwind/table.h"

#include <errno.h>
#include <string.h>

static bool is_rule(const struct wire_rule *rule)
{
	unsigned kind = rule->kind_and_step & RULE_KIND_MASK;
	unsigned steps = rule->kind_and_step & ~(unsigned)(RULE_KIND_MASK | RULE_NEXT_EXACT);

	return kind < RULE_KIND_COUNT &&
	       (steps == 0 ||
		(kind == RULE_SP && (steps == RULE_STEPS_PUSH || steps == RULE_STEPS_POP)));
}

enum { MIN_BLOCK_BYTES = WIRE_BLOCK_HEADER_BYTES + sizeof(struct wire_row) };

/*
 * Rows ascending, each in its bucket, the first one at 0; header as wire.h says.
 * size: MIN_BLOCK_BYTES or more.
 */
static bool is_block(const unsigned char *block, uint32_t size, uint32_t rule_count)
{
	uint16_t header[WIRE_BLOCK_HEADER_BYTES / 2];
	uint32_t count, previous = 0;
	struct wire_row row;

	memcpy(header, block, sizeof(header));
	count = header[WIRE_BUCKETS];
	if (header[0] != 0 || count == 0 || size != WIRE_BLOCK_HEADER_BYTES + count * sizeof(row))
		return false;
	for (uint32_t bucket = 0, i = 0; bucket < WIRE_BUCKETS; bucket++) {
		if (header[bucket + 1] < header[bucket])
			return false;
		for (; i < header[bucket + 1]; i++) {
			memcpy(&row, block + WIRE_BLOCK_HEADER_BYTES + i * sizeof(row),
			       sizeof(row));
			if (row.rule >= rule_count ||
			    row.address_low >> WIRE_BUCKET_SHIFT != bucket ||
			    (i == 0 ? row.address_low != 0 : row.address_low <= previous))
				return false;
			previous = row.address_low;
		}
	}
	return true;
}

int unwind_table_check(const struct unwind_table *table)
{
	uint32_t pages = table->block_offset.count, end = 0;

	if (table->block_size.count != pages || pages > PAGES_PER_TABLE ||
	    table->rules.count > 1 + RULES_PER_TABLE)
		return -EBADMSG;
	if (pages && (table->rules.count == 0 ||
		      (table->rules.at[0].kind_and_step & RULE_KIND_MASK) != RULE_NONE))
		return -EBADMSG;
	for (uint32_t i = 0; i < table->rules.count; i++)
		if (!is_rule(&table->rules.at[i]))
			return -EBADMSG;
	for (uint32_t i = 0; i < pages; i++) {
		uint32_t offset = table->block_offset.at[i], size = table->block_size.at[i];

		if (offset == UINT32_MAX)
			continue;
		/* One behind the other: nothing small stands for much memory. */
		if (offset != end || size > table->blocks.count - offset ||
		    size < MIN_BLOCK_BYTES ||
		    !is_block(table->blocks.at + offset, size, table->rules.count))
			return -EBADMSG;
		end = offset + size;
	}
	return end == table->blocks.count ? 0 : -EBADMSG;
}
