// SPDX-License-Identifier: Apache-2.0
/* perf_event_open(2): the timers that sample, and the stream of mappings. */
#include "cmd/probes.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "proc/resident.h"
#include "source/counted_event.h"

static int event_open(struct perf_event_attr *attr, pid_t pid, int cpu)
{
	int fd;

	attr->size = sizeof(*attr);
	fd = (int)syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void say_refused(struct probe_result *ret, enum probe_status status, const char *what, int r)
{
	probe_say(ret, status, "%s: %s", what, strerror(-r));
	if (r == -EACCES || r == -EPERM)
		probe_fix_as_root(ret);
}

/* A sampling timer, stopped, as recording opens it. */
static struct perf_event_attr timer(uint32_t type, uint64_t config)
{
	return (struct perf_event_attr){
		.type = type,
		.config = config,
		.freq = 1,
		.sample_freq = 99,
		.disabled = 1,
	};
}

static bool counts(uint32_t event)
{
	return counted_event_of(event)->type == PERF_TYPE_HARDWARE && counted_event_try(event) == 0;
}

/* The names of hardware's events that open, or of those that do not. */
static void list_hardware(char *ret, size_t size, bool opened)
{
	size_t at = 0;

	for (uint32_t event = EVENT_COUNTED_FIRST; event < EVENTS && at < size; event++)
		if (counted_event_of(event)->type == PERF_TYPE_HARDWARE && counts(event) == opened)
			at += (size_t)snprintf(ret + at, size - at, "%s%s", at ? ", " : "",
					       counted_event_of(event)->name);
}

static void cycles(struct probe_result *ret)
{
	int r = counted_event_try(EVENT_CYCLES);
	char have[128] = "", lack[128] = "";

	list_hardware(have, sizeof(have), true);
	list_hardware(lack, sizeof(lack), false);
	if (have[0])
		probe_say(ret, counts(EVENT_CYCLES) ? PROBE_OK : PROBE_DEGRADED,
			  "hardware counts %s%s%s", have, lack[0] ? "; not " : "", lack);
	else if (r == -ENOENT || r == -EOPNOTSUPP || r == -ENODEV || r == -ENXIO)
		probe_say(ret, PROBE_DEGRADED,
			  "no hardware counters here (a virtual machine?): no '-e cycles' and the like; "
			  "'-e cpu' samples by cpu-clock");
	else
		say_refused(ret, PROBE_DEGRADED, "cannot be opened", r);
}

static void cpu_clock(struct probe_result *ret)
{
	struct perf_event_attr attr = timer(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK);
	int fd = event_open(&attr, 0, -1);

	if (fd >= 0) {
		probe_say(ret, PROBE_OK, "opened");
		close(fd);
	} else {
		say_refused(ret, PROBE_MISSING, "cannot be opened", fd);
	}
}

/* Offline CPUs have no event; sysconf counts the online ones. */
static void every_cpu(struct probe_result *ret)
{
	struct perf_event_attr attr = timer(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK);
	long configured = sysconf(_SC_NPROCESSORS_CONF), online = sysconf(_SC_NPROCESSORS_ONLN);
	long opened = 0;
	int failure = 0;

	for (int cpu = 0; cpu < configured; cpu++) {
		int fd = event_open(&attr, -1, cpu);

		if (fd >= 0) {
			opened++;
			close(fd);
		} else if (fd != -ENODEV) {
			failure = fd;
		}
	}
	if (opened && opened >= online)
		probe_say(ret, PROBE_OK, "opened on %ld of %ld online CPUs", opened, online);
	else
		say_refused(ret, PROBE_MISSING, "cannot be opened on every CPU",
			    failure ? failure : -ENODEV);
}

/* Whether a record of this type lies between data_tail and data_head of a ring. */
static bool ring_holds(const struct perf_event_mmap_page *page, uint32_t type)
{
	uint64_t head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
	const unsigned char *data = (const unsigned char *)page + page->data_offset;
	struct perf_event_header header;

	for (uint64_t at = 0; at + sizeof(header) <= head && head <= page->data_size;
	     at += header.size) {
		memcpy(&header, data + at, sizeof(header));
		if (header.type == type)
			return true;
		if (header.size < sizeof(header))
			return false;
	}
	return false;
}

/* Maps executable memory of our own and looks for it in the ring of this CPU. */
static int see_own_mapping(int fd, bool *seen)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = 9 * page;
	void *ring = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *code;

	if (ring == MAP_FAILED)
		return -errno;
	code = mmap(NULL, page, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (code != MAP_FAILED)
		munmap(code, page);
	*seen = ring_holds(ring, PERF_RECORD_MMAP2);
	munmap(ring, size);
	return 0;
}

static void mapping_stream(struct probe_result *ret)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.mmap = 1,
		.mmap2 = 1,
		.build_id = 1,
		.task = 1,
		.comm = 1,
		.comm_exec = 1,
		.sample_id_all = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};
	cpu_set_t before, one;
	bool build_ids = true, seen = false;
	int fd, r, cpu = sched_getcpu();

	/* The event is this CPU's: stay on it. */
	CPU_ZERO(&one);
	CPU_SET((size_t)(cpu < 0 ? 0 : cpu), &one);
	if (cpu < 0 || sched_getaffinity(0, sizeof(before), &before) < 0 ||
	    sched_setaffinity(0, sizeof(one), &one) < 0) {
		probe_say(ret, PROBE_UNKNOWN, "cannot stay on one CPU to try it");
		return;
	}
	fd = event_open(&attr, -1, cpu);
	if (fd == -EINVAL) { /* before 5.12 */
		build_ids = false;
		attr.build_id = 0;
		fd = event_open(&attr, -1, cpu);
	}
	r = fd < 0 ? fd : see_own_mapping(fd, &seen);
	if (fd >= 0)
		close(fd);
	(void)sched_setaffinity(0, sizeof(before), &before);
	if (r < 0)
		say_refused(ret, PROBE_MISSING,
			    fd < 0 ? "cannot be opened" : "no memory for its ring", r);
	else if (!seen)
		probe_say(ret, PROBE_MISSING, "opened, but a new mapping did not show up in it");
	else if (!build_ids)
		probe_say(ret, PROBE_DEGRADED, "works, but without build IDs (needs Linux 5.12)");
	else
		probe_say(ret, PROBE_OK, "reported a mapping made for the purpose");
}

