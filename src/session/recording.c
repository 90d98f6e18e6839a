// SPDX-License-Identifier: Apache-2.0
#include "session/recording_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "session/event_alloc.h"
#include "session/event_source.h"
#include "session/heap.h"
#include "session/measures.h"
#include "session/meet.h"
#include "session/new_files.h"

/* How often the timers are moved against the program. */
#define REPHASE_NS 500000000ULL
/* Each time costs half a period on average: a timer that is moved too often never fires. */
#define REPHASE_PERIODS 20

/* How often it is looked whether CPUs came online. */
#define FOLLOW_CPUS_NS 2000000000ULL

/* How far behind now samples are used, so that no event of the same time is still on its way. */
#define SLACK_NS 5000000ULL

#define SHOW_WAITING_NS 300000000ULL

enum {
	TURN_MS = 200,        /* between two turns of the loop at up to 250 Hz */
	TURN_COUNTED_MS = 20, /* nobody knows how often what is counted happens */
	TURN_SAMPLES = 50,    /* at higher rates: samples of one CPU between two turns */
	NAMING_BUDGET_NS = 20000000,
	WAIT_MS = 100,
	PRIORITY = -10, /* nice value while recording, where permitted */
};

/* ---- what ends it ---- */

/* Whatever is under way: sampling ends now, and what is asked from now on gets little time. */
static void end_it(struct recording *rec, enum recording_end end)
{
	if (rec->end == RECORDING_RUNS || end == RECORDING_SIGNAL)
		rec->end = end;
	if (rec->began_ns && !rec->ended_ns) {
		FOR_EACH_EVENT_SOURCE(source, rec)
			if ((*source)->stop)
				(*source)->stop(rec);
		rec->ended_ns = clock_ns(CLOCK_MONOTONIC);
	}
	workers_hurry(&rec->workers);
}

