/* SPDX-License-Identifier: Apache-2.0 */
/* A history in a folder of its own, windows from short texts, and what is read back as text. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profile/builder.h"

#include "store/reader.h"
#include "store/store.h"

/* 2027-01-15, on the hour. */
#define T0 1800000000000000000LL
#define SECOND 1000000000LL

struct history {
	char folder[64];
	struct store *store;
	struct bytes why;
};

static inline struct store_options history_options(const struct history *history)
{
	return (struct store_options){ .folder = history->folder };
}

static inline int history_open(struct history *history)
{
	struct store_options options = history_options(history);

	history->why.size = 0;
	return store_open(&history->store, &options, &history->why);
}

static inline void history_begin(struct history *history)
{
	const char *base = getenv("TMPDIR");

	*history = (struct history){};
	snprintf(history->folder, sizeof(history->folder), "%.40s/profd-store-XXXXXX",
		 base && *base ? base : "/tmp");
	assert_non_null(mkdtemp(history->folder));
	assert_ok(history_open(history));
}

static inline int history_remove(const char *path, const struct stat *status, int type,
				 struct FTW *ftw)
{
	(void)status;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void history_end(struct history *history)
{
	store_close(history->store);
	history->store = NULL;
	bytes_fini(&history->why);
	nftw(history->folder, history_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* An empty window of 10 s. */
static inline struct profile *window_at(int64_t begin_ns)
{
	struct profile *window = build_profile();

	window->meta.time_ns = begin_ns;
	window->meta.duration_ns = 10 * SECOND;
	return window;
}

/* Samples with the labels of a process: "comm", its pid, its unit (NULL: none). */
static inline void window_sample(struct profile *window, const char *comm, int64_t pid,
				 const char *unit, const char *frames, int64_t count)
{
	struct profile_label labels[4] = {};
	uint32_t locations[64], depth = 0, leaf_first[64], stack, set, used = 0;
	int64_t values[2] = { count, count * BUILDER_PERIOD };
	char *copy = strdup(frames), *save = NULL;

	for (char *at = strtok_r(copy, "|", &save); at; at = strtok_r(NULL, "|", &save))
		locations[depth++] = build_location(window, at);
	free(copy);
	for (uint32_t i = 0; i < depth; i++)
		leaf_first[i] = locations[depth - 1 - i];
	assert_ok(profile_stack_add(window, &stack, leaf_first, depth));
	labels[used++] = (struct profile_label){ .key = build_string(window, "comm"),
						 .text = build_string(window, comm) };
	if (pid >= 0)
		labels[used++] = (struct profile_label){ .key = build_string(window, "pid"),
							 .number = pid,
							 .is_number = true };
	if (unit)
		labels[used++] = (struct profile_label){ .key = build_string(window, "unit"),
							 .text = build_string(window, unit) };
	assert_ok(profile_labels_add(window, &set, labels, used));
	assert_ok(profile_sample_add(window, stack, set, values));
}

static inline void history_add(struct history *history, struct profile *window)
{
	int r = store_add_window(history->store, window, NULL, &history->why);

	if (r != 0)
		fail_msg("%s", bytes_str(&history->why));
	profile_free(window);
}

static inline int compare_text_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "comm/pid/unit outer;inner samples ns", a line each, sorted. The caller frees it. */
static inline char *profile_as_text(const struct profile *profile)
{
	char **lines = calloc(profile->samples.count + 1, sizeof(*lines));
	struct bytes all = {};
	char *ret;

	for (uint32_t i = 0; i < profile->samples.count; i++) {
		const struct profile_sample *sample = &profile->samples.at[i];
		struct profile_run run = profile->stacks.at[sample->stack];
		const struct profile_label *comm =
			profile_label_find(profile, sample->labels, "comm");
		const struct profile_label *pid =
			profile_label_find(profile, sample->labels, "pid");
		const struct profile_label *unit =
			profile_label_find(profile, sample->labels, "unit");
		struct bytes line = {};

		bytes_add_format(&line, "%s/%lld/%s ",
				 comm ? profile_text(profile, comm->text) : "",
				 pid ? (long long)pid->number : -1LL,
				 unit ? profile_text(profile, unit->text) : "");
		for (uint32_t k = run.count; k--;) {
			const struct profile_location *location =
				&profile->locations.at[profile->stack_locations.at[run.first + k]];

			if (!location->line_count)
				bytes_add_format(&line, "0x%llx", (long long)location->address);
			for (uint32_t l = location->line_count; l--;)
				bytes_add_format(
					&line, "%s%s",
					profile_text(
						profile,
						profile->functions
							.at[profile->lines
								    .at[location->first_line + l]
								    .function]
							.name),
					l ? "~" : "");
			bytes_add_str(&line, k ? ";" : "");
		}
		bytes_add_format(&line, " %lld %lld\n", (long long)profile_value(profile, i, 0),
				 (long long)profile_value(profile, i, 1));
		lines[i] = strdup(bytes_str(&line));
		bytes_fini(&line);
	}
	qsort(lines, profile->samples.count, sizeof(*lines), compare_text_lines);
	for (uint32_t i = 0; i < profile->samples.count; i++) {
		bytes_add_str(&all, lines[i]);
		free(lines[i]);
	}
	free(lines);
	ret = strdup(bytes_str(&all));
	bytes_fini(&all);
	return ret;
}

/* What the history has for a query. */
static inline struct profile *history_read(const struct history *history,
					   const struct store_query *query,
					   struct store_answer *answer)
{
	cleanup(store_reader_close) struct store_reader *reader = NULL;
	struct bytes why = {};
	struct profile *profile = NULL;
	int r = store_reader_open(&reader, history->folder, &why);

	if (r != 0)
		fail_msg("%s", bytes_str(&why));
	r = store_read(reader, query, &profile, answer);
	if (r != 0)
		fail_msg("%d %s", r, store_reader_why(reader));
	return profile;
}

static inline void assert_history(const struct history *history, const struct store_query *query,
				  const char *expected)
{
	struct store_answer answer;
	struct profile *profile = history_read(history, query, &answer);
	char *text = profile_as_text(profile);

	assert_string_equal(text, expected);
	free(text);
	profile_free(profile);
}

#define ALL_TIME                                                                                   \
	{                                                                                          \
		.from_ns = INT64_MIN, .until_ns = INT64_MAX                                        \
	}
