/* SPDX-License-Identifier: Apache-2.0 */
/* --focus and its neighbours, for every command that shows a part of a profile. */
#pragma once

#include "cmd/options.h"
#include "profile/filter.h"

/* For apply functions, which return what this does. */
int filter_options_set(struct filter *filter, enum filter_kind kind, const char *argument,
		       struct options_reason *reason);

/*
 * Replaces each profile by what the filter leaves of it; a pattern that matches nothing in any is
 * logged. Does nothing where there is no pattern. Returns 0 or a negative errno, logged.
 */
int filter_options_apply(struct profile **profiles, uint32_t count, const struct filter *filter);

/*
 * Defines apply_focus ... and FILTER_ROWS; `filter` is the member of `type`, the command's context.
 */
#define DEFINE_FILTER_APPLY(type, name, kind)                                                      \
	static int apply_##name(void *context, const char *argument,                               \
				struct options_reason *reason)                                     \
	{                                                                                          \
		return filter_options_set(&((type *)context)->filter, kind, argument, reason);     \
	}
#define DEFINE_FILTER_OPTIONS(type)                                                                \
	DEFINE_FILTER_APPLY(type, focus, FILTER_FOCUS)                                             \
	DEFINE_FILTER_APPLY(type, ignore, FILTER_IGNORE)                                           \
	DEFINE_FILTER_APPLY(type, hide, FILTER_HIDE)                                               \
	DEFINE_FILTER_APPLY(type, show, FILTER_SHOW)                                               \
	DEFINE_FILTER_APPLY(type, show_from, FILTER_SHOW_FROM)                                     \
	DEFINE_FILTER_APPLY(type, tagfocus, FILTER_TAG_FOCUS)                                      \
	DEFINE_FILTER_APPLY(type, tagignore, FILTER_TAG_IGNORE)                                    \
	_Static_assert(sizeof(((type *)0)->filter) == sizeof(struct filter), "has a filter")
/* clang-format off */
#define FILTER_ROWS                                                                                \
	{ "focus", 0, "REGEX",                                                                     \
	  "only samples with a frame whose function, source file or module matches",               \
	  apply_focus, VALUE_TEXT },                                                               \
	{ "ignore", 0, "REGEX", "only samples without such a frame", apply_ignore, VALUE_TEXT },   \
	{ "hide", 0, "REGEX", "leave out frames that match", apply_hide, VALUE_TEXT },             \
	{ "show", 0, "REGEX", "leave out all other frames", apply_show, VALUE_TEXT },              \
	{ "show-from", 0, "REGEX",                                                                 \
	  "only what the outermost frame that matches calls, with it", apply_show_from,            \
	  VALUE_TEXT },                                                                            \
	{ "tagfocus", 0, "[KEY=]REGEX",                                                            \
	  "only samples with a label that matches: KEY's value, or any \"key:value\"",             \
	  apply_tagfocus, VALUE_TEXT },                                                            \
	{ "tagignore", 0, "[KEY=]REGEX", "only samples without such a label", apply_tagignore,     \
	  VALUE_TEXT }
/* clang-format on */
