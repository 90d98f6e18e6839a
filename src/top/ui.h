/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the person sees and does: the state of all views. What is chosen, opened and zoomed to is kept by key
 * (picture.h), so it stays when the picture is made anew.
 */
#pragma once

#include "base/hash.h"
#include "base/pattern.h"
#include "output/writer.h"
#include "session/default_name.h"
#include "top/feed.h"
#include "top/guard.h"
#include "top/picture.h"
#include "top/screen.h"
#include "top/spans.h"
#include "top/status.h"
#include "top/top.h"

enum view {
	VIEW_FUNCTIONS,
	VIEW_TREE,
	VIEW_FLAME,
	VIEW_LINES,
	VIEW_THREADS,
	VIEW_PROCESSES,
	VIEW_COUNT
};

enum sort { SORT_SELF, SORT_TOTAL, SORT_NAME, SORT_MODULE, SORT_COUNT };

enum {
	UI_TEXT_BYTES = 128, /* of what is typed */
	UI_MIN_ROWS = 8,
	UI_MIN_COLUMNS = 40,
};

/* Where a list stands. */
struct list_state {
	uint64_t chosen;	/* key; 0: whatever is first */
	uint32_t position;	/* of the chosen one */
	uint32_t first;		/* that is shown */
	uint32_t count, height; /* as drawn last */
	int top;		/* the row of the screen that `first` is on */
};

struct tree_line {
	uint32_t node;
	uint32_t indent;
	bool open, has_children;
};

struct flame_box {
	uint32_t node;
	int y, x, columns;
};

struct ui {
	struct top_config *config;
	struct feed *feed;
	struct growth_summary growth; /* as the feed had it last, where that is what is measured */
	struct guard *guard;
	const char *title;		    /* of the target; borrowed */
	char file_name[DEFAULT_NAME_BYTES]; /* its word in names of files */
	struct screen screen;
	struct spans spans;
	struct status status;
	struct picture *picture;		      /* NULL: none yet */
	bool must_rebuild;			      /* what the picture is of was changed */
	struct span_weights frozen_spans[SPAN_COUNT]; /* while it is frozen: as they were then */
	bool ended;
	enum recording_end end;

	enum view view;
	enum span span;
	enum sort sort;
	bool no_kernel, no_user, frozen, help, open_all;
	bool typing;
	bool quit, dirty;
	char filter[UI_TEXT_BYTES], before[UI_TEXT_BYTES]; /* and what it was before it is typed */
	struct pattern *pattern; /* of the filter; NULL: it is none, or empty */
	const char *filter_trouble;
	uint64_t match_until_ns;    /* what is not compared by then does not match */
	bool filter_slow;	    /* that happened in this drawing */
	char module[UI_TEXT_BYTES]; /* only this one's; "" all */

	struct list_state lists[VIEW_COUNT];
	ARRAY_OF(uint32_t) order;	  /* of a table's rows that are shown */
	ARRAY_OF(struct tree_line) lines; /* of the tree */
	struct hash_index toggled;	  /* nodes that were opened (1) or closed (0) by hand */
	uint64_t zoom, flame_chosen;	  /* keys; 0: node 0 */
	uint32_t flame_first;		  /* depths that are scrolled past */
	ARRAY_OF(struct flame_box) boxes;

	const struct writer *save_as; /* NULL: nothing is to be saved */
	char message[256];
	uint64_t message_until_ns;
};

/* Draws and takes keys until it is quit or the feed says so. Returns 0 or a negative errno. */
int ui_run(struct ui *ui);
/* All that it owns; it need not have run. */
void ui_fini(struct ui *ui);
/* Shows a message for some seconds. */
void ui_say(struct ui *ui, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- ui_filter.c ---- */
/* Gives the filter its time, for one drawing or key: some expressions take for ever. */
void ui_allow_matching(struct ui *ui);
/* Whether the filter lets it through; without one everything. module: a path. */
bool ui_matches(struct ui *ui, const char *name, const char *module);

/* ---- view_head.c ---- */
/* Everything. */
void ui_draw(struct ui *ui);
/* "22.5 % ± 1.1", or without an interval. */
void ui_share_text(const struct ui *ui, char *ret, size_t size, int64_t weight);
enum look ui_share_look(const struct ui *ui, int64_t weight);
/* The view whose name stands there on the bar, or VIEW_COUNT. */
enum view ui_tab_at(const struct ui *ui, int y, int x);
/* The last part of a path. */
const char *ui_base_name(const char *path);

/* ---- view_table.c, view_tree.c, view_flame.c: draw into rows y .. y + rows - 1 ---- */
void view_table_draw(struct ui *ui, int y, int rows);
void view_tree_draw(struct ui *ui, int y, int rows);
void view_flame_draw(struct ui *ui, int y, int rows);
/* What is chosen, in one line. */
void view_table_detail(struct ui *ui, int y);
void view_tree_detail(struct ui *ui, int y);
void view_flame_detail(struct ui *ui, int y);
/* Keys that only this view knows. Returns whether it was one. */
bool view_tree_key(struct ui *ui, int key);
bool view_flame_key(struct ui *ui, int key);
void view_flame_click(struct ui *ui, int y, int x);
/* The row that is chosen in the table; NULL: none. */
const struct row *view_table_chosen(struct ui *ui);

/* ---- ui_list.c ---- */
/* The module of what is chosen, a path; NULL: nothing is. */
const char *view_chosen_module(struct ui *ui);
/*
 * Brings a list's state in line with `count` entries on `height` rows; key says which entry is the
 * chosen one.
 */
void list_place(struct list_state *list, uint32_t count, uint32_t height,
		uint64_t (*key)(const struct ui *ui, uint32_t position), const struct ui *ui);
