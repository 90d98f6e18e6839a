// SPDX-License-Identifier: Apache-2.0
/*
 * Folding, then age, then size, then names that nothing uses. Each step is a transaction of its
 * own, and whoever cuts it off leaves a history that is whole. The segment that is being written is
 * the newest row; it is never touched.
 */
#include "store/tidy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "store/fold.h"
#include "store/folder.h"
#include "store/schema.h"
#include "store/sweep.h"

#define HOUR_NS 3600000000000LL
#define MINUTE_NS 60000000000LL

/* One level of folding. */
struct level {
	int64_t block_ns;      /* segments of one block become one */
	int64_t after_ns;      /* as soon as all of the block is older than that */
	int64_t step_ns;       /* length of the new windows */
	uint64_t hourly_bytes; /* for each hour of CPU time: lists, without names */
};

/* From level 0 to 1, from 1 to 2. The goal is 300 KB for an hour of a busy core, names and all. */
static const struct level levels[] = {
	{ HOUR_NS, HOUR_NS, MINUTE_NS, 180000 },
	{ 6 * HOUR_NS, 24 * HOUR_NS, 10 * MINUTE_NS, 40000 },
};

/* For each segment, however little it holds. */
enum { BUDGET_LEAST = 16 << 10 };

/* Of lists that are folded at once: in memory they take about ten times as much. */
enum { GROUP_BYTES = 6 << 20 };

struct group_segment {
	int64_t id, begin_ns, until_ns, recorded_ns, cpu_ns, thin_ns, bytes;
};

struct tidier {
	const struct store_options *options;
	int64_t now_ns;
	struct store_reader *reader; /* its connection writes as well */
	struct alike alike;
	bool has_alike;
	bool changed;
	ARRAY_OF(struct group_segment) group;
};

static void tidier_fini_cleanup(struct tidier *tidier)
{
	alike_fini(&tidier->alike);
	array_fini(&tidier->group);
	store_reader_close(tidier->reader);
}

static int64_t block_of(const struct level *level, int64_t ns)
{
	return ns / level->block_ns - (ns % level->block_ns < 0);
}

/* Whether all of a block that begins with or after this is old, or is from a time to come. */
static bool is_due(const struct tidier *tidier, const struct level *level, int64_t begin_ns)
{
	int64_t end_ns;

	if (__builtin_mul_overflow(block_of(level, begin_ns) + 1, level->block_ns, &end_ns))
		return false;
	/* Recorded before the clock was set back. */
	if (begin_ns - HOUR_NS > tidier->now_ns)
		return true;
	return end_ns <= tidier->now_ns - level->after_ns;
}

/*
 * Finds the next segments of one block, from a row on. An empty group: there are none. What was
 * folded for want of memory in several parts stays so.
 */
static int find_group(struct tidier *tidier, uint32_t from_level, int64_t from_id)
{
	const struct level *level = &levels[from_level];
	cleanup(statement) sqlite3_stmt *row = NULL;
	int result = sqlite3_prepare_v2(
		tidier->reader->db,
		"SELECT id, begin_ns, until_ns, recorded_ns, cpu_ns, thin_ns,"
		" (SELECT sum(ifnull(length(paths), 0) + ifnull(length(entries), 0) +"
		"  ifnull(length(frames), 0) + ifnull(length(processes), 0) +"
		"  ifnull(length(thinned), 0)) FROM slice"
		"  WHERE slice.id BETWEEN segment.id << 20 AND (segment.id << 20) + 1048575)"
		" FROM segment WHERE level = ?1 AND id >= ?2 AND"
		" id < (SELECT max(id) FROM segment) ORDER BY id",
		-1, &row, NULL);
	int64_t bytes = 0;

	tidier->group.count = 0;
	if (result != SQLITE_OK)
		return result;
	(void)sqlite3_bind_int64(row, 1, from_level);
	(void)sqlite3_bind_int64(row, 2, from_id);
	while ((result = sqlite3_step(row)) == SQLITE_ROW) {
		struct group_segment segment, *added, *first;

		for (int i = 0; i < 7; i++)
			((int64_t *)&segment)[i] = sqlite3_column_int64(row, i);
		first = tidier->group.count ? tidier->group.at : NULL;
		if (!is_due(tidier, level, segment.begin_ns)) {
			if (first)
				break;
			continue;
		}
		if (first &&
		    (block_of(level, segment.begin_ns) != block_of(level, first->begin_ns) ||
		     bytes + segment.bytes > GROUP_BYTES))
			break;
		bytes += segment.bytes;
		added = array_push(&tidier->group);
		if (!added)
			return SQLITE_NOMEM;
		*added = segment;
	}
	return result == SQLITE_ROW || result == SQLITE_DONE ? SQLITE_OK : result;
}

