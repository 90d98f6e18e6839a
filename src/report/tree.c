// SPDX-License-Identifier: Apache-2.0
/*
 * Who called whom: heaviest first, what weighs little folded into one line, or none where all of it
 * together is little, and calls that nothing else happens beside put behind each other on one line.
 */
#include <errno.h>
#include <inttypes.h>

#include "output/escape.h"
#include "output/short_name.h"
#include "report/view.h"

enum {
	FIGURES_COLUMNS = PAGE_SHARE_COLUMNS + 2 + 7 + 2,
	GUIDE_COLUMNS = 2,     /* of each level */
	LEAST_COLUMNS = 26,    /* of names, where a tree is deep */
	LEAST_LEVELS = 2,      /* between two places where it begins at the left again */
	LEAST_NAME = 8,	       /* columns; shorter ones are no names */
	NAME_COLUMNS = 48,     /* of one name in a chain */
	SEPARATOR_COLUMNS = 3, /* " › " */
	ELISION_COLUMNS = 16,  /* " › … 99 frames …" */
	ELIDED_COLUMNS = 9,    /* "… 1 frame" */
};

static const double smallest_share = 0.005;

struct child {
	uint32_t node;
	int64_t total;
};

/* The callees of a node that is shown, the heaviest first. */
struct level {
	uint32_t first, count; /* in `children`; those that are shown */
	uint32_t next;	       /* how many of them were written */
	uint32_t folded;       /* further ones */
	int64_t folded_total;
	uint32_t path; /* how many nodes lead here, with the chain's */
};

struct writer_of_trees {
	const struct report *report;
	struct page *page;
	const struct call_tree *tree;
	uint32_t *active; /* by frame: how often it stands on the path */
	bool has_recursion, has_parts;
	ARRAY_OF(struct child) children;
	ARRAY_OF(struct level) levels;
	ARRAY_OF(uint32_t) path;
	ARRAY_OF(uint32_t) chain;
};

static void writer_fini_cleanup(struct writer_of_trees *writer)
{
	free(writer->active);
	array_fini(&writer->children);
	array_fini(&writer->levels);
	array_fini(&writer->path);
	array_fini(&writer->chain);
}

/* Nodes are in the order of names already, so they settle ties. */
static int compare_children(const void *a_, const void *b_)
{
	const struct child *a = a_, *b = b_;

	if (a->total != b->total)
		return a->total > b->total ? -1 : 1;
	return a->node < b->node ? -1 : a->node > b->node;
}

static bool is_worth_a_line(const struct writer_of_trees *writer, int64_t weight)
{
	double smallest = report_smallest(writer->report, smallest_share);

	return weight && call_tree_share(writer->tree, weight).share >= smallest;
}

/* Whether nobody misses it, however much people want to have folded. */
static bool is_negligible(const struct writer_of_trees *writer, int64_t weight)
{
	return !is_worth_a_line(writer, weight) &&
	       call_tree_share(writer->tree, weight).share < smallest_share;
}

static int push_level(struct writer_of_trees *writer, uint32_t node)
{
	const struct call_node *nodes = writer->tree->nodes.at;
	uint32_t first = writer->children.count, count = 0, shown = 0;
	struct level *level = array_push(&writer->levels);

	if (!level)
		return -ENOMEM;
	for (uint32_t child = node + 1; child < nodes[node].end;
	     child = nodes[child].end, count++) {
		struct child *added = array_push(&writer->children);

		if (!added)
			return -ENOMEM;
		*added = (struct child){ child, nodes[child].total };
	}
	if (count)
		qsort(writer->children.at + first, count, sizeof(struct child), compare_children);
	while (shown < count && is_worth_a_line(writer, writer->children.at[first + shown].total) &&
	       (!writer->report->options->limit || shown < writer->report->options->limit))
		shown++;
	*level = (struct level){
		.first = first, .count = shown, .folded = count - shown, .path = writer->path.count
	};
	for (uint32_t i = shown; i < count; i++)
		level->folded_total =
			profile_sum(level->folded_total, writer->children.at[first + i].total);
	if (is_negligible(writer, level->folded_total))
		level->folded = 0;
	return 0;
}

static size_t figures_columns(const struct writer_of_trees *writer)
{
	return FIGURES_COLUMNS + page_absolute_columns(writer->page);
}

