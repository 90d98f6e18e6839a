// SPDX-License-Identifier: Apache-2.0
/*
 * The callers and callees of functions, as `go tool pprof -peek` has them: what goes through a call
 * counts once a sample, however often a stack holds it.
 */
#include <errno.h>
#include <inttypes.h>

#include "output/escape.h"
#include "report/select.h"

enum { FUNCTIONS = 10, NEIGHBOURS = 25 };

struct neighbour {
	uint32_t frame;
	int64_t weight;
};

struct neighbours {
	ARRAY_OF(struct neighbour) callers, callees; /* the heaviest first */
};

static void neighbours_fini_cleanup(struct neighbours *neighbours)
{
	array_fini(&neighbours->callers);
	array_fini(&neighbours->callees);
}

/* Per frame: what goes through calls between it and the function; how many of them the path has. */
struct sums {
	int64_t *callers, *callees;
	uint32_t *active_callers, *active_callees;
};

static void sums_fini_cleanup(struct sums *sums)
{
	free(sums->callers);
	free(sums->callees);
	free(sums->active_callers);
	free(sums->active_callees);
}

static void leave(const struct call_tree *tree, struct sums *sums, uint32_t function, uint32_t node)
{
	uint32_t frame = tree->nodes.at[node].frame;
	uint32_t caller = tree->nodes.at[tree->nodes.at[node].parent].frame;

	if (frame == function)
		sums->active_callers[caller]--;
	if (caller == function)
		sums->active_callees[frame]--;
}

static void enter(const struct call_tree *tree, struct sums *sums, uint32_t function, uint32_t node)
{
	uint32_t frame = tree->nodes.at[node].frame;
	uint32_t caller = tree->nodes.at[tree->nodes.at[node].parent].frame;
	int64_t total = tree->nodes.at[node].total;

	if (frame == function && !sums->active_callers[caller]++)
		sums->callers[caller] = profile_sum(sums->callers[caller], total);
	if (caller == function && !sums->active_callees[frame]++)
		sums->callees[frame] = profile_sum(sums->callees[frame], total);
}

/* Frames are in the order of names, so they settle ties. */
static int compare_neighbours(const void *a_, const void *b_)
{
	const struct neighbour *a = a_, *b = b_;

	if (a->weight != b->weight)
		return a->weight > b->weight ? -1 : 1;
	return a->frame < b->frame ? -1 : a->frame > b->frame;
}

static int find_neighbours(const struct call_tree *tree, uint32_t function, struct neighbours *ret)
{
	uint64_t count = tree->frames.count + 1ULL;
	cleanup(sums_fini) struct sums sums = {
		calloc(count, sizeof(int64_t)),
		calloc(count, sizeof(int64_t)),
		calloc(count, sizeof(uint32_t)),
		calloc(count, sizeof(uint32_t)),
	};

	if (!sums.callers || !sums.callees || !sums.active_callers || !sums.active_callees)
		return -ENOMEM;
	for (uint32_t i = 1, previous = 0; i < tree->nodes.count; previous = i++) {
		for (uint32_t at = previous; at && at != tree->nodes.at[i].parent;
		     at = tree->nodes.at[at].parent)
			leave(tree, &sums, function, at);
		enter(tree, &sums, function, i);
	}
	for (uint32_t i = 0; i < tree->frames.count; i++) {
		struct neighbour *caller = sums.callers[i] ? array_push(&ret->callers) : NULL;
		struct neighbour *callee = sums.callees[i] ? array_push(&ret->callees) : NULL;

		if ((sums.callers[i] && !caller) || (sums.callees[i] && !callee))
			return -ENOMEM;
		if (caller)
			*caller = (struct neighbour){ i, sums.callers[i] };
		if (callee)
			*callee = (struct neighbour){ i, sums.callees[i] };
	}
	if (ret->callers.count)
		qsort(ret->callers.at, ret->callers.count, sizeof(struct neighbour),
		      compare_neighbours);
	if (ret->callees.count)
		qsort(ret->callees.at, ret->callees.count, sizeof(struct neighbour),
		      compare_neighbours);
	return 0;
}

static void add_row(struct page *page, int64_t weight, int64_t of, const char *mark)
{
	page_share(page, weight);
	page_absolute(page, weight);
	bytes_add_format(&page->out, "  %5.1f %%  %s",
			 of > 0 ? 100 * (double)weight / (double)of : 0, mark);
}

enum { ROW_COLUMNS = PAGE_SHARE_COLUMNS + 2 + 7 + 2 + 2 };

static size_t name_columns(const struct page *page)
{
	size_t used = ROW_COLUMNS + page_absolute_columns(page);

	return page_width(page) > used + 8 ? page_width(page) - used : 8;
}

static void add_neighbours(struct report *report, struct page *page,
			   const struct neighbour *neighbours, uint32_t count, int64_t of,
			   const char *mark)
{
	uint32_t limit = report_limit(report, NEIGHBOURS);
	double smallest = report_smallest(report, 0);
	uint32_t shown = 0;
	int64_t rest = 0;

	while (shown < count && shown < limit &&
	       call_tree_share(page->tree, neighbours[shown].weight).share >= smallest) {
		const struct neighbour *neighbour = &neighbours[shown++];
		const struct call_frame *frame = &page->tree->frames.at[neighbour->frame];

		add_row(page, neighbour->weight, of, mark);
		if (frame->kind == CALL_ALL)
			text_add_clipped(&page->out, "(nothing: it is the root)",
					 name_columns(page));
		else
			page_function_part(page, frame, name_columns(page), true);
		page_end_row(page);
	}
	for (uint32_t i = shown; i < count; i++)
		rest = profile_sum(rest, neighbours[i].weight);
	if (shown < count) {
		add_row(page, rest, of, mark);
		bytes_add_format(&page->out, "(%" PRIu32 " more)\n", count - shown);
	}
}

