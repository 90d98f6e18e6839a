/* SPDX-License-Identifier: Apache-2.0 */
/* How the person's keys come to what they are for; ui.c has the loop that reads them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "top/ui.h"

/* Beside characters and those of screen.h. */
enum { KEY_ESCAPE = 27, KEY_CTRL_C = 3, KEY_CTRL_L = 12, KEY_CTRL_U = 21, KEY_CTRL_Z = 26 };

/* Does what a key, or the mouse with SCREEN_MOUSE, means where the person is. */
void ui_take_key(struct ui *ui, int key, const struct screen_mouse *mouse);

/* ---- ui_filter.c ---- */
/* Sets the filter, a regular expression; one that is none leaves the last good one. */
void ui_filter_set(struct ui *ui, const char *text);
/* From now on keys are typed into the filter. */
void ui_filter_begin(struct ui *ui);
/* A key while it is typed. Returns false for keys that are for the view meanwhile. */
bool ui_filter_key(struct ui *ui, int key);

/* ---- ui_list.c ---- */
/* Chooses an entry of the view's list; beyond its ends, the first or the last one. */
void ui_choose(struct ui *ui, int64_t position);
/* A key that moves in the view's list. Returns whether it was one. */
bool ui_list_key(struct ui *ui, int key);
