// SPDX-License-Identifier: Apache-2.0
#include "query/listing.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "output/escape.h"
#include "profile/statistics.h"

enum {
	ROWS = 20,
	BEFORE_NAME = 25, /* columns of cores and share */
	BUILD_ID_COLUMNS = 12,
};

const struct listing listings[] = {
	{ "units", "UNIT", "(in no unit)", STORE_BY_UNIT },
	{ "commands", "COMMAND", "(without a name)", STORE_BY_COMM },
	{ "executables", "EXECUTABLE", "(the kernel, and what is not known)", STORE_BY_EXE },
	{ "containers", "CONTAINER", "(in none)", STORE_BY_CONTAINER },
	{ "pods", "POD", "(in none)", STORE_BY_POD },
	{ "users", "USER", "(the kernel, and what is not known)", STORE_BY_USER },
	{ "cgroups", "CGROUP", "(not known)", STORE_BY_CGROUP },
	{ "processes", "PROCESS", "(many that lived for a moment)", STORE_BY_PID },
	{ "builds", "BUILD ID, EXECUTABLE", "(none)", STORE_BY_BUILD_ID },
};
_Static_assert(ARRAY_SIZE(listings) == LISTING_COUNT, "as many as the header says");

const char *const listing_names[] = { "units", "commands", "executables", "containers", "pods",
				      "users", "cgroups",  "processes",	  "builds",	NULL };

/*
 * How many samples of equal weight would say as much (Kish, see profile/weights.h): those that stand
 * for several are taken to be as heavy as the heaviest.
 */
static double effective_samples(const struct store_answer *answer)
{
	double cpu_ns = (double)answer->cpu_ns, thinned_ns = (double)answer->thinned_ns, squares;

	if (thinned_ns <= 0 || answer->samples <= 0)
		return (double)answer->samples;
	squares = (cpu_ns - thinned_ns) * cpu_ns / (double)answer->samples +
		  thinned_ns * (double)answer->thin_ns;
	return fmin((double)answer->samples, cpu_ns * cpu_ns / squares);
}

static struct share share_in(const struct store_row *row, const struct store_answer *answer)
{
	return share_of((double)row->cpu_ns, (double)answer->cpu_ns, effective_samples(answer));
}

static double cores_of(int64_t cpu_ns, const struct store_answer *answer)
{
	return answer->covered_ns > 0 ? (double)cpu_ns / (double)answer->covered_ns : 0;
}

static void add_clean(struct bytes *bytes, const char *text, size_t columns)
{
	cleanup(bytes_fini) struct bytes clean = {};

	escape_clean(&clean, text);
	if (bytes_str(&clean))
		text_add_clipped(bytes, clean.at, columns);
	else
		bytes->failed = true;
}

static void add_name(struct bytes *bytes, const struct listing *listing,
		     const struct store_row *row, size_t columns)
{
	cleanup(bytes_fini) struct bytes name = {};

	if (!*row->text) {
		bytes_add_str(bytes, listing->without);
		return;
	}
	bytes_add_format(&name, "%.*s", listing->key == STORE_BY_BUILD_ID ? BUILD_ID_COLUMNS : 1000,
			 row->text);
	if (*row->exe)
		bytes_add_format(&name, " %s", row->exe);
	if (*row->unit)
		bytes_add_format(&name, "  [%s]", row->unit);
	if (bytes_str(&name))
		add_clean(bytes, name.at, columns);
	else
		bytes->failed = true;
}

static void add_table(struct bytes *bytes, const struct listing *listing,
		      const struct store_rows *rows, const struct store_answer *answer,
		      uint32_t limit, size_t width)
{
	uint32_t shown = rows->rows.count < limit ? rows->rows.count : limit;
	int64_t rest_ns = 0;

	bytes_add_format(bytes, "\n   CORES      SHARE        %s\n", listing->heading);
	for (uint32_t i = 0; i < rows->rows.count; i++) {
		const struct store_row *row = &rows->rows.at[i];
		struct share share = share_in(row, answer);

		if (i >= shown) {
			rest_ns = profile_sum(rest_ns, row->cpu_ns);
			continue;
		}
		bytes_add_format(bytes, "%8.2f  %5.1f %% ±%4.1f  ", cores_of(row->cpu_ns, answer),
				 100 * share.share, 100 * share.half);
		add_name(bytes, listing, row, width > BEFORE_NAME + 8 ? width - BEFORE_NAME : 8);
		bytes_add_char(bytes, '\n');
	}
	if (shown < rows->rows.count)
		bytes_add_format(bytes, "%8.2f  %5.1f %%        (%" PRIu32 " more)\n",
				 cores_of(rest_ns, answer),
				 answer->cpu_ns > 0 ? 100 * (double)rest_ns / (double)answer->cpu_ns
						    : 0,
				 rows->rows.count - shown);
}

