// SPDX-License-Identifier: Apache-2.0
/*
 * Writes hours of history out of one recording, with a clock of its own, tidying as the daemon
 * does.
 *
 * history-fill FOLDER PROFILE HOURS [MAX_MIB]
 *
 * The recording's samples are taken for those of one hour at its rate: those of processes with many
 * are spread over all of it, those of the others over a few windows. Each hour they are dealt anew,
 * and processes have other pids. Prints a JSON object per hour.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "input/input.h"
#include "store/store.h"
#include "store/tidy.h"

enum { WINDOWS = 360 };

#define SECOND 1000000000LL
#define PERIOD_NS (SECOND / 19)
#define BEGIN_NS (1800000000LL * SECOND)

static uint64_t seed = 88172645463325252ULL;

/* xorshift64 (G. Marsaglia, 2003). */
static uint32_t dice(uint32_t sides)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32) % sides;
}

static void fail(const char *what, int r, struct bytes *why)
{
	fprintf(stderr, "history-fill: %s: %d %s\n", what, r, why ? bytes_str(why) : "");
	exit(1);
}

static int64_t number_of(const struct profile *profile, uint32_t set, const char *key)
{
	const struct profile_label *label = profile_label_find(profile, set, key);

	return label && label->is_number ? label->number : -1;
}

struct dealt {
	uint32_t sample, count;
};

struct hour {
	const struct profile *profile;
	uint64_t *by_pid; /* samples */
	uint32_t *starts; /* first window of a process with few */
	struct {
		ARRAY_OF(struct dealt) dealt;
	} windows[WINDOWS];
};

enum { PIDS = 1 << 22 };

static uint32_t pid_of(const struct profile *profile, uint32_t sample)
{
	return (uint32_t)number_of(profile, profile->samples.at[sample].labels, "pid") % PIDS;
}

static void deal(struct hour *hour)
{
	const struct profile *profile = hour->profile;
	uint64_t total = 0;

	for (int i = 0; i < WINDOWS; i++)
		hour->windows[i].dealt.count = 0;
	for (uint32_t i = 0; i < PIDS; i++)
		hour->starts[i] = dice(WINDOWS);
	memset(hour->by_pid, 0, PIDS * sizeof(*hour->by_pid));
	for (uint32_t i = 0; i < profile->samples.count; i++) {
		hour->by_pid[pid_of(profile, i)] += (uint64_t)profile_value(profile, i, 0);
		total += (uint64_t)profile_value(profile, i, 0);
	}
	for (uint32_t i = 0; i < profile->samples.count; i++) {
		uint32_t pid = pid_of(profile, i);
		/* As many windows as one process could have filled by itself. */
		uint64_t few = 1 + hour->by_pid[pid] * WINDOWS * 2 / total;

		for (int64_t k = profile_value(profile, i, 0); k > 0; k--) {
			uint32_t window =
				few > 30 ? dice(WINDOWS)
					 : (hour->starts[pid] + dice((uint32_t)few)) % WINDOWS;
			struct dealt *last =
				hour->windows[window].dealt.count
					? &hour->windows[window]
						   .dealt.at[hour->windows[window].dealt.count - 1]
					: NULL;

			if (last && last->sample == i) {
				last->count++;
				continue;
			}
			last = array_push(&hour->windows[window].dealt);
			if (!last)
				fail("memory", -1, NULL);
			*last = (struct dealt){ i, 1 };
		}
	}
}

static uint32_t text(struct profile *to, const char *value)
{
	uint32_t id;

	if (profile_string(to, &id, value) < 0)
		fail("memory", -1, NULL);
	return id;
}

static uint32_t take_labels(struct profile *to, const struct profile *from, uint32_t set, int hour)
{
	const struct profile_label *comm = profile_label_find(from, set, "comm");
	const char *name = comm ? profile_text(from, comm->text) : "none";
	int64_t pid = number_of(from, set, "pid");
	char exe[128], unit[128], cgroup[160], build_id[48];
	uint32_t id;

	snprintf(exe, sizeof(exe), "/usr/bin/%s", name);
	snprintf(unit, sizeof(unit), "%s.service", name);
	snprintf(cgroup, sizeof(cgroup), "/system.slice/%s", unit);
	snprintf(build_id, sizeof(build_id), "%016" PRIx64, hash_bytes(name, strlen(name)));
	struct profile_label labels[] = {
		{ .key = text(to, "comm"), .text = text(to, name) },
		{ .key = text(to, "pid"), .number = pid + hour * 7919, .is_number = true },
		{ .key = text(to, "exe"), .text = text(to, exe) },
		{ .key = text(to, "build_id"), .text = text(to, build_id) },
		{ .key = text(to, "user"), .text = text(to, "root") },
		{ .key = text(to, "uid"), .is_number = true },
		{ .key = text(to, "cgroup"), .text = text(to, cgroup) },
		{ .key = text(to, "unit"), .text = text(to, unit) },
	};
	if (profile_labels_add(to, &id, labels, ARRAY_SIZE(labels)) < 0)
		fail("memory", -1, NULL);
	return id;
}

static uint32_t take_function(struct profile *to, const struct profile *from, uint32_t id)
{
	struct profile_function function = from->functions.at[id];

	function.name = text(to, profile_text(from, function.name));
	function.system_name = text(to, profile_text(from, function.system_name));
	function.file = text(to, profile_text(from, function.file));
	if (profile_function_add(to, &id, &function) < 0)
		fail("memory", -1, NULL);
	return id;
}

