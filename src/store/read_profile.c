// SPDX-License-Identifier: Apache-2.0
/*
 * Makes one profile of what a query chooses.
 *
 * Segment by segment: values are summed by (node, process) first, so that each stack is made once;
 * what a node or process is, is looked up when it is needed for the first time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/coverage.h"
#include "store/reader_parts.h"

/* By row: where it is in the profile. */
struct known {
	struct hash_index index;
	uint32_t count;
};

struct collector {
	struct store_reader *reader;
	const struct store_query *query;
	struct store_answer *answer;
	struct profile *profile;
	struct coverage coverage;
	struct known frames, binaries, functions; /* hash: of the row; position: in the profile */
	uint32_t label_keys[PROGRAM_TEXTS], pid_key, uid_key;
	int64_t longest_ns, longest_period_ns; /* the period of most of the time */
	double squares;			       /* of what each sample weighs, added up */
	/* Of the segment. */
	ARRAY_OF(struct entry) entries;
	ARRAY_OF(uint8_t) chosen; /* by process: whether the query chooses it; see CHOSEN */
	uint32_t compact_at;
	/* Of the slice. */
	double part;
	double seen, taken; /* samples before and after the cut at the edge */
	bool is_thinned;
	/* Of a stack. */
	ARRAY_OF(uint32_t) stack;
};

enum { CHOSEN = 1, LEFT_OUT = 2 };

/* Values of a segment are summed when there are so many, or twice what was left the last time. */
enum { COMPACT_FROM = 1 << 16 };

static void collector_fini(struct collector *c)
{
	profile_free(c->profile);
	coverage_fini(&c->coverage);
	hash_index_fini(&c->frames.index);
	hash_index_fini(&c->binaries.index);
	hash_index_fini(&c->functions.index);
	array_fini(&c->entries);
	array_fini(&c->chosen);
	array_fini(&c->stack);
}

static void collector_fini_cleanup(struct collector *c)
{
	collector_fini(c);
}

/* ---- What rows are. ---- */

static int step_one(sqlite3_stmt *row, uint32_t id)
{
	(void)sqlite3_reset(row);
	(void)sqlite3_bind_int64(row, 1, id);
	return sqlite3_step(row);
}

static int to_u32(int64_t value, uint32_t *ret)
{
	if (value < 0 || value > UINT32_MAX)
		return -EBADMSG;
	*ret = (uint32_t)value;
	return 0;
}

static int find_known(const struct known *known, uint32_t row, uint32_t *ret)
{
	*ret = hash_index_find(&known->index, hash_u64(row), NULL, NULL, NULL);
	return *ret != HASH_ABSENT;
}

static int take_binary(struct collector *c, uint32_t id, uint32_t *ret)
{
	sqlite3_stmt *row = c->reader->statements[READ_BINARY];
	struct profile_mapping mapping = {};
	int result, r;

	if (find_known(&c->binaries, id, ret))
		return 0;
	result = step_one(row, id);
	if (result != SQLITE_ROW && result != SQLITE_DONE)
		return reader_result(c->reader, result);
	/* A row that is not there: without a name. */
	if ((r = profile_string(c->profile, &mapping.file,
				result == SQLITE_ROW ? column_text(row, 0) : "[unknown]")) < 0)
		return r;
	if (result == SQLITE_ROW) {
		r = profile_string(c->profile, &mapping.build_id, column_text(row, 1));
		/* Ours: two rows are two files, or two parts of one. */
		mapping.identity = sqlite3_column_type(row, 2) == SQLITE_NULL ? 0 : id;
		mapping.start = (uint64_t)sqlite3_column_int64(row, 3);
		mapping.limit = (uint64_t)sqlite3_column_int64(row, 4);
		mapping.file_offset = (uint64_t)sqlite3_column_int64(row, 5);
	}
	(void)sqlite3_reset(row);
	if (r == 0)
		r = profile_mapping_add(c->profile, ret, &mapping);
	return r < 0 ? r : hash_index_add(&c->binaries.index, hash_u64(id), *ret);
}

