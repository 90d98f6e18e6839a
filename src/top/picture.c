// SPDX-License-Identifier: Apache-2.0
#include "top/picture.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "output/escape.h"

void picture_free(struct picture *p)
{
	if (!p)
		return;
	call_tree_free(p->tree);
	if (p->merged != p->profile)
		profile_free(p->merged);
	profile_free(p->profile);
	free(p->node_keys);
	for (unsigned i = 0; i < ARRAY_SIZE(p->tables); i++)
		array_fini(&p->tables[i].rows);
	free(p);
}

static uint64_t hash_text(const char *text)
{
	return hash_bytes(text, strlen(text));
}

static uint64_t frame_key(const struct call_tree *tree, const struct call_frame *frame)
{
	return hash_pair(hash_text(call_frame_name(tree, frame)),
			 hash_pair(hash_text(profile_text(tree->profile, frame->module)),
				   frame->kind));
}

static int make_keys(struct picture *p)
{
	const struct call_tree *tree = p->tree;
	cleanup(free) uint64_t *frames = calloc(tree->frames.count + 1ULL, sizeof(*frames));

	p->node_keys = calloc(tree->nodes.count, sizeof(*p->node_keys));
	if (!frames || !p->node_keys)
		return -ENOMEM;
	for (uint32_t i = 0; i < tree->frames.count; i++)
		frames[i] = frame_key(tree, &tree->frames.at[i]);
	for (uint32_t i = 1; i < tree->nodes.count; i++)
		p->node_keys[i] = hash_pair(p->node_keys[tree->nodes.at[i].parent],
					    frames[tree->nodes.at[i].frame]);
	return 0;
}

int picture_new(struct picture **ret, const struct profile *from,
		const struct span_weights *weights, const struct cut_options *options)
{
	cleanup(picture_free) struct picture *p = calloc(1, sizeof(*p));
	uint64_t begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	struct cut_options apart = *options;
	struct cut_quality again;
	int r;

	if (!p)
		return -ENOMEM;
	apart.threads = true;
	p->seconds = weights->seconds;
	p->end_ns = weights->end_ns;
	r = cut_profile(&p->profile, &p->quality, from, weights, &apart);
	if (r < 0)
		return r;
	p->merged = p->profile;
	if (!options->threads) {
		p->merged = NULL;
		r = cut_profile(&p->merged, &again, from, weights, options);
	}
	if (r == 0)
		r = call_tree_new(&p->tree, p->merged, p->merged->meta.main_type);
	if (r == 0)
		r = make_keys(p);
	if (r < 0)
		return r;
	if (weights->effective > 0)
		p->tree->effective_samples = weights->effective;
	p->period_ns = p->merged->meta.period_type == p->merged->meta.main_type &&
				       p->merged->meta.period > 1
			       ? (double)p->merged->meta.period
			       : 1;
	p->made_ns = clock_ns(CLOCK_MONOTONIC);
	p->cost_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
	*ret = TAKE_PTR(p);
	return 0;
}

double picture_seconds(const struct picture *p, int64_t weight)
{
	return (double)weight * p->period_ns / 1e9;
}

bool picture_is_of_memory(const struct picture *p)
{
	return strcmp(p->tree->unit, "bytes") == 0;
}

void picture_add_amount(const struct picture *p, struct bytes *to, int64_t weight)
{
	if (picture_is_of_memory(p))
		text_add_size(to, weight);
	else
		bytes_add_format(to, "%.2f s", picture_seconds(p, weight));
}

/* ---- tables ---- */

static int add_functions(struct picture *p, struct row_table *table)
{
	const struct call_tree *tree = p->tree;

	for (uint32_t i = 0; i < tree->frames.count; i++) {
		const struct call_frame *frame = &tree->frames.at[i];
		struct row *row;

		if (frame->kind >= CALL_ALL || frame->total == 0)
			continue;
		row = array_push(&table->rows);
		if (!row)
			return -ENOMEM;
		*row = (struct row){
			.key = frame_key(tree, frame),
			.name = call_frame_name(tree, frame),
			.module = profile_text(tree->profile, frame->module),
			.file = call_frame_file(tree, frame),
			.line = frame->line,
			.id = -1,
			.kind = frame->kind,
			.inlined = frame->inlined,
			.self = frame->self,
			.total = frame->total,
		};
	}
	return 0;
}

/* What a row is made of, found again by its key. */
struct gatherer {
	struct row_table *table;
	struct hash_index index;
	ARRAY_OF(uint64_t) seen; /* by row: the sample that it got its total from last, + 1 */
	uint32_t *positions;	 /* by line of the profile: its row, + 1; 0 where not known yet */
};

static void gatherer_fini(struct gatherer *g)
{
	hash_index_fini(&g->index);
	array_fini(&g->seen);
	free(g->positions);
}

/* The row with this key, made from `row` if there is none. NULL: out of memory. */
static struct row *gather(struct gatherer *g, const struct row *row, uint32_t *position)
{
	uint32_t at = hash_index_find(&g->index, row->key, NULL, NULL, NULL);

	if (at == HASH_ABSENT) {
		struct row *added = array_push(&g->table->rows);

		at = g->table->rows.count - 1;
		if (!added || !array_push(&g->seen) || hash_index_add(&g->index, row->key, at) < 0)
			return NULL;
		*added = *row;
	}
	*position = at;
	return &g->table->rows.at[at];
}