/*
 * Levels that stand below each other. What is deeper begins at the left again, with the number of levels
 * that are left of it: each such part keeps its place, so that its lines meet.
 */
static uint32_t levels_of_part(const struct writer_of_trees *writer)
{
	size_t least = figures_columns(writer) + LEAST_COLUMNS, width = page_width(writer->page);
	size_t levels = width > least ? (width - least) / GUIDE_COLUMNS : 0;

	return levels > LEAST_LEVELS ? (uint32_t)levels : LEAST_LEVELS;
}

/* The lines that lead to a row from above. Returns the columns. */
static size_t add_guides(struct writer_of_trees *writer, bool is_last)
{
	struct bytes *out = &writer->page->out;
	uint32_t depth = writer->levels.count - 1, levels = levels_of_part(writer);
	uint32_t left = depth ? (depth - 1) / levels * levels : 0;
	size_t before, used = (size_t)(depth - left) * GUIDE_COLUMNS;

	page_colour(writer->page, PAGE_FAINT);
	if (left) {
		before = out->size;
		bytes_add_format(out, "%" PRIu32, left);
		used += out->size - before + 1;
		bytes_add_str(out, "┊");
		writer->has_parts = true;
	}
	/* The outermost rows have no lines: there is nothing above them. */
	for (uint32_t i = left + 1; i < depth; i++) {
		const struct level *level = &writer->levels.at[i];
		bool goes_on = level->next < level->count || level->folded;

		bytes_add_str(out, goes_on ? "│ " : "  ");
	}
	if (depth)
		bytes_add_str(out, is_last ? "└ " : "├ ");
	page_colour(writer->page, PAGE_PLAIN);
	return used;
}

/*
 * The only callee of a node worth a line, where nearly all that goes through the first one of the chain
 * goes on there; 0: there is no such one.
 */
static uint32_t next_of_chain(const struct writer_of_trees *writer, uint32_t first, uint32_t node)
{
	const struct call_node *nodes = writer->tree->nodes.at;
	uint32_t heaviest = 0;
	int64_t rest;

	if (writer->tree->frames.at[nodes[node].frame].kind >= CALL_ALL)
		return 0;
	for (uint32_t child = node + 1; child < nodes[node].end; child = nodes[child].end)
		if (!heaviest || nodes[child].total > nodes[heaviest].total)
			heaviest = child;
	rest = nodes[first].total - (heaviest ? nodes[heaviest].total : 0);
	return heaviest && is_negligible(writer, rest) ? heaviest : 0;
}

/* A name of the chain, on account of how much there is of it in a row. */
struct link {
	uint32_t node;
	uint32_t times; /* the same function called itself, at once */
	bool is_recursive;
};

/* "↺ ×3 " in front of a name. Returns the columns. */
static size_t add_marks(struct bytes *out, const struct link *link)
{
	size_t before = out->size;
	const char *all;

	if (link->is_recursive)
		bytes_add_str(out, "↺ ");
	if (link->times > 1)
		bytes_add_format(out, "×%" PRIu32 " ", link->times);
	all = bytes_str(out);
	return all ? text_columns(all + before) : 0;
}

static size_t add_link(struct writer_of_trees *writer, struct bytes *out, const struct link *link,
		       size_t columns)
{
	const struct call_frame *frame = call_tree_frame(writer->tree, link->node);
	const char *name = page_clean(writer->page, call_frame_name(writer->tree, frame));
	size_t marks = add_marks(out, link);

	return marks + short_name_add(out, name, columns > marks + 1 ? columns - marks : 1);
}

/* The last one's, which most of a chain belong to. */
static void add_module(struct writer_of_trees *writer, uint32_t node, size_t columns)
{
	const struct call_frame *frame = call_tree_frame(writer->tree, node);
	const char *module =
		frame->kind == CALL_KERNEL ? "kernel" : call_frame_module(writer->tree, frame);

	module = page_clean(writer->page, module);
	if (!*module || *module == '[' || text_columns(module) + 4 > columns)
		return;
	page_colour(writer->page, PAGE_FAINT);
	bytes_add_format(&writer->page->out, "  [%s]", module);
	page_colour(writer->page, PAGE_PLAIN);
}