static int take_function(struct collector *c, uint32_t id, uint32_t *ret)
{
	sqlite3_stmt *row = c->reader->statements[READ_FUNCTION];
	struct profile_function function = {};
	int result, r;

	if (find_known(&c->functions, id, ret))
		return 0;
	result = step_one(row, id);
	if (result != SQLITE_ROW && result != SQLITE_DONE)
		return reader_result(c->reader, result);
	if ((r = profile_string(c->profile, &function.name,
				result == SQLITE_ROW ? column_text(row, 0) : "[unknown]")) < 0)
		return r;
	function.system_name = function.name;
	if (result == SQLITE_ROW) {
		r = profile_string(c->profile, &function.file, column_text(row, 1));
		if (r == 0)
			r = to_u32(sqlite3_column_int64(row, 2), &function.start_line);
	}
	(void)sqlite3_reset(row);
	if (r == 0)
		r = profile_function_add(c->profile, ret, &function);
	return r < 0 ? r : hash_index_add(&c->functions.index, hash_u64(id), *ret);
}

static int name_location(struct collector *c, uint32_t location, const struct inlined *inlined,
			 uint32_t function, uint32_t line, bool named)
{
	ARRAY_OF(struct profile_line) lines = {};
	int r = 0;

	for (uint32_t i = 0; r == 0 && i <= inlined->numbers.count; i += 2) {
		bool is_last = i == inlined->numbers.count;
		struct profile_line *added = array_push(&lines);

		if (!added) {
			r = -ENOMEM;
			break;
		}
		added->line = is_last ? line : inlined->numbers.at[i + 1];
		r = take_function(c, is_last ? function : inlined->numbers.at[i], &added->function);
	}
	if (r == 0)
		r = profile_location_name(c->profile, location, lines.at, lines.count, named);
	array_fini(&lines);
	return r;
}

static int take_frame(struct collector *c, uint32_t id, uint32_t *ret)
{
	sqlite3_stmt *row = c->reader->statements[READ_FRAME];
	struct inlined inlined = {};
	uint32_t binary = 0, function = 0, line = 0, mapping;
	enum location_kind kind = LOCATION_NOTE;
	bool named = false;
	uint64_t address = 0;
	int64_t number;
	int result, r = 0;

	if (find_known(&c->frames, id, ret))
		return 0;
	result = step_one(row, id);
	if (result != SQLITE_ROW && result != SQLITE_DONE)
		return reader_result(c->reader, result);
	if (result == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(row, 6);

		address = (uint64_t)sqlite3_column_int64(row, 1);
		number = sqlite3_column_int64(row, 2);
		if (number >= LOCATION_USER && number <= LOCATION_NOTE)
			kind = (enum location_kind)number;
		named = sqlite3_column_int64(row, 3) != 0;
		if ((r = to_u32(sqlite3_column_int64(row, 0), &binary)) == 0 &&
		    (r = to_u32(sqlite3_column_int64(row, 4), &function)) == 0 &&
		    (r = to_u32(sqlite3_column_int64(row, 5), &line)) == 0 && text)
			r = inlined_decode(&inlined, text, (size_t)sqlite3_column_bytes(row, 6));
	}
	(void)sqlite3_reset(row);
	if (r == 0)
		r = take_binary(c, binary, &mapping);
	/* One address may have had several names, one after another: each row is a location. */
	if (r == 0)
		r = profile_location_append(c->profile, ret, mapping, address, kind);
	if (r == 0 && function)
		r = name_location(c, *ret, &inlined, function, line, named);
	if (r == 0)
		r = hash_index_add(&c->frames.index, hash_u64(id), *ret);
	array_fini(&inlined.numbers);
	return r;
}

static int take_path(struct collector *c, const struct tree *tree, uint32_t path, uint32_t *ret)
{
	c->stack.count = 0;
	for (uint32_t node = path; node; node = tree->nodes.at[node].parent) {
		uint32_t *added = array_push(&c->stack);
		int r;

		if (!added)
			return -ENOMEM;
		r = take_frame(c, tree->frames.at[tree->nodes.at[node].frame], added);
		if (r != 0)
			return r;
	}
	return profile_stack_add(c->profile, ret, c->stack.at, c->stack.count);
}