/* In the same units as the tree's. */
static int64_t weight_of(const struct picture *p, const struct profile *profile, uint32_t sample)
{
	int64_t ns = profile_value(profile, sample, profile->meta.main_type);

	if (ns <= 0)
		return 0;
	ns = (int64_t)((double)ns / p->period_ns + 0.5);
	return ns ? ns : 1;
}

/* The row of a line that was not met before. NULL: out of memory. */
static struct row *gather_line(struct gatherer *g, const struct profile *profile,
			       const struct profile_location *location, uint32_t line_index,
			       uint32_t *position)
{
	const struct profile_line *line = &profile->lines.at[location->first_line + line_index];
	const struct profile_function *function = &profile->functions.at[line->function];
	struct row row = {
		.name = profile_text(profile, function->name),
		.module = profile_text(profile, profile->mappings.at[location->mapping].file),
		.file = profile_text(profile, function->file),
		.line = line->line,
		.id = -1,
		.kind = (enum call_kind)location->kind,
		.inlined = line_index + 1 < location->line_count,
	};

	/* Code without lines is one row a function. */
	row.key = hash_pair(hash_pair(hash_text(row.name), hash_text(row.module)),
			    hash_pair(hash_text(row.file), row.line));
	return gather(g, &row, position);
}

static int count_line(struct gatherer *g, const struct profile *profile,
		      const struct profile_location *location, uint32_t line_index, uint32_t sample,
		      int64_t weight, bool leaf)
{
	uint32_t *known = &g->positions[location->first_line + line_index], position = *known - 1;
	struct row *at;

	if (!*known && !gather_line(g, profile, location, line_index, &position))
		return -ENOMEM;
	*known = position + 1;
	at = &g->table->rows.at[position];
	if (leaf)
		at->self += weight;
	if (g->seen.at[position] != sample + 1ULL)
		at->total += weight;
	g->seen.at[position] = sample + 1ULL;
	return 0;
}

static int add_lines(struct picture *p, struct gatherer *g)
{
	const struct profile *profile = p->merged;
	int r = 0;

	g->positions = calloc(profile->lines.count + 1ULL, sizeof(*g->positions));
	if (!g->positions)
		return -ENOMEM;
	for (uint32_t i = 0; i < profile->samples.count; i++) {
		struct profile_run run = profile->stacks.at[profile->samples.at[i].stack];
		int64_t weight = weight_of(p, profile, i);

		for (uint32_t k = 0; r == 0 && k < run.count; k++) {
			const struct profile_location *location =
				&profile->locations.at[profile->stack_locations.at[run.first + k]];

			for (uint32_t n = 0; r == 0 && n < location->line_count; n++)
				r = count_line(g, profile, location, n, i, weight,
					       k == 0 && n == 0);
		}
	}
	return r;
}

static int64_t label_number(const struct profile *profile, uint32_t set, const char *key)
{
	const struct profile_label *label = profile_label_find(profile, set, key);

	return label && label->is_number ? label->number : -1;
}

static const char *label_text(const struct profile *profile, uint32_t set, const char *key)
{
	const struct profile_label *label = profile_label_find(profile, set, key);

	return label && !label->is_number ? profile_text(profile, label->text) : "";
}

/* self is what was in user code, total everything. */
static int add_groups(struct picture *p, struct gatherer *g, enum row_kind kind)
{
	const struct profile *profile = p->profile;

	for (uint32_t i = 0; i < profile->samples.count; i++) {
		const struct profile_sample *sample = &profile->samples.at[i];
		struct profile_run run = profile->stacks.at[sample->stack];
		const char *comm = label_text(profile, sample->labels, "comm");
		int64_t weight = weight_of(p, profile, i);
		struct row row = { .module = "", .file = "", .kind = CALL_PROCESS }, *at;
		uint32_t position;

		row.id = label_number(profile, sample->labels, "pid");
		row.name = comm;
		if (kind == ROW_THREAD) {
			row.kind = CALL_THREAD;
			row.module = comm;
			row.name = label_text(profile, sample->labels, "thread_name");
			row.id = label_number(profile, sample->labels, "tid");
		}
		row.key = hash_pair((uint64_t)row.id, hash_text(row.name));
		at = gather(g, &row, &position);
		if (!at)
			return -ENOMEM;
		at->total += weight;
		if (!run.count ||
		    profile->locations.at[profile->stack_locations.at[run.first]].kind !=
			    LOCATION_KERNEL)
			at->self += weight;
	}
	return 0;
}

const struct row_table *picture_table(struct picture *p, enum row_kind kind)
{
	struct row_table *table = &p->tables[kind];
	struct gatherer gatherer = { .table = table };
	uint64_t begin;
	int r;

	if (p->has_table[kind])
		return table;
	begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	table->rows.count = 0;
	if (kind == ROW_FUNCTION)
		r = add_functions(p, table);
	else if (kind == ROW_LINE)
		r = add_lines(p, &gatherer);
	else
		r = add_groups(p, &gatherer, kind);
	gatherer_fini(&gatherer);
	p->has_table[kind] = r == 0;
	p->cost_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
	return r == 0 ? table : NULL;
}
