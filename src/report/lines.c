// SPDX-License-Identifier: Apache-2.0
/* Source lines of functions with what they used, as `go tool pprof -list` has it. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "output/escape.h"
#include "report/line_costs.h"

enum {
	ROUTINES = 10,
	CONTEXT_LINES = 3, /* around what used anything */
};

/* When the recording ended; 0: not known. */
static int64_t recorded_until(const struct profile *profile)
{
	const struct profile_meta *meta = &profile->meta;

	return meta->time_ns > 0 ? profile_sum(meta->time_ns, meta->duration_ns) : 0;
}

static bool is_newer(const struct report *report, const struct source_file *file)
{
	int64_t until = recorded_until(report->profile);

	return file->path && until && file->changed_ns > until;
}

static void add_head(struct report *report, struct page *page, const struct routine *routine,
		     const struct source_file *file)
{
	const char *recorded = profile_text(report->profile, routine->file);

	bytes_add_char(&page->out, '\n');
	report_add_routine(page, routine->self, routine->total,
			   profile_text(report->profile, routine->name),
			   file->path ? file->path : recorded);
	if (file->why && strcmp(file->why, "not found") == 0)
		page_paragraph(page,
			       "The source was not found: --source-path and --trim-path say where "
			       "it is.");
	else if (file->why && !*recorded)
		page_paragraph(page, "The profile does not say where its source is.");
	else if (file->why)
		bytes_add_format(&page->out, "The source %s.\n", file->why);
	else if (is_newer(report, file))
		page_paragraph(page,
			       "The source was changed after the recording: lines may have moved.");
}

static void add_line(struct page *page, const struct source_file *file, uint32_t number,
		     const struct line_cost *line)
{
	cleanup(bytes_fini) struct bytes text = {};
	size_t used = 2 * PAGE_SHARE_COLUMNS + 2 + 9;
	size_t room = page_width(page) > used ? page_width(page) - used : 1;

	if (line && line->self)
		page_share(page, line->self);
	else
		bytes_add_format(&page->out, "%*s", PAGE_SHARE_COLUMNS, "");
	bytes_add_str(&page->out, "  ");
	if (line && line->total)
		page_share(page, line->total);
	else
		bytes_add_format(&page->out, "%*s", PAGE_SHARE_COLUMNS, "");
	if (number)
		bytes_add_format(&page->out, "  %5" PRIu32 "  ", number);
	else
		bytes_add_str(&page->out, "      ?  ");
	if (source_file_line(file, number, &text) && bytes_str(&text))
		text_add_clipped(&page->out, page_clean(page, text.at), room);
	else if (!number)
		text_add_clipped(&page->out, "(the line is not known)", room);
	else if (!file->why)
		text_add_clipped(&page->out, "(behind the end of the file)", room);
	page->out.failed |= text.failed;
	page_end_row(page);
}

static uint32_t number_of_lines(const struct source_file *file)
{
	return file->lines.count ? file->lines.count - 1 : 0;
}

static void add_routine(struct report *report, struct page *page, const struct listing *listing,
			uint32_t id, const struct source_file *file)
{
	const struct routine *routine = &listing->routines.at[id];
	uint32_t count, shown = 0;
	const struct line_cost *lines = listing_lines(listing, id, &count);

	add_head(report, page, routine, file);
	/* From where it begins, if that is near. */
	if (routine->start_line && count && routine->start_line < lines[0].line &&
	    lines[0].line - routine->start_line <= 4 * CONTEXT_LINES)
		shown = routine->start_line - 1;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t number = lines[i].line, last;
		uint32_t from = number > CONTEXT_LINES ? number - CONTEXT_LINES : 1;

		if (from < routine->start_line && number >= routine->start_line)
			from = routine->start_line;
		if (shown && from > shown + 1 && i) {
			bytes_add_format(&page->out, "%*s⋮\n", 2 * PAGE_SHARE_COLUMNS + 8, "");
		} else if (shown && from > shown + 1) {
			from = shown + 1; /* the first lines */
		}
		if (from <= shown)
			from = shown + 1;
		for (uint32_t at = from; at < number && at <= number_of_lines(file); at++)
			add_line(page, file, at, NULL);
		add_line(page, file, number, &lines[i]);
		shown = number;
		last = i + 1 < count ? lines[i + 1].line - 1 : UINT32_MAX;
		for (uint32_t at = 1; number && at <= CONTEXT_LINES && number + at <= last &&
				      number + at <= number_of_lines(file);
		     at++)
			add_line(page, file, shown = number + at, NULL);
	}
}

static int lines_text(struct report *report, struct page *page)
{
	cleanup(listing_fini) struct listing listing = {};
	uint32_t limit = report_limit(report, ROUTINES);
	int r = listing_make(&listing, report);

	if (r != 0)
		return r;
	page_heading(page, "    SELF           TOTAL          LINE");
	for (uint32_t i = 0; i < listing.order.count && i < limit; i++) {
		const struct routine *routine = &listing.routines.at[listing.order.at[i]];
		cleanup(source_file_fini) struct source_file file = {};

		r = source_file_read(&file, profile_text(report->profile, routine->file),
				     &report->options->sources);
		if (r < 0)
			return r;
		add_routine(report, page, &listing, listing.order.at[i], &file);
	}
	if (listing.order.count > limit)
		bytes_add_format(&page->out, "\n(%" PRIu32 " more functions match)\n",
				 listing.order.count - limit);
	return 0;
}

static int json_routine(struct report *report, struct json *json, const struct listing *listing,
			uint32_t id)
{
	const struct routine *routine = &listing->routines.at[id];
	const char *recorded = profile_text(report->profile, routine->file);
	cleanup(source_file_fini) struct source_file file = {};
	uint32_t count;
	const struct line_cost *lines = listing_lines(listing, id, &count);
	int r = source_file_read(&file, recorded, &report->options->sources);

	if (r < 0)
		return r;
	json_object(json, NULL);
	json_string(json, "name", profile_text(report->profile, routine->name));
	json_string(json, "file", *recorded ? recorded : NULL);
	json_string(json, "source", file.path);
	json_string(json, "source_lacks", file.why);
	json_bool(json, "source_is_newer", is_newer(report, &file));
	report_json_weight(json, report->tree, "self", routine->self);
	report_json_weight(json, report->tree, "total", routine->total);
	json_array(json, "lines");
	for (uint32_t i = 0; i < count; i++) {
		cleanup(bytes_fini) struct bytes text = {};
		bool there = source_file_line(&file, lines[i].line, &text);
		const char *line = bytes_str(&text);

		if (!line)
			return -ENOMEM;
		json_object(json, NULL);
		if (lines[i].line)
			json_u64(json, "line", lines[i].line);
		json_string(json, "text", there ? line : NULL);
		report_json_weight(json, report->tree, "self", lines[i].self);
		report_json_weight(json, report->tree, "total", lines[i].total);
		json_end(json);
	}
	json_end(json);
	json_end(json);
	return 0;
}

static int lines_json(struct report *report, struct json *json)
{
	cleanup(listing_fini) struct listing listing = {};
	uint32_t limit = report_limit(report, ROUTINES);
	int r = listing_make(&listing, report);

	if (r != 0)
		return r;
	json_array(json, "functions");
	for (uint32_t i = 0; r == 0 && i < listing.order.count && i < limit; i++)
		r = json_routine(report, json, &listing, listing.order.at[i]);
	json_end(json);
	json_u64(json, "left_out", listing.order.count > limit ? listing.order.count - limit : 0);
	return r;
}

const struct view view_lines = { "lines", lines_text, lines_json };
