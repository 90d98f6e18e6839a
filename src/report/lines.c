// SPDX-License-Identifier: Apache-2.0
/*
 * What each source line of a function used, beside its text, as `go tool pprof -list` has it: a line's
 * total counts once a sample. A function whose lines are of several files has a part for each.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "output/escape.h"
#include "report/select.h"
#include "report/source_file.h"

enum {
	ROUTINES = 10,
	CONTEXT_LINES = 3, /* around what used anything */
	NO_ROUTINE = 0,
};

struct routine {
	uint32_t name, file; /* strings of the profile */
	uint32_t start_line;
	uint32_t last_sample; /* + 1, that was counted */
	int64_t self, total;
};

struct line {
	uint32_t routine, line;
	uint32_t last_sample; /* + 1 */
	int64_t self, total;
};

struct listing {
	ARRAY_OF(struct routine) routines;
	ARRAY_OF(struct line) lines;
	struct hash_index by_line;
	uint32_t *of_functions;	  /* by function of the profile: routine + 1, or NO_ROUTINE */
	ARRAY_OF(uint32_t) order; /* routines, the heaviest first */
};

static void listing_fini_cleanup(struct listing *listing)
{
	array_fini(&listing->routines);
	array_fini(&listing->lines);
	hash_index_fini(&listing->by_line);
	free(listing->of_functions);
	array_fini(&listing->order);
}

static const char *function_text(const struct report *report, uint32_t index)
{
	return profile_text(report->profile, report->profile->functions.at[index].name);
}

/* A routine for each name and file that is meant. */
static int find_routines(struct report *report, struct listing *ret)
{
	const struct profile *profile = report->profile;
	cleanup(free) bool *marks = NULL;
	struct hash_index index = {};
	int r = select_names(report, &marks, profile->functions.count, function_text,
			     report->options->function);

	if (r != 0)
		return r;
	ret->of_functions = calloc(profile->functions.count + 1ULL, sizeof(uint32_t));
	if (!ret->of_functions)
		return -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < profile->functions.count; i++) {
		const struct profile_function *function = &profile->functions.at[i];
		/* Two numbers of 32 bits: different ones have different hashes. */
		uint64_t hash = hash_u64((uint64_t)function->name << 32 | function->file);
		uint32_t found;

		if (!marks[i])
			continue;
		found = hash_index_find(&index, hash, NULL, NULL, NULL);
		if (found == HASH_ABSENT) {
			struct routine *routine = array_push(&ret->routines);

			found = ret->routines.count - 1;
			r = routine ? hash_index_add(&index, hash, found) : -ENOMEM;
			if (routine)
				*routine = (struct routine){ .name = function->name,
							     .file = function->file,
							     .start_line = function->start_line };
		}
		ret->of_functions[i] = found + 1;
	}
	hash_index_fini(&index);
	return r;
}

/* NULL: out of memory. */
static struct line *find_line(struct listing *listing, uint32_t routine, uint32_t number)
{
	uint64_t hash = hash_u64((uint64_t)routine << 32 | number);
	uint32_t found = hash_index_find(&listing->by_line, hash, NULL, NULL, NULL);
	struct line *line;

	if (found != HASH_ABSENT)
		return &listing->lines.at[found];
	line = array_push(&listing->lines);
	if (!line || hash_index_add(&listing->by_line, hash, listing->lines.count - 1) < 0)
		return NULL;
	*line = (struct line){ .routine = routine, .line = number };
	return line;
}

static int count_frame(struct listing *listing, const struct profile_line *frame, uint32_t sample,
		       int64_t weight, bool is_leaf)
{
	uint32_t routine_id = listing->of_functions[frame->function];
	struct routine *routine;
	struct line *line;

	if (routine_id == NO_ROUTINE)
		return 0;
	routine = &listing->routines.at[--routine_id];
	line = find_line(listing, routine_id, frame->line);
	if (!line)
		return -ENOMEM;
	if (is_leaf) {
		line->self = profile_sum(line->self, weight);
		routine->self = profile_sum(routine->self, weight);
	}
	if (line->last_sample != sample + 1) {
		line->last_sample = sample + 1;
		line->total = profile_sum(line->total, weight);
	}
	if (routine->last_sample != sample + 1) {
		routine->last_sample = sample + 1;
		routine->total = profile_sum(routine->total, weight);
	}
	return 0;
}