/* Where even two names are too many, the last one tells most. */
static void add_last_link(struct writer_of_trees *writer, const struct link *link, uint32_t others,
			  size_t columns)
{
	cleanup(bytes_fini) struct bytes before = {};
	size_t used;

	bytes_add_format(&before, "… %" PRIu32 " frame%s › ", others, others == 1 ? "" : "s");
	used = bytes_str(&before) ? text_columns(before.at) : 0;
	if (used + LEAST_NAME > columns)
		used = 0;
	else
		bytes_add_str(&writer->page->out, before.at);
	writer->page->out.failed |= before.failed;
	(void)add_link(writer, &writer->page->out, link, columns - used);
}

/* "main › run › … 7 frames … › decode": the first and as many of the last ones as there is room for. */
static int add_chain(struct writer_of_trees *writer, const struct link *links, uint32_t count,
		     size_t columns)
{
	cleanup(bytes_fini) struct bytes texts = {};
	cleanup(free) size_t *ends = calloc(count + 1ULL, sizeof(*ends));
	cleanup(free) size_t *widths = calloc(count + 1ULL, sizeof(*widths));
	struct bytes *out = &writer->page->out;
	size_t all = 0, used;
	uint32_t from = 1;

	if (!ends || !widths)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		size_t most = count == 1 || columns < NAME_COLUMNS ? columns : NAME_COLUMNS;

		widths[i] = add_link(writer, &texts, &links[i], most);
		ends[i + 1] = texts.size;
		all += widths[i] + (i ? SEPARATOR_COLUMNS : 0);
	}
	if (texts.failed)
		return -ENOMEM;
	if (all > columns && count == 2 &&
	    widths[1] + SEPARATOR_COLUMNS + ELIDED_COLUMNS <= columns) {
		/* A part of its name says more than that there is one. */
		(void)add_link(writer, out, &links[0], columns - widths[1] - SEPARATOR_COLUMNS);
		bytes_add_str(out, " › ");
		bytes_add(out, texts.at + ends[1], ends[2] - ends[1]);
		return 0;
	}
	if (all > columns && count > 1) {
		from = count - 1;
		used = widths[0] + ELISION_COLUMNS + SEPARATOR_COLUMNS + widths[from];
		while (from > 1 && used + SEPARATOR_COLUMNS + widths[from - 1] <= columns)
			used += SEPARATOR_COLUMNS + widths[--from];
		if (used > columns) {
			add_last_link(writer, &links[count - 1], count - 1, columns);
			return 0;
		}
	}
	bytes_add(out, texts.at, ends[1]);
	if (from > 1)
		bytes_add_format(out, " › … %" PRIu32 " frame%s …", from - 1, from == 2 ? "" : "s");
	for (uint32_t i = from; i < count; i++) {
		bytes_add_str(out, " › ");
		bytes_add(out, texts.at + ends[i], ends[i + 1] - ends[i]);
	}
	add_module(writer, links[count - 1].node, all <= columns ? columns - all : 0);
	return 0;
}

static void add_figures(struct writer_of_trees *writer, int64_t total, int64_t self, bool has_self)
{
	struct page *page = writer->page;

	page_share(page, total);
	page_absolute(page, total);
	if (has_self && self)
		bytes_add_format(&page->out, "  %5.1f %%  ",
				 100 * call_tree_share(writer->tree, self).share);
	else
		bytes_add_format(&page->out, "%11s", "");
}

/* The module and the place of what stands alone on its line. */
static void add_single(struct writer_of_trees *writer, const struct link *link, size_t columns)
{
	const struct call_frame *frame = call_tree_frame(writer->tree, link->node);
	size_t marks = add_marks(&writer->page->out, link);

	page_function_part(writer->page, frame, columns > marks ? columns - marks : 8, true);
}

/* Puts the chain that begins with a node on the path, as links. Returns how many, or -ENOMEM. */
static int64_t follow_chain(struct writer_of_trees *writer, uint32_t node, struct link **ret)
{
	struct {
		struct link *at;
		uint32_t count, capacity;
	} links = {};
	const struct call_node *nodes = writer->tree->nodes.at;

	for (uint32_t at = node; at; at = next_of_chain(writer, node, at)) {
		uint32_t *step = array_push(&writer->path), frame = nodes[at].frame;
		struct link *link;

		if (!step)
			goto failed;
		*step = at;
		if (writer->active[frame]++)
			writer->has_recursion = true;
		if (links.count && nodes[links.at[links.count - 1].node].frame == frame) {
			links.at[links.count - 1].times++;
			links.at[links.count - 1].node = at;
			links.at[links.count - 1].is_recursive = true;
			continue;
		}
		link = array_push(&links);
		if (!link)
			goto failed;
		*link = (struct link){ at, 1, writer->active[frame] > 1 };
	}
	*ret = links.at;
	return links.count;
failed:
	array_fini(&links);
	return -ENOMEM;
}

