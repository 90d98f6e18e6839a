// SPDX-License-Identifier: Apache-2.0
#include "store/sweep.h"

#include <errno.h>
#include <stdlib.h>

#include "store/codec.h"
#include "store/database.h"

/* Rows by number. A row's number is at most this: a bit each must fit into memory. */
enum { MAX_ROW = 1 << 30 };

struct row_set {
	uint8_t *bits;
	size_t size;
};

static void row_set_fini_cleanup(struct row_set *set)
{
	free(set->bits);
}

static int row_set_add(struct row_set *set, int64_t row)
{
	size_t byte = (size_t)row / 8;

	if (row < 0 || row > MAX_ROW)
		return SQLITE_CORRUPT;
	if (byte >= set->size) {
		size_t size = byte * 2 + 4096;
		uint8_t *grown = realloc(set->bits, size);

		if (!grown)
			return SQLITE_NOMEM;
		memset(grown + set->size, 0, size - set->size);
		set->bits = grown;
		set->size = size;
	}
	set->bits[byte] |= (uint8_t)(1 << row % 8);
	return SQLITE_OK;
}

static bool row_set_has(const struct row_set *set, int64_t row)
{
	size_t byte = (size_t)row / 8;

	return row >= 0 && byte < set->size && set->bits[byte] & 1 << row % 8;
}

static int result_of(int r)
{
	return r == 0 ? SQLITE_OK : r == -ENOMEM ? SQLITE_NOMEM : SQLITE_CORRUPT;
}

/* What the slices say that they hold. */
static int mark_slices(sqlite3 *db, struct row_set *frames, struct row_set *programs)
{
	cleanup(statement) sqlite3_stmt *row = NULL;
	int result =
		sqlite3_prepare_v2(db,
				   "SELECT frames, processes FROM slice WHERE frames IS NOT NULL"
				   " OR processes IS NOT NULL",
				   -1, &row, NULL);

	while (result == SQLITE_OK && (result = sqlite3_step(row)) == SQLITE_ROW) {
		cleanup(tree_fini) struct tree tree = {};
		const char *text = (const char *)sqlite3_column_text(row, 0);
		int r = frames_decode(&tree, text, (size_t)sqlite3_column_bytes(row, 0));

		text = (const char *)sqlite3_column_text(row, 1);
		if (r == 0)
			r = processes_decode(&tree, text, (size_t)sqlite3_column_bytes(row, 1));
		result = result_of(r);
		for (uint32_t i = 0; result == SQLITE_OK && i < tree.frames.count; i++)
			result = row_set_add(frames, tree.frames.at[i]);
		for (uint32_t i = 0; result == SQLITE_OK && i < tree.processes.count; i++)
			result = row_set_add(programs, tree.processes.at[i].program);
	}
	return result == SQLITE_DONE ? SQLITE_OK : result;
}

/* What the frames that are left refer to. */
static int mark_frames(sqlite3 *db, struct row_set *binaries, struct row_set *functions)
{
	cleanup(statement) sqlite3_stmt *row = NULL;
	int result = sqlite3_prepare_v2(db, "SELECT binary, function, inlined FROM frame", -1, &row,
					NULL);

	while (result == SQLITE_OK && (result = sqlite3_step(row)) == SQLITE_ROW) {
		struct inlined inlined = {};
		const char *text = (const char *)sqlite3_column_text(row, 2);

		result = result_of(
			inlined_decode(&inlined, text, (size_t)sqlite3_column_bytes(row, 2)));
		if (result == SQLITE_OK)
			result = row_set_add(binaries, sqlite3_column_int64(row, 0));
		if (result == SQLITE_OK)
			result = row_set_add(functions, sqlite3_column_int64(row, 1));
		for (uint32_t i = 0; result == SQLITE_OK && i < inlined.numbers.count; i += 2)
			result = row_set_add(functions, inlined.numbers.at[i]);
		array_fini(&inlined.numbers);
	}
	return result == SQLITE_DONE ? SQLITE_OK : result;
}

static int mark_functions(sqlite3 *db, struct row_set *sources)
{
	cleanup(statement) sqlite3_stmt *row = NULL;
	int result = sqlite3_prepare_v2(db, "SELECT source FROM function", -1, &row, NULL);

	while (result == SQLITE_OK && (result = sqlite3_step(row)) == SQLITE_ROW)
		result = row_set_add(sources, sqlite3_column_int64(row, 0));
	return result == SQLITE_DONE ? SQLITE_OK : result;
}

static int remove_others(sqlite3 *db, const char *select, const char *remove,
			 const struct row_set *kept)
{
	cleanup(statement) sqlite3_stmt *row = NULL, *removal = NULL;
	ARRAY_OF(int64_t) gone = {};
	int result = sqlite3_prepare_v2(db, select, -1, &row, NULL);

	if (result == SQLITE_OK)
		result = sqlite3_prepare_v2(db, remove, -1, &removal, NULL);
	while (result == SQLITE_OK && (result = sqlite3_step(row)) == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(row, 0), *added;

		result = SQLITE_OK;
		if (row_set_has(kept, id))
			continue;
		added = array_push(&gone);
		if (added)
			*added = id;
		else
			result = SQLITE_NOMEM;
	}
	if (result == SQLITE_DONE)
		result = SQLITE_OK;
	(void)sqlite3_reset(row);
	for (uint32_t i = 0; result == SQLITE_OK && i < gone.count; i++) {
		(void)sqlite3_bind_int64(removal, 1, gone.at[i]);
		result = statement_run(removal);
	}
	array_fini(&gone);
	return result;
}

int sweep_run(sqlite3 *db)
{
	cleanup(row_set_fini) struct row_set frames = {}, programs = {}, binaries = {},
					     functions = {}, sources = {};
	int result = mark_slices(db, &frames, &programs);

	if (result == SQLITE_OK)
		result = remove_others(db, "SELECT id FROM frame",
				       "DELETE FROM frame WHERE id = ?1", &frames);
	if (result == SQLITE_OK)
		result = remove_others(db, "SELECT id FROM program",
				       "DELETE FROM program WHERE id = ?1", &programs);
	if (result == SQLITE_OK)
		result = mark_frames(db, &binaries, &functions);
	if (result == SQLITE_OK)
		result = remove_others(db, "SELECT id FROM binary",
				       "DELETE FROM binary WHERE id = ?1", &binaries);
	if (result == SQLITE_OK)
		result = remove_others(db, "SELECT id FROM function",
				       "DELETE FROM function WHERE id = ?1", &functions);
	if (result == SQLITE_OK)
		result = mark_functions(db, &sources);
	if (result == SQLITE_OK)
		result = remove_others(db, "SELECT id FROM source",
				       "DELETE FROM source WHERE id = ?1", &sources);
	return result;
}
