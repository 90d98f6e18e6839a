/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all segments share, by what it is: binaries, frames with their functions, programs (the
 * labels of a process without its pid). Found through a hash of it, added when it is not there.
 *
 * Names belong to (binary, address). Where a build ID says that the code is the same, a frame is
 * named once, or better. Where nothing does (generated code, the kernel after a reboot), one
 * address with another name is another frame, and the one added last is the one that counts.
 */
#pragma once

#include <sqlite3.h>
#include <stdint.h>

#include "profile/profile.h"

enum symbols_statement {
	SYMBOLS_FIND_BINARY,
	SYMBOLS_ADD_BINARY,
	SYMBOLS_FIND_SOURCE,
	SYMBOLS_ADD_SOURCE,
	SYMBOLS_FIND_FUNCTION,
	SYMBOLS_ADD_FUNCTION,
	SYMBOLS_FIND_FRAME,
	SYMBOLS_ADD_FRAME,
	SYMBOLS_NAME_FRAME,
	SYMBOLS_FIND_PROGRAM,
	SYMBOLS_ADD_PROGRAM,
	SYMBOLS_STATEMENTS,
};

struct symbols {
	sqlite3 *db;
	sqlite3_stmt *statements[SYMBOLS_STATEMENTS];
};

/* Texts of a program; numbers as text, too. In the order of the table's columns. */
enum program_text {
	PROGRAM_COMM,
	PROGRAM_EXE,
	PROGRAM_BUILD_ID,
	PROGRAM_USER,
	PROGRAM_CGROUP,
	PROGRAM_UNIT,
	PROGRAM_CONTAINER,
	PROGRAM_POD,
	PROGRAM_TEXTS,
};

struct program {
	const char *texts[PROGRAM_TEXTS]; /* "": none */
	int64_t uid;			  /* -1: none */
};

/* The keys of labels, by program_text. */
extern const char *const program_keys[PROGRAM_TEXTS];

/* How much is known of a frame: more is better. */
struct frame_knowledge {
	uint32_t id;	 /* row */
	uint32_t name;	 /* hash of its function's name; 0: none */
	uint32_t detail; /* frame_detail */
};

/* All of these return a result of SQLite; symbols_fini accepts what symbols_init left half done. */
int symbols_init(struct symbols *symbols, sqlite3 *db);
void symbols_fini(struct symbols *symbols);

int symbols_binary(struct symbols *symbols, const struct profile *profile,
		   const struct profile_mapping *mapping, uint32_t *ret);
int symbols_program(struct symbols *symbols, const struct program *program, uint32_t *ret);

/* How much a profile says about a location, and the hash of its (outermost) function's name. */
uint32_t frame_detail(const struct profile *profile, uint32_t location);
uint32_t frame_name_hash(const struct profile *profile, uint32_t location);
/* Whether what the history knows is to be told anew, as better (or other) names are there. */
bool frame_is_news(const struct profile *profile, uint32_t location,
		   const struct frame_knowledge *known);
/*
 * The row of a location: found, named (better), or added. known->id: of the row that is known
 * already; 0: none. Fills *known.
 */
int symbols_frame(struct symbols *symbols, const struct profile *profile, uint32_t location,
		  uint32_t binary, struct frame_knowledge *known);
