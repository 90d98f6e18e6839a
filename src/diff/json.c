// SPDX-License-Identifier: Apache-2.0
/* A diff as one JSON object, for programs: all functions, and the stacks that are marked. */
#include <errno.h>
#include <stdlib.h>

#include "base/json.h"
#include "diff/output.h"

static const char *const pers[] = { [DIFF_PER_SAMPLES] = "samples",
				    [DIFF_PER_SECONDS] = "seconds",
				    [DIFF_PER_CPU_SECONDS] = "cpu-seconds",
				    [DIFF_PER_RUN] = "run" };
static const char *const marks[] = {
	[DIFF_NOTHING] = "none", [DIFF_DEARER] = "dearer", [DIFF_CHEAPER] = "cheaper"
};

static void add_value(struct json *json, const char *key, const struct diff_value *value)
{
	json_object(json, key);
	json_double(json, "base", value->base);
	json_double(json, "new", value->new);
	json_double(json, "change", diff_change(value));
	json_double(json, "low", value->low);
	json_double(json, "high", value->high);
	json_double(json, "p", value->p);
	json_string(json, "mark", marks[value->mark]);
	json_end(json);
}

static void add_frame(struct json *json, const char *key, const struct diff *diff,
		      const struct diff_frame *frame)
{
	const char *file = profile_text(diff->names, frame->file);

	json_object(json, key);
	json_string(json, "name", diff_name(diff, frame));
	json_string(json, "module", diff_module(diff, frame));
	if (*file) {
		json_string(json, "file", file);
		json_u64(json, "line", frame->line);
	}
}

static void add_runs(struct json *json, const char *key, const struct diff *diff, bool is_new)
{
	json_array(json, key);
	for (uint32_t i = 0; i < diff->runs.count; i++) {
		const struct diff_run *run = &diff->runs.at[i];

		if (run->is_new != is_new)
			continue;
		json_object(json, NULL);
		json_string(json, "file", profile_text(diff->names, run->name));
		if (run->samples)
			json_i64(json, "samples", run->samples);
		json_double(json, "value", run->value);
		json_end(json);
	}
	json_end(json);
}

static void add_head(struct json *json, const struct diff *diff)
{
	json_u64(json, "schema_version", 1);
	json_string(json, "what", diff->what);
	json_string(json, "per", pers[diff->per]);
	json_string(json, "noise",
		    diff->has_run_noise ? "runs"
		    : diff->is_counted	? "sampling"
					: "unknown");
	json_double(json, "false_discovery_rate", DIFF_FALSE_RATE);
	json_u64(json, "function_tests", diff->function_tests);
	json_u64(json, "stack_tests", diff->node_tests);
	if (diff->has_run_noise)
		json_double(json, "run_variation", diff->function_spread.common);
	add_runs(json, "base", diff, false);
	add_runs(json, "new", diff, true);
}

static int add_functions(struct json *json, const struct diff *diff)
{
	cleanup(free) struct diff_entry *entries = NULL;
	uint32_t count;
	int r = diff_rank_functions(diff, true, &entries, &count);

	if (r < 0)
		return r;
	json_array(json, "functions");
	for (uint32_t i = 0; i < count; i++) {
		add_frame(json, NULL, diff, &diff->frames.at[entries[i].index]);
		add_value(json, "self", &diff->function_self[entries[i].index]);
		add_value(json, "total", entries[i].value);
		json_end(json);
	}
	json_end(json);
	return 0;
}

static int add_stacks(struct json *json, const struct diff *diff)
{
	cleanup(free) struct diff_entry *entries = NULL;
	uint32_t count;
	int r = diff_rank_stacks(diff, &entries, &count);

	if (r < 0)
		return r;
	json_array(json, "stacks");
	for (uint32_t i = 0; i < count; i++) {
		json_object(json, NULL);
		add_value(json, "total", entries[i].value);
		json_array(json, "frames"); /* innermost first */
		for (uint32_t at = entries[i].index; at; at = diff->nodes.at[at].parent)
			json_string(json, NULL,
				    diff_name(diff, &diff->frames.at[diff->nodes.at[at].frame]));
		json_end(json);
		json_end(json);
	}
	json_end(json);
	return 0;
}

static int json_write(const struct diff *diff, struct stream *stream)
{
	cleanup(bytes_fini) struct bytes bytes = {};
	struct json json = json_to(&bytes);
	int r;

	json_object(&json, NULL);
	add_head(&json, diff);
	r = add_functions(&json, diff);
	if (r == 0)
		r = add_stacks(&json, diff);
	json_end(&json);
	if (r < 0 || bytes.failed)
		return r < 0 ? r : -ENOMEM;
	stream_write(stream, bytes.at, bytes.size);
	return stream->error;
}

const struct diff_writer diff_writer_json = {
	.name = "json",
	.extensions = { ".json" },
	.write = json_write,
};
