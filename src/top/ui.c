// SPDX-License-Identifier: Apache-2.0
/*
 * One loop: what the feed hands over, keys, drawing. It waits for nothing but those, and nobody waits for
 * it: a terminal that does not take what is written stops this thread, and sampling goes on.
 */
#include "top/ui.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "output/escape.h"
#include "top/measured.h"
#include "top/save.h"

#define MESSAGE_NS 5000000000ULL
/* For the filter in one drawing, so that keys are always answered. */
#define MATCHING_NS 100000000ULL
/* Until the first samples are there, it is looked so often for them. */
#define FIRST_LOOK_NS 100000000ULL
#define FIRST_LOOKS_NS 2000000000ULL

/* Making a picture may take this part of the time. */
enum { PICTURE_PART = 200 };

static const uint64_t intervals_ns[] = { 500000000, 1000000000, 2000000000, 5000000000,
					 10000000000 };

void ui_say(struct ui *ui, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(ui->message, sizeof(ui->message), format, list);
	va_end(list);
	ui->message_until_ns = clock_ns(CLOCK_MONOTONIC) + MESSAGE_NS;
	ui->dirty = true;
}

void ui_fini(struct ui *ui)
{
	picture_free(ui->picture);
	pattern_free(ui->pattern);
	spans_fini(&ui->spans);
	for (unsigned i = 0; i < SPAN_COUNT; i++)
		span_weights_fini(&ui->frozen_spans[i]);
	status_fini(&ui->status);
	array_fini(&ui->order);
	array_fini(&ui->lines);
	array_fini(&ui->boxes);
	hash_index_fini(&ui->toggled);
}

/* ---- filter ---- */

void ui_allow_matching(struct ui *ui)
{
	ui->match_until_ns = clock_ns(CLOCK_MONOTONIC) + MATCHING_NS;
	ui->filter_slow = false;
}

bool ui_matches(struct ui *ui, const char *name, const char *module)
{
	if (ui->module[0] && strcmp(ui->module, ui_base_name(module)) != 0)
		return false;
	if (!ui->pattern)
		return true;
	ui->filter_slow |= clock_ns(CLOCK_MONOTONIC) > ui->match_until_ns;
	if (ui->filter_slow)
		return false;
	return pattern_matches(ui->pattern, name) ||
	       (*module && pattern_matches(ui->pattern, ui_base_name(module)));
}

static void apply_filter(struct ui *ui)
{
	struct pattern_reason reason;
	struct pattern *pattern = NULL;

	ui->filter_trouble = NULL;
	if (ui->filter[0] && pattern_new(&pattern, ui->filter, true, &reason) < 0) {
		/* While it is typed, most expressions are not finished: the last good one holds. */
		ui->filter_trouble = "not a regular expression yet";
		return;
	}
	pattern_free(ui->pattern);
	ui->pattern = pattern;
}

static void set_filter(struct ui *ui, const char *text)
{
	snprintf(ui->filter, sizeof(ui->filter), "%s", text);
	apply_filter(ui);
}

static void begin_typing(struct ui *ui)
{
	ui->typing = true;
	snprintf(ui->before, sizeof(ui->before), "%s", ui->filter);
}

/* UTF-8 of one code point (RFC 3629). */
static void append(char *text, size_t size, uint32_t c)
{
	size_t at = strlen(text);
	char bytes[5] = "";

	if (c < 0x80) {
		bytes[0] = (char)c;
	} else if (c < 0x800) {
		bytes[0] = (char)(0xc0 | c >> 6);
		bytes[1] = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		bytes[0] = (char)(0xe0 | c >> 12);
		bytes[1] = (char)(0x80 | (c >> 6 & 0x3f));
		bytes[2] = (char)(0x80 | (c & 0x3f));
	} else {
		bytes[0] = (char)(0xf0 | c >> 18);
		bytes[1] = (char)(0x80 | (c >> 12 & 0x3f));
		bytes[2] = (char)(0x80 | (c >> 6 & 0x3f));
		bytes[3] = (char)(0x80 | (c & 0x3f));
	}
	if (at + strlen(bytes) < size)
		strcpy(text + at, bytes);
}

static void remove_last(char *text)
{
	size_t at = strlen(text);

	while (at && ((unsigned char)text[--at] & 0xc0) == 0x80)
		;
	text[at] = '\0';
}

enum { KEY_ESCAPE = 27, KEY_CTRL_C = 3, KEY_CTRL_L = 12, KEY_CTRL_U = 21, KEY_CTRL_Z = 26 };

