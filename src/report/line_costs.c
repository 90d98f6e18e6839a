// SPDX-License-Identifier: Apache-2.0
#include "report/line_costs.h"

#include <errno.h>

#include "report/select.h"

enum { NO_ROUTINE = 0 };

void listing_fini(struct listing *listing)
{
	array_fini(&listing->routines);
	array_fini(&listing->lines);
	hash_index_fini(&listing->by_line);
	free(listing->of_functions);
	array_fini(&listing->order);
}

/* A routine for each name and file that is meant. */
static int find_routines(struct report *report, struct listing *ret)
{
	const struct profile *profile = report->profile;
	cleanup(free) bool *marks = NULL;
	struct hash_index index = {};
	int r = select_functions(report, &marks, report->options->function);

	if (r != 0)
		return r;
	ret->of_functions = calloc(profile->functions.count + 1ULL, sizeof(uint32_t));
	if (!ret->of_functions)
		return -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < profile->functions.count; i++) {
		const struct profile_function *function = &profile->functions.at[i];
		/* Two numbers of 32 bits: different ones have different hashes. */
		uint64_t hash = hash_u64((uint64_t)function->name << 32 | function->file);
		uint32_t found;

		if (!marks[i])
			continue;
		found = hash_index_find(&index, hash, NULL, NULL, NULL);
		if (found == HASH_ABSENT) {
			struct routine *routine = array_push(&ret->routines);

			found = ret->routines.count - 1;
			r = routine ? hash_index_add(&index, hash, found) : -ENOMEM;
			if (routine)
				*routine = (struct routine){ .name = function->name,
							     .file = function->file,
							     .start_line = function->start_line };
		}
		ret->of_functions[i] = found + 1;
	}
	hash_index_fini(&index);
	return r;
}

/* NULL: out of memory. */
static struct line_cost *find_line(struct listing *listing, uint32_t routine, uint32_t number)
{
	uint64_t hash = hash_u64((uint64_t)routine << 32 | number);
	uint32_t found = hash_index_find(&listing->by_line, hash, NULL, NULL, NULL);
	struct line_cost *line;

	if (found != HASH_ABSENT)
		return &listing->lines.at[found];
	line = array_push(&listing->lines);
	if (!line || hash_index_add(&listing->by_line, hash, listing->lines.count - 1) < 0)
		return NULL;
	*line = (struct line_cost){ .routine = routine, .line = number };
	return line;
}

static int count_frame(struct listing *listing, const struct profile_line *frame, uint32_t sample,
		       int64_t weight, bool is_leaf)
{
	uint32_t routine_id = listing->of_functions[frame->function];
	struct routine *routine;
	struct line_cost *line;

	if (routine_id == NO_ROUTINE)
		return 0;
	routine = &listing->routines.at[--routine_id];
	line = find_line(listing, routine_id, frame->line);
	if (!line)
		return -ENOMEM;
	if (is_leaf) {
		line->self = profile_sum(line->self, weight);
		routine->self = profile_sum(routine->self, weight);
	}
	if (line->last_sample != sample + 1) {
		line->last_sample = sample + 1;
		line->total = profile_sum(line->total, weight);
	}
	if (routine->last_sample != sample + 1) {
		routine->last_sample = sample + 1;
		routine->total = profile_sum(routine->total, weight);
	}
	return 0;
}

static int count_sample(struct report *report, struct listing *listing, uint32_t sample)
{
	const struct profile *profile = report->profile;
	struct profile_run run = profile->stacks.at[profile->samples.at[sample].stack];
	int64_t weight = weights_get(&report->weights, sample);

	for (uint32_t i = 0; weight && i < run.count; i++) {
		const struct profile_location *location =
			&profile->locations.at[profile->stack_locations.at[run.first + i]];

		for (uint32_t k = 0; k < location->line_count; k++) {
			int r = count_frame(listing, &profile->lines.at[location->first_line + k],
					    sample, weight, i == 0 && k == 0);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int compare_lines(const void *a_, const void *b_)
{
	const struct line_cost *a = a_, *b = b_;

	if (a->routine != b->routine)
		return a->routine < b->routine ? -1 : 1;
	return a->line < b->line ? -1 : a->line > b->line;
}

static int compare_routines(const void *a_, const void *b_, void *context)
{
	const struct listing *listing = context;
	uint32_t a = *(const uint32_t *)a_, b = *(const uint32_t *)b_;
	int64_t total_a = listing->routines.at[a].total, total_b = listing->routines.at[b].total;

	if (total_a != total_b)
		return total_a > total_b ? -1 : 1;
	return a < b ? -1 : a > b;
}

int listing_make(struct listing *ret, struct report *report)
{
	int r = find_routines(report, ret);

	for (uint32_t i = 0; r == 0 && i < report->profile->samples.count; i++)
		r = count_sample(report, ret, i);
	if (r != 0)
		return r;
	if (ret->lines.count)
		qsort(ret->lines.at, ret->lines.count, sizeof(struct line_cost), compare_lines);
	for (uint32_t i = 0; i < ret->routines.count; i++) {
		uint32_t *place = ret->routines.at[i].total ? array_push(&ret->order) : NULL;

		if (ret->routines.at[i].total && !place)
			return -ENOMEM;
		if (place)
			*place = i;
	}
	if (ret->order.count)
		qsort_r(ret->order.at, ret->order.count, sizeof(uint32_t), compare_routines, ret);
	return 0;
}

const struct line_cost *listing_lines(const struct listing *listing, uint32_t routine,
				      uint32_t *ret_count)
{
	uint32_t first = array_count_up_to(&listing->lines, routine, routine), end = first;

	while (first && listing->lines.at[first - 1].routine == routine)
		first--;
	*ret_count = end - first;
	return listing->lines.at + first;
}
