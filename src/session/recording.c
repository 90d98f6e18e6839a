// SPDX-License-Identifier: Apache-2.0
#include "session/recording.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "proc/cgroup.h"
#include "proc/stat.h"
#include "proc/view.h"
#include "session/file_limit.h"
#include "session/meet.h"
#include "session/new_files.h"
#include "session/prepare.h"
#include "source/comm_glob.h"

/* Kernel memory for unwind tables. */
#define TABLE_BUDGET_BYTES (24ULL * 1024 * 1024)

/* How often the timers are moved against the program. */
#define REPHASE_NS 500000000ULL

/* How far behind now samples are used, so that no event of the same time is still on its way. */
#define SLACK_NS 5000000ULL

/* For one debug file, unless more is waited for at the end. */
#define FETCH_NS 30000000000ULL
#define SHOW_WAITING_NS 300000000ULL

enum {
	TURN_MS = 200,        /* between two turns of the loop at up to 250 Hz */
	TURN_SAMPLES = 50,    /* at higher rates: samples of one CPU between two turns */
	NAMING_BUDGET_NS = 20000000,
	WAIT_MS = 100,
	PRIORITY = -10, /* nice value while recording, where permitted */
	MAPPINGS_OF_TARGETS = 16384,
	MAPPINGS_OF_EVERYTHING = 65536,
};

/* Epoll data. Targets' pidfds carry their index. */
#define WAKE_SIGNAL UINT64_MAX
#define WAKE_STREAM (UINT64_MAX - 1)
#define WAKE_LAUNCH (UINT64_MAX - 2)

static const char *advice(int r)
{
	if (r != -EPERM && r != -EACCES)
		return "";
	if (proc_view_in_user_namespace())
		return "; run it as root outside of this user namespace, whose root may not";
	if (geteuid() == 0)
		return "; see 'profd doctor' for what root lacks here";
	return "; run it as root, and see 'profd doctor' for what is missing";
}

static int complain(int r, const char *what)
{
	log_error("cannot record: %s: %s%s", what, strerror(-r), advice(r));
	return r;
}

/* ---- setting up ---- */

static int watch_fd(struct recording *rec, int fd, uint64_t data)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = data };

	return epoll_ctl(rec->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_signals(struct recording *rec)
{
	sigset_t ends;
	int r;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &ends, NULL) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	rec->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	rec->signal_fd = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
	if (rec->epoll_fd < 0 || rec->signal_fd < 0)
		return -errno;
	r = watch_fd(rec, rec->signal_fd, WAKE_SIGNAL);
	return r;
}

/* Room for what comes between two turns, with pieces of stack while much is new. */
static uint32_t ring_bytes(const struct recording *rec)
{
	uint64_t want = (1ULL << 20) * rec->cpus.cpus.count;
	uint32_t bytes = 1 << 20;

	if (rec->config->frequency_hz > 250 ||
	    (!rec->config->frequency_hz && rec->config->period_ns < 4000000))
		want *= 4;
	while (bytes < want && bytes < 16u << 20)
		bytes *= 2;
	return bytes;
}

static const char *cgroup_text(int r)
{
	switch (r) {
	case CGROUP_OF_VERSION_1:
		return "it is a group of version 1; only version 2 is known";
	case CGROUP_OUTSIDE:
		return "it is outside of this cgroup namespace; run profd on the host";
	case -ENOENT:
		return "there is no such control group (version 2)";
	case -ENODEV:
		return "no cgroup2 file system is mounted";
	default:
		return strerror(-r);
	}
}

/* Filters that the kernel half applies. Logs. */
static int fill_filters(struct wire_config *wire, struct wire_glob *glob, int *cgroup_fd,
			const struct target *target)
{
	int r;

	if (target->comm) {
		r = comm_glob_compile(glob, target->comm);
		if (r < 0)
			return complain(r, "cannot use the pattern of --comm");
		wire->filter_comm = 1;
	}
	if (target->cgroup) {
		r = cgroup_open(cgroup_fd, target->cgroup);
		if (r != 0) {
			log_error("cannot use --cgroup '%s': %s", target->cgroup, cgroup_text(r));
			return r < 0 ? r : -EINVAL;
		}
		wire->filter_cgroup = 1;
	}
	wire->filter_uid = target->has_uid;
	wire->uid = target->uid;
	return 0;
}

