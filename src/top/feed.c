// SPDX-License-Identifier: Apache-2.0
#include "top/feed.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "session/describe.h"

/* A picture without the newest names is shown when they take longer than this. */
#define ASKING_NS 400000000ULL
/* The first pictures are not to wait for the loop's small portions of names. */
#define FIRST_NS 2000000000ULL
#define FIRST_NAMES_NS 400000000ULL

int feed_init(struct feed *feed, struct recording *recording)
{
	*feed = (struct feed){ .recording = recording, .ready_fd = -1, .want_fd = -1 };
	feed->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	feed->want_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (feed->ready_fd < 0 || feed->want_fd < 0)
		return -errno;
	return mirror_init(&feed->mirror);
}

void feed_fini(struct feed *feed)
{
	mirror_fini(&feed->mirror);
	profile_free(feed->words);
	array_fini(&feed->target.pids);
	if (feed->ready_fd >= 0)
		close(feed->ready_fd);
	if (feed->want_fd >= 0)
		close(feed->want_fd);
}

static void wake(int fd)
{
	uint64_t once = 1;

	(void)!write(fd, &once, sizeof(once));
}

void feed_want(struct feed *feed, bool with_words)
{
	if (atomic_load(&feed->state) != FEED_TAKEN)
		return;
	feed->with_words = with_words;
	feed->wanted_ns = clock_ns(CLOCK_MONOTONIC);
	atomic_store(&feed->state, FEED_WANTED);
	wake(feed->want_fd);
}

bool feed_take(struct feed *feed)
{
	uint64_t times;

	(void)!read(feed->ready_fd, &times, sizeof(times));
	if (atomic_load(&feed->state) != FEED_READY)
		return false;
	atomic_store(&feed->state, FEED_TAKEN);
	return true;
}

/* Whose CPU time is the target's: those named, what they have started, or what the filters have let
 * through so far. */
static int fill_target(struct usage_target *ret, const struct recording *rec)
{
	const struct target *target = &rec->config->target;
	const struct process_table *table = &rec->pipeline.processes;
	bool filtered = target->comm || target->group || target->has_uid;

	ret->pids.count = 0;
	ret->by_thread = target->tids.count > 0;
	ret->everything = target->everything && !filtered;
	ret->children = target->children;
	for (uint32_t i = 0; i < target->tids.count; i++) {
		pid_t *pid = array_push(&ret->pids);

		if (!pid)
			return -ENOMEM;
		*pid = target->tids.at[i];
	}
	if (ret->by_thread || ret->everything)
		return 0;
	for (uint32_t i = 0; i < table->processes.count; i++) {
		const struct process *process = table->processes.at[i];
		pid_t *pid;

		if (process->dead && !process->goes_on)
			continue;
		/* Children are not named; they are there once they have been seen. */
		if (!process->target && !process->sampled)
			continue;
		pid = array_push(&ret->pids);
		if (!pid)
			return -ENOMEM;
		*pid = process->pid;
	}
	return 0;
}

/* Asks a worker, so not while one is asked. */
static void fill_words(struct feed *feed)
{
	const struct recording *rec = feed->recording;
	struct health_clock now;
	struct health health;

	profile_free(feed->words);
	feed->words = NULL;
	feed->has_words = false;
	health_clock_read(&now, &rec->pipeline);
	health = (struct health){
		.duration_s = (double)((rec->ended_ns ? rec->ended_ns : clock_ns(CLOCK_MONOTONIC)) -
				       rec->began_ns) /
			      1e9,
		.frequency_hz = 1e9 / (double)sampler_period_ns(&rec->sampler),
	};
	health_gather(&health, rec, &rec->started, &now);
	if (profile_new(&feed->words) == 0)
		feed->has_words = describe(rec, &health, feed->words) == 0;
}

static void fill(struct feed *feed, bool words)
{
	const struct recording *rec = feed->recording;
	struct health_clock clock;

	/* Without memory it stays what it was; the next one may have better luck. */
	(void)mirror_update(&feed->mirror, rec->pipeline.profile);
	(void)fill_target(&feed->target, rec);
	feed->taken_ns = clock_ns(CLOCK_MONOTONIC);
	sampler_counters(&rec->sampler, feed->counters);
	health_clock_read(&clock, &rec->pipeline);
	feed->own_cpu_ns = clock.cpu_ns + feed->counters[COUNT_RUN_NS];
	if (rec->growth)
		growth_summarize(rec->growth, &feed->growth);
	if (words)
		fill_words(feed);
	feed->last = feed->finished;
	feed->end = rec->end;
}

void feed_watch(void *context, bool asking)
{
	struct feed *feed = context;

	/* What has not begun has no samples, and its figures are not complete. */
	if (atomic_load(&feed->state) != FEED_WANTED || !feed->recording->began_ns)
		return;
	/* What is asked for is names: they are waited for, but not for long. */
	if (asking && (feed->with_words || clock_ns(CLOCK_MONOTONIC) - feed->wanted_ns < ASKING_NS))
		return;
	if (!asking && clock_ns(CLOCK_MONOTONIC) - feed->recording->began_ns < FIRST_NS)
		(void)naming_advance(&feed->recording->pipeline.naming, FIRST_NAMES_NS);
	fill(feed, feed->with_words);
	atomic_store(&feed->state, FEED_READY);
	wake(feed->ready_fd);
}

void feed_serve(struct feed *feed)
{
	struct recording *rec = feed->recording;
	struct pollfd fds[] = { { .fd = rec->stop_fd, .events = POLLIN },
				{ .fd = rec->signal_fd, .events = POLLIN },
				{ .fd = feed->want_fd, .events = POLLIN } };
	uint64_t times;

	feed->finished = true;
	for (;;) {
		feed_watch(feed, false);
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return;
		if (fds[0].revents || fds[1].revents)
			return;
		(void)!read(feed->want_fd, &times, sizeof(times));
	}
}

void feed_leave(struct feed *feed)
{
	atomic_store(&feed->leave, true);
	wake(feed->ready_fd);
}