static bool shows_callers(const struct report *report)
{
	return report->options->view != REPORT_CALLEES;
}

static bool shows_callees(const struct report *report)
{
	return report->options->view != REPORT_CALLERS;
}

static int add_function(struct report *report, struct page *page, uint32_t id)
{
	const struct call_frame *frame = &report->tree->frames.at[id];
	cleanup(neighbours_fini) struct neighbours found = {};
	int r = find_neighbours(report->tree, id, &found);

	if (r < 0)
		return r;
	page_heading(page, "    TOTAL    %s    OF IT    FUNCTION", page_absolute_heading(page));
	if (shows_callers(report))
		add_neighbours(report, page, found.callers.at, found.callers.count, frame->total,
			       "↓ ");
	add_row(page, frame->total, frame->total, "");
	page_colour(page, PAGE_BOLD);
	page_function_part(page, frame, name_columns(page), true);
	page_end_row(page);
	if (!shows_callees(report))
		return 0;
	add_neighbours(report, page, found.callees.at, found.callees.count, frame->total, "→ ");
	if (frame->self) {
		add_row(page, frame->self, frame->total, "");
		bytes_add_str(&page->out, "(itself)\n");
	}
	return 0;
}

/* The functions that are meant, the heaviest first; *ret is malloc'ed. */
static int find_functions(struct report *report, uint32_t **ret, uint32_t *ret_count)
{
	cleanup(free) bool *marks = NULL;
	uint32_t kept = 0;
	int r = select_frames(report, &marks, report->options->function);

	if (r == 0)
		r = call_tree_top(report->tree, true, ret, ret_count);
	if (r != 0)
		return r;
	for (uint32_t i = 0; i < *ret_count; i++)
		if (marks[(*ret)[i]])
			(*ret)[kept++] = (*ret)[i];
	*ret_count = kept;
	return 0;
}

static int peek_text(struct report *report, struct page *page)
{
	cleanup(free) uint32_t *functions = NULL;
	uint32_t count = 0;
	int r = find_functions(report, &functions, &count);

	for (uint32_t i = 0; r == 0 && i < count && i < FUNCTIONS; i++)
		r = add_function(report, page, functions[i]);
	if (r == 0 && count > FUNCTIONS)
		bytes_add_format(&page->out, "\n(%" PRIu32 " more functions match)\n",
				 count - FUNCTIONS);
	if (r != 0)
		return r;
	bytes_add_char(&page->out, '\n');
	page_paragraph(page, !shows_callees(report) ? "↓ calls it. Of it: of the function's total."
			     : !shows_callers(report)
				     ? "→ is called by it. Of it: of the function's total."
				     : "↓ calls it; → is called by it. Of it: of the "
				       "function's total.");
	return 0;
}

static void json_neighbours(struct json *json, const struct call_tree *tree, const char *key,
			    const struct neighbour *neighbours, uint32_t count, uint32_t limit)
{
	json_array(json, key);
	for (uint32_t i = 0; i < count && (!limit || i < limit); i++) {
		json_object(json, NULL);
		report_json_function(json, tree, &tree->frames.at[neighbours[i].frame]);
		report_json_weight(json, tree, "total", neighbours[i].weight);
		json_end(json);
	}
	json_end(json);
}

static int json_function(struct report *report, struct json *json, uint32_t id)
{
	const struct call_tree *tree = report->tree;
	const struct call_frame *frame = &tree->frames.at[id];
	cleanup(neighbours_fini) struct neighbours found = {};
	uint32_t limit = report->options->limit;
	int r = find_neighbours(tree, id, &found);

	if (r < 0)
		return r;
	json_object(json, NULL);
	report_json_function(json, tree, frame);
	report_json_weight(json, tree, "self", frame->self);
	report_json_weight(json, tree, "total", frame->total);
	if (shows_callers(report))
		json_neighbours(json, tree, "callers", found.callers.at, found.callers.count,
				limit);
	if (shows_callees(report))
		json_neighbours(json, tree, "callees", found.callees.at, found.callees.count,
				limit);
	json_end(json);
	return 0;
}

static int peek_json(struct report *report, struct json *json)
{
	cleanup(free) uint32_t *functions = NULL;
	uint32_t count = 0;
	int r = find_functions(report, &functions, &count);

	json_array(json, "functions");
	for (uint32_t i = 0; r == 0 && i < count && i < FUNCTIONS; i++)
		r = json_function(report, json, functions[i]);
	json_end(json);
	json_u64(json, "left_out", count > FUNCTIONS ? count - FUNCTIONS : 0);
	return r;
}

const struct view view_callers = { "callers", peek_text, peek_json };
const struct view view_callees = { "callees", peek_text, peek_json };
const struct view view_peek = { "peek", peek_text, peek_json };