static void add_head(struct bytes *bytes, const struct store_query *query,
		     const struct store_answer *answer, size_t width, int64_t now_ns)
{
	const struct interval interval = { query->from_ns, query->until_ns };
	cleanup(bytes_fini) struct bytes line = {};
	struct page page = { .width = width };

	answer_add_scope(&line, query);
	bytes_add_str(&line, ", ");
	when_add_interval(&line, &interval, now_ns);
	bytes_add_format(&line, ": %.2f cores on average", cores_of(answer->cpu_ns, answer));
	if (answer->cpus)
		bytes_add_format(&line, " of %" PRIu32, answer->cpus);
	page_paragraph(&page, bytes_str(&line));
	line.size = 0;
	text_add_count(&line, answer->samples);
	bytes_add_str(&line, answer->samples == 1 ? " sample; " : " samples; ");
	answer_add_health(&line, query, answer);
	page_paragraph(&page, bytes_str(&line));
	bytes_add(bytes, page.out.at, page.out.size);
	bytes->failed |= page.out.failed;
	page_fini(&page);
}

/* What is the same for text and JSON: each list, then what to do with it. */
typedef void (*add_list_fn)(void *context, const struct listing *listing,
			    const struct store_rows *rows, const struct store_answer *answer);

static int each_list(struct store_reader *reader, const struct store_query *query, unsigned chosen,
		     int64_t now_ns, add_list_fn add, void *context, struct answer_reason *reason)
{
	for (unsigned i = 0; i < LISTING_COUNT; i++) {
		cleanup(store_rows_fini) struct store_rows rows = {};
		struct store_answer answer;
		int r;

		if (!(chosen & 1U << i))
			continue;
		r = store_list(reader, query, listings[i].key, &rows, &answer);
		if (r != 0)
			return answer_fail(reason, reader, r);
		if (!answer.windows)
			return answer_say_nothing(reader, query, now_ns, reason);
		add(context, &listings[i], &rows, &answer);
	}
	return 0;
}

struct text {
	struct bytes *bytes;
	const struct store_query *query;
	uint32_t limit;
	size_t width;
	int64_t now_ns;
	bool has_head;
};

static void add_to_text(void *context, const struct listing *listing, const struct store_rows *rows,
			const struct store_answer *answer)
{
	struct text *text = context;

	if (!text->has_head)
		add_head(text->bytes, text->query, answer, text->width, text->now_ns);
	text->has_head = true;
	add_table(text->bytes, listing, rows, answer, text->limit, text->width);
}

int listing_text(struct bytes *ret, struct store_reader *reader, const struct store_query *query,
		 unsigned chosen, uint32_t limit, size_t width, int64_t now_ns,
		 struct answer_reason *reason)
{
	struct text text = { ret,    query, limit ? limit : ROWS, width ? width : PAGE_WIDTH,
			     now_ns, false };
	int r = each_list(reader, query, chosen, now_ns, add_to_text, &text, reason);

	return r == 0 && ret->failed ? answer_fail(reason, reader, -ENOMEM) : r;
}

struct object {
	struct json json;
	const struct store_query *query;
	uint32_t limit;
	bool has_head;
};

static void add_to_object(void *context, const struct listing *listing,
			  const struct store_rows *rows, const struct store_answer *answer)
{
	struct object *object = context;
	struct json *json = &object->json;

	if (!object->has_head)
		answer_json(json, object->query, answer);
	object->has_head = true;
	json_array(json, listing->name);
	for (uint32_t i = 0; i < rows->rows.count && i < object->limit; i++) {
		const struct store_row *row = &rows->rows.at[i];
		struct share share = share_in(row, answer);

		json_object(json, NULL);
		json_string(json, "name", *row->text ? row->text : NULL);
		if (*row->exe)
			json_string(json, "executable", row->exe);
		if (*row->unit)
			json_string(json, "unit", row->unit);
		json_double(json, "cores", cores_of(row->cpu_ns, answer));
		json_i64(json, "cpu_ns", row->cpu_ns);
		json_i64(json, "samples", row->samples);
		json_double(json, "share", share.share);
		json_double(json, "low", share.low);
		json_double(json, "high", share.high);
		json_i64(json, "first_ns", row->first_ns);
		json_i64(json, "last_ns", row->last_ns);
		json_end(json);
	}
	json_end(json);
}

int listing_json(struct bytes *ret, struct store_reader *reader, const struct store_query *query,
		 unsigned chosen, uint32_t limit, int64_t now_ns, struct answer_reason *reason)
{
	struct object object = { json_to(ret), query, limit ? limit : UINT32_MAX, false };
	int r;

	json_object(&object.json, NULL);
	json_u64(&object.json, "schema_version", 1);
	r = each_list(reader, query, chosen, now_ns, add_to_object, &object, reason);
	json_end(&object.json);
	return r == 0 && ret->failed ? answer_fail(reason, reader, -ENOMEM) : r;
}
