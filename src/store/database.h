/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite as the store uses it: opening, statements, and what its errors are called here. */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"

/* Below the folder. */
#define STORE_FILE "history.db"
#define STORE_LOCK "lock"
#define STORE_TIDY_LOCK "tidy.lock"
/* Made by who reads a damaged file, for who writes it. */
#define STORE_DAMAGED_MARK "history.db.is-damaged"

static inline void sqlite3_close_cleanup(sqlite3 **db)
{
	(void)sqlite3_close_v2(*db);
}

/* cleanup(statement): ends it. */
static inline void statement_cleanup(sqlite3_stmt **statement)
{
	(void)sqlite3_finalize(*statement);
}

/*
 * What a result of SQLite is here: 0 (OK, ROW, DONE), STORE_DAMAGED, or a negative errno. path: of
 * the file, for *why, which gets a line unless it is 0. db may be NULL.
 */
int database_result(sqlite3 *db, int result, const char *path, struct bytes *why);

enum database_use {
	DATABASE_WRITE, /* one that is there, for writing: with STORE_VERSION and our tables */
	DATABASE_READ,
};
/*
 * Opens FOLDER/history.db and makes sure that it is ours: STORE_MISSING, STORE_NEWER, STORE_DAMAGED
 * or a negative errno otherwise, and *why has a line. cache_bytes: for its pages.
 */
int database_open(sqlite3 **ret, const char *folder, enum database_use use, uint32_t cache_bytes,
		  struct bytes *why);
/* Makes the empty file with our tables, in WAL mode: its path exists and has no bytes. */
int database_create(const char *folder, struct bytes *why);

/* Results of SQLite. */
int database_prepare(sqlite3 *db, sqlite3_stmt **ret, const char *sql);
/* Runs to the end and makes the statement ready for the next time; SQLITE_OK when done. */
int statement_run(sqlite3_stmt *statement);
int database_exec(sqlite3 *db, const char *sql);
/* The number that a statement without parameters says; *ret is 0 when it says none. */
int database_number(sqlite3 *db, const char *sql, int64_t *ret);

/* Texts that may be NULL; they must stay until the statement is reset. "" is NULL. */
void bind_text(sqlite3_stmt *statement, int index, const char *text);
void bind_bytes(sqlite3_stmt *statement, int index, const struct bytes *bytes);
/* 0 is NULL. */
void bind_optional(sqlite3_stmt *statement, int index, int64_t value);
/* A column's text: "" when NULL. Borrowed until the next step. */
const char *column_text(sqlite3_stmt *statement, int column);
