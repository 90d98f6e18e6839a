// SPDX-License-Identifier: Apache-2.0
/* CPU time by one label, without stacks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/coverage.h"
#include "store/reader_parts.h"

struct lister {
	struct store_reader *reader;
	const struct store_query *query;
	struct store_answer *answer;
	enum store_key key;
	struct coverage coverage;
	struct store_rows *rows;
	/* Ids in rows->strings of text, exe and unit, by row; the texts move while it grows. */
	ARRAY_OF(uint32_t) texts;
	struct hash_index index;
	/* Of the segment, by process: its row + 1; LEFT_OUT. */
	ARRAY_OF(uint32_t) processes;
	double part;
	double seen, taken;
	bool is_thinned;
	const struct read_slice *slice;
	const struct tree *tree;
};

#define LEFT_OUT UINT32_MAX

static const enum program_text columns[STORE_KEYS] = {
	[STORE_BY_UNIT] = PROGRAM_UNIT,		[STORE_BY_COMM] = PROGRAM_COMM,
	[STORE_BY_EXE] = PROGRAM_EXE,		[STORE_BY_CONTAINER] = PROGRAM_CONTAINER,
	[STORE_BY_POD] = PROGRAM_POD,		[STORE_BY_USER] = PROGRAM_USER,
	[STORE_BY_CGROUP] = PROGRAM_CGROUP,	[STORE_BY_PID] = PROGRAM_TEXTS,
	[STORE_BY_BUILD_ID] = PROGRAM_BUILD_ID,
};

void store_rows_fini(struct store_rows *rows)
{
	array_fini(&rows->rows);
	strtab_fini(&rows->strings);
}

static void lister_fini_cleanup(struct lister *lister)
{
	coverage_fini(&lister->coverage);
	array_fini(&lister->texts);
	array_fini(&lister->processes);
	hash_index_fini(&lister->index);
}

static bool is_row(const void *context, uint32_t position, const void *key)
{
	const struct lister *lister = context;

	return memcmp(&lister->texts.at[3 * position], key, 3 * sizeof(uint32_t)) == 0;
}

static int find_row(struct lister *lister, const struct program *program, int64_t pid,
		    uint32_t *ret)
{
	char number[24] = "";
	bool with_program = lister->key == STORE_BY_PID || lister->key == STORE_BY_BUILD_ID;
	const char *texts[3] = { number, with_program ? program->texts[PROGRAM_EXE] : "",
				 with_program ? program->texts[PROGRAM_UNIT] : "" };
	uint32_t ids[3];
	uint64_t hash;

	if (lister->key == STORE_BY_PID && pid >= 0)
		snprintf(number, sizeof(number), "%lld", (long long)pid);
	else if (lister->key != STORE_BY_PID)
		texts[0] = program->texts[columns[lister->key]];
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (strtab_add_str(&lister->rows->strings, &ids[i], texts[i]) < 0)
			return -ENOMEM;
	hash = hash_bytes(ids, sizeof(ids));
	*ret = hash_index_find(&lister->index, hash, is_row, lister, ids);
	if (*ret != HASH_ABSENT)
		return 0;
	*ret = lister->rows->rows.count;
	if (hash_index_add(&lister->index, hash, *ret) < 0 || !array_push(&lister->rows->rows))
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		uint32_t *added = array_push(&lister->texts);

		if (!added)
			return -ENOMEM;
		*added = ids[i];
	}
	return 0;
}

static int row_of_process(struct lister *lister, uint32_t id, uint32_t *ret)
{
	const struct tree_process *process = &lister->tree->processes.at[id];
	struct program program;
	bool found;
	int r;

	while (lister->processes.count < lister->tree->processes.count)
		if (!array_push(&lister->processes))
			return -ENOMEM;
	if (!lister->processes.at[id]) {
		r = reader_program(lister->reader, process->program, &program, &found);
		if (r != 0)
			return r;
		*ret = LEFT_OUT;
		if (query_chooses(lister->query, &program, process->pid)) {
			r = find_row(lister, &program, process->pid, ret);
			if (r != 0)
				return r;
		}
		lister->processes.at[id] = *ret == LEFT_OUT ? LEFT_OUT : *ret + 1;
	}
	*ret = lister->processes.at[id] == LEFT_OUT ? LEFT_OUT : lister->processes.at[id] - 1;
	return 0;
}