static int add_label(struct collector *c, struct profile_label *labels, uint32_t *count,
		     uint32_t key, const char *text)
{
	if (!*text)
		return 0;
	labels[*count].key = key;
	return profile_string(c->profile, &labels[(*count)++].text, text);
}

static int take_labels(struct collector *c, const struct tree_process *process, uint32_t *ret)
{
	struct profile_label labels[PROGRAM_TEXTS + 2] = {};
	struct program program;
	uint32_t count = 0;
	bool found;
	int r = reader_program(c->reader, process->program, &program, &found);

	for (size_t i = 0; r == 0 && i < PROGRAM_TEXTS; i++)
		r = add_label(c, labels, &count, c->label_keys[i], program.texts[i]);
	if (r != 0)
		return r;
	if (process->pid >= 0)
		labels[count++] = (struct profile_label){ .key = c->pid_key,
							  .number = process->pid,
							  .is_number = true };
	if (program.uid >= 0)
		labels[count++] = (struct profile_label){ .key = c->uid_key,
							  .number = program.uid,
							  .is_number = true };
	return profile_labels_add(c->profile, ret, labels, count);
}

/* ---- Values. ---- */

static int compare_entries(const void *a_, const void *b_)
{
	const struct entry *a = a_, *b = b_;

	if (a->path != b->path)
		return a->path < b->path ? -1 : 1;
	return a->process < b->process ? -1 : a->process > b->process;
}

static void sum_entries(struct collector *c)
{
	struct entry *at = c->entries.at;
	uint32_t kept = 0;

	if (!c->entries.count)
		return;
	qsort(at, c->entries.count, sizeof(*at), compare_entries);
	for (uint32_t i = 1; i < c->entries.count; i++) {
		if (compare_entries(&at[kept], &at[i]) != 0) {
			at[++kept] = at[i];
			continue;
		}
		at[kept].samples = profile_sum(at[kept].samples, at[i].samples);
		at[kept].ns = profile_sum(at[kept].ns, at[i].ns);
	}
	c->entries.count = kept + 1;
}

static int is_chosen(struct collector *c, const struct tree *tree, uint32_t id, bool *ret)
{
	struct program program;
	bool found;
	int r;

	while (c->chosen.count < tree->processes.count)
		if (!array_push(&c->chosen))
			return -ENOMEM;
	if (!c->chosen.at[id]) {
		r = reader_program(c->reader, tree->processes.at[id].program, &program, &found);
		if (r != 0)
			return r;
		c->chosen.at[id] = query_chooses(c->query, &program, tree->processes.at[id].pid)
					   ? CHOSEN
					   : LEFT_OUT;
	}
	*ret = c->chosen.at[id] == CHOSEN;
	return 0;
}

/*
 * Of a slice that is only partly wanted, so many of the samples: each is in or out, and in any
 * stretch of them as many are in as belong there.
 */
static void cut(struct collector *c, struct entry *entry)
{
	int64_t all = entry->samples, taken;

	if (c->part >= 1)
		return;
	c->seen += (double)all * c->part;
	taken = (int64_t)(c->seen - c->taken);
	c->taken += (double)taken;
	/* What weighs but does not count. */
	entry->ns = all ? (int64_t)((double)entry->ns * ((double)taken / (double)all))
			: (int64_t)((double)entry->ns * c->part);
	entry->samples = taken;
}

struct entry_context {
	struct collector *collector;
	const struct tree *tree;
};