static int count_sample(struct report *report, struct listing *listing, uint32_t sample)
{
	const struct profile *profile = report->profile;
	struct profile_run run = profile->stacks.at[profile->samples.at[sample].stack];
	int64_t weight = weights_get(&report->weights, sample);

	for (uint32_t i = 0; weight && i < run.count; i++) {
		const struct profile_location *location =
			&profile->locations.at[profile->stack_locations.at[run.first + i]];

		for (uint32_t k = 0; k < location->line_count; k++) {
			int r = count_frame(listing, &profile->lines.at[location->first_line + k],
					    sample, weight, i == 0 && k == 0);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int compare_lines(const void *a_, const void *b_)
{
	const struct line *a = a_, *b = b_;

	if (a->routine != b->routine)
		return a->routine < b->routine ? -1 : 1;
	return a->line < b->line ? -1 : a->line > b->line;
}

static int compare_routines(const void *a_, const void *b_, void *context)
{
	const struct listing *listing = context;
	uint32_t a = *(const uint32_t *)a_, b = *(const uint32_t *)b_;
	int64_t total_a = listing->routines.at[a].total, total_b = listing->routines.at[b].total;

	if (total_a != total_b)
		return total_a > total_b ? -1 : 1;
	return a < b ? -1 : a > b;
}

static int make_listing(struct report *report, struct listing *ret)
{
	int r = find_routines(report, ret);

	for (uint32_t i = 0; r == 0 && i < report->profile->samples.count; i++)
		r = count_sample(report, ret, i);
	if (r != 0)
		return r;
	if (ret->lines.count)
		qsort(ret->lines.at, ret->lines.count, sizeof(struct line), compare_lines);
	for (uint32_t i = 0; i < ret->routines.count; i++) {
		uint32_t *place = ret->routines.at[i].total ? array_push(&ret->order) : NULL;

		if (ret->routines.at[i].total && !place)
			return -ENOMEM;
		if (place)
			*place = i;
	}
	if (ret->order.count)
		qsort_r(ret->order.at, ret->order.count, sizeof(uint32_t), compare_routines, ret);
	return 0;
}

/* The run of a routine's lines: all of *ret_count. */
static const struct line *lines_of(const struct listing *listing, uint32_t routine,
				   uint32_t *ret_count)
{
	uint32_t first = array_count_up_to(&listing->lines, routine, routine), end = first;

	while (first && listing->lines.at[first - 1].routine == routine)
		first--;
	*ret_count = end - first;
	return listing->lines.at + first;
}

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
	page_share(page, routine->self);
	bytes_add_str(&page->out, "  ");
	page_share(page, routine->total);
	bytes_add_str(&page->out, "  ");
	page_colour(page, PAGE_BOLD);
	bytes_add_str(&page->out, page_clean(page, profile_text(report->profile, routine->name)));
	page_colour(page, PAGE_PLAIN);
	if (file->path || *recorded) {
		bytes_add_str(&page->out, "  ");
		bytes_add_str(&page->out, page_clean(page, file->path ? file->path : recorded));
	}
	bytes_add_char(&page->out, '\n');
	if (file->why && *recorded)
		bytes_add_format(&page->out,
				 "The source %s: --source-path and --trim-path say where "
				 "it is.\n",
				 strcmp(file->why, "not found") == 0 ? "was not found" : file->why);
	else if (file->why)
		bytes_add_str(&page->out, "The profile does not say where its source is.\n");
	else if (is_newer(report, file))
		bytes_add_str(&page->out,
			      "The source was changed after the recording: lines may have "
			      "moved.\n");
}

static void add_line(struct page *page, const struct source_file *file, uint32_t number,
		     const struct line *line)
{
	cleanup(bytes_fini) struct bytes text = {};
	size_t used = 2 * PAGE_SHARE_COLUMNS + 2 + 9;

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
		text_add_clipped(&page->out, page_clean(page, text.at),
				 page_width(page) > used ? page_width(page) - used : 1);
	else if (!number)
		bytes_add_str(&page->out, "(the line is not known)");
	else if (!file->why)
		bytes_add_str(&page->out, "(behind the end of the file)");
	page->out.failed |= text.failed;
	/* A line without a text has nothing behind its number. */
	while (page->out.size && page->out.at[page->out.size - 1] == ' ')
		page->out.size--;
	bytes_add_char(&page->out, '\n');
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
	const struct line *lines = lines_of(listing, id, &count);

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
	int r = make_listing(report, &listing);

	if (r != 0)
		return r;
	page_colour(page, PAGE_BOLD);
	bytes_add_str(&page->out, "\n    SELF           TOTAL          LINE");
	page_colour(page, PAGE_PLAIN);
	bytes_add_char(&page->out, '\n');
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
	const struct line *lines = lines_of(listing, id, &count);
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
	int r = make_listing(report, &listing);

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
