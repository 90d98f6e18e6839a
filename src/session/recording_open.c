// SPDX-License-Identifier: Apache-2.0
/* Setting a recording up: sources, targets, and what may be missing. */
#include "session/recording_parts.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "proc/stat.h"
#include "proc/view.h"
#include "session/complain.h"
#include "session/event_source.h"
#include "session/file_limit.h"
#include "session/group.h"
#include "session/keep_names.h"
#include "session/measures.h"
#include "session/prepare.h"
#include "source/bpf_features.h"
#include "source/comm_glob.h"
#include "source/counted_event.h"

/* Kernel memory for unwind tables. */
#define TABLE_BUDGET_BYTES (24ULL * 1024 * 1024)

/* The same of our own memory, where stacks are not walked in the kernel. */
#define USER_TABLE_BUDGET_BYTES (64ULL * 1024 * 1024)

#define TABLES_MIN_BYTES (2ULL * 1024 * 1024)

/* For one debug file, unless more is waited for at the end. */
#define FETCH_NS 30000000000ULL

enum {
	MAPPINGS_OF_TARGETS = 16384,
	MAPPINGS_OF_EVERYTHING = 65536,
};

int recording_complain(int r, const char *what)
{
	return session_complain("record", r, what);
}

void recording_say_why_copies(const struct recording *rec)
{
	const struct config *config = rec->config;

	if (rec->why_copies[0] && !config->quiet && !config->on_screen)
		log_info("stacks are copied and unwound afterwards (--unwind copy), for %s",
			 rec->why_copies);
}

/* ---- setting up ---- */