static int add_row(struct writer_of_trees *writer, uint32_t node, bool is_last)
{
	cleanup(free) struct link *links = NULL;
	const struct call_node *nodes = writer->tree->nodes.at;
	int64_t count = follow_chain(writer, node, &links);
	size_t guides, columns = page_width(writer->page);
	uint32_t last;
	int r = 0;

	if (count < 0)
		return (int)count;
	last = links[count - 1].node;
	add_figures(writer, nodes[node].total, nodes[last].self, true);
	guides = add_guides(writer, is_last) + figures_columns(writer);
	columns = columns > guides + 8 ? columns - guides : 8;
	if (count == 1)
		add_single(writer, &links[0], columns);
	else
		r = add_chain(writer, links, (uint32_t)count, columns);
	page_end_row(writer->page);
	return r == 0 ? push_level(writer, last) : r;
}

static void pop_level(struct writer_of_trees *writer)
{
	writer->levels.count--;
	writer->children.count = writer->levels.at[writer->levels.count].first;
	if (!writer->levels.count)
		return;
	/* Back to where the callees of the level above begin. */
	while (writer->path.count > writer->levels.at[writer->levels.count - 1].path) {
		uint32_t node = writer->path.at[--writer->path.count];

		writer->active[writer->tree->nodes.at[node].frame]--;
	}
}

static int add_rows(struct writer_of_trees *writer)
{
	int r = push_level(writer, 0);

	while (r == 0 && writer->levels.count) {
		struct level *level = &writer->levels.at[writer->levels.count - 1];

		if (level->next < level->count) {
			uint32_t node = writer->children.at[level->first + level->next++].node;

			r = add_row(writer, node, level->next == level->count && !level->folded);
			continue;
		}
		if (level->folded) {
			uint32_t folded = level->folded;

			add_figures(writer, level->folded_total, 0, false);
			level->folded = 0;
			(void)add_guides(writer, true);
			page_colour(writer->page, PAGE_FAINT);
			bytes_add_format(&writer->page->out, "%" PRIu32 " more\n", folded);
			page_colour(writer->page, PAGE_PLAIN);
		}
		pop_level(writer);
	}
	return r;
}

static int tree_text(struct report *report, struct page *page)
{
	cleanup(writer_fini) struct writer_of_trees writer = {
		.report = report,
		.page = page,
		.tree = report->tree,
		.active = calloc(report->tree->frames.count + 1ULL, sizeof(uint32_t)),
	};
	int r;

	if (!writer.active)
		return -ENOMEM;
	page_heading(page, "    TOTAL    %s     SELF    CALLS", page_absolute_heading(page));
	r = add_rows(&writer);
	if (r == 0 && (writer.has_recursion || writer.has_parts))
		bytes_add_char(&page->out, '\n');
	if (r == 0 && writer.has_recursion)
		page_paragraph(
			page,
			"↺ stands further up in the same stack already; ×N: N times, one from "
			"the other.");
	if (r == 0 && writer.has_parts)
		page_paragraph(page,
			       "N┊ goes on from the row above, N levels further to the right.");
	return r;
}

/* Flat, in preorder: how deep a tree is has no limit, and that of JSON has. */
static int tree_json(struct report *report, struct json *json)
{
	const struct call_tree *tree = report->tree;
	double smallest = report_smallest(report, 0);

	json_array(json, "nodes");
	for (uint32_t i = 0; i < tree->nodes.count; i++) {
		const struct call_node *node = &tree->nodes.at[i];

		if (call_tree_share(tree, node->total).share < smallest) {
			i = node->end - 1;
			continue;
		}
		json_object(json, NULL);
		json_u64(json, "id", i);
		if (i)
			json_u64(json, "parent", node->parent);
		json_u64(json, "depth", node->depth);
		report_json_function(json, tree, call_tree_frame(tree, i));
		report_json_weight(json, tree, "self", node->self);
		report_json_weight(json, tree, "total", node->total);
		json_end(json);
		report_json_flush(report, json);
	}
	json_end(json);
	return 0;
}

const struct view view_tree = { "tree", tree_text, tree_json };
