/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the history, while it is written or not. Nothing is trusted: it is a file.
 *
 * Windows are the grain: one that is only partly in the interval counts by the part that is, each
 * of its samples being in or out. The interval is [from_ns, until_ns) of CLOCK_REALTIME.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "profile/profile.h"
#include "store/store.h"

struct store_reader;

/*
 * folder: NULL: STORE_DEFAULT_FOLDER. Returns 0, STORE_MISSING, STORE_NEWER, STORE_DAMAGED,
 * STORE_ABSENT or a negative errno (-EACCES, ...); whenever it is not 0, *why has a line for a
 * person.
 */
int store_reader_open(struct store_reader **ret, const char *folder, struct bytes *why);
/* Accepts NULL. */
void store_reader_close(struct store_reader *reader);
DEFINE_CLEANUP(struct store_reader, store_reader_close);
/* Why the last call failed, for a person; "" when it did not. Borrowed until the next call. */
const char *store_reader_why(const struct store_reader *reader);

/*
 * All given conditions must hold; texts are those of the labels; NULL or 0: any. Patterns are those
 * of fnmatch(3). What has no such label does not match.
 */
struct store_query {
	int64_t from_ns, until_ns;
	const int32_t *pids; /* one of pid_count */
	uint32_t pid_count;
	const char *comm; /* pattern; several separated by commas */
	const char *exe;  /* pattern over the path, or over its last part where it has no slash */
	const char *unit; /* pattern */
	const char *container; /* the id, or its first characters (6 at least) */
	const char *pod;       /* uid */
	const char *user;      /* name or number */
	bool has_uid;
	uint32_t uid;
	const char *cgroup;   /* path: it and all below it */
	const char *build_id; /* of the executable */
	uint64_t limit_bytes; /* on the memory that the answer takes; 0: none */
};

/* What stands behind an answer. */
struct store_answer {
	uint32_t windows;	   /* that overlap the interval, whatever they hold */
	int64_t first_ns, last_ns; /* begin of the first one, end of the last one; 0 without any */
	int64_t covered_ns;	   /* of the interval: time in which profd recorded */
	uint32_t gaps; /* stretches of a second or more between windows in which it did not */
	int64_t longest_window_ns; /* the grain: how coarse old history has become */
	int64_t samples, cpu_ns;   /* of what the query chose */
	int64_t all_cpu_ns;	   /* of all that was recorded in the interval */
	int64_t thinned_ns;	   /* of cpu_ns: told by samples that stand for several */
	int64_t thin_ns;	   /* how much CPU time the heaviest of them stands for; 0: none */
	double cores;		   /* all_cpu_ns / covered_ns */
	uint32_t cpus;		   /* the most that a window says */
	uint64_t lost;
};

/*
 * Everything that the query chose, as one profile that is not frozen: types samples/count and
 * cpu/nanoseconds; the labels of store_add_window; meta as of a recording, without texts. A profile
 * without samples when nothing was recorded: see answer->windows. Returns 0, STORE_TOO_LARGE,
 * STORE_DAMAGED or a negative errno.
 */
int store_read(struct store_reader *reader, const struct store_query *query, struct profile **ret,
	       struct store_answer *answer);

/* Returns 0 to go on; anything else ends the reading and is handed up. Takes the profile over. */
typedef int (*store_profile_fn)(void *context, struct profile *profile,
				const struct store_answer *answer);
/*
 * The same, cut into consecutive stretches of step_ns (the last one may be shorter), in the order
 * of time: for what varies. Stretches in which nothing was recorded are left out.
 */
int store_read_steps(struct store_reader *reader, const struct store_query *query, int64_t step_ns,
		     store_profile_fn each, void *context);

enum store_key {
	STORE_BY_UNIT,
	STORE_BY_COMM,
	STORE_BY_EXE,
	STORE_BY_CONTAINER,
	STORE_BY_POD,
	STORE_BY_USER,
	STORE_BY_CGROUP,
	STORE_BY_PID,
	STORE_BY_BUILD_ID,
	STORE_KEYS,
};

struct store_row {
	const char *text; /* "" where there is no such label; of a pid: its number */
	const char *exe;  /* BY_BUILD_ID, BY_PID: the executable; else "" */
	const char *unit; /* BY_BUILD_ID, BY_PID: the unit; else "" */
	int64_t samples, cpu_ns;
	int64_t first_ns, last_ns; /* begin of the first, end of the last window with any of it */
};

struct store_rows {
	ARRAY_OF(struct store_row) rows; /* most CPU time first */
	struct strtab strings;		 /* owns the texts: read them after store_list only */
};

void store_rows_fini(struct store_rows *rows);
static inline void store_rows_fini_cleanup(struct store_rows *rows)
{
	store_rows_fini(rows);
}

/* CPU time by one label. Returns as store_read. */
int store_list(struct store_reader *reader, const struct store_query *query, enum store_key key,
	       struct store_rows *ret, struct store_answer *answer);

/* From when to when there is history; both 0 when there is none. Returns 0 or as store_read. */
int store_extent(struct store_reader *reader, int64_t *ret_from_ns, int64_t *ret_until_ns);
