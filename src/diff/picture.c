// SPDX-License-Identifier: Apache-2.0
/* A diff as a flame graph: three trees of the same nodes, in weights that are whole numbers. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diff/output.h"
#include "output/flamegraph/change.h"

/* About how many weights the larger side is. */
static const double resolution = 1e7;

struct picture {
	const struct diff *diff;
	struct profile *profile;
	struct call_tree trees[3]; /* base, new, both */
	struct flame_verdict *nodes, *selfs, *totals;
	double per_value; /* weights */
};

enum { BASE, NEW, BOTH };

static void picture_fini_cleanup(struct picture *picture)
{
	for (int i = 0; i < 3; i++) {
		strtab_fini(&picture->trees[i].texts);
		array_fini(&picture->trees[i].frames);
		array_fini(&picture->trees[i].nodes);
	}
	free(picture->nodes);
	free(picture->selfs);
	free(picture->totals);
	profile_free(picture->profile);
}

static int64_t weight_of(const struct picture *picture, double value)
{
	double weight = value * picture->per_value;

	return weight <= 0 ? 0 : weight < 1 ? 1 : (int64_t)round(weight);
}

static enum flame_mark mark_of(const struct diff_value *value)
{
	return value->mark == DIFF_DEARER    ? FLAME_DEARER
	       : value->mark == DIFF_CHEAPER ? FLAME_CHEAPER
					     : FLAME_NOTHING;
}

static struct flame_verdict verdict_of(const struct picture *picture,
				       const struct diff_value *value)
{
	double half = diff_half(value);

	return (struct flame_verdict){ mark_of(value),
				       isfinite(half) ? (int64_t)round(half * picture->per_value)
						      : -1 };
}

static int add_frames(struct picture *picture)
{
	const struct diff *diff = picture->diff;

	for (uint32_t i = 0; i < diff->frames.count; i++) {
		const struct diff_frame *frame = &diff->frames.at[i];
		struct call_frame made = { .kind = frame->kind,
					   .inlined = frame->inlined,
					   .line = frame->line };
		int64_t selfs[2] = { weight_of(picture, diff->function_self[i].base),
				     weight_of(picture, diff->function_self[i].new) };
		int64_t totals[2] = { weight_of(picture, diff->function_total[i].base),
				      weight_of(picture, diff->function_total[i].new) };
		int r = profile_string(picture->profile, &made.name, diff_name(diff, frame));

		if (r == 0)
			r = profile_string(picture->profile, &made.module,
					   diff_module(diff, frame));
		if (r == 0)
			r = profile_string(picture->profile, &made.file,
					   profile_text(diff->names, frame->file));
		for (int k = 0; r == 0 && k < 3; k++) {
			struct call_frame *added = array_push(&picture->trees[k].frames);

			if (!added)
				return -ENOMEM;
			*added = made;
			added->self = k == BOTH ? selfs[0] + selfs[1] : selfs[k];
			added->total = k == BOTH ? totals[0] + totals[1] : totals[k];
		}
		if (r < 0)
			return r;
		picture->selfs[i] = verdict_of(picture, &diff->function_self[i]);
		picture->totals[i] = verdict_of(picture, &diff->function_total[i]);
	}
	return 0;
}

static int add_nodes(struct picture *picture)
{
	const struct diff *diff = picture->diff;

	for (uint32_t i = 0; i < diff->nodes.count; i++) {
		const struct diff_node *node = &diff->nodes.at[i];
		double base, new;

		diff_self(diff, i, &base, &new);
		for (int k = 0; k < 3; k++) {
			struct call_node *added = array_push(&picture->trees[k].nodes);

			if (!added)
				return -ENOMEM;
			*added = (struct call_node){ .frame = node->frame,
						     .parent = node->parent,
						     .end = node->end,
						     .depth = node->depth };
			added->self = (k == NEW ? 0 : weight_of(picture, base)) +
				      (k == BASE ? 0 : weight_of(picture, new));
		}
		picture->nodes[i] = verdict_of(picture, &diff->node_total[i]);
	}
	for (int k = 0; k < 3; k++) {
		struct call_tree *tree = &picture->trees[k];

		tree->max_depth = diff->max_depth;
		for (uint32_t i = tree->nodes.count; i-- > 0;) {
			tree->nodes.at[i].total += tree->nodes.at[i].self;
			if (i)
				tree->nodes.at[tree->nodes.at[i].parent].total +=
					tree->nodes.at[i].total;
		}
	}
	return 0;
}

