/* SPDX-License-Identifier: Apache-2.0 */
/* --sort, --limit and their neighbours: how a table of functions is shown, wherever there is one. */
#pragma once

#include "cmd/options.h"
#include "report/report.h"

struct table_options {
	enum function_order order;
	uint32_t limit;	   /* rows; 0: not said */
	bool has_smallest; /* --percent-limit was given */
	double smallest;   /* share */
	bool has_width;
	size_t width; /* columns */
	enum colour_choice { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER } colour;
};

/* For apply functions, which return what these do. */
int table_options_sort(struct table_options *options, const char *argument,
		       struct options_reason *reason);
int table_options_limit(struct table_options *options, const char *argument,
			struct options_reason *reason);
int table_options_percent(struct table_options *options, const char *argument,
			  struct options_reason *reason);
int table_options_width(struct table_options *options, const char *argument,
			struct options_reason *reason);
int table_options_colour(struct table_options *options, const char *argument,
			 struct options_reason *reason);

/*
 * Fills the report's part: what was said, else as wide as the terminal that stdout is, and in colour
 * there unless people do not want it (https://no-color.org). lines_stay_whole: where nobody reads
 * them at once, lines are not cut off.
 */
void table_options_apply(const struct table_options *options, struct report_options *report,
			 bool lines_stay_whole);

extern const char *const table_orders[], *const table_colours[];

/* Defines apply_sort ... for the rows below; `table` is the member of `type`, the command's context. */
#define DEFINE_TABLE_APPLY(type, name)                                                             \
	static int apply_##name(void *context, const char *argument,                               \
				struct options_reason *reason)                                     \
	{                                                                                          \
		return table_options_##name(&((type *)context)->table, argument, reason);          \
	}
#define DEFINE_TABLE_OPTIONS(type)                                                                 \
	DEFINE_TABLE_APPLY(type, sort)                                                             \
	DEFINE_TABLE_APPLY(type, limit)                                                            \
	DEFINE_TABLE_APPLY(type, percent)                                                          \
	DEFINE_TABLE_APPLY(type, width)                                                            \
	DEFINE_TABLE_APPLY(type, colour)                                                           \
	_Static_assert(sizeof(((type *)0)->table) == sizeof(struct table_options), "has a table")
/* clang-format off */
#define TABLE_ROW_SORT \
	{ "sort", 0, "BY", "self (the default), total or name", apply_sort, VALUE_TEXT, table_orders }
#define TABLE_ROW_LIMIT(help) { "limit", 'n', "N", help, apply_limit, VALUE_TEXT }
#define TABLE_ROW_PERCENT(help) { "percent-limit", 0, "PCT", help, apply_percent, VALUE_TEXT }
#define TABLE_ROW_WIDTH \
	{ "width", 'w', "COLUMNS", "the terminal's, or else 80; 0 is no limit", apply_width, \
	  VALUE_TEXT }
#define TABLE_ROW_COLOUR \
	{ "color", 0, "WHEN", "auto (on a terminal), always or never", apply_colour, VALUE_TEXT, \
	  table_colours }
/* clang-format on */
