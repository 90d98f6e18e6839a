// SPDX-License-Identifier: Apache-2.0
/*
 * The event `alloc`: a thread puts probes into the targets and takes them away again, as
 * alloc_windows.h decides; the recording finds out where, and counts the samples.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "session/alloc_targets.h"
#include "session/alloc_windows.h"
#include "session/event_alloc.h"
#include "session/event_source.h"
#include "session/recording_parts.h"
#include "source/alloc.h"

#define LOOK_NS 250000000ULL /* for what the targets have loaded */
#define RETRY_NS 20000000ULL /* when nothing could be probed */
#define WATCH_NS 10000000ULL /* an open window is looked at so often */
#define SHORTEST_WAIT_NS 100000ULL

enum { WINDOWS_KEPT = 4096 };

struct event_alloc {
	struct alloc_source *source;
	struct alloc_targets *targets;
	double trap_ns;
	uint64_t looked_ns;
	bool complained;
	/* What rounding has left over of each value. */
	double objects_left, bytes_left;

	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wake, weighed;
	bool stops, runs;
	struct alloc_probes next; /* where to probe from now on */
	bool has_next;
	double weights[WINDOWS_KEPT]; /* of the last windows, by number */
	uint64_t window_count;
	struct alloc_cost cost;
	int error; /* of probing; 0: none */

	/* The thread's own. */
	struct alloc_windows windows;
	struct alloc_probes probes;
	bool attached;
	uint64_t cpu_ns, cpu_at_ns; /* of the targets, when it was read last */
};

/* ---- the thread ---- */

/* Waits until then. Returns whether it is to go on. The lock is held. */
static bool wait_until(struct event_alloc *a, uint64_t until_ns)
{
	const struct timespec until = { (time_t)(until_ns / 1000000000),
					(long)(until_ns % 1000000000) };

	while (!a->stops && clock_ns(CLOCK_MONOTONIC) < until_ns)
		if (pthread_cond_timedwait(&a->wake, &a->lock, &until) == ETIMEDOUT)
			break;
	return !a->stops;
}

/* CPU time that all who are probed have used, in ns. */
static uint64_t read_cpu(const struct event_alloc *a)
{
	uint64_t all = 0;
	pid_t last = 0;

	for (uint32_t i = 0; i < a->probes.of.count; i++) {
		pid_t pid = a->probes.of.at[i].pid;
		clockid_t clock;

		if (pid != last && clock_getcpuclockid(pid, &clock) == 0)
			all += clock_ns(clock);
		last = pid;
	}
	return all;
}

/* CPU time of the targets since the last time, which is told at the end, too. */
static uint64_t account_cpu(struct event_alloc *a)
{
	uint64_t cpu = read_cpu(a), more = cpu > a->cpu_ns ? cpu - a->cpu_ns : 0;

	a->cost.target_ns += more;
	a->cpu_ns = cpu;
	a->cpu_at_ns = clock_ns(CLOCK_MONOTONIC);
	return more;
}

/* Takes over other probes, if there are. The lock is held. */
static void take_next(struct event_alloc *a)
{
	uint64_t before;

	if (!a->has_next)
		return;
	if (a->attached)
		alloc_source_detach(a->source);
	a->attached = false;
	(void)account_cpu(a);
	before = a->cpu_ns;
	alloc_probes_fini(&a->probes);
	a->probes = a->next;
	a->next = (struct alloc_probes){};
	a->has_next = false;
	a->cpu_ns = read_cpu(a);
	a->cpu_at_ns = clock_ns(CLOCK_MONOTONIC);
	alloc_windows_recount(&a->windows, before, a->cpu_ns);
}

/* Returns whether there is anything to look at. The lock is held, and let go meanwhile. */
static bool attach(struct event_alloc *a)
{
	uint64_t begin = clock_ns(CLOCK_MONOTONIC);
	int r;

	if (a->attached)
		return true;
	pthread_mutex_unlock(&a->lock);
	r = a->probes.of.count ? alloc_source_attach(a->source, &a->probes) : 0;
	pthread_mutex_lock(&a->lock);
	if (r < 0)
		a->error = r;
	a->attached = r > 0;
	if (a->attached)
		a->windows.slow_ns = (double)(clock_ns(CLOCK_MONOTONIC) - begin);
	return a->attached;
}

