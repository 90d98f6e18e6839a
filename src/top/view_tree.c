// SPDX-License-Identifier: Apache-2.0
/*
 * The call tree, heaviest first, folded where little happens. A chain of calls without a branch is not
 * indented: stacks are deep, and screens are not wide.
 */
#include "top/ui.h"

#include <stdio.h>
#include <string.h>

enum { SHARE_COLUMNS = 14, MAX_INDENT = 40 };

/* Opened without being asked: what takes this share of all. */
static const double open_share = 0.05;

enum { CLOSED = 0, OPENED = 1 };

static bool is_open(const struct ui *ui, uint32_t node)
{
	const struct call_tree *tree = ui->picture->tree;
	uint32_t by_hand =
		hash_index_find(&ui->toggled, ui->picture->node_keys[node], NULL, NULL, NULL);

	if (by_hand != HASH_ABSENT)
		return by_hand == OPENED;
	return ui->open_all ||
	       (double)tree->nodes.at[node].total >= open_share * (double)call_tree_total(tree);
}

static void set_open(struct ui *ui, uint32_t node, bool open)
{
	uint64_t key = ui->picture->node_keys[node];

	hash_index_remove(&ui->toggled, key, CLOSED);
	hash_index_remove(&ui->toggled, key, OPENED);
	(void)hash_index_add(&ui->toggled, key, open ? OPENED : CLOSED);
}

/* By node: itself or something below it passes the filter. NULL: all do, or no memory is left. */
static bool *find_wanted(struct ui *ui)
{
	const struct call_tree *tree = ui->picture->tree;
	cleanup(free) bool *frames = NULL;
	bool *nodes;

	if (!ui->filter[0] && !ui->module[0])
		return NULL;
	frames = calloc(tree->frames.count + 1ULL, sizeof(*frames));
	nodes = calloc(tree->nodes.count, sizeof(*nodes));
	if (!frames || !nodes) {
		free(nodes);
		return NULL;
	}
	for (uint32_t i = 0; i < tree->frames.count; i++)
		frames[i] = ui_matches(ui, call_frame_name(tree, &tree->frames.at[i]),
				       profile_text(tree->profile, tree->frames.at[i].module));
	for (uint32_t i = tree->nodes.count; i-- > 0;) {
		nodes[i] |= frames[tree->nodes.at[i].frame];
		if (nodes[i])
			nodes[tree->nodes.at[i].parent] = true;
	}
	return nodes;
}

struct sibling {
	uint32_t node;
	int64_t total;
};

static int by_total(const void *a, const void *b)
{
	const struct sibling *x = a, *y = b;

	if (x->total != y->total)
		return x->total < y->total ? 1 : -1;
	return (x->node > y->node) - (x->node < y->node);
}

/* What is still to be shown, the next one last. */
struct pending {
	ARRAY_OF(struct tree_line) lines;
};

/* Puts a node's children on the pile. */
static bool add_children(struct pending *pending, const struct call_tree *tree, uint32_t parent,
			 uint32_t indent, const bool *wanted)
{
	ARRAY_OF(struct sibling) siblings = {};
	uint32_t end = tree->nodes.at[parent].end;
	bool fits = true;

	for (uint32_t i = parent + 1; i < end && fits; i = tree->nodes.at[i].end) {
		struct sibling *sibling;

		if (wanted && !wanted[i])
			continue;
		sibling = array_push(&siblings);
		fits = sibling != NULL;
		if (fits)
			*sibling = (struct sibling){ i, tree->nodes.at[i].total };
	}
	if (siblings.count)
		qsort(siblings.at, siblings.count, sizeof(*siblings.at), by_total);
	for (uint32_t i = siblings.count; i-- > 0 && fits;) {
		struct tree_line *line = array_push(&pending->lines);

		fits = line != NULL;
		if (fits)
			*line = (struct tree_line){ .node = siblings.at[i].node,
						    .indent = indent + (siblings.count > 1) };
	}
	array_fini(&siblings);
	return fits;
}

static void arrange(struct ui *ui)
{
	const struct call_tree *tree = ui->picture->tree;
	cleanup(free) bool *wanted = find_wanted(ui);
	struct pending pending = {};
	bool fits = add_children(&pending, tree, 0, 0, wanted);

	ui->lines.count = 0;
	while (fits && pending.lines.count) {
		struct tree_line line = pending.lines.at[--pending.lines.count], *added;
		const struct call_node *node = &tree->nodes.at[line.node];

		line.has_children = node->end > line.node + 1;
		/* With a filter what it is looking for is to be seen. */
		line.open = line.has_children && (wanted || is_open(ui, line.node));
		added = array_push(&ui->lines);
		fits = added != NULL;
		if (fits)
			*added = line;
		if (fits && line.open)
			fits = add_children(&pending, tree, line.node, line.indent, wanted);
	}
	array_fini(&pending.lines);
}

static uint64_t key_at(const struct ui *ui, uint32_t position)
{
	return ui->picture->node_keys[ui->lines.at[position].node];
}

