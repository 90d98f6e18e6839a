// SPDX-License-Identifier: Apache-2.0
#include "store/deploys.h"

#include <errno.h>
#include <math.h>

#include "store/database.h"
#include "store/folder.h"
#include "store/reader_parts.h"

enum { CACHE_BYTES = 1 << 20 };

/* Made when there is something to keep; the view is described in profd-history(5). */
static const char tables[] =
	"CREATE TABLE IF NOT EXISTS build ("
	" id INTEGER PRIMARY KEY,"
	" unit TEXT," /* NULL: in no unit that lasts */
	" exe TEXT NOT NULL,"
	" build_id TEXT NOT NULL,"
	" first_ns INTEGER NOT NULL,"
	" last_ns INTEGER NOT NULL,"
	" samples INTEGER NOT NULL,"
	" is_current INTEGER NOT NULL);"
	"CREATE TABLE IF NOT EXISTS deploy ("
	" id INTEGER PRIMARY KEY,"
	" time_ns INTEGER NOT NULL,"
	" first_end_ns INTEGER NOT NULL,"
	" unit TEXT,"
	" exe TEXT NOT NULL,"
	" old_build_id TEXT NOT NULL,"
	" new_build_id TEXT NOT NULL,"
	" state INTEGER NOT NULL," /* 0: watched, 1: waits, 2: judged */
	" is_return INTEGER NOT NULL,"
	" old_must_go INTEGER NOT NULL,"
	" ended_ns INTEGER NOT NULL,"
	" judged_ns INTEGER NOT NULL,"
	" is_undecided INTEGER NOT NULL,"
	" old_samples INTEGER NOT NULL,"
	" new_samples INTEGER NOT NULL,"
	" old_cores REAL NOT NULL,"
	" new_cores REAL NOT NULL);"
	"CREATE TABLE IF NOT EXISTS deploy_change ("
	" deploy INTEGER NOT NULL,"
	" rank INTEGER NOT NULL,"
	" function TEXT NOT NULL,"
	" module TEXT,"
	" with_callees INTEGER NOT NULL,"
	" old REAL NOT NULL,"
	" new REAL NOT NULL,"
	" half REAL NOT NULL,"
	" PRIMARY KEY (deploy, rank)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS deploy_scan ("
	" id INTEGER PRIMARY KEY,"
	" scanned_ns INTEGER NOT NULL);"
	"CREATE VIEW IF NOT EXISTS deploys AS SELECT"
	" datetime(time_ns / 1000000000, 'unixepoch') AS time, time_ns,"
	" unit, exe, old_build_id, new_build_id, is_return,"
	" CASE state WHEN 2 THEN 'judged' WHEN 1 THEN 'waits' ELSE 'watched' END AS state,"
	" function, with_callees, round(100 * old, 2) AS old_percent,"
	" round(100 * new, 2) AS new_percent, round(100 * half, 2) AS half_percent,"
	" round(old_cores, 3) AS old_cores, round(new_cores, 3) AS new_cores,"
	" old_samples, new_samples"
	" FROM deploy LEFT JOIN deploy_change ON deploy = deploy.id"
	" ORDER BY time_ns, rank;";

int book_lock(int *ret_fd, const char *folder, struct bytes *why)
{
	return folder_lock(ret_fd, folder, STORE_TIDY_LOCK, why);
}

/* ---- Reading. ---- */

/* Tables, not views or worse that a stranger has made to keep us busy. */
static int has_tables(sqlite3 *db, bool *ret)
{
	int64_t count;
	int result = database_number(
		db,
		"SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('build',"
		" 'deploy', 'deploy_change', 'deploy_scan') AND sql NOT LIKE 'CREATE VIRTUAL%'",
		&count);

	*ret = count == 4;
	return result;
}

/* A column's text as a string of the book; what is too long is "". */
static int take_text(struct book *book, uint32_t *ret, sqlite3_stmt *row, int column)
{
	const char *text = column_text(row, column);

	if (sqlite3_column_bytes(row, column) > BOOK_MAX_TEXT)
		text = "";
	return strtab_add_str(&book->strings, ret, text);
}

/* Such that what is added to it stays a time. */
static bool is_time(int64_t ns)
{
	return ns >= 0 && ns <= BOOK_MAX_NS;
}

