// SPDX-License-Identifier: Apache-2.0
/* Functions, source lines, threads and processes as tables. */
#include "top/ui.h"

#include <stdio.h>
#include <string.h>

#include "output/escape.h"

enum {
	SHARE_COLUMNS = 14,
	CORES_COLUMNS = 6,
	SIZE_COLUMNS = 10,
	ID_COLUMNS = 8,
	NARROW = 64, /* columns of the screen below which only shares and names are shown */
};

static enum row_kind row_kind(enum view view)
{
	switch (view) {
	case VIEW_LINES:
		return ROW_LINE;
	case VIEW_THREADS:
		return ROW_THREAD;
	case VIEW_PROCESSES:
		return ROW_PROCESS;
	default:
		return ROW_FUNCTION;
	}
}

static bool is_group(enum view view)
{
	return view == VIEW_THREADS || view == VIEW_PROCESSES;
}

struct ordering {
	const struct row *rows;
	enum sort sort;
};

static int compare_numbers(int64_t a, int64_t b)
{
	return (a < b) - (a > b); /* largest first */
}

static int compare(const void *a, const void *b, void *context)
{
	const struct ordering *ordering = context;
	const struct row *x = &ordering->rows[*(const uint32_t *)a],
			 *y = &ordering->rows[*(const uint32_t *)b];
	int r = 0;

	if (ordering->sort == SORT_MODULE)
		r = strcmp(ui_base_name(x->module), ui_base_name(y->module));
	else if (ordering->sort == SORT_NAME)
		r = strcmp(x->name, y->name);
	else if (ordering->sort == SORT_TOTAL)
		r = compare_numbers(x->total, y->total);
	if (r == 0)
		r = compare_numbers(x->self, y->self);
	if (r == 0)
		r = compare_numbers(x->total, y->total);
	if (r == 0)
		r = strcmp(x->name, y->name);
	/* Never two that are equal: rows would change places at every look. */
	return r != 0 ? r : (x->key > y->key) - (x->key < y->key);
}

static const struct row_table *arrange(struct ui *ui)
{
	const struct row_table *table = picture_table(ui->picture, row_kind(ui->view));
	struct ordering ordering;

	ui->order.count = 0;
	if (!table)
		return NULL;
	for (uint32_t i = 0; i < table->rows.count; i++) {
		const struct row *row = &table->rows.at[i];
		uint32_t *slot;

		if (ui->view == VIEW_LINES && row->kind == CALL_NOTE)
			continue;
		if (!ui_matches(ui, row->name, row->module) &&
		    !(row->file[0] && ui->filter[0] && !ui->module[0] &&
		      ui_matches(ui, row->file, row->module)))
			continue;
		slot = array_push(&ui->order);
		if (!slot)
			break;
		*slot = i;
	}
	ordering = (struct ordering){ table->rows.at, ui->sort };
	/* A group's self is what it did outside of the kernel: it is sorted by all. */
	if (is_group(ui->view) && ui->sort == SORT_SELF)
		ordering.sort = SORT_TOTAL;
	if (ui->order.count)
		qsort_r(ui->order.at, ui->order.count, sizeof(*ui->order.at), compare, &ordering);
	return table;
}

static uint64_t key_at(const struct ui *ui, uint32_t position)
{
	enum row_kind kind = row_kind(ui->view);

	return ui->picture->tables[kind].rows.at[ui->order.at[position]].key;
}

/* Where the columns of a table begin. */
struct columns {
	int self, total, absolute, id, name, module, place, end;
};

/* Cores, or an amount of memory; 0: a share says as much. */
static int absolute_columns(const struct ui *ui)
{
	return ui->picture->tree->core_weight > 0	? CORES_COLUMNS
	       : picture_is_of_memory(ui->picture)	? SIZE_COLUMNS
							: 0;
}

static struct columns lay_out(const struct ui *ui)
{
	int width = ui->screen.columns, x = SHARE_COLUMNS + 1, left;
	struct columns c = { .self = 0,
			     .total = -1,
			     .absolute = -1,
			     .id = -1,
			     .module = -1,
			     .place = -1,
			     .end = width };

