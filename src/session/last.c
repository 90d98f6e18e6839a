// SPDX-License-Identifier: Apache-2.0
#include "session/last.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "profile/append.h"

/* How much finer than the whole what is dropped is, within these limits. */
enum { PARTS = 30 };
#define WINDOW_MIN_NS 1000000000ULL
#define WINDOW_MAX_NS 10000000000ULL

static void look(const struct last *last, struct health *ret)
{
	struct recording *rec = last->recording;
	struct health_clock now;

	*ret = (struct health){};
	health_clock_read(&now, &rec->pipeline);
	health_gather(ret, rec, &rec->started, &now);
}

static void begin_window(struct last *last, uint64_t now_ns)
{
	last->next = (struct last_window){ .began_ns = now_ns,
					   .began_wall_ns = (int64_t)clock_ns(CLOCK_REALTIME) };
	look(last, &last->next.before);
}

static void drop_oldest(struct last *last)
{
	profile_free(last->windows.at[0].profile);
	memmove(last->windows.at, last->windows.at + 1,
		--last->windows.count * sizeof(*last->windows.at));
}

static int cut(struct last *last, uint64_t now_ns)
{
	uint64_t keep_ns = last->recording->config->last_ns;
	struct pipeline *p = &last->recording->pipeline;
	struct last_window *window;
	/* Later its processes may be gone. */
	int r = naming_advance(&p->naming, UINT64_MAX);

	if (r < 0)
		return r;
	window = array_push(&last->windows);
	if (!window)
		return -ENOMEM;
	*window = last->next;
	window->ended_ns = now_ns;
	r = pipeline_cut(p, &window->profile);
	if (r < 0) {
		last->windows.count--;
		return r;
	}
	begin_window(last, now_ns);
	while (last->windows.count && last->windows.at[0].ended_ns + keep_ns < now_ns)
		drop_oldest(last);
	return 0;
}

static void subtract(uint64_t *from, const uint64_t *less, size_t count)
{
	for (size_t i = 0; i < count; i++)
		from[i] = from[i] > less[i] ? from[i] - less[i] : 0;
}

/* What grew since then; sizes stay what they are. */
static void since(struct health *h, const struct health *then)
{
	subtract(&h->samples, &then->samples, 1);
	subtract(&h->lost_ring, &then->lost_ring, 1);
	subtract(&h->lost_ticks, &then->lost_ticks, 1);
	subtract(&h->lost_lifecycle, &then->lost_lifecycle, 1);
	subtract(&h->outside, &then->outside, 1);
	subtract(h->outcomes, then->outcomes, WALK_OUTCOME_COUNT);
	subtract(&h->through_generated_code, &then->through_generated_code, 1);
	subtract(h->counters, then->counters, COUNT_COUNTERS);
	subtract(&h->finished, &then->finished, 1);
	subtract(&h->bpf_ns, &then->bpf_ns, 1);
	subtract(&h->user_ns, &then->user_ns, 1);
	subtract(&h->build_ns, &then->build_ns, 1);
	subtract(&h->naming_ns, &then->naming_ns, 1);
}

int last_take(struct last *last, struct profile **ret, struct health *health)
{
	struct recording *rec = last->recording;
	uint64_t now = rec->ended_ns ? rec->ended_ns : clock_ns(CLOCK_MONOTONIC);
	cleanup(profile_free) struct profile *all = NULL;
	uint32_t samples, cpu;
	int r = cut(last, now);

	if (r == 0)
		r = profile_new(&all);
	if (r == 0)
		r = profile_type_add(all, &samples, "samples", "count");
	if (r == 0)
		r = profile_type_add(all, &cpu, "cpu", "nanoseconds");
	for (uint32_t i = 0; r == 0 && i < last->windows.count; i++)
		r = profile_append(all, last->windows.at[i].profile);
	if (r < 0)
		return r;
	look(last, health);
	since(health, &last->windows.at[0].before);
	health_count_frames(health, all, samples);
	health->began_wall_ns = last->windows.at[0].began_wall_ns;
	health->duration_s = (double)(now - last->windows.at[0].began_ns) / 1e9;
	health->frequency_hz = 1e9 / (double)sampler_period_ns(&rec->sampler);
	*ret = TAKE_PTR(all);
	return 0;
}

static void write_now(struct last *last)
{
	struct profile *profile = NULL;
	struct health health;
	int r = last_take(last, &profile, &health);

	if (r < 0)
		log_error("cannot put the last minutes together: %s", strerror(-r));
	else
		last->write(last->context, profile, &health);
	profile_free(profile);
}

static void watch(void *context, bool asking)
{
	struct last *last = context;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	/* Nothing is kept of what came before the first turn. */
	if (asking || !last->recording->began_ns)
		return;
	if (!last->next.began_ns) {
		begin_window(last, last->recording->began_ns);
		last->next.began_wall_ns = last->recording->began_wall_ns;
	}
	if (last->asked) {
		last->asked = false;
		write_now(last);
	} else if (now - last->next.began_ns >= last->window_ns && cut(last, now) < 0) {
		log_error("out of memory: the minutes that are kept get longer");
	}
}

static bool take_signal(void *context, int number)
{
	struct last *last = context;

	last->asked |= number == SIGUSR1;
	return number == SIGUSR1;
}

void last_init(struct last *last, struct recording *rec,
	       void (*write)(void *context, struct profile *profile, const struct health *health),
	       void *context)
{
	uint64_t part = rec->config->last_ns / PARTS;

	*last = (struct last){ .recording = rec, .write = write, .context = context };
	last->window_ns = part < WINDOW_MIN_NS   ? WINDOW_MIN_NS
			  : part > WINDOW_MAX_NS ? WINDOW_MAX_NS
						 : part;
	/* As many are kept, so each has its part. */
	rec->pipeline.budget.limit /= rec->config->last_ns / last->window_ns + 2;
	rec->watch = watch;
	rec->take_signal = take_signal;
	rec->watch_context = last;
}

void last_fini(struct last *last)
{
	while (last->windows.count)
		drop_oldest(last);
	array_fini(&last->windows);
}