static int watch_fd(struct recording *rec, int fd, uint64_t data)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = data };

	return epoll_ctl(rec->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int recording_wake_on(struct recording *rec, int fd)
{
	return watch_fd(rec, fd, WAKE_WATCHER);
}

static int open_signals(struct recording *rec)
{
	sigset_t ends;
	int r;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	if (rec->config->last_ns)
		sigaddset(&ends, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &ends, NULL) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	rec->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	rec->signal_fd = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
	rec->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (rec->epoll_fd < 0 || rec->signal_fd < 0 || rec->stop_fd < 0)
		return -errno;
	r = watch_fd(rec, rec->signal_fd, WAKE_SIGNAL);
	return r < 0 ? r : watch_fd(rec, rec->stop_fd, WAKE_STOP);
}

/* Room for what comes between two turns, with pieces of stack while much is new. */
static uint32_t ring_bytes(const struct recording *rec)
{
	uint64_t want = (1ULL << 20) * rec->cpus.cpus.count;
	uint32_t bytes = 1 << 20;

	if (rec->config->frequency_hz > 250 || rec->config->counted_period ||
	    (!rec->config->frequency_hz && rec->config->period_ns < 4000000) ||
	    rec->config->events & EVENT_BIT(EVENT_GROWTH)) /* a program that starts has many at once */
		want *= 4;
	while (bytes < want && bytes < 16u << 20)
		bytes *= 2;
	return bytes;
}

/* Filters that the kernel half applies. Logs. */
static int fill_filters(struct wire_config *wire, struct wire_glob *glob, int *cgroup_fd,
			const struct target *target)
{
	int r;

	if (target->comm) {
		r = comm_glob_compile(glob, target->comm);
		if (r < 0)
			return recording_complain(r, "cannot use the pattern of --comm");
		wire->filter_comm = 1;
	}
	if (target->group) {
		r = group_open(cgroup_fd, target);
		if (r < 0)
			return r;
		wire->filter_cgroup = 1;
	}
	wire->filter_uid = target->has_uid;
	wire->uid = target->uid;
	return 0;
}

/* What is left of the limit; some tables at least, or no stack would be whole. */
static uint64_t table_budget(const struct recording *rec)
{
	uint64_t limit = rec->config->kernel_bytes;
	uint64_t fixed = limit ? sampler_kernel_bytes(&rec->sampler) : 0;

	if (!rec->source)
		return USER_TABLE_BUDGET_BYTES;
	if (!limit)
		return TABLE_BUDGET_BYTES;
	return limit > fixed + TABLES_MIN_BYTES ? limit - fixed : TABLES_MIN_BYTES;
}

/* The kernel half. Does not log. */
static int open_tables(struct recording *rec, const struct wire_config *wire,
		       const struct wire_glob *glob, int cgroup_fd, struct table_store_maps *ret,
		       struct source_failure *failure)
{
	const struct config *config = rec->config;
	struct cpu_source_options options = {
		.config = *wire,
		.frequency_hz = config->frequency_hz,
		.period_ns = config->period_ns,
		.comm = glob,
		.cgroup_fd = cgroup_fd,
		.ring_bytes = ring_bytes(rec),
		.mapping_capacity = config->target.everything ? MAPPINGS_OF_EVERYTHING
							      : MAPPINGS_OF_TARGETS,
		.cpus = &rec->cpus,
		.no_timers = !(config->events & EVENT_BIT(EVENT_CPU)),
	};
	struct cpu_source_maps fds;
	int r = cpu_source_open(&rec->source, &options, failure);

	if (r < 0)
		return r;
	fds = cpu_source_maps(rec->source);
	*ret = (struct table_store_maps){ fds.processes,
					  fds.mappings,
					  fds.tables,
					  fds.rules,
					  fds.chunks,
					  fds.rule_caches,
					  options.mapping_capacity,
					  fds.rule_cache_count };
	rec->sampler = cpu_source_sampler(rec->source);
	return 0;
}

/* What stands in for the kernel half. Logs. */
static int open_copies(struct recording *rec, const struct wire_config *wire,
		       const struct wire_glob *glob, int cgroup_fd, struct table_store_maps *ret)
{
	const struct config *config = rec->config;
	struct copy_source_options options = {
		.config = *wire,
		.frequency_hz = config->frequency_hz,
		.period_ns = config->period_ns,
		.comm = glob,
		.cgroup_fd = cgroup_fd,
		.cpus = &rec->cpus,
		.events = config->events,
		.counted_period = config->counted_period,
		.by_task = rec->by_task,
		.frame_pointers = config->unwind == UNWIND_FP,
	};
	struct source_failure failure;
	int r = copy_source_open(&rec->copies, &options, &failure);

	if (r < 0 && rec->why_copies[0])
		log_error("cannot record: %s; and without BPF: %s: %s", rec->why_copies, failure.what,
			  strerror(-r));
	else if (r < 0)
		return recording_complain(r, failure.what);
	if (r < 0)
		return r;
	*ret = (struct table_store_maps){ -1, -1, -1, -1, -1, -1, 0, 0 };
	rec->sampler = copy_source_sampler(rec->copies);
	return 0;
}

/* Why something other than copies has to be there; NULL: it has not. */
static const char *needs_tables(const struct config *config)
{
	if (config->unwind == UNWIND_TABLE)
		return "walking in the kernel (--unwind table)";
	for (unsigned event = 0; event < EVENTS; event++)
		if (event != EVENT_CPU && config->events & EVENT_BIT(event) & ~EVENTS_COUNTED_BITS)
			return event_name(event);
	return NULL;
}

/* Whether this machine, and who we are, have all that is to be counted. Logs. */
static int check_counted(const struct config *config)
{
	char why[256];

	for (uint32_t event = EVENT_COUNTED_FIRST; event < EVENTS; event++) {
		int r = config->events & EVENT_BIT(event) ? counted_event_try(event) : 0;

		if (r < 0) {
			counted_event_trouble(why, sizeof(why), event, r);
			log_error("cannot record: %s", why);
			return r;
		}
	}
	return 0;
}

static int open_sampler(struct recording *rec, const struct wire_config *wire,
			const struct wire_glob *glob, int cgroup_fd, struct table_store_maps *ret)
{
	const struct config *config = rec->config;
	const char *needs = needs_tables(config);
	struct source_failure failure;
	int r;

	if (config->unwind == UNWIND_COPY || config->unwind == UNWIND_FP) {
		if (needs) {
			log_error("cannot record: %s needs BPF, and with it --unwind table or auto", needs);
			return -EINVAL;
		}
		return open_copies(rec, wire, glob, cgroup_fd, ret);
	}
	if (rec->by_task || !bpf_is_permitted()) {
		snprintf(failure.what, sizeof(failure.what),
			 "walking stacks in the kernel takes CAP_PERFMON and CAP_BPF, or root");
		r = -EPERM;
	} else {
		r = open_tables(rec, wire, glob, cgroup_fd, ret, &failure);
	}
	if (r >= 0)
		return r;
	if (needs) {
		log_error("cannot record: %s needs BPF: %s: %s; see 'profd doctor'", needs,
			  failure.what, strerror(-r));
		return r;
	}
	snprintf(rec->why_copies, sizeof(rec->why_copies), "%s: %s", failure.what, strerror(-r));
	return open_copies(rec, wire, glob, cgroup_fd, ret);
}

static int open_source(struct recording *rec)
{
	const struct config *config = rec->config;
	const struct target *target = &config->target;
	struct wire_config wire = {
		.by_tid = target->tids.count > 0,
		.everything = target->everything,
		.kernel_stacks = !config->no_kernel,
		.user_stacks = 1,
		.include_idle = config->idle,
		.max_frames = config->max_depth,
		.own_tgid = config->itself ? UINT32_MAX : (uint32_t)getpid(),
		.translate_pids = rec->pids_differ,
	};
	struct wire_glob glob = {};
	cleanup(close) int cgroup_fd = -1;
	struct table_store_maps maps;
	int r = check_counted(config);

	if (r == 0)
		r = fill_filters(&wire, &glob, &cgroup_fd, target);
	if (r == 0)
		r = open_sampler(rec, &wire, &glob, cgroup_fd, &maps);
	if (r < 0)
		return r;
	rec->pipeline_ready = true;
	r = pipeline_init(&rec->pipeline, &rec->workers, &maps, table_budget(rec));
	if (r < 0)
		return recording_complain(r, "cannot set up the tables");
	r = pipeline_measure(&rec->pipeline, config->events);
	if (r != 0)
		return recording_complain(r < 0 ? r : -EINVAL, "cannot set up the profile");
	rec->pipeline.copies = rec->copies != NULL;
	rec->pipeline.libunwind = rec->copies && config->unwind != UNWIND_FP;
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

/*
 * The stream of process events, before mappings are read, so that no change falls between. Where whole
 * CPUs may not be watched, single tasks may be, if they are ours.
 */
static int open_lifecycle(struct recording *rec)
{
	const struct target *target = &rec->config->target;
	int r = lifecycle_open(&rec->lifecycle, &rec->cpus, false);

	if (r != -EACCES && r != -EPERM)
		return r < 0 ? recording_complain(r, "cannot watch process events") : 0;
	if (target->everything && proc_view_in_user_namespace())
		return recording_complain(r, "the whole machine is out of reach");
	if (target->everything) {
		log_error("cannot record the whole machine: that takes root, CAP_PERFMON, or 'sysctl "
			  "-w kernel.perf_event_paranoid=-1'; without, -p PID and -- COMMAND work for "
			  "your own processes");
		return r;
	}
	rec->by_task = true;
	r = lifecycle_open(&rec->lifecycle, &rec->cpus, true);
	if (r == -EACCES)
		log_error("cannot record: perf events are not allowed here (kernel.perf_event_paranoid, "
			  "or a filter of system calls as containers have); try 'sysctl -w "
			  "kernel.perf_event_paranoid=2', or run it as root");
	else if (r == -EPERM)
		log_error("cannot record: there is no room for the rings of perf events; raise 'ulimit "
			  "-l' or 'sysctl -w kernel.perf_event_mlock_kb=516'");
	else if (r < 0)
		return recording_complain(r, "cannot watch process events");
	return r;
}

/* One more target: its events first, then its mappings. flags: TARGET_*. */
static int watch_target(struct recording *rec, pid_t id, uint32_t flags)
{
	int r = lifecycle_watch(rec->lifecycle, id, rec->config->target.tids.count > 0,
				flags & TARGET_INHERIT);

	return r < 0 ? r : sampler_watch(&rec->sampler, id, flags);
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

/* What went wrong with a process, or a thread, that is there. */
static int refuse_others(const struct recording *rec, int r, pid_t pid, const char *kind)
{
	if (rec->by_task && (r == -EACCES || r == -EPERM)) {
		log_error("cannot attach to %s %d: it is not yours, or a program with privileges; that "
			  "takes root, or CAP_PERFMON and CAP_SYS_PTRACE",
			  kind, (int)pid);
		return r;
	}
	if (rec->by_task && (r == -EMFILE || r == -ENFILE)) {
		log_error("cannot attach to %s %d: its threads need more open files than 'ulimit -n' "
			  "allows",
			  kind, (int)pid);
		return r;
	}
	return recording_complain(r, "cannot read the process");
}

/* Has each event's source know of it. */
static int watch_process(struct recording *rec, pid_t pid)
{
	int r = 0;

	FOR_EACH_EVENT_SOURCE(source, rec)
		if (r == 0 && (*source)->watch)
			r = (*source)->watch(rec, pid);
	return r;
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
	if (fd < 0 && (errno == EINVAL || errno == ENOENT)) /* ENOENT: newer kernels */
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
		r = watch_target(rec, pid,
				 TARGET_WATCHED |
					 (rec->config->target.children ? TARGET_INHERIT : 0));
	if (r == 0)
		r = pipeline_add_target(&rec->pipeline, pid);
	if (r == -ESRCH)
		return refuse(pid, "pid", "it ended just now");
	if (r < 0)
		return refuse_others(rec, r, pid, "pid");
	rec->targets_alive++;
	return watch_process(rec, pid);
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
	r = watch_target(rec, tid, TARGET_WATCHED);
	if (r == 0)
		r = pipeline_add_target(&rec->pipeline, pid);
	if (r == -ESRCH)
		return refuse(tid, "thread", "it ended just now");
	return r < 0 ? refuse_others(rec, r, tid, "thread") : 0;
}

static int add_command(struct recording *rec)
{
	char *const *command = rec->config->target.command;
	struct process *process;
	int r, *slot, fd;

	/* launch.c looks in our own PATH, also where it starts the command as somebody else. */
	prepare_command(&rec->pipeline, command[0], environ);
	rec->launch.off_terminal = rec->config->on_screen;
	r = launch_prepare(&rec->launch, command);
	if (r == -EINVAL)
		return recording_complain(
			r, "SUDO_UID and SUDO_GID name no user to start the command as");
	if (r < 0)
		return recording_complain(r, "cannot start a process");
	fd = (int)syscall(SYS_pidfd_open, rec->launch.pid, 0);
	if (fd < 0)
		return recording_complain(-errno, "cannot watch the started process");
	slot = array_push(&rec->pid_fds);
	if (!slot) {
		close(fd);
		return recording_complain(-ENOMEM, "cannot watch the started process");
	}
	*slot = fd;
	r = watch_fd(rec, fd, rec->pid_fds.count - 1);
	if (r == 0)
		r = watch_fd(rec, rec->launch.fail_fd, WAKE_LAUNCH);
	if (r == 0)
		r = watch_target(rec, rec->launch.pid, TARGET_AT_EXEC | TARGET_INHERIT);
	if (r == 0)
		r = process_table_get(&rec->pipeline.processes, &process, rec->launch.pid);
	if (r < 0)
		return recording_complain(r, "cannot watch the started process");
	/* Its mappings begin with its exec, which the event stream will show. */
	process->target = true;
	process->mappings_known = true;
	process->read_ns = process->sure_ns = clock_ns(CLOCK_MONOTONIC);
	rec->targets_alive++;
	return watch_process(rec, rec->launch.pid);
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
			(void)recording_complain(r, "cannot hand the unwind tables to the kernel");
	}
	return r;
}

int recording_open(struct recording *rec, const struct config *config)
{
	int r;

	*rec = (struct recording){ .config = config,
				   .epoll_fd = -1,
				   .signal_fd = -1,
				   .stop_fd = -1,
				   .rate_limit = RATE_LIMIT_NULL,
				   .launch = LAUNCH_NULL };
	workers_init(&rec->workers);
	rate_limit_open(&rec->rate_limit);
	file_limit_raise();
	r = session_check_view("record", &rec->pids_differ);
	if (r == 0)
		r = keep_names_open(&rec->workers, config->symbol_cache);
	if (r < 0)
		return r;
	r = open_signals(rec);
	/* They get ready while the rest is set up. */
	if (r == 0)
		r = workers_start(&rec->workers);
	if (r < 0)
		return recording_complain(r, "cannot set up");
	r = cpu_list_online(&rec->cpus);
	if (r < 0)
		return recording_complain(r, "cannot read which CPUs there are (is /sys mounted?)");
	r = open_lifecycle(rec);
	if (r < 0)
		return r;
	r = watch_fd(rec, lifecycle_fd(rec->lifecycle), WAKE_STREAM);
	if (r < 0)
		return recording_complain(r, "cannot set up");
	r = open_source(rec);
	if (r < 0)
		return r;
	r = watch_fd(rec, sampler_fd(&rec->sampler), WAKE_STREAM);
	if (r < 0)
		return recording_complain(r, "cannot set up");
	workers_set_meanwhile(&rec->workers, recording_collect, rec);
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
			return recording_complain(r, "cannot set up");
	}
	FOR_EACH_EVENT_SOURCE(source, rec) {
		r = (*source)->open ? (*source)->open(rec) : 0;
		if (r < 0)
			return r;
	}
	r = add_targets(rec);
	FOR_EACH_EVENT_SOURCE(source, rec)
		if (r == 0 && (*source)->ready)
			r = (*source)->ready(rec);
	/* A recording that fails says that and no more: with a command, it may still not start. */
	if (r == 0 && !rec->launch.pid)
		recording_say_why_copies(rec);
	return r;
}
