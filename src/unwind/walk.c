// SPDX-License-Identifier: Apache-2.0
#include "unwind/walk.h"

#include <string.h>

#include "bpf/table.h"

static int walk_read(uint64_t *ret, uint64_t address, void *memory)
{
	const struct walk_input *input = memory;
	uint64_t offset = address - input->stack_address;

	if (address < input->stack_address || input->stack_bytes < sizeof(*ret) ||
	    offset > input->stack_bytes - sizeof(*ret))
		return -1;
	memcpy(ret, input->stack + offset, sizeof(*ret));
	return 0;
}

/* The host functions of bpf/walk.h have no place for a store; one walk runs at a time per thread. */
static _Thread_local const struct table_store *current_store;

static const struct wire_rule *walk_rule(uint32_t rule)
{
	return table_store_rule(current_store, rule);
}

static uint64_t walk_find_rule(uint32_t table, uint64_t address)
{
	return table_store_find_rule(current_store, table, address);
}

#include "bpf/walk.h"

const struct wire_mapping *walk_mapping(const struct wire_mapping *mappings, uint32_t count,
					uint64_t address)
{
	uint32_t low = 0, high = count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (mappings[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low && address < mappings[low - 1].end ? &mappings[low - 1] : NULL;
}

enum walk_outcome walk_run(const struct walk_input *input, uint64_t *addresses, uint32_t limit,
			   uint32_t *count, uint64_t *missing)
{
	struct walk_registers r = { input->ip, input->sp, input->bp, input->exact, input->leaf };

	current_store = input->store;
	*count = 0;
	for (;;) {
		uint64_t address = walk_lookup_address(&r), sp = r.sp;
		const struct wire_mapping *mapping =
			walk_mapping(input->mappings, input->mapping_count, address);
		int outcome;

		if (*count >= limit)
			return WALK_TOO_DEEP;
		addresses[(*count)++] = address;
		if (!mapping)
			return WALK_NO_MAPPING;
		outcome = walk_step(&r, mapping, (void *)(uintptr_t)input);
		r.first = 0;
		if (outcome == WALK_OUTCOME_COUNT)
			continue;
		if (outcome == WALK_NO_TABLE && missing)
			*missing = address;
		/* What could not be read lies behind the copy, unless nothing was copied at all. */
		if (outcome == WALK_NOT_PRESENT && input->stack_bytes && sp >= input->stack_address)
			return WALK_COPY_SHORT;
		return (enum walk_outcome)outcome;
	}
}
