// SPDX-License-Identifier: Apache-2.0
/* A diff as text of 80 columns: what is compared, sentences, tables. Every name is made clean. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diff/output.h"
#include "output/escape.h"
#include "output/page.h"
#include "output/short_name.h"

enum {
	SENTENCES = 10,	     /* of functions by themselves */
	TOTAL_SENTENCES = 5, /* of functions with what they call */
	ROWS = 25,	     /* of a table, beyond the marked ones up to this many */
	MARKED_ROWS = 200,
	STACKS = 10,
	STACK_FRAMES = 30,
};

/* Changes that would print as 0.0 are not shown unless they are marked. */
static const double smallest_change = 0.0005;

/* Whether anything tells what is noise. */
static bool is_judged(const struct diff *diff)
{
	return diff->is_counted || diff->has_run_noise;
}

struct text {
	const struct diff *diff;
	struct page page;
};

static void add_side(struct text *text, bool is_new)
{
	const struct diff *diff = text->diff;
	uint32_t count = is_new ? diff->new_count : diff->base_count;
	cleanup(bytes_fini) struct bytes line = {};
	int64_t samples = 0;
	double value = 0;

	bytes_add_str(&line, is_new ? "NEW:  " : "BASE: ");
	for (uint32_t i = 0, n = 0; i < diff->runs.count; i++) {
		const struct diff_run *run = &diff->runs.at[i];

		if (run->is_new != is_new)
			continue;
		samples = profile_sum(samples, run->samples);
		value += run->value / count;
		if (!n++) {
			escape_clean(&line, profile_text(diff->names, run->name));
			if (count > 1)
				bytes_add_format(&line, " and %" PRIu32 " more %s%s", count - 1,
						 diff->of_history ? "stretch" : "run",
						 count == 2	    ? ""
						 : diff->of_history ? "es"
								    : "s");
		}
	}
	if (diff->is_counted) {
		bytes_add_str(&line, ", ");
		text_add_count(&line, samples);
		bytes_add_str(&line, samples == 1 ? " sample" : " samples");
	}
	if (diff->per != DIFF_PER_SAMPLES) {
		bytes_add_str(&line, "; ");
		diff_add_value(&line, diff, value);
		bytes_add_char(&line, ' ');
		diff_add_unit(&line, diff);
	}
	if (bytes_str(&line))
		page_paragraph(&text->page, line.at);
}

static void add_head(struct text *text)
{
	const struct diff *diff = text->diff;
	cleanup(bytes_fini) struct bytes line = {};

	add_side(text, false);
	add_side(text, true);
	if (diff->base_program) {
		bytes_add_str(&line, "The program is ");
		escape_clean(&line, diff->base_program);
		bytes_add_str(&line, " in BASE and ");
		escape_clean(&line, diff->new_program);
		bytes_add_str(&line, " in NEW: they are taken for the same.");
		page_paragraph(&text->page, bytes_str(&line));
	}
	line.size = 0;
	diff_add_noise(&line, diff);
	page_paragraph(&text->page, bytes_str(&line));
	bytes_add_char(&text->page.out, '\n');
}

/* "json_decode became dearer: 3.1 % → 6.2 % of CPU (+3.1 points ± 0.9)." */
static void add_sentence(struct text *text, const struct diff_entry *entry)
{
	const struct diff *diff = text->diff;
	const struct diff_value *value = entry->value;
	const struct diff_frame *frame = &diff->frames.at[entry->index];
	cleanup(bytes_fini) struct bytes line = {}, name = {};

	escape_clean(&name, diff_name(diff, frame));
	if (bytes_str(&name))
		short_name_add(&line, name.at, PAGE_WIDTH / 2);
	if (entry->is_total && !frame->is_leaf)
		bytes_add_str(&line, ", with what it calls,");
	bytes_add_str(&line, value->mark != DIFF_DEARER
				     ? value->new > 0 ? " became cheaper: " : " is gone: "
			     : value->base > 0 ? " became dearer: "
					       : " is new: ");
	diff_add_value(&line, diff, value->base);
	bytes_add_str(&line, " → ");
	diff_add_value(&line, diff, value->new);
	bytes_add_char(&line, ' ');
	diff_add_unit(&line, diff);
	bytes_add_str(&line, " (");
	diff_add_points(&line, diff, value, true);
	bytes_add_str(&line, ").");
	page_paragraph(&text->page, bytes_str(&line));
}

