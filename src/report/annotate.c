// SPDX-License-Identifier: Apache-2.0
/* The instructions of functions with what they used, as `go tool pprof -disasm` has it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "output/escape.h"
#include "report/code_costs.h"

enum {
	ADDRESS_COLUMNS = 10,
	CONTEXT = 6, /* instructions around those that used anything, where others are left out */
	LONG = 400,  /* instructions; of shorter functions all are shown */
};

static void add_source_line(struct annotation *annotation, struct page *page,
			    const struct instruction_cost *cost)
{
	const struct code_source *source = &annotation->sources.at[cost->source - 1];
	const char *slash = strrchr(source->path, '/');
	cleanup(bytes_fini) struct bytes text = {};
	size_t indent = 2 * PAGE_SHARE_COLUMNS + 4, used;
	const char *name;

	bytes_add_format(&page->out, "%*s", (int)indent, "");
	page_colour(page, PAGE_FAINT);
	name = page_clean(page, slash && slash[1] ? slash + 1 : source->path);
	used = indent + text_columns(name) + 10;
	bytes_add_format(&page->out, "%s:%" PRIu32, name, cost->line);
	if (source_file_line(&source->file, cost->line, &text) && bytes_str(&text)) {
		name = page_clean(page, text.at + strspn(text.at, " "));
		bytes_add_str(&page->out, *name ? "  " : "");
		text_add_clipped(&page->out, name,
				 page_width(page) > used ? page_width(page) - used : 1);
	}
	page->out.failed |= text.failed;
	page_colour(page, PAGE_PLAIN);
	bytes_add_char(&page->out, '\n');
}

static void add_cost(struct page *page, int64_t weight)
{
	if (weight)
		page_share(page, weight);
	else
		bytes_add_format(&page->out, "%*s", PAGE_SHARE_COLUMNS, "");
	bytes_add_str(&page->out, "  ");
}

/* Is there anything within CONTEXT instructions? */
static bool is_near(const struct code_routine *routine, uint32_t at)
{
	uint32_t count = routine->code.instructions.count;
	uint32_t from = at > CONTEXT ? at - CONTEXT : 0;

	for (uint32_t i = from; i < count && i <= at + CONTEXT; i++)
		if (routine->costs[i].total)
			return true;
	return count <= LONG;
}

static void add_instructions(struct annotation *annotation, struct page *page,
			     const struct code_routine *routine)
{
	size_t used = 2 * PAGE_SHARE_COLUMNS + 4 + ADDRESS_COLUMNS + 2;
	uint32_t source = 0, line = 0;
	bool skipped = false;

	for (uint32_t i = 0; i < routine->code.instructions.count; i++) {
		const struct code_instruction *instruction = &routine->code.instructions.at[i];
		const struct instruction_cost *cost = &routine->costs[i];

		if (!is_near(routine, i)) {
			if (!skipped)
				bytes_add_format(&page->out, "%*s⋮\n",
						 2 * PAGE_SHARE_COLUMNS + 4 + ADDRESS_COLUMNS - 1,
						 "");
			skipped = true;
			source = 0;
			continue;
		}
		skipped = false;
		if (cost->source && (cost->source != source || cost->line != line))
			add_source_line(annotation, page, cost);
		source = cost->source;
		line = cost->line;
		add_cost(page, cost->self);
		add_cost(page, cost->total);
		bytes_add_format(&page->out, "%*" PRIx64 ": ", ADDRESS_COLUMNS,
				 instruction->address);
		text_add_clipped(&page->out,
				 page_clean(page, code_text(&routine->code, instruction->text)),
				 page_width(page) > used ? page_width(page) - used : 1);
		bytes_add_char(&page->out, '\n');
	}
}

static void add_text(struct annotation *annotation, struct page *page,
		     const struct code_routine *routine)
{
	const struct code_binary *binary = &annotation->binaries.at[routine->binary];
	char start[24];

	snprintf(start, sizeof(start), "+0x%" PRIx64, routine->code.start);
	bytes_add_char(&page->out, '\n');
	report_add_routine(page, routine->self, routine->total,
			   *routine->code.texts.at ? routine->code.texts.at : start,
			   binary->object->path);
	if (!binary->is_same_build)
		page_paragraph(page, "No build ID tells whether this is the program that was "
				     "recorded: costs may stand at wrong instructions.");
	add_instructions(annotation, page, routine);
}

static int annotate_text(struct report *report, struct page *page)
{
	cleanup(annotation_fini) struct annotation annotation = {};
	int r = annotation_find(&annotation, report);

	if (r != 0)
		return r;
	page_heading(page, "    SELF           TOTAL           ADDRESS  INSTRUCTION");
	for (uint32_t i = 0; i < annotation.routines.count; i++)
		add_text(&annotation, page, &annotation.routines.at[i]);
	if (annotation.has_more)
		bytes_add_str(&page->out, "\n(more functions match)\n");
	page_paragraph(page, annotation.refused.text);
	return 0;
}

static void json_routine(struct annotation *annotation, struct json *json,
			 const struct code_routine *routine)
{
	const struct call_tree *tree = annotation->report->tree;
	const struct code_binary *binary = &annotation->binaries.at[routine->binary];

	json_object(json, NULL);
	json_string(json, "name", *routine->code.texts.at ? routine->code.texts.at : NULL);
	json_string(json, "binary", binary->object->path);
	json_bool(json, "is_same_build", binary->is_same_build);
	json_u64(json, "start", routine->code.start);
	json_u64(json, "end", routine->code.end);
	report_json_weight(json, tree, "self", routine->self);
	report_json_weight(json, tree, "total", routine->total);
	json_array(json, "instructions");
	for (uint32_t i = 0; i < routine->code.instructions.count; i++) {
		const struct code_instruction *instruction = &routine->code.instructions.at[i];
		const struct instruction_cost *cost = &routine->costs[i];

		json_object(json, NULL);
		json_u64(json, "address", instruction->address);
		json_u64(json, "length", instruction->length);
		json_string(json, "text", code_text(&routine->code, instruction->text));
		if (cost->source) {
			json_string(json, "file", annotation->sources.at[cost->source - 1].path);
			json_u64(json, "line", cost->line);
		}
		if (cost->total) {
			report_json_weight(json, tree, "self", cost->self);
			report_json_weight(json, tree, "total", cost->total);
		}
		json_end(json);
	}
	json_end(json);
	json_end(json);
}

static int annotate_json(struct report *report, struct json *json)
{
	cleanup(annotation_fini) struct annotation annotation = {};
	int r = annotation_find(&annotation, report);

	if (r != 0)
		return r;
	json_array(json, "functions");
	for (uint32_t i = 0; i < annotation.routines.count; i++)
		json_routine(&annotation, json, &annotation.routines.at[i]);
	json_end(json);
	json_bool(json, "has_more", annotation.has_more);
	return 0;
}

const struct view view_annotate = { "annotate", annotate_text, annotate_json };
