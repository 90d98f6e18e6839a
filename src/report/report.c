// SPDX-License-Identifier: Apache-2.0
#include "report/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "output/short_name.h"
#include "report/view.h"

enum {
	FLUSH_BYTES = 1 << 20,
	LEAST_PATH = 8, /* columns */
};

static const struct view *const views[] = {
	[REPORT_FUNCTIONS] = &view_functions, [REPORT_TREE] = &view_tree,
	[REPORT_CALLERS] = &view_callers,     [REPORT_CALLEES] = &view_callees,
	[REPORT_PEEK] = &view_peek,	      [REPORT_LINES] = &view_lines,
	[REPORT_ANNOTATE] = &view_annotate,   [REPORT_GROUPS] = &view_groups,
	[REPORT_WHAT_IF] = &view_what_if,
};
_Static_assert(ARRAY_SIZE(views) == REPORT_VIEWS, "every view has a row");

int report_refuse(struct report *report, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(report->reason->text, sizeof(report->reason->text), format, list);
	va_end(list);
	return REPORT_REFUSED;
}

void report_json_weight(struct json *json, const struct call_tree *tree, const char *key,
			int64_t weight)
{
	struct share share = call_tree_share(tree, weight);

	json_object(json, key);
	json_i64(json, "weight", weight);
	json_double(json, "share", share.share);
	json_double(json, "low", tree->is_counted ? share.low : 0.0 / 0.0);
	json_double(json, "high", tree->is_counted ? share.high : 0.0 / 0.0);
	if (tree->core_weight > 0)
		json_double(json, "cores", call_tree_cores(tree, weight));
	json_end(json);
}

void report_json_flush(struct report *report, struct json *json)
{
	if (json->bytes->size < FLUSH_BYTES || json->bytes->failed)
		return;
	stream_write(report->stream, json->bytes->at, json->bytes->size);
	json->bytes->size = 0;
}

void report_json_function(struct json *json, const struct call_tree *tree,
			  const struct call_frame *frame)
{
	static const char *const kinds[CALL_KIND_COUNT] = {
		[CALL_USER] = "user", [CALL_LIBRARY] = "library",	  [CALL_KERNEL] = "kernel",
		[CALL_JIT] = "jit",   [CALL_INTERPRETED] = "interpreted", [CALL_NOTE] = "note",
		[CALL_ALL] = "all",   [CALL_PROCESS] = "process",	  [CALL_THREAD] = "thread",
	};
	const char *module = profile_text(tree->profile, frame->module);
	const char *file = call_frame_file(tree, frame);

	json_string(json, "name", call_frame_name(tree, frame));
	json_string(json, "kind", kinds[frame->kind]);
	json_string(json, "module", *module ? module : NULL);
	json_string(json, "file", *file ? file : NULL);
	if (frame->line)
		json_u64(json, "line", frame->line);
	json_bool(json, "inlined", frame->inlined);
}

void report_add_routine(struct page *page, int64_t self, int64_t total, const char *name,
			const char *path)
{
	size_t columns = page_width(page) - 2 * (PAGE_SHARE_COLUMNS + 2), used;

	page_share(page, self);
	bytes_add_str(&page->out, "  ");
	page_share(page, total);
	bytes_add_str(&page->out, "  ");
	page_colour(page, PAGE_BOLD);
	used = short_name_add(&page->out, page_clean(page, name), columns);
	page_colour(page, PAGE_PLAIN);
	if (*path && used + 2 + LEAST_PATH <= columns) {
		bytes_add_str(&page->out, "  ");
		page_path(page, path, columns - used - 2);
	}
	bytes_add_char(&page->out, '\n');
}

static int write_text(struct report *report)
{
	cleanup(page_fini) struct page page = {
		.tree = report->tree,
		.width = report->options->width,
		.has_colours = report->options->has_colours,
	};
	int r = 0;

	page_head(&page);
	if (call_tree_total(report->tree) > 0)
		r = views[report->options->view]->text(report, &page);
	else
		bytes_add_format(&page.out, "\nNothing to show: %s.\n",
				 report->tree->whole > 0 ? "no sample is left"
							 : "there are no samples");
	if (r == 0 && page.out.failed)
		r = -ENOMEM;
	if (r == 0)
		stream_write(report->stream, page.out.at, page.out.size);
	return r;
}

static void json_head(struct report *report, struct json *json)
{
	const struct profile *profile = report->profile;
	const struct profile_meta *meta = &profile->meta;
	const struct profile_type *type = &profile->types.at[meta->main_type];
	const struct call_tree *tree = report->tree;
	uint64_t below;
	int64_t value = weights_values(profile, meta->main_type, &below);

	json_u64(json, "schema_version", 1);
	json_string(json, "view", views[report->options->view]->name);
	json_string(json, "title", meta->title);
	json_string(json, "subtitle", meta->subtitle);
	json_string(json, "quality", meta->quality);
	json_array(json, "comments");
	for (uint32_t i = 0; i < profile->comments.count; i++)
		json_string(json, NULL, profile_text(profile, profile->comments.at[i]));
	json_end(json);
	json_i64(json, "time_ns", meta->time_ns);
	json_i64(json, "duration_ns", meta->duration_ns);
	json_string(json, "type", profile_text(profile, type->name));
	json_string(json, "unit", profile_text(profile, type->unit));
	json_array(json, "types");
	for (uint32_t i = 0; i < profile->types.count; i++)
		json_string(json, NULL, profile_text(profile, profile->types.at[i].name));
	json_end(json);
	json_i64(json, "value", value);
	json_u64(json, "below_zero", below);
	json_string(json, "weight_unit", tree->unit);
	if (tree->is_counted)
		json_i64(json, "samples", tree->nodes.at[0].total_count);
	json_i64(json, "whole", tree->whole);
	report_json_weight(json, tree, "total", call_tree_total(tree));
	if (report->options->add_json)
		report->options->add_json(report->options->context, json);
}

static int write_json(struct report *report)
{
	cleanup(bytes_fini) struct bytes bytes = {};
	struct json json = json_to(&bytes);
	int r;

	json_object(&json, NULL);
	json_head(report, &json);
	r = views[report->options->view]->json(report, &json);
	json_end(&json);
	if (r == 0 && bytes.failed)
		r = -ENOMEM;
	if (r == 0)
		stream_write(report->stream, bytes.at, bytes.size);
	return r;
}

int report_write(struct stream *stream, const struct profile *profile, const struct whole *whole,
		 const struct report_options *options, bool as_json, struct report_reason *reason)
{
	cleanup(call_tree_free) struct call_tree *tree = NULL;
	struct report report = {
		.options = options, .profile = profile, .reason = reason, .stream = stream
	};
	int r = weights_of(&report.weights, profile, profile->meta.main_type);

	if (r == 0)
		r = call_tree_new(&tree, profile, profile->meta.main_type);
	if (r < 0)
		return r;
	if (whole)
		call_tree_set_whole(tree, whole);
	report.tree = tree;
	return as_json ? write_json(&report) : write_text(&report);
}
