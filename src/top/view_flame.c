// SPDX-License-Identifier: Apache-2.0
/* The call tree as boxes: callers above, widths are shares of what is zoomed to. */
#include "top/ui.h"

#include <stdio.h>
#include <string.h>

static uint32_t find_node(const struct ui *ui, uint64_t key)
{
	const struct call_tree *tree = ui->picture->tree;

	if (key)
		for (uint32_t i = 1; i < tree->nodes.count; i++)
			if (ui->picture->node_keys[i] == key)
				return i;
	return 0;
}

static bool is_below(const struct call_tree *tree, uint32_t node, uint32_t top)
{
	return node >= top && node < tree->nodes.at[top].end;
}

static bool matches(struct ui *ui, uint32_t node)
{
	const struct call_tree *tree = ui->picture->tree;
	const struct call_frame *frame = call_tree_frame(tree, node);

	return frame->kind != CALL_ALL && ui_matches(ui, call_frame_name(tree, frame),
						     profile_text(tree->profile, frame->module));
}

static bool searches(const struct ui *ui)
{
	return ui->filter[0] || ui->module[0];
}

/* The weight below what is zoomed to that is in, or called by, what matches. */
static int64_t matched(struct ui *ui, uint32_t zoom)
{
	const struct call_tree *tree = ui->picture->tree;
	uint32_t end = tree->nodes.at[zoom].end, i = zoom;
	int64_t sum = 0;

	while (i < end) {
		if (matches(ui, i)) {
			sum += tree->nodes.at[i].total;
			i = tree->nodes.at[i].end;
		} else {
			i++;
		}
	}
	return sum;
}

/* How many depths are scrolled past, so that the chosen one is to be seen. */
static uint32_t first_depth(struct ui *ui, uint32_t zoom, uint32_t chosen, int rows)
{
	const struct call_tree *tree = ui->picture->tree;
	uint32_t depth = tree->nodes.at[chosen].depth - tree->nodes.at[zoom].depth;

	if (ui->flame_first > depth)
		ui->flame_first = depth;
	if (rows > 0 && depth >= ui->flame_first + (uint32_t)rows)
		ui->flame_first = depth - (uint32_t)rows + 1;
	return ui->flame_first;
}

/* All boxes that are at least a column wide, in preorder; children stand below their parent. */
static void lay_out(struct ui *ui, uint32_t zoom, uint32_t first, int y, int rows)
{
	const struct call_tree *tree = ui->picture->tree;
	const struct call_node *nodes = tree->nodes.at;
	double width = ui->screen.columns, total = (double)nodes[zoom].total;
	uint32_t depths = first + (uint32_t)(rows > 0 ? rows : 0);
	cleanup(free) int64_t *next = calloc(depths + 2ULL, sizeof(*next));

	ui->boxes.count = 0;
	if (!next || total <= 0)
		return;
	for (uint32_t i = zoom; i < nodes[zoom].end; i++) {
		uint32_t depth = nodes[i].depth - nodes[zoom].depth;
		int64_t begin;
		int left, right;
		struct flame_box *box;

		if (depth >= depths) {
			i = nodes[i].end - 1;
			continue;
		}
		begin = next[depth];
		next[depth] += nodes[i].total;
		next[depth + 1] = begin;
		left = (int)((double)begin * width / total + 0.5);
		right = (int)((double)(begin + nodes[i].total) * width / total + 0.5);
		if (right <= left) {
			i = nodes[i].end - 1;
			continue;
		}
		if (depth < first)
			continue;
		box = array_push(&ui->boxes);
		if (!box)
			return;
		*box = (struct flame_box){ i, y + (int)(depth - first), left, right - left };
	}
}

void view_flame_draw(struct ui *ui, int y, int rows)
{
	const struct call_tree *tree = ui->picture->tree;
	const struct screen *s = &ui->screen;
	uint32_t zoom = find_node(ui, ui->zoom), chosen = find_node(ui, ui->flame_chosen), first;
	bool searching = searches(ui);
	char text[256], share[48];

	if (!is_below(tree, chosen, zoom))
		chosen = zoom;
	screen_fill(s, y, 0, s->columns, LOOK_STRONG);
	if (searching) {
		ui_share_text(ui, share, sizeof(share), matched(ui, zoom));
		snprintf(text, sizeof(text), "matched: %s", share);
		screen_put(s, y, 0, s->columns, text, LOOK_STRONG);
	} else if (zoom) {
		ui_share_text(ui, share, sizeof(share), tree->nodes.at[zoom].total);
		snprintf(text, sizeof(text), "zoomed to %s of all; Backspace zooms out", share);
		screen_put(s, y, 0, s->columns, text, LOOK_STRONG);
	} else {
		screen_put(s, y, 0, s->columns,
			   "callers above; arrows choose, Enter zooms, / searches", LOOK_FAINT);
	}
	first = first_depth(ui, zoom, chosen, rows - 1);
	lay_out(ui, zoom, first, y + 1, rows - 1);
	for (uint32_t i = 0; i < ui->boxes.count; i++) {
		const struct flame_box *box = &ui->boxes.at[i];
		const struct call_frame *frame = call_tree_frame(tree, box->node);

		screen_box(s, box->y, box->x, box->columns, call_frame_name(tree, frame),
			   frame->kind, ui->picture->node_keys[box->node], box->node == chosen,
			   searching && matches(ui, box->node));
	}
	if (!ui->boxes.count)
		screen_put(s, y + 1, 1, s->columns - 1, "No samples in this span.", LOOK_FAINT);
}

