/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What pages of text about a profile are put together from: shares with their intervals, functions
 * with where they are, the head that says what was recorded.
 *
 * Made for terminals as much as for files: every name is cleaned first, so no escape code of a
 * target's symbol or process name ever reaches a terminal.
 */
#pragma once

#include "base/bytes.h"
#include "profile/call_tree.h"

enum {
	PAGE_WIDTH = 80,
	PAGE_NARROW = 70,
	PAGE_SHARE_COLUMNS = 13, /* "100.0 % ±10.0" */
};

/* What colours tell, on pages that have them. */
enum page_colour {
	PAGE_PLAIN,
	PAGE_HOT, /* much of everything */
	PAGE_WARM,
	PAGE_COOL,
	PAGE_FAINT, /* not what one reads first */
	PAGE_BOLD,
};

struct page {
	const struct call_tree *tree; /* borrowed */
	size_t width;		      /* columns; 0: as PAGE_WIDTH */
	bool has_colours;
	struct bytes out;
	struct bytes scratch; /* of page_clean */
};

void page_fini(struct page *page);
static inline void page_fini_cleanup(struct page *page)
{
	page_fini(page);
}
static inline size_t page_width(const struct page *page)
{
	return page->width ? page->width : PAGE_WIDTH;
}

/* A text made clean; good until the next one. Failure is kept in page->out. */
const char *page_clean(struct page *page, const char *text);
/* What follows is in this colour, up to the next one; does nothing without colours. */
void page_colour(struct page *page, enum page_colour colour);
/* The colour of a share of everything. */
enum page_colour page_colour_of(const struct page *page, int64_t weight);

/* Adds a paragraph broken at spaces, or inside words longer than a line; nothing for NULL and "". */
void page_paragraph(struct page *page, const char *text);
/* " 22.5 % ± 1.1", PAGE_SHARE_COLUMNS wide, also where there is no interval. */
void page_share(struct page *page, int64_t weight);
/* Whether columns that others tell, too, have no room. */
static inline bool page_is_narrow(const struct page *page)
{
	return page_width(page) < PAGE_NARROW;
}
/*
 * What a weight is, where that tells more than its share: cores of a recording of the whole machine, an
 * amount of memory. A column of its own, page_absolute_columns wide, with its name; nothing where that is
 * 0, as on narrow pages.
 */
void page_absolute(struct page *page, int64_t weight);
size_t page_absolute_columns(const struct page *page);
const char *page_absolute_heading(const struct page *page);
/* The names of columns, below an empty line. */
void page_heading(struct page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Ends a row, whose last cells may be empty. */
void page_end_row(struct page *page);
/* "12.34 s", "1.2 MiB"; things that are counted are called by the name that stands before it. */
void page_value(struct page *page, int64_t value, const char *unit);
/* A weight in its unit: "1,234 samples". */
void page_weight(struct page *page, int64_t weight);

/*
 * Adds a function within `columns`: its name, cut if need be, and, as far as there is room, its
 * module, that it was inlined and, with a place, its file and line.
 */
void page_function_part(struct page *page, const struct call_frame *frame, size_t columns,
			bool with_place);
/* The same, without a place, and a new line. */
void page_function(struct page *page, const struct call_frame *frame, size_t columns);

/* A path within `columns`: of one that is too long its end, which tells most. */
void page_path(struct page *page, const char *path, size_t columns);

/* "63 samples of cpu: 0.63 s; ± is the 95 % interval". */
void page_amount(struct page *page);
/* What was recorded: title, time, comments, quality, number of samples. */
void page_head(struct page *page);
