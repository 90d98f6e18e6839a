// SPDX-License-Identifier: Apache-2.0
#include "report/select.h"

#include <errno.h>
#include <string.h>

#include "base/pattern.h"
#include "output/short_name.h"

static bool is_equal(const void *wanted, const char *name)
{
	return strcmp(name, wanted) == 0;
}

static bool is_shown(const void *wanted, const char *name)
{
	return short_name_is(name, wanted);
}

static bool holds(const void *wanted, const char *name)
{
	return strstr(name, wanted);
}

static bool matches(const void *pattern, const char *name)
{
	return pattern_matches((struct pattern *)pattern, name);
}

/* Returns how many. */
static uint32_t mark(const struct report *report, bool *marks, uint32_t count,
		     const char *(*text)(const struct report *, uint32_t),
		     bool (*is_meant)(const void *wanted, const char *name), const void *wanted)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < count; i++) {
		const char *name = text(report, i);

		marks[i] = name && is_meant(wanted, name);
		found += marks[i];
	}
	return found;
}

int select_names(struct report *report, bool **ret, uint32_t count,
		 const char *(*text)(const struct report *, uint32_t), const char *wanted)
{
	cleanup(pattern_free) struct pattern *pattern = NULL;
	cleanup(free) bool *marks = calloc(count + 1ULL, sizeof(*marks));
	struct pattern_reason reason;
	uint32_t found;
	int r = 0;

	if (!marks)
		return -ENOMEM;
	found = mark(report, marks, count, text, is_equal, wanted);
	if (!found)
		found = mark(report, marks, count, text, is_shown, wanted);
	if (!found) {
		r = pattern_new(&pattern, wanted, false, &reason);
		if (r == -ENOMEM)
			return r;
		if (r == 0)
			found = mark(report, marks, count, text, matches, pattern);
	}
	/* What names hold may mean something else as an expression, or nothing: "(*T).f". */
	if (!found)
		found = mark(report, marks, count, text, holds, wanted);
	if (!found && r < 0)
		return report_refuse(report,
				     "no function is called '%.64s', nor is it a regular "
				     "expression: %s",
				     wanted, reason.text);
	/* Where filters left nothing, that says nothing of the name. */
	if (!found && call_tree_total(report->tree) > 0)
		return report_refuse(report, "no function is called '%.64s', nor matches it",
				     wanted);
	*ret = TAKE_PTR(marks);
	return 0;
}

/* NULL: it is no function. */
static const char *frame_text(const struct report *report, uint32_t index)
{
	const struct call_frame *frame = &report->tree->frames.at[index];

	return frame->kind < CALL_ALL ? call_frame_name(report->tree, frame) : NULL;
}

int select_frames(struct report *report, bool **ret, const char *wanted)
{
	return select_names(report, ret, report->tree->frames.count, frame_text, wanted);
}

static const char *function_text(const struct report *report, uint32_t index)
{
	return profile_text(report->profile, report->profile->functions.at[index].name);
}

int select_functions(struct report *report, bool **ret, const char *wanted)
{
	return select_names(report, ret, report->profile->functions.count, function_text, wanted);
}
