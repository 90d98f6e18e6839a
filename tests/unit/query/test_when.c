// SPDX-License-Identifier: Apache-2.0
#include "query/when.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "test.h"

#define S 1000000000LL
#define M (60 * S)
#define H (60 * M)
#define D (24 * H)

/* Berlin's rules of today, without a database of time zones. */
#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"

/* 2026-11-26T14:05:00+01:00, a Thursday in winter. */
static const int64_t now = 1795698300 * S;

static void set_zone(const char *zone)
{
	assert_ok(setenv("TZ", zone, 1));
	tzset();
}

static int in_berlin(void **state)
{
	(void)state;
	set_zone(BERLIN);
	return 0;
}

static void is_at(const char *text, int64_t now_ns, int64_t expected_ns)
{
	int64_t ns = -1;

	assert_ok(when_parse(&ns, text, now_ns));
	assert_int_equal(ns, expected_ns);
}

static void ends_at(const char *text, int64_t now_ns, int64_t from_ns, int64_t expected_ns)
{
	int64_t ns = -1;

	assert_ok(when_parse_end(&ns, text, now_ns, from_ns));
	assert_int_equal(ns, expected_ns);
}

static void takes_what_is_relative_to_now(void **state)
{
	(void)state;
	is_at("now", now, now);
	is_at("10m", now, now - 10 * M);
	is_at("90s", now, now - 90 * S);
	is_at("90", now, now - 90 * S);
	is_at("1.5h", now, now - 90 * M);
	is_at("7d", now, now - 7 * D);
	is_at("1h-ago", now, now - H);
	is_at("1h ago", now, now - H);
	is_at("120m-ago", now, now - 2 * H);
	is_at("1.5h-ago", now, now - 3 * H / 2);
	ends_at("5m", now, now - H, now - 5 * M);
	ends_at("now", now, now - H, now);
	ends_at("+5m", now, now - H, now - 55 * M);
}

static void takes_clock_times_that_have_been(void **state)
{
	(void)state;
	is_at("14:02", now, now - 3 * M);
	is_at("14:02:30", now, now - 150 * S);
	is_at("14:02:30.25", now, now - 150 * S + S / 4);
	is_at("14:05", now, now);
	/* Still to come today: yesterday's. */
	is_at("14:06", now, now + M - D);
	is_at("23:59:59", now, now + 9 * H + 55 * M - S - D);
	is_at("00:00", now, now - 14 * H - 5 * M);
}

static void ends_at_the_first_clock_time_after_the_beginning(void **state)
{
	(void)state;
	ends_at("14:06", now, now - 3 * M, now + M);
	ends_at("14:04", now, now - 3 * M, now - M);
	/* Over midnight. */
	ends_at("00:10", now, now - 14 * H - 15 * M, now - 13 * H - 55 * M);
	/* The same clock time is a whole day. */
	ends_at("14:02", now, now - 3 * M, now - 3 * M + D);
}

static void takes_days(void **state)
{
	(void)state;
	is_at("today", now, now - 14 * H - 5 * M);
	is_at("yesterday", now, now - 14 * H - 5 * M - D);
	is_at("yesterday 14:02", now, now - 3 * M - D);
	is_at("yesterday 23:59:30", now, now - 14 * H - 5 * M - 30 * S);
	is_at("today 14:02", now, now - 3 * M);
	is_at("today 14:30", now, now + 25 * M);
}

static void takes_dates(void **state)
{
	(void)state;
	is_at("2026-11-26T14:02", now, now - 3 * M);
	is_at("2026-11-26 14:02:30", now, now - 150 * S);
	is_at("2026-11-26", now, now - 14 * H - 5 * M);
	is_at("2026-11-26T13:02Z", now, now - 3 * M);
	is_at("2026-11-26T13:02:00.5Z", now, now - 3 * M + S / 2);
	is_at("2026-11-26T08:02-05:00", now, now - 3 * M);
	is_at("2026-11-26T18:32+0530", now, now - 3 * M);
	is_at("2026-11-26T14:02+01", now, now - 3 * M);
	/* In summer, whenever it is asked. */
	is_at("2026-07-01T12:00", now, 1782900000 * S);
	is_at("2024-02-29", now, 1709161200 * S);
	is_at("1970-01-02", now, 23 * H);
}

static void takes_the_epoch(void **state)
{
	(void)state;
	is_at("@1795698300", now, now);
	is_at("@1795698300.5", now, now + S / 2);
	is_at("@1795698300.123456789123", now, now + 123456789);
	is_at("@1795698300000000001ns", now, now + 1);
	is_at("@0", now, 0);
}

