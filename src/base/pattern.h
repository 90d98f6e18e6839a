/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions that people type, matched against names that anybody may have made: Perl's
 * syntax (pcre2pattern(3)), of which what `go tool pprof` takes is a part. Matching is bounded: a
 * name that would take too long does not match.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct pattern;

/* Why an expression is none, for people: "missing closing parenthesis at offset 3". */
struct pattern_reason {
	char text[160];
};

/* Matches anywhere in a text. Returns 0, -EINVAL with a reason, or -ENOMEM. */
int pattern_new(struct pattern **ret, const char *expression, bool ignore_case,
		struct pattern_reason *reason);
void pattern_free(struct pattern *pattern);
DEFINE_CLEANUP(struct pattern, pattern_free);

/* text: any bytes up to its NUL; what is no UTF-8 matches as it stands. */
bool pattern_matches(struct pattern *pattern, const char *text);
/* The same, and where the first match stands, in bytes. */
bool pattern_find(struct pattern *pattern, const char *text, size_t *ret_begin, size_t *ret_end);
