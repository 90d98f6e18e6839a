// SPDX-License-Identifier: Apache-2.0
#include "top/once.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "output/escape.h"
#include "output/short_name.h"
#include "session/describe.h"
#include "session/keep_names.h"
#include "session/recording.h"
#include "top/feed.h"
#include "top/measured.h"
#include "top/picture.h"
#include "top/status.h"
#include "top/ui.h"

enum {
	WIDTH = 100,
	TEXT_ROWS = 40,
	COLUMNS_BEFORE_NAME = 13 + 2 + 13 + 2,
	CORES_COLUMNS = 8,
	SIZE_COLUMNS = 12,
};

struct once {
	const struct top_config *config;
	struct recording recording;
	struct feed feed;
	struct status status;
	struct picture *picture;
	const char *title;
};

static void look(struct once *once)
{
	feed_want(&once->feed, false);
	feed_watch(&once->feed, false);
	if (feed_take(&once->feed))
		status_look(&once->status, &once->feed);
}

/* What the target has used is counted from here on. */
static void watch(void *context, bool asking)
{
	struct once *once = context;

	if (!asking && !once->status.taken_ns)
		look(once);
}

/* ---- text ---- */

static void add_share(const struct once *once, struct bytes *out, int64_t weight)
{
	struct share share = call_tree_share(once->picture->tree, weight);

	bytes_add_format(out, "%5.1f %% \xc2\xb1%4.1f", 100 * share.share, 100 * share.half);
}

static void add_head(const struct once *once, struct bytes *out)
{
	const struct status *status = &once->status;
	const struct usage *usage = &status->usage;
	const struct cut_quality *q = &once->picture->quality;
	struct growth_summary growth;
	double percent = status_percent(status);

	escape_clean(out, once->title);
	if (percent >= 0)
		bytes_add_format(out, "\nCPU %.1f %% of one core: user %.1f, kernel %.1f", percent,
				 usage->user_percent, usage->system_percent);
	else
		bytes_add_str(out, "\nCPU not known: it has ended");
	bytes_add_format(out, "; %u thread%s, %u running; %s %.1f MiB\n", usage->threads,
			 usage->threads == 1 ? "" : "s", usage->running,
			 usage->machine_user ? "memory" : "RSS",
			 (double)usage->resident_bytes / 1048576);
	bytes_add_format(out, "%" PRIu64 " samples in %.1f s, %" PRIu64 " lost", q->samples,
			 once->picture->seconds, status->lost);
	if (q->samples)
		bytes_add_format(out, "; %.1f %% of stacks complete, %.1f %% of frames named",
				 100.0 * (double)(q->samples - q->truncated - q->guessed) /
					 (double)q->samples,
				 q->frames ? 100.0 * (double)q->frames_named / (double)q->frames
					   : 100.0);
	if (status->cost_percent_all >= 0)
		bytes_add_format(out, "; profd used %.2f %% of one CPU", status->cost_percent_all);
	bytes_add_str(out, "\n");
	if (once->recording.growth) {
		growth_summarize(once->recording.growth, &growth);
		growth_brief(&growth, out);
		bytes_add_str(out, "\n");
	}
}

static void add_row(const struct once *once, struct bytes *out, const struct row *row)
{
	bool cores = once->picture->tree->core_weight > 0;
	bool memory = picture_is_of_memory(once->picture);
	size_t columns = WIDTH - COLUMNS_BEFORE_NAME -
			 (cores	   ? CORES_COLUMNS
			  : memory ? SIZE_COLUMNS
				   : 0);
	cleanup(bytes_fini) struct bytes place = {}, clean = {}, name = {}, size = {};
	const char *module = row->kind == CALL_KERNEL ? "kernel" : ui_base_name(row->module);

	add_share(once, out, row->self);
	bytes_add_str(out, "  ");
	add_share(once, out, row->total);
	if (cores)
		bytes_add_format(out, "  %6.2f", call_tree_cores(once->picture->tree, row->self));
	if (memory) {
		picture_add_amount(once->picture, &size, row->self);
		bytes_add_format(out, "  %10s", bytes_str(&size) ? size.at : "");
	}
	bytes_add_str(out, "  ");
	if (*module && row->kind != CALL_NOTE)
		bytes_add_format(&place, *module == '[' ? "  %s" : "  [%s]", module);
	if (*row->file && row->line)
		bytes_add_format(&place, " %s:%u", ui_base_name(row->file), row->line);
	if (bytes_str(&place))
		escape_clean(&clean, place.at);
	escape_clean(&name, row->name);
	if (!bytes_str(&clean) || !bytes_str(&name)) {
		out->failed = true;
		return;
	}
	/* The name comes first; where it is gets what is left. */
	columns -= short_name_add(out, name.at, columns);
	if (text_columns(clean.at) <= columns)
		bytes_add_str(out, clean.at);
	bytes_add_char(out, '\n');
}

