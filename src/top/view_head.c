// SPDX-License-Identifier: Apache-2.0
/* What stands around the views: what is watched and what it uses, the bar of views, help, the foot. */
#include "top/ui.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "output/escape.h"

enum {
	GRAPH_ROWS = 20, /* of the screen from which on the last minutes are shown */
	WIDE_COLUMNS = 110,
};

static const char *const view_names[VIEW_COUNT] = {
	[VIEW_FUNCTIONS] = "Functions", [VIEW_TREE] = "Tree",	    [VIEW_FLAME] = "Flame",
	[VIEW_LINES] = "Lines",		[VIEW_THREADS] = "Threads", [VIEW_PROCESSES] = "Processes",
};

static const char *const sort_names[SORT_COUNT] = { "self", "total", "name", "module" };
/* Of threads and processes. */
static const char *const group_sort_names[SORT_COUNT] = { "CPU", "CPU", "name", "process" };

const char *ui_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

void ui_share_text(const struct ui *ui, char *ret, size_t size, int64_t weight)
{
	struct share share = call_tree_share(ui->picture->tree, weight);

	snprintf(ret, size, "%5.1f %% %s%4.1f", 100 * share.share, ui->screen.plus_minus,
		 100 * share.half);
}

enum look ui_share_look(const struct ui *ui, int64_t weight)
{
	double share = call_tree_share(ui->picture->tree, weight).share;

	return share >= 0.2 ? LOOK_HOT : share >= 0.05 ? LOOK_WARM : LOOK_PLAIN;
}

static void add_memory(const struct ui *ui, struct bytes *line, bool wide)
{
	double slope;

	bytes_add_str(line, ui->status.usage.machine_user ? "  memory " : "  RSS ");
	text_add_size(line, (int64_t)ui->status.usage.resident_bytes);
	if (!status_slope(&ui->status, &slope))
		return;
	/* Pages that come and go are no trend. */
	if (fabs(slope) < 512) {
		bytes_add_str(line, wide ? ", steady" : "");
		return;
	}
	bytes_add_str(line, slope > 0 ? " +" : " ");
	text_add_size(line, (int64_t)slope);
	bytes_add_str(line, "/s");
}

static void draw_usage(const struct ui *ui, int y)
{
	const struct usage *usage = &ui->status.usage;
	const struct screen *s = &ui->screen;
	cleanup(bytes_fini) struct bytes line = {};
	bool wide = s->columns >= WIDE_COLUMNS;
	double percent = status_percent(&ui->status);

	if (percent < 0) {
		bytes_add_str(&line, "CPU ...");
	} else {
		bytes_add_format(&line, "CPU %.1f %%", percent);
		if (usage->machine_user)
			bytes_add_format(&line, " (%.2f cores)%s", percent / 100, wide ? ":" : "");
		else if (wide)
			bytes_add_str(&line, " of one core:");
		bytes_add_format(&line, wide ? " user %.1f, kernel %.1f" : " user %.1f kernel %.1f",
				 usage->user_percent, usage->system_percent);
	}
	bytes_add_format(&line, "  %s%u run %u wait", wide ? "threads: " : "thr ", usage->running,
			 usage->threads > usage->running ? usage->threads - usage->running : 0);
	if (wide && !usage->machine_user && usage->processes > 1)
		bytes_add_format(&line, " in %u processes", usage->processes);
	add_memory(ui, &line, wide);
	screen_put(s, y, 0, s->columns, bytes_str(&line) ? line.at : "", LOOK_PLAIN);
}

static int draw_sampling(const struct ui *ui, int y, int columns)
{
	const struct status *status = &ui->status;
	cleanup(bytes_fini) struct bytes line = {};

	bytes_add_format(&line, "%.0f samples/s, %" PRIu64 " lost", status->samples_per_s,
			 status->lost);
	if (status->cost_percent_all >= 0)
		bytes_add_format(&line, "  profd %.2f %%", status->cost_percent_all);
	return screen_put(&ui->screen, y, 0, columns, bytes_str(&line) ? line.at : "",
			  status->lost_now ? LOOK_WARNING : LOOK_PLAIN);
}