/* What is typed into the filter. Returns false for keys that are for the view meanwhile. */
static bool type(struct ui *ui, int key)
{
	switch (key) {
	case '\r':
	case '\n':
		ui->typing = false;
		return true;
	case KEY_ESCAPE:
		ui->typing = false;
		set_filter(ui, ui->before);
		return true;
	case SCREEN_BACKSPACE:
		remove_last(ui->filter);
		apply_filter(ui);
		return true;
	case KEY_CTRL_U:
		set_filter(ui, "");
		return true;
	default:
		if (key < ' ' || key >= SCREEN_KEY_BASE)
			return false;
		append(ui->filter, sizeof(ui->filter), (uint32_t)key);
		apply_filter(ui);
		return true;
	}
}

/* ---- lists ---- */

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

static void choose_entry(struct ui *ui, int64_t position)
{
	struct list_state *list = &ui->lists[ui->view];

	if (!ui->picture || !list->count)
		return;
	if (position >= (int64_t)list->count)
		position = (int64_t)list->count - 1;
	/* The first one is whatever is first, also when it has changed. */
	list->chosen = position <= 0 ? 0 : key_of_entry(ui, (uint32_t)position);
}

static bool move(struct ui *ui, int key)
{
	const struct list_state *list = &ui->lists[ui->view];
	int64_t at = list->position, page = list->height > 1 ? list->height - 1 : 1;

	switch (key) {
	case SCREEN_UP:
	case 'k':
		choose_entry(ui, at - 1);
		return true;
	case SCREEN_DOWN:
	case 'j':
		choose_entry(ui, at + 1);
		return true;
	case SCREEN_PAGE_UP:
		choose_entry(ui, at - page);
		return true;
	case SCREEN_PAGE_DOWN:
		choose_entry(ui, at + page);
		return true;
	case SCREEN_HOME:
		choose_entry(ui, 0);
		return true;
	case SCREEN_END:
		choose_entry(ui, INT64_MAX);
		return true;
	default:
		return false;
	}
}

static void click(struct ui *ui, const struct screen_mouse *mouse)
{
	struct list_state *list = &ui->lists[ui->view];
	enum view tab = ui_tab_at(ui, mouse->y, mouse->x);
	int64_t at = (int64_t)list->first + mouse->y - list->top;

	if (mouse->wheel) {
		if (ui->view == VIEW_FLAME)
			(void)view_flame_key(ui, mouse->wheel < 0 ? SCREEN_UP : SCREEN_DOWN);
		else
			choose_entry(ui, (int64_t)list->position + 3 * mouse->wheel);
	} else if (tab != VIEW_COUNT) {
		ui->view = tab;
	} else if (ui->view == VIEW_FLAME && ui->picture) {
		view_flame_click(ui, mouse->y, mouse->x);
	} else if (mouse->y >= list->top && at < list->count) {
		bool again = ui->view == VIEW_TREE && at == list->position;

		choose_entry(ui, at);
		if (again)
			(void)view_tree_key(ui, '\r');
	}
}

/* ---- keys ---- */

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
		begin_typing(ui);
		break;
	case KEY_ESCAPE:
		set_filter(ui, "");
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

static void take_key(struct ui *ui, int key, const struct screen_mouse *mouse)
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
	if (ui->typing && type(ui, key))
		return;
	if (key == SCREEN_MOUSE) {
		click(ui, mouse);
		return;
	}
	if (ui->view == VIEW_TREE && view_tree_key(ui, key))
		return;
	if (ui->view == VIEW_FLAME && view_flame_key(ui, key))
		return;
	if (ui->view != VIEW_FLAME && ui->picture && move(ui, key))
		return;
	act(ui, key);
}

/* ---- what is handed over ---- */

static void rebuild(struct ui *ui)
{
	cleanup(span_weights_fini) struct span_weights now = {};
	const struct span_weights *weights = ui->frozen ? &ui->frozen_spans[ui->span] : &now;
	const struct target *target = &ui->config->record.target;
	struct cut_options options = {
		.no_kernel = ui->no_kernel,
		.no_user = ui->no_user,
		.threads = ui->config->record.threads,
		.drop_frames = measures_drop_frames(ui->config->record.events),
		.types = measured_types(ui->feed->recording),
		.period_ns = measured_period_ns(ui->feed->recording),
		.of_machine = target->everything,
	};
	struct picture *picture;

	if ((!ui->frozen && spans_select(&ui->spans, ui->span, &now) < 0) ||
	    picture_new(&picture, ui->feed->mirror.profile, weights, &options) < 0) {
		ui_say(ui, "out of memory: what is shown is old");
		return;
	}
	picture_free(ui->picture);
	ui->picture = picture;
	ui->must_rebuild = false;
}

/* At first there is little to see, or it has no names yet: it is looked again soon. */
static bool is_first_look(const struct ui *ui, uint64_t asked_ns)
{
	const struct cut_quality *quality = ui->picture ? &ui->picture->quality : NULL;

	return asked_ns < ui->spans.began_ns + FIRST_LOOKS_NS &&
	       (!quality || !quality->samples || quality->frames_named < quality->frames / 10 * 9);
}

