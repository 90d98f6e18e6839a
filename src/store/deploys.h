/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the history remembers about versions of programs, for longer than it keeps windows: which
 * builds of them ran, and what each change of build has changed. Who decides what such a change is, is
 * query/watch.h; here it is only kept.
 *
 * A book is all of it in memory. It has bounds, so that nothing grows without end: the builds and the
 * deploys that were seen longest ago are forgotten.
 */
#pragma once

#include <stdbool.h>

#include "base/strtab.h"
#include "store/reader.h"

enum {
	BOOK_MAX_BUILDS = 8192,
	BOOK_MAX_DEPLOYS = 1024,
	BOOK_MAX_CHANGES = 12, /* of one deploy */
	BOOK_MAX_TEXT = 4096,  /* bytes of a name or path; what is longer is not kept */
};

/* The latest time that is believed, in 2116: what is added to it stays a time. */
#define BOOK_MAX_NS (INT64_MAX / 2)

/* A program as a build, in a unit; times are those of windows, CLOCK_REALTIME. */
struct book_build {
	int64_t id;		      /* in the database; 0: not there yet */
	uint32_t unit, exe, build_id; /* strings of the book; unit 0: of none */
	uint32_t program;	      /* see book_add_program */
	int64_t first_ns, last_ns; /* begin of the first, end of the last window with any of it */
	int64_t samples;
	bool is_current; /* of its program in its unit: what a new one is compared with */
	bool is_dirty;	 /* not yet written like this */
};

enum book_state {
	BOOK_WATCHED, /* perhaps: it is not yet known whether the new build stays */
	BOOK_WAITS,   /* it was one; there is not yet enough of it to judge */
	BOOK_JUDGED,
};

/* How a function's share of the program's CPU time has changed, by more than noise. */
struct book_change {
	uint32_t function, module; /* strings of the book */
	bool with_callees;
	double old, new, half; /* shares; new - old ± half is its 95 % interval */
};

struct book_side {
	int64_t samples;
	double cores;
};

/* A change of build. */
struct book_deploy {
	int64_t id;
	uint32_t unit, exe, old_build, new_build; /* strings of the book */
	uint32_t program;
	int64_t time_ns;      /* begin of the first window with the new build */
	int64_t first_end_ns; /* end of that window, at the latest */
	int64_t ended_ns;     /* when the next one came; 0: none has */
	enum book_state state;
	bool is_return;	   /* the new build had run before: a rollback */
	bool old_must_go;  /* it is none as long as the old build runs on */
	int64_t judged_ns; /* 0: not yet */
	bool is_undecided; /* judged, but there were too few samples to compare */
	struct book_side old, new;
	ARRAY_OF(struct book_change) changes; /* what became dearer first, then the largest */
	bool is_dirty;
};

struct book {
	struct strtab strings;
	ARRAY_OF(struct book_build) builds;
	ARRAY_OF(struct book_deploy) deploys;	     /* in the order of time */
	ARRAY_OF(int64_t) gone_builds, gone_deploys; /* ids that are to be forgotten */
	int64_t scanned_ns; /* all windows that end before it were looked at */
};

int book_init(struct book *book);
void book_fini(struct book *book);
static inline void book_fini_cleanup(struct book *book)
{
	book_fini(book);
}
static inline const char *book_text(const struct book *book, uint32_t id)
{
	return strtab_get(&book->strings, id);
}

/*
 * What is the same program, whatever its build: in a unit the name of its file, as releases may have
 * folders of their own, outside of one the whole path. Returns 0 or -ENOMEM.
 */
int book_add_program(struct book *book, uint32_t *ret, uint32_t unit, uint32_t exe);
/* Keeps others from changing what is kept, and from tidying, as long as *ret_fd is open. Returns 0, STORE_BUSY or
   -errno, with *why. */
int book_lock(int *ret_fd, const char *folder, struct bytes *why);
/* Reads what is kept into an empty book; nothing is kept yet: it stays empty. Returns as store_read. */
int book_read(struct book *book, struct store_reader *reader);
/*
 * Writes what has changed, all or nothing. folder: of a history that is there. Returns as store_tidy.
 */
int book_write(struct book *book, const char *folder, struct bytes *why);
