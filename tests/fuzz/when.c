// SPDX-License-Identifier: Apache-2.0
/*
 * Points in time and intervals: whatever is understood lies in its range, and written down as people
 * and programs read it, is understood as the same.
 */
#include "query/when.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "fuzz.h"

#define SECOND_NS 1000000000LL
#define END_NS (9214646400LL * SECOND_NS)

static void check_time(int64_t ns, int64_t now_ns)
{
	struct bytes text = {};
	int64_t again;

	FUZZ_CHECK(ns >= 0 && ns < END_NS);
	when_add(&text, ns, now_ns);
	text.size = 0;
	when_add_iso(&text, ns);
	/* Local years are none of the range's at its ends. */
	if (ns > 2 * 86400 * SECOND_NS && ns < END_NS - 2 * 86400 * SECOND_NS)
		FUZZ_CHECK(when_parse(&again, bytes_str(&text), now_ns) == 0 &&
			   again == ns / 1000000 * 1000000);
	bytes_fini(&text);
}

static void check_interval(const struct interval *interval, int64_t now_ns)
{
	struct bytes text = {};

	FUZZ_CHECK(interval->from_ns < interval->until_ns);
	check_time(interval->from_ns, now_ns);
	check_time(interval->until_ns, now_ns);
	when_add_interval(&text, interval, now_ns);
	when_add_duration(&text, interval->until_ns - interval->from_ns);
	FUZZ_CHECK(bytes_str(&text) && text.size > 0);
	bytes_fini(&text);
}

static void check(const char *text, int64_t now_ns)
{
	struct interval interval, baseline;
	int64_t from_ns, until_ns;
	int r = when_parse(&from_ns, text, now_ns);

	FUZZ_CHECK(r == 0 || r == -EINVAL || r == -ERANGE);
	if (r == 0) {
		check_time(from_ns, now_ns);
		if (when_parse_end(&until_ns, text, now_ns, from_ns) == 0)
			check_time(until_ns, now_ns);
	}
	if (when_parse_interval(&interval, text, now_ns) < 0)
		interval = (struct interval){ now_ns, now_ns + 600 * SECOND_NS };
	check_interval(&interval, now_ns);
	if (when_parse_baseline(&baseline, text, &interval, now_ns) == 0)
		check_interval(&baseline, now_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Half hours, a change of clocks, and none at all. */
	static const char *const zones[] = { "CET-1CEST,M3.5.0,M10.5.0/3", "<+0545>-5:45", "UTC0",
					     "<-03>3<-02>,M10.3.0/0,M2.3.0/0" };
	struct reader reader = reader_of(data, size);
	uint8_t zone = reader_u8(&reader);
	int64_t now_ns = (int64_t)reader_u32(&reader) * SECOND_NS * 2;
	char *text = strndup((const char *)reader.at, reader_left(&reader));

	FUZZ_CHECK(text && setenv("TZ", zones[zone % 4], 1) == 0);
	tzset();
	check(text, now_ns);
	free(text);
	return 0;
}
