// SPDX-License-Identifier: Apache-2.0
/* Mappings, the main binary first. */
#include "profile/freeze.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

struct choice {
	const struct freezer *freezer;
	int64_t *weights; /* by old mapping */
	uint32_t main;	  /* old id, FREEZE_UNUSED */
};

static void choice_fini_cleanup(struct choice *choice)
{
	free(choice->weights);
}

/* How much of the main value passes through LOCATION_USER frames of each mapping. */
static int weigh_mappings(struct choice *choice)
{
	const struct profile *old = choice->freezer->old;
	cleanup(free) uint32_t *seen = freeze_map(old->mappings.count);

	choice->weights = calloc(old->mappings.count + 1ULL, sizeof(int64_t));
	if (!seen || !choice->weights)
		return -ENOMEM;
	for (uint32_t i = 0; i < old->samples.count; i++) {
		struct profile_run run = old->stacks.at[old->samples.at[i].stack];
		int64_t value = profile_value(old, i, old->meta.main_type);

		for (uint32_t k = 0; k < run.count; k++) {
			const struct profile_location *location =
				&old->locations.at[old->stack_locations.at[run.first + k]];

			if (location->kind != LOCATION_USER || seen[location->mapping] == i)
				continue;
			seen[location->mapping] = i;
			choice->weights[location->mapping] =
				profile_sum(choice->weights[location->mapping], value);
		}
	}
	return 0;
}

static int compare_mappings(const void *a_, const void *b_, void *context)
{
	const struct choice *choice = context;
	const struct profile *old = choice->freezer->old;
	uint32_t ia = *(const uint32_t *)a_, ib = *(const uint32_t *)b_;
	const struct profile_mapping *a = &old->mappings.at[ia];
	const struct profile_mapping *b = &old->mappings.at[ib];
	const uint32_t *string = choice->freezer->to.string;

	if ((ia == choice->main) != (ib == choice->main))
		return ia == choice->main ? -1 : 1;
	FREEZE_COMPARE(string[a->file], string[b->file]);
	FREEZE_COMPARE(string[a->build_id], string[b->build_id]);
	FREEZE_COMPARE(a->start, b->start);
	FREEZE_COMPARE(a->limit, b->limit);
	FREEZE_COMPARE(a->file_offset, b->file_offset);
	FREEZE_COMPARE(a->identity, b->identity);
	return 0;
}

/* Returns whether mapping `a` makes a better main binary than `b` (FREEZE_UNUSED: none yet). */
static bool better_main(struct choice *choice, uint32_t a, uint32_t b)
{
	const struct profile *old = choice->freezer->old;
	bool a_file, b_file;

	if (b == FREEZE_UNUSED)
		return true;
	if (choice->weights[a] != choice->weights[b])
		return choice->weights[a] > choice->weights[b];
	a_file = profile_text(old, old->mappings.at[a].file)[0] == '/';
	b_file = profile_text(old, old->mappings.at[b].file)[0] == '/';
	if (a_file != b_file)
		return a_file;
	return compare_mappings(&a, &b, choice) < 0;
}

int freeze_mappings(struct freezer *freezer)
{
	const struct profile *old = freezer->old;
	cleanup(free) uint32_t *order = NULL;
	cleanup(choice_fini) struct choice choice = { .freezer = freezer, .main = FREEZE_UNUSED };
	uint32_t used, best = FREEZE_UNUSED;
	int r = weigh_mappings(&choice);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < old->mappings.count; i++)
		if (freezer->to.mapping[i] != FREEZE_UNUSED && better_main(&choice, i, best))
			best = i;
	choice.main = best;
	order = freeze_compared(freezer->to.mapping, old->mappings.count, &used, compare_mappings,
				&choice);
	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < used; i++) {
		struct profile_mapping *mapping = array_push(&freezer->now->mappings);

		if (!mapping)
			return -ENOMEM;
		*mapping = old->mappings.at[order[i]];
		mapping->file = freezer->to.string[mapping->file];
		mapping->build_id = freezer->to.string[mapping->build_id];
		freezer->to.mapping[order[i]] = i;
	}
	return 0;
}
