// SPDX-License-Identifier: Apache-2.0
#include "query/when.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/parse.h"

#define SECOND_NS INT64_C(1000000000)
#define DAY_S INT64_C(86400)

enum {
	TEXT_MAX = 80,
	YEAR_MIN = 1970,
	YEAR_MAX = 2261, /* the last whole one that fits 63 bits of nanoseconds */
};

/* 2262-01-01T00:00:00Z: days can be added to all that is before. */
#define END_S INT64_C(9214646400)

/* A local time as it is read off a clock. */
struct clock_time {
	int64_t day;	    /* since 1970-01-01 */
	int64_t second;	    /* of the day */
	int64_t nanosecond; /* of the second */
};

/* Seconds that local time is ahead of UTC at a moment. */
static int64_t offset_at(int64_t second)
{
	time_t at = (time_t)second;
	struct tm local;

	return localtime_r(&at, &local) ? local.tm_gmtoff : 0;
}

/* See the head of when.h for what becomes of times that there are two of, or none. */
static int64_t moment_of(const struct clock_time *clock, bool is_end)
{
	int64_t seeming = clock->day * DAY_S + clock->second;
	int64_t before = seeming - offset_at(seeming - DAY_S);
	int64_t after = seeming - offset_at(seeming + DAY_S);
	bool is_before = before + offset_at(before) == seeming;
	bool is_after = after + offset_at(after) == seeming;
	int64_t second;

	if (is_before != is_after)
		second = is_before ? before : after;
	else
		second = (before < after) == is_end ? after : before;
	return second * SECOND_NS + clock->nanosecond;
}

static struct clock_time clock_of(int64_t time_ns)
{
	int64_t second = time_ns / SECOND_NS, seeming = second + offset_at(second);

	/* West of Greenwich, 1970 begins in 1969. */
	return (struct clock_time){ (seeming + DAY_S) / DAY_S - 1, (seeming + DAY_S) % DAY_S,
				    time_ns % SECOND_NS };
}

/* Takes `digits` digits. Returns false where there are fewer. */
static bool take_digits(const char **text, int digits, int *ret)
{
	int value = 0;

	for (int i = 0; i < digits; i++, ++*text) {
		if (!isdigit((unsigned char)**text))
			return false;
		value = value * 10 + (**text - '0');
	}
	*ret = value;
	return true;
}

static bool take_char(const char **text, char c)
{
	if (**text != c)
		return false;
	++*text;
	return true;
}

/* ".25", behind seconds; what is finer than nanoseconds is dropped. */
static bool take_fraction(const char **text, int64_t *ret_ns)
{
	int64_t unit = SECOND_NS / 10;

	*ret_ns = 0;
	if (!take_char(text, '.'))
		return true;
	if (!isdigit((unsigned char)**text))
		return false;
	for (; isdigit((unsigned char)**text); ++*text, unit /= 10)
		*ret_ns += unit * (**text - '0');
	return true;
}

/* "14:02", "14:02:30", "14:02:30.5" */
static bool take_clock(const char **text, struct clock_time *ret)
{
	int hour, minute, second = 0;

	if (!take_digits(text, 2, &hour) || !take_char(text, ':') || !take_digits(text, 2, &minute))
		return false;
	ret->nanosecond = 0;
	if (take_char(text, ':') &&
	    (!take_digits(text, 2, &second) || !take_fraction(text, &ret->nanosecond)))
		return false;
	ret->second = (hour * 60LL + minute) * 60 + second;
	return hour <= 23 && minute <= 59 && second <= 59;
}

/* "2026-11-26" */
static bool take_date(const char **text, struct clock_time *ret)
{
	struct tm date = {}, again;
	int year, month, day;
	time_t midnight;

	if (!take_digits(text, 4, &year) || !take_char(text, '-') ||
	    !take_digits(text, 2, &month) || !take_char(text, '-') || !take_digits(text, 2, &day))
		return false;
	date.tm_year = year - 1900;
	date.tm_mon = month - 1;
	date.tm_mday = day;
	midnight = timegm(&date);
	/* A day that there is stays what it is. */
	if (!gmtime_r(&midnight, &again) || again.tm_year != year - 1900 ||
	    again.tm_mon != month - 1 || again.tm_mday != day)
		return false;
	ret->day = midnight / DAY_S;
	return year >= YEAR_MIN && year <= YEAR_MAX;
}

/* "Z", "+01:00", "-0530": seconds ahead of UTC. */
static bool take_zone(const char **text, int64_t *ret)
{
	int hours, minutes = 0, sign;

	*ret = 0;
	if (take_char(text, 'Z'))
		return true;
	sign = **text == '-' ? -1 : 1;
	if (!take_char(text, '+') && !take_char(text, '-'))
		return false;
	if (!take_digits(text, 2, &hours))
		return false;
	(void)take_char(text, ':');
	if (**text && !take_digits(text, 2, &minutes))
		return false;
	*ret = sign * (hours * 3600LL + minutes * 60LL);
	return hours <= 18 && minutes <= 59;
}

