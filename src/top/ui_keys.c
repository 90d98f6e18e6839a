// SPDX-License-Identifier: Apache-2.0
/* What keys and the mouse do. */
#include "top/ui_keys.h"

#include <stdio.h>

#include "top/ui.h"

static const uint64_t intervals_ns[] = { 500000000, 1000000000, 2000000000, 5000000000,
					 10000000000 };

static void click(struct ui *ui, const struct screen_mouse *mouse)
{
	struct list_state *list = &ui->lists[ui->view];
	enum view tab = ui_tab_at(ui, mouse->y, mouse->x);
	int64_t at = (int64_t)list->first + mouse->y - list->top;

	if (mouse->wheel) {
		if (ui->view == VIEW_FLAME)
			(void)view_flame_key(ui, mouse->wheel < 0 ? SCREEN_UP : SCREEN_DOWN);
		else
			ui_choose(ui, (int64_t)list->position + 3 * mouse->wheel);
	} else if (tab != VIEW_COUNT) {
		ui->view = tab;
	} else if (ui->view == VIEW_FLAME && ui->picture) {
		view_flame_click(ui, mouse->y, mouse->x);
	} else if (mouse->y >= list->top && at < list->count) {
		bool again = ui->view == VIEW_TREE && at == list->position;

		ui_choose(ui, at);
		if (again)
			(void)view_tree_key(ui, '\r');
	}
}

static void toggle_module(struct ui *ui)
{
	const char *module = view_chosen_module(ui);

	if (ui->module[0])
		ui->module[0] = '\0';
	else if (module && *module)
		snprintf(ui->module, sizeof(ui->module), "%s", ui_base_name(module));
	else
		ui_say(ui, "choose a function first: d shows only its module");
}

static void thaw(struct ui *ui)
{
	for (unsigned i = 0; i < SPAN_COUNT; i++)
		span_weights_fini(&ui->frozen_spans[i]);
	ui->frozen = false;
	ui->must_rebuild = true;
}

/* Sampling goes on, and so does what the spans hold: what they hold now is kept. */
static void freeze(struct ui *ui)
{
	int r = 0;

	for (unsigned i = 0; i < SPAN_COUNT && r == 0; i++)
		r = spans_select(&ui->spans, i, &ui->frozen_spans[i]);
	if (r == 0) {
		ui->frozen = true;
		return;
	}
	thaw(ui);
	ui_say(ui, "cannot freeze: out of memory");
}

static void reset(struct ui *ui)
{
	if (ui->frozen)
		thaw(ui);
	if (spans_reset(&ui->spans) < 0)
		return;
	if (ui->span != SPAN_RECENT)
		ui_say(ui, "begun anew");
	else
		ui_say(ui, "begun anew; m shows all since then");
	ui->must_rebuild = true;
}

static void save(struct ui *ui, const char *format)
{
	if (!ui->picture)
		ui_say(ui, "nothing to save yet");
	else
		ui->save_as = writer_by_name(format);
}

static void next_interval(struct ui *ui)
{
	size_t next = 0;

	while (next < ARRAY_SIZE(intervals_ns) && intervals_ns[next] <= ui->config->interval_ns)
		next++;
	next %= ARRAY_SIZE(intervals_ns);
	ui->config->interval_ns = intervals_ns[next];
	ui_say(ui, "looks every %.1f s", (double)intervals_ns[next] / 1e9);
}

static void show_view(struct ui *ui, enum view view)
{
	ui->view = view;
}

/* Keys that mean the same in every view. */
static void act(struct ui *ui, int key)
{
	switch (key) {
	case 'q':
	case 'Q':
	case KEY_CTRL_C:
	case SCREEN_F10:
		ui->quit = true;
		break;
	case KEY_CTRL_Z:
		screen_suspend(&ui->screen, ui->guard);
		break;
	case KEY_CTRL_L:
		screen_redraw();
		break;
	case 'h':
	case '?':
	case SCREEN_F1:
		ui->help = true;
		break;
	case 'f':
		show_view(ui, VIEW_FUNCTIONS);
		break;
	case 'T':
	case SCREEN_F5:
		show_view(ui, VIEW_TREE);
		break;
	case 'F':
		show_view(ui, VIEW_FLAME);
		break;
	case 'l':
	case 'L':
		show_view(ui, ui->view == VIEW_LINES ? VIEW_FUNCTIONS : VIEW_LINES);
		break;
	case 't':
		show_view(ui, VIEW_THREADS);
		break;
	case 'a':
		show_view(ui, VIEW_PROCESSES);
		break;
	case '\t':
		show_view(ui, (ui->view + 1) % VIEW_COUNT);
		break;
	case SCREEN_BACK_TAB:
		show_view(ui, (ui->view + VIEW_COUNT - 1) % VIEW_COUNT);
		break;
	case 'm':
		ui->span = (ui->span + 1) % SPAN_COUNT;
		ui->must_rebuild = true;
		break;
	case 'r':
	case 'R':
	case 'z':
		reset(ui);
		break;
	case 'p':
	case ' ':
	case 'Z':
		if (ui->frozen)
			thaw(ui);
		else
			freeze(ui);
		break;
	case 'i':
		next_interval(ui);
		break;
	case '/':
	case '\\':
	case SCREEN_F3:
	case SCREEN_F4:
		ui_filter_begin(ui);
		break;
	case KEY_ESCAPE:
		ui_filter_set(ui, "");
		ui->module[0] = '\0';
		break;
	case 'd':
		toggle_module(ui);
		break;
	case 'K':
		ui->no_kernel = !ui->no_kernel;
		ui->no_user = false;
		ui->must_rebuild = true;
		break;
	case 'U':
		ui->no_user = !ui->no_user;
		ui->no_kernel = false;
		ui->must_rebuild = true;
		break;
	case '1':
	case '2':
	case '3':
	case '4':
		ui->sort = (enum sort)(key - '1');
		break;
	case 's':
	case '>':
		ui->sort = (ui->sort + 1) % SORT_COUNT;
		break;
	case 'S':
	case '<':
		ui->sort = (ui->sort + SORT_COUNT - 1) % SORT_COUNT;
		break;
	case 'w':
		save(ui, "pprof");
		break;
	case 'G':
		save(ui, "flamegraph");
		break;
	case 'P':
		save(ui, "text");
		break;
	default:
		break;
	}
}

void ui_take_key(struct ui *ui, int key, const struct screen_mouse *mouse)
{
	ui->dirty = true;
	ui_allow_matching(ui);
	if (key == SCREEN_RESIZED)
		return;
	if (key == KEY_CTRL_C) {
		ui->quit = true;
		return;
	}
	if (ui->help) {
		ui->help = false;
		return;
	}
	if (ui->typing && ui_filter_key(ui, key))
		return;
	if (key == SCREEN_MOUSE) {
		click(ui, mouse);
		return;
	}
	if (ui->view == VIEW_TREE && view_tree_key(ui, key))
		return;
	if (ui->view == VIEW_FLAME && view_flame_key(ui, key))
		return;
	if (ui->view != VIEW_FLAME && ui->picture && ui_list_key(ui, key))
		return;
	act(ui, key);
}
