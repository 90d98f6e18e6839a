// SPDX-License-Identifier: Apache-2.0
/*
 * Freezing: the same contents, in whatever order they were added, become the same bytes.
 *
 * Bottom up: strings are sorted by their bytes, so that from then on comparing ids is comparing
 * texts; then mappings, functions, locations, stacks, label sets and samples by those ids. What no
 * sample reaches is dropped, or two recordings that saw the same could still differ.
 *
 * Mapping 0 is the main binary, where `go tool pprof` looks for a title: the mapping whose
 * LOCATION_USER frames the most of the main value passes through; failing that any real file.
 */
#include "profile/profile.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profile/order.h"
#include "profile/sequences.h"

#define UNUSED UINT32_MAX

/* Prefetched. */
enum { AHEAD = 8 };

/* Old ids to new ones; UNUSED where nothing refers to the old one. */
struct renumbering {
	uint32_t *string, *mapping, *function, *location, *stack, *labels;
};

struct freezer {
	struct profile *old;
	struct profile *now; /* the tables being built */
	struct renumbering to;
	int64_t *mapping_weight;
	uint32_t main_mapping; /* old id */
};

static void freezer_fini(struct freezer *freezer)
{
	free(freezer->to.string);
	free(freezer->to.mapping);
	free(freezer->to.function);
	free(freezer->to.location);
	free(freezer->to.stack);
	free(freezer->to.labels);
	free(freezer->mapping_weight);
	profile_free(freezer->now);
}

static void freezer_fini_cleanup(struct freezer *freezer)
{
	freezer_fini(freezer);
}

static uint32_t *new_map(uint32_t count)
{
	uint32_t *map = malloc((count + 1ULL) * sizeof(*map));

	if (map)
		memset(map, 0xff, (count + 1ULL) * sizeof(*map));
	return map;
}

/* The used old ids (marked by anything but UNUSED in `map`). NULL: out of memory. */
static uint32_t *list_used(const uint32_t *map, uint32_t count, uint32_t *ret_used)
{
	uint32_t *order = malloc((count + 1ULL) * sizeof(*order)), used = 0;

	for (uint32_t i = 0; order && i < count; i++)
		if (map[i] != UNUSED)
			order[used++] = i;
	*ret_used = used;
	return order;
}

/* The same, sorted by a comparison: for what there are few of. */
static uint32_t *sorted_used(const uint32_t *map, uint32_t count, uint32_t *ret_used,
			     int (*compare)(const void *, const void *, void *), void *context)
{
	uint32_t *order = list_used(map, count, ret_used);

	if (order && *ret_used)
		qsort_r(order, *ret_used, sizeof(*order), compare, context);
	return order;
}

/* The same, sorted by keys. */
static uint32_t *order_used(const uint32_t *map, uint32_t count, uint32_t *ret_used,
			    order_read_fn read, const void *context)
{
	uint32_t *order = list_used(map, count, ret_used);

	if (order && order_sort(order, *ret_used, read, context) < 0) {
		free(order);
		return NULL;
	}
	return order;
}

#define COMPARE(a, b)                                                                              \
	do {                                                                                       \
		if ((a) != (b))                                                                    \
			return (a) < (b) ? -1 : 1;                                                 \
	} while (0)