static int take_build(struct book *book, sqlite3_stmt *row)
{
	struct book_build *build = array_push(&book->builds);
	int r = build ? 0 : -ENOMEM;

	if (r == 0)
		r = take_text(book, &build->unit, row, 1);
	if (r == 0)
		r = take_text(book, &build->exe, row, 2);
	if (r == 0)
		r = take_text(book, &build->build_id, row, 3);
	if (r == 0)
		r = book_add_program(book, &build->program, build->unit, build->exe);
	if (r < 0)
		return r;
	build->id = sqlite3_column_int64(row, 0);
	build->first_ns = sqlite3_column_int64(row, 4);
	build->last_ns = sqlite3_column_int64(row, 5);
	build->samples = sqlite3_column_int64(row, 6);
	build->is_current = sqlite3_column_int(row, 7);
	/* Nothing that could be found again. */
	if (!build->exe || !build->build_id || build->last_ns < build->first_ns ||
	    !is_time(build->first_ns) || !is_time(build->last_ns))
		book->builds.count--;
	return 0;
}

static int take_deploy(struct book *book, sqlite3_stmt *row)
{
	struct book_deploy *deploy = array_push(&book->deploys);
	int r = deploy ? 0 : -ENOMEM, state;

	if (r == 0)
		r = take_text(book, &deploy->unit, row, 2);
	if (r == 0)
		r = take_text(book, &deploy->exe, row, 3);
	if (r == 0)
		r = take_text(book, &deploy->old_build, row, 4);
	if (r == 0)
		r = take_text(book, &deploy->new_build, row, 5);
	if (r == 0)
		r = book_add_program(book, &deploy->program, deploy->unit, deploy->exe);
	if (r < 0)
		return r;
	state = sqlite3_column_int(row, 6);
	deploy->id = sqlite3_column_int64(row, 0);
	deploy->time_ns = sqlite3_column_int64(row, 1);
	deploy->state = state <= BOOK_WATCHED ? BOOK_WATCHED
			: state == BOOK_WAITS ? BOOK_WAITS
					      : BOOK_JUDGED;
	deploy->is_return = sqlite3_column_int(row, 7);
	deploy->old_must_go = sqlite3_column_int(row, 8);
	deploy->ended_ns = sqlite3_column_int64(row, 9);
	deploy->judged_ns = sqlite3_column_int64(row, 10);
	deploy->is_undecided = sqlite3_column_int(row, 11);
	deploy->old.samples = sqlite3_column_int64(row, 12);
	deploy->new.samples = sqlite3_column_int64(row, 13);
	deploy->old.cores = sqlite3_column_double(row, 14);
	deploy->new.cores = sqlite3_column_double(row, 15);
	deploy->first_end_ns = sqlite3_column_int64(row, 16);
	if (!deploy->exe || !is_time(deploy->time_ns) || !is_time(deploy->first_end_ns) ||
	    !is_time(deploy->ended_ns) || !is_time(deploy->judged_ns))
		book->deploys.count--;
	return 0;
}

static int take_change(struct book *book, sqlite3_stmt *row)
{
	int64_t id = sqlite3_column_int64(row, 0);
	struct book_change *change;
	int r;

	for (uint32_t i = 0; i < book->deploys.count; i++) {
		struct book_deploy *deploy = &book->deploys.at[i];

		if (deploy->id != id)
			continue;
		if (deploy->changes.count >= BOOK_MAX_CHANGES)
			return 0;
		change = array_push(&deploy->changes);
		r = change ? take_text(book, &change->function, row, 1) : -ENOMEM;
		if (r == 0)
			r = take_text(book, &change->module, row, 2);
		if (r < 0)
			return r;
		change->with_callees = sqlite3_column_int(row, 3);
		change->old = sqlite3_column_double(row, 4);
		change->new = sqlite3_column_double(row, 5);
		change->half = sqlite3_column_double(row, 6);
		return 0;
	}
	return 0;
}

/* Hands each row over. Returns 0 or as store_read. */
static int read_rows(struct book *book, struct store_reader *reader, const char *sql,
		     int (*take)(struct book *book, sqlite3_stmt *row))
{
	cleanup(statement) sqlite3_stmt *rows = NULL;
	int result = database_prepare(reader->db, &rows, sql), r = 0;

	while (result == SQLITE_OK && (result = sqlite3_step(rows)) == SQLITE_ROW) {
		r = take(book, rows);
		if (r < 0)
			return r;
		result = SQLITE_OK;
	}
	/* Tables of ours have these columns. */
	if (result == SQLITE_ERROR)
		result = SQLITE_CORRUPT;
	return result == SQLITE_DONE ? 0 : reader_result(reader, result);
}

static int read_scan(struct book *book, struct store_reader *reader)
{
	int result = database_number(reader->db, "SELECT scanned_ns FROM deploy_scan WHERE id = 1",
				     &book->scanned_ns);

	if (!is_time(book->scanned_ns))
		book->scanned_ns = 0;
	return reader_result(reader, result);
}

