// SPDX-License-Identifier: Apache-2.0
/*
 * A profile as text of 80 columns: what was recorded, the functions by what they used themselves
 * with a running sum, the functions by what they and their callees used, the heaviest stacks.
 *
 * Made for terminals as much as for files: every name is cleaned first, so no escape code of a
 * target's symbol or process name ever reaches a terminal.
 */
#include "output/formats.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "output/escape.h"
#include "output/short_name.h"
#include "profile/call_tree.h"

enum {
	WIDTH = 80,
	TOP_TOTAL = 25,  /* functions by total */
	TOP_STACKS = 10,
	STACK_LEAFWARD = 40, /* frames shown of a deep stack: this many from the leaf, */
	STACK_ROOTWARD = 10, /* and this many from the root */
	CORES_COLUMNS = 8,
};

/* Shares that would print as 0.0 % are summed up in one line. */
static const double smallest_share = 0.0005;

struct page {
	const struct call_tree *tree;
	struct bytes out;
	struct bytes scratch;
};

static const char *clean(struct page *page, const char *text)
{
	const char *ret;

	page->scratch.size = 0;
	escape_clean(&page->scratch, text);
	ret = bytes_str(&page->scratch);
	if (ret)
		return ret;
	page->out.failed = true;
	return "";
}

/* Adds a paragraph broken at spaces, or inside words longer than a line. */
static void add_paragraph(struct page *page, const char *text)
{
	if (!text || !*text)
		return;
	text = clean(page, text);
	while (*text) {
		size_t size = text_fit(text, WIDTH);

		if (text[size] && text[size] != ' ') {
			const char *space = memrchr(text, ' ', size);

			if (space && space > text)
				size = (size_t)(space - text);
		}
		if (!size) /* a character wider than the page cannot be, but must not hang */
			break;
		bytes_add(&page->out, text, size);
		bytes_add_char(&page->out, '\n');
		text += size;
		text += strspn(text, " ");
	}
}

static void add_share(struct page *page, int64_t weight)
{
	struct share share = call_tree_share(page->tree, weight);

	if (page->tree->is_counted)
		bytes_add_format(&page->out, "%5.1f %% ±%4.1f", 100 * share.share,
				 100 * share.half);
	else
		bytes_add_format(&page->out, "%5.1f %%      ", 100 * share.share);
}

static bool has_cores(const struct page *page)
{
	return page->tree->core_weight > 0;
}

/* How many columns of a table that is about cores. */
static size_t cores_columns(const struct page *page)
{
	return has_cores(page) ? CORES_COLUMNS : 0;
}

/* A column of its own, CORES_COLUMNS wide. */
static void add_cores(struct page *page, int64_t weight)
{
	if (has_cores(page))
		bytes_add_format(&page->out, "  %6.2f", call_tree_cores(page->tree, weight));
}

/* "libfoo.so.1+0x1234" says already where it is. */
static bool names_module(const char *name, const char *module)
{
	size_t size = strlen(module);

	return strncmp(name, module, size) == 0 && strncmp(name + size, "+0x", 3) == 0;
}

static void add_function(struct page *page, const struct call_frame *frame, size_t columns)
{
	size_t name_columns, module_columns;
	const char *module = frame->kind == CALL_KERNEL ? "kernel"
							: call_frame_module(page->tree, frame);
	cleanup(bytes_fini) struct bytes module_clean = {};
	const char *name;

	escape_clean(&module_clean, module);
	module = bytes_str(&module_clean);
	if (!module) {
		page->out.failed = true;
		return;
	}
	name = clean(page, call_frame_name(page->tree, frame));
	name_columns = short_name_add(&page->out, name, columns);
	/* Special mappings are called "[vdso]" and so on: one pair of brackets is enough. */
	module_columns = text_columns(module) + (*module == '[' ? 2 : 4);
	if (*module && frame->kind != CALL_NOTE && !names_module(name, module) &&
	    name_columns + module_columns <= columns)
		bytes_add_format(&page->out, *module == '[' ? "  %s" : "  [%s]", module);
	else
		module_columns = 0;
	if (frame->inlined && name_columns + module_columns + 10 <= columns)
		bytes_add_str(&page->out, " (inlined)");
	bytes_add_char(&page->out, '\n');
}

/* "12.34 s", "1,234 bytes"; things that are counted are called by the name that stands before it. */
static void add_value(struct page *page, int64_t value, const char *unit)
{
	if (strcmp(unit, "nanoseconds") == 0) {
		bytes_add_format(&page->out, "%.2f s", (double)value / 1e9);
		return;
	}
	text_add_count(&page->out, value);
	if (!*unit || strcmp(unit, "count") == 0)
		return;
	bytes_add_char(&page->out, ' ');
	bytes_add_str(&page->out, clean(page, unit));
}

static bool is_text(const char *a, const char *b)
{
	return b && strcmp(a, b) == 0;
}

static void add_head(struct page *page, const struct profile *profile)
{
	const struct profile_meta *meta = &profile->meta;
	const struct profile_type *type = &profile->types.at[meta->main_type];

	add_paragraph(page, meta->title);
	add_paragraph(page, meta->subtitle);
	for (uint32_t i = 0; i < profile->comments.count; i++) {
		const char *comment = profile_text(profile, profile->comments.at[i]);

		/* A recorder repeats these for readers that know comments only. */
		if (!is_text(comment, meta->title) && !is_text(comment, meta->subtitle) &&
		    !is_text(comment, meta->quality))
			add_paragraph(page, comment);
	}
	add_paragraph(page, meta->quality);
	if (page->out.size)
		bytes_add_char(&page->out, '\n');
	if (page->tree->is_counted) {
		text_add_count(&page->out, page->tree->nodes.at[0].total_count);
		bytes_add_str(&page->out,
			      page->tree->nodes.at[0].total_count == 1 ? " sample" : " samples");
	}
	if (!page->tree->is_counted || meta->main_type != meta->count_type) {
		bytes_add_str(&page->out, page->tree->is_counted ? " of " : "");
		bytes_add_str(&page->out, clean(page, profile_text(profile, type->name)));
		bytes_add_str(&page->out, ": ");
		add_value(page, profile_total(profile, meta->main_type),
			  profile_text(profile, type->unit));
	}
	if (has_cores(page))
		bytes_add_format(&page->out, ", %.2f cores on average",
				 call_tree_cores(page->tree, call_tree_total(page->tree)));
	bytes_add_str(&page->out, page->tree->is_counted ? "; ± is the 95 % interval\n" : "\n");
}

