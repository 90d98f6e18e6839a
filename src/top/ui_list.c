// SPDX-License-Identifier: Apache-2.0
/* Lists: which entry is chosen, and what is done to it by keys. */
#include "top/ui.h"

#include "top/ui_keys.h"

void list_place(struct list_state *list, uint32_t count, uint32_t height,
		uint64_t (*key)(const struct ui *ui, uint32_t position), const struct ui *ui)
{
	list->count = count;
	list->height = height;
	if (!list->chosen)
		list->position = 0;
	for (uint32_t i = 0; list->chosen && i < count; i++)
		if (key(ui, i) == list->chosen) {
			list->position = i;
			break;
		}
	if (list->position >= count)
		list->position = count ? count - 1 : 0;
	if (list->first > list->position)
		list->first = list->position;
	if (height && list->position >= list->first + height)
		list->first = list->position - height + 1;
	/* No blank rows below while there is something above. */
	if (list->first + height > count)
		list->first = count > height ? count - height : 0;
}

static uint64_t key_of_entry(const struct ui *ui, uint32_t position)
{
	static const enum row_kind kinds[VIEW_COUNT] = {
		[VIEW_LINES] = ROW_LINE, [VIEW_THREADS] = ROW_THREAD, [VIEW_PROCESSES] = ROW_PROCESS
	};

	if (ui->view == VIEW_TREE)
		return ui->picture->node_keys[ui->lines.at[position].node];
	return ui->picture->tables[kinds[ui->view]].rows.at[ui->order.at[position]].key;
}

void ui_choose(struct ui *ui, int64_t position)
{
	struct list_state *list = &ui->lists[ui->view];

	if (!ui->picture || !list->count)
		return;
	if (position >= (int64_t)list->count)
		position = (int64_t)list->count - 1;
	/* The first one is whatever is first, also when it has changed. */
	list->chosen = position <= 0 ? 0 : key_of_entry(ui, (uint32_t)position);
}

bool ui_list_key(struct ui *ui, int key)
{
	const struct list_state *list = &ui->lists[ui->view];
	int64_t at = list->position, page = list->height > 1 ? list->height - 1 : 1;

	switch (key) {
	case SCREEN_UP:
	case 'k':
		ui_choose(ui, at - 1);
		return true;
	case SCREEN_DOWN:
	case 'j':
		ui_choose(ui, at + 1);
		return true;
	case SCREEN_PAGE_UP:
		ui_choose(ui, at - page);
		return true;
	case SCREEN_PAGE_DOWN:
		ui_choose(ui, at + page);
		return true;
	case SCREEN_HOME:
		ui_choose(ui, 0);
		return true;
	case SCREEN_END:
		ui_choose(ui, INT64_MAX);
		return true;
	default:
		return false;
	}
}

const char *view_chosen_module(struct ui *ui)
{
	const struct row *row = view_table_chosen(ui);
	const struct list_state *list = &ui->lists[VIEW_TREE];

	if (row)
		return row->kind < CALL_NOTE ? row->module : NULL;
	if (ui->picture && ui->view == VIEW_TREE && list->position < ui->lines.count) {
		const struct call_tree *tree = ui->picture->tree;
		const struct call_frame *frame =
			call_tree_frame(tree, ui->lines.at[list->position].node);

		return frame->kind < CALL_NOTE ? profile_text(tree->profile, frame->module) : NULL;
	}
	return NULL;
}
