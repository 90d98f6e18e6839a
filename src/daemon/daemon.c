// SPDX-License-Identifier: Apache-2.0
/*
 * One thread records and looks after everything else between two turns of its loop; it waits for
 * nothing but events. Another one writes windows. What answers clients, and what reads programs' files,
 * are processes of their own.
 */
#include "daemon/daemon.h"

#include <errno.h>
#include <grp.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/daemon_parts.h"
#include "session/keep_names.h"

/* No window is shorter: each costs a transaction. */
#define SHORTEST_NS 1000000000ULL
#define LOOK_NS 1000000000ULL
#define MEMORY_NS 60000000000ULL
/* Each look asks about every file of every process that runs. */
#define CHECK_NS 1000000000ULL
/* Not oftener: what is let go of has to be read again. */
#define RELIEVE_NS 300000000000ULL

enum {
	TURN_MS = 1000,
	CAPTURE_TURN_MS = 100, /* for a capture to end when it is to */
	CLOSE_MS = 5000,
};

/* ---- between two turns ---- */

static void stop_or_go_on(struct daemon *d, uint64_t now_ns)
{
	bool stopped = daemon_config_is_stopped(d->config);

	if (stopped == d->paused)
		return;
	d->paused = stopped;
	if (stopped) {
		(void)daemon_cut(d, now_ns);
		cpu_source_stop(d->recording.source);
		helpers_stopped(d);
		log_info("sampling is stopped, for there is the file %s", d->config->stop_file);
		return;
	}
	(void)cpu_source_start(d->recording.source);
	d->began_ns = now_ns;
	d->began_wall = (int64_t)clock_ns(CLOCK_REALTIME);
	/* What the stop took belongs to no window. */
	d->lost_before = daemon_lost(d);
	d->costs_before = d->costs;
	log_info("sampling goes on: the file %s is gone", d->config->stop_file);
}

/*
 * Above the limit who reads source lines begins anew, which gets largest by what it keeps; if that is not
 * enough, all else that can be had again is let go of. The profile of a window is limited by itself
 * (open_recording).
 */
static void mind_memory(struct daemon *d, uint64_t now_ns)
{
	const pid_t helpers[] = { d->has_server ? d->server.pid : 0, d->tidy_pid };
	struct workers *workers = &d->recording.workers;
	uint64_t limit = d->config->memory_bytes;

	/* Looking costs as much as recording does in a second. */
	if (d->memory_ns && now_ns - d->memory_ns < MEMORY_NS)
		return;
	d->memory_ns = now_ns;
	(void)malloc_trim(0); /* of windows that have been handed over */
	costs_read_memory(&d->costs, &d->recording, helpers, ARRAY_SIZE(helpers));
	if (d->costs.rss_bytes <= limit || now_ns - d->relieved_ns < RELIEVE_NS)
		return;
	log_debug("%llu MiB resident, more than %llu MiB: what can be had again is let go of",
		  (unsigned long long)d->costs.rss_bytes >> 20, (unsigned long long)limit >> 20);
	d->relieved_ns = now_ns;
	worker_restart(&workers->liner);
	if (d->costs.rss_bytes - d->costs.liner_bytes > limit) {
		worker_restart(&workers->reader);
		known_names_forget(&d->known);
	}
}

static void tell_status(struct daemon *d)
{
	if (d->paused)
		notify_status(&d->notify, "stopped by the file %s", d->config->stop_file);
	else
		notify_status(&d->notify, "%u Hz, %u processes, %llu samples lost",
			      d->governor.rate_hz, d->recording.pipeline.processes.processes.count,
			      (unsigned long long)daemon_lost(d));
}

/* hz_before: the rate that was asked for until now. */
static void take_settings(struct daemon *d, uint32_t hz_before)
{
	const struct config *record = &d->config->record;

	if (record->frequency_hz && record->frequency_hz != hz_before) {
		governor_init(&d->governor, record->frequency_hz, d->config->max_overhead_percent);
		cpu_source_set_rate(d->recording.source, record->frequency_hz);
	}
	d->governor.limit = d->config->max_overhead_percent / 100;
	if (d->has_windows)
		windows_set_limits(&d->windows, d->config->store_bytes, d->config->store_age_ns);
}

