// SPDX-License-Identifier: Apache-2.0
#include "profile/append.h"

#include <errno.h>
#include <string.h>

/* Ids of `from` → ids of `to`, + 1; 0: not looked up yet. */
struct ids {
	ARRAY_OF(uint32_t) of;
};

static int ids_init(struct ids *ids, uint32_t count)
{
	if (!array_reserve(&ids->of, count))
		return count ? -ENOMEM : 0;
	if (count)
		memset(ids->of.at, 0, count * sizeof(*ids->of.at));
	ids->of.count = count;
	return 0;
}

struct append {
	struct profile *to;
	const struct profile *from;
	struct ids strings, mappings, functions, locations, stacks, label_sets;
	ARRAY_OF(uint32_t) ids;		     /* scratch */
	ARRAY_OF(struct profile_label) labels; /* scratch */
	ARRAY_OF(struct profile_line) lines; /* scratch */
};

static void append_fini(struct append *a)
{
	array_fini(&a->strings.of);
	array_fini(&a->mappings.of);
	array_fini(&a->functions.of);
	array_fini(&a->locations.of);
	array_fini(&a->stacks.of);
	array_fini(&a->label_sets.of);
	array_fini(&a->ids);
	array_fini(&a->labels);
	array_fini(&a->lines);
}

static int append_init(struct append *a)
{
	const struct profile *from = a->from;
	int r = ids_init(&a->strings, from->strings.offsets.count);

	if (r == 0)
		r = ids_init(&a->mappings, from->mappings.count);
	if (r == 0)
		r = ids_init(&a->functions, from->functions.count);
	if (r == 0)
		r = ids_init(&a->locations, from->locations.count);
	if (r == 0)
		r = ids_init(&a->stacks, from->stacks.count);
	if (r == 0)
		r = ids_init(&a->label_sets, from->label_sets.count);
	return r;
}

/* Whether it was looked up before; *ret is its id then. -EINVAL: there is no such id. */
static int find(const struct ids *ids, uint32_t id, uint32_t *ret)
{
	if (id >= ids->of.count)
		return -EINVAL;
	*ret = ids->of.at[id] - 1;
	return ids->of.at[id] != 0;
}

static int string(struct append *a, uint32_t id, uint32_t *ret)
{
	int r = find(&a->strings, id, ret);

	if (r != 0)
		return r < 0 ? r : 0;
	r = profile_string_of(a->to, ret, profile_text(a->from, id),
			      strtab_size(&a->from->strings, id));
	if (r == 0)
		a->strings.of.at[id] = *ret + 1;
	return r;
}

static int mapping(struct append *a, uint32_t id, uint32_t *ret)
{
	struct profile_mapping copy;
	int r = find(&a->mappings, id, ret);

	if (r != 0)
		return r < 0 ? r : 0;
	copy = a->from->mappings.at[id];
	if ((r = string(a, copy.file, &copy.file)) != 0 ||
	    (r = string(a, copy.build_id, &copy.build_id)) != 0 ||
	    (r = profile_mapping_add(a->to, ret, &copy)) != 0)
		return r;
	a->mappings.of.at[id] = *ret + 1;
	return 0;
}

static int function(struct append *a, uint32_t id, uint32_t *ret)
{
	struct profile_function copy;
	int r = find(&a->functions, id, ret);

	if (r != 0)
		return r < 0 ? r : 0;
	copy = a->from->functions.at[id];
	if ((r = string(a, copy.name, &copy.name)) != 0 ||
	    (r = string(a, copy.system_name, &copy.system_name)) != 0 ||
	    (r = string(a, copy.file, &copy.file)) != 0 ||
	    (r = profile_function_add(a->to, ret, &copy)) != 0)
		return r;
	a->functions.of.at[id] = *ret + 1;
	return 0;
}

