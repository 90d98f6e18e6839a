/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal: cells of text in so many colours as it has. Everything that is put on it is cleaned
 * here, so no name can write an escape code; only cells that have changed are written (ncurses).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profile/call_tree.h"

enum look {
	LOOK_PLAIN,
	LOOK_STRONG,
	LOOK_FAINT,
	LOOK_BAR,    /* lines that divide the screen */
	LOOK_TAB,    /* the part of such a line that holds now */
	LOOK_CHOSEN, /* the chosen row */
	LOOK_MATCH,
	LOOK_WARNING,
	LOOK_HOT,   /* a large share */
	LOOK_WARM,  /* a noticeable one */
	LOOK_KINDS, /* text of a kind: LOOK_KINDS + enum call_kind */
	LOOK_COUNT = LOOK_KINDS + CALL_KIND_COUNT,
};

enum { SCREEN_SHADES = 4 };

struct guard;

struct screen {
	int rows, columns;
	bool utf8;
	int colors;		/* 0: none are used */
	const char *plus_minus; /* "±" or "+-" */
};

/* Keys that are no characters. */
enum screen_key {
	KEY_NONE_YET = -1,
	SCREEN_KEY_BASE = 0x110000, /* behind all code points */
	SCREEN_UP,
	SCREEN_DOWN,
	SCREEN_LEFT,
	SCREEN_RIGHT,
	SCREEN_PAGE_UP,
	SCREEN_PAGE_DOWN,
	SCREEN_HOME,
	SCREEN_END,
	SCREEN_BACKSPACE,
	SCREEN_BACK_TAB,
	SCREEN_RESIZED,
	SCREEN_MOUSE,
	SCREEN_F1,
	SCREEN_F3,
	SCREEN_F4,
	SCREEN_F5,
	SCREEN_F10,
};

/* What the mouse did with SCREEN_MOUSE. */
struct screen_mouse {
	int y, x;
	int wheel; /* -1 up, 1 down, 0: the first button was pressed */
};

/*
 * Whether stdin and stdout are a terminal that can be drawn on; else logs one line that points to
 * --once. Returns 0 or -ENOTTY.
 */
int screen_check(void);
/* To be called after screen_check, by the thread that draws. Logs. Returns 0 or a negative errno. */
int screen_open(struct screen *screen, struct guard *guard);
void screen_close(struct screen *screen, struct guard *guard);
/* Stops profd as Ctrl-Z does, and draws all anew when it goes on. */
void screen_suspend(struct screen *screen, const struct guard *guard);
/* All is written anew at the next screen_show. */
void screen_redraw(void);
void screen_clear(void);
void screen_show(void);
void screen_beep(void);

/* The next key: a code point or a screen_key. KEY_NONE_YET: none is there; never waits. */
int screen_read(struct screen *screen, struct screen_mouse *mouse);

/*
 * Puts text, which is cleaned, in at most `columns` from x on; what does not fit ends in an ellipsis.
 * Returns the columns used.
 */
int screen_put(const struct screen *screen, int y, int x, int columns, const char *text,
	       enum look look);
/* The same of a function's name, see short_name.h. */
int screen_put_name(const struct screen *screen, int y, int x, int columns, const char *name,
		    enum look look);
/* A line's ground: blanks. */
void screen_fill(const struct screen *screen, int y, int x, int columns, enum look look);
/* Gives what is there already another look. */
void screen_mark(const struct screen *screen, int y, int x, int columns, enum look look);
/*
 * A box of a flame graph: its name on a ground of its kind. shade: any number, equal ones look alike.
 * chosen, match: stands out.
 */
void screen_box(const struct screen *screen, int y, int x, int columns, const char *name,
		enum call_kind kind, uint64_t shade, bool chosen, bool match);
/* A bar of `eighths` of a line's height, 0 to 8, for a graph. */
void screen_put_level(const struct screen *screen, int y, int x, int eighths, enum look look);
