/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind object_names.h know of each other. */
#pragma once

#include <stdbool.h>

#include "base/array.h"
#include "elf/function_extents.h"
#include "elf/function_starts.h"
#include "elf/gopclntab_lines.h"
#include "elf/symbol_table.h"
#include "symbol/kept_names.h"
#include "symbol/object_names.h"

enum { CANDIDATES_MAX = 16 };

struct object_names {
	struct object *object;	      /* a reference */
	struct symbol_table *symbols; /* NULL: cannot be read */
	struct function_starts starts;
	struct gopclntab go;
	struct gopclntab_lines *go_lines; /* NULL: they were not asked for so far */
	struct function_extents extents;  /* read when all others are silent */
	bool extents_read;
	bool for_lines;	     /* whoever asks has little time, and another who has more */
	bool declined;	     /* a function could be told only by decoding more code than that */
	int debug_fd;	     /* the file with DWARF, until that is opened; -1 */
	bool lacks_dwarf;    /* there is no such file */
	struct dwarf *dwarf; /* NULL: there is none, or it was not asked for so far */
	struct strtab texts; /* of frames */
	/* Of an earlier recording. As long as it has all answers, nothing else is opened. */
	struct kept_names kept;
	bool is_open;
	int candidates[CANDIDATES_MAX]; /* for the debug file, until then */
	unsigned candidate_count;
	ARRAY_OF(uint64_t) asked; /* and not kept, in any order */
	uint64_t cost_ns;	  /* CPU time that those took, with opening what they needed */
	/* The symbol that was looked up last for what is kept, and its name in texts; 0: none. */
	struct found_function last;
	uint32_t last_text;
};

/* object_names.c: what an address comes from, asked of the program, whatever is kept of it. */

/* Its function. Returns 0, -EOPNOTSUPP (whoever asks has not the time for it) or a negative errno. */
int object_names_function(struct object_names *names, uint64_t address, struct found_function *ret);
/* Its frames, out of debug information. Returns 0, -ENOENT or another negative errno. */
int object_names_lines(struct object_names *names, uint64_t address, struct source_frames *ret);