static int run_with(sqlite3 *db, const char *sql, const int64_t *numbers, int count)
{
	cleanup(statement) sqlite3_stmt *statement = NULL;
	int result = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	for (int i = 0; result == SQLITE_OK && i < count; i++)
		(void)sqlite3_bind_int64(statement, 1 + i, numbers[i]);
	return result == SQLITE_OK ? statement_run(statement) : result;
}

static int remove_segment(sqlite3 *db, int64_t id)
{
	int64_t slices[] = { id << SLICE_BITS, (id << SLICE_BITS) + SLICES_MAX - 1 };
	int result = run_with(db, "DELETE FROM slice WHERE id BETWEEN ?1 AND ?2", slices, 2);

	return result == SQLITE_OK ? run_with(db, "DELETE FROM segment WHERE id = ?1", &id, 1)
				   : result;
}

static int insert_window(sqlite3_stmt *insert, const struct fold *fold, int64_t id, uint32_t number)
{
	const struct fold_window *window = &fold->windows.at[number];
	static const struct bytes none;
	/* The lists stand in the first one; for those after it they are complete. */
	const struct bytes *lists[] = { number ? &none : &fold->frames,
					number ? &none : &fold->processes_text,
					number ? &none : &fold->paths, &window->entries,
					&window->thinned };
	int64_t numbers[] = {
		id << SLICE_BITS | number,
		window->begin_ns,
		window->end_ns - window->begin_ns,
		window->period_ns,
		window->samples,
		window->cpu_ns,
		window->lost,
		window->cpus,
		number ? fold->frame_count : 0,
		number ? fold->process_count : 0,
		number ? fold->node_count : 1,
	};

	for (int i = 0; i < (int)ARRAY_SIZE(numbers); i++)
		(void)sqlite3_bind_int64(insert, 1 + i, numbers[i]);
	for (int i = 0; i < (int)ARRAY_SIZE(lists); i++)
		bind_bytes(insert, 1 + (int)ARRAY_SIZE(numbers) + i, lists[i]);
	return statement_run(insert);
}

/* In a transaction: the group's rows make room for one. */
static int replace_group(struct tidier *tidier, const struct fold *fold, uint32_t to_level)
{
	sqlite3 *db = tidier->reader->db;
	cleanup(statement) sqlite3_stmt *insert = NULL;
	const struct group_segment *group = tidier->group.at;
	int64_t numbers[7] = { group[0].id, to_level, group[0].begin_ns, group[0].until_ns,
			       0,	    0,	      fold->thin_ns };
	int result = SQLITE_OK;

	for (uint32_t i = 0; result == SQLITE_OK && i < tidier->group.count; i++) {
		if (group[i].begin_ns < numbers[2])
			numbers[2] = group[i].begin_ns;
		if (group[i].until_ns > numbers[3])
			numbers[3] = group[i].until_ns;
		numbers[4] = profile_sum(numbers[4], group[i].recorded_ns);
		numbers[5] = profile_sum(numbers[5], group[i].cpu_ns);
		result = remove_segment(db, group[i].id);
	}
	if (result == SQLITE_OK)
		result = run_with(db,
				  "INSERT INTO segment (id, level, begin_ns, until_ns, recorded_ns,"
				  " cpu_ns, thin_ns) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
				  numbers, 7);
	if (result == SQLITE_OK)
		result =
			database_prepare(db, &insert,
					 "INSERT INTO slice VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"
					 " ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)");
	for (uint32_t i = 0; result == SQLITE_OK && i < fold->windows.count; i++)
		result = insert_window(insert, fold, numbers[0], i);
	return result;
}

typedef int (*step_fn)(struct tidier *tidier, const void *what);