static uint32_t take_location(struct profile *to, const struct profile *from, uint32_t id)
{
	const struct profile_location *location = &from->locations.at[id];
	struct profile_mapping mapping = from->mappings.at[location->mapping];
	struct profile_line lines[64];
	uint32_t in, count = location->line_count < 64 ? location->line_count : 64, known;

	mapping.file = text(to, profile_text(from, mapping.file));
	mapping.build_id = text(to, profile_text(from, mapping.build_id));
	known = to->locations.count;
	if (profile_mapping_add(to, &in, &mapping) < 0 ||
	    profile_location_add(to, &id, in, location->address, location->kind) < 0)
		fail("memory", -1, NULL);
	if (id < known)
		return id;
	for (uint32_t i = 0; i < count; i++) {
		lines[i] = from->lines.at[location->first_line + i];
		lines[i].function = take_function(to, from, lines[i].function);
	}
	if (profile_location_name(to, id, lines, count, location->named) < 0)
		fail("memory", -1, NULL);
	return id;
}

static struct profile *make_window(const struct hour *hour, int number, int window)
{
	const struct profile *from = hour->profile;
	struct profile *to;
	uint32_t type;

	if (profile_new(&to) < 0 || profile_type_add(to, &type, "samples", "count") < 0 ||
	    profile_type_add(to, &type, "cpu", "nanoseconds") < 0)
		fail("memory", -1, NULL);
	to->meta.time_ns = BEGIN_NS + (number * (int64_t)WINDOWS + window) * 10 * SECOND;
	to->meta.duration_ns = 10 * SECOND;
	to->meta.period = PERIOD_NS;
	for (uint32_t i = 0; i < hour->windows[window].dealt.count; i++) {
		const struct dealt *dealt = &hour->windows[window].dealt.at[i];
		const struct profile_sample *sample = &from->samples.at[dealt->sample];
		struct profile_run run = from->stacks.at[sample->stack];
		int64_t values[] = { dealt->count, dealt->count * PERIOD_NS };
		uint32_t locations[4096], stack;

		for (uint32_t k = 0; k < run.count && k < 4096; k++)
			locations[k] =
				take_location(to, from, from->stack_locations.at[run.first + k]);
		if (profile_stack_add(to, &stack, locations, run.count) < 0 ||
		    profile_sample_add(to, stack, take_labels(to, from, sample->labels, number),
				       values) < 0)
			fail("memory", -1, NULL);
	}
	return to;
}

static long rss_kib(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long all, resident = 0;

	if (file && fscanf(file, "%ld %ld", &all, &resident) != 2)
		resident = 0;
	if (file)
		(void)fclose(file);
	return resident * 4;
}

int main(int argc, char **argv)
{
	struct store_options options = {};
	struct input_report report = {};
	struct store *store = NULL;
	struct profile *profile = NULL;
	struct bytes why = {};
	struct hour hour = {};
	long store_kib = 0, most_kib = 0;
	int hours, fd, r;

	if (argc < 4)
		return 2;
	options.folder = argv[1];
	hours = atoi(argv[3]);
	options.max_bytes = argc > 4 ? strtoull(argv[4], NULL, 10) << 20 : 0;
	fd = open(argv[2], O_RDONLY | O_CLOEXEC);
	r = input_read(&profile, fd, 1ULL << 30, &report, NULL);
	if (r != 0)
		fail(argv[2], r, NULL);
	r = store_open(&store, &options, &why);
	if (r != 0)
		fail("open", r, &why);
	hour.profile = profile;
	hour.by_pid = calloc(PIDS, sizeof(*hour.by_pid));
	hour.starts = calloc(PIDS, sizeof(*hour.starts));
	for (int number = 0; number < hours; number++) {
		uint64_t write_ns = 0, tidy_ns = 0, worst_ns = 0, samples = 0, cpu;
		long before_kib;
		int64_t now_ns = 0;

		deal(&hour);
		for (int i = 0; i < WINDOWS; i++) {
			struct profile *window = make_window(&hour, number, i);
			struct mallinfo2 before = mallinfo2(), after;

			cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
			before_kib = (long)before.uordblks / 1024;
			r = store_add_window(store, window, NULL, &why);
			after = mallinfo2();
			store_kib += (long)after.uordblks / 1024 - before_kib;
			most_kib = store_kib > most_kib ? store_kib : most_kib;
			cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
			if (r != 0)
				fail("window", r, &why);
			write_ns += cpu;
			worst_ns = cpu > worst_ns ? cpu : worst_ns;
			samples += (uint64_t)profile_total(window, 0);
			now_ns = window->meta.time_ns + window->meta.duration_ns;
			profile_free(window);
			if (i % 60 == 59) {
				cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
				r = store_tidy(&options, now_ns, &why);
				if (r != 0)
					fail("tidy", r, &why);
				tidy_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
			}
		}
		printf("{\"hour\":%d,\"samples\":%" PRIu64 ",\"bytes\":%" PRIu64
		       ",\"write_ms\":%.3f,\"worst_ms\":%.3f,\"tidy_ms\":%.1f,\"rss_kib\":%ld,"
		       "\"store_kib\":%ld}\n",
		       number, samples, store_bytes(store), (double)write_ns / 1e6 / WINDOWS,
		       (double)worst_ns / 1e6, (double)tidy_ns / 1e6, rss_kib(), most_kib);
		(void)fflush(stdout);
	}
	store_close(store);
	profile_free(profile);
	for (int i = 0; i < WINDOWS; i++)
		array_fini(&hour.windows[i].dealt);
	free(hour.by_pid);
	free(hour.starts);
	bytes_fini(&why);
	return 0;
}
