// SPDX-License-Identifier: Apache-2.0
#include "source/counted_event.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "source/perf_event.h"

#define HARDWARE(what) PERF_TYPE_HARDWARE, PERF_COUNT_HW_##what
#define SOFTWARE(what) PERF_TYPE_SOFTWARE, PERF_COUNT_SW_##what

const struct counted_event counted_events[EVENTS_COUNTED] = {
#define ROW(event) [EVENT_##event - EVENT_COUNTED_FIRST]
	ROW(CYCLES) = { "cycles", "cpu-cycles", HARDWARE(CPU_CYCLES), false },
	ROW(INSTRUCTIONS) = { "instructions", NULL, HARDWARE(INSTRUCTIONS), false },
	ROW(CACHE_REFERENCES) = { "cache-references", NULL, HARDWARE(CACHE_REFERENCES), false },
	ROW(CACHE_MISSES) = { "cache-misses", NULL, HARDWARE(CACHE_MISSES), false },
	ROW(BRANCHES) = { "branches", "branch-instructions", HARDWARE(BRANCH_INSTRUCTIONS), false },
	ROW(BRANCH_MISSES) = { "branch-misses", NULL, HARDWARE(BRANCH_MISSES), false },
	ROW(BUS_CYCLES) = { "bus-cycles", NULL, HARDWARE(BUS_CYCLES), false },
	ROW(REF_CYCLES) = { "ref-cycles", NULL, HARDWARE(REF_CPU_CYCLES), false },
	ROW(PAGE_FAULTS) = { "page-faults", "faults", SOFTWARE(PAGE_FAULTS), false },
	ROW(MINOR_FAULTS) = { "minor-faults", NULL, SOFTWARE(PAGE_FAULTS_MIN), false },
	ROW(MAJOR_FAULTS) = { "major-faults", NULL, SOFTWARE(PAGE_FAULTS_MAJ), false },
	ROW(CONTEXT_SWITCHES) = { "context-switches", "cs", SOFTWARE(CONTEXT_SWITCHES), true },
	ROW(CPU_MIGRATIONS) = { "cpu-migrations", "migrations", SOFTWARE(CPU_MIGRATIONS), true },
#undef ROW
};

/* The kernel refuses more than its limit, which it lowers by itself. */
static uint32_t allowed_rate(uint32_t wanted_hz)
{
	cleanup(bytes_fini) struct bytes text = {};
	uint32_t most = 0;

	if (fs_read(&text, AT_FDCWD, "/proc/sys/kernel/perf_event_max_sample_rate", 64) == 0 &&
	    bytes_str(&text))
		(void)sscanf(text.at, "%" SCNu32, &most);
	return most && most < wanted_hz ? most : wanted_hz;
}

struct perf_event_attr counted_event_attr(uint32_t event, uint32_t frequency_hz, uint64_t period)
{
	const struct counted_event *counted = counted_event_of(event);
	struct perf_event_attr attr = {
		.type = counted->type,
		.config = counted->config,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
		.disabled = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};

	if (period)
		attr.sample_period = period;
	else
		attr.sample_freq = allowed_rate(frequency_hz);
	attr.freq = !period;
	return attr;
}

static int try_to_open(uint32_t event, bool user_only)
{
	struct perf_event_attr attr = counted_event_attr(event, 0, 1000000); /* which no limit of rates refuses */
	cleanup(close) int fd = -1;

	attr.exclude_kernel = user_only;
	fd = perf_event_new(&attr, 0, -1);
	return fd < 0 ? fd : 0;
}

int counted_event_try(uint32_t event)
{
	int r = try_to_open(event, false);

	if ((r == -EACCES || r == -EPERM) && !counted_event_of(event)->in_kernel)
		r = try_to_open(event, true);
	return r;
}

static bool is_absent(int r)
{
	return r == -ENOENT || r == -EOPNOTSUPP || r == -ENODEV || r == -ENXIO;
}

void counted_event_trouble(char *ret, size_t size, uint32_t event, int r)
{
	const struct counted_event *counted = counted_event_of(event);
	bool hardware = counted->type == PERF_TYPE_HARDWARE;

	if (hardware && is_absent(r) && event != EVENT_CYCLES && counted_event_try(EVENT_CYCLES) == 0)
		snprintf(ret, size, "'-e %s' is nothing that this processor's counters count; see "
				    "'profd doctor' for what they do",
			 counted->name);
	else if (hardware && is_absent(r))
		snprintf(ret, size, "'-e %s' needs hardware counters, which this machine (a virtual one?) "
				    "does not have; '-e cpu' samples time",
			 counted->name);
	else if (r == -EINVAL)
		snprintf(ret, size, "'-e %s': the kernel does not take this rate or period of it; try "
				    "another -F or -c",
			 counted->name);
	else if (counted->in_kernel && (r == -EACCES || r == -EPERM))
		snprintf(ret, size, "'-e %s' happens in the kernel, where you may not look; run it as root, "
				    "or 'sysctl -w kernel.perf_event_paranoid=1'",
			 counted->name);
	else
		snprintf(ret, size, "'-e %s' cannot be opened: %s; see 'profd doctor'", counted->name,
			 strerror(-r));
}

int counted_read(struct counted_reading *ret, int fd)
{
	struct counted_reading reading; /* perf_event_open(2), "Reading results" */
	ssize_t got = read(fd, &reading, sizeof(reading));

	if (got != sizeof(reading))
		return got < 0 ? -errno : -EIO;
	*ret = reading;
	return 0;
}

void counted_throttle_note(struct counted_throttle *throttle, bool stops, uint64_t time_ns)
{
	throttle->total_ns = counted_throttle_ns(throttle, time_ns);
	throttle->times += stops;
	throttle->since_ns = stops ? time_ns : 0;
}

/* The kernel lets it go on at its next tick, of 100 a second at least; what took longer slept, or has ended. */
#define STOP_NS_MAX 10000000ULL

uint64_t counted_throttle_ns(const struct counted_throttle *throttle, uint64_t now_ns)
{
	uint64_t since = throttle->since_ns, stopped = since && now_ns > since ? now_ns - since : 0;

	return throttle->total_ns + (stopped < STOP_NS_MAX ? stopped : STOP_NS_MAX);
}

uint64_t counted_lost(const struct counted_reading *reading, const struct wire_counted *seen,
		      uint64_t throttled_ns)
{
	uint64_t beyond = reading->count > seen->events ? reading->count - seen->events : 0;
	uint64_t ran = reading->running_ns > throttled_ns ? reading->running_ns - throttled_ns : 0;
	uint64_t lost = seen->largest ? beyond / seen->largest : 0;

	if (ran && throttled_ns)
		lost += (uint64_t)((double)seen->hits * (double)throttled_ns / (double)ran);
	return lost;
}
