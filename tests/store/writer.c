// SPDX-License-Identifier: Apache-2.0
/*
 * Does with a history what stdin says, for tests that kill it, fill its disk and damage its file.
 * One command a line; each answers with one line: the result, and why.
 *
 *   open FOLDER MAX_BYTES AGE_S     0: as the daemon does
 *   window BEGIN_S DURATION_S       begins a window at 100 Hz
 *   sample COMM PID UNIT COUNT STACK    root|...|leaf; UNIT -: none
 *   add                             writes it
 *   many BEGIN_S COUNT STACKS       writes windows of 10 s; of each, its number is told when it is written
 *   tidy FOLDER NOW_S MAX_BYTES AGE_S
 *   read FOLDER FROM_S UNTIL_S      CPU time, samples, windows, covered seconds, gaps
 *   close
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/reader.h"
#include "store/store.h"
#include "store/tidy.h"

#define SECOND 1000000000LL
#define PERIOD_NS 10000000LL

static struct store *store;
static struct profile *window;

static void must(bool condition)
{
	if (condition)
		return;
	fputs("writer: out of memory\n", stderr);
	exit(1);
}

static void answer(int r, struct bytes *why)
{
	printf("%d %s\n", r, why->size ? bytes_str(why) : "");
	(void)fflush(stdout);
	bytes_fini(why);
}

static uint32_t text(const char *value)
{
	uint32_t id;

	must(profile_string(window, &id, value) == 0);
	return id;
}

static void begin(double begin_s, double duration_s)
{
	uint32_t type;

	profile_free(window);
	must(profile_new(&window) == 0 &&
	     profile_type_add(window, &type, "samples", "count") == 0 &&
	     profile_type_add(window, &type, "cpu", "nanoseconds") == 0);
	window->meta.time_ns = (int64_t)(begin_s * 1e9);
	window->meta.duration_ns = (int64_t)(duration_s * 1e9);
	window->meta.period = PERIOD_NS;
}

static uint32_t add_location(const char *file, const char *name)
{
	struct profile_mapping mapping = {
		.start = 0x1000, .limit = 0x100000, .file = text(file), .build_id = text("b1d0")
	};
	struct profile_function function = { .name = text(name), .system_name = text(name) };
	struct profile_line line = {};
	uint32_t in, id;

	must(profile_mapping_add(window, &in, &mapping) == 0 &&
	     profile_location_add(window, &id, in, hash_bytes(name, strlen(name)) >> 8,
				  LOCATION_USER) == 0);
	if (window->locations.at[id].line_count)
		return id;
	must(profile_function_add(window, &line.function, &function) == 0 &&
	     profile_location_name(window, id, &line, 1, true) == 0);
	return id;
}

static void add_sample(const char *comm, int64_t pid, const char *unit, int64_t count, char *stack)
{
	uint32_t locations[256], leaf_first[256], depth = 0, used = 2, labels, id;
	struct profile_label items[3] = {
		{ .key = text("comm"), .text = text(comm) },
		{ .key = text("pid"), .number = pid, .is_number = true },
	};
	int64_t values[] = { count, count * PERIOD_NS };
	char file[300], *next;

	snprintf(file, sizeof(file), "/usr/bin/%.200s", comm);
	while ((next = strsep(&stack, "|")) && depth < 256)
		locations[depth++] = add_location(file, next);
	for (uint32_t i = 0; i < depth; i++)
		leaf_first[i] = locations[depth - 1 - i];
	if (strcmp(unit, "-") != 0)
		items[used++] = (struct profile_label){ .key = text("unit"), .text = text(unit) };
	must(profile_labels_add(window, &labels, items, used) == 0 &&
	     profile_stack_add(window, &id, leaf_first, depth) == 0 &&
	     profile_sample_add(window, id, labels, values) == 0);
}

static int add(struct bytes *why)
{
	int r = store ? store_add_window(store, window, NULL, why) : -EBADF;

	profile_free(window);
	window = NULL;
	return r;
}

/*
 * Windows that all differ, and whose sums say which they are: the n-th holds n samples more than
 * STACKS.
 */
static void add_many(double begin_s, long count, long stacks)
{
	struct bytes why = {};
	char stack[64];
	int r = 0;

	for (long i = 0; i < count; i++) {
		begin(begin_s + (double)i * 10, 10);
		for (long k = 0; k < stacks; k++) {
			snprintf(stack, sizeof(stack), "main|f%ld|g%ld", k % 7,
				 i % 50 * stacks + k);
			add_sample("many", 1 + k % 5, "many.service", 1, stack);
		}
		snprintf(stack, sizeof(stack), "main|number");
		add_sample("many", 1, "many.service", i, stack);
		r = add(&why);
		if (r != 0)
			break;
		printf("%ld\n", i);
		(void)fflush(stdout);
	}
	answer(r, &why);
}

static void read_history(const char *folder, double from_s, double until_s)
{
	struct store_query query = { .from_ns = (int64_t)(from_s * 1e9),
				     .until_ns = (int64_t)(until_s * 1e9) };
	struct store_reader *reader = NULL;
	struct store_answer told = {};
	struct profile *profile = NULL;
	struct bytes why = {};
	int r = store_reader_open(&reader, folder, &why);

	if (r == 0) {
		r = store_read(reader, &query, &profile, &told);
		bytes_add_str(&why, store_reader_why(reader));
	}
	if (r == 0)
		bytes_add_format(&why, "%" PRId64 " %" PRId64 " %u %.3f %u",
				 profile_total(profile, 1), profile_total(profile, 0), told.windows,
				 (double)told.covered_ns / 1e9, told.gaps);
	answer(r, &why);
	profile_free(profile);
	store_reader_close(reader);
}

static void obey(char *line)
{
	char a[4096] = "", b[4096] = "", c[4096] = "";
	struct store_options options = { .folder = a };
	struct bytes why = {};
	double x = 0, y = 0;
	long m = 0, n = 0;
	int r;

	if (sscanf(line, "open %4000s %ld %ld", a, &m, &n) == 3) {
		options.max_bytes = (uint64_t)m;
		options.max_age_ns = (uint64_t)n * SECOND;
		store_close(store);
		store = NULL;
		r = store_open(&store, &options, &why);
		answer(r, &why);
	} else if (sscanf(line, "window %lf %lf", &x, &y) == 2) {
		begin(x, y);
		answer(0, &why);
	} else if (window &&
		   sscanf(line, "sample %4000s %ld %4000s %ld %4000s", a, &m, b, &n, c) == 5) {
		add_sample(a, m, b, n, c);
		answer(0, &why);
	} else if (sscanf(line, "many %lf %ld %ld", &x, &m, &n) == 3) {
		add_many(x, m, n);
	} else if (sscanf(line, "tidy %4000s %lf %ld %ld", a, &x, &m, &n) == 4) {
		options.max_bytes = (uint64_t)m;
		options.max_age_ns = (uint64_t)n * SECOND;
		r = store_tidy(&options, (int64_t)(x * 1e9), &why);
		answer(r, &why);
	} else if (sscanf(line, "read %4000s %lf %lf", a, &x, &y) == 3) {
		read_history(a, x, y);
	} else if (window && strcmp(line, "add\n") == 0) {
		r = add(&why);
		answer(r, &why);
	} else if (strcmp(line, "close\n") == 0) {
		store_close(store);
		store = NULL;
		answer(0, &why);
	} else {
		bytes_add_str(&why, "what?");
		answer(-EINVAL, &why);
	}
}

int main(void)
{
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0)
		obey(line);
	free(line);
	profile_free(window);
	store_close(store);
	return 0;
}
