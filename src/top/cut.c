// SPDX-License-Identifier: Apache-2.0
#include "top/cut.h"

#include <errno.h>
#include <string.h>

enum { NOT_YET = 0 }; /* in maps, which hold new ids + 1 */

/* From the ids of the large profile to those of the small one, + 1. */
struct cutter {
	const struct profile *from;
	struct profile *to;
	const struct cut_options *options;
	uint32_t *strings, *mappings, *functions, *locations;
	ARRAY_OF(uint32_t) stack; /* scratch */
};

static void cutter_fini(struct cutter *cutter)
{
	profile_free(cutter->to);
	free(cutter->strings);
	free(cutter->mappings);
	free(cutter->functions);
	free(cutter->locations);
	array_fini(&cutter->stack);
}

static void cutter_fini_cleanup(struct cutter *cutter)
{
	cutter_fini(cutter);
}

static int take_string(struct cutter *c, uint32_t *ret, uint32_t id)
{
	int r;

	if (id && c->strings[id] == NOT_YET) {
		r = profile_string_of(c->to, ret, profile_text(c->from, id),
				      strtab_size(&c->from->strings, id));
		if (r < 0)
			return r;
		c->strings[id] = *ret + 1;
	}
	*ret = id ? c->strings[id] - 1 : 0;
	return 0;
}

static int take_mapping(struct cutter *c, uint32_t *ret, uint32_t id)
{
	int r;

	if (c->mappings[id] == NOT_YET) {
		struct profile_mapping mapping = c->from->mappings.at[id];

		if ((r = take_string(c, &mapping.file, mapping.file)) < 0 ||
		    (r = take_string(c, &mapping.build_id, mapping.build_id)) < 0 ||
		    (r = profile_mapping_add(c->to, ret, &mapping)) < 0)
			return r;
		c->mappings[id] = *ret + 1;
	}
	*ret = c->mappings[id] - 1;
	return 0;
}

static int take_function(struct cutter *c, uint32_t *ret, uint32_t id)
{
	int r;

	if (c->functions[id] == NOT_YET) {
		struct profile_function function = c->from->functions.at[id];

		if ((r = take_string(c, &function.name, function.name)) < 0 ||
		    (r = take_string(c, &function.system_name, function.system_name)) < 0 ||
		    (r = take_string(c, &function.file, function.file)) < 0 ||
		    (r = profile_function_append(c->to, ret, &function)) < 0)
			return r;
		c->functions[id] = *ret + 1;
	}
	*ret = c->functions[id] - 1;
	return 0;
}

static int take_location(struct cutter *c, uint32_t *ret, uint32_t id)
{
	const struct profile_location *from = &c->from->locations.at[id];
	ARRAY_OF(struct profile_line) lines = {};
	uint32_t mapping;
	int r = 0;

	if (c->locations[id] != NOT_YET) {
		*ret = c->locations[id] - 1;
		return 0;
	}
	if ((r = take_mapping(c, &mapping, from->mapping)) < 0 ||
	    (r = profile_location_append(c->to, ret, mapping, from->address, from->kind)) < 0)
		return r;
	c->locations[id] = *ret + 1;
	for (uint32_t i = 0; r == 0 && i < from->line_count; i++) {
		struct profile_line *line = array_push(&lines);

		if (!line) {
			r = -ENOMEM;
			break;
		}
		*line = c->from->lines.at[from->first_line + i];
		r = take_function(c, &line->function, line->function);
	}
	if (r == 0 && lines.count)
		r = profile_location_name(c->to, *ret, lines.at, lines.count, from->named);
	array_fini(&lines);
	return r;
}

/* *ret is set where the stack is to be left out. */
static int take_stack(struct cutter *c, uint32_t *ret, bool *ret_out, uint32_t id)
{
	struct profile_run run = c->from->stacks.at[id];
	bool any_kernel = false;

	c->stack.count = 0;
	for (uint32_t i = 0; i < run.count; i++) {
		uint32_t location = c->from->stack_locations.at[run.first + i], *added;
		bool kernel = c->from->locations.at[location].kind == LOCATION_KERNEL;
		int r;

		any_kernel |= kernel;
		if (kernel ? c->options->no_kernel : c->options->no_user)
			continue;
		added = array_push(&c->stack);
		if (!added)
			return -ENOMEM;
		r = take_location(c, added, location);
		if (r < 0)
			return r;
	}
	*ret_out = c->options->no_user && !any_kernel;
	return profile_stack_add(c->to, ret, c->stack.at, c->stack.count);
}