/* The lock is held, and let go meanwhile. */
static void detach(struct event_alloc *a)
{
	pthread_mutex_unlock(&a->lock);
	alloc_source_detach(a->source);
	pthread_mutex_lock(&a->lock);
	a->attached = false;
}

/* Is a window to be closed before its time? */
static bool is_too_dear(const struct event_alloc *a, const struct alloc_window *window,
			uint64_t open_ns, const struct alloc_figures *before)
{
	struct alloc_figures figures;

	if (!window->stays && !window->only_learns)
		return false;
	alloc_source_figures(a->source, &figures);
	/* The clock of who runs meanwhile goes on only when the kernel's timer ticks. */
	if (window->only_learns)
		return (double)(figures.hits - before->hits) * a->trap_ns >=
		       (double)window->length_ns;
	return alloc_windows_is_too_dear(&a->windows, open_ns, figures.hits - before->hits);
}

/* Waits until a window is to be closed. cpu_ns: of the targets when it was opened. */
static void keep_open(struct event_alloc *a, const struct alloc_window *window, uint64_t cpu_ns,
		      const struct alloc_figures *before)
{
	uint64_t opened = clock_ns(CLOCK_MONOTONIC), closes = opened + window->limit_ns, now = opened;

	while (now < closes) {
		uint64_t cpu = read_cpu(a), used = cpu > cpu_ns ? cpu - cpu_ns : 0, wait = WATCH_NS;

		if (!window->stays && used >= window->length_ns)
			return;
		/* They may run on several CPUs. */
		if (!window->stays && (window->length_ns - used) / 2 < wait)
			wait = (window->length_ns - used) / 2 + SHORTEST_WAIT_NS;
		if (!wait_until(a, now + wait < closes ? now + wait : closes))
			return;
		now = clock_ns(CLOCK_MONOTONIC);
		if (is_too_dear(a, window, now - opened, before))
			return;
	}
}

/*
 * Looks for as long as the window says, and finds out what it stands for. The lock is held, and let go
 * meanwhile. Sets the times of the result.
 */
static void look(struct event_alloc *a, const struct alloc_window *window,
		 struct alloc_window_result *ret)
{
	uint64_t number = a->window_count + 1, begin = clock_ns(CLOCK_MONOTONIC), opened, closed;
	double *weight = &a->weights[number % WINDOWS_KEPT];
	struct alloc_figures before, figures;
	double probe_ns;

	alloc_source_figures(a->source, &before);
	opened = read_cpu(a);
	*weight = alloc_windows_open(&a->windows, window, opened);
	if (window->stays)
		a->window_count = number; /* that is known before */
	alloc_source_window(a->source, number, window->interval_bytes);
	keep_open(a, window, opened, &before);
	alloc_source_window(a->source, 0, 0);
	closed = read_cpu(a);
	a->windows.closed_ns = clock_ns(CLOCK_MONOTONIC);
	alloc_source_figures(a->source, &figures);
	opened = opened < closed ? opened : closed;
	probe_ns = (double)(figures.hits - before.hits) * a->trap_ns +
		   (double)(figures.sample_ns - before.sample_ns);
	*weight = alloc_windows_close(&a->windows, window, opened, closed, probe_ns, *weight);
	a->window_count = number;
	pthread_cond_broadcast(&a->weighed);
	ret->length_ns = closed - opened;
	/* They ran for as long as that, at least. */
	if (window->only_learns && (double)ret->length_ns < probe_ns)
		ret->length_ns = (uint64_t)probe_ns;
	ret->wall_ns = a->windows.closed_ns - begin;
}

static void learn(struct event_alloc *a, struct alloc_window_result *result,
		  const struct alloc_figures *start, const struct alloc_figures *opened,
		  const struct alloc_figures *closed, const struct alloc_figures *end)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	result->hits = closed->hits - opened->hits;
	result->bytes = closed->bytes - opened->bytes;
	result->sample_ns = closed->sample_ns - opened->sample_ns;
	result->outside_hits = opened->hits - start->hits + end->hits - closed->hits;
	if (now - a->cpu_at_ns >= LOOK_NS || a->windows.cpu == 0) {
		result->over_ns = now - a->cpu_at_ns;
		result->cpu_ns = account_cpu(a);
	}
	alloc_windows_learn(&a->windows, result);
	a->cost.hits += end->hits - start->hits;
	a->cost.probe_ns += (double)(end->hits - start->hits) * a->trap_ns +
			    (double)(end->sample_ns - start->sample_ns);
	a->cost.open_ns += result->length_ns;
}