static void draw_line(const struct ui *ui, int y, const struct tree_line *line)
{
	const struct call_tree *tree = ui->picture->tree;
	const struct screen *s = &ui->screen;
	const struct call_node *node = &tree->nodes.at[line->node];
	const struct call_frame *frame = &tree->frames.at[node->frame];
	bool wide = s->columns >= 64;
	int indent = line->indent < MAX_INDENT ? (int)line->indent : MAX_INDENT;
	int x = SHARE_COLUMNS + 1 + (wide ? SHARE_COLUMNS + 1 : 0), most = (s->columns - x) / 2,
	    used;
	const char *mark = !line->has_children ? " " : line->open ? "-" : "+";
	char text[64];

	ui_share_text(ui, text, sizeof(text), node->total);
	screen_put(s, y, 0, SHARE_COLUMNS, text, ui_share_look(ui, node->total));
	if (wide && node->self) {
		ui_share_text(ui, text, sizeof(text), node->self);
		screen_put(s, y, SHARE_COLUMNS + 1, SHARE_COLUMNS, text, LOOK_PLAIN);
	}
	x += indent < most ? indent : most;
	if (s->utf8 && line->has_children)
		mark = line->open ? "\xe2\x96\xbe" : "\xe2\x96\xb8";
	screen_put(s, y, x, 1, mark, LOOK_FAINT);
	used = screen_put_name(s, y, x + 2, s->columns - x - 2, call_frame_name(tree, frame),
			       LOOK_KINDS + frame->kind);
	x += 2 + used + 2;
	if (frame->kind < CALL_NOTE && x + 8 < s->columns)
		screen_put(s, y, x, s->columns - x,
			   frame->kind == CALL_KERNEL ? "[kernel]" : call_frame_module(tree, frame),
			   LOOK_FAINT);
}

void view_tree_draw(struct ui *ui, int y, int rows)
{
	struct list_state *list = &ui->lists[VIEW_TREE];
	const struct screen *s = &ui->screen;
	uint32_t height = rows > 1 ? (uint32_t)rows - 1 : 0;

	screen_fill(s, y, 0, s->columns, LOOK_STRONG);
	screen_put(s, y, 0, SHARE_COLUMNS, " TOTAL", LOOK_STRONG);
	if (s->columns >= 64)
		screen_put(s, y, SHARE_COLUMNS + 1, SHARE_COLUMNS, " SELF", LOOK_STRONG);
	screen_put(s, y, (SHARE_COLUMNS + 1) * (s->columns >= 64 ? 2 : 1) + 2, 40,
		   "CALLS, heaviest first", LOOK_STRONG);
	arrange(ui);
	list_place(list, ui->lines.count, height, key_at, ui);
	list->top = y + 1;
	for (uint32_t i = 0; i < height && list->first + i < ui->lines.count; i++) {
		draw_line(ui, y + 1 + (int)i, &ui->lines.at[list->first + i]);
		if (list->first + i == list->position)
			screen_mark(s, y + 1 + (int)i, 0, s->columns, LOOK_CHOSEN);
	}
	if (!ui->lines.count)
		screen_put(s, y + 1, 1, s->columns - 1, "Nothing to show.", LOOK_FAINT);
}

void view_tree_detail(struct ui *ui, int y)
{
	const struct list_state *list = &ui->lists[VIEW_TREE];
	const struct call_tree *tree = ui->picture->tree;
	cleanup(bytes_fini) struct bytes text = {};
	const struct call_frame *frame;

	if (list->position >= ui->lines.count)
		return;
	frame = call_tree_frame(tree, ui->lines.at[list->position].node);
	bytes_add_format(&text, "%s  %s", call_frame_name(tree, frame),
			 profile_text(tree->profile, frame->module));
	if (*call_frame_file(tree, frame))
		bytes_add_format(&text, "  %s:%u", call_frame_file(tree, frame), frame->line);
	screen_put(&ui->screen, y, 0, ui->screen.columns, bytes_str(&text) ? text.at : "",
		   LOOK_PLAIN);
}

/* To the line before it that is its caller. */
static void go_to_caller(struct ui *ui, struct list_state *list)
{
	const struct call_tree *tree = ui->picture->tree;
	uint32_t caller = tree->nodes.at[ui->lines.at[list->position].node].parent;

	for (uint32_t i = list->position; i-- > 0;)
		if (ui->lines.at[i].node == caller) {
			list->chosen = key_at(ui, i);
			return;
		}
}

bool view_tree_key(struct ui *ui, int key)
{
	struct list_state *list = &ui->lists[VIEW_TREE];
	struct tree_line *line;

	if (key == '*') {
		ui->open_all = !ui->open_all;
		hash_index_fini(&ui->toggled);
		return true;
	}
	if (!ui->picture || list->position >= ui->lines.count)
		return false;
	line = &ui->lines.at[list->position];
	switch (key) {
	case '\r':
	case '\n':
		set_open(ui, line->node, !line->open);
		break;
	case '+':
		set_open(ui, line->node, true);
		break;
	case '-':
		set_open(ui, line->node, false);
		break;
	case SCREEN_RIGHT:
		if (line->open && list->position + 1 < ui->lines.count)
			list->chosen = key_at(ui, list->position + 1);
		else
			set_open(ui, line->node, true);
		break;
	case SCREEN_LEFT:
		if (line->open)
			set_open(ui, line->node, false);
		else
			go_to_caller(ui, list);
		break;
	default:
		return false;
	}
	/* What is first may be another one then: it is this one that was meant. */
	if (!list->chosen)
		list->chosen = ui->picture->node_keys[line->node];
	return true;
}
