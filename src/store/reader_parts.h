/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that read the history. */
#pragma once

#include "store/codec.h"
#include "store/database.h"
#include "store/reader.h"
#include "store/symbols.h"

enum reader_statement {
	READ_SEGMENTS, /* that overlap: from, until */
	READ_SLICES,   /* of a segment: first and last rowid */
	READ_PROGRAM,
	READ_FRAME,
	READ_BINARY,
	READ_FUNCTION,
	READ_EXTENT,
	READER_STATEMENTS,
};

struct store_reader {
	sqlite3 *db;
	char *path;
	sqlite3_stmt *statements[READER_STATEMENTS];
	struct bytes why;
};

/* A slice, while its row is borrowed. */
struct read_slice {
	int64_t begin_ns, duration_ns, period_ns, thin_ns;
	int64_t samples, cpu_ns, lost;
	uint32_t cpus;
	/* The part that is in the interval. */
	int64_t from_ns, until_ns;
	double part;
	const char *entries, *thinned;
	size_t entries_size, thinned_size;
};

/* What happens with what is read; results below 0 or above end it and are handed up. */
struct walk {
	/* A slice that overlaps, after `tree` has what it needs. */
	int (*slice)(void *context, const struct tree *tree, const struct read_slice *slice);
	/* After the last slice of a segment. */
	int (*segment)(void *context, const struct tree *tree);
	void *context;
};

/* store_reader_open, or one for who also writes. */
int reader_open(struct store_reader **ret, const char *folder, enum database_use use,
		struct bytes *why);
/* Forgets what the last call said. */
void reader_begin(struct store_reader *reader);
/* A result of SQLite, kept in `why`. */
int reader_result(struct store_reader *reader, int result);
/* -EBADMSG of the decoders is a damaged file. */
int reader_bad(struct store_reader *reader, int r);

/*
 * All slices that overlap [from_ns, until_ns), segment by segment, in the order in which they were
 * written.
 */
int reader_walk(struct store_reader *reader, int64_t from_ns, int64_t until_ns,
		const struct walk *walk);

/* All slices of one segment. -EBADMSG: it is damaged. */
int reader_walk_segment(struct store_reader *reader, int64_t id, int64_t thin_ns,
			const struct walk *walk);

/*
 * Labels of a program; texts are borrowed until the statement's next use. Returns 0 or as
 * store_read; *ret_found.
 */
int reader_program(struct store_reader *reader, uint32_t id, struct program *ret, bool *ret_found);

/* Whether a query chooses this process. */
bool query_chooses(const struct store_query *query, const struct program *program, int64_t pid);
