// SPDX-License-Identifier: Apache-2.0
#include "unwind/walk.h"

#include <string.h>

#include "bpf/table.h"

static int read_copy(uint64_t *ret, uint64_t address, const unsigned char *copy, uint64_t begin,
		     uint32_t bytes)
{
	uint64_t offset = address - begin;

	if (address < begin || bytes < sizeof(*ret) || offset > bytes - sizeof(*ret))
		return -1;
	memcpy(ret, copy + offset, sizeof(*ret));
	return 0;
}

static int read_far_line(uint64_t *ret, uint64_t address, const struct walk_input *input)
{
	uint32_t low = 0, high = input->far_lines;
	struct wire_far_line line;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		memcpy(&line, input->far + middle * sizeof(line), sizeof(line));
		if (address - line.address <= sizeof(line.words) - sizeof(*ret)) {
			memcpy(ret, (const unsigned char *)line.words + (address - line.address),
			       sizeof(*ret));
			return 0;
		}
		if (line.address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

static int walk_read(uint64_t *ret, uint64_t address, void *memory)
{
	const struct walk_input *input = memory;

	if (input->read)
		return input->read(ret, address, input->read_context);
	if (read_copy(ret, address, input->stack, input->stack_address, input->stack_bytes) == 0)
		return 0;
	if (read_copy(ret, address, input->other, input->other_address, input->other_bytes) == 0)
		return 0;
	if (read_far_line(ret, address, input) == 0)
		return 0;
	if (input->unread)
		*input->unread = address;
	return -1;
}

static uint64_t walk_temporary(uint64_t number, void *memory)
{
	const struct walk_input *input = memory;

	return number < WIRE_TEMPORARIES ? input->temporaries[number] : 0;
}

static uint64_t walk_search(uint64_t from, uint32_t words, uint64_t value, void *memory)
{
	for (uint64_t word; words > 0 && walk_read(&word, from, memory) == 0; words--, from += 8)
		if (word == value)
			return from;
	return 0;
}
/* Only asked for on some processors, hence `inline`. */
static inline uint64_t walk_signal_stack(void *memory)
{
	(void)memory;
	return 0;
}

static uint64_t walk_find(uint32_t table, uint64_t address, void *memory);

#include "bpf/walk.h"

static uint64_t walk_find(uint32_t table, uint64_t address, void *memory)
{
	const struct walk_input *input = memory;
	uint64_t found = table_store_find_rule(input->store, table, address);
	const struct wire_rule *rule;

	if (found == WALK_FIND_NO_TABLE || found == WALK_FIND_NO_ROW)
		return found;
	rule = table_store_rule(input->store, (uint32_t)(found >> 16));
	if (!rule)
		return WALK_FIND_NO_ROW;
	return walk_rule_pack(rule, (uint32_t)(address & 0xffff) - (uint32_t)(found & 0xffff));
}

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

/*
 * Does what could not be read lie behind the copy, where a larger one may have it? Not on another stack, unless
 * pieces of others were copied, too.
 */
static bool lies_behind(const struct walk_input *input, uint64_t sp, uint64_t unread)
{
	uint64_t most = input->stack_bytes + WALK_FRAME_BYTES_MAX;

	if (!input->stack_bytes || sp < input->stack_address)
		return false;
	return input->other_bytes || input->far_lines || unread - input->stack_address < most;
}

enum walk_outcome walk_run_to(const struct walk_input *given, uint64_t *addresses, uint32_t limit,
			      uint32_t *count, struct walk_end *end)
{
	struct walk_input own = *given, *input = &own;
	uint64_t unread = given->stack_address;
	struct walk_registers r = { .ip = input->ip,
				    .sp = input->sp,
				    .bp = input->bp,
				    .bx = input->bx,
				    .exact = input->exact,
				    .loose = input->loose,
				    .first = input->leaf };

	own.unread = &unread;
	*count = 0;
	for (;;) {
		uint64_t address = walk_lookup_address(&r), sp = r.sp;
		const struct wire_mapping *mapping =
			walk_mapping(input->mappings, input->mapping_count, address);
		int outcome;

		if (end)
			*end = (struct walk_end){ r.ip, r.sp, r.bp, r.bx_at ? 0 : r.bx, address };
		if (*count >= limit)
			return WALK_TOO_DEEP;
		addresses[(*count)++] = address;
		if (!mapping)
			return WALK_NO_MAPPING;
		outcome = walk_step(&r, mapping, input);
		r.first = 0;
		addresses[*count - 1] += r.planted;
		if (outcome == WALK_OUTCOME_COUNT)
			continue;
		if (outcome == WALK_NOT_PRESENT && lies_behind(input, sp, unread))
			return WALK_COPY_SHORT;
		return (enum walk_outcome)outcome;
	}
}

enum walk_outcome walk_run(const struct walk_input *input, uint64_t *addresses, uint32_t limit,
			   uint32_t *count, uint64_t *missing)
{
	struct walk_end end;
	enum walk_outcome outcome = walk_run_to(input, addresses, limit, count, &end);

	if (outcome == WALK_NO_TABLE && missing)
		*missing = end.address;
	return outcome;
}
