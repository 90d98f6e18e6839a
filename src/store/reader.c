// SPDX-License-Identifier: Apache-2.0
/* Opening the history for reading, and going through its slices. */
#include "store/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/reader_parts.h"
#include "store/schema.h"

enum { CACHE_BYTES = 8 << 20 };

/* Of one list: far more than a slice ever holds, and what a hostile file may make us read. */
enum { MAX_TEXT_BYTES = 256 << 20 };

static const char *const texts[READER_STATEMENTS] = {
	[READ_SEGMENTS] = "SELECT id, thin_ns FROM segment WHERE until_ns > ?1 AND begin_ns < ?2"
			  " ORDER BY id",
	[READ_SLICES] = "SELECT begin_ns, duration_ns, period_ns, samples, cpu_ns, lost, cpus,"
			" first_frame, first_process, first_path, frames, processes, paths,"
			" entries, thinned FROM slice WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
	[READ_PROGRAM] = "SELECT comm, exe, build_id, user, cgroup, unit, container, pod, uid"
			 " FROM program WHERE id = ?1",
	[READ_FRAME] = "SELECT binary, address, kind, named, function, line, inlined"
		       " FROM frame WHERE id = ?1",
	[READ_BINARY] = "SELECT file, build_id, identity, start, limit_, file_offset"
			" FROM binary WHERE id = ?1",
	[READ_FUNCTION] = "SELECT name, file, start_line FROM function"
			  " LEFT JOIN source ON source.id = source WHERE function.id = ?1",
	[READ_EXTENT] = "SELECT min(begin_ns), max(until_ns) FROM segment",
};

void store_reader_close(struct store_reader *reader)
{
	if (!reader)
		return;
	for (size_t i = 0; i < READER_STATEMENTS; i++)
		(void)sqlite3_finalize(reader->statements[i]);
	(void)sqlite3_close_v2(reader->db);
	bytes_fini(&reader->why);
	free(reader->path);
	free(reader);
}

int reader_open(struct store_reader **ret, const char *folder, enum database_use use,
		struct bytes *why)
{
	cleanup(store_reader_close) struct store_reader *reader = calloc(1, sizeof(*reader));
	int result = SQLITE_OK, r;

	if (!reader)
		return -ENOMEM;
	if (!folder)
		folder = STORE_DEFAULT_FOLDER;
	if (asprintf(&reader->path, "%s/" STORE_FILE, folder) < 0)
		return reader->path = NULL, -ENOMEM;
	r = database_open(&reader->db, folder, use, CACHE_BYTES, why);
	if (r != 0)
		return r;
	(void)sqlite3_limit(reader->db, SQLITE_LIMIT_LENGTH, MAX_TEXT_BYTES);
	for (size_t i = 0; result == SQLITE_OK && i < READER_STATEMENTS; i++)
		result = database_prepare(reader->db, &reader->statements[i], texts[i]);
	r = database_result(reader->db, result, reader->path, why);
	if (r == 0)
		*ret = TAKE_PTR(reader);
	return r;
}

int store_reader_open(struct store_reader **ret, const char *folder, struct bytes *why)
{
	return reader_open(ret, folder, DATABASE_READ, why);
}

const char *store_reader_why(const struct store_reader *reader)
{
	/* Made a string when it was written. */
	return reader->why.size ? reader->why.at : "";
}

void reader_begin(struct store_reader *reader)
{
	reader->why.size = 0;
}

int reader_result(struct store_reader *reader, int result)
{
	int r;

	/* Lists that nobody would have written. */
	if ((result & 0xff) == SQLITE_TOOBIG)
		result = SQLITE_CORRUPT;
	r = database_result(reader->db, result, reader->path, &reader->why);
	(void)bytes_str(&reader->why);
	return r;
}

int reader_bad(struct store_reader *reader, int r)
{
	return r == -EBADMSG ? reader_result(reader, SQLITE_CORRUPT) : r;
}

static size_t column_list(sqlite3_stmt *statement, int column, const char **ret)
{
	*ret = (const char *)sqlite3_column_text(statement, column);
	return *ret ? (size_t)sqlite3_column_bytes(statement, column) : 0;
}

/* Adds the lists of a slice to the tree, where the numbers say that it ends. */
static int extend_tree(struct tree *tree, sqlite3_stmt *row)
{
	const char *text;
	size_t size;
	int r;

	if (sqlite3_column_int64(row, 7) != tree->frames.count ||
	    sqlite3_column_int64(row, 8) != tree->processes.count ||
	    sqlite3_column_int64(row, 9) != tree->nodes.count)
		return -EBADMSG;
	size = column_list(row, 10, &text);
	r = frames_decode(tree, text, size);
	if (r == 0) {
		size = column_list(row, 11, &text);
		r = processes_decode(tree, text, size);
	}
	if (r == 0) {
		size = column_list(row, 12, &text);
		r = paths_decode(tree, text, size);
	}
	return r;
}