static void refuses_the_rest(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"ten minutes",
		"14",
		"x",
		"14:",
		"14:2",
		"24:00",
		"14:60",
		"14:02:60",
		"14:02:",
		"14:02x",
		"14:02:30.",
		"-10m",
		"10x",
		"tomorrow",
		"yesterdays",
		"yesterday 25:00",
		"yesterday  14:02",
		"@",
		"@x",
		"@-1",
		"@1.",
		"@1x",
		"@ 1",
		"2026-13-01",
		"2026-02-30",
		"2025-02-29",
		"2026-11-26T",
		"2026-11-26x14:02",
		"2026-11-26T14:02+1",
		"2026-11-26T14:02+19:00",
		"2026-11-26T14:02Zx",
		"2026-11-26-14:02",
		"2026-1-1 14:02",
		"nowx",
		"now ",
		"+5m",
		"1h-agox",
		"inf",
		"nan",
		"0x10",
	};
	int64_t ns = 42;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (when_parse(&ns, bad[i], now) != (strcmp(bad[i], "14") == 0 ? 0 : -EINVAL))
			fail_msg("\"%s\" is taken for %lld", bad[i], (long long)ns);
	assert_errno(when_parse(&ns, "@9223372036854775808ns", now), ERANGE);
	assert_errno(when_parse(&ns, "@9214646400", now), ERANGE);
	assert_errno(when_parse(&ns, "1969-12-31", now), EINVAL);
	assert_errno(when_parse(&ns, "2262-01-01", now), EINVAL);
	assert_errno(when_parse(&ns, "90000d", now), ERANGE);
	assert_errno(when_parse_end(&ns, "+11000d", now, 9214646400 * S - 1), ERANGE);
}

/* 2026-10-25: at 03:00 summer time it is 02:00 again. */
static void holds_both_of_two_local_times(void **state)
{
	const int64_t jump = 1792890000 * S; /* 01:00Z */
	const int64_t later = jump + 12 * H;

	(void)state;
	is_at("02:30", later, jump - 30 * M);
	ends_at("02:30", later, jump - H, jump + 30 * M);
	is_at("2026-10-25T02:30", now, jump - 30 * M);
	is_at("2026-10-25T01:59", now, jump - H - M);
	is_at("2026-10-25T03:00", now, jump + H);
	/* That day has 25 hours. */
	is_at("2026-10-25", now, jump - 3 * H);
	is_at("2026-10-26", now, jump + 22 * H);
	is_at("yesterday 12:00", jump + 24 * H, jump + 10 * H);
	is_at("yesterday 01:00", jump + 24 * H, jump - 2 * H);
}

/* 2026-03-29: from 02:00 to 03:00 there is nothing. */
static void holds_local_times_that_never_were(void **state)
{
	const int64_t jump = 1774746000 * S; /* 01:00Z */

	(void)state;
	is_at("2026-03-29T02:30", now, jump - 30 * M);
	ends_at("2026-03-29T02:30", now, jump - H, jump + 30 * M);
	is_at("2026-03-29T01:59", now, jump - M);
	is_at("2026-03-29T03:00", now, jump);
	is_at("2026-03-29", now, jump - 2 * H);
	is_at("2026-03-30", now, jump + 21 * H);
}

static void knows_other_zones(void **state)
{
	(void)state;
	set_zone("UTC0");
	is_at("13:02", now, now - 3 * M);
	is_at("2026-11-26T14:02+01:00", now, now - 3 * M);
	/* Half hours, and a day that began before Greenwich's. */
	set_zone("<+0545>-5:45");
	is_at("18:47", now, now - 3 * M);
	set_zone("<-10>10");
	is_at("03:02", now, now - 3 * M);
	is_at("yesterday", now, now - 3 * H - 5 * M - D);
	is_at("1970-01-01", now, 10 * H);
	/* South of the equator: summer time is in winter. */
	set_zone("<-03>3<-02>,M10.3.0/0,M2.3.0/0");
	is_at("11:02", now, now - 3 * M);
	set_zone(BERLIN);
}

