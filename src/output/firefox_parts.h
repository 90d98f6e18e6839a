/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the Firefox Profiler's format; firefox.c says what it is. */
#pragma once

#include "base/array.h"
#include "base/hash.h"
#include "base/strtab.h"
#include "output/viewed.h"

#define FIREFOX_NONE UINT32_MAX /* no row: null in the file */

/* Kinds of code; the first one is what readers take where there is none. */
struct firefox_category {
	const char *name, *color;
	enum location_kind kind;
};

enum { FIREFOX_CATEGORIES = 6 };

extern const struct firefox_category firefox_categories[FIREFOX_CATEGORIES];

/* A function as the file has it: in one module. */
struct firefox_symbol {
	uint32_t frame;	  /* of viewed: name, source and module */
	uint64_t address; /* the lowest one that was seen */
	uint32_t native;  /* row in the table of symbols, FIREFOX_NONE */
};

struct firefox_stack {
	uint32_t frame, prefix; /* line of the profile; row, FIREFOX_NONE */
};

struct firefox {
	struct viewed viewed; /* its frames are the functions */
	struct viewed_page page;
	struct strtab strings; /* clean */
	ARRAY_OF(struct firefox_stack) stacks;
	uint32_t *stack_of;		/* by stack of the profile: row of its leaf, FIREFOX_NONE */
	struct firefox_symbol *symbols; /* by frame of viewed */
	uint32_t native_count;
	uint32_t *location_of;	      /* by line of the profile */
	uint32_t *library_of;	      /* by string: row, FIREFOX_NONE */
	ARRAY_OF(uint32_t) libraries; /* mapping, the first one of a path */
	uint32_t *source_of;	      /* by string: row, FIREFOX_NONE */
	ARRAY_OF(uint32_t) sources;   /* string */
	struct hash_index index;      /* of stacks */
};

/* ---- firefox_rows.c: what is a row of which table ---- */

/* Fills a zeroed one. Returns 0 or a negative errno; to be freed in any case. The profile is borrowed. */
int firefox_prepare(struct firefox *firefox, const struct profile *profile);
void firefox_fini(struct firefox *firefox);
/* `count` rows that are none, the caller's to free. NULL: out of memory. */
uint32_t *firefox_rows(uint32_t count);

/* ---- firefox_tables.c ---- */

/* The tables that all threads share, strings last: what threads name must have been added by then. */
void firefox_add_shared(struct firefox *firefox);
/* A row of another table, or null. */
void firefox_row(struct viewed_page *page, uint32_t row);
/* A column that says the same in every row; value: JSON. */
void firefox_constant(struct viewed_page *page, const char *key, uint32_t count, const char *value);
void firefox_end_table(struct viewed_page *page, uint32_t count);

/* ---- firefox_threads.c ---- */

/* One of the threads of `viewed`, with its samples. */
void firefox_add_thread(struct firefox *firefox, uint32_t index);