	if (width >= NARROW) {
		c.total = x;
		x += SHARE_COLUMNS + 1;
	}
	if (absolute_columns(ui) && width >= NARROW) {
		c.absolute = x;
		x += absolute_columns(ui) + 1;
	}
	if (is_group(ui->view)) {
		c.id = x;
		x += ID_COLUMNS + 1;
	}
	c.name = x;
	left = width - x;
	if (ui->view == VIEW_PROCESSES || width < NARROW)
		return c;
	/* Half for the name, the rest for where it is. */
	if (ui->view == VIEW_THREADS) {
		c.module = x + left / 2;
		return c;
	}
	c.module = x + left * 52 / 100;
	c.place = x + left * 75 / 100;
	return c;
}

static void draw_titles(const struct ui *ui, int y, const struct columns *c)
{
	const struct screen *s = &ui->screen;
	bool group = is_group(ui->view);
	static const char *const names[VIEW_COUNT] = { [VIEW_FUNCTIONS] = "FUNCTION",
						       [VIEW_LINES] = "FUNCTION",
						       [VIEW_THREADS] = "THREAD",
						       [VIEW_PROCESSES] = "PROCESS" };

	screen_fill(s, y, 0, s->columns, LOOK_STRONG);
	screen_put(s, y, c->self, SHARE_COLUMNS, group ? picture_is_of_memory(ui->picture) ? " MEMORY" : " CPU" : " SELF", LOOK_STRONG);
	if (c->total >= 0)
		screen_put(s, y, c->total, SHARE_COLUMNS, group ? " IN KERNEL" : " TOTAL",
			   LOOK_STRONG);
	if (c->absolute >= 0)
		screen_put(s, y, c->absolute, absolute_columns(ui) + 1,
			   picture_is_of_memory(ui->picture) ? "      SIZE" : " CORES", LOOK_STRONG);
	if (c->id >= 0)
		screen_put(s, y, c->id, ID_COLUMNS,
			   ui->view == VIEW_THREADS ? "     TID" : "     PID", LOOK_STRONG);
	screen_put(s, y, c->name, 16, names[ui->view], LOOK_STRONG);
	if (c->module >= 0)
		screen_put(s, y, c->module, 16, group ? "PROCESS" : "MODULE", LOOK_STRONG);
	if (c->place >= 0)
		screen_put(s, y, c->place, 16, "FILE:LINE", LOOK_STRONG);
}

static void draw_share(const struct ui *ui, int y, int x, int64_t weight, bool colored)
{
	char text[48];

	ui_share_text(ui, text, sizeof(text), weight);
	screen_put(&ui->screen, y, x, SHARE_COLUMNS, text,
		   colored ? ui_share_look(ui, weight) : LOOK_PLAIN);
}

static void draw_absolute(const struct ui *ui, int y, int x, int64_t weight)
{
	cleanup(bytes_fini) struct bytes size = {};
	char text[48];

	if (picture_is_of_memory(ui->picture)) {
		picture_add_amount(ui->picture, &size, weight);
		snprintf(text, sizeof(text), "%*s", SIZE_COLUMNS, bytes_str(&size) ? size.at : "");
	} else {
		snprintf(text, sizeof(text), "%*.2f", CORES_COLUMNS,
			 call_tree_cores(ui->picture->tree, weight));
	}
	screen_put(&ui->screen, y, x, absolute_columns(ui), text, LOOK_PLAIN);
}

/* "libfoo.so.1+0x1234" says already where it is. */
static bool names_module(const char *name, const char *module)
{
	size_t size = strlen(module);

	return size && strncmp(name, module, size) == 0 && strncmp(name + size, "+0x", 3) == 0;
}