/* Returns a result of SQLite; on failure all is as before. */
static int in_transaction(struct tidier *tidier, step_fn step, const void *what)
{
	sqlite3 *db = tidier->reader->db;
	int result = database_exec(db, "BEGIN IMMEDIATE");

	if (result != SQLITE_OK)
		return result;
	result = step(tidier, what);
	if (result == SQLITE_OK)
		result = database_exec(db, "COMMIT");
	if (result == SQLITE_OK)
		tidier->changed = true;
	else if (!sqlite3_get_autocommit(db))
		(void)database_exec(db, "ROLLBACK");
	return result;
}

struct replacement {
	const struct fold *fold;
	uint32_t to_level;
};

static int replace_step(struct tidier *tidier, const void *what)
{
	const struct replacement *replacement = what;

	return replace_group(tidier, replacement->fold, replacement->to_level);
}

static uint64_t budget_of(const struct level *level, int64_t cpu_ns, uint32_t windows)
{
	double hours = cpu_ns > 0 ? (double)cpu_ns / (double)HOUR_NS : 0;

	return BUDGET_LEAST + (uint64_t)windows * FOLD_WINDOW_BYTES +
	       (uint64_t)(hours * (double)level->hourly_bytes);
}

static int fold_group(struct tidier *tidier, uint32_t from_level)
{
	const struct level *level = &levels[from_level];
	cleanup(fold_fini) struct fold fold = {};
	struct replacement replacement = { &fold, from_level + 1 };
	uint64_t random = 0;
	int64_t cpu_ns = 0;
	int r;

	(void)getrandom(&random, sizeof(random), GRND_NONBLOCK);
	r = fold_init(&fold, &tidier->alike, level->step_ns, random);
	for (uint32_t i = 0; r == 0 && i < tidier->group.count; i++) {
		r = fold_add_segment(&fold, tidier->reader, tidier->group.at[i].id,
				     tidier->group.at[i].thin_ns);
		cpu_ns = profile_sum(cpu_ns, tidier->group.at[i].cpu_ns);
	}
	if (r == 0 && fold.windows.count >= SLICES_MAX)
		r = -EBADMSG;
	if (r == 0)
		r = fold_finish(&fold, budget_of(level, cpu_ns, fold.windows.count));
	if (r != 0)
		return reader_bad(tidier->reader, r);
	return reader_result(tidier->reader, in_transaction(tidier, replace_step, &replacement));
}

static int fold_all(struct tidier *tidier, uint32_t from_level)
{
	int64_t from_id = 0;

	for (;;) {
		int r = reader_result(tidier->reader, find_group(tidier, from_level, from_id));

		if (r != 0 || !tidier->group.count)
			return r;
		from_id = tidier->group.at[tidier->group.count - 1].id + 1;
		/* Only when it is needed: it is all frames. */
		if (!tidier->has_alike)
			r = reader_result(tidier->reader,
					  alike_read(&tidier->alike, tidier->reader->db));
		tidier->has_alike = true;
		if (r == 0)
			r = fold_group(tidier, from_level);
		if (r != 0)
			return r;
	}
}

static int remove_step(struct tidier *tidier, const void *what)
{
	return remove_segment(tidier->reader->db, *(const int64_t *)what);
}

static int remove_one(struct tidier *tidier, int64_t id)
{
	return reader_result(tidier->reader, in_transaction(tidier, remove_step, &id));
}

/* Bytes of pages that hold something, or of the whole file. */
static int measure(struct tidier *tidier, int64_t *ret_used, int64_t *ret_file)
{
	sqlite3 *db = tidier->reader->db;
	int64_t pages, unused = 0, size = 0;
	int result = database_number(db, "PRAGMA page_count", &pages);

	if (result == SQLITE_OK)
		result = database_number(db, "PRAGMA freelist_count", &unused);
	if (result == SQLITE_OK)
		result = database_number(db, "PRAGMA page_size", &size);
	*ret_used = (pages - unused) * size;
	*ret_file = pages * size;
	return reader_result(tidier->reader, result);
}

/*
 * The oldest that is too old; 0: none. A clock that was set far ahead for a while must not cost the
 * history: something is too old when at least an hour was recorded after it had become that.
 */
