// SPDX-License-Identifier: Apache-2.0
/*
 * A profile as text of 80 columns: what was recorded, the functions by what they used themselves
 * with a running sum, the functions by what they and their callees used, the heaviest stacks.
 */
#include "output/formats.h"

#include <errno.h>
#include <inttypes.h>

#include "output/escape.h"
#include "output/function_table.h"

enum {
	TOP_TOTAL = 25,  /* functions by total */
	TOP_STACKS = 10,
	STACK_LEAFWARD = 40, /* frames shown of a deep stack: this many from the leaf, */
	STACK_ROOTWARD = 10, /* and this many from the root */
};

/* Shares that would print as 0.0 % are summed up in one line. */
static const struct function_table self_table = { .order = FUNCTIONS_BY_SELF, .smallest = 0.0005 };
static const struct function_table total_table = { .order = FUNCTIONS_BY_TOTAL,
						   .limit = TOP_TOTAL };

static void add_stack(struct page *page, uint32_t leaf)
{
	const struct call_node *nodes = page->tree->nodes.at;
	uint32_t depth = nodes[leaf].depth, n = 0;

	bytes_add_char(&page->out, '\n');
	page_share(page, nodes[leaf].self);
	if (page->tree->core_weight > 0 && page_absolute_columns(page))
		bytes_add_format(&page->out, "  %.2f cores",
				 call_tree_cores(page->tree, nodes[leaf].self));
	else if (page_absolute_columns(page))
		page_absolute(page, nodes[leaf].self);
	if (page->tree->is_counted) {
		bytes_add_str(&page->out, "  (");
		text_add_amount(&page->out, nodes[leaf].self_count, "samples");
		bytes_add_str(&page->out, ")");
	} else if (!page_absolute_columns(page)) {
		bytes_add_str(&page->out, "  (");
		page_value(page, nodes[leaf].self, page->tree->unit);
		bytes_add_str(&page->out, ")");
	}
	bytes_add_str(&page->out, "\n");
	if (!leaf)
		bytes_add_str(&page->out, "    (no frames)\n");
	for (uint32_t at = leaf; at; at = nodes[at].parent, n++) {
		if (depth > STACK_LEAFWARD + STACK_ROOTWARD + 1) {
			if (n == STACK_LEAFWARD)
				bytes_add_format(&page->out, "    (%u more frames)\n",
						 depth - STACK_LEAFWARD - STACK_ROOTWARD);
			if (n >= STACK_LEAFWARD && n < depth - STACK_ROOTWARD)
				continue;
		}
		bytes_add_str(&page->out, "    ");
		page_function(page, call_tree_frame(page->tree, at), PAGE_WIDTH - 4);
	}
}

static int add_stacks(struct page *page)
{
	cleanup(free) uint32_t *order = NULL;
	uint32_t count;
	int r = call_tree_top_stacks(page->tree, &order, &count);

	if (r < 0)
		return r;
	if (count)
		bytes_add_format(&page->out, "\nHeaviest stacks, innermost first, %u of %" PRIu32 ":\n",
				 count < TOP_STACKS ? count : TOP_STACKS, count);
	for (uint32_t i = 0; i < count && i < TOP_STACKS; i++)
		add_stack(page, order[i]);
	return 0;
}

static int fill(struct page *page)
{
	int r;

	page_head(page);
	if (call_tree_total(page->tree) == 0) {
		bytes_add_str(&page->out, "\nNo samples: nothing of the target ran while recording.\n");
		return 0;
	}
	r = function_table_add(page, &self_table);
	if (r < 0)
		return r;
	r = function_table_add(page, &total_table);
	if (r < 0)
		return r;
	return add_stacks(page);
}

static int text_write(const struct profile *profile, struct stream *stream)
{
	cleanup(call_tree_free) struct call_tree *tree = NULL;
	cleanup(page_fini) struct page page = {};
	int r = call_tree_new(&tree, profile, profile->meta.main_type);

	if (r < 0)
		return r;
	page.tree = tree;
	r = fill(&page);
	if (r == 0 && page.out.failed)
		r = -ENOMEM;
	if (r == 0)
		stream_write(stream, page.out.at, page.out.size);
	return r < 0 ? r : stream->error;
}

const struct writer writer_text = {
	.name = "text",
	.aliases = { "txt" },
	.extensions = { ".txt" },
	.description = "tables of functions and the heaviest stacks, 80 columns wide",
	.write = text_write,
};