/* One page, touched for the first time. The caller's; NULL: no memory. */
static volatile char *touch_page(size_t size)
{
	volatile char *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return NULL;
	*page = 1;
	return page;
}

static void page_faults(struct probe_result *ret)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
					.config = PERF_COUNT_SW_PAGE_FAULTS_MIN };
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	int fd = event_open(&attr, 0, -1);
	volatile char *page = fd >= 0 ? touch_page(size) : NULL;
	uint64_t faults = 0;

	if (fd < 0) {
		say_refused(ret, PROBE_MISSING, "cannot be opened: no '-e growth'", fd);
		return;
	}
	if (!page || read(fd, &faults, sizeof(faults)) != sizeof(faults))
		probe_say(ret, PROBE_UNKNOWN, "no memory to try it");
	else if (!faults)
		probe_say(ret, PROBE_MISSING, "a page was touched, and none was told: no '-e growth'");
	else
		probe_say(ret, PROBE_OK, "a page that was touched was told");
	if (page)
		munmap((void *)page, size);
	close(fd);
}

static int note_run(void *context, uint64_t from, uint64_t to, unsigned flags)
{
	uint64_t *bytes = context;

	(void)flags;
	*bytes += to - from;
	return 0;
}

static void resident_pages(struct probe_result *ret)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	struct resident resident = RESIDENT_NULL;
	volatile char *page = touch_page(size);
	uint64_t start = (uint64_t)(uintptr_t)page, bytes = 0;
	int r = page ? resident_open(&resident, getpid(), false) : -ENOMEM;

	if (r == 0)
		r = resident_scan(&resident, start, start + size, note_run, &bytes);
	if (r < 0)
		say_refused(ret, PROBE_MISSING, "/proc/PID/pagemap cannot be read: no '-e growth'", r);
	else if (bytes != size)
		probe_say(ret, PROBE_MISSING, "a page that is there was not found: no '-e growth'");
	else if (resident.words)
		probe_say(ret, PROBE_DEGRADED,
			  "which pages are there is asked page by page (PAGEMAP_SCAN needs Linux 6.7)");
	else
		probe_say(ret, PROBE_OK, "which pages are there is asked at once (PAGEMAP_SCAN)");
	resident_close(&resident);
	if (page)
		munmap((void *)page, size);
}

const struct probe probes_events[] = {
	{ "cycles", PROBE_NICE, cycles },
	{ "cpu-clock", PROBE_FOR_TABLES, cpu_clock },
	{ "per-cpu-events", PROBE_FOR_TABLES, every_cpu },
	{ "mapping-stream", PROBE_FOR_TABLES, mapping_stream },
	{ "page-faults", PROBE_NICE, page_faults },
	{ "resident-pages", PROBE_NICE, resident_pages },
	{},
};