/* The limits of the statements are those of deploys.h: more than that we do not write. */
int book_read(struct book *book, struct store_reader *reader)
{
	bool has;
	int r;

	reader_begin(reader);
	r = reader_result(reader, has_tables(reader->db, &has));
	if (r != 0 || !has)
		return r;
	r = read_scan(book, reader);
	if (r == 0)
		r = read_rows(book, reader,
			      "SELECT id, unit, exe, build_id, first_ns, last_ns, samples,"
			      " is_current FROM build ORDER BY id LIMIT 8192",
			      take_build);
	if (r == 0)
		r = read_rows(
			book, reader,
			"SELECT id, time_ns, unit, exe, old_build_id, new_build_id, state,"
			" is_return, old_must_go, ended_ns, judged_ns, is_undecided,"
			" old_samples, new_samples, old_cores, new_cores, first_end_ns FROM deploy"
			" ORDER BY time_ns, id LIMIT 1024",
			take_deploy);
	if (r == 0)
		r = read_rows(book, reader,
			      "SELECT deploy, function, module, with_callees, old, new, half"
			      " FROM deploy_change ORDER BY deploy, rank LIMIT 12288",
			      take_change);
	return r;
}
_Static_assert(BOOK_MAX_BUILDS == 8192 && BOOK_MAX_DEPLOYS == 1024 &&
		       BOOK_MAX_DEPLOYS * BOOK_MAX_CHANGES == 12288,
	       "the limits of the statements");

/* ---- Writing. ---- */

struct writing {
	sqlite3 *db;
	struct book *book;
};

static void bind_string(sqlite3_stmt *statement, int index, const struct book *book, uint32_t id)
{
	bind_text(statement, index, book_text(book, id));
}

/* REAL has no infinity that everybody can read. */
static void bind_real(sqlite3_stmt *statement, int index, double value)
{
	(void)sqlite3_bind_double(statement, index, isfinite(value) ? value : 0);
}

static int forget(sqlite3 *db, const char *sql, const int64_t *ids, uint32_t count)
{
	cleanup(statement) sqlite3_stmt *statement = NULL;
	int result = count ? database_prepare(db, &statement, sql) : SQLITE_OK;

	for (uint32_t i = 0; result == SQLITE_OK && i < count; i++) {
		(void)sqlite3_bind_int64(statement, 1, ids[i]);
		result = statement_run(statement);
	}
	return result;
}

static int write_builds(struct writing *writing)
{
	cleanup(statement) sqlite3_stmt *statement = NULL;
	struct book *book = writing->book;
	int result = database_prepare(writing->db, &statement,
				      "INSERT OR REPLACE INTO build VALUES"
				      " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");

	for (uint32_t i = 0; result == SQLITE_OK && i < book->builds.count; i++) {
		struct book_build *build = &book->builds.at[i];

		if (!build->is_dirty)
			continue;
		bind_optional(statement, 1, build->id);
		bind_string(statement, 2, book, build->unit);
		bind_string(statement, 3, book, build->exe);
		bind_string(statement, 4, book, build->build_id);
		(void)sqlite3_bind_int64(statement, 5, build->first_ns);
		(void)sqlite3_bind_int64(statement, 6, build->last_ns);
		(void)sqlite3_bind_int64(statement, 7, build->samples);
		(void)sqlite3_bind_int(statement, 8, build->is_current);
		result = statement_run(statement);
		if (!build->id)
			build->id = sqlite3_last_insert_rowid(writing->db);
	}
	return result;
}

