// SPDX-License-Identifier: Apache-2.0
/*
 * What it is worth to make functions faster, by Amdahl's law (G. M. Amdahl, AFIPS 1967, p. 483): what
 * takes the share p of everything, and is left to take f of that, leaves 1 - p (1 - f) of everything.
 *
 * A function's share is with all that it calls, each sample counted once, however often it stands in
 * the stack. A sample that is in several changed functions is counted once, too: for the one that
 * leaves least of it.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "output/short_name.h"
#include "report/select.h"

/* What one change, or all of them, come to. */
struct outcome {
	int64_t weight; /* of what is changed */
	double saved;	/* weight that is gone, a share of everything */
	double saved_low, saved_high;
};

struct changes {
	uint32_t count;
	struct outcome *each;
	struct outcome all;
	double *left; /* by frame: of the strongest change of it; 1: none */
};

static void changes_fini_cleanup(struct changes *changes)
{
	free(changes->each);
	free(changes->left);
}

/*
 * Samples of changed functions, by how much is left of them. At most `most` of a sample is saved: its
 * saving is at least as certain as whether a sample is one of which that much is saved, with the same
 * mean; so that interval is right for one change, and wide enough for several.
 */
static void find_interval(const struct call_tree *tree, struct outcome *outcome, double most)
{
	double whole = (double)tree->whole;
	struct share share = share_of(most > 0 ? outcome->saved * whole / most : 0, whole,
				      tree->is_counted ? tree->effective_samples : 0);

	outcome->saved_low = share.low * most;
	outcome->saved_high = share.high * most;
}

/* One walk from the root: what is left of a node is what is left of its parent, or less. */
static int evaluate(const struct call_tree *tree, const double *left_of_frames, struct outcome *ret)
{
	cleanup(free) double *left = calloc(tree->nodes.count, sizeof(*left));
	double saved = 0, most = 0;

	if (!left)
		return -ENOMEM;
	*ret = (struct outcome){};
	for (uint32_t i = 0; i < tree->nodes.count; i++) {
		const struct call_node *node = &tree->nodes.at[i];

		left[i] = fmin(i ? left[node->parent] : 1, left_of_frames[node->frame]);
		if (left[i] >= 1 || !node->self)
			continue;
		saved += (double)node->self * (1 - left[i]);
		most = fmax(most, 1 - left[i]);
		ret->weight = profile_sum(ret->weight, node->self);
	}
	ret->saved = tree->whole > 0 ? fmin(saved / (double)tree->whole, 1) : 0;
	find_interval(tree, ret, most);
	return 0;
}

static int find_changes(struct report *report, struct changes *ret)
{
	const struct report_options *options = report->options;
	uint32_t frames = report->tree->frames.count;
	cleanup(free) double *alone = calloc(frames + 1ULL, sizeof(*alone));

	ret->count = options->changes.count;
	ret->each = calloc(ret->count + 1ULL, sizeof(*ret->each));
	ret->left = calloc(frames + 1ULL, sizeof(*ret->left));
	if (!alone || !ret->each || !ret->left)
		return -ENOMEM;
	for (uint32_t i = 0; i < frames; i++)
		ret->left[i] = 1;
	for (uint32_t k = 0; k < ret->count; k++) {
		const struct what_if *change = &options->changes.at[k];
		cleanup(free) bool *marks = NULL;
		int r = select_frames(report, &marks, change->function);

		if (r != 0)
			return r;
		for (uint32_t i = 0; i < frames; i++) {
			alone[i] = marks[i] ? change->left : 1;
			ret->left[i] = fmin(ret->left[i], alone[i]);
		}
		r = evaluate(report->tree, alone, &ret->each[k]);
		if (r < 0)
			return r;
	}
	return evaluate(report->tree, ret->left, &ret->all);
}

/* "2.00x", or "without end" when nothing is left. */
static void add_speedup(struct bytes *out, double saved)
{
	if (saved >= 1)
		bytes_add_str(out, "∞");
	else
		bytes_add_format(out, "%.2fx", 1 / (1 - saved));
}