static int find_expired(struct tidier *tidier, int64_t *ret)
{
	uint64_t age =
		tidier->options->max_age_ns ? tidier->options->max_age_ns : STORE_DEFAULT_AGE_NS;
	int64_t now_ns = tidier->now_ns, limit_ns;
	char sql[512];

	*ret = 0;
	if (age > INT64_MAX || __builtin_sub_overflow(now_ns, (int64_t)age, &limit_ns))
		return 0;
	snprintf(sql, sizeof(sql),
		 "SELECT id FROM segment AS old WHERE until_ns < %lld"
		 " AND id < (SELECT max(id) FROM segment)"
		 " AND (SELECT sum(recorded_ns) FROM segment WHERE begin_ns >= old.until_ns + %lld)"
		 " >= %lld ORDER BY id LIMIT 1",
		 (long long)limit_ns, (long long)age, HOUR_NS);
	return reader_result(tidier->reader, database_number(tidier->reader->db, sql, ret));
}

static int find_oldest(struct tidier *tidier, int64_t *ret)
{
	return reader_result(tidier->reader,
			     database_number(tidier->reader->db,
					     "SELECT min(id) FROM segment"
					     " WHERE id < (SELECT max(id) FROM segment)",
					     ret));
}

static int retain(struct tidier *tidier)
{
	uint64_t max_bytes =
		tidier->options->max_bytes ? tidier->options->max_bytes : STORE_DEFAULT_BYTES;
	int64_t id, used, file;
	int r;

	for (;;) {
		r = find_expired(tidier, &id);
		if (r != 0 || !id)
			break;
		r = remove_one(tidier, id);
		if (r != 0)
			break;
	}
	/* Less than the limit, as more is written before the next time. */
	while (r == 0 && (r = measure(tidier, &used, &file)) == 0 &&
	       (uint64_t)used > max_bytes - max_bytes / 16) {
		r = find_oldest(tidier, &id);
		if (r != 0 || !id)
			break;
		r = remove_one(tidier, id);
	}
	return r;
}

static int sweep_step(struct tidier *tidier, const void *what)
{
	(void)what;
	return sweep_run(tidier->reader->db);
}

/* Gives pages back, a few at a time, as whoever writes waits meanwhile. */
static int shrink(struct tidier *tidier)
{
	int64_t used, file, last = INT64_MAX;
	int r;

	/* Some stay: the next hour will need them. */
	while ((r = measure(tidier, &used, &file)) == 0 && file - used > (8 << 20) &&
	       file - used > file / 8 && file < last) {
		last = file;
		r = reader_result(tidier->reader, database_exec(tidier->reader->db,
								"PRAGMA incremental_vacuum(1024)"));
		if (r != 0)
			break;
	}
	return r;
}

/* What cannot be folded, for want of memory or of space, must not keep all else for ever. */
static int run(struct tidier *tidier)
{
	struct bytes *why = &tidier->reader->why;
	int folded = fold_all(tidier, 0), r;
	size_t said;

	if (folded == 0)
		folded = fold_all(tidier, 1);
	if (folded == STORE_DAMAGED)
		return folded;
	said = why->size;
	r = retain(tidier);
	if (r == 0 && tidier->changed)
		r = reader_result(tidier->reader, in_transaction(tidier, sweep_step, NULL));
	if (r == 0)
		r = shrink(tidier);
	if (folded == 0)
		return r;
	why->size = said;
	(void)bytes_str(why);
	return folded;
}

int store_tidy(const struct store_options *options, int64_t now_ns, struct bytes *why)
{
	cleanup(tidier_fini) struct tidier tidier = { .options = options, .now_ns = now_ns };
	const char *folder = options->folder ? options->folder : STORE_DEFAULT_FOLDER;
	cleanup(close) int lock = -1;
	int r = reader_open(&tidier.reader, folder, DATABASE_WRITE, why);

	if (r == 0)
		r = folder_lock(&lock, folder, STORE_TIDY_LOCK, why);
	if (r == 0) {
		r = run(&tidier);
		if (r != 0)
			bytes_add_str(why, store_reader_why(tidier.reader));
	}
	/* Only who writes may set it aside. */
	if (r == STORE_DAMAGED)
		folder_mark_damaged(folder);
	return r;
}
