// SPDX-License-Identifier: Apache-2.0
/*
 * Each step is asked for by itself: windows that lie in two of them count in each by the part that does.
 * A step in which nothing was recorded has null, not 0.
 */
#include "query/timeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct timeline {
	struct store_rows rows; /* of the whole interval */
	uint32_t series;	/* the first so many of them */
	uint32_t steps;
	double *cores; /* steps × (series + 1), the last one: all others; below 0: nothing was recorded */
};

static void timeline_fini(struct timeline *timeline)
{
	store_rows_fini(&timeline->rows);
	free(timeline->cores);
}
static inline void timeline_fini_cleanup(struct timeline *timeline)
{
	timeline_fini(timeline);
}

static const char *text_of(const struct timeline *timeline, uint32_t series)
{
	return timeline->rows.rows.at[series].text;
}

static bool is_same(const struct store_row *a, const struct store_row *b)
{
	return strcmp(a->text, b->text) == 0 && strcmp(a->exe, b->exe) == 0 &&
	       strcmp(a->unit, b->unit) == 0;
}

static void add_step(struct timeline *timeline, uint32_t step, const struct store_rows *rows,
		     const struct store_answer *answer)
{
	double *cores = timeline->cores + (size_t)step * (timeline->series + 1);

	for (uint32_t series = 0; series <= timeline->series; series++)
		cores[series] = answer->windows && answer->covered_ns > 0 ? 0 : -1;
	if (cores[0] < 0)
		return;
	for (uint32_t i = 0; i < rows->rows.count; i++) {
		uint32_t series = 0;

		while (series < timeline->series &&
		       !is_same(&rows->rows.at[i], &timeline->rows.rows.at[series]))
			series++;
		cores[series] += (double)rows->rows.at[i].cpu_ns / (double)answer->covered_ns;
	}
}

static int read_steps(struct timeline *timeline, struct store_reader *reader,
		      const struct store_query *query, enum store_key key, int64_t step_ns,
		      struct answer_reason *reason)
{
	for (uint32_t step = 0; step < timeline->steps; step++) {
		cleanup(store_rows_fini) struct store_rows rows = {};
		struct store_query part = *query;
		struct store_answer answer;
		int r;

		part.from_ns = query->from_ns + (int64_t)step * step_ns;
		if (query->until_ns - part.from_ns > step_ns)
			part.until_ns = part.from_ns + step_ns;
		r = store_list(reader, &part, key, &rows, &answer);
		if (r != 0)
			return answer_fail(reason, reader, r);
		add_step(timeline, step, &rows, &answer);
	}
	return 0;
}

static void add_series(struct json *json, const struct timeline *timeline, const char *key,
		       uint32_t series)
{
	json_array(json, key);
	for (uint32_t step = 0; step < timeline->steps; step++) {
		double cores = timeline->cores[(size_t)step * (timeline->series + 1) + series];

		/* What JSON has no number for is null. */
		json_double(json, NULL, cores < 0 ? 1.0 / 0.0 : cores);
	}
	json_end(json);
}

static void add_object(struct json *json, const struct timeline *timeline,
		       const struct listing *listing, int64_t step_ns)
{
	json_string(json, "list", listing->name);
	json_i64(json, "step_ns", step_ns);
	json_u64(json, "steps", timeline->steps);
	json_array(json, "series");
	for (uint32_t series = 0; series < timeline->series; series++) {
		const struct store_row *row = &timeline->rows.rows.at[series];
		const char *text = text_of(timeline, series);

		json_object(json, NULL);
		json_string(json, "name", *text ? text : NULL);
		if (*row->exe)
			json_string(json, "executable", row->exe);
		if (*row->unit)
			json_string(json, "unit", row->unit);
		json_i64(json, "cpu_ns", row->cpu_ns);
		add_series(json, timeline, "cores", series);
		json_end(json);
	}
	json_end(json);
	add_series(json, timeline, "others", timeline->series);
}

static unsigned first_bit(unsigned bits)
{
	return (unsigned)__builtin_ctz(bits);
}

int timeline_json(struct bytes *ret, struct store_reader *reader, const struct store_query *query,
		  unsigned chosen, int64_t step_ns, uint32_t limit, int64_t now_ns,
		  struct answer_reason *reason)
{
	cleanup(timeline_fini) struct timeline timeline = {};
	const struct listing *listing = &listings[first_bit(chosen)];
	struct json json = json_to(ret);
	struct store_answer answer;
	int r = store_list(reader, query, listing->key, &timeline.rows, &answer);

	if (r != 0)
		return answer_fail(reason, reader, r);
	if (!answer.windows)
		return answer_say_nothing(reader, query, now_ns, reason);
	timeline.steps = (uint32_t)((query->until_ns - query->from_ns - 1) / step_ns + 1);
	timeline.series = limit ? limit : TIMELINE_SERIES;
	if (timeline.series > timeline.rows.rows.count)
		timeline.series = timeline.rows.rows.count;
	timeline.cores =
		calloc((size_t)timeline.steps * (timeline.series + 1), sizeof(*timeline.cores));
	if (!timeline.cores)
		return -ENOMEM;
	r = read_steps(&timeline, reader, query, listing->key, step_ns, reason);
	if (r != 0)
		return r;
	json_object(&json, NULL);
	json_u64(&json, "schema_version", 1);
	answer_json(&json, query, &answer);
	add_object(&json, &timeline, listing, step_ns);
	json_end(&json);
	return ret->failed ? -ENOMEM : 0;
}