static void reload(struct daemon *d)
{
	uint32_t hz = d->config->record.frequency_hz;

	d->must_reload = false;
	notify_reloading(&d->notify);
	if (daemon_config_reload(d->config) > 0)
		take_settings(d, hz);
	notify_ready(&d->notify, "recording");
	tell_status(d);
}

static void read_costs(struct daemon *d)
{
	const pid_t helpers[] = { d->has_server ? d->server.pid : 0, d->tidy_pid };

	costs_read(&d->costs, &d->recording, helpers, ARRAY_SIZE(helpers),
		   d->ended_cpu_ns + d->recorders.ended_cpu_ns,
		   d->fixed_kernel_bytes);
}

static void look_around(struct daemon *d, uint64_t now_ns)
{
	d->looked_ns = now_ns;
	read_costs(d);
	stop_or_go_on(d, now_ns);
	if (d->must_reload)
		reload(d);
}

/* Sleeps to the next thing that is due at a certain time. */
static uint32_t turn_ms(const struct daemon *d, uint64_t now_ns)
{
	uint64_t until = d->began_ns + d->config->window_ns;
	uint64_t end = captures_next_end(&d->captures), ms;

	if (d->paused)
		return TURN_MS; /* no window ends */
	if (end < until)
		until = end;
	ms = until > now_ns ? (until - now_ns) / 1000000 + 1 : 1;
	if (d->captures.list.count && ms > CAPTURE_TURN_MS)
		ms = CAPTURE_TURN_MS;
	return ms < TURN_MS ? (uint32_t)ms : TURN_MS;
}

static void begin(struct daemon *d)
{
	d->began_ns = d->recording.began_ns;
	d->began_wall = d->recording.began_wall_ns;
	/* Before anything may end the window. */
	read_costs(d);
	d->costs_before = d->costs;
	look_around(d, d->began_ns);
	notify_ready(&d->notify, "recording");
	tell_status(d);
}

static void watch(void *context, bool asking)
{
	struct daemon *d = context;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (asking) {
		/* That may take a while, and who asks how things are is not to wait for it. */
		if (d->began_ns)
			helpers_answer(d);
		return;
	}
	if (!d->began_ns)
		begin(d);
	if (now - d->looked_ns >= LOOK_NS)
		look_around(d, now);
	helpers_look(d, now);
	if (!d->paused && (now - d->began_ns >= d->config->window_ns ||
			   (captures_want_cut(&d->captures, now) &&
			    now - d->began_ns >= SHORTEST_NS))) {
		look_around(d, now);
		if (daemon_cut(d, now) < 0)
			log_error("out of memory: a window was not cut");
		mind_memory(d, now);
		tell_status(d);
		/* Its end may be what somebody waits for. */
		now = clock_ns(CLOCK_MONOTONIC);
	}
	notify_alive(&d->notify, now);
	d->recording.turn_ms = turn_ms(d, now);
}

static bool take_signal(void *context, int number)
{
	struct daemon *d = context;

	if (number == SIGHUP)
		d->must_reload = true;
	return number == SIGHUP;
}

static void meet(void *context, pid_t pid, const char *comm, const struct group_identity *group)
{
	struct daemon *d = context;

	if (d->captures.list.count)
		captures_meet(&d->captures, pid, comm, group);
}

void daemon_meet_all(struct daemon *d)
{
	const struct process_table *table = &d->recording.pipeline.processes;

	if (!d->captures.list.count)
		return;
	for (uint32_t i = 0; i < table->processes.count; i++) {
		const struct process *process = table->processes.at[i];

		if (process->sampled)
			captures_meet(&d->captures, process->pid, process->comm,
				      identities_group(&d->identities, process->cgroup,
						       process->pid));
	}
}

/* ---- life ---- */

static int open_history(struct daemon *d)
{
	const struct daemon_config *config = d->config;
	struct store_options options = { .folder = config->store_folder,
					 .max_bytes = config->store_bytes,
					 .max_age_ns = config->store_age_ns,
					 .group = config->socket_group };
	int r;

	if (!config->history)
		return 0;
	if (options.group && !getgrnam(options.group)) {
		log_info("there is no group '%s': only the user whom profd runs as may read the "
			 "history",
			 options.group);
		options.group = NULL;
	}
	r = windows_open(&d->windows, &options);
	d->has_windows = r == 0;
	return r;
}

