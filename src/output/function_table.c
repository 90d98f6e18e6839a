// SPDX-License-Identifier: Apache-2.0
#include "output/function_table.h"

#include <errno.h>
#include <inttypes.h>

static int64_t weight_of(const struct call_frame *frame, enum function_order order)
{
	return order == FUNCTIONS_BY_SELF ? frame->self : frame->total;
}

/* Frames are in the order of names already. */
static int list_by_name(const struct call_tree *tree, uint32_t **ret, uint32_t *ret_count)
{
	uint32_t *order = malloc((tree->frames.count + 1ULL) * sizeof(*order)), count = 0;

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < tree->frames.count; i++)
		if (tree->frames.at[i].kind < CALL_ALL && tree->frames.at[i].total > 0)
			order[count++] = i;
	*ret = order;
	*ret_count = count;
	return 0;
}

/* Those that weigh enough come first, in their order. */
static uint32_t put_small_last(const struct call_tree *tree, const struct function_table *table,
			       uint32_t *order, uint32_t count)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t id = order[i];
		int64_t weight = weight_of(&tree->frames.at[id], table->order);

		if (call_tree_share(tree, weight).share < table->smallest)
			continue;
		order[i] = order[kept];
		order[kept++] = id;
	}
	return kept;
}

int function_table_rows(const struct call_tree *tree, const struct function_table *table,
			uint32_t **ret, uint32_t *ret_count, uint32_t *ret_shown)
{
	int r = table->order == FUNCTIONS_BY_NAME
			? list_by_name(tree, ret, ret_count)
			: call_tree_top(tree, table->order == FUNCTIONS_BY_TOTAL, ret, ret_count);

	if (r < 0)
		return r;
	*ret_shown = put_small_last(tree, table, *ret, *ret_count);
	if (table->limit && *ret_shown > table->limit)
		*ret_shown = table->limit;
	return 0;
}

/* The running total of what rows did themselves. */
static bool has_sum(const struct page *page, const struct function_table *table)
{
	return table->order == FUNCTIONS_BY_SELF && !page_is_narrow(page);
}

static void add_heading(struct page *page, const struct function_table *table)
{
	const char *cores = page_absolute_heading(page);

	if (table->order == FUNCTIONS_BY_SELF)
		page_heading(page, "    SELF     %s%s      TOTAL         FUNCTION", cores,
			     has_sum(page, table) ? "       SUM" : "");
	else if (table->order == FUNCTIONS_BY_TOTAL)
		page_heading(page,
			     "    TOTAL    %s      SELF         FUNCTION, with what it called",
			     cores);
	else
		page_heading(page, "    SELF     %s      TOTAL        FUNCTION", cores);
}

static void add_row(struct page *page, const struct function_table *table,
		    const struct call_frame *frame, int64_t sum)
{
	bool by_total = table->order == FUNCTIONS_BY_TOTAL;
	size_t used = 2 * PAGE_SHARE_COLUMNS + 4 + page_absolute_columns(page);

	page_share(page, by_total ? frame->total : frame->self);
	page_absolute(page, by_total ? frame->total : frame->self);
	if (has_sum(page, table)) {
		bytes_add_format(&page->out, "  %5.1f %%",
				 100 * call_tree_share(page->tree, sum).share);
		used += 9;
	}
	bytes_add_str(&page->out, "  ");
	page_share(page, by_total ? frame->self : frame->total);
	bytes_add_str(&page->out, "  ");
	page_function_part(page, frame, page_width(page) > used + 8 ? page_width(page) - used : 8,
			   table->has_places);
	page_end_row(page);
}

/* What stands in no row. */
static void add_rest(struct page *page, const struct function_table *table, uint32_t count,
		     int64_t rest, int64_t sum)
{
	size_t blank = PAGE_SHARE_COLUMNS + 4;

	if (table->order == FUNCTIONS_BY_SELF) {
		page_share(page, rest);
		page_absolute(page, rest);
	} else {
		blank += PAGE_SHARE_COLUMNS + page_absolute_columns(page);
	}
	if (has_sum(page, table))
		bytes_add_format(&page->out, "  %5.1f %%",
				 100 * call_tree_share(page->tree, profile_sum(sum, rest)).share);
	if (page_is_narrow(page))
		blank = table->order == FUNCTIONS_BY_SELF ? 2 : PAGE_SHARE_COLUMNS + 2;
	bytes_add_format(&page->out, "%*s", (int)blank, "");
	bytes_add_format(&page->out, "(%" PRIu32 " more function%s)\n", count,
			 count == 1 ? "" : "s");
}

int function_table_add(struct page *page, const struct function_table *table)
{
	const struct call_tree *tree = page->tree;
	cleanup(free) uint32_t *order = NULL;
	uint32_t count, shown;
	int64_t sum = 0, rest = 0;
	int r = function_table_rows(tree, table, &order, &count, &shown);

	if (r < 0)
		return r;
	add_heading(page, table);
	for (uint32_t i = 0; i < shown; i++) {
		sum = profile_sum(sum, tree->frames.at[order[i]].self);
		add_row(page, table, &tree->frames.at[order[i]], sum);
	}
	for (uint32_t i = shown; i < count; i++)
		rest = profile_sum(rest, tree->frames.at[order[i]].self);
	if (shown < count)
		add_rest(page, table, count - shown, rest, sum);
	return 0;
}