static void take_signals(struct recording *rec)
{
	struct signalfd_siginfo info;

	while (read(rec->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		/* A terminal that goes away may say so twice, and is no reason to hurry. */
		bool hangup = info.ssi_signo == SIGHUP;
		bool again = rec->end != RECORDING_RUNS && !hangup;

		if (rec->take_signal && rec->end == RECORDING_RUNS &&
		    rec->take_signal(rec->watch_context, (int)info.ssi_signo))
			continue;
		if (hangup && rec->end == RECORDING_SIGNAL)
			continue;
		end_it(rec, RECORDING_SIGNAL);
		rec->end_signal = (int)info.ssi_signo;
		rec->end_signal_by_user = info.ssi_code <= 0;
		rec->impatient |= again;
		if (again)
			workers_wait_no_more(&rec->workers);
	}
}

/* It stays readable: who waits for the end when sampling is over has to see it, too. */
static void take_stop(struct recording *rec)
{
	if (rec->end == RECORDING_RUNS)
		end_it(rec, RECORDING_STOPPED);
}

void recording_stop(struct recording *rec)
{
	uint64_t once = 1;

	(void)!write(rec->stop_fd, &once, sizeof(once));
}

static void take_launch_result(struct recording *rec)
{
	bool was_open = rec->launch.fail_fd >= 0;
	int r = launch_result(&rec->launch); /* what it closes leaves the epoll set */

	if (r == 0 && was_open)
		recording_say_why_copies(rec);
	if (r >= 0)
		return;
	rec->launch_failure = r;
	end_it(rec, RECORDING_TARGET_GONE);
}

static void target_ended(struct recording *rec, uint64_t index)
{
	if (rec->pid_fds.at[index] < 0)
		return;
	close(rec->pid_fds.at[index]); /* leaves the epoll set with it */
	rec->pid_fds.at[index] = -1;
	rec->targets_alive--;
}

static bool nothing_left(const struct recording *rec)
{
	const struct target *target = &rec->config->target;

	if (target->everything)
		return false;
	if (target->tids.count)
		return !sampler_watches_any(&rec->sampler);
	if (rec->targets_alive)
		return false;
	/* The command's end is the end; a daemon it left behind would never let us go. */
	return target->command || !target->children || !sampler_watches_any(&rec->sampler);
}

static void check_duration(struct recording *rec)
{
	if (rec->config->duration_ns && rec->began_ns && rec->end == RECORDING_RUNS &&
	    clock_ns(CLOCK_MONOTONIC) >= rec->began_ns + rec->config->duration_ns)
		end_it(rec, RECORDING_DURATION);
}

/* Waits for something to happen, at most `ms`. Returns 0 or a negative errno. */
static int wait_for_events(struct recording *rec, int ms)
{
	struct epoll_event events[16];
	int count = epoll_wait(rec->epoll_fd, events, ARRAY_SIZE(events), ms);

	if (count < 0 && errno != EINTR)
		return -errno;
	take_signals(rec);
	/* Before it is seen that the process has ended. */
	take_launch_result(rec);
	for (int i = 0; i < count; i++)
		if (events[i].data.u64 < WAKE_WATCHER)
			target_ended(rec, events[i].data.u64);
		else if (events[i].data.u64 == WAKE_STOP)
			take_stop(rec);
	if (rec->end == RECORDING_RUNS && nothing_left(rec))
		end_it(rec, RECORDING_TARGET_GONE);
	check_duration(rec);
	return 0;
}

/* To be done before events are drained: whatever happened before a sample is known then. */
static int drain_samples(struct recording *rec)
{
	int r = sampler_drain(&rec->sampler, pipeline_sample, &rec->pipeline);

	FOR_EACH_EVENT_SOURCE(source, rec)
		if (r == 0 && (*source)->drain)
			r = (*source)->drain(rec);
	return r;
}

static int take_event(void *context, const struct lifecycle_event *event)
{
	struct recording *rec = context;
	int r = sampler_event(&rec->sampler, event);

	return r < 0 ? r : pipeline_event(&rec->pipeline, event);
}

/* Both streams, in that order, and what waited in between. */
static int collect(struct recording *rec)
{
	int r = drain_samples(rec);

	if (r == 0)
		r = lifecycle_drain(rec->lifecycle, take_event, rec);
	return r < 0 ? r : sampler_settle(&rec->sampler, pipeline_sample, &rec->pipeline);
}

/*
 * While a worker is asked: what comes must not be lost, and is used in the next turn; nor must the
 * question outlive the recording.
 */
void recording_collect(void *context)
{
	struct recording *rec = context;

	(void)collect(rec);
	if (rec->running)
		(void)wait_for_events(rec, 0);
	else
		take_signals(rec);
	if (rec->watch)
		rec->watch(rec->watch_context, true);
}

/* The same when it is over. */
static void watch_signals(void *context)
{
	take_signals(context);
}

void recording_let_signals_through(struct recording *rec)
{
	sigset_t ends;

	take_signals(rec);
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_UNBLOCK, &ends, NULL);
}

void recording_fini(struct recording *rec)
{
	launch_fini(&rec->launch);
	FOR_EACH_EVENT_SOURCE(source, rec)
		if ((*source)->close)
			(*source)->close(rec);
	if (rec->pipeline_ready)
		pipeline_fini(&rec->pipeline);
	fetches_fini(&rec->fetches);
	workers_fini(&rec->workers);
	rate_limit_close(&rec->rate_limit);
	cpu_source_close(rec->source);
	copy_source_close(rec->copies);
	lifecycle_close(rec->lifecycle);
	for (uint32_t i = 0; i < rec->pid_fds.count; i++)
		if (rec->pid_fds.at[i] >= 0)
			close(rec->pid_fds.at[i]);
	array_fini(&rec->pid_fds);
	array_fini(&rec->cpus.cpus);
	if (rec->epoll_fd >= 0)
		close(rec->epoll_fd);
	if (rec->signal_fd >= 0)
		close(rec->signal_fd);
	if (rec->stop_fd >= 0)
		close(rec->stop_fd);
}

/* ---- running ---- */

/* Where walks were cut, more is copied from now on. */
static int grow_copies(struct recording *rec)
{
	struct pipeline *p = &rec->pipeline;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < p->cuts.count; i++)
		r = copy_source_note_cut(rec->copies, p->cuts.at[i].tid, p->cuts.at[i].copied);
	p->cuts.count = 0;
	if (r == 0)
		r = copy_source_grow(rec->copies);
	if (r == 0 || r == -ENOMEM)
		return r;
	log_warning("copies of stacks cannot be made larger: %s; some threads may not be sampled any more%s",
		    strerror(-r), r == -EMFILE ? "; raise it with 'ulimit -n'" : "");
	return 0;
}