/* Whether memory grows, where that is what is measured. */
static void draw_growth(const struct ui *ui, int y)
{
	const struct growth_summary *growth = &ui->growth;
	const struct screen *s = &ui->screen;
	cleanup(bytes_fini) struct bytes line = {};

	growth_brief(growth, &line);
	bytes_add_str(&line, "  ");
	screen_put(s, y, draw_sampling(ui, y, s->columns) + 2, s->columns, bytes_str(&line) ? line.at : "",
		   growth->trend.verdict == TREND_GROWS ? LOOK_WARNING : LOOK_PLAIN);
}

/* The last minutes of CPU use, to the right of what stands there. */
static void draw_graph(const struct ui *ui, int y, int x)
{
	const struct screen *s = &ui->screen;
	int columns = s->columns - x - 22;
	float values[STATUS_HISTORY_S];
	double most, top;
	char text[48];

	if (columns < 8)
		return;
	if (columns > STATUS_HISTORY_S / 2)
		columns = STATUS_HISTORY_S / 2;
	most = status_history(&ui->status, values, (uint32_t)columns);
	/* Whole cores, so that it does not jump; of a tenth of a second ticks tell little. */
	top = most <= 120 ? 100 : ceil((most - 20) / 100) * 100;
	if (ui->status.usage.machine_user)
		top = fmin(top, 100.0 * (double)sysconf(_SC_NPROCESSORS_ONLN));
	snprintf(text, sizeof(text), "5 min");
	screen_put(s, y, x, 6, text, LOOK_FAINT);
	for (int i = 0; i < columns; i++) {
		int eighths = values[i] < 0 ? 0 : 1 + (int)(7 * values[i] / top + 0.5);

		screen_put_level(s, y, x + 6 + i, eighths > 8 ? 8 : eighths, LOOK_WARM);
	}
	snprintf(text, sizeof(text), " of %.0f %%", top);
	screen_put(s, y, x + 6 + columns, 14, text, LOOK_FAINT);
}

static const char *end_text(const struct ui *ui)
{
	return ui->end == RECORDING_TARGET_GONE ? "the target has ended" : "ended";
}

static void draw_title(const struct ui *ui, int y)
{
	const struct screen *s = &ui->screen;
	const char *note = ui->ended ? end_text(ui) : ui->frozen ? "frozen, p goes on" : "";
	int note_columns = *note ? (int)strlen(note) + 2 : 0, x;

	x = screen_put(s, y, 0, s->columns, "profd top  ", LOOK_STRONG);
	screen_put(s, y, x, s->columns - x - note_columns - 1, ui->title, LOOK_STRONG);
	if (*note)
		screen_put(s, y, s->columns - note_columns + 1, note_columns, note, LOOK_WARNING);
}

static void span_text(const struct ui *ui, char *ret, size_t size)
{
	double seconds = ui->picture ? ui->picture->seconds : 0;

	/* Where is looked less often, or sampling has just begun, these are not the usual ones. */
	if (ui->span == SPAN_RECENT)
		snprintf(ret, size, seconds > 0 && seconds < 0.95 ? "last %.1f s" : "last %.0f s",
			 seconds > 0 ? seconds : SPAN_RECENT_S);
	else if (ui->span == SPAN_DECAY)
		snprintf(ret, size, "decaying, half in %d s", SPAN_HALF_LIFE_S);
	else if (ui->spans.reset_ns == ui->spans.began_ns)
		snprintf(ret, size, "since start, %.0f s", seconds);
	else
		snprintf(ret, size, "since reset, %.0f s", seconds);
}

/* The views on the bar; with draw, else only to find the one at column `at`. */
static int walk_tabs(const struct ui *ui, int y, int at, enum view *found)
{
	const struct screen *s = &ui->screen;
	bool brief = s->columns < 70;
	int x = 0;

	for (unsigned i = 0; i < VIEW_COUNT; i++) {
		char text[24];
		int columns;

		snprintf(text, sizeof(text), brief ? " %.4s " : " %s ", view_names[i]);
		columns = (int)strlen(text);
		if (found && at >= x && at < x + columns)
			*found = i;
		if (!found)
			screen_put(s, y, x, columns, text, i == ui->view ? LOOK_TAB : LOOK_BAR);
		x += columns;
	}
	return x;
}

