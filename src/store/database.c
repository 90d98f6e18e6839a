// SPDX-License-Identifier: Apache-2.0
#include "store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "store/schema.h"
#include "store/store.h"

/* How long to wait for who writes: it is the tidier, and takes a second of CPU at most. */
enum { BUSY_MS = 60000 };

static int errno_of(sqlite3 *db, int result)
{
	int system = db ? sqlite3_system_errno(db) : 0;

	switch (result & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	/* Rows that are there although they cannot be. */
	case SQLITE_CONSTRAINT:
		return STORE_DAMAGED;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_TOOBIG:
		return -EFBIG;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_INTERRUPT:
		return -EINTR;
	case SQLITE_CANTOPEN:
		return system ? -system : -ENOENT;
	case SQLITE_IOERR:
		/* A file cut short is damaged, not a disk that fails. */
		return result == SQLITE_IOERR_SHORT_READ ? STORE_DAMAGED : system ? -system : -EIO;
	default:
		return -EINVAL;
	}
}

static const char *words_for(int r)
{
	switch (r) {
	case STORE_DAMAGED:
		return "the file is damaged";
	case -ENOSPC:
		return "no space left on the disk";
	case -EROFS:
		return "it cannot be written (read-only)";
	case -EBUSY:
		return "somebody else keeps it locked";
	default:
		return r < 0 ? strerror(-r) : "";
	}
}

/*
 * Whether a statement failed because tables lack what ours have: the schema is text in the file,
 * too.
 */
static bool is_other_schema(sqlite3 *db, int result)
{
	static const char *const words[] = { "no such table", "no such column", "has no column",
					     "values were supplied" };

	for (size_t i = 0; db && (result & 0xff) == SQLITE_ERROR && i < ARRAY_SIZE(words); i++)
		if (strstr(sqlite3_errmsg(db), words[i]))
			return true;
	return false;
}

int database_result(sqlite3 *db, int result, const char *path, struct bytes *why)
{
	int r = is_other_schema(db, result) ? STORE_DAMAGED : errno_of(db, result);

	if (r == -EINVAL && db)
		/* What was undone meanwhile has other words. */
		bytes_add_format(why, "history %s: %s", path,
				 sqlite3_extended_errcode(db) == result ? sqlite3_errmsg(db)
									: sqlite3_errstr(result));
	else if (r != 0)
		bytes_add_format(why, "history %s: %s", path, words_for(r));
	return r;
}

int database_prepare(sqlite3 *db, sqlite3_stmt **ret, const char *sql)
{
	return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
}

int statement_run(sqlite3_stmt *statement)
{
	int result;

	do
		result = sqlite3_step(statement);
	while (result == SQLITE_ROW);
	if (result == SQLITE_DONE)
		result = SQLITE_OK;
	(void)sqlite3_reset(statement);
	return result;
}

