/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Points in time and intervals, as people type them; clock times are local ones.
 *
 *     10m  90s  1.5h  10m-ago     so long before now
 *     14:02  14:02:30             today's or, while that is still to come, yesterday's; as an end, the
 *                                 first one after the beginning
 *     yesterday  "yesterday 14:02"  today  "today 14:02"      from midnight on, without a clock time
 *     2026-11-26  2026-11-26T14:02[:30[.5]][Z|+01:00]         a blank is as good as the T
 *     @1795701720  @1795701720.5  @1795701720500000000ns      since the epoch
 *     now
 *     +5m                         as an end only: so long after the beginning
 *
 * A local time that there are two of, as clocks were put back, is the earlier one as a beginning and
 * the later one as an end, and one that clocks have skipped is as long before or after the jump as it
 * seems: an interval holds all that its words can mean.
 *
 * All times are nanoseconds of CLOCK_REALTIME. Pure but for the time zone (TZ, /etc/localtime).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct interval {
	int64_t from_ns, until_ns; /* from_ns < until_ns; the end is no part of it */
};

/* What is understood, for messages. */
#define WHEN_FORMS                                                                                 \
	"10m (ago), 14:02, 'yesterday 14:02', 2026-11-26T14:02 or @UNIX (seconds, or ...ns)"

/* A beginning. Returns 0, -EINVAL (not understood) or -ERANGE (before 1970, or after 2261). */
int when_parse(int64_t *ret_ns, const char *text, int64_t now_ns);
/* An end, of what begins at from_ns; it may lie before that. Returns as when_parse. */
int when_parse_end(int64_t *ret_ns, const char *text, int64_t now_ns, int64_t from_ns);
/* "A..B". Returns as when_parse, -ERANGE also where B is not after A. */
int when_parse_interval(struct interval *ret, const char *text, int64_t now_ns);
/*
 * What an interval is compared with: the same stretch of time "1h-ago", "1h", "yesterday" or
 * "last-week" (the same clock times a day or 7 days before, however long these days were), or
 * another interval "A..B". Returns as when_parse_interval.
 */
int when_parse_baseline(struct interval *ret, const char *text, const struct interval *interval,
			int64_t now_ns);

static inline bool interval_overlap(const struct interval *a, const struct interval *b)
{
	return a->from_ns < b->until_ns && b->from_ns < a->until_ns;
}

/* "14:02:10", with the date before it where that is not now's. */
void when_add(struct bytes *bytes, int64_t time_ns, int64_t now_ns);
/* "14:02:10 to 14:06:10", with dates where needed. */
void when_add_interval(struct bytes *bytes, const struct interval *interval, int64_t now_ns);
/* "2026-11-26T14:02:10.500+01:00" (ISO 8601). */
void when_add_iso(struct bytes *bytes, int64_t time_ns);
/* "4 s", "2 min 10 s", "1 h 4 min", "2 d 3 h": the two largest units. */
void when_add_duration(struct bytes *bytes, int64_t duration_ns);