static int bar_row(const struct ui *ui)
{
	return ui->screen.rows >= GRAPH_ROWS ? 3 : 2;
}

enum view ui_tab_at(const struct ui *ui, int y, int x)
{
	enum view found = VIEW_COUNT;

	if (y == bar_row(ui))
		(void)walk_tabs(ui, y, x, &found);
	return found;
}

static void draw_bar(const struct ui *ui, int y)
{
	const struct screen *s = &ui->screen;
	bool table = ui->view != VIEW_TREE && ui->view != VIEW_FLAME;
	bool group = ui->view == VIEW_THREADS || ui->view == VIEW_PROCESSES;
	char text[160], span[64];
	int x;

	screen_fill(s, y, 0, s->columns, LOOK_BAR);
	x = walk_tabs(ui, y, 0, NULL);
	span_text(ui, span, sizeof(span));
	snprintf(text, sizeof(text), " %s%s%s%s%s", span, table ? ", by " : "",
		 !table	 ? ""
		 : group ? group_sort_names[ui->sort]
			 : sort_names[ui->sort],
		 ui->no_kernel ? ", no kernel" : "", ui->no_user ? ", kernel only" : "");
	screen_put(s, y, x, s->columns - x, text, LOOK_BAR);
}

static void quality_text(const struct ui *ui, struct bytes *ret)
{
	const struct cut_quality *q = &ui->picture->quality;
	double whole = q->samples ? 100.0 * (double)(q->samples - q->truncated - q->guessed) /
					    (double)q->samples
				  : 100;
	double named = q->frames ? 100.0 * (double)q->frames_named / (double)q->frames : 100;

	bytes_add_format(ret, "%" PRIu64 " samples: %.1f %% of stacks complete", q->samples, whole);
	if (q->guessed)
		bytes_add_format(ret, " (%" PRIu64 " guessed)", q->guessed);
	bytes_add_format(ret, ", %.1f %% of frames named", named);
}

static void draw_foot(const struct ui *ui, int y)
{
	const struct screen *s = &ui->screen;
	cleanup(bytes_fini) struct bytes line = {};
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	enum look look = LOOK_FAINT;

	if (!ui->typing && ui->message[0] && now < ui->message_until_ns) {
		bytes_add_str(&line, ui->message);
		look = LOOK_WARNING;
	} else if (ui->typing || ui->filter[0] || ui->module[0]) {
		bytes_add_format(&line, "%s%s%s",
				 ui->view == VIEW_FLAME ? "search: " : "filter: ", ui->filter,
				 ui->typing ? "_" : "");
		if (ui->module[0])
			bytes_add_format(&line, "  in %s", ui->module);
		if (ui->filter_trouble)
			bytes_add_format(&line, "  (%s)", ui->filter_trouble);
		else if (ui->filter_slow)
			bytes_add_str(&line, "  (too slow: not all is compared)");
		bytes_add_str(&line, ui->typing ? "   Enter keeps, Esc drops it" : "   Esc clears");
		look = LOOK_STRONG;
	} else if (ui->picture) {
		quality_text(ui, &line);
		if (!ui->frozen && !ui->ended &&
		    now - ui->picture->made_ns > 3 * ui->config->interval_ns)
			bytes_add_format(&line, ", %.0f s ago",
					 (double)(now - ui->picture->made_ns) / 1e9);
		bytes_add_str(&line, s->columns >= 100 ? "   ? help  q quit" : "  ? help");
	}
	screen_put(s, y, 0, s->columns, bytes_str(&line) ? line.at : "", look);
}