static int in_range(int64_t *ret_ns, int64_t ns)
{
	if (ns < 0 || ns >= END_S * SECOND_NS)
		return -ERANGE;
	*ret_ns = ns;
	return 0;
}

/* "2026-11-26", "2026-11-26T14:02:30+01:00" */
static int parse_date(int64_t *ret_ns, const char *text, bool is_end)
{
	struct clock_time clock = {};
	int64_t zone;

	if (!take_date(&text, &clock))
		return -EINVAL;
	if (!*text)
		return in_range(ret_ns, moment_of(&clock, is_end));
	if (!take_char(&text, 'T') && !take_char(&text, ' '))
		return -EINVAL;
	if (!take_clock(&text, &clock))
		return -EINVAL;
	if (!*text)
		return in_range(ret_ns, moment_of(&clock, is_end));
	if (!take_zone(&text, &zone) || *text)
		return -EINVAL;
	return in_range(ret_ns,
			(clock.day * DAY_S + clock.second - zone) * SECOND_NS + clock.nanosecond);
}

/* "@1795701720.5", "@1795701720500000000ns" */
static int parse_epoch(int64_t *ret_ns, const char *text)
{
	int64_t value, fraction;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno == ERANGE)
		return -ERANGE;
	if (strcmp(end, "ns") == 0)
		return in_range(ret_ns, value);
	text = end;
	if (!take_fraction(&text, &fraction) || *text)
		return -EINVAL;
	return value < END_S ? in_range(ret_ns, value * SECOND_NS + fraction) : -ERANGE;
}

/* "yesterday", "yesterday 14:02"; the word is behind us. */
static int parse_day(int64_t *ret_ns, const char *text, int64_t now_ns, int days_ago, bool is_end)
{
	struct clock_time clock = { .day = clock_of(now_ns).day - days_ago };

	if (*text && ((!take_char(&text, ' ') && !take_char(&text, 'T')) ||
		      !take_clock(&text, &clock) || *text))
		return -EINVAL;
	return in_range(ret_ns, moment_of(&clock, is_end));
}

/* A clock time alone; from_ns: it is an end of what begins there, NULL: a beginning. */
static int parse_clock(int64_t *ret_ns, const char *text, int64_t now_ns, const int64_t *from_ns)
{
	struct clock_time clock = {};
	int64_t at;

	if (!take_clock(&text, &clock) || *text)
		return -EINVAL;
	clock.day = clock_of(from_ns ? *from_ns : now_ns).day;
	at = moment_of(&clock, from_ns);
	if (from_ns && at <= *from_ns)
		clock.day++;
	else if (!from_ns && at > now_ns)
		clock.day--;
	return in_range(ret_ns, moment_of(&clock, from_ns));
}

/* "10m", "10m-ago", "10m ago" → how long. */
static int parse_ago(int64_t *ret_ns, const char *text)
{
	size_t size = strlen(text);
	char number[TEXT_MAX + 1];
	uint64_t duration_ns;
	int r;

	if (size > TEXT_MAX)
		return -EINVAL;
	memcpy(number, text, size + 1);
	if (size > 4 &&
	    (strcmp(number + size - 4, "-ago") == 0 || strcmp(number + size - 4, " ago") == 0))
		number[size - 4] = '\0';
	r = parse_duration(&duration_ns, number);
	if (r == 0)
		*ret_ns = (int64_t)duration_ns;
	return r;
}

static const char *after_word(const char *text, const char *word)
{
	size_t size = strlen(word);

	return strncmp(text, word, size) == 0 ? text + size : NULL;
}

static int parse(int64_t *ret_ns, const char *text, int64_t now_ns, const int64_t *from_ns)
{
	const char *rest;
	int64_t ago_ns;
	int r;

	if (strlen(text) > TEXT_MAX)
		return -EINVAL;
	if (strcmp(text, "now") == 0)
		return in_range(ret_ns, now_ns);
	if (*text == '@')
		return parse_epoch(ret_ns, text + 1);
	if (*text == '+' && from_ns) {
		uint64_t duration_ns;

		r = parse_duration(&duration_ns, text + 1);
		if (r == 0 && (int64_t)duration_ns > END_S * SECOND_NS - *from_ns)
			r = -ERANGE;
		return r == 0 ? in_range(ret_ns, *from_ns + (int64_t)duration_ns) : r;
	}
	rest = after_word(text, "yesterday");
	if (rest)
		return parse_day(ret_ns, rest, now_ns, 1, from_ns);
	rest = after_word(text, "today");
	if (rest)
		return parse_day(ret_ns, rest, now_ns, 0, from_ns);
	/* "120m-ago" has it there as well. */
	if (strlen(text) >= 8 && text[4] == '-' && isdigit((unsigned char)text[5]))
		return parse_date(ret_ns, text, from_ns);
	if (strchr(text, ':'))
		return parse_clock(ret_ns, text, now_ns, from_ns);
	r = parse_ago(&ago_ns, text);
	return r == 0 ? in_range(ret_ns, now_ns - ago_ns) : r;
}