static int by_self(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->self != y->self)
		return x->self < y->self ? 1 : -1;
	if (x->total != y->total)
		return x->total < y->total ? 1 : -1;
	return strcmp(x->name, y->name);
}

static const struct row_table *sorted(struct picture *picture, enum row_kind kind)
{
	const struct row_table *table = picture_table(picture, kind);
	struct row_table *own = &picture->tables[kind];

	if (table && own->rows.count)
		qsort(own->rows.at, own->rows.count, sizeof(*own->rows.at), by_self);
	return table;
}

static int make_text(struct once *once, struct bytes *out)
{
	const struct row_table *table = sorted(once->picture, ROW_FUNCTION);

	if (!table)
		return -ENOMEM;
	add_head(once, out);
	bytes_add_format(out, "\n    SELF           TOTAL   %s    FUNCTION\n",
			 once->picture->tree->core_weight > 0   ? "    CORES"
			 : picture_is_of_memory(once->picture) ? "        SIZE"
							       : "");
	for (uint32_t i = 0; i < table->rows.count && i < TEXT_ROWS; i++)
		add_row(once, out, &table->rows.at[i]);
	if (table->rows.count > TEXT_ROWS)
		bytes_add_format(out, "(%u more; --json has all)\n", table->rows.count - TEXT_ROWS);
	return out->failed ? -ENOMEM : 0;
}

/* ---- JSON ---- */

static void json_share(const struct once *once, struct json *json, const char *key, int64_t weight)
{
	struct share share = call_tree_share(once->picture->tree, weight);

	json_object(json, key);
	json_double(json, "share", share.share);
	json_double(json, "low", share.low);
	json_double(json, "high", share.high);
	if (picture_is_of_memory(once->picture))
		json_i64(json, "bytes", weight);
	else
		json_double(json, "seconds", picture_seconds(once->picture, weight));
	json_end(json);
}

static const char *kind_name(enum call_kind kind)
{
	switch (kind) {
	case CALL_USER:
		return "program";
	case CALL_LIBRARY:
		return "library";
	case CALL_KERNEL:
		return "kernel";
	case CALL_JIT:
		return "jit";
	case CALL_INTERPRETED:
		return "interpreted";
	default:
		return "note";
	}
}

static void json_functions(const struct once *once, struct json *json,
			   const struct row_table *table)
{
	json_array(json, "functions");
	for (uint32_t i = 0; i < table->rows.count; i++) {
		const struct row *row = &table->rows.at[i];

		json_object(json, NULL);
		json_string(json, "name", row->name);
		json_string(json, "module", row->module);
		json_string(json, "kind", kind_name(row->kind));
		json_bool(json, "inlined", row->inlined);
		json_string(json, "file", *row->file ? row->file : NULL);
		json_u64(json, "line", row->line);
		json_share(once, json, "self", row->self);
		json_share(once, json, "total", row->total);
		json_end(json);
	}
	json_end(json);
}

static void json_groups(const struct once *once, struct json *json, const char *key,
			const struct row_table *table, bool threads)
{
	json_array(json, key);
	for (uint32_t i = 0; i < table->rows.count; i++) {
		const struct row *row = &table->rows.at[i];

		json_object(json, NULL);
		json_i64(json, threads ? "tid" : "pid", row->id);
		json_string(json, "name", row->name);
		if (threads)
			json_string(json, "process", row->module);
		json_share(once, json, "cpu", row->total);
		json_share(once, json, "kernel", row->total - row->self);
		json_end(json);
	}
	json_end(json);
}

static void json_known(struct json *json, const char *key, double value)
{
	if (value >= 0)
		json_double(json, key, value);
	else
		json_string(json, key, NULL);
}