int database_exec(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

int database_number(sqlite3 *db, const char *sql, int64_t *ret)
{
	cleanup(statement) sqlite3_stmt *statement = NULL;
	int result = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	*ret = 0;
	if (result != SQLITE_OK)
		return result;
	result = sqlite3_step(statement);
	if (result == SQLITE_ROW)
		*ret = sqlite3_column_int64(statement, 0);
	return result == SQLITE_ROW || result == SQLITE_DONE ? SQLITE_OK : result;
}

void bind_text(sqlite3_stmt *statement, int index, const char *text)
{
	if (text && *text)
		(void)sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
	else
		(void)sqlite3_bind_null(statement, index);
}

void bind_bytes(sqlite3_stmt *statement, int index, const struct bytes *bytes)
{
	if (bytes->size)
		(void)sqlite3_bind_text64(statement, index, bytes->at, bytes->size, SQLITE_STATIC,
					  SQLITE_UTF8);
	else
		(void)sqlite3_bind_null(statement, index);
}

void bind_optional(sqlite3_stmt *statement, int index, int64_t value)
{
	if (value)
		(void)sqlite3_bind_int64(statement, index, value);
	else
		(void)sqlite3_bind_null(statement, index);
}

const char *column_text(sqlite3_stmt *statement, int column)
{
	const unsigned char *text = sqlite3_column_text(statement, column);

	return text ? (const char *)text : "";
}

/* Settings that the file does not keep. */
static int set_up(sqlite3 *db, uint32_t cache_bytes)
{
	char sql[256];

	(void)sqlite3_extended_result_codes(db, 1);
	(void)sqlite3_busy_timeout(db, BUSY_MS);
	/*
	 * The file may be anybody's work: no functions with effects in its schema, no writes to it.
	 */
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	snprintf(sql, sizeof(sql),
		 "PRAGMA cell_size_check = 1; PRAGMA mmap_size = 0; PRAGMA synchronous = NORMAL;"
		 "PRAGMA cache_size = -%u; PRAGMA wal_autocheckpoint = 256;"
		 "PRAGMA journal_size_limit = 4194304; PRAGMA temp_store = MEMORY",
		 cache_bytes / 1024);
	return database_exec(db, sql);
}

/* Our names are tables, not views that a stranger has made to keep us busy. */
static int check_tables(sqlite3 *db, bool *ret_ours)
{
	int64_t count;
	int result = database_number(
		db,
		"SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('segment',"
		" 'slice', 'binary', 'source', 'function', 'frame', 'program')"
		" AND sql NOT LIKE 'CREATE VIRTUAL%'",
		&count);

	*ret_ours = count == 7;
	return result;
}

static int check(sqlite3 *db, const char *path, struct bytes *why)
{
	int64_t version = 0, application = 0, tables = 0;
	bool ours = false;
	int result = database_number(db, "PRAGMA user_version", &version);

	if (result == SQLITE_OK)
		result = database_number(db, "PRAGMA application_id", &application);
	if (result == SQLITE_OK && application == STORE_APPLICATION_ID && version > STORE_VERSION) {
		bytes_add_format(why,
				 "history %s: a newer profd made it (version %lld, this one knows"
				 " %d): use that one, or move the file away",
				 path, (long long)version, STORE_VERSION);
		return STORE_NEWER;
	}
	if (result == SQLITE_OK)
		result = database_number(db, "SELECT count(*) FROM sqlite_schema", &tables);
	if (result == SQLITE_OK && !application && !version && !tables) {
		bytes_add_format(why, "history %s: nothing was written yet", path);
		return STORE_MISSING;
	}
	if (result == SQLITE_OK)
		result = check_tables(db, &ours);
	if (result == SQLITE_OK && (application != STORE_APPLICATION_ID || !ours)) {
		bytes_add_format(why, "history %s: it is no history of profd", path);
		return STORE_DAMAGED;
	}
	return database_result(db, result, path, why);
}

static int open_one(sqlite3 **ret, const char *name, int flags, uint32_t cache_bytes,
		    const char *path, struct bytes *why)
{
	cleanup(sqlite3_close) sqlite3 *db = NULL;
	int result = sqlite3_open_v2(name, &db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
				     NULL),
	    r;

	if (result == SQLITE_OK)
		result = set_up(db, cache_bytes);
	r = result == SQLITE_OK ? check(db, path, why) : database_result(db, result, path, why);
	if (r == 0)
		*ret = TAKE_PTR(db);
	return r;
}

/* As a URI: bytes that mean something there are written as numbers. */
static void add_uri(struct bytes *ret, const char *path)
{
	bytes_add_str(ret, "file:");
	for (; *path; path++) {
		if (strchr("?#% ", *path))
			bytes_add_format(ret, "%%%02x", (unsigned char)*path);
		else
			bytes_add_char(ret, *path);
	}
	bytes_add_str(ret, "?immutable=1");
}

int database_open(sqlite3 **ret, const char *folder, enum database_use use, uint32_t cache_bytes,
		  struct bytes *why)
{
	cleanup(free) char *path = NULL, *wal = NULL, *shm = NULL;
	cleanup(bytes_fini) struct bytes uri = {};
	struct stat status;
	int r;

	if (asprintf(&path, "%s/" STORE_FILE, folder) < 0)
		return path = NULL, -ENOMEM;
	if (asprintf(&wal, "%s-wal", path) < 0)
		return wal = NULL, -ENOMEM;
	if (asprintf(&shm, "%s-shm", path) < 0)
		return shm = NULL, -ENOMEM;
	if (stat(path, &status) < 0) {
		r = -errno;
		bytes_add_format(why, "history %s: %s", path,
				 r == -ENOENT ? "there is none: is 'profd daemon' running?"
					      : strerror(errno));
		return r == -ENOENT || r == -ENOTDIR ? STORE_MISSING : r;
	}
	/* A pipe would wait, a device might do something. */
	if (!S_ISREG(status.st_mode)) {
		bytes_add_format(why, "history %s: it is no file", path);
		return STORE_DAMAGED;
	}
	if (use == DATABASE_READ && access(path, R_OK) < 0) {
		r = -errno;
		bytes_add_format(why, "history %s: %s: members of its group may read it", path,
				 strerror(errno));
		return r;
	}
	if (use == DATABASE_WRITE)
		return open_one(ret, path, SQLITE_OPEN_READWRITE, cache_bytes, path, why);
	/*
	 * Without anybody who writes, the files that readers and writers share are not there, and
	 * who may not write the folder cannot make them.
	 */
	if (access(folder, W_OK) < 0 && access(wal, F_OK) < 0) {
		add_uri(&uri, path);
		if (!bytes_str(&uri))
			return -ENOMEM;
		return open_one(ret, uri.at, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, cache_bytes,
				path, why);
	}
	/* A copy of what was being written, or what a crash has left. */
	if (access(folder, W_OK) < 0 && access(shm, F_OK) < 0) {
		bytes_add_format(why,
				 "history %s: it was left in the middle of writing: until the"
				 " daemon runs again, only who may write its folder can read it",
				 path);
		return -EACCES;
	}
	return open_one(ret, path, SQLITE_OPEN_READONLY, cache_bytes, path, why);
}

int database_create(const char *folder, struct bytes *why)
{
	cleanup(sqlite3_close) sqlite3 *db = NULL;
	cleanup(free) char *path = NULL;
	char numbers[128];
	int result;

	if (asprintf(&path, "%s/" STORE_FILE, folder) < 0)
		return path = NULL, -ENOMEM;
	result = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, NULL);
	snprintf(numbers, sizeof(numbers), "PRAGMA application_id = %d; PRAGMA user_version = %d",
		 STORE_APPLICATION_ID, STORE_VERSION);
	/*
	 * Before the first table: the mode of vacuum and the size of pages cannot be changed later.
	 */
	if (result == SQLITE_OK)
		result = database_exec(db,
				       "PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL;"
				       "PRAGMA journal_mode = WAL; BEGIN IMMEDIATE");
	if (result == SQLITE_OK)
		result = database_exec(db, schema_tables);
	if (result == SQLITE_OK)
		result = database_exec(db, schema_views);
	if (result == SQLITE_OK)
		result = database_exec(db, numbers);
	if (result == SQLITE_OK)
		result = database_exec(db, "COMMIT");
	return database_result(db, result, path, why);
}