static int open_server(struct daemon *d)
{
	const struct daemon_config *config = d->config;
	cleanup(bytes_fini) struct bytes why = {};
	struct server_options options = { .store_folder = config->history ? config->store_folder
									  : NULL,
					  .socket_path = config->socket_path,
					  .socket_group = config->socket_group,
					  .listen = config->listen,
					  .token_file = config->token_file,
					  .hosts = config->allowed_hosts.at,
					  .host_count = config->allowed_hosts.count };
	int r;

	d->server = (struct server)SERVER_NULL;
	if (!config->socket_path && !config->listen)
		return 0;
	if (!server_is_built_in()) {
		/* There is a socket by default; who wants a port has said so. */
		if (!config->listen)
			return 0;
		log_error("--listen: this profd was built without its HTTP server");
		return -ENOSYS;
	}
	r = server_open(&d->server, &options, &why);
	if (r < 0) {
		log_error("%s", bytes_str(&why) ? why.at : strerror(-r));
		return r;
	}
	d->has_server = true;
	return 0;
}

static int open_recording(struct daemon *d)
{
	struct config *record = &d->config->record;
	struct pipeline *p = &d->recording.pipeline;
	int r;

	record->itself = d->config->itself;
	record->background = true;
	record->kernel_bytes = d->config->kernel_bytes;
	record->quiet = true;
	r = recording_open(&d->recording, record);
	if (r < 0)
		return r;
	identities_init(&d->identities);
	p->identities = &d->identities;
	p->meet = meet;
	p->meet_context = d;
	p->check_ns = CHECK_NS;
	if (d->has_windows) {
		p->naming.knows = known_names_has;
		p->naming.knows_context = &d->known;
	}
	/* What is counted beyond this is counted without its stack. */
	p->budget.limit = d->config->memory_bytes / 4;
	d->fixed_kernel_bytes = cpu_source_kernel_bytes(d->recording.source);
	d->captures.source = d->recording.source;
	d->recorders.symbol_cache = d->config->record.symbol_cache;
	d->recording.names_wait = true;
	d->recording.watch = watch;
	d->recording.take_signal = take_signal;
	d->recording.watch_context = d;
	return 0;
}

static int run(struct daemon *d)
{
	struct health health;
	int r = recording_run(&d->recording);

	if (r == 0 && d->began_ns && !d->paused) {
		r = recording_finish(&d->recording, &health);
		if (r == 0)
			r = daemon_cut(d, clock_ns(CLOCK_MONOTONIC));
	}
	return r;
}

int daemon_run(struct daemon_config *config)
{
	cleanup(free) struct daemon *d = calloc(1, sizeof(*d));
	int r;

	if (!d) {
		log_error("out of memory");
		return 1;
	}
	d->config = config;
	governor_init(&d->governor,
		      config->record.frequency_hz
			      ? config->record.frequency_hz
			      : (uint32_t)(1000000000ULL / config->record.period_ns) + 1,
		      config->max_overhead_percent);
	if (notify_open(&d->notify) < 0)
		log_info("the service manager's socket cannot be used: it is told nothing");
	r = open_server(d);
	if (r == 0)
		r = open_history(d);
	if (r == 0) {
		r = open_recording(d);
		if (r == 0) {
			helpers_open(d);
			r = run(d);
			recording_let_signals_through(&d->recording);
			keep_names(&d->recording.pipeline);
		}
		notify_stopping(&d->notify);
		helpers_close(d);
		recording_fini(&d->recording);
		identities_fini(&d->identities);
	}
	if (d->has_windows)
		windows_close(&d->windows, CLOSE_MS);
	notify_close(&d->notify);
	captures_fini(&d->captures);
	known_names_fini(&d->known);
	unit_times_fini(&d->units);
	/* A disk that does not answer: the thread that waits for it has all of this still. */
	if (d->has_windows && d->windows.runs)
		(void)TAKE_PTR(d);
	return r == 0 ? 0 : 1;
}