static int open_source(struct recording *rec)
{
	const struct config *config = rec->config;
	const struct target *target = &config->target;
	struct wire_glob glob = {};
	cleanup(close) int cgroup_fd = -1;
	struct cpu_source_options options = {
		.config = { .by_tid = target->tids.count > 0,
			    .everything = target->everything,
			    .kernel_stacks = !config->no_kernel,
			    .user_stacks = 1,
			    .include_idle = config->idle,
			    .max_frames = config->max_depth,
			    .own_tgid = (uint32_t)getpid(),
			    .translate_pids = rec->pids_differ },
		.frequency_hz = config->frequency_hz,
		.period_ns = config->period_ns,
		.comm = &glob,
		.ring_bytes = ring_bytes(rec),
		.mapping_capacity = target->everything ? MAPPINGS_OF_EVERYTHING
						       : MAPPINGS_OF_TARGETS,
		.cpus = &rec->cpus,
	};
	struct source_failure failure;
	struct cpu_source_maps fds;
	struct table_store_maps maps;
	int r = fill_filters(&options.config, &glob, &cgroup_fd, target);

	if (r < 0)
		return r;
	options.cgroup_fd = cgroup_fd;
	r = cpu_source_open(&rec->source, &options, &failure);
	if (r < 0)
		return complain(r, failure.what);
	fds = cpu_source_maps(rec->source);
	maps = (struct table_store_maps){ fds.processes,
					  fds.mappings,
					  fds.tables,
					  fds.rules,
					  fds.chunks,
					  fds.rule_caches,
					  options.mapping_capacity,
					  fds.rule_cache_count };
	rec->pipeline_ready = true;
	r = pipeline_init(&rec->pipeline, &rec->workers, &maps, TABLE_BUDGET_BYTES);
	if (r < 0)
		return complain(r, "cannot set up the tables");
	rec->pipeline.everything = target->everything;
	rec->pipeline.children = target->children;
	rec->pipeline.threads = config->threads;
	rec->pipeline.max_depth = config->max_depth;
	rec->pipeline.naming.no_inline = config->no_inline;
	if (config->debuginfod_servers)
		rec->pipeline.naming.fetches = &rec->fetches;
	rec->workers.wants_debug_files = config->debuginfod_servers != NULL;
	return 0;
}

static int refuse(pid_t pid, const char *kind, const char *why)
{
	log_error("cannot attach to %s %d: %s", kind, (int)pid, why);
	return -ESRCH;
}

/* Of what /proc does not show. */
static int refuse_unseen(pid_t pid, const char *kind, const char *why)
{
	if (proc_view_hides(pid))
		why = "/proc is mounted with hidepid, which hides it from all without CAP_SYS_PTRACE";
	return refuse(pid, kind, why);
}

static int add_pid(struct recording *rec, pid_t pid)
{
	struct proc_stat stat;
	int *slot, fd, r = proc_stat_read(&stat, pid);

	if (r == -ESRCH)
		return refuse_unseen(pid, "pid", "no such process");
	if (r == 0 && stat.state == 'Z' && stat.threads <= 1)
		return refuse(pid, "pid", "it has ended (a zombie waits for its parent)");
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0 && errno == EINVAL)
		return refuse(pid, "pid", "it is a thread, not a process; use --tid");
	if (fd < 0)
		return refuse(pid, "pid", errno == ESRCH ? "no such process" : strerror(errno));
	slot = array_push(&rec->pid_fds);
	if (!slot) {
		close(fd);
		return -ENOMEM;
	}
	*slot = fd;
	r = watch_fd(rec, fd, rec->pid_fds.count - 1);
	if (r == 0)
		r = cpu_source_watch(rec->source, pid,
				     TARGET_WATCHED |
					     (rec->config->target.children ? TARGET_INHERIT : 0));
	if (r == 0)
		r = pipeline_add_target(&rec->pipeline, pid);
	if (r == -ESRCH)
		return refuse(pid, "pid", "it ended just now");
	if (r < 0)
		return complain(r, "cannot read the process");
	rec->targets_alive++;
	return 0;
}