/* A key of two numbers. */
static uint64_t pair(uint32_t first, uint32_t second)
{
	return (uint64_t)first << 32 | second;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static int name_unnamed(struct profile *profile)
{
	for (uint32_t i = 0; i < profile->locations.count; i++) {
		struct profile_location *location = &profile->locations.at[i];
		cleanup(free) char *name = NULL;
		struct profile_function function = {};
		struct profile_line line = {};
		const char *file;
		int r;

		if (location->line_count)
			continue;
		file = profile_text(profile, profile->mappings.at[location->mapping].file);
		if (location->kind == LOCATION_NOTE || !*file)
			name = strdup(*file == '[' ? file : "[unknown]");
		else if (asprintf(&name, "%s+0x%" PRIx64, base_name(file), location->address) < 0)
			name = NULL;
		if (!name)
			return -ENOMEM;
		r = profile_string(profile, &function.name, name);
		if (r < 0)
			return r;
		function.system_name = function.name;
		r = profile_function_add(profile, &line.function, &function);
		if (r < 0)
			return r;
		r = profile_location_name(profile, i, &line, 1, false);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Marks what the samples reach with 0. */
static int mark(struct freezer *freezer)
{
	const struct profile *old = freezer->old;
	struct renumbering *to = &freezer->to;

	to->string = new_map(old->strings.offsets.count);
	to->mapping = new_map(old->mappings.count);
	to->function = new_map(old->functions.count);
	to->location = new_map(old->locations.count);
	to->stack = new_map(old->stacks.count);
	to->labels = new_map(old->label_sets.count);
	if (!to->string || !to->mapping || !to->function || !to->location || !to->stack ||
	    !to->labels)
		return -ENOMEM;
	to->string[0] = 0;
	to->labels[0] = 0;
	for (uint32_t i = 0; i < old->samples.count; i++) {
		to->stack[old->samples.at[i].stack] = 0;
		to->labels[old->samples.at[i].labels] = 0;
	}
	for (uint32_t i = 0; i < old->stacks.count; i++)
		for (uint32_t k = 0; to->stack[i] == 0 && k < old->stacks.at[i].count; k++)
			to->location[old->stack_locations.at[old->stacks.at[i].first + k]] = 0;
	for (uint32_t i = 0; i < old->locations.count; i++) {
		const struct profile_location *location = &old->locations.at[i];

		if (to->location[i] == UNUSED)
			continue;
		to->mapping[location->mapping] = 0;
		for (uint32_t k = 0; k < location->line_count; k++)
			to->function[old->lines.at[location->first_line + k].function] = 0;
	}
	for (uint32_t i = 0; i < old->functions.count; i++)
		if (to->function[i] == 0)
			to->string[old->functions.at[i].name] =
				to->string[old->functions.at[i].system_name] =
					to->string[old->functions.at[i].file] = 0;
	for (uint32_t i = 0; i < old->mappings.count; i++)
		if (to->mapping[i] == 0)
			to->string[old->mappings.at[i].file] =
				to->string[old->mappings.at[i].build_id] = 0;
	for (uint32_t i = 0; i < old->label_sets.count; i++)
		for (uint32_t k = 0; to->labels[i] == 0 && k < old->label_sets.at[i].count; k++) {
			uint32_t item = old->label_sets.at[i].first + k;

			to->string[old->label_items.at[item].key] =
				to->string[old->label_items.at[item].text] =
					to->string[old->label_items.at[item].unit] = 0;
		}
	for (uint32_t i = 0; i < old->types.count; i++)
		to->string[old->types.at[i].name] = to->string[old->types.at[i].unit] = 0;
	to->string[old->meta.drop_frames] = 0;
	to->string[old->meta.period_of.name] = to->string[old->meta.period_of.unit] = 0;
	for (uint32_t i = 0; i < old->comments.count; i++)
		to->string[old->comments.at[i]] = 0;
	return 0;
}

/* Eight bytes of each string, so that numbers compare as bytes. */
static void read_strings(const void *context, struct order_entry *entries, uint32_t count,
			 uint32_t depth)
{
	const struct strtab *strings = &((const struct freezer *)context)->old->strings;
	size_t begin = (size_t)depth * sizeof(uint64_t);

	for (uint32_t i = 0; i < count; i++) {
		const char *text = strtab_get(strings, entries[i].position);
		size_t size = strtab_size(strings, entries[i].position);
		uint64_t key = 0;

		if (i + AHEAD < count)
			__builtin_prefetch(strtab_get(strings, entries[i + AHEAD].position) +
					   begin);
		if (size >= begin + sizeof(key))
			memcpy(&key, text + begin, sizeof(key));
		else if (size > begin)
			memcpy(&key, text + begin, size - begin);
		entries[i].key = be64toh(key);
	}
}

static int freeze_strings(struct freezer *freezer)
{
	const struct strtab *old = &freezer->old->strings;
	uint32_t *to = freezer->to.string, used;
	cleanup(free) uint32_t *order =
		order_used(to, old->offsets.count, &used, read_strings, freezer);

	if (!order || !array_reserve(&freezer->now->strings.bytes, old->bytes.count))
		return -ENOMEM;
	to[0] = 0; /* "", the first one of any order, is there */
	for (uint32_t i = 1; i < used; i++)
		if (strtab_append(&freezer->now->strings, &to[order[i]], strtab_get(old, order[i]),
				  strtab_size(old, order[i])) < 0)
			return -ENOMEM;
	return 0;
}

/* How much of the main value passes through LOCATION_USER frames of each mapping. */
static int weigh_mappings(struct freezer *freezer)
{
	const struct profile *old = freezer->old;
	cleanup(free) uint32_t *seen = new_map(old->mappings.count);

	freezer->mapping_weight = calloc(old->mappings.count + 1ULL, sizeof(int64_t));
	if (!seen || !freezer->mapping_weight)
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
			freezer->mapping_weight[location->mapping] =
				profile_sum(freezer->mapping_weight[location->mapping], value);
		}
	}
	return 0;
}

static int compare_mappings(const void *a_, const void *b_, void *context)
{
	const struct freezer *freezer = context;
	uint32_t ia = *(const uint32_t *)a_, ib = *(const uint32_t *)b_;
	const struct profile_mapping *a = &freezer->old->mappings.at[ia];
	const struct profile_mapping *b = &freezer->old->mappings.at[ib];
	const uint32_t *string = freezer->to.string;

	if ((ia == freezer->main_mapping) != (ib == freezer->main_mapping))
		return ia == freezer->main_mapping ? -1 : 1;
	COMPARE(string[a->file], string[b->file]);
	COMPARE(string[a->build_id], string[b->build_id]);
	COMPARE(a->start, b->start);
	COMPARE(a->limit, b->limit);
	COMPARE(a->file_offset, b->file_offset);
	COMPARE(a->identity, b->identity);
	return 0;
}

/* Returns whether mapping `a` makes a better main binary than `b` (UNUSED: none yet). */
static bool better_main(struct freezer *freezer, uint32_t a, uint32_t b)
{
	const struct profile *old = freezer->old;
	bool a_file, b_file;

	if (b == UNUSED)
		return true;
	if (freezer->mapping_weight[a] != freezer->mapping_weight[b])
		return freezer->mapping_weight[a] > freezer->mapping_weight[b];
	a_file = profile_text(old, old->mappings.at[a].file)[0] == '/';
	b_file = profile_text(old, old->mappings.at[b].file)[0] == '/';
	if (a_file != b_file)
		return a_file;
	return compare_mappings(&a, &b, freezer) < 0;
}

static int freeze_mappings(struct freezer *freezer)
{
	const struct profile *old = freezer->old;
	cleanup(free) uint32_t *order = NULL;
	uint32_t used, best = UNUSED;
	int r = weigh_mappings(freezer);

	if (r < 0)
		return r;
	freezer->main_mapping = UNUSED;
	for (uint32_t i = 0; i < old->mappings.count; i++)
		if (freezer->to.mapping[i] != UNUSED && better_main(freezer, i, best))
			best = i;
	freezer->main_mapping = best;
	order = sorted_used(freezer->to.mapping, old->mappings.count, &used, compare_mappings,
			    freezer);
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

/* By name, system name, file, line. */
static void read_functions(const void *context, struct order_entry *entries, uint32_t count,
			   uint32_t depth)
{
	const struct freezer *freezer = context;
	const uint32_t *string = freezer->to.string;

	for (uint32_t i = 0; i < count; i++) {
		const struct profile_function *function =
			&freezer->old->functions.at[entries[i].position];

		entries[i].key =
			depth == 0 ? pair(string[function->name], string[function->system_name] + 1)
			: depth == 1 ? pair(string[function->file], function->start_line)
				     : 0;
	}
}

static int freeze_functions(struct freezer *freezer)
{
	const struct profile *old = freezer->old;
	uint32_t used;
	cleanup(free) uint32_t *order = order_used(freezer->to.function, old->functions.count,
						   &used, read_functions, freezer);

	if (!order || !array_reserve(&freezer->now->functions, used))
		return -ENOMEM;
	for (uint32_t i = 0; i < used; i++) {
		struct profile_function *function = array_push(&freezer->now->functions);

		if (!function)
			return -ENOMEM;
		*function = old->functions.at[order[i]];
		function->name = freezer->to.string[function->name];
		function->system_name = freezer->to.string[function->system_name];
		function->file = freezer->to.string[function->file];
		freezer->to.function[order[i]] = i;
	}
	return 0;
}

/* A location's function number i and its line, from the outermost one. */
static uint64_t read_line(const struct freezer *freezer, const struct profile_location *location,
			  uint32_t i)
{
	const struct profile_line *line =
		&freezer->old->lines.at[location->first_line + location->line_count - 1 - i];

	return pair(freezer->to.function[line->function],
		    line->line < UINT32_MAX ? line->line + 1 : UINT32_MAX);
}

/*
 * By mapping, then by address, then by functions and lines: files may hold addresses that are not
 * one place's, or none. Those that have only names come first, whatever their mapping, by
 * these: call trees are in that order, too, and sorted stacks need not be sorted again for them.
 */
static void read_locations(const void *context, struct order_entry *entries, uint32_t count,
			   uint32_t depth)
{
	const struct freezer *freezer = context;
	const struct profile *old = freezer->old;

	for (uint32_t i = 0; i < count; i++) {
		const struct profile_location *location = &old->locations.at[entries[i].position];
		uint32_t mapping = freezer->to.mapping[location->mapping];

		if (old->mappings.at[location->mapping].only_names)
			entries[i].key = depth == 0 ? 1
					 : depth <= location->line_count
						 ? read_line(freezer, location, depth - 1)
					 : depth == location->line_count + 1 ? pair(mapping, 0)
									     : 0;
		else
			entries[i].key = depth == 0   ? pair(mapping + 1, 1)
					 : depth == 1 ? location->address >> 32 << 1 | 1
					 : depth == 2 ? location->address << 32 | 1
					 : depth < location->line_count + 3
						 ? read_line(freezer, location, depth - 3)
						 : 0;
	}
}

static int freeze_locations(struct freezer *freezer)
{
	const struct profile *old = freezer->old;
	struct profile *now = freezer->now;
	uint32_t used;
	cleanup(free) uint32_t *order = order_used(freezer->to.location, old->locations.count,
						   &used, read_locations, freezer);

	if (!order || !array_reserve(&now->locations, used) ||
	    !array_reserve(&now->lines, old->lines.count))
		return -ENOMEM;
	for (uint32_t i = 0; i < used; i++) {
		struct profile_location *location = array_push(&now->locations);

		if (!location)
			return -ENOMEM;
		*location = old->locations.at[order[i]];
		location->mapping = freezer->to.mapping[location->mapping];
		if (now->mappings.at[location->mapping].only_names)
			location->address = 0;
		for (uint32_t k = 0; k < location->line_count; k++) {
			struct profile_line *line = array_push(&now->lines);

			if (!line)
				return -ENOMEM;
			*line = old->lines.at[location->first_line + k];
			line->function = freezer->to.function[line->function];
		}
		location->first_line = now->lines.count - location->line_count;
		freezer->to.location[order[i]] = i;
	}
	return 0;
}

/* From the root, so that stacks with a common trunk are neighbours. */
static int freeze_stacks(struct freezer *freezer)
{
	struct profile *old = freezer->old, *now = freezer->now;
	cleanup(free) uint32_t *order = malloc((old->stacks.count + 1ULL) * sizeof(*order));
	struct sequences sequences = { .from_end = true };
	uint32_t used = 0;
	int r;

	/* In place: comparing wants the new ids, and nothing else needs the old ones any more. */
	for (uint32_t i = 0; i < old->stack_locations.count; i++)
		old->stack_locations.at[i] = freezer->to.location[old->stack_locations.at[i]];
	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < old->stacks.count; i++)
		if (freezer->to.stack[i] != UNUSED)
			order[used++] = i;
	sequences.words = old->stack_locations.at;
	sequences.runs = old->stacks.at;
	r = sequences_sort(&sequences, order, used);
	if (r < 0)
		return r;
	if (!array_reserve(&now->stacks, used) ||
	    !array_reserve(&now->stack_locations, old->stack_locations.count))
		return -ENOMEM;
	for (uint32_t i = 0; i < used; i++) {
		struct profile_run run = old->stacks.at[order[i]];

		now->stacks.at[now->stacks.count++] =
			(struct profile_run){ now->stack_locations.count, run.count };
		if (run.count)
			memcpy(now->stack_locations.at + now->stack_locations.count,
			       old->stack_locations.at + run.first,
			       run.count * sizeof(*now->stack_locations.at));
		now->stack_locations.count += run.count;
		freezer->to.stack[order[i]] = i;
	}
	return 0;
}

static int compare_label(const struct profile_label *a, const struct profile_label *b)
{
	COMPARE(a->key, b->key);
	COMPARE(a->is_number, b->is_number);
	COMPARE(a->text, b->text);
	COMPARE(a->number, b->number);
	COMPARE(a->unit, b->unit);
	return 0;
}

static int compare_label_items(const void *a, const void *b)
{
	return compare_label(a, b);
}

static int compare_label_sets(const void *a_, const void *b_, void *context)
{
	const struct freezer *freezer = context;
	const struct profile_run *a = &freezer->old->label_sets.at[*(const uint32_t *)a_];
	const struct profile_run *b = &freezer->old->label_sets.at[*(const uint32_t *)b_];
	uint32_t shared = a->count < b->count ? a->count : b->count;

	for (uint32_t i = 0; i < shared; i++) {
		int order = compare_label(&freezer->old->label_items.at[a->first + i],
					  &freezer->old->label_items.at[b->first + i]);

		if (order)
			return order;
	}
	COMPARE(a->count, b->count);
	return 0;
}

static int freeze_labels(struct freezer *freezer)
{
	struct profile *old = freezer->old, *now = freezer->now;
	cleanup(free) uint32_t *order = NULL;
	uint32_t used;

	for (uint32_t i = 0; i < old->label_sets.count; i++) {
		struct profile_run run = old->label_sets.at[i];

		if (freezer->to.labels[i] == UNUSED || !run.count)
			continue;
		for (uint32_t k = run.first; k < run.first + run.count; k++) {
			struct profile_label *label = &old->label_items.at[k];

			label->key = freezer->to.string[label->key];
			label->text = freezer->to.string[label->text];
			label->unit = freezer->to.string[label->unit];
		}
		qsort(&old->label_items.at[run.first], run.count, sizeof(struct profile_label),
		      compare_label_items);
	}
	order = sorted_used(freezer->to.labels, old->label_sets.count, &used, compare_label_sets,
			    freezer);
	if (!order || !array_reserve(&now->label_sets, used) ||
	    !array_reserve(&now->label_items, old->label_items.count))
		return -ENOMEM;
	now->label_sets.count = now->label_items.count = 0; /* the empty set is added like any */
	for (uint32_t i = 0; i < used; i++) {
		struct profile_run run = old->label_sets.at[order[i]];

		/* Sets that differed in their order only have become one. */
		if (!i || compare_label_sets(&order[i - 1], &order[i], freezer) != 0) {
			*array_push(&now->label_sets) =
				(struct profile_run){ now->label_items.count, run.count };
			for (uint32_t k = 0; k < run.count; k++)
				*array_push(&now->label_items) = old->label_items.at[run.first + k];
		}
		freezer->to.labels[order[i]] = now->label_sets.count - 1;
	}
	return 0;
}

static int compare_samples(const void *a_, const void *b_, void *context)
{
	const struct freezer *freezer = context;
	const struct profile_sample *a = &freezer->old->samples.at[*(const uint32_t *)a_];
	const struct profile_sample *b = &freezer->old->samples.at[*(const uint32_t *)b_];

	COMPARE(freezer->to.stack[a->stack], freezer->to.stack[b->stack]);
	COMPARE(freezer->to.labels[a->labels], freezer->to.labels[b->labels]);
	return 0;
}

/* Each goes to where its stack's begin; few share one. NULL: out of memory. */
static uint32_t *sort_samples(struct freezer *freezer)
{
	const struct profile *old = freezer->old;
	uint32_t count = old->samples.count, stacks = freezer->now->stacks.count;
	uint32_t *order = malloc((count + 1ULL) * sizeof(*order));
	cleanup(free) uint32_t *ends = calloc(stacks + 1ULL, sizeof(*ends));

	if (!order || !ends) {
		free(order);
		return NULL;
	}
	for (uint32_t i = 0; i < count; i++)
		ends[freezer->to.stack[old->samples.at[i].stack] + 1]++;
	for (uint32_t i = 0; i < stacks; i++)
		ends[i + 1] += ends[i];
	/* What was the first place of each is in the end that of the next one. */
	for (uint32_t i = 0; i < count; i++)
		order[ends[freezer->to.stack[old->samples.at[i].stack]]++] = i;
	for (uint32_t i = 0, first = 0; i < stacks; first = ends[i++])
		if (ends[i] - first > 1)
			qsort_r(order + first, ends[i] - first, sizeof(*order), compare_samples,
				freezer);
	return order;
}

static int freeze_samples(struct freezer *freezer)
{
	struct profile *old = freezer->old, *now = freezer->now;
	uint32_t width = old->types.count, count = old->samples.count;
	cleanup(free) uint32_t *order = sort_samples(freezer);

	if (!order || !array_reserve(&now->samples, count) ||
	    !array_reserve(&now->values, (uint64_t)count * width))
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		const struct profile_sample *sample = &old->samples.at[order[i]];
		const int64_t *values = &old->values.at[(size_t)order[i] * width];

		if (!i || compare_samples(&order[i - 1], &order[i], freezer) != 0) {
			*array_push(&now->samples) =
				(struct profile_sample){ freezer->to.stack[sample->stack],
							 freezer->to.labels[sample->labels] };
			for (uint32_t k = 0; k < width; k++)
				*array_push(&now->values) = 0;
		}
		for (uint32_t k = 0; k < width; k++) {
			int64_t *sum = &now->values.at[now->values.count - width + k];

			*sum = profile_sum(*sum, values[k]);
		}
	}
	return 0;
}

