// SPDX-License-Identifier: Apache-2.0
/*
 * Makes a history out of profiles, at whatever times: `feed FOLDER < SCRIPT`. Lines of the script:
 *
 *     window TIME_NS DURATION_NS PERIOD_NS [LOST]     begins one
 *     add FILE [PART] [KEY=VALUE]...                  what ran in it: a profile of any readable format
 *     tidy NOW_NS                                 what _tidy does about old windows
 *     judge                                           what _tidy does about new versions
 *     tidy NOW_NS                                     what _tidy does about old windows
 *
 * Each sample of FILE weighs PERIOD_NS. PART: each is taken with this probability, 0 .. 1, so that one
 * recording makes many windows that differ as those of one program do. Labels come from the script
 * (comm, pid, exe, build_id, unit, cgroup, container, pod, user, uid), not from the file, except pid and
 * comm where the script has none.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "input/input.h"
#include "query/deploys.h"
#include "store/store.h"
#include "store/tidy.h"

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "feed: line %u: %s does not hold\n", line_number,          \
				#condition);                                                       \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

enum { MAX_LABELS = 16, MAX_STACK = 4096 };

static unsigned line_number;
static uint64_t random_state = 88172645463325252ULL;

static double next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (double)(random_state >> 11) / (double)(1ULL << 53);
}

static uint32_t string(struct profile *profile, const char *text)
{
	uint32_t id;

	CHECK(profile_string(profile, &id, text) == 0);
	return id;
}

static struct profile *new_window(int64_t time_ns, int64_t duration_ns, int64_t period_ns)
{
	struct profile *window;
	uint32_t type;

	CHECK(profile_new(&window) == 0);
	CHECK(profile_type_add(window, &type, "samples", "count") == 0);
	CHECK(profile_type_add(window, &type, "cpu", "nanoseconds") == 0);
	window->meta.time_ns = time_ns;
	window->meta.duration_ns = duration_ns;
	window->meta.period = period_ns;
	window->meta.period_type = 1;
	window->meta.main_type = 1;
	window->meta.count_type = 0;
	return window;
}

/* Where the file has names only, a name stands for an address, the same one in all files. */
static uint64_t address_of(const struct profile *from, const struct profile_location *location)
{
	uint64_t hash = 14695981039346656037ULL; /* FNV-1a */
	const struct profile_line *line = &from->lines.at[location->first_line];

	if (!from->mappings.at[location->mapping].only_names || !location->line_count)
		return location->address;
	for (const char *c = profile_text(from, from->functions.at[line->function].name); *c; c++)
		hash = (hash ^ (unsigned char)*c) * 1099511628211ULL;
	return hash >> 16;
}

/* A location of `from` as one of `to`, with its names. */
static uint32_t copy_location(struct profile *to, const struct profile *from, uint32_t id)
{
	const struct profile_location *location = &from->locations.at[id];
	struct profile_mapping mapping = from->mappings.at[location->mapping];
	struct profile_line lines[64];
	uint32_t mapping_id, ret, count = 0;

	mapping.file = string(to, profile_text(from, mapping.file));
	mapping.build_id = string(to, profile_text(from, mapping.build_id));
	mapping.identity = 0;
	mapping.only_names = false;
	CHECK(profile_mapping_add(to, &mapping_id, &mapping) == 0);
	CHECK(profile_location_add(to, &ret, mapping_id, address_of(from, location),
				   location->kind) == 0);
	if (to->locations.at[ret].line_count || !location->line_count)
		return ret;
	for (; count < location->line_count && count < 64; count++) {
		const struct profile_line *line = &from->lines.at[location->first_line + count];
		struct profile_function function = from->functions.at[line->function];

		function.name = string(to, profile_text(from, function.name));
		function.system_name = string(to, profile_text(from, function.system_name));
		function.file = string(to, profile_text(from, function.file));
		lines[count].line = line->line;
		CHECK(profile_function_add(to, &lines[count].function, &function) == 0);
	}
	CHECK(profile_location_name(to, ret, lines, count, location->named) == 0);
	return ret;
}

static uint32_t copy_stack(struct profile *to, const struct profile *from, uint32_t id)
{
	const struct profile_run *stack = &from->stacks.at[id];
	uint32_t locations[MAX_STACK], ret;

	CHECK(stack->count <= MAX_STACK);
	for (uint32_t i = 0; i < stack->count; i++)
		locations[i] = copy_location(to, from, from->stack_locations.at[stack->first + i]);
	CHECK(profile_stack_add(to, &ret, locations, stack->count) == 0);
	return ret;
}

struct labels {
	struct profile_label at[MAX_LABELS];
	uint32_t count;
};