static void takes_intervals(void **state)
{
	struct interval i;

	(void)state;
	assert_ok(when_parse_interval(&i, "14:00..14:02", now));
	assert_int_equal(i.from_ns, now - 5 * M);
	assert_int_equal(i.until_ns, now - 3 * M);
	assert_ok(when_parse_interval(&i, "yesterday 14:02..14:06", now));
	assert_int_equal(i.from_ns, now - 3 * M - D);
	assert_int_equal(i.until_ns, now + M - D);
	assert_ok(when_parse_interval(&i, "2h..1h", now));
	assert_int_equal(i.until_ns - i.from_ns, H);
	assert_ok(when_parse_interval(&i, "14:00..+90s", now));
	assert_int_equal(i.until_ns, now - 5 * M + 90 * S);
	assert_ok(when_parse_interval(&i, "@5..@7.5", now));
	assert_int_equal(i.until_ns, 7 * S + S / 2);
	assert_errno(when_parse_interval(&i, "1h..2h", now), ERANGE);
	assert_errno(when_parse_interval(&i, "1h..1h", now), ERANGE);
	assert_errno(when_parse_interval(&i, "1h..", now), EINVAL);
	assert_errno(when_parse_interval(&i, "..1h", now), EINVAL);
	assert_errno(when_parse_interval(&i, "14:00-14:02", now), EINVAL);
}

static void takes_baselines(void **state)
{
	const struct interval ten = { now - 10 * M, now };
	struct interval i;

	(void)state;
	assert_ok(when_parse_baseline(&i, "1h-ago", &ten, now));
	assert_int_equal(i.from_ns, now - 70 * M);
	assert_int_equal(i.until_ns, now - 60 * M);
	assert_ok(when_parse_baseline(&i, "1h", &ten, now));
	assert_int_equal(i.until_ns, now - 60 * M);
	assert_ok(when_parse_baseline(&i, "yesterday", &ten, now));
	assert_int_equal(i.from_ns, now - 10 * M - D);
	assert_ok(when_parse_baseline(&i, "last-week", &ten, now));
	assert_int_equal(i.from_ns, now - 10 * M - 7 * D);
	assert_ok(when_parse_baseline(&i, "13:00..13:30", &ten, now));
	assert_int_equal(i.until_ns, now - 35 * M);
	assert_errno(when_parse_baseline(&i, "0m", &ten, now), ERANGE);
	assert_errno(when_parse_baseline(&i, "tomorrow", &ten, now), EINVAL);
}

/* The day before one with a change of clocks: the same clock times, not 24 hours. */
static void yesterday_is_the_same_clock_time(void **state)
{
	const int64_t noon = 1792890000 * S + 10 * H; /* 2026-10-25T12:00+01:00 */
	const struct interval hour = { noon, noon + H };
	struct interval i;

	(void)state;
	assert_ok(when_parse_baseline(&i, "yesterday", &hour, noon + H));
	assert_int_equal(i.from_ns, noon - 25 * H);
	assert_int_equal(i.until_ns, noon - 24 * H);
}

#define assert_words(expected, call)                                                               \
	do {                                                                                       \
		struct bytes bytes = {};                                                           \
		call;                                                                              \
		assert_string_equal(bytes_str(&bytes), expected);                                  \
		bytes_fini(&bytes);                                                                \
	} while (0)

static void says_times(void **state)
{
	const struct interval over_midnight = { now - 15 * H, now };

	(void)state;
	assert_words("14:02:00", when_add(&bytes, now - 3 * M, now));
	assert_words("2026-11-25 14:02:00", when_add(&bytes, now - 3 * M - D, now));
	assert_words("2026-11-25 23:05:00 to 2026-11-26 14:05:00",
		     when_add_interval(&bytes, &over_midnight, now));
	assert_words("2026-11-26T14:05:00.250+01:00", when_add_iso(&bytes, now + S / 4));
	assert_words("0 s", when_add_duration(&bytes, 0));
	assert_words("4 s", when_add_duration(&bytes, 3900000000));
	assert_words("2 min 10 s", when_add_duration(&bytes, 130 * S));
	assert_words("2 min", when_add_duration(&bytes, 120 * S));
	assert_words("1 h 4 min", when_add_duration(&bytes, H + 4 * M + 9 * S));
	assert_words("7 d", when_add_duration(&bytes, 7 * D + 5 * S));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_is_relative_to_now),
		cmocka_unit_test(takes_clock_times_that_have_been),
		cmocka_unit_test(ends_at_the_first_clock_time_after_the_beginning),
		cmocka_unit_test(takes_days),
		cmocka_unit_test(takes_dates),
		cmocka_unit_test(takes_the_epoch),
		cmocka_unit_test(refuses_the_rest),
		cmocka_unit_test(holds_both_of_two_local_times),
		cmocka_unit_test(holds_local_times_that_never_were),
		cmocka_unit_test(knows_other_zones),
		cmocka_unit_test(takes_intervals),
		cmocka_unit_test(takes_baselines),
		cmocka_unit_test(yesterday_is_the_same_clock_time),
		cmocka_unit_test(says_times),
	};

	return cmocka_run_group_tests(tests, in_berlin, NULL);
}
