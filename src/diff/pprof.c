// SPDX-License-Identifier: Apache-2.0
/*
 * NEW - BASE as pprof: NEW's values as they were, all runs together, BASE's below 0 and scaled to the
 * same work. Samples of BASE carry the label pprof::base, as those of `go tool pprof -diff_base` do,
 * so that it shows differences, and percentages of BASE.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diff/output.h"
#include "output/writer.h"

struct made {
	const struct diff *diff;
	struct profile *profile;
	uint32_t *locations;  /* frame of the diff → location */
	uint32_t base_labels; /* of pprof::base */
	double scale;	      /* a normalised value → one of all of NEW's runs */
};

static int add_location(struct made *made, uint32_t index)
{
	const struct diff *diff = made->diff;
	const struct diff_frame *frame = &diff->frames.at[index];
	struct profile_mapping mapping = { .only_names = true };
	struct profile_function function = {};
	struct profile_line line = { .line = frame->line };
	uint32_t mapping_id;
	int r = profile_string(made->profile, &mapping.file, diff_module(diff, frame));

	if (r == 0)
		r = profile_mapping_add(made->profile, &mapping_id, &mapping);
	if (r == 0)
		r = profile_string(made->profile, &function.name, diff_name(diff, frame));
	if (r != 0)
		return r;
	function.system_name = function.name;
	r = profile_string(made->profile, &function.file, profile_text(diff->names, frame->file));
	if (r == 0)
		r = profile_function_add(made->profile, &line.function, &function);
	if (r == 0)
		r = profile_location_append(made->profile, &made->locations[index], mapping_id,
					    index + 1,
					    frame->kind < CALL_ALL ? (enum location_kind)frame->kind
								   : LOCATION_NOTE);
	if (r == 0)
		r = profile_location_name(made->profile, made->locations[index], &line, 1, true);
	return r;
}

static int add_sample(struct made *made, uint32_t stack, double value, bool is_base)
{
	int64_t rounded = (int64_t)round(value * made->scale);

	if (!rounded)
		return 0;
	if (is_base)
		rounded = -rounded;
	return profile_sample_add(made->profile, stack, is_base ? made->base_labels : 0, &rounded);
}

static int add_node(struct made *made, uint32_t node, uint32_t *path)
{
	const struct diff *diff = made->diff;
	uint32_t stack, depth = 0;
	double base, new;
	int r;

	diff_self(diff, node, &base, &new);
	if (!(base > 0) && !(new > 0))
		return 0;
	for (uint32_t at = node; at; at = diff->nodes.at[at].parent)
		path[depth++] = made->locations[diff->nodes.at[at].frame];
	r = profile_stack_add(made->profile, &stack, path, depth);
	if (r == 0)
		r = add_sample(made, stack, new, false);
	return r == 0 ? add_sample(made, stack, base, true) : r;
}

static int fill(struct made *made)
{
	const struct diff *diff = made->diff;
	struct profile *profile = made->profile;
	struct profile_label label = {};
	cleanup(free) uint32_t *path = malloc((diff->max_depth + 1ULL) * sizeof(*path));
	uint32_t id;
	int r = path ? profile_type_add(profile, &id, profile_text(diff->names, diff->type_name),
					profile_text(diff->names, diff->type_unit))
		     : -ENOMEM;

	profile->meta.main_type = 0;
	profile->meta.verbatim = true; /* "pprof::base" stays */
	profile->meta.period_type = profile->meta.count_type = PROFILE_NO_TYPE;
	if (r == 0)
		r = profile_string(profile, &label.key, "pprof::base");
	if (r == 0)
		r = profile_string(profile, &label.text, "true");
	if (r == 0)
		r = profile_labels_add(profile, &made->base_labels, &label, 1);
	for (uint32_t i = 0; r == 0 && i < diff->frames.count; i++)
		r = add_location(made, i);
	for (uint32_t i = 0; r == 0 && i < diff->nodes.count; i++)
		r = add_node(made, i, path);
	return r;
}

static int pprof_write(const struct diff *diff, struct stream *stream)
{
	cleanup(profile_free) struct profile *profile = NULL;
	cleanup(free) uint32_t *locations = calloc(diff->frames.count + 1ULL, sizeof(*locations));
	struct made made = { .diff = diff, .locations = locations };
	double amount = 0, value = 0;
	int r = locations ? profile_new(&profile) : -ENOMEM;

	for (uint32_t i = 0; i < diff->runs.count; i++) {
		amount += diff->runs.at[i].is_new ? diff->runs.at[i].amount : 0;
		value += diff->runs.at[i].is_new ? diff->runs.at[i].value / diff->new_count : 0;
	}
	made.scale = amount / value;
	made.profile = profile;
	if (r == 0)
		r = fill(&made);
	if (r == 0)
		r = profile_freeze(profile);
	return r == 0 ? writer_by_name("pprof")->write(profile, stream) : r;
}

const struct diff_writer diff_writer_pprof = {
	.name = "pprof",
	.aliases = { "pb" },
	.extensions = { ".pb.gz", ".pprof" },
	.write = pprof_write,
};