/* Names the location of `to` as the one of `from` is. */
static int name(struct append *a, const struct profile_location *from, uint32_t location)
{
	const struct profile_location *to = &a->to->locations.at[location];

	if (!from->line_count || (to->line_count && (to->named || !from->named)))
		return 0;
	if (from->first_line > a->from->lines.count ||
	    from->line_count > a->from->lines.count - from->first_line)
		return -EINVAL;
	a->lines.count = 0;
	for (uint32_t i = 0; i < from->line_count; i++) {
		struct profile_line *line = array_push(&a->lines);
		int r;

		if (!line)
			return -ENOMEM;
		*line = a->from->lines.at[from->first_line + i];
		r = function(a, line->function, &line->function);
		if (r != 0)
			return r;
	}
	return profile_location_name(a->to, location, a->lines.at, a->lines.count, from->named);
}

static int location(struct append *a, uint32_t id, uint32_t *ret)
{
	const struct profile_location *from;
	uint32_t in;
	int r = find(&a->locations, id, ret);

	if (r != 0)
		return r < 0 ? r : 0;
	from = &a->from->locations.at[id];
	if ((r = mapping(a, from->mapping, &in)) != 0 ||
	    (r = profile_location_add(a->to, ret, in, from->address, from->kind)) != 0 ||
	    (r = name(a, from, *ret)) != 0)
		return r;
	a->locations.of.at[id] = *ret + 1;
	return 0;
}

static int stack(struct append *a, uint32_t id, uint32_t *ret)
{
	struct profile_run run;
	int r = find(&a->stacks, id, ret);

	if (r != 0)
		return r < 0 ? r : 0;
	run = a->from->stacks.at[id];
	if (run.first > a->from->stack_locations.count ||
	    run.count > a->from->stack_locations.count - run.first)
		return -EINVAL;
	a->ids.count = 0;
	for (uint32_t i = 0; i < run.count; i++) {
		uint32_t *to = array_push(&a->ids);

		if (!to)
			return -ENOMEM;
		r = location(a, a->from->stack_locations.at[run.first + i], to);
		if (r != 0)
			return r;
	}
	r = profile_stack_add(a->to, ret, a->ids.at, a->ids.count);
	if (r == 0)
		a->stacks.of.at[id] = *ret + 1;
	return r;
}

static int labels(struct append *a, uint32_t id, uint32_t *ret)
{
	struct profile_run run;
	int r = find(&a->label_sets, id, ret);

	if (r != 0)
		return r < 0 ? r : 0;
	run = a->from->label_sets.at[id];
	if (run.first > a->from->label_items.count ||
	    run.count > a->from->label_items.count - run.first)
		return -EINVAL;
	a->labels.count = 0;
	for (uint32_t i = 0; i < run.count; i++) {
		struct profile_label *label = array_push(&a->labels);

		if (!label)
			return -ENOMEM;
		*label = a->from->label_items.at[run.first + i];
		if ((r = string(a, label->key, &label->key)) != 0 ||
		    (r = string(a, label->text, &label->text)) != 0 ||
		    (r = string(a, label->unit, &label->unit)) != 0)
			return r;
	}
	r = profile_labels_add(a->to, ret, a->labels.at, a->labels.count);
	if (r == 0)
		a->label_sets.of.at[id] = *ret + 1;
	return r;
}

static bool same_types(const struct profile *a, const struct profile *b)
{
	if (a->types.count != b->types.count)
		return false;
	for (uint32_t i = 0; i < a->types.count; i++) {
		const struct profile_type *x = &a->types.at[i], *y = &b->types.at[i];

		if (strcmp(profile_text(a, x->name), profile_text(b, y->name)) != 0 ||
		    strcmp(profile_text(a, x->unit), profile_text(b, y->unit)) != 0)
			return false;
	}
	return true;
}

int profile_append(struct profile *to, const struct profile *from)
{
	struct append a = { .to = to, .from = from };
	int r = same_types(to, from) ? append_init(&a) : -EINVAL;

	for (uint32_t i = 0; r == 0 && i < from->samples.count; i++) {
		const struct profile_sample *sample = &from->samples.at[i];
		uint32_t in_stack, in_labels;

		if ((r = stack(&a, sample->stack, &in_stack)) == 0 &&
		    (r = labels(&a, sample->labels, &in_labels)) == 0)
			r = profile_sample_add(to, in_stack, in_labels,
					       from->values.at + (size_t)i * from->types.count);
	}
	append_fini(&a);
	return r;
}