static void add_side(struct bytes *line, const struct diff *diff, bool is_new)
{
	uint32_t count = is_new ? diff->new_count : diff->base_count;

	for (uint32_t i = 0; i < diff->runs.count; i++) {
		const struct diff_run *run = &diff->runs.at[i];

		if (run->is_new != is_new)
			continue;
		bytes_add_str(line, profile_text(diff->names, run->name));
		break;
	}
	if (count > 1)
		bytes_add_format(line, " and %u more", count - 1);
}

static int describe(struct picture *picture, struct bytes *base, struct bytes *new,
		    struct bytes *unit)
{
	const struct diff *diff = picture->diff;
	struct profile_meta *meta = &picture->profile->meta;
	cleanup(bytes_fini) struct bytes noise = {}, subtitle = {};
	uint32_t id;
	int r = profile_type_add(picture->profile, &id, profile_text(diff->names, diff->type_name),
				 profile_text(diff->names, diff->type_unit));

	add_side(base, diff, false);
	add_side(new, diff, true);
	if (diff->per == DIFF_PER_SAMPLES) {
		bytes_add_str(unit, "%");
	} else {
		bytes_add_char(unit, ' ');
		diff_add_unit(unit, diff);
	}
	diff_add_noise(&noise, diff);
	bytes_add_str(&subtitle, "BASE ");
	bytes_add(&subtitle, base->at, base->size);
	bytes_add_str(&subtitle, ", NEW ");
	bytes_add(&subtitle, new->at, new->size);
	if (r < 0 || !bytes_str(base) || !bytes_str(new) || !bytes_str(unit) ||
	    !bytes_str(&noise) || !bytes_str(&subtitle))
		return r < 0 ? r : -ENOMEM;
	meta->main_type = 0;
	meta->count_type = meta->period_type = PROFILE_NO_TYPE;
	if (asprintf(&meta->title, "What changed: %s", diff->what) < 0)
		meta->title = NULL;
	meta->subtitle = strdup(subtitle.at);
	meta->quality = strdup(noise.at);
	return meta->title && meta->subtitle && meta->quality ? 0 : -ENOMEM;
}

static double larger_side(const struct diff *diff)
{
	const struct diff_value *all = &diff->node_total[0];

	return all->base > all->new ? all->base : all->new;
}

static int flamegraph_write(const struct diff *diff, struct stream *stream)
{
	cleanup(picture_fini) struct picture picture = { .diff = diff };
	cleanup(bytes_fini) struct bytes base = {}, new = {}, unit = {};
	struct flame_change change = { .digits = 2 };
	struct diff_measure measure = diff_measure_of(diff);
	int r = profile_new(&picture.profile);

	picture.per_value = resolution / larger_side(diff);
	picture.nodes = calloc(diff->nodes.count + 1ULL, sizeof(*picture.nodes));
	picture.selfs = calloc(diff->frames.count + 1ULL, sizeof(*picture.selfs));
	picture.totals = calloc(diff->frames.count + 1ULL, sizeof(*picture.totals));
	if (r == 0 && (!picture.nodes || !picture.selfs || !picture.totals))
		r = -ENOMEM;
	for (int i = 0; r == 0 && i < 3; i++) {
		picture.trees[i].profile = picture.profile;
		picture.trees[i].unit = "";
		r = strtab_init(&picture.trees[i].texts);
	}
	if (r == 0)
		r = add_frames(&picture);
	if (r == 0)
		r = add_nodes(&picture);
	if (r == 0)
		r = describe(&picture, &base, &new, &unit);
	if (r < 0)
		return r;
	change.base = &picture.trees[BASE];
	change.new = &picture.trees[NEW];
	change.both = &picture.trees[BOTH];
	change.nodes = picture.nodes;
	change.selfs = picture.selfs;
	change.totals = picture.totals;
	change.scale = measure.scale / picture.per_value;
	for (double all = measure.scale * larger_side(diff); all < 10 && change.digits < 6;
	     all *= 10)
		change.digits++;
	change.unit = unit.at;
	change.step_unit = diff->per == DIFF_PER_SAMPLES ? " points" : "";
	change.base_name = base.at;
	change.new_name = new.at;
	return flamegraph_write_change(&change, stream);
}

const struct diff_writer diff_writer_flamegraph = {
	.name = "flamegraph",
	.aliases = { "svg" },
	.extensions = { ".svg" },
	.write = flamegraph_write,
};