static int add_tid(struct recording *rec, pid_t tid)
{
	char path[64];
	struct proc_stat stat;
	pid_t pid = 0;
	FILE *file;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	file = fopen(path, "re");
	if (!file)
		return refuse_unseen(tid, "thread", "no such thread");
	while (fgets(path, sizeof(path), file))
		if (sscanf(path, "Tgid: %d", &pid) == 1)
			break;
	fclose(file);
	r = pid ? proc_stat_read(&stat, tid) : -ESRCH;
	if (r < 0 || stat.state == 'Z')
		return refuse(tid, "thread", "it has ended");
	r = cpu_source_watch(rec->source, tid, TARGET_WATCHED);
	if (r == 0)
		r = pipeline_add_target(&rec->pipeline, pid);
	if (r == -ESRCH)
		return refuse(tid, "thread", "it ended just now");
	return r < 0 ? complain(r, "cannot read the process") : 0;
}

static int add_command(struct recording *rec)
{
	char *const *command = rec->config->target.command;
	struct process *process;
	int r, *slot, fd;

	/* launch.c looks in our own PATH, also where it starts the command as somebody else. */
	prepare_command(&rec->pipeline, command[0], environ);
	r = launch_prepare(&rec->launch, command);
	if (r == -EINVAL)
		return complain(r, "SUDO_UID and SUDO_GID name no user to start the command as");
	if (r < 0)
		return complain(r, "cannot start a process");
	fd = (int)syscall(SYS_pidfd_open, rec->launch.pid, 0);
	if (fd < 0)
		return complain(-errno, "cannot watch the started process");
	slot = array_push(&rec->pid_fds);
	if (!slot) {
		close(fd);
		return complain(-ENOMEM, "cannot watch the started process");
	}
	*slot = fd;
	r = watch_fd(rec, fd, rec->pid_fds.count - 1);
	if (r == 0)
		r = watch_fd(rec, rec->launch.fail_fd, WAKE_LAUNCH);
	if (r == 0)
		r = cpu_source_watch(rec->source, rec->launch.pid,
				     TARGET_AT_EXEC | TARGET_INHERIT);
	if (r == 0)
		r = process_table_get(&rec->pipeline.processes, &process, rec->launch.pid);
	if (r < 0)
		return complain(r, "cannot watch the started process");
	/* Its mappings begin with its exec, which the event stream will show. */
	process->target = true;
	process->mappings_known = true;
	process->read_ns = process->sure_ns = clock_ns(CLOCK_MONOTONIC);
	rec->targets_alive++;
	return 0;
}

static int add_targets(struct recording *rec)
{
	const struct target *target = &rec->config->target;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < target->pids.count; i++)
		r = add_pid(rec, target->pids.at[i]);
	for (uint32_t i = 0; r == 0 && i < target->tids.count; i++)
		r = add_tid(rec, target->tids.at[i]);
	if (r == 0 && target->command)
		r = add_command(rec);
	if (r == 0) {
		r = pipeline_publish(&rec->pipeline);
		if (r < 0)
			(void)complain(r, "cannot hand the unwind tables to the kernel");
	}
	return r;
}

/* Without the right /proc nothing can be told of any process. Logs. */
static int check_view(struct recording *rec)
{
	int r = proc_view_check(&rec->pids_differ);

	if (r < 0)
		return complain(r, "cannot read /proc");
	if (r == PROC_VIEW_NOT_MOUNTED)
		log_error("cannot record: /proc is not mounted; try: mount -t proc proc /proc");
	else if (r == PROC_VIEW_FOREIGN)
		log_error(
			"cannot record: /proc shows another pid namespace than profd's own; enter "
			"both with nsenter -m -p, or mount its own with unshare --mount-proc");
	return r == 0 ? 0 : -ENXIO;
}

/* ---- what ends it ---- */

/* Whatever is under way: sampling ends now, and what is asked from now on gets little time. */
static void end_it(struct recording *rec, enum recording_end end)
{
	if (rec->end == RECORDING_RUNS || end == RECORDING_SIGNAL)
		rec->end = end;
	if (rec->began_ns && !rec->ended_ns) {
		cpu_source_stop(rec->source);
		rec->ended_ns = clock_ns(CLOCK_MONOTONIC);
	}
	workers_hurry(&rec->workers);
}