static void draw_row(const struct ui *ui, int y, const struct row *row, const struct columns *c)
{
	const struct screen *s = &ui->screen;
	bool group = is_group(ui->view);
	int name_end = c->module >= 0 ? c->module - 1 : c->end;
	const char *module = row->kind == CALL_KERNEL ? "[kernel]" : ui_base_name(row->module);
	char text[512];

	draw_share(ui, y, c->self, group ? row->total : row->self, true);
	if (c->total >= 0)
		draw_share(ui, y, c->total, group ? row->total - row->self : row->total, false);
	if (c->absolute >= 0)
		draw_absolute(ui, y, c->absolute, group ? row->total : row->self);
	if (c->id >= 0 && row->id >= 0) {
		snprintf(text, sizeof(text), "%8lld", (long long)row->id);
		screen_put(s, y, c->id, ID_COLUMNS, text, LOOK_PLAIN);
	}
	if (names_module(row->name, module) && c->module >= 0 && c->place < 0)
		name_end = c->end;
	screen_put_name(s, y, c->name, name_end - c->name, row->name, LOOK_KINDS + row->kind);
	if (c->module >= 0)
		screen_put(s, y, c->module, (c->place >= 0 ? c->place - 1 : c->end) - c->module,
			   module, LOOK_FAINT);
	if (c->place >= 0 && row->file[0]) {
		snprintf(text, sizeof(text), row->line ? "%s:%u" : "%s", ui_base_name(row->file),
			 row->line);
		screen_put(s, y, c->place, c->end - c->place, text, LOOK_FAINT);
	}
}

void view_table_draw(struct ui *ui, int y, int rows)
{
	struct list_state *list = &ui->lists[ui->view];
	const struct row_table *table = arrange(ui);
	struct columns columns = lay_out(ui);
	uint32_t height = rows > 1 ? (uint32_t)rows - 1 : 0;

	draw_titles(ui, y, &columns);
	if (!table)
		return;
	list_place(list, ui->order.count, height, key_at, ui);
	list->top = y + 1;
	for (uint32_t i = 0; i < height && list->first + i < ui->order.count; i++) {
		const struct row *row = &table->rows.at[ui->order.at[list->first + i]];
		int at = y + 1 + (int)i;

		draw_row(ui, at, row, &columns);
		if (list->first + i == list->position)
			screen_mark(&ui->screen, at, 0, ui->screen.columns, LOOK_CHOSEN);
	}
	if (!ui->order.count)
		screen_put(&ui->screen, y + 1, 1, ui->screen.columns - 1,
			   ui->filter[0] || ui->module[0] ? "Nothing matches."
							  : "No samples in this span: the target "
							    "used no CPU time.",
			   LOOK_FAINT);
}

const struct row *view_table_chosen(struct ui *ui)
{
	const struct list_state *list = &ui->lists[ui->view];
	const struct row_table *table;

	if (!ui->picture || ui->view == VIEW_TREE || ui->view == VIEW_FLAME)
		return NULL;
	table = &ui->picture->tables[row_kind(ui->view)];
	if (list->position >= ui->order.count)
		return NULL;
	return &table->rows.at[ui->order.at[list->position]];
}

void view_table_detail(struct ui *ui, int y)
{
	const struct row *row = view_table_chosen(ui);
	cleanup(bytes_fini) struct bytes text = {};

	if (!row)
		return;
	bytes_add_str(&text, row->name);
	if (is_group(ui->view)) {
		bool memory = picture_is_of_memory(ui->picture);

		bytes_add_format(&text, " %lld%s%s: ", (long long)row->id,
				 *row->module ? " of " : "", row->module);
		picture_add_amount(ui->picture, &text, row->total);
		bytes_add_str(&text, memory ? ", " : " of CPU time, ");
		picture_add_amount(ui->picture, &text, row->total - row->self);
		bytes_add_str(&text, " of it in the kernel");
	} else {
		bytes_add_format(&text, "%s  %s%s%s", row->inlined ? " (inlined)" : "", row->module,
				 *row->file ? "  " : "", row->file);
		if (row->line)
			bytes_add_format(&text, ":%u", row->line);
		bytes_add_str(&text, "  ");
		picture_add_amount(ui->picture, &text, row->self);
		bytes_add_str(&text, ", ");
		picture_add_amount(ui->picture, &text, row->total);
		bytes_add_str(&text, " with what it calls");
	}
	screen_put(&ui->screen, y, 0, ui->screen.columns, bytes_str(&text) ? text.at : "",
		   LOOK_PLAIN);
}