static bool may_rebuild(const struct ui *ui)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (!ui->picture || ui->must_rebuild || ui->ended)
		return true;
	if (ui->frozen)
		return false;
	return is_first_look(ui, now) ||
	       now - ui->picture->made_ns >= ui->picture->cost_ns * PICTURE_PART;
}

static void save_now(struct ui *ui)
{
	static const char *const spans[SPAN_COUNT] = { "the last seconds", "all since the start",
						       "all, older samples counting less," };
	const struct writer *writer = TAKE_PTR(ui->save_as);
	const char *span = ui->span == SPAN_RESET && ui->spans.reset_ns != ui->spans.began_ns
				   ? "all since a reset"
				   : spans[ui->span];
	cleanup(free) char *path = NULL;
	int r = save_picture(ui->picture, &ui->config->record.target, ui->file_name,
			     ui->feed->has_words ? ui->feed->words : NULL, span, writer, &path);

	if (r < 0)
		ui_say(ui, "cannot write %s: %s", path ? path : "a file", strerror(-r));
	else
		ui_say(ui, "wrote %s%s", ui->filter[0] || ui->module[0] ? "unfiltered " : "", path);
}

static void take(struct ui *ui)
{
	struct feed *feed = ui->feed;

	/* The last picture stays: nothing has come since, but time has passed. */
	if (!ui->ended) {
		if (spans_look(&ui->spans, feed->mirror.profile, feed->taken_ns) < 0)
			ui_say(ui, "out of memory: samples are missing");
		status_look(&ui->status, feed);
		ui->growth = feed->growth;
		ui->ended = feed->last;
		ui->end = feed->end;
		if (may_rebuild(ui))
			rebuild(ui);
	}
	if (ui->save_as && feed->with_words)
		save_now(ui);
	ui->dirty = true;
}

/* ---- the loop ---- */

static int wait_for(struct ui *ui, uint64_t until_ns)
{
	struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
				{ .fd = ui->feed->ready_fd, .events = POLLIN } };
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	uint64_t left_ms = until_ns > now ? (until_ns - now) / 1000000 + 1 : 0;
	int ms = left_ms < 1000000 ? (int)left_ms : -1;

	if (poll(fds, ARRAY_SIZE(fds), ms) < 0)
		return errno == EINTR ? 0 : -errno;
	if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL))
		ui->quit = true;
	return 0;
}

static uint64_t next_look(const struct ui *ui, uint64_t asked_ns)
{
	return asked_ns + (is_first_look(ui, asked_ns) ? FIRST_LOOK_NS : ui->config->interval_ns);
}

static void draw_if_dirty(struct ui *ui)
{
	if (ui->dirty)
		ui_draw(ui);
	ui->dirty = false;
}

/* What is shown is a state, not what happens: it changes in minutes, not in seconds. */
static bool is_of_state(const struct ui *ui)
{
	return ui->config->record.events & (EVENT_BIT(EVENT_GROWTH) | EVENT_BIT(EVENT_HEAP));
}

int ui_run(struct ui *ui)
{
	uint64_t asked = clock_ns(CLOCK_MONOTONIC);
	int r = 0;

	spans_init(&ui->spans, asked, measured_types(ui->feed->recording));
	if (is_of_state(ui))
		ui->span = SPAN_RESET;
	ui_draw(ui);
	feed_want(ui->feed, false);
	while (r == 0 && !ui->quit && !atomic_load(&ui->feed->leave)) {
		struct screen_mouse mouse = {};
		bool wanted = atomic_load(&ui->feed->state) == FEED_WANTED;
		uint64_t until = next_look(ui, asked), now;
		int key;

		if (wanted || ui->ended)
			until = UINT64_MAX / 2;
		if (ui->message[0] && ui->message_until_ns < until)
			until = ui->message_until_ns;
		r = wait_for(ui, until);
		if (feed_take(ui->feed))
			take(ui);
		while (!ui->quit && (key = screen_read(&ui->screen, &mouse)) != KEY_NONE_YET) {
			/* A key means what is on the screen, which is made of this picture then. */
			draw_if_dirty(ui);
			take_key(ui, key, &mouse);
		}
		now = clock_ns(CLOCK_MONOTONIC);
		if (ui->message[0] && now >= ui->message_until_ns) {
			ui->message[0] = '\0';
			ui->dirty = true;
		}
		/* What it needs is only ours while nothing is asked for. */
		if (atomic_load(&ui->feed->state) == FEED_TAKEN) {
			if (ui->must_rebuild)
				rebuild(ui);
			if (ui->save_as || (!ui->ended && now >= next_look(ui, asked))) {
				feed_want(ui->feed, ui->save_as != NULL);
				asked = now;
			}
		}
		draw_if_dirty(ui);
	}
	return r;
}