/* One window. The lock is held. Returns whether it is to go on. */
static bool turn_once(struct event_alloc *a)
{
	struct alloc_window window = alloc_windows_next(&a->windows);
	struct alloc_figures start, opened, closed, end;
	struct alloc_window_result result = {};
	uint64_t begins;

	alloc_source_figures(a->source, &start);
	/* Probes that were to stay, as long as there were few calls, do not stay for the gap. */
	if (!window.stays && a->attached)
		detach(a);
	if (!window.stays || !a->attached) {
		begins = a->windows.closed_ns + window.gap_ns;
		/* Putting them there takes its time. */
		begins -= a->windows.slow_ns < (double)window.gap_ns ? (uint64_t)a->windows.slow_ns
								     : 0;
		if (!wait_until(a, begins))
			return false;
	}
	take_next(a);
	if (!attach(a)) {
		/* Nobody is there who could have allocated anything. */
		a->windows.closed_ns = clock_ns(CLOCK_MONOTONIC);
		return wait_until(a, clock_ns(CLOCK_MONOTONIC) + RETRY_NS);
	}
	alloc_source_figures(a->source, &opened);
	look(a, &window, &result);
	alloc_source_figures(a->source, &closed);
	if (!window.stays || a->stops)
		detach(a);
	alloc_source_figures(a->source, &end);
	learn(a, &result, &start, &opened, &closed, &end);
	return !a->stops;
}