static bool has(const struct labels *labels, uint32_t key)
{
	for (uint32_t i = 0; i < labels->count; i++)
		if (labels->at[i].key == key)
			return true;
	return false;
}

static void add_text(struct profile *to, struct labels *labels, const char *key, const char *value)
{
	struct profile_label *label = &labels->at[labels->count++];

	CHECK(labels->count <= MAX_LABELS);
	*label = (struct profile_label){ .key = string(to, key) };
	label->is_number = strcmp(key, "pid") == 0 || strcmp(key, "uid") == 0;
	if (label->is_number)
		label->number = strtoll(value, NULL, 10);
	else
		label->text = string(to, value);
}

static uint32_t make_labels(struct profile *to, const struct profile *from, uint32_t set,
			    const struct labels *script)
{
	struct labels labels = *script;
	const struct profile_label *pid = profile_label_find(from, set, "pid");
	const struct profile_label *comm = profile_label_find(from, set, "comm");
	char number[32];
	uint32_t ret;

	if (pid && pid->is_number && !has(script, string(to, "pid"))) {
		snprintf(number, sizeof(number), "%" PRId64, pid->number);
		add_text(to, &labels, "pid", number);
	}
	if (comm && !comm->is_number && !has(script, string(to, "comm")))
		add_text(to, &labels, "comm", profile_text(from, comm->text));
	CHECK(profile_labels_add(to, &ret, labels.at, labels.count) == 0);
	return ret;
}

static void add_file(struct profile *to, char *words)
{
	cleanup(profile_free) struct profile *from = NULL;
	char *path = strtok(words, " "), *word;
	struct input_report report;
	struct labels labels = {};
	double part = 1;
	uint32_t count;
	int fd;

	CHECK(path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && input_read(&from, fd, UINT64_MAX, &report, NULL) == 0);
	(void)close(fd);
	while ((word = strtok(NULL, " "))) {
		char *equals = strchr(word, '=');

		if (equals) {
			*equals = '\0';
			add_text(to, &labels, word, equals + 1);
		} else {
			part = strtod(word, NULL);
		}
	}
	count = from->meta.count_type == PROFILE_NO_TYPE ? 0 : from->meta.count_type;
	for (uint32_t i = 0; i < from->samples.count; i++) {
		int64_t values[2] = {}, samples = profile_value(from, i, count);

		for (int64_t k = 0; k < samples; k++)
			values[0] += part >= 1 || next_random() < part;
		values[1] = values[0] * to->meta.period;
		if (values[0])
			CHECK(profile_sample_add(
				      to, copy_stack(to, from, from->samples.at[i].stack),
				      make_labels(to, from, from->samples.at[i].labels, &labels),
				      values) == 0);
	}
}

static void finish(struct store *store, struct profile **window, uint64_t lost)
{
	const struct store_health health = { lost, 2 };
	cleanup(bytes_fini) struct bytes why = {};

	if (!*window)
		return;
	if (store_add_window(store, *window, &health, &why) != 0) {
		fprintf(stderr, "feed: line %u: %s\n", line_number, bytes_str(&why));
		exit(1);
	}
	profile_free(*window);
	*window = NULL;
}

static void check(int r, struct bytes *why)
{
	if (r == 0)
		return;
	fprintf(stderr, "feed: line %u: %d: %s\n", line_number, r, bytes_str(why));
	exit(1);
}

int main(int argc, char **argv)
{
	struct store_options options = { .folder = argc > 1 ? argv[1] : NULL };
	cleanup(store_close) struct store *store = NULL;
	cleanup(bytes_fini) struct bytes why = {};
	struct profile *window = NULL;
	uint64_t lost = 0;
	char line[1 << 16];

	CHECK(argc == 2);
	check(store_open(&store, &options, &why), &why);
	while (fgets(line, sizeof(line), stdin)) {
		int64_t time_ns, duration_ns, period_ns;
		int fields;

		line_number++;
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "window ", 7) == 0) {
			finish(store, &window, lost);
			lost = 0;
			fields = sscanf(line + 7, "%" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNu64,
					&time_ns, &duration_ns, &period_ns, &lost);
			CHECK(fields >= 3);
			window = new_window(time_ns, duration_ns, period_ns);
		} else if (strncmp(line, "add ", 4) == 0) {
			CHECK(window);
			add_file(window, line + 4);
		} else if (strcmp(line, "judge") == 0) {
			finish(store, &window, lost);
			check(deploys_judge(&options, &why), &why);
		} else if (strncmp(line, "tidy ", 5) == 0) {
			finish(store, &window, lost);
			check(store_tidy(&options, strtoll(line + 5, NULL, 10), &why), &why);
		} else {
			CHECK(!*line);
		}
	}
	finish(store, &window, lost);
	return 0;
}