static int take_entry(void *context_, const struct entry *entry)
{
	struct entry_context *context = context_;
	struct collector *c = context->collector;
	struct store_answer *answer = c->answer;
	struct entry kept = *entry, *added;
	bool chosen;
	int r = is_chosen(c, context->tree, entry->process, &chosen);

	if (r != 0 || !chosen)
		return r;
	cut(c, &kept);
	if (kept.samples == 0 && kept.ns == 0)
		return 0;
	answer->samples = profile_sum(answer->samples, kept.samples);
	answer->cpu_ns = profile_sum(answer->cpu_ns, kept.ns);
	if (c->is_thinned)
		answer->thinned_ns = profile_sum(answer->thinned_ns, kept.ns);
	if (!c->profile)
		return 0;
	c->squares +=
		(double)kept.ns * (double)kept.ns / (double)(kept.samples > 0 ? kept.samples : 1);
	if (c->entries.count >= c->compact_at) {
		sum_entries(c);
		c->compact_at =
			c->entries.count < COMPACT_FROM / 2 ? COMPACT_FROM : 2 * c->entries.count;
	}
	added = array_push(&c->entries);
	if (!added)
		return -ENOMEM;
	*added = kept;
	return 0;
}

static int take_slice(void *context, const struct tree *tree, const struct read_slice *slice)
{
	struct collector *c = context;
	struct entry_context entries = { c, tree };
	int r = coverage_add(&c->coverage, c->answer, slice);

	if (slice->duration_ns > c->longest_ns) {
		c->longest_ns = slice->duration_ns;
		c->longest_period_ns = slice->period_ns;
	}
	c->part = slice->part;
	/* In the middle, so that as often a sample more is in as one is out. */
	c->seen = 0.5;
	c->taken = 0;
	c->is_thinned = false;
	if (r == 0)
		r = entries_decode(tree, slice->entries, slice->entries_size, slice->period_ns,
				   take_entry, &entries);
	c->is_thinned = true;
	if (r == 0 && slice->thinned_size && slice->thin_ns > c->answer->thin_ns)
		c->answer->thin_ns = slice->thin_ns;
	if (r == 0)
		r = entries_decode(tree, slice->thinned, slice->thinned_size, slice->thin_ns,
				   take_entry, &entries);
	return r;
}

static int check_size(struct collector *c, const struct tree *tree)
{
	uint64_t bytes = profile_bytes(c->profile) + c->entries.count * sizeof(struct entry) +
			 (uint64_t)tree->nodes.count * 10;

	if (!c->query->limit_bytes || bytes <= c->query->limit_bytes)
		return 0;
	c->reader->why.size = 0;
	bytes_add_format(&c->reader->why,
			 "history %s: this interval takes more than the %llu MiB that are allowed:"
			 " ask for a shorter one, or for less of it",
			 c->reader->path, (unsigned long long)(c->query->limit_bytes >> 20));
	(void)bytes_str(&c->reader->why);
	return STORE_TOO_LARGE;
}

static int end_segment(void *context, const struct tree *tree)
{
	struct collector *c = context;
	uint32_t stack = 0, labels, path = UINT32_MAX;
	/* By process: its labels + 1. */
	cleanup(free) uint32_t *label_sets =
		calloc(tree->processes.count + 1ULL, sizeof(*label_sets));
	int r = label_sets ? 0 : -ENOMEM;

	sum_entries(c);
	for (uint32_t i = 0; r == 0 && i < c->entries.count; i++) {
		const struct entry *entry = &c->entries.at[i];
		int64_t values[2] = { entry->samples, entry->ns };

		if (i % 1024 == 0)
			r = check_size(c, tree);
		if (r == 0 && entry->path != path)
			r = take_path(c, tree, entry->path, &stack);
		path = entry->path;
		if (r == 0 && !label_sets[entry->process]) {
			r = take_labels(c, &tree->processes.at[entry->process], &labels);
			label_sets[entry->process] = labels + 1;
		}
		if (r == 0)
			r = profile_sample_add(c->profile, stack, label_sets[entry->process] - 1,
					       values);
	}
	c->entries.count = 0;
	c->chosen.count = 0;
	c->compact_at = COMPACT_FROM;
	return r;
}