static const char *const help_lines[] = {
	"VIEWS                                 Tab, Shift-Tab: the next one",
	"f  functions       T F5  call tree    F  flame graph",
	"l  source lines    t     threads      a  processes",
	"",
	"SPAN    m  last 5 s / since start / decaying     r z  reset: begin anew",
	"        p Space Z  freeze                        i  refresh slower / faster",
	"SHOW    / \\ F3 F4  filter as you type (a regular expression); Esc clears it",
	"        d  only the module of the chosen row; again: all",
	"        K  kernel frames on/off      U  only the kernel on/off",
	"SORT    1 self  2 total  3 name  4 module        s S < >  the next one",
	"MOVE    arrows, j k, PgUp PgDn, Home End; the mouse",
	"TREE    Enter + -  open, close       Right Left  go in, go out",
	"        *  open all / only what is heavy",
	"FLAME   Enter +  zoom in             Backspace -  zoom out, Home: all",
	"        arrows  caller, call, neighbours         n N  next match",
	"SAVE    w  pprof (.pb.gz)   G  flame graph (.svg)   P  text",
	"OTHER   h ? F1  this help    Ctrl-L  draw anew    Ctrl-Z  stop",
	"        q F10 Ctrl-C  quit",
};

static void draw_help(const struct ui *ui, int y, int rows)
{
	screen_put(&ui->screen, y, 0, ui->screen.columns, "Keys; any key goes back", LOOK_STRONG);
	for (int i = 0; i + 1 < rows && i < (int)ARRAY_SIZE(help_lines); i++)
		screen_put(&ui->screen, y + 1 + i, 1, ui->screen.columns - 1, help_lines[i],
			   LOOK_PLAIN);
}

static void draw_view(struct ui *ui, int y, int rows)
{
	switch (ui->view) {
	case VIEW_TREE:
		view_tree_draw(ui, y, rows);
		break;
	case VIEW_FLAME:
		view_flame_draw(ui, y, rows);
		break;
	default:
		view_table_draw(ui, y, rows);
	}
}

static void draw_detail(struct ui *ui, int y)
{
	if (ui->view == VIEW_TREE)
		view_tree_detail(ui, y);
	else if (ui->view == VIEW_FLAME)
		view_flame_detail(ui, y);
	else
		view_table_detail(ui, y);
}

static void draw_too_small(const struct ui *ui)
{
	char text[96];

	snprintf(text, sizeof(text), "too small: %dx%d,", ui->screen.columns, ui->screen.rows);
	screen_put(&ui->screen, 0, 0, ui->screen.columns, text, LOOK_PLAIN);
	snprintf(text, sizeof(text), "needs %dx%d; q quits", UI_MIN_COLUMNS, UI_MIN_ROWS);
	screen_put(&ui->screen, 1, 0, ui->screen.columns, text, LOOK_PLAIN);
}

void ui_draw(struct ui *ui)
{
	const struct screen *s = &ui->screen;
	int bar = bar_row(ui), body = bar + 1, rows = s->rows - body - 2;

	/* What is not shown cannot be chosen: it may be of a picture that is gone. */
	ui->order.count = ui->lines.count = ui->boxes.count = 0;
	ui->lists[ui->view].count = 0;
	ui_allow_matching(ui);
	screen_clear();
	if (s->rows < UI_MIN_ROWS || s->columns < UI_MIN_COLUMNS) {
		draw_too_small(ui);
		screen_show();
		return;
	}
	draw_title(ui, 0);
	draw_usage(ui, 1);
	if (bar == 3 && ui->feed->recording->growth)
		draw_growth(ui, 2);
	else if (bar == 3)
		draw_graph(ui, 2, draw_sampling(ui, 2, s->columns) + 2);
	draw_bar(ui, bar);
	if (ui->help) {
		draw_help(ui, body, rows + 1);
	} else if (ui->picture) {
		draw_view(ui, body, rows);
		draw_detail(ui, s->rows - 2);
	} else {
		screen_put(s, body, 1, s->columns - 1, "Waiting for the first samples ...",
			   LOOK_FAINT);
	}
	draw_foot(ui, s->rows - 1);
	screen_show();
}