int when_parse(int64_t *ret_ns, const char *text, int64_t now_ns)
{
	tzset();
	return parse(ret_ns, text, now_ns, NULL);
}

int when_parse_end(int64_t *ret_ns, const char *text, int64_t now_ns, int64_t from_ns)
{
	tzset();
	return from_ns < 0 || from_ns >= END_S * SECOND_NS ? -ERANGE
							   : parse(ret_ns, text, now_ns, &from_ns);
}

int when_parse_interval(struct interval *ret, const char *text, int64_t now_ns)
{
	const char *dots = strstr(text, "..");
	char begin[TEXT_MAX + 1];
	struct interval interval;
	int r;

	if (!dots || dots - text > TEXT_MAX)
		return -EINVAL;
	memcpy(begin, text, (size_t)(dots - text));
	begin[dots - text] = '\0';
	r = when_parse(&interval.from_ns, begin, now_ns);
	if (r == 0)
		r = when_parse_end(&interval.until_ns, dots + 2, now_ns, interval.from_ns);
	if (r == 0 && interval.until_ns <= interval.from_ns)
		r = -ERANGE;
	if (r == 0)
		*ret = interval;
	return r;
}

static int shift_days(struct interval *ret, const struct interval *interval, int days)
{
	struct clock_time from = clock_of(interval->from_ns), until = clock_of(interval->until_ns);

	from.day -= days;
	until.day -= days;
	ret->from_ns = moment_of(&from, false);
	ret->until_ns = moment_of(&until, true);
	return ret->from_ns < 0 || ret->until_ns <= ret->from_ns ? -ERANGE : 0;
}

int when_parse_baseline(struct interval *ret, const char *text, const struct interval *interval,
			int64_t now_ns)
{
	int64_t ago_ns;
	int r;

	tzset();
	if (strstr(text, ".."))
		return when_parse_interval(ret, text, now_ns);
	if (strcmp(text, "yesterday") == 0)
		return shift_days(ret, interval, 1);
	if (strcmp(text, "last-week") == 0)
		return shift_days(ret, interval, 7);
	r = parse_ago(&ago_ns, text);
	if (r == 0 && (ago_ns == 0 || ago_ns > interval->from_ns))
		r = -ERANGE;
	if (r == 0)
		*ret = (struct interval){ interval->from_ns - ago_ns, interval->until_ns - ago_ns };
	return r;
}

static void add_time(struct bytes *bytes, int64_t time_ns, bool with_date)
{
	time_t second = (time_t)(time_ns / SECOND_NS);
	char text[64];
	struct tm local;

	tzset();
	if (!localtime_r(&second, &local) ||
	    !strftime(text, sizeof(text), with_date ? "%Y-%m-%d %H:%M:%S" : "%H:%M:%S", &local)) {
		bytes_add_format(bytes, "@%" PRId64, time_ns / SECOND_NS);
		return;
	}
	bytes_add_str(bytes, text);
}

static bool is_same_day(int64_t a_ns, int64_t b_ns)
{
	return clock_of(a_ns).day == clock_of(b_ns).day;
}

void when_add(struct bytes *bytes, int64_t time_ns, int64_t now_ns)
{
	add_time(bytes, time_ns, !is_same_day(time_ns, now_ns));
}

void when_add_interval(struct bytes *bytes, const struct interval *interval, int64_t now_ns)
{
	when_add(bytes, interval->from_ns, now_ns);
	bytes_add_str(bytes, " to ");
	add_time(bytes, interval->until_ns, !is_same_day(interval->from_ns, interval->until_ns));
}

void when_add_iso(struct bytes *bytes, int64_t time_ns)
{
	time_t second = (time_t)(time_ns / SECOND_NS);
	char text[64];
	struct tm local;
	long offset;

	tzset();
	if (!localtime_r(&second, &local) ||
	    !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &local))
		return;
	offset = labs(local.tm_gmtoff) / 60;
	bytes_add_format(bytes, "%s.%03d%c%02ld:%02ld", text, (int)(time_ns % SECOND_NS / 1000000),
			 local.tm_gmtoff < 0 ? '-' : '+', offset / 60, offset % 60);
}

void when_add_duration(struct bytes *bytes, int64_t duration_ns)
{
	static const struct {
		const char *name;
		int64_t seconds;
	} units[] = { { "d", DAY_S }, { "h", 3600 }, { "min", 60 }, { "s", 1 } };
	int64_t left = duration_ns / SECOND_NS + (duration_ns % SECOND_NS >= SECOND_NS / 2);
	unsigned said = 0;

	for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]) && said < 2; i++) {
		int64_t count = left / units[i].seconds;

		left %= units[i].seconds;
		if (!count && !said)
			continue;
		said++;
		if (count)
			bytes_add_format(bytes, "%s%" PRId64 " %s", said > 1 ? " " : "", count,
					 units[i].name);
	}
	if (!said)
		bytes_add_str(bytes, "0 s");
}
