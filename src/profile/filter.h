/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A part of a profile, chosen by regular expressions as `go tool pprof` chooses it (google/pprof
 * profile/filter.go, doc/README.md): which samples, and which of their frames.
 *
 * A frame matches by its function's name, its source file or its mapping's file; functions that were
 * inlined are frames, too. What is no part of pprof: labels that are numbers match what is one.
 */
#pragma once

#include <stdbool.h>

#include "base/pattern.h"
#include "profile/profile.h"

enum filter_kind {
	FILTER_FOCUS,	  /* samples with a frame that matches */
	FILTER_IGNORE,	  /* samples without one */
	FILTER_HIDE,	  /* frames that do not match */
	FILTER_SHOW,	  /* frames that match */
	FILTER_SHOW_FROM, /* frames from the outermost one that matches on, where there is one */
	FILTER_TAG_FOCUS, /* samples with a label that matches: "REGEX" of "key:value", "KEY=REGEX" */
	FILTER_TAG_IGNORE, /* samples without one */
	FILTER_KINDS,
};

struct filter {
	struct pattern *patterns[FILTER_KINDS];
	/* Of the two for labels: the key, NULL: any; the value, where it is a number. */
	char *keys[FILTER_KINDS];
	int64_t numbers[FILTER_KINDS];
	bool has_number[FILTER_KINDS];
};

/* All zero is the filter that keeps everything. */
void filter_fini(struct filter *filter);
static inline void filter_fini_cleanup(struct filter *filter)
{
	filter_fini(filter);
}

/* A second one of a kind takes the place of the first. Returns as pattern_new does. */
int filter_set(struct filter *filter, enum filter_kind kind, const char *expression,
	       struct pattern_reason *reason);
bool filter_is_empty(const struct filter *filter);

/*
 * Puts what the filter leaves of a frozen profile into *ret, a frozen profile of its own, with the
 * same types and meta. Samples without any frame left are gone.
 *
 * ret_matched[kind]: whether anything has matched; true where there is no such pattern.
 * Returns 0, -EINVAL (it is not frozen) or -ENOMEM.
 */
int profile_filter(struct profile **ret, const struct profile *profile, const struct filter *filter,
		   bool ret_matched[FILTER_KINDS]);