static int add_self_table(struct page *page)
{
	const struct call_tree *tree = page->tree;
	cleanup(free) uint32_t *order = NULL;
	uint32_t count, shown = 0;
	int64_t sum = 0, rest = 0;
	int r = call_tree_top(tree, false, &order, &count);

	if (r < 0)
		return r;
	bytes_add_format(&page->out, "\n    SELF     %s       SUM      TOTAL         FUNCTION\n",
			 has_cores(page) ? "   CORES" : "");
	for (; shown < count; shown++) {
		const struct call_frame *frame = &tree->frames.at[order[shown]];

		if (call_tree_share(tree, frame->self).share < smallest_share)
			break;
		sum = profile_sum(sum, frame->self);
		add_share(page, frame->self);
		add_cores(page, frame->self);
		bytes_add_format(&page->out, "  %5.1f %%  ",
				 100 * call_tree_share(tree, sum).share);
		add_share(page, frame->total);
		bytes_add_str(&page->out, "  ");
		add_function(page, frame, WIDTH - 13 - 11 - 13 - 2 - cores_columns(page));
	}
	for (uint32_t i = shown; i < count; i++)
		rest = profile_sum(rest, tree->frames.at[order[i]].self);
	if (shown < count) {
		add_share(page, rest);
		add_cores(page, rest);
		bytes_add_format(&page->out, "  %5.1f %%                 (%" PRIu32 " more function%s)\n",
				 100 * call_tree_share(tree, profile_sum(sum, rest)).share,
				 count - shown, count - shown == 1 ? "" : "s");
	}
	return 0;
}

static int add_total_table(struct page *page)
{
	cleanup(free) uint32_t *order = NULL;
	uint32_t count;
	int r = call_tree_top(page->tree, true, &order, &count);

	if (r < 0)
		return r;
	bytes_add_format(&page->out, "\n    TOTAL    %s      SELF         FUNCTION, with what it called\n",
			 has_cores(page) ? "   CORES" : "");
	for (uint32_t i = 0; i < count && i < TOP_TOTAL; i++) {
		const struct call_frame *frame = &page->tree->frames.at[order[i]];

		add_share(page, frame->total);
		add_cores(page, frame->total);
		bytes_add_str(&page->out, "  ");
		add_share(page, frame->self);
		bytes_add_str(&page->out, "  ");
		add_function(page, frame, WIDTH - 13 - 2 - 13 - 2 - cores_columns(page));
	}
	if (count > TOP_TOTAL)
		bytes_add_format(&page->out, "%*s(%" PRIu32 " more function%s)\n",
				 (int)(30 + cores_columns(page)), "", count - TOP_TOTAL,
				 count - TOP_TOTAL == 1 ? "" : "s");
	return 0;
}

static void add_stack(struct page *page, uint32_t leaf)
{
	const struct call_node *nodes = page->tree->nodes.at;
	uint32_t depth = nodes[leaf].depth, n = 0;

	bytes_add_char(&page->out, '\n');
	add_share(page, nodes[leaf].self);
	if (has_cores(page))
		bytes_add_format(&page->out, "  %.2f cores",
				 call_tree_cores(page->tree, nodes[leaf].self));
	bytes_add_str(&page->out, "  (");
	if (page->tree->is_counted) {
		text_add_count(&page->out, nodes[leaf].self_count);
		bytes_add_str(&page->out, nodes[leaf].self_count == 1 ? " sample" : " samples");
	} else {
		add_value(page, nodes[leaf].self, page->tree->unit);
	}
	bytes_add_str(&page->out, ")\n");
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
		add_function(page, call_tree_frame(page->tree, at), WIDTH - 4);
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

static int fill(struct page *page, const struct profile *profile)
{
	int r;

	add_head(page, profile);
	if (call_tree_total(page->tree) == 0) {
		bytes_add_str(&page->out, "\nNo samples: nothing of the target ran while recording.\n");
		return 0;
	}
	r = add_self_table(page);
	if (r < 0)
		return r;
	r = add_total_table(page);
	if (r < 0)
		return r;
	return add_stacks(page);
}

static int text_write(const struct profile *profile, struct stream *stream)
{
	cleanup(call_tree_free) struct call_tree *tree = NULL;
	struct page page = {};
	int r = call_tree_new(&tree, profile, profile->meta.main_type);

	if (r < 0)
		return r;
	page.tree = tree;
	r = fill(&page, profile);
	if (r == 0 && page.out.failed)
		r = -ENOMEM;
	if (r == 0)
		stream_write(stream, page.out.at, page.out.size);
	bytes_fini(&page.out);
	bytes_fini(&page.scratch);
	return r < 0 ? r : stream->error;
}

const struct writer writer_text = {
	.name = "text",
	.aliases = { "txt" },
	.extensions = { ".txt" },
	.description = "tables of functions and the heaviest stacks, 80 columns wide",
	.write = text_write,
};
