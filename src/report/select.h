/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions that people mean by FUNC: those of exactly this name; or else those whose names are shown
 * like it (output/short_name.h); or else all that match it; or else all that hold it.
 */
#pragma once

#include "report/view.h"

/*
 * Whether a name is meant, for each of `count` names, `text` giving the text of each; *ret is malloc'ed.
 * wanted: a name, or a regular expression (base/pattern.h) where none is called so.
 * Where the report has no samples, none may be meant.
 * Returns 0, REPORT_REFUSED (none is meant, or it is no expression), or -ENOMEM.
 */
int select_names(struct report *report, bool **ret, uint32_t count,
		 const char *(*text)(const struct report *report, uint32_t index),
		 const char *wanted);
/* The same of the functions of the profile. */
int select_functions(struct report *report, bool **ret, const char *wanted);
/* The same of the frames of the tree that are functions. */
int select_frames(struct report *report, bool **ret, const char *wanted);