static uint32_t marked(const struct diff_entry *entries, uint32_t count)
{
	uint32_t n = 0;

	while (n < count && entries[n].value->mark)
		n++;
	return n;
}

static void add_sentences(struct text *text, const struct diff_entry *selfs, uint32_t self_count,
			  const struct diff_entry *totals, uint32_t total_count)
{
	const struct diff *diff = text->diff;
	uint32_t said = 0, of_self = marked(selfs, self_count), more = 0;

	for (uint32_t i = 0; i < of_self; i++) {
		if (i < SENTENCES)
			add_sentence(text, &selfs[i]);
		else
			more++;
	}
	for (uint32_t i = 0; i < marked(totals, total_count); i++) {
		/* Said already, of the function itself. */
		if (diff->function_self[totals[i].index].mark == totals[i].value->mark)
			continue;
		if (said < TOTAL_SENTENCES)
			add_sentence(text, &totals[i]);
		else
			more++;
		said++;
	}
	if (more)
		bytes_add_format(&text->page.out, "And %" PRIu32 " more, below.\n", more);
	if (!of_self && !said)
		page_paragraph(&text->page, is_judged(diff) ? "No function changed beyond noise."
							    : "Differences, without a judgement:");
	else if (diff->per == DIFF_PER_SAMPLES)
		page_paragraph(&text->page,
			       diff->has_seconds
				       ? "Shares add up to 100 %: where one rises, others fall. If "
					 "both sides were under the same load, --per seconds tells "
					 "which did change."
				       : "Shares add up to 100 %: where one rises, others fall.");
}

/* Puts the cell to the right of its column, behind a space at least. */
static void pad(struct bytes *out, const struct bytes *cell, size_t columns)
{
	size_t used = text_columns(cell->at ? cell->at : "") + 1;

	bytes_add_char(out, ' ');
	for (; used < columns; used++)
		bytes_add_char(out, ' ');
	bytes_add(out, cell->at, cell->size);
	out->failed |= cell->failed;
}

static const char *sign(enum diff_mark mark)
{
	return mark == DIFF_DEARER ? "▲" : mark == DIFF_CHEAPER ? "▼" : " ";
}

static void add_columns(struct text *text, const struct diff_value *value)
{
	struct bytes *out = &text->page.out;
	cleanup(bytes_fini) struct bytes cell = {};

	bytes_add_str(out, sign(value->mark));
	diff_add_value(&cell, text->diff, value->base);
	bytes_str(&cell);
	pad(out, &cell, 9);
	cell.size = 0;
	diff_add_value(&cell, text->diff, value->new);
	bytes_str(&cell);
	pad(out, &cell, 10);
	cell.size = 0;
	diff_add_points(&cell, text->diff, value, false);
	bytes_str(&cell);
	pad(out, &cell, text->diff->per == DIFF_PER_SAMPLES ? 15 : 20);
	bytes_add_str(out, "  ");
}

static size_t columns_left(const struct diff *diff)
{
	return PAGE_WIDTH - 1 - 9 - 10 - 2 - (diff->per == DIFF_PER_SAMPLES ? 15 : 20);
}

static void add_function(struct text *text, const struct diff_frame *frame, size_t columns)
{
	const struct diff *diff = text->diff;
	struct bytes *out = &text->page.out;
	cleanup(bytes_fini) struct bytes module = {}, name = {};
	size_t used;

	escape_clean(&name, diff_name(diff, frame));
	escape_clean(&module, frame->kind == CALL_KERNEL ? "kernel" : diff_module(diff, frame));
	if (!bytes_str(&name) || !bytes_str(&module)) {
		out->failed = true;
		return;
	}
	used = short_name_add(out, name.at, columns);
	if (*module.at && used + text_columns(module.at) + 4 <= columns)
		bytes_add_format(out, *module.at == '[' ? "  %s" : "  [%s]", module.at);
	bytes_add_char(out, '\n');
}