/* One turn: everything the streams hold goes into the profile. */
static int turn(struct recording *rec, bool last)
{
	struct pipeline *p = &rec->pipeline;
	uint64_t horizon = last ? UINT64_MAX : clock_ns(CLOCK_MONOTONIC) - SLACK_NS;
	int r = collect(rec);

	if (r == 0)
		r = new_files_open(p);
	if (r == 0)
		r = meet_strangers(p);
	/* What happened until they were looked at. */
	if (r > 0)
		r = lifecycle_drain(rec->lifecycle, take_event, rec);
	if (r == 0)
		r = pipeline_advance(p, horizon);
	if (r == 0 && rec->copies)
		r = grow_copies(rec);
	rate_limit_look(&rec->rate_limit);
	FOR_EACH_EVENT_SOURCE(source, rec)
		if (r == 0 && (*source)->turn)
			r = (*source)->turn(rec, last);
	if (r == 0 && !last)
		r = pipeline_publish(p);
	if (r == 0 && rec->config->debuginfod_servers)
		fetches_advance(&rec->fetches, &rec->workers, &p->naming);
	if (r == 0 && (last || !rec->names_wait))
		r = naming_advance(&p->naming, last ? UINT64_MAX : NAMING_BUDGET_NS);
	return r;
}

/* "; downloading libfoo.so 3.1 of 80.0 MB", without bytes that a terminal would act on. */
static void add_downloads(const struct recording *rec, struct bytes *ret, const char *before)
{
	cleanup(bytes_fini) struct bytes text = {};

	fetches_progress(&rec->fetches, &text);
	if (!text.size || !bytes_str(&text))
		return;
	bytes_add_str(ret, before);
	for (size_t i = 0; i < text.size; i++)
		bytes_add_char(ret, text.at[i] >= ' ' && text.at[i] < 0x7f ? text.at[i] : '?');
}

static void show_progress(struct recording *rec)
{
	uint64_t counters[COUNT_COUNTERS], elapsed = clock_ns(CLOCK_MONOTONIC) - rec->began_ns;
	cleanup(bytes_fini) struct bytes downloads = {};
	struct health_clock now;
	double seconds = (double)elapsed / 1e9;

	add_downloads(rec, &downloads, "; downloading ");
	sampler_counters(&rec->sampler, counters);
	health_clock_read(&now, &rec->pipeline);
	fprintf(stderr,
		"\r\033[K%.0f s, %" PRIu64 " samples (%.0f/s), %" PRIu64
		" lost, own CPU %.2f%%%s. Ctrl-C to stop. ",
		seconds, counters[COUNT_SENT], (double)counters[COUNT_SENT] / seconds,
		counters[COUNT_DROPPED],
		(double)(now.cpu_ns - rec->started.cpu_ns + counters[COUNT_RUN_NS]) /
			(double)elapsed * 100,
		bytes_str(&downloads) ? downloads.at : "");
	fflush(stderr);
}

/* Lets the program warm up: --delay. The process events are followed meanwhile. */
static int warm_up(struct recording *rec)
{
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + rec->config->delay_ns, now;
	int r = 0;

	while (r == 0 && rec->end == RECORDING_RUNS &&
	       (now = clock_ns(CLOCK_MONOTONIC)) < until) {
		uint64_t left = (until - now) / 1000000 + 1;

		r = wait_for_events(rec, left < TURN_MS ? (int)left : TURN_MS);
		if (r == 0)
			r = turn(rec, false);
	}
	return r;
}

static int start(struct recording *rec)
{
	int r = 0;

	/*
	 * A busy target must not starve its profiler of the few milliseconds that it needs. The
	 * command was forked before: it keeps the caller's priority. Who chose one for us has it.
	 */
	rec->raised = !rec->config->background && getpriority(PRIO_PROCESS, 0) == 0 &&
		      setpriority(PRIO_PROCESS, 0, PRIORITY) == 0;
	if (rec->raised)
		workers_set_priority(&rec->workers, PRIORITY);
	health_clock_read(&rec->started, &rec->pipeline);
	rec->began_wall_ns = (int64_t)clock_ns(CLOCK_REALTIME);
	rec->began_ns = clock_ns(CLOCK_MONOTONIC);
	FOR_EACH_EVENT_SOURCE(source, rec)
		if (r == 0 && (*source)->start)
			r = (*source)->start(rec);
	return r;
}

