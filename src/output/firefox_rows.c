// SPDX-License-Identifier: Apache-2.0
/* What is a row of which table. */
#include "output/firefox_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void firefox_fini(struct firefox *firefox)
{
	viewed_fini(&firefox->viewed);
	strtab_fini(&firefox->strings);
	array_fini(&firefox->stacks);
	array_fini(&firefox->libraries);
	array_fini(&firefox->sources);
	free(firefox->stack_of);
	free(firefox->symbols);
	free(firefox->location_of);
	free(firefox->library_of);
	free(firefox->source_of);
	hash_index_fini(&firefox->index);
}

uint32_t *firefox_rows(uint32_t count)
{
	uint32_t *rows = malloc((count + 1ULL) * sizeof(*rows));

	if (rows)
		memset(rows, 0xff, (count + 1ULL) * sizeof(*rows));
	return rows;
}

static int find_libraries(struct firefox *firefox)
{
	const struct profile *profile = firefox->viewed.profile;

	for (uint32_t i = 0; i < profile->mappings.count; i++) {
		uint32_t file = profile->mappings.at[i].file, *library;

		if (!file || firefox->library_of[file] != FIREFOX_NONE)
			continue;
		firefox->library_of[file] = firefox->libraries.count;
		library = array_push(&firefox->libraries);
		if (!library)
			return -ENOMEM;
		*library = i;
	}
	return 0;
}

static int find_sources(struct firefox *firefox)
{
	const struct viewed *viewed = &firefox->viewed;

	for (uint32_t i = 0; i < viewed->frames.count; i++) {
		uint32_t file = viewed->profile->functions.at[viewed->frames.at[i].function].file;
		uint32_t *source;

		if (!file || firefox->source_of[file] != FIREFOX_NONE)
			continue;
		firefox->source_of[file] = firefox->sources.count;
		source = array_push(&firefox->sources);
		if (!source)
			return -ENOMEM;
		*source = file;
	}
	return 0;
}

/* Symbols are the functions that others were inlined into, or nothing was. */
static void find_symbols(struct firefox *firefox)
{
	const struct profile *profile = firefox->viewed.profile;

	for (uint32_t i = 0; i < firefox->viewed.frames.count; i++)
		firefox->symbols[i] = (struct firefox_symbol){ i, UINT64_MAX, FIREFOX_NONE };
	for (uint32_t i = 0; i < profile->locations.count; i++) {
		const struct profile_location *location = &profile->locations.at[i];
		uint32_t last = location->first_line + location->line_count - 1;
		struct firefox_symbol *symbol;

		for (uint32_t k = 0; k < location->line_count; k++)
			firefox->location_of[location->first_line + k] = i;
		if (!location->line_count)
			continue;
		symbol = &firefox->symbols[firefox->viewed.frame_of_line[last]];
		if (location->address < symbol->address)
			symbol->address = location->address;
		if (profile->mappings.at[location->mapping].file && symbol->native == FIREFOX_NONE)
			symbol->native = firefox->native_count++;
	}
}

static int add_stack(struct firefox *firefox, uint32_t index)
{
	const struct profile *profile = firefox->viewed.profile;
	struct profile_run run = profile->stacks.at[index];
	uint32_t prefix = FIREFOX_NONE;

	for (uint32_t i = run.count; i-- > 0;) {
		uint32_t id = profile->stack_locations.at[run.first + i];
		const struct profile_location *location = &profile->locations.at[id];

		for (uint32_t k = location->line_count; k-- > 0;) {
			uint32_t frame = location->first_line + k;
			/* Different pairs have different hashes. */
			uint64_t hash = hash_u64((uint64_t)prefix << 32 | frame);
			uint32_t row = hash_index_find(&firefox->index, hash, NULL, NULL, NULL);

			if (row == HASH_ABSENT) {
				struct firefox_stack *stack = array_push(&firefox->stacks);

				row = firefox->stacks.count - 1;
				if (!stack || hash_index_add(&firefox->index, hash, row) < 0)
					return -ENOMEM;
				*stack = (struct firefox_stack){ frame, prefix };
			}
			prefix = row;
		}
	}
	firefox->stack_of[index] = prefix;
	return 0;
}

int firefox_prepare(struct firefox *firefox, const struct profile *profile)
{
	int r = viewed_init(&firefox->viewed, profile, false);

	if (r == 0)
		r = strtab_init(&firefox->strings);
	if (r < 0)
		return r;
	firefox->stack_of = firefox_rows(profile->stacks.count);
	firefox->library_of = firefox_rows(profile->strings.offsets.count);
	firefox->source_of = firefox_rows(profile->strings.offsets.count);
	firefox->location_of = firefox_rows(profile->lines.count);
	firefox->symbols =
		calloc(firefox->viewed.frames.count + 1ULL, sizeof(struct firefox_symbol));
	if (!firefox->stack_of || !firefox->library_of || !firefox->source_of ||
	    !firefox->location_of || !firefox->symbols)
		return -ENOMEM;
	find_symbols(firefox);
	r = find_libraries(firefox);
	if (r == 0)
		r = find_sources(firefox);
	for (uint32_t i = 0; r == 0 && i < profile->stacks.count; i++)
		r = add_stack(firefox, i);
	return r;
}