static int write_changes(struct writing *writing, const struct book_deploy *deploy)
{
	cleanup(statement) sqlite3_stmt *statement = NULL;
	const struct book *book = writing->book;
	int result =
		forget(writing->db, "DELETE FROM deploy_change WHERE deploy = ?1", &deploy->id, 1);

	if (result == SQLITE_OK)
		result = database_prepare(writing->db, &statement,
					  "INSERT INTO deploy_change VALUES"
					  " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
	for (uint32_t i = 0; result == SQLITE_OK && i < deploy->changes.count; i++) {
		const struct book_change *change = &deploy->changes.at[i];

		(void)sqlite3_bind_int64(statement, 1, deploy->id);
		(void)sqlite3_bind_int64(statement, 2, i + 1);
		(void)sqlite3_bind_text(statement, 3, book_text(book, change->function), -1,
					SQLITE_STATIC);
		bind_string(statement, 4, book, change->module);
		(void)sqlite3_bind_int(statement, 5, change->with_callees);
		bind_real(statement, 6, change->old);
		bind_real(statement, 7, change->new);
		bind_real(statement, 8, change->half);
		result = statement_run(statement);
	}
	return result;
}

static int write_deploys(struct writing *writing)
{
	cleanup(statement) sqlite3_stmt *statement = NULL;
	struct book *book = writing->book;
	int result =
		database_prepare(writing->db, &statement,
				 "INSERT OR REPLACE INTO deploy VALUES (?1, ?2, ?17, ?3, ?4, ?5,"
				 " ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)");

	for (uint32_t i = 0; result == SQLITE_OK && i < book->deploys.count; i++) {
		struct book_deploy *deploy = &book->deploys.at[i];

		if (!deploy->is_dirty)
			continue;
		bind_optional(statement, 1, deploy->id);
		(void)sqlite3_bind_int64(statement, 2, deploy->time_ns);
		bind_string(statement, 3, book, deploy->unit);
		bind_string(statement, 4, book, deploy->exe);
		bind_string(statement, 5, book, deploy->old_build);
		bind_string(statement, 6, book, deploy->new_build);
		(void)sqlite3_bind_int(statement, 7, (int)deploy->state);
		(void)sqlite3_bind_int(statement, 8, deploy->is_return);
		(void)sqlite3_bind_int(statement, 9, deploy->old_must_go);
		(void)sqlite3_bind_int64(statement, 10, deploy->ended_ns);
		(void)sqlite3_bind_int64(statement, 11, deploy->judged_ns);
		(void)sqlite3_bind_int(statement, 12, deploy->is_undecided);
		(void)sqlite3_bind_int64(statement, 13, deploy->old.samples);
		(void)sqlite3_bind_int64(statement, 14, deploy->new.samples);
		bind_real(statement, 15, deploy->old.cores);
		bind_real(statement, 16, deploy->new.cores);
		(void)sqlite3_bind_int64(statement, 17, deploy->first_end_ns);
		result = statement_run(statement);
		if (!deploy->id)
			deploy->id = sqlite3_last_insert_rowid(writing->db);
		if (result == SQLITE_OK)
			result = write_changes(writing, deploy);
	}
	return result;
}

static int write_scan(struct writing *writing)
{
	cleanup(statement) sqlite3_stmt *statement = NULL;
	int result = database_prepare(writing->db, &statement,
				      "INSERT OR REPLACE INTO deploy_scan VALUES (1, ?1)");

	if (result != SQLITE_OK)
		return result;
	(void)sqlite3_bind_int64(statement, 1, writing->book->scanned_ns);
	return statement_run(statement);
}

static int write_all(struct writing *writing)
{
	struct book *book = writing->book;
	int result = database_exec(writing->db, tables);

	if (result == SQLITE_OK)
		result = forget(writing->db, "DELETE FROM build WHERE id = ?1",
				book->gone_builds.at, book->gone_builds.count);
	if (result == SQLITE_OK)
		result = forget(writing->db, "DELETE FROM deploy WHERE id = ?1",
				book->gone_deploys.at, book->gone_deploys.count);
	if (result == SQLITE_OK)
		result = forget(writing->db, "DELETE FROM deploy_change WHERE deploy = ?1",
				book->gone_deploys.at, book->gone_deploys.count);
	if (result == SQLITE_OK)
		result = write_builds(writing);
	if (result == SQLITE_OK)
		result = write_deploys(writing);
	return result == SQLITE_OK ? write_scan(writing) : result;
}

/* It is what is on disk now. */
static void make_clean(struct book *book)
{
	for (uint32_t i = 0; i < book->builds.count; i++)
		book->builds.at[i].is_dirty = false;
	for (uint32_t i = 0; i < book->deploys.count; i++)
		book->deploys.at[i].is_dirty = false;
	book->gone_builds.count = book->gone_deploys.count = 0;
}

int book_write(struct book *book, const char *folder, struct bytes *why)
{
	cleanup(sqlite3_close) sqlite3 *db = NULL;
	struct writing writing = { .book = book };
	int r = database_open(&db, folder, DATABASE_WRITE, CACHE_BYTES, why), result;

	if (r != 0)
		return r;
	writing.db = db;
	result = database_exec(db, "BEGIN IMMEDIATE");
	if (result == SQLITE_OK)
		result = write_all(&writing);
	if (result == SQLITE_OK)
		result = database_exec(db, "COMMIT");
	if (result == SQLITE_OK)
		make_clean(book);
	return database_result(db, result, folder, why);
}
