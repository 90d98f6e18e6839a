// SPDX-License-Identifier: Apache-2.0
/* All functions, as a table. */
#include "report/view.h"

/* Shares that would print as 0.0 % are summed up in one line. */
static const double smallest_share = 0.0005;

static struct function_table table_of(const struct report *report)
{
	return (struct function_table){
		.order = report->options->order,
		.limit = report->options->limit,
		.smallest = report_smallest(report, smallest_share),
		.has_places = true,
	};
}

static int functions_text(struct report *report, struct page *page)
{
	struct function_table table = table_of(report);

	return function_table_add(page, &table);
}

static void json_row(struct json *json, const struct call_tree *tree, uint32_t id,
		     const int64_t *running_total)
{
	const struct call_frame *frame = &tree->frames.at[id];

	json_object(json, NULL);
	report_json_function(json, tree, frame);
	report_json_weight(json, tree, "self", frame->self);
	report_json_weight(json, tree, "total", frame->total);
	if (running_total)
		report_json_weight(json, tree, "running_total", *running_total);
	json_end(json);
}

/* Those that did nothing themselves: a table of what functions did themselves has no row for them. */
static int json_callers(struct report *report, struct json *json, uint32_t room,
			uint32_t *ret_left_out, int64_t running_total)
{
	const struct call_tree *tree = report->tree;
	double smallest = report_smallest(report, 0);
	cleanup(free) uint32_t *order = NULL;
	uint32_t count;
	int r = call_tree_top(tree, true, &order, &count);

	for (uint32_t i = 0; r == 0 && i < count; i++) {
		const struct call_frame *frame = &tree->frames.at[order[i]];

		if (frame->self)
			continue;
		if (!room || call_tree_share(tree, frame->total).share < smallest) {
			++*ret_left_out;
			continue;
		}
		room--;
		json_row(json, tree, order[i], &running_total);
		report_json_flush(report, json);
	}
	return r;
}

static int functions_json(struct report *report, struct json *json)
{
	const struct call_tree *tree = report->tree;
	struct function_table table = table_of(report);
	cleanup(free) uint32_t *order = NULL;
	bool by_self = table.order == FUNCTIONS_BY_SELF;
	uint32_t count, shown, left_out;
	int64_t sum = 0;
	int r;

	/* Programs want all, unless they say what they do not want. */
	table.smallest = report_smallest(report, 0);
	r = function_table_rows(tree, &table, &order, &count, &shown);
	if (r < 0)
		return r;
	left_out = count - shown;
	json_array(json, "functions");
	for (uint32_t i = 0; i < shown; i++) {
		sum = profile_sum(sum, tree->frames.at[order[i]].self);
		json_row(json, tree, order[i], by_self ? &sum : NULL);
		report_json_flush(report, json);
	}
	if (by_self)
		r = json_callers(report, json, table.limit ? table.limit - shown : UINT32_MAX,
				 &left_out, sum);
	json_end(json);
	json_u64(json, "left_out", left_out);
	return r;
}

const struct view view_functions = { "functions", functions_text, functions_json };