static void let_command_go(struct recording *rec)
{
	int r = 0;

	rec->running = true;
	if (rec->launch.pid && rec->end == RECORDING_RUNS)
		r = launch_go(&rec->launch);
	if (r < 0) {
		rec->launch_failure = r;
		end_it(rec, RECORDING_TARGET_GONE);
	}
}

static int turn_ms(const struct recording *rec)
{
	uint64_t ms = TURN_SAMPLES * sampler_period_ns(&rec->sampler) / 1000000;

	if (rec->turn_ms)
		return (int)rec->turn_ms;
	if (rec->config->counted_period)
		return TURN_COUNTED_MS;
	return ms < 5 ? 5 : ms < TURN_MS ? (int)ms : TURN_MS;
}

static uint64_t rephase_ns(const struct recording *rec)
{
	uint64_t least = REPHASE_PERIODS * sampler_period_ns(&rec->sampler);

	return least > REPHASE_NS ? least : REPHASE_NS;
}

/* CPUs that came online are listened to, and sampled. What happened on them until now is not known. */
static int follow_cpus(struct recording *rec)
{
	struct cpu_list online = {}, changed = {};
	struct lifecycle_event unknown = { .type = LIFECYCLE_LOST, .lost = 1 };
	int r = cpu_list_online(&online);

	if (r == 0)
		r = sampler_follow(&rec->sampler, &online, &changed);
	FOR_EACH_EVENT_SOURCE(source, rec)
		if (r == 0 && (*source)->follow)
			r = (*source)->follow(rec, &online);
	for (uint32_t i = 0; r == 0 && i < changed.cpus.count; i++) {
		r = lifecycle_drain(rec->lifecycle, take_event, rec);
		if (r == 0)
			r = lifecycle_listen_again(rec->lifecycle, changed.cpus.at[i]);
		unknown.time_ns = clock_ns(CLOCK_MONOTONIC);
		if (r == 0)
			r = pipeline_event(&rec->pipeline, &unknown);
		if (!rec->config->quiet && !rec->config->on_screen)
			log_info("CPU %u came online meanwhile: it is sampled from now on, and was not "
				 "for up to %.0f s before",
				 changed.cpus.at[i], FOLLOW_CPUS_NS * 1.5 / 1e9);
	}
	array_fini(&online.cpus);
	array_fini(&changed.cpus);
	return r;
}

static int loop(struct recording *rec)
{
	bool progress = !rec->config->quiet && !rec->config->on_screen && isatty(STDERR_FILENO);
	uint64_t shown_ns = 0, phased_ns = rec->began_ns, followed_ns = rec->began_ns;
	int r = 0;

	while (r == 0 && rec->end == RECORDING_RUNS) {
		int ms = turn_ms(rec);
		uint64_t now = clock_ns(CLOCK_MONOTONIC), left = (uint64_t)ms;

		if (now - phased_ns >= rephase_ns(rec)) {
			sampler_rephase(&rec->sampler, now - phased_ns);
			phased_ns = now;
		}
		if (now - followed_ns >= FOLLOW_CPUS_NS) {
			r = follow_cpus(rec);
			followed_ns = now;
		}
		if (r == 0 && rec->config->duration_ns) {
			uint64_t until = rec->began_ns + rec->config->duration_ns;

			left = now < until ? (until - now) / 1000000 + 1 : 0;
		}
		if (r == 0)
			r = wait_for_events(rec, left < (uint64_t)ms ? (int)left : ms);
		if (r == 0 && rec->end != RECORDING_DURATION)
			r = turn(rec, false);
		if (r == 0 && rec->watch)
			rec->watch(rec->watch_context, false);
		if (progress && now - shown_ns >= 1000000000ULL) {
			shown_ns = now;
			show_progress(rec);
		}
	}
	if (progress && shown_ns)
		fputs("\r\033[K", stderr);
	return r;
}