void view_flame_detail(struct ui *ui, int y)
{
	const struct call_tree *tree = ui->picture->tree;
	uint32_t node = find_node(ui, ui->flame_chosen), zoom = find_node(ui, ui->zoom);
	const struct call_frame *frame;
	cleanup(bytes_fini) struct bytes text = {};
	char share[48];

	if (!is_below(tree, node, zoom))
		node = zoom;
	frame = call_tree_frame(tree, node);
	ui_share_text(ui, share, sizeof(share), tree->nodes.at[node].total);
	bytes_add_format(&text, "%s  %s  %s", share + strspn(share, " "),
			 call_frame_name(tree, frame), profile_text(tree->profile, frame->module));
	if (*call_frame_file(tree, frame))
		bytes_add_format(&text, "  %s:%u", call_frame_file(tree, frame), frame->line);
	screen_put(&ui->screen, y, 0, ui->screen.columns, bytes_str(&text) ? text.at : "",
		   LOOK_PLAIN);
}

static void choose(struct ui *ui, uint32_t node)
{
	ui->flame_chosen = ui->picture->node_keys[node];
}

/* The box beside the chosen one in its row; direction -1 or 1. */
static void choose_beside(struct ui *ui, uint32_t chosen, int direction)
{
	const struct flame_box *from = NULL, *best = NULL;

	for (uint32_t i = 0; i < ui->boxes.count; i++)
		if (ui->boxes.at[i].node == chosen)
			from = &ui->boxes.at[i];
	for (uint32_t i = 0; from && i < ui->boxes.count; i++) {
		const struct flame_box *box = &ui->boxes.at[i];
		int distance = (box->x - from->x) * direction;

		if (box->y == from->y && distance > 0 &&
		    (!best || distance < (best->x - from->x) * direction))
			best = box;
	}
	if (best)
		choose(ui, best->node);
}

static void choose_heaviest_call(struct ui *ui, uint32_t chosen)
{
	const struct call_node *nodes = ui->picture->tree->nodes.at;
	uint32_t best = chosen;

	for (uint32_t i = chosen + 1; i < nodes[chosen].end; i = nodes[i].end)
		if (best == chosen || nodes[i].total > nodes[best].total)
			best = i;
	choose(ui, best);
}

/* The next node that matches, forwards or backwards, around the end. */
static void choose_match(struct ui *ui, uint32_t zoom, uint32_t chosen, bool forwards)
{
	uint32_t first = zoom, count = ui->picture->tree->nodes.at[zoom].end - zoom;

	for (uint32_t step = 1; step <= count && searches(ui); step++) {
		uint32_t offset = chosen - first;
		uint32_t node = first + (forwards ? offset + step : offset + count - step) % count;

		if (matches(ui, node)) {
			choose(ui, node);
			return;
		}
	}
	screen_beep();
}

static void zoom_to(struct ui *ui, uint32_t node)
{
	ui->zoom = ui->picture->node_keys[node];
	ui->flame_chosen = ui->zoom;
	ui->flame_first = 0;
}

bool view_flame_key(struct ui *ui, int key)
{
	const struct call_tree *tree;
	uint32_t zoom, chosen;

	if (!ui->picture)
		return false;
	tree = ui->picture->tree;
	zoom = find_node(ui, ui->zoom);
	chosen = find_node(ui, ui->flame_chosen);
	if (!is_below(tree, chosen, zoom))
		chosen = zoom;
	switch (key) {
	case SCREEN_UP:
		if (chosen != zoom)
			choose(ui, tree->nodes.at[chosen].parent);
		return true;
	case SCREEN_DOWN:
		choose_heaviest_call(ui, chosen);
		return true;
	case SCREEN_LEFT:
		choose_beside(ui, chosen, -1);
		return true;
	case SCREEN_RIGHT:
		choose_beside(ui, chosen, 1);
		return true;
	case '\r':
	case '\n':
	case '+':
		zoom_to(ui, chosen);
		return true;
	case SCREEN_BACKSPACE:
	case '-':
		zoom_to(ui, tree->nodes.at[zoom].parent);
		return true;
	case SCREEN_HOME:
		zoom_to(ui, 0);
		return true;
	case 'n':
	case 'N':
		choose_match(ui, zoom, chosen, key == 'n');
		return true;
	default:
		return false;
	}
}

void view_flame_click(struct ui *ui, int y, int x)
{
	for (uint32_t i = 0; i < ui->boxes.count; i++) {
		const struct flame_box *box = &ui->boxes.at[i];

		if (box->y != y || x < box->x || x >= box->x + box->columns)
			continue;
		/* The second click on a box zooms to it. */
		if (ui->flame_chosen == ui->picture->node_keys[box->node])
			zoom_to(ui, box->node);
		else
			choose(ui, box->node);
		return;
	}
}