static void add_table(struct text *text, const struct diff_entry *entries, uint32_t count,
		      const char *heading)
{
	const struct diff *diff = text->diff;
	struct bytes *out = &text->page.out;
	uint32_t of_marked = marked(entries, count), shown = 0;

	bytes_add_format(out, "\n      BASE       NEW %*s  %s\n",
			 diff->per == DIFF_PER_SAMPLES ? 14 : 19, "CHANGE", heading);
	for (; shown < count; shown++) {
		const struct diff_value *value = entries[shown].value;

		if (shown >= (of_marked > ROWS ? of_marked : ROWS) || shown >= MARKED_ROWS)
			break;
		if (!value->mark && diff->per == DIFF_PER_SAMPLES &&
		    fabs(diff_change(value)) < smallest_change)
			break;
		add_columns(text, value);
		add_function(text, &diff->frames.at[entries[shown].index], columns_left(diff));
	}
	if (shown < count)
		bytes_add_format(out, "%*s(%" PRIu32 " more function%s%s)\n",
				 (int)(PAGE_WIDTH - columns_left(diff)), "", count - shown,
				 count - shown == 1 ? "" : "s",
				 shown < of_marked || !is_judged(diff) ? ""
								       : ", none beyond noise");
}

static void add_stack(struct text *text, const struct diff_entry *entry)
{
	const struct diff *diff = text->diff;
	uint32_t shown = 0;

	bytes_add_char(&text->page.out, '\n');
	for (uint32_t at = entry->index; at; at = diff->nodes.at[at].parent, shown++) {
		if (shown == STACK_FRAMES) {
			bytes_add_format(&text->page.out, "%*s(%" PRIu32 " more frames)\n",
					 (int)(PAGE_WIDTH - columns_left(diff)), "",
					 diff->nodes.at[at].depth);
			break;
		}
		if (shown)
			bytes_add_format(&text->page.out, "%*s",
					 (int)(PAGE_WIDTH - columns_left(diff)), "");
		else
			add_columns(text, entry->value);
		add_function(text, &diff->frames.at[diff->nodes.at[at].frame], columns_left(diff));
	}
}

static int add_stacks(struct text *text)
{
	cleanup(free) struct diff_entry *entries = NULL;
	uint32_t count;
	int r = diff_rank_stacks(text->diff, &entries, &count);

	if (r < 0 || !count)
		return r;
	bytes_add_format(&text->page.out,
			 "\nStacks that changed, innermost frame first, %u of %" PRIu32 ":\n",
			 count < STACKS ? count : STACKS, count);
	for (uint32_t i = 0; i < count && i < STACKS; i++)
		add_stack(text, &entries[i]);
	return 0;
}

static int fill(struct text *text)
{
	cleanup(free) struct diff_entry *selfs = NULL, *totals = NULL;
	uint32_t self_count, total_count;
	int r = diff_rank_functions(text->diff, false, &selfs, &self_count);

	if (r == 0)
		r = diff_rank_functions(text->diff, true, &totals, &total_count);
	if (r < 0)
		return r;
	add_head(text);
	add_sentences(text, selfs, self_count, totals, total_count);
	add_table(text, selfs, self_count, "FUNCTION, by itself");
	add_table(text, totals, total_count, "FUNCTION, with what it called");
	r = add_stacks(text);
	return r == 0 && text->page.out.failed ? -ENOMEM : r;
}

static int text_write(const struct diff *diff, struct stream *stream)
{
	struct text text = { .diff = diff };
	int r = fill(&text);

	if (r == 0)
		stream_write(stream, text.page.out.at, text.page.out.size);
	page_fini(&text.page);
	return r < 0 ? r : stream->error;
}

const struct diff_writer diff_writer_text = {
	.name = "text",
	.aliases = { "txt" },
	.extensions = { ".txt" },
	.write = text_write,
};