static int begin_profile(struct collector *c)
{
	struct profile *profile;
	uint32_t type;
	int r = profile_new(&c->profile);

	if (r != 0)
		return r;
	profile = c->profile;
	if ((r = profile_type_add(profile, &type, "samples", "count")) != 0 ||
	    (r = profile_type_add(profile, &type, "cpu", "nanoseconds")) != 0 ||
	    (r = profile_string(profile, &c->pid_key, "pid")) != 0 ||
	    (r = profile_string(profile, &c->uid_key, "uid")) != 0)
		return r;
	for (size_t i = 0; r == 0 && i < PROGRAM_TEXTS; i++)
		r = profile_string(profile, &c->label_keys[i], program_keys[i]);
	profile->meta.count_type = 0;
	profile->meta.main_type = 1;
	profile->meta.of_machine = true;
	return r;
}

/* Whether each sample weighs the period: as long as the rate has been one. */
static bool all_weigh(const struct profile *profile, int64_t period_ns)
{
	for (uint32_t i = 0; i < profile->samples.count; i++)
		if (profile_value(profile, i, 1) != profile_value(profile, i, 0) * period_ns)
			return false;
	return true;
}

static void end_profile(struct collector *c)
{
	struct profile_meta *meta = &c->profile->meta;
	int64_t from_ns = c->answer->first_ns;

	if (from_ns < c->query->from_ns)
		from_ns = c->query->from_ns;
	meta->time_ns = from_ns;
	meta->duration_ns = c->answer->covered_ns;
	meta->period = c->longest_period_ns > 0 ? c->longest_period_ns : 1;
	/* As weights.h has it, but of each sample, before those of one stack were put together. */
	if (c->squares > 0 && c->answer->samples > 0)
		meta->evenness = (double)c->answer->cpu_ns * (double)c->answer->cpu_ns /
				 c->squares / (double)c->answer->samples;
	meta->period_type = all_weigh(c->profile, meta->period) ? 1 : PROFILE_NO_TYPE;
}

static int collect(struct collector *c, bool with_profile)
{
	const struct walk walk = { take_slice, with_profile ? end_segment : NULL, c };
	int r;

	*c->answer = (struct store_answer){};
	c->compact_at = COMPACT_FROM;
	r = with_profile ? begin_profile(c) : 0;
	if (r == 0)
		r = reader_walk(c->reader, c->query->from_ns, c->query->until_ns, &walk);
	if (r != 0)
		return r;
	coverage_tell(&c->coverage, c->answer, c->query);
	if (with_profile)
		end_profile(c);
	return 0;
}

int store_read(struct store_reader *reader, const struct store_query *query, struct profile **ret,
	       struct store_answer *answer)
{
	cleanup(collector_fini) struct collector c = { .reader = reader,
						       .query = query,
						       .answer = answer };
	int r;

	reader_begin(reader);
	r = collect(&c, true);
	if (r == 0)
		*ret = TAKE_PTR(c.profile);
	return r;
}

int store_read_steps(struct store_reader *reader, const struct store_query *query, int64_t step_ns,
		     store_profile_fn each, void *context)
{
	struct store_query step = *query;
	int64_t from_ns, until_ns, after_ns;
	int r = store_extent(reader, &from_ns, &until_ns);

	if (step_ns <= 0)
		return -EINVAL;
	/* Nothing is outside of what there is. */
	if (from_ns < query->from_ns)
		from_ns = query->from_ns;
	else if (!__builtin_sub_overflow(from_ns, query->from_ns, &after_ns))
		from_ns -= after_ns % step_ns;
	if (until_ns > query->until_ns)
		until_ns = query->until_ns;
	for (; r == 0 && from_ns < until_ns; from_ns = step.until_ns) {
		struct profile *profile;
		struct store_answer answer;

		step.from_ns = from_ns;
		if (__builtin_add_overflow(from_ns, step_ns, &step.until_ns) ||
		    step.until_ns > query->until_ns)
			step.until_ns = query->until_ns;
		r = store_read(reader, &step, &profile, &answer);
		if (r == 0 && answer.windows)
			r = each(context, profile, &answer);
		else if (r == 0)
			profile_free(profile);
	}
	return r;
}