/* Returns whether a part of it is in the interval. */
static bool take_slice(struct read_slice *ret, sqlite3_stmt *row, int64_t thin_ns, int64_t from_ns,
		       int64_t until_ns)
{
	int64_t end_ns;

	*ret = (struct read_slice){
		.begin_ns = sqlite3_column_int64(row, 0),
		.duration_ns = sqlite3_column_int64(row, 1),
		.period_ns = sqlite3_column_int64(row, 2),
		.thin_ns = thin_ns,
		.samples = sqlite3_column_int64(row, 3),
		.cpu_ns = sqlite3_column_int64(row, 4),
		.lost = sqlite3_column_int64(row, 5),
		.cpus = (uint32_t)sqlite3_column_int64(row, 6),
	};
	if (ret->duration_ns <= 0 ||
	    __builtin_add_overflow(ret->begin_ns, ret->duration_ns, &end_ns))
		return false;
	ret->from_ns = ret->begin_ns > from_ns ? ret->begin_ns : from_ns;
	ret->until_ns = end_ns < until_ns ? end_ns : until_ns;
	if (ret->from_ns >= ret->until_ns)
		return false;
	ret->part = (double)(ret->until_ns - ret->from_ns) / (double)ret->duration_ns;
	ret->entries_size = column_list(row, 13, &ret->entries);
	ret->thinned_size = column_list(row, 14, &ret->thinned);
	return true;
}

static int walk_segment(struct store_reader *reader, int64_t id, int64_t thin_ns, int64_t from_ns,
			int64_t until_ns, const struct walk *walk)
{
	cleanup(tree_fini) struct tree tree = {};
	sqlite3_stmt *row = reader->statements[READ_SLICES];
	int result, r = tree_init(&tree);

	if (r == 0 && (id < 1 || id >= INT64_MAX >> SLICE_BITS))
		r = -EBADMSG;
	if (r != 0)
		return r;
	(void)sqlite3_bind_int64(row, 1, id << SLICE_BITS);
	(void)sqlite3_bind_int64(row, 2, (id << SLICE_BITS) + SLICES_MAX - 1);
	while (r == 0 && (result = sqlite3_step(row)) == SQLITE_ROW) {
		struct read_slice slice;

		r = extend_tree(&tree, row);
		if (r == 0 && take_slice(&slice, row, thin_ns, from_ns, until_ns))
			r = walk->slice(walk->context, &tree, &slice);
	}
	result = sqlite3_reset(row);
	if (r == 0 && result != SQLITE_OK)
		return reader_result(reader, result);
	return r == 0 && walk->segment ? walk->segment(walk->context, &tree) : r;
}

int reader_walk_segment(struct store_reader *reader, int64_t id, int64_t thin_ns,
			const struct walk *walk)
{
	return walk_segment(reader, id, thin_ns, INT64_MIN, INT64_MAX, walk);
}

int reader_walk(struct store_reader *reader, int64_t from_ns, int64_t until_ns,
		const struct walk *walk)
{
	sqlite3_stmt *row = reader->statements[READ_SEGMENTS];
	int result, r = 0;

	if (from_ns >= until_ns)
		return 0;
	(void)sqlite3_bind_int64(row, 1, from_ns);
	(void)sqlite3_bind_int64(row, 2, until_ns);
	/* This statement stays open meanwhile: all that is read is of one moment. */
	while (r == 0 && (result = sqlite3_step(row)) == SQLITE_ROW)
		r = walk_segment(reader, sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1),
				 from_ns, until_ns, walk);
	result = sqlite3_reset(row);
	if (r == 0 && result != SQLITE_OK)
		return reader_result(reader, result);
	return reader_bad(reader, r);
}

int reader_program(struct store_reader *reader, uint32_t id, struct program *ret, bool *ret_found)
{
	sqlite3_stmt *row = reader->statements[READ_PROGRAM];
	int result;

	(void)sqlite3_reset(row);
	(void)sqlite3_bind_int64(row, 1, id);
	result = sqlite3_step(row);
	*ret_found = result == SQLITE_ROW;
	*ret = (struct program){ .uid = -1 };
	for (int i = 0; i < PROGRAM_TEXTS; i++)
		ret->texts[i] = *ret_found ? column_text(row, i) : "";
	if (*ret_found && sqlite3_column_type(row, PROGRAM_TEXTS) == SQLITE_INTEGER)
		ret->uid = sqlite3_column_int64(row, PROGRAM_TEXTS);
	return result == SQLITE_ROW || result == SQLITE_DONE ? 0 : reader_result(reader, result);
}

int store_extent(struct store_reader *reader, int64_t *ret_from_ns, int64_t *ret_until_ns)
{
	sqlite3_stmt *row = reader->statements[READ_EXTENT];
	int result;

	reader_begin(reader);
	*ret_from_ns = *ret_until_ns = 0;
	result = sqlite3_step(row);
	if (result == SQLITE_ROW) {
		*ret_from_ns = sqlite3_column_int64(row, 0);
		*ret_until_ns = sqlite3_column_int64(row, 1);
	}
	(void)sqlite3_reset(row);
	return result == SQLITE_ROW ? 0 : reader_result(reader, result);
}
