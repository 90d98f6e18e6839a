// SPDX-License-Identifier: Apache-2.0
/* What a recording of growth has found, in words and as JSON. */
#include <inttypes.h>
#include <math.h>

#include "output/escape.h"
#include "session/growth.h"

/* Above this part of what was touched and did not stay, the figures name who uses most, not who keeps. */
#define CHURN_HIGH 0.5

static void add_bytes(struct bytes *ret, double bytes)
{
	text_add_size(ret, llround(bytes));
}

static void add_change(struct bytes *ret, double bytes)
{
	if (bytes > 0)
		bytes_add_char(ret, '+');
	add_bytes(ret, bytes);
}

static void add_duration(struct bytes *ret, double seconds)
{
	if (seconds < 120)
		bytes_add_format(ret, "%.0f s", seconds);
	else if (seconds < 7200)
		bytes_add_format(ret, "%.0f min", seconds / 60);
	else if (seconds < 172800)
		bytes_add_format(ret, "%.1f h", seconds / 3600);
	else
		bytes_add_format(ret, "%.0f days", seconds / 86400);
}

static double seconds_left(const struct growth_summary *s)
{
	if (s->trend.verdict != TREND_GROWS || !s->limit.known)
		return -1;
	return (double)s->limit.left_bytes / s->trend.per_minute * 60;
}

void growth_sentence(const struct growth_summary *s, struct bytes *ret)
{
	const struct trend_judgement *trend = &s->trend;
	double left = seconds_left(s);

	if (s->filtered) {
		bytes_add_str(
			ret, "resident memory is told of processes and of the machine, not of what "
			     "filters or threads choose");
		return;
	}
	bytes_add_str(ret, "resident memory ");
	add_bytes(ret, (double)s->before);
	bytes_add_str(ret, " before, ");
	add_change(ret, (double)s->after - (double)s->before);
	if (trend->verdict == TREND_TOO_SHORT) {
		bytes_add_str(ret, "; too short to tell whether it grows");
		return;
	}
	bytes_add_str(ret, trend->verdict == TREND_FLAT ? "; no growth that could not be chance: "
			   : trend->verdict == TREND_GROWS ? "; it grows by "
							   : "; it shrinks by ");
	if (trend->verdict == TREND_FLAT)
		add_change(ret, trend->per_minute);
	else
		add_bytes(ret, fabs(trend->per_minute));
	bytes_add_str(ret, " per minute ± ");
	add_bytes(ret, trend->half);
	bytes_add_format(ret, ", it grew in %.0f%% of %u intervals", trend->grew * 100,
			 trend->intervals);
	if (left >= 0) {
		bytes_add_format(ret, "; at this pace the limit of the %s (",
				 s->limit.of_group ? "control group" : "machine");
		add_bytes(ret, (double)s->limit.limit_bytes);
		bytes_add_str(ret, ") is reached in ");
		add_duration(ret, left);
	}
}

void growth_brief(const struct growth_summary *s, struct bytes *ret)
{
	const struct trend_judgement *trend = &s->trend;
	double left = seconds_left(s);

	if (trend->verdict == TREND_TOO_SHORT) {
		bytes_add_str(ret, "too short yet to tell whether it grows");
		return;
	}
	bytes_add_format(ret, "%s ", trend->verdict == TREND_FLAT
					     ? "no growth beyond chance:"
					     : trend->verdict == TREND_GROWS ? "grows by" : "shrinks by");
	if (trend->verdict == TREND_FLAT)
		add_change(ret, trend->per_minute);
	else
		add_bytes(ret, fabs(trend->per_minute));
	bytes_add_str(ret, "/min ± ");
	add_bytes(ret, trend->half);
	if (left >= 0) {
		bytes_add_str(ret, ", the limit is reached in ");
		add_duration(ret, left);
	}
}

static double churn(const struct growth_summary *s)
{
	return s->touched > s->stayed ? 1 - (double)s->stayed / (double)s->touched : 0;
}

