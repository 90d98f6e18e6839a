/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each instruction of a function used, and the source line that it comes from.
 *
 * A function here is what the program has under one symbol: where the functions that are meant were
 * inlined, it is the one that they became a part of. Programs are opened by their paths in the profile,
 * and read in the reader process; one with another build ID than the profile has is refused.
 */
#pragma once

#include "report/source_file.h"
#include "report/view.h"
#include "worker/ask_code.h"

/* A program or library of the profile. */
struct code_binary {
	uint32_t file, build_id; /* strings of the profile */
	struct object *object;	 /* NULL: not opened so far */
	bool is_same_build;	 /* as was recorded; else nobody can tell */
	bool is_refused;	 /* it cannot be had */
};

/* What an instruction used, and where it comes from. */
struct instruction_cost {
	int64_t self, total;
	uint32_t source, line; /* in sources, + 1; 0: not known */
};

/* A function as the program has it. */
struct code_routine {
	uint32_t binary;
	struct code_listing code;
	struct instruction_cost *costs; /* by instruction */
	int64_t self, total;
};

/* A source file that instructions come from. */
struct code_source {
	char *path; /* as debug information has it */
	struct source_file file;
};

struct annotation {
	struct report *report;
	struct workers workers;
	ARRAY_OF(struct code_binary) binaries;
	uint32_t *of_mappings;	   /* by mapping: binary */
	int64_t *selves, *totals;  /* by location */
	ARRAY_OF(uint32_t) wanted; /* locations that are meant, the heaviest first */
	ARRAY_OF(struct code_routine) routines;
	ARRAY_OF(struct code_source) sources;
	size_t source_bytes; /* of all of them */
	bool has_more;	     /* functions that are not shown */
	/* Why the heaviest of those that cannot be shown is not; "": all can. */
	struct report_reason refused;
};

/*
 * Finds and weighs the functions that report->options names, the heaviest instruction's first. annotation:
 * all zero; free with annotation_fini in any case; it stays where it is until then.
 * Returns 0, REPORT_REFUSED or -ENOMEM.
 */
int annotation_find(struct annotation *annotation, struct report *report);
void annotation_fini(struct annotation *annotation);
static inline void annotation_fini_cleanup(struct annotation *annotation)
{
	annotation_fini(annotation);
}
