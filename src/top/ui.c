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
#include "top/measured.h"
#include "top/save.h"
#include "top/ui_keys.h"

#define MESSAGE_NS 5000000000ULL
/* Until the first samples are there, it is looked so often for them. */
#define FIRST_LOOK_NS 100000000ULL
#define FIRST_LOOKS_NS 2000000000ULL

/* Making a picture may take this part of the time. */
enum { PICTURE_PART = 200 };

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
			ui_take_key(ui, key, &mouse);
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
