/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile as text, or as one JSON object: one view of it at a time.
 *
 * A view is a row of a table (view.h) that knows how to write itself either way; what stands above it,
 * the recording and its quality, is the same for all.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/json.h"
#include "output/function_table.h"
#include "output/stream.h"
#include "profile/weights.h"
#include "report/source_file.h"

enum report_view {
	REPORT_FUNCTIONS, /* a table of all */
	REPORT_TREE,	  /* who called whom */
	REPORT_CALLERS,	  /* of the functions that are named */
	REPORT_CALLEES,
	REPORT_PEEK,	 /* both */
	REPORT_LINES,	 /* source lines of the functions that are named */
	REPORT_ANNOTATE, /* their instructions */
	REPORT_GROUPS,	 /* by module, process, thread or label */
	REPORT_WHAT_IF,	 /* what it is worth to make functions faster */
	REPORT_VIEWS,
};

enum report_group { GROUP_MODULE, GROUP_PROCESS, GROUP_THREAD, GROUP_LABEL };

/* A function made faster. */
struct what_if {
	const char *function; /* borrowed; see select.h */
	double left;	      /* of its time: 0 (gone) .. 1 */
};

struct report_options {
	enum report_view view;
	const char *function; /* of the views that are about some: see select.h; borrowed */
	enum function_order order;
	uint32_t limit;	 /* rows of a table, callees of a node; 0: what the view thinks right */
	double smallest; /* share; below 0: what the view thinks right */
	size_t width;	 /* columns */
	bool has_colours;
	enum report_group group;
	const char *label; /* the key, with GROUP_LABEL; borrowed */
	struct source_paths sources;
	const char *
		binary; /* path of the program to annotate; NULL: what the profile says; borrowed */
	ARRAY_OF(struct what_if) changes;
	/* Adds members to the JSON object: what is known beside the profile. NULL: nothing. */
	void (*add_json)(void *context, struct json *json);
	void *context;
};

/* Named outcome of report_write: reason says why, as "no function is called 'x'". */
enum { REPORT_REFUSED = 1 };

struct report_reason {
	char text[256];
};

/*
 * Writes the report; nothing where it is refused. profile: frozen; its main type is shown. whole: what shares are of, that
 * of a profile which this one is a part of; NULL: the profile itself.
 * Returns 0, REPORT_REFUSED or -ENOMEM; the stream keeps its own failure.
 */
int report_write(struct stream *stream, const struct profile *profile, const struct whole *whole,
		 const struct report_options *options, bool as_json, struct report_reason *reason);