static int make_json(struct once *once, struct bytes *out)
{
	const struct row_table *functions = sorted(once->picture, ROW_FUNCTION),
			       *threads = sorted(once->picture, ROW_THREAD),
			       *processes = sorted(once->picture, ROW_PROCESS);
	const struct usage *usage = &once->status.usage;
	const struct cut_quality *q = &once->picture->quality;
	struct json json = json_to(out);

	if (!functions || !threads || !processes)
		return -ENOMEM;
	json_object(&json, NULL);
	json_u64(&json, "schema_version", 1);
	json_string(&json, "target", once->title);
	json_double(&json, "seconds", once->picture->seconds);
	json_object(&json, "usage");
	json_known(&json, "cpu_percent", status_percent(&once->status));
	json_known(&json, "user_percent", usage->user_percent);
	json_known(&json, "kernel_percent", usage->system_percent);
	json_u64(&json, "threads", usage->threads);
	json_u64(&json, "threads_running", usage->running);
	json_u64(&json, "resident_bytes", usage->resident_bytes);
	json_end(&json);
	if (once->recording.growth) {
		struct growth_summary growth;

		growth_summarize(once->recording.growth, &growth);
		growth_json(&growth, &json);
	}
	json_u64(&json, "samples", q->samples);
	json_u64(&json, "period_ns", measured_period_ns(&once->recording));
	json_u64(&json, "lost", once->status.lost);
	json_known(&json, "profd_cpu_percent", once->status.cost_percent_all);
	json_object(&json, "quality");
	json_u64(&json, "stacks_truncated", q->truncated);
	json_u64(&json, "stacks_guessed", q->guessed);
	json_u64(&json, "frames", q->frames);
	json_u64(&json, "frames_named", q->frames_named);
	json_end(&json);
	json_functions(once, &json, functions);
	json_groups(once, &json, "threads", threads, true);
	json_groups(once, &json, "processes", processes, false);
	json_end(&json);
	return out->failed ? -ENOMEM : 0;
}

/* ---- running ---- */

static int make_picture(struct once *once)
{
	const struct config *config = &once->config->record;
	struct recording *rec = &once->recording;
	cleanup(span_weights_fini) struct span_weights weights = {};
	struct cut_options options = {
		.threads = config->threads,
		.drop_frames = measures_drop_frames(config->events),
		.types = measured_types(rec),
		.period_ns = measured_period_ns(rec),
		.of_machine = config->target.everything,
	};
	struct spans *spans = calloc(1, sizeof(*spans));
	int r = spans ? 0 : -ENOMEM;

	if (r == 0) {
		spans_init(spans, rec->began_ns, options.types);
		r = spans_look(spans, rec->pipeline.profile, rec->ended_ns);
	}
	if (r == 0)
		r = spans_select(spans, SPAN_RESET, &weights);
	if (r == 0)
		r = picture_new(&once->picture, rec->pipeline.profile, &weights, &options);
	if (spans)
		spans_fini(spans);
	free(spans);
	return r;
}

static int print(struct once *once)
{
	cleanup(bytes_fini) struct bytes out = {};
	cleanup(profile_free) struct profile *words = NULL;
	int r = profile_new(&words);

	if (r == 0)
		r = describe(&once->recording, &(struct health){}, words);
	once->title = r == 0 ? words->meta.title : "";
	if (r == 0)
		r = make_picture(once);
	if (r == 0)
		r = once->config->json ? make_json(once, &out) : make_text(once, &out);
	if (r == 0)
		r = fs_write_all(STDOUT_FILENO, out.at, out.size);
	if (r == -EPIPE)
		return 0;
	if (r < 0)
		log_error("cannot print the interval: %s", strerror(-r));
	return r;
}

int top_once(struct top_config *config)
{
	struct once *once = calloc(1, sizeof(*once));
	struct health health;
	int r = -ENOMEM;

	if (!once)
		return 1;
	once->config = config;
	once->feed.ready_fd = once->feed.want_fd = -1;
	config->record.quiet = true;
	r = recording_open(&once->recording, &config->record);
	if (r == 0)
		r = feed_init(&once->feed, &once->recording);
	if (r == 0) {
		once->recording.pipeline.threads = true;
		once->recording.watch = watch;
		once->recording.watch_context = once;
		r = recording_run(&once->recording);
	}
	if (r == 0)
		look(once);
	if (r == 0) {
		r = recording_finish(&once->recording, &health);
		recording_let_signals_through(&once->recording);
	}
	if (r == 0)
		r = print(once);
	if (r == 0)
		keep_names(&once->recording.pipeline);
	picture_free(once->picture);
	status_fini(&once->status);
	feed_fini(&once->feed);
	if (r == 0 && once->recording.launch.pid)
		r = recording_end_command(&once->recording);
	recording_fini(&once->recording);
	free(once);
	return r < 0 ? 1 : r;
}