static void add_outcome(struct page *page, const struct outcome *outcome)
{
	double half =
		fmax(outcome->saved - outcome->saved_low, outcome->saved_high - outcome->saved);

	bytes_add_format(&page->out, "%5.1f %%", 100 * (1 - outcome->saved));
	if (page->tree->is_counted)
		bytes_add_format(&page->out, " ±%4.1f", 100 * half);
	else
		bytes_add_str(&page->out, "      ");
	if (page_is_narrow(page))
		bytes_add_format(&page->out, "\n%13s", "");
	bytes_add_str(&page->out, "  ");
	page_colour(page, PAGE_BOLD);
	add_speedup(&page->out, outcome->saved);
	page_colour(page, PAGE_PLAIN);
	if (page->tree->is_counted) {
		bytes_add_str(&page->out, " (");
		add_speedup(&page->out, outcome->saved_low);
		bytes_add_str(&page->out, " to ");
		add_speedup(&page->out, outcome->saved_high);
		bytes_add_str(&page->out, ")");
	}
}

static void add_change(struct page *page, const struct what_if *change)
{
	char words[32];
	size_t room = page_width(page) - PAGE_SHARE_COLUMNS - 2, used;

	if (change->left > 0)
		snprintf(words, sizeof(words), " %.3gx as fast:", 1 / change->left);
	else
		snprintf(words, sizeof(words), ":");
	if (change->left <= 0)
		bytes_add_str(&page->out, "without ");
	used = strlen(words) + (change->left > 0 ? 0 : strlen("without "));
	(void)short_name_add(&page->out, page_clean(page, change->function), room - used);
	bytes_add_str(&page->out, words);
}

static int what_if_text(struct report *report, struct page *page)
{
	const struct report_options *options = report->options;
	cleanup(changes_fini) struct changes changes = {};
	int r = find_changes(report, &changes);

	if (r != 0)
		return r;
	page_heading(page, "     NOW        WHAT IF");
	for (uint32_t i = 0; i < changes.count; i++) {
		page_share(page, changes.each[i].weight);
		bytes_add_str(&page->out, "  ");
		add_change(page, &options->changes.at[i]);
		bytes_add_format(&page->out, "\n%15sall takes ", "");
		add_outcome(page, &changes.each[i]);
		bytes_add_char(&page->out, '\n');
	}
	if (changes.count > 1) {
		page_share(page, changes.all.weight);
		bytes_add_format(&page->out, "  all of these:\n%15sall takes ", "");
		add_outcome(page, &changes.all);
		bytes_add_char(&page->out, '\n');
	}
	bytes_add_char(&page->out, '\n');
	page_paragraph(
		page, "Now: the function with all that it calls. All takes: of what it takes now.");
	return 0;
}

static void json_outcome(struct json *json, const struct call_tree *tree,
			 const struct outcome *outcome)
{
	double none = 0.0 / 0.0;

	report_json_weight(json, tree, "now", outcome->weight);
	json_object(json, "left");
	json_double(json, "share", 1 - outcome->saved);
	json_double(json, "low", tree->is_counted ? 1 - outcome->saved_high : none);
	json_double(json, "high", tree->is_counted ? 1 - outcome->saved_low : none);
	json_end(json);
	/* null: without end */
	json_object(json, "speedup");
	json_double(json, "times", 1 / (1 - outcome->saved));
	json_double(json, "low", tree->is_counted ? 1 / (1 - outcome->saved_low) : none);
	json_double(json, "high", tree->is_counted ? 1 / (1 - outcome->saved_high) : none);
	json_end(json);
}

static int what_if_json(struct report *report, struct json *json)
{
	cleanup(changes_fini) struct changes changes = {};
	int r = find_changes(report, &changes);

	if (r != 0)
		return r;
	json_array(json, "changes");
	for (uint32_t i = 0; i < changes.count; i++) {
		json_object(json, NULL);
		json_string(json, "function", report->options->changes.at[i].function);
		json_double(json, "left_of_it", report->options->changes.at[i].left);
		json_outcome(json, report->tree, &changes.each[i]);
		json_end(json);
	}
	json_end(json);
	json_object(json, "together");
	json_outcome(json, report->tree, &changes.all);
	json_end(json);
	return 0;
}

const struct view view_what_if = { "what-if", what_if_text, what_if_json };
