/* SPDX-License-Identifier: Apache-2.0 */
/* What a view is made of, and what views share. */
#pragma once

#include "base/json.h"
#include "output/page.h"
#include "report/report.h"

struct report {
	const struct report_options *options; /* borrowed */
	const struct profile *profile;	      /* borrowed */
	const struct call_tree *tree;	      /* borrowed */
	struct weights weights;
	struct stream *stream;	      /* borrowed */
	struct report_reason *reason; /* borrowed */
};

struct view {
	const char *name; /* in JSON */
	/* Both return 0, REPORT_REFUSED, with a reason, or -ENOMEM. */
	int (*text)(struct report *report, struct page *page);
	int (*json)(struct report *report, struct json *json);
};

extern const struct view view_functions, view_tree, view_callers, view_callees, view_peek,
	view_lines, view_annotate, view_groups, view_what_if;

/* Fills the reason and returns REPORT_REFUSED. */
int report_refuse(struct report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Writes what there is of a large object so far: from now on it cannot be refused any more. */
void report_json_flush(struct report *report, struct json *json);

/* A line that lists of what functions hold begin with: shares, name and the file that it is in. */
void report_add_routine(struct page *page, int64_t self, int64_t total, const char *name,
			const char *path);

/* What people have asked for, or else the view's own. */
static inline uint32_t report_limit(const struct report *report, uint32_t own)
{
	return report->options->limit ? report->options->limit : own;
}
static inline double report_smallest(const struct report *report, double own)
{
	return report->options->smallest >= 0 ? report->options->smallest : own;
}

/* "self": { "weight", "share", "low", "high" }; no interval is null, null. */
void report_json_weight(struct json *json, const struct call_tree *tree, const char *key,
			int64_t weight);
/* Members of an object: name, module, file, line, kind, inlined. */
void report_json_function(struct json *json, const struct call_tree *tree,
			  const struct call_frame *frame);