static void take_signals(struct recording *rec)
{
	struct signalfd_siginfo info;

	while (read(rec->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		bool again = rec->end != RECORDING_RUNS;

		if (again && info.ssi_signo == SIGHUP)
			continue; /* a terminal that goes away may say so twice */
		end_it(rec, RECORDING_SIGNAL);
		rec->end_signal = (int)info.ssi_signo;
		rec->end_signal_by_user = info.ssi_code <= 0;
		rec->impatient |= again;
		if (again)
			workers_wait_no_more(&rec->workers);
	}
}

static void take_launch_result(struct recording *rec)
{
	int r = launch_result(&rec->launch); /* what it closes leaves the epoll set */

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
		return !cpu_source_watches_any(rec->source);
	if (rec->targets_alive)
		return false;
	/* The command's end is the end; a daemon it left behind would never let us go. */
	return target->command || !target->children || !cpu_source_watches_any(rec->source);
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
		if (events[i].data.u64 < WAKE_LAUNCH)
			target_ended(rec, events[i].data.u64);
	if (rec->end == RECORDING_RUNS && nothing_left(rec))
		end_it(rec, RECORDING_TARGET_GONE);
	check_duration(rec);
	return 0;
}

/*
 * While a worker is asked: what comes must not be lost, and is used in the next turn; nor must the
 * question outlive the recording.
 */
static void collect(void *context)
{
	struct recording *rec = context;

	if (cpu_source_drain(rec->source, pipeline_sample, &rec->pipeline) == 0)
		(void)lifecycle_drain(rec->lifecycle, pipeline_event, &rec->pipeline);
	if (rec->running)
		(void)wait_for_events(rec, 0);
	else
		take_signals(rec);
}

/* The same when it is over. */
static void watch_signals(void *context)
{
	take_signals(context);
}

/* It is nice to have; only a folder that was asked for must be there. */
static int open_symbol_cache(struct recording *rec)
{
	const char *folder = rec->config->symbol_cache;
	int r = folder && strcmp(folder, "none") == 0
			? 0
			: symbol_cache_open(&rec->workers.symbol_cache, folder);

	if (r < 0 && folder) {
		log_error("cannot keep symbols in '%s': %s", folder,
			  r == -EPERM ? "it is not a folder of ours alone" : strerror(-r));
		return r;
	}
	if (r < 0)
		log_debug("there is no symbol cache: %s", strerror(-r));
	return 0;
}

int recording_open(struct recording *rec, const struct config *config)
{
	int r;

	*rec = (struct recording){ .config = config,
				   .epoll_fd = -1,
				   .signal_fd = -1,
				   .launch = LAUNCH_NULL };
	workers_init(&rec->workers);
	file_limit_raise();
	r = check_view(rec);
	if (r == 0)
		r = open_symbol_cache(rec);
	if (r < 0)
		return r;
	r = open_signals(rec);
	/* They get ready while the rest is set up. */
	if (r == 0)
		r = workers_start(&rec->workers);
	if (r < 0)
		return complain(r, "cannot set up");
	r = cpu_list_online(&rec->cpus);
	if (r < 0)
		return complain(r, "cannot read which CPUs there are (is /sys mounted?)");
	/* Before mappings are read, so that no change falls between. */
	r = lifecycle_open(&rec->lifecycle, &rec->cpus);
	if (r < 0)
		return complain(r, "cannot watch process events");
	r = watch_fd(rec, lifecycle_fd(rec->lifecycle), WAKE_STREAM);
	if (r < 0)
		return complain(r, "cannot set up");
	r = open_source(rec);
	if (r < 0)
		return r;
	r = watch_fd(rec, cpu_source_fd(rec->source), WAKE_STREAM);
	if (r < 0)
		return complain(r, "cannot set up");
	workers_set_meanwhile(&rec->workers, collect, rec);
	if (workers_check(&rec->workers) < 0) {
		log_error("cannot record: the processes that read programs' files do not start; "
			  "see 'profd doctor'");
		return -ECHILD;
	}
	if (config->debuginfod_servers) {
		r = fetches_init(&rec->fetches, config->debuginfod_servers,
				 config->debuginfod_wait_ns > FETCH_NS ? config->debuginfod_wait_ns
								       : FETCH_NS);
		if (r < 0)
			return complain(r, "cannot set up");
	}
	return add_targets(rec);
}

static int keep_object(void *workers, struct object *object)
{
	return ask_to_keep(workers, object);
}

void recording_keep_names(struct recording *rec)
{
	struct symbol_cache *cache = &rec->workers.symbol_cache;

	(void)object_cache_each(rec->pipeline.processes.objects, keep_object, &rec->workers);
	if (cache->written)
		symbol_cache_trim(cache);
	if (cache->used || cache->written)
		log_debug("symbol cache: %u files were used, %u written", cache->used,
			  cache->written);
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
	if (rec->pipeline_ready)
		pipeline_fini(&rec->pipeline);
	fetches_fini(&rec->fetches);
	workers_fini(&rec->workers);
	cpu_source_close(rec->source);
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
}

/* ---- running ---- */

/* One turn: everything the streams hold goes into the profile. */
static int turn(struct recording *rec, bool last)
{
	struct pipeline *p = &rec->pipeline;
	uint64_t horizon = last ? UINT64_MAX : clock_ns(CLOCK_MONOTONIC) - SLACK_NS;
	int r = cpu_source_drain(rec->source, pipeline_sample, p);

	if (r == 0)
		r = lifecycle_drain(rec->lifecycle, pipeline_event, p);
	if (r == 0)
		r = new_files_open(p);
	if (r == 0)
		r = meet_strangers(p);
	/* What happened until they were looked at. */
	if (r > 0)
		r = lifecycle_drain(rec->lifecycle, pipeline_event, p);
	if (r == 0)
		r = pipeline_advance(p, horizon);
	if (r == 0 && !last)
		r = pipeline_publish(p);
	if (r == 0 && rec->config->debuginfod_servers)
		fetches_advance(&rec->fetches, &rec->workers, &p->naming);
	if (r == 0)
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
	cpu_source_counters(rec->source, counters);
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
	int r;

	/*
	 * A busy target must not starve its profiler of the few milliseconds that it needs. The
	 * command was forked before: it keeps the caller's priority. Who chose one for us has it.
	 */
	rec->raised = getpriority(PRIO_PROCESS, 0) == 0 &&
		      setpriority(PRIO_PROCESS, 0, PRIORITY) == 0;
	if (rec->raised)
		workers_set_priority(&rec->workers, PRIORITY);
	health_clock_read(&rec->started, &rec->pipeline);
	rec->began_wall_ns = (int64_t)clock_ns(CLOCK_REALTIME);
	rec->began_ns = clock_ns(CLOCK_MONOTONIC);
	r = cpu_source_start(rec->source);
	return r < 0 ? complain(r, "cannot start the timers") : 0;
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
	uint64_t ms = TURN_SAMPLES * cpu_source_period_ns(rec->source) / 1000000;

	return ms < 5 ? 5 : ms < TURN_MS ? (int)ms : TURN_MS;
}

static int loop(struct recording *rec)
{
	bool progress = !rec->config->quiet && isatty(STDERR_FILENO);
	uint64_t shown_ns = 0, phased_ns = rec->began_ns;
	int ms = turn_ms(rec), r = 0;

	while (r == 0 && rec->end == RECORDING_RUNS) {
		uint64_t now = clock_ns(CLOCK_MONOTONIC), left = (uint64_t)ms;

		if (now - phased_ns >= REPHASE_NS) {
			cpu_source_rephase(rec->source, now - phased_ns);
			phased_ns = now;
		}
		if (rec->config->duration_ns) {
			uint64_t until = rec->began_ns + rec->config->duration_ns;

			left = now < until ? (until - now) / 1000000 + 1 : 0;
		}
		r = wait_for_events(rec, left < (uint64_t)ms ? (int)left : ms);
		if (r == 0 && rec->end != RECORDING_DURATION)
			r = turn(rec, false);
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
	bool progress = !rec->config->quiet && isatty(STDERR_FILENO), shown = false;
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
		.frequency_hz = 1e9 / (double)cpu_source_period_ns(rec->source),
	};
	if (rec->config->debuginfod_servers)
		ret->fetches = &rec->fetches;
	health_gather(ret, rec->source, &rec->pipeline, &rec->started, &rec->stopped);
	return 0;
}