int recording_run(struct recording *rec)
{
	int r = 0;

	if (rec->config->delay_ns) {
		let_command_go(rec);
		r = warm_up(rec);
		if (r == 0)
			r = start(rec);
	} else {
		r = start(rec);
		if (r == 0)
			let_command_go(rec);
	}
	if (r == 0)
		r = loop(rec);
	end_it(rec, rec->end);
	workers_set_meanwhile(&rec->workers, watch_signals, rec);
	if (rec->raised) { /* what is left to do can wait for others */
		(void)setpriority(PRIO_PROCESS, 0, 0);
		workers_set_priority(&rec->workers, 0);
	}
	if (r == 0 && rec->launch_failure) {
		r = rec->launch_failure;
		log_error("cannot start '%s': %s", rec->config->target.command[0], strerror(-r));
	}
	return r;
}

static void show_waiting(const struct recording *rec, uint64_t left_ns)
{
	cleanup(bytes_fini) struct bytes downloads = {};

	add_downloads(rec, &downloads, "downloading ");
	if (bytes_str(&downloads))
		fprintf(stderr, "\r\033[K%s; at most %" PRIu64 " s more. Ctrl-C to go on without. ",
			downloads.at, (left_ns + 999999999) / 1000000000);
	fflush(stderr);
}

/* Names what still comes, for a while. */
static int wait_for_debug_files(struct recording *rec)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC), until = now + rec->config->debuginfod_wait_ns;
	bool progress = !rec->config->quiet && !rec->config->on_screen && isatty(STDERR_FILENO),
	     shown = false;
	struct naming *naming = &rec->pipeline.naming;
	uint64_t shown_ns = now;
	int r = 0;

	while (r == 0) {
		fetches_advance(&rec->fetches, &rec->workers, naming);
		r = naming_advance(naming, UINT64_MAX);
		now = clock_ns(CLOCK_MONOTONIC);
		if (!fetches_pending(&rec->fetches) || rec->impatient || now >= until)
			break;
		if (progress && now - shown_ns >= SHOW_WAITING_NS) {
			shown_ns = now;
			shown = true;
			show_waiting(rec, until - now);
		}
		fetches_wait(&rec->fetches, rec->signal_fd, WAIT_MS);
		take_signals(rec);
	}
	fetches_give_up(&rec->fetches);
	if (shown)
		fputs("\r\033[K", stderr);
	return r;
}

int recording_finish(struct recording *rec, struct health *ret)
{
	int r = turn(rec, true);

	if (r == 0 && rec->config->debuginfod_servers)
		r = wait_for_debug_files(rec);

	if (r < 0)
		return r;
	health_clock_read(&rec->stopped, &rec->pipeline);
	*ret = (struct health){
		.duration_s = (double)(rec->ended_ns - rec->began_ns) / 1e9,
	};
	if (rec->config->events & EVENT_BIT(EVENT_CPU))
		ret->frequency_hz = 1e9 / (double)sampler_period_ns(&rec->sampler);
	else if (rec->config->events & EVENTS_COUNTED_BITS && !rec->config->counted_period)
		ret->frequency_hz = rec->config->frequency_hz;
	if (rec->growth) {
		ret->has_growth = true;
		growth_summarize(rec->growth, &ret->growth);
	}
	if (rec->heap) {
		ret->has_heap = true;
		heap_summarize(rec, &ret->heap);
	}
	if (rec->config->debuginfod_servers)
		ret->fetches = &rec->fetches;
	health_gather(ret, rec, &rec->started, &rec->stopped);
	if (rec->alloc) {
		struct alloc_cost cost = event_alloc_cost(rec->alloc);

		health_add_probes(ret, &cost);
	}
	return 0;
}

/* The command goes on when the time is over, and is told when we are told to end. */
int recording_end_command(struct recording *rec)
{
	int status;

	if (rec->launch.go_fd >= 0 || launch_result(&rec->launch) == LAUNCH_UNDER_WAY) {
		log_error("cannot start '%s': %s", rec->config->target.command[0],
			  rec->launch.go_fd >= 0 ? "the recording has ended before"
						 : "its file system does not answer");
		return rec->end == RECORDING_SIGNAL ? 128 + rec->end_signal : 1;
	}
	if (rec->end == RECORDING_SIGNAL && (rec->end_signal_by_user || rec->end_signal != SIGINT))
		(void)kill(rec->launch.pid, rec->end_signal);
	/* There is no terminal that would have told it. */
	if (rec->end == RECORDING_STOPPED)
		(void)kill(rec->launch.pid, SIGTERM);
	status = launch_wait(&rec->launch);
	if (status < 0) {
		log_error("cannot wait for the command: %s", strerror(-status));
		return 1;
	}
	return status;
}