static int take_entry(void *context, const struct entry *entry)
{
	struct lister *lister = context;
	const struct read_slice *slice = lister->slice;
	int64_t end_ns = slice->begin_ns + slice->duration_ns;
	int64_t samples = entry->samples, ns = entry->ns;
	struct store_row *row;
	uint32_t position;
	int r = row_of_process(lister, entry->process, &position);

	if (r != 0 || position == LEFT_OUT)
		return r;
	if (lister->part < 1) {
		lister->seen += (double)samples * lister->part;
		samples = (int64_t)(lister->seen - lister->taken);
		lister->taken += (double)samples;
		ns = (int64_t)((double)ns * lister->part);
	}
	row = &lister->rows->rows.at[position];
	if (!row->last_ns || slice->begin_ns < row->first_ns)
		row->first_ns = slice->begin_ns;
	if (!row->last_ns || end_ns > row->last_ns)
		row->last_ns = end_ns;
	row->samples = profile_sum(row->samples, samples);
	row->cpu_ns = profile_sum(row->cpu_ns, ns);
	lister->answer->samples = profile_sum(lister->answer->samples, samples);
	lister->answer->cpu_ns = profile_sum(lister->answer->cpu_ns, ns);
	if (lister->is_thinned)
		lister->answer->thinned_ns = profile_sum(lister->answer->thinned_ns, ns);
	return 0;
}

static int take_slice(void *context, const struct tree *tree, const struct read_slice *slice)
{
	struct lister *lister = context;
	int r = coverage_add(&lister->coverage, lister->answer, slice);

	lister->slice = slice;
	lister->tree = tree;
	lister->part = slice->part;
	lister->seen = 0.5;
	lister->taken = 0;
	lister->is_thinned = false;
	if (r == 0)
		r = entries_decode(tree, slice->entries, slice->entries_size, slice->period_ns,
				   take_entry, lister);
	lister->is_thinned = true;
	if (r == 0 && slice->thinned_size && slice->thin_ns > lister->answer->thin_ns)
		lister->answer->thin_ns = slice->thin_ns;
	if (r == 0)
		r = entries_decode(tree, slice->thinned, slice->thinned_size, slice->thin_ns,
				   take_entry, lister);
	return r;
}

static int end_segment(void *context, const struct tree *tree)
{
	struct lister *lister = context;

	(void)tree;
	lister->processes.count = 0;
	return 0;
}

static int compare_rows(const void *a_, const void *b_)
{
	const struct store_row *a = a_, *b = b_;

	if (a->cpu_ns != b->cpu_ns)
		return a->cpu_ns > b->cpu_ns ? -1 : 1;
	return strcmp(a->text, b->text);
}

int store_list(struct store_reader *reader, const struct store_query *query, enum store_key key,
	       struct store_rows *ret, struct store_answer *answer)
{
	cleanup(store_rows_fini) struct store_rows rows = {};
	cleanup(lister_fini) struct lister lister = {
		.reader = reader, .query = query, .answer = answer, .key = key, .rows = &rows
	};
	const struct walk walk = { take_slice, end_segment, &lister };
	int r;

	reader_begin(reader);
	*answer = (struct store_answer){};
	if (key >= STORE_KEYS)
		return -EINVAL;
	r = strtab_init(&rows.strings);
	if (r == 0)
		r = reader_walk(reader, query->from_ns, query->until_ns, &walk);
	if (r != 0)
		return r;
	coverage_tell(&lister.coverage, answer, query);
	for (uint32_t i = 0; i < rows.rows.count; i++) {
		struct store_row *row = &rows.rows.at[i];

		row->text = strtab_get(&rows.strings, lister.texts.at[3 * i]);
		row->exe = strtab_get(&rows.strings, lister.texts.at[3 * i + 1]);
		row->unit = strtab_get(&rows.strings, lister.texts.at[3 * i + 2]);
	}
	if (rows.rows.count)
		qsort(rows.rows.at, rows.rows.count, sizeof(*rows.rows.at), compare_rows);
	*ret = rows;
	rows = (struct store_rows){};
	return 0;
}