static void *run(void *context)
{
	struct event_alloc *a = context;

	pthread_mutex_lock(&a->lock);
	while (turn_once(a)) {
	}
	alloc_source_detach(a->source);
	(void)account_cpu(a);
	a->runs = false;
	pthread_cond_broadcast(&a->weighed);
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* ---- samples ---- */

/* A value without its fraction, which the next one gets. */
static int64_t whole(double value, double *left)
{
	double exact = value + *left, rounded = floor(exact);

	*left = exact - rounded;
	return (int64_t)rounded;
}

static void fill_values(void *context, const struct pipeline *p, const struct wire_sample *sample,
			int64_t *values)
{
	struct event_alloc *a = context;
	double weight;

	pthread_mutex_lock(&a->lock);
	/* What a short window stands for is known when it has closed: in a moment. */
	while (a->runs && sample->address > a->window_count)
		pthread_cond_wait(&a->weighed, &a->lock);
	weight = sample->address && sample->address <= a->window_count
			 ? a->weights[sample->address % WINDOWS_KEPT]
			 : 0;
	pthread_mutex_unlock(&a->lock);
	weight /= alloc_chance(sample->size, sample->weight_ns ? sample->weight_ns : 1);
	values[p->measures.types[MEASURE_SAMPLES]] = weight > 0;
	values[p->measures.types[MEASURE_ALLOC_OBJECTS]] = whole(weight, &a->objects_left);
	values[p->measures.types[MEASURE_ALLOC_SPACE]] =
		whole(weight * (double)sample->size, &a->bytes_left);
}

/* ---- the recording's calls ---- */

static int open_alloc(struct recording *rec)
{
	struct event_alloc *a = calloc(1, sizeof(*a));
	struct source_failure failure;
	pthread_condattr_t attributes;
	int r;

	if (!a)
		return recording_complain(-ENOMEM, "cannot set up");
	rec->alloc = a;
	pthread_mutex_init(&a->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&a->wake, &attributes);
	pthread_cond_init(&a->weighed, NULL);
	pthread_condattr_destroy(&attributes);
	if (rec->config->target.everything) {
		log_error(
			"'-e alloc' probes the processes that it is told: name them with -p PID, or "
			"start one with -- COMMAND");
		return -EINVAL;
	}
	r = alloc_targets_new(&a->targets);
	if (r < 0)
		return recording_complain(r, "cannot set up");
	r = alloc_source_open(&a->source, rec->source, &failure);
	if (r < 0)
		return recording_complain(r, failure.what);
	r = alloc_source_measure(a->source, &a->trap_ns);
	if (r == -EOPNOTSUPP) {
		log_error(
			"'-e alloc' needs a kernel with uprobe_multi links, which Linux 6.6 is the first "
			"to have");
		return r;
	}
	if (r < 0)
		return recording_complain(r, "cannot find out what a probe costs here");
	if (a->trap_ns > TRAP_NS_MAX) {
		log_error(
			"'-e alloc': a probe takes %.1f us of each call here, which is too much: this "
			"kernel steps through each probed instruction",
			a->trap_ns / 1000);
		return -EOPNOTSUPP;
	}
	rec->pipeline.counters[EVENT_ALLOC] =
		(struct sample_counter){ .values = fill_values, .context = a };
	return 0;
}

/* Hands the thread what is to be probed from now on, if that is anything else. */
static int find_targets(struct recording *rec)
{
	struct event_alloc *a = rec->alloc;
	struct alloc_probes found;
	bool changed;
	int r;

	a->looked_ns = clock_ns(CLOCK_MONOTONIC);
	r = alloc_targets_find(a->targets, &rec->pipeline, &found, &changed);
	if (r < 0 || !changed)
		return r;
	pthread_mutex_lock(&a->lock);
	alloc_probes_fini(&a->next);
	a->next = found;
	a->has_next = true;
	pthread_mutex_unlock(&a->lock);
	return 0;
}

static int start_alloc(struct recording *rec)
{
	struct event_alloc *a = rec->alloc;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	sigset_t all, before;
	int r = find_targets(rec);

	if (r < 0)
		return recording_complain(r, "cannot look for what allocates");
	if (!rec->launch.pid && alloc_targets_trouble(a->targets)[0]) {
		log_error("'-e alloc': %s", alloc_targets_trouble(a->targets));
		return -EINVAL;
	}
	alloc_windows_init(&a->windows, rec->config->alloc_overhead_percent / 100, a->trap_ns,
			   now ^ (uint64_t)getpid() << 32, now);
	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	a->runs = true;
	r = -pthread_create(&a->thread, NULL, run, a);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	a->has_thread = a->runs = r == 0;
	return r < 0 ? recording_complain(r, "cannot start a thread") : 0;
}

static void stop_alloc(struct recording *rec)
{
	struct event_alloc *a = rec->alloc;

	if (!a || !a->has_thread)
		return;
	pthread_mutex_lock(&a->lock);
	a->stops = true;
	pthread_cond_signal(&a->wake);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	a->has_thread = false;
}

/* All samples are there. */
static void correct_values(struct recording *rec)
{
	const struct pipeline *p = &rec->pipeline;
	struct event_alloc *a = rec->alloc;
	double factor =
		alloc_windows_correction(&a->windows, (double)a->cost.target_ns - a->cost.probe_ns);

	for (uint32_t i = 0; i < p->profile->samples.count; i++) {
		int64_t *values = &p->profile->values.at[i * p->profile->types.count];
		int64_t *objects = &values[p->measures.types[MEASURE_ALLOC_OBJECTS]];
		int64_t *bytes = &values[p->measures.types[MEASURE_ALLOC_SPACE]];

		*objects = whole((double)*objects * factor, &a->objects_left);
		*bytes = whole((double)*bytes * factor, &a->bytes_left);
	}
}

static int turn_alloc(struct recording *rec, bool last)
{
	struct event_alloc *a = rec->alloc;
	int r = 0;

	if (last)
		correct_values(rec);

	if (!last && a->has_thread && clock_ns(CLOCK_MONOTONIC) - a->looked_ns >= LOOK_NS)
		r = find_targets(rec);
	if (last && !a->cost.hits && alloc_targets_trouble(a->targets)[0])
		log_warning("'-e alloc': %s", alloc_targets_trouble(a->targets));
	return r;
}

static void close_alloc(struct recording *rec)
{
	struct event_alloc *a = rec->alloc;

	if (!a)
		return;
	stop_alloc(rec);
	alloc_source_close(a->source);
	alloc_targets_free(a->targets);
	alloc_probes_fini(&a->probes);
	alloc_probes_fini(&a->next);
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->wake);
	pthread_cond_destroy(&a->weighed);
	free(a);
	rec->alloc = NULL;
}

struct alloc_cost event_alloc_cost(struct event_alloc *a)
{
	struct alloc_cost cost;

	pthread_mutex_lock(&a->lock);
	cost = a->cost;
	cost.windows = a->window_count;
	pthread_mutex_unlock(&a->lock);
	return cost;
}

const struct event_source event_source_alloc = {
	.events = EVENT_BIT(EVENT_ALLOC),
	.open = open_alloc,
	.start = start_alloc,
	.stop = stop_alloc,
	.turn = turn_alloc,
	.close = close_alloc,
};