static bool is_of_thread(const struct cutter *c, const struct profile_label *label)
{
	const char *key = profile_text(c->from, label->key);

	return strcmp(key, "tid") == 0 || strcmp(key, "thread_name") == 0;
}

static int take_labels(struct cutter *c, uint32_t *ret, uint32_t id)
{
	struct profile_run run = c->from->label_sets.at[id];
	struct profile_label labels[8];
	uint32_t count = 0;
	int r;

	for (uint32_t i = 0; i < run.count && count < ARRAY_SIZE(labels); i++) {
		struct profile_label label = c->from->label_items.at[run.first + i];

		if (!c->options->threads && is_of_thread(c, &label))
			continue;
		if ((r = take_string(c, &label.key, label.key)) < 0 ||
		    (r = take_string(c, &label.text, label.text)) < 0 ||
		    (r = take_string(c, &label.unit, label.unit)) < 0)
			return r;
		labels[count++] = label;
	}
	return profile_labels_add(c->to, ret, labels, count);
}

static void judge(struct cut_quality *quality, const struct profile *from, uint32_t stack,
		  uint64_t times)
{
	struct profile_run run = from->stacks.at[stack];

	quality->samples += times;
	for (uint32_t i = 0; i < run.count; i++) {
		const struct profile_location *location =
			&from->locations.at[from->stack_locations.at[run.first + i]];
		const char *name;

		if (location->kind != LOCATION_NOTE) {
			quality->frames += times;
			quality->frames_named += location->named ? times : 0;
			continue;
		}
		if (!location->line_count)
			continue;
		name = profile_text(
			from,
			from->functions.at[from->lines.at[location->first_line].function].name);
		if (strncmp(name, "[truncated", 10) == 0)
			quality->truncated += times;
		else if (strcmp(name, "[guessed]") == 0)
			quality->guessed += times;
	}
}

static int take_type(struct cutter *c, uint32_t *ret, uint32_t type)
{
	const struct profile_type *from = &c->from->types.at[type];

	return profile_type_add(c->to, ret, profile_text(c->from, from->name),
				profile_text(c->from, from->unit));
}

static int prepare(struct cutter *c)
{
	const struct profile *from = c->from;
	struct span_types to;
	int r = profile_new(&c->to);

	if (r == 0)
		r = take_type(c, &to.count, c->options->types.count);
	if (r == 0)
		r = take_type(c, &to.value, c->options->types.value);
	if (r < 0)
		return r;
	c->to->meta.count_type = to.count;
	c->to->meta.main_type = to.value;
	c->to->meta.period_type = c->options->period_ns ? to.value : PROFILE_NO_TYPE;
	c->strings = calloc(from->strings.offsets.count + 1ULL, sizeof(*c->strings));
	c->mappings = calloc(from->mappings.count + 1ULL, sizeof(*c->mappings));
	c->functions = calloc(from->functions.count + 1ULL, sizeof(*c->functions));
	c->locations = calloc(from->locations.count + 1ULL, sizeof(*c->locations));
	return c->strings && c->mappings && c->functions && c->locations ? 0 : -ENOMEM;
}

int cut_profile(struct profile **ret, struct cut_quality *quality, const struct profile *from,
		const struct span_weights *weights, const struct cut_options *options)
{
	cleanup(cutter_fini) struct cutter c = { .from = from, .options = options };
	int r = prepare(&c);

	*quality = (struct cut_quality){};
	for (uint32_t i = 0; r == 0 && i < weights->samples.count; i++) {
		const struct span_change *change = &weights->samples.at[i];
		const struct profile_sample *sample = &from->samples.at[change->sample];
		const int64_t values[2] = { change->count, change->value };
		uint32_t stack, labels;
		bool out;

		judge(quality, from, sample->stack, (uint64_t)change->count);
		r = take_stack(&c, &stack, &out, sample->stack);
		if (r < 0 || out)
			continue;
		r = take_labels(&c, &labels, sample->labels);
		if (r == 0)
			r = profile_sample_add(c.to, stack, labels, values);
	}
	if (r < 0)
		return r;
	c.to->meta.period = (int64_t)options->period_ns;
	c.to->meta.duration_ns = (int64_t)(weights->seconds * 1e9);
	c.to->meta.of_machine = options->of_machine;
	if (options->drop_frames) {
		r = profile_string(c.to, &c.to->meta.drop_frames, options->drop_frames);
		if (r < 0)
			return r;
	}
	/* Decayed values are no multiples of anything. */
	if (weights->effective > 0)
		c.to->meta.period_type = PROFILE_NO_TYPE;
	r = profile_freeze(c.to);
	if (r == 0)
		*ret = TAKE_PTR(c.to);
	return r;
}