void growth_caveats(const struct growth_summary *s, struct bytes *ret)
{
	double change = (double)s->after - (double)s->before, rest = change - (double)s->stayed;
	/* Less than this is within what a sample of pages tells. */
	double least = fmax(0.05 * (double)s->stayed, 1 << 20);

	bytes_add_str(ret, "growth: ");
	add_bytes(ret, (double)s->touched);
	bytes_add_str(ret, " touched, ");
	/* Two estimates: of the sample's pages, fewer are left in the end, which weigh more. */
	add_bytes(ret, (double)(s->stayed < s->touched ? s->stayed : s->touched));
	bytes_add_format(ret, " of it stayed (churn %.0f%%); ", churn(s) * 100);
	if (s->one_of == 1)
		bytes_add_str(ret, "every page");
	else
		bytes_add_format(ret, "1 of %u pages", s->one_of);
	bytes_add_format(ret, " sampled, %" PRIu64 " of %" PRIu64 " faults", s->samples, s->faults);
	if (s->refused)
		bytes_add_format(ret, ", %" PRIu64 " dropped", s->refused);
	if (s->moves_dropped)
		bytes_add_format(ret, ", %" PRIu64 " moved pieces not followed", s->moves_dropped);
	if (s->processes_refused)
		bytes_add_format(ret, ", %u processes' pages could not be looked at",
				 s->processes_refused);
	if (s->ended || s->filtered)
		rest = 0;
	if (-rest > least) {
		bytes_add_str(ret, "; ");
		add_bytes(ret, -rest);
		bytes_add_str(ret, " of what was resident before were given back");
	} else if (rest > least) {
		bytes_add_str(ret, "; ");
		add_bytes(ret, rest);
		bytes_add_str(ret,
			      " became resident in other ways (locked, inherited, mapped around)");
	}
	if (s->touched && churn(s) > CHURN_HIGH)
		bytes_add_str(ret,
			      "; with so much churn this names who uses most memory, not who keeps "
			      "it: -e heap and -e alloc tell objects");
	else if (s->touched)
		bytes_add_str(ret, "; who touched an allocator's pages first need not be whose objects "
				   "stay: -e heap tells objects");
}

void growth_json(const struct growth_summary *s, struct json *json)
{
	double left = seconds_left(s);

	json_object(json, "growth");
	json_u64(json, "touched_bytes", s->touched);
	json_u64(json, "growth_bytes", s->stayed);
	json_double(json, "churn", churn(s));
	if (!s->filtered) {
		json_u64(json, "resident_before_bytes", s->before);
		json_u64(json, "resident_after_bytes", s->after);
	}
	json_string(json, "trend", trend_verdict_names[s->trend.verdict]);
	if (s->trend.verdict != TREND_TOO_SHORT) {
		json_double(json, "bytes_per_minute", s->trend.per_minute);
		json_double(json, "bytes_per_minute_half", s->trend.half);
		json_double(json, "intervals_grown", s->trend.grew);
	}
	json_u64(json, "intervals", s->trend.intervals);
	if (s->limit.known) {
		json_string(json, "limit_of", s->limit.of_group ? "control group" : "machine");
		json_u64(json, "limit_bytes", s->limit.limit_bytes);
		json_u64(json, "limit_left_bytes", s->limit.left_bytes);
	}
	if (left >= 0)
		json_double(json, "seconds_to_limit", left);
	json_u64(json, "one_of_pages", s->one_of);
	json_u64(json, "pages", s->pages);
	json_u64(json, "faults", s->faults);
	json_u64(json, "fault_samples", s->samples);
	json_u64(json, "dropped", s->refused);
	json_bool(json, "moves_followed", s->tells_moves);
	json_u64(json, "moves_dropped", s->moves_dropped);
	json_u64(json, "processes_not_looked_at", s->processes_refused);
	json_end(json);
}