#define SWAP(a, b)                                                                                 \
	do {                                                                                       \
		__typeof__(a) swap_ = (a);                                                         \
		(a) = (b);                                                                         \
		(b) = swap_;                                                                       \
	} while (0)

/* Everything but the meta texts and the small lists, which only have their strings renumbered. */
static void take_over(struct freezer *freezer)
{
	struct profile *old = freezer->old, *now = freezer->now;

	for (uint32_t i = 0; i < old->types.count; i++) {
		old->types.at[i].name = freezer->to.string[old->types.at[i].name];
		old->types.at[i].unit = freezer->to.string[old->types.at[i].unit];
	}
	old->meta.period_of.name = freezer->to.string[old->meta.period_of.name];
	old->meta.period_of.unit = freezer->to.string[old->meta.period_of.unit];
	old->meta.drop_frames = freezer->to.string[old->meta.drop_frames];
	for (uint32_t i = 0; i < old->comments.count; i++)
		old->comments.at[i] = freezer->to.string[old->comments.at[i]];
	SWAP(now->types, old->types);
	SWAP(now->comments, old->comments);
	SWAP(now->meta, old->meta);
	hash_index_fini(&now->label_index); /* of the one empty set */
	SWAP(*now, *old);		    /* what is old now goes with the freezer */
	old->frozen = true;
}

int profile_freeze(struct profile *profile)
{
	cleanup(freezer_fini) struct freezer freezer = { .old = profile };
	static int (*const steps[])(struct freezer *) = {
		mark,	       freeze_strings, freeze_mappings, freeze_functions, freeze_locations,
		freeze_stacks, freeze_labels,  freeze_samples,
	};
	int r;

	if (profile->frozen)
		return 0;
	r = name_unnamed(profile);
	if (r < 0)
		return r;
	r = profile_new(&freezer.now);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		r = steps[i](&freezer);
		if (r < 0)
			return r;
	}
	take_over(&freezer);
	return 0;
}
