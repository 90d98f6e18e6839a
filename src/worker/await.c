// SPDX-License-Identifier: Apache-2.0
/*
 * Whether a worker is stuck is told by what it does, not by a clock alone: on a machine under load
 * it may wait long for its turn. A worker that waits in a system call and has not used any CPU time
 * for a while is stuck; one that has used seconds of it for one question has run away.
 */
#include "worker/await.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"

#define STOPPED_NS 200000000ULL

enum {
	PROGRESS_NS = 1000000, /* of CPU time */
	SHORT_NS = 1000000,    /* not worth to look for what was waited for */
	STAT_BYTES = 4096,
	/* Of its patience_ns, when it is fed slowly: so much waiting for one question is too much. */
	MOST_WAITING = 10,
	TIMES_PER_HALVING = 4,
	MAX_HALVINGS = 3,
};

/* CPU time of the process, also of another user's. */
static uint64_t process_cpu_ns(const struct worker *worker)
{
	struct timespec now;

	return clock_gettime(worker->clock, &now) == 0
		       ? (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec
		       : 0;
}

/* What it is doing, as in proc(5): 'R' runs or waits for its turn, 'T' was stopped; 0: not known. */
static char state_of(pid_t pid)
{
	cleanup(bytes_fini) struct bytes text = {};
	char path[32];
	const char *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (fs_read(&text, AT_FDCWD, path, STAT_BYTES) < 0 || !bytes_str(&text))
		return 0;
	end = strrchr(text.at, ')');
	return end && end[1] == ' ' ? end[2] : 0;
}

/* Does the process wait for something, other than for its turn? */
static bool is_waiting(pid_t pid)
{
	char state = state_of(pid);

	return state && state != 'R';
}

/* Was it stopped by somebody (SIGSTOP), who does not let it go on? That is no file's fault. */
static bool has_been_stopped(struct worker *worker, uint64_t now)
{
	if (state_of(worker->pid) != 'T')
		worker->stopped_ns = 0;
	else if (!worker->stopped_ns)
		worker->stopped_ns = now;
	return worker->stopped_ns && now - worker->stopped_ns > STOPPED_NS;
}

/* Less and less patience: somebody may have many files, and file systems, that take all we have. */
static uint64_t shrunk(uint64_t limit_ns, uint32_t times)
{
	unsigned halvings = times / TIMES_PER_HALVING;

	return limit_ns >> (halvings < MAX_HALVINGS ? halvings : MAX_HALVINGS);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void take(uint64_t *from, uint64_t ns)
{
	*from -= least(*from, ns);
}

void worker_do_meanwhile(struct worker *worker, uint64_t now)
{
	worker->meanwhile_ns = now;
	if (worker->meanwhile)
		worker->meanwhile(worker->context);
}

/* A question under way: up to when it was followed, and when it got on; with CPU times of then. */
struct watch {
	uint64_t seen_ns, seen_cpu_ns, progress_ns, progress_cpu_ns;
};

/* How long a thread has waited for its turn so far (Documentation/scheduler/sched-stats.rst). */
static uint64_t queued_ns(const char *path)
{
	cleanup(bytes_fini) struct bytes text = {};
	unsigned long ran, queued;

	if (fs_read(&text, AT_FDCWD, path, STAT_BYTES) < 0 || !bytes_str(&text) ||
	    sscanf(text.at, "%lu %lu", &ran, &queued) != 2)
		return 0;
	return queued;
}

/*
 * How long the worker or profd waited for their turns since this was asked last: on a machine under
 * load that is most of what an answer takes.
 */
static uint64_t newly_queued_ns(struct worker *worker)
{
	uint64_t before = worker->queued_ns;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)worker->pid);
	worker->queued_ns = queued_ns(path) + queued_ns("/proc/thread-self/schedstat");
	return worker->queued_ns > before ? worker->queued_ns - before : 0;
}

/* Accounts for the time since the last look. waiting: the process seems to wait for something. */
static void look(struct worker *worker, struct watch *watch, bool waiting)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC), cpu = process_cpu_ns(worker);
	uint64_t passed = now - watch->seen_ns;
	uint64_t used = cpu > watch->seen_cpu_ns ? cpu - watch->seen_cpu_ns : 0;
	uint64_t busy = used, waited;

	if (passed > used + SHORT_NS)
		busy += newly_queued_ns(worker);
	waited = waiting && passed > busy ? passed - busy : 0;
	worker->waited_ns += waited;
	worker->used_ns += used;
	if (worker->hurry && worker->hurry->begun) {
		take(&worker->hurry->waiting_ns, waited);
		take(&worker->hurry->cpu_ns, used);
	}
	watch->seen_ns = now;
	watch->seen_cpu_ns += used;
	if (watch->seen_cpu_ns - watch->progress_cpu_ns > PROGRESS_NS || !waiting) {
		watch->progress_ns = now;
		watch->progress_cpu_ns = watch->seen_cpu_ns;
	}
}

bool worker_has_no_time(const struct worker *worker)
{
	const struct hurry *hurry = worker->hurry;

	return hurry && hurry->begun && (hurry->waiting_ns == 0 || hurry->cpu_ns == 0);
}

/*
 * Returns 0 or a worker_outcome. In a hurry no question may take more than half of what is left: so
 * there is always some for others.
 */
static int judge(struct worker *worker, const struct watch *watch)
{
	uint64_t silent = watch->seen_ns - watch->progress_ns;
	uint64_t patience = shrunk(worker->patience_ns, worker->stuck);
	uint64_t overtime = shrunk(worker->overtime_ns, worker->overran);
	uint64_t waiting = least(MOST_WAITING * patience, worker->waiting_limit_ns);

	patience = least(patience, worker->waiting_limit_ns);
	overtime = least(overtime, worker->cpu_limit_ns);
	if (worker_has_no_time(worker))
		return WORKER_ENDING;
	if (worker->hurry && worker->hurry->begun) {
		patience = least(patience, worker->hurry->waiting_ns / 2);
		overtime = least(overtime, worker->hurry->cpu_ns / 2);
	}
	if (silent > patience || worker->waited_ns > waiting) {
		worker->stuck++;
		return WORKER_STUCK;
	}
	if (worker->used_ns > overtime) {
		worker->overran++;
		return WORKER_OVERTIME;
	}
	return 0;
}

int worker_await(struct worker *worker)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC), cpu = process_cpu_ns(worker);
	struct watch watch = { now, cpu, now, cpu };
	int r = 0;

	while (r == 0) {
		struct pollfd poll_fd = { .fd = worker->socket, .events = POLLIN };
		int ready = poll(&poll_fd, 1, WORKER_MEANWHILE_MS);

		if (ready < 0 && errno != EINTR)
			return WORKER_DIED;
		look(worker, &watch, ready > 0 || is_waiting(worker->pid));
		if (ready > 0)
			return 0;
		if (has_been_stopped(worker, watch.seen_ns))
			return WORKER_DIED;
		worker_do_meanwhile(worker, watch.seen_ns);
		r = judge(worker, &watch);
	}
	return r;
}
