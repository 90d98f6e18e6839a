/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recording while it runs: the sources, the pipeline and the loop that feeds one from the others.
 *
 * Everything is polled: no sample wakes anybody up. The loop turns a few times a second, and when a
 * process event ring fills, a target ends, or a signal comes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "session/config.h"
#include "session/fetches.h"
#include "session/health.h"
#include "session/launch.h"
#include "session/pipeline.h"
#include "session/rate_limit.h"
#include "source/copy.h"
#include "source/cpu.h"
#include "source/lifecycle.h"
#include "source/perf_event.h"
#include "source/sampler.h"

enum recording_end {
	RECORDING_RUNS,
	RECORDING_DURATION,    /* the time is over */
	RECORDING_SIGNAL,      /* SIGINT or SIGTERM */
	RECORDING_TARGET_GONE, /* nothing is left to watch */
	RECORDING_STOPPED,     /* recording_stop */
};

struct counted_source;
struct growth;
struct heap;

struct recording {
	const struct config *config;
	struct cpu_list cpus;
	struct workers workers;
	struct lifecycle *lifecycle;
	struct sampler sampler;	  /* one of the next two */
	struct cpu_source *source;   /* NULL: stacks are copied */
	struct copy_source *copies;  /* NULL: they are walked in the kernel */
	char why_copies[512]; /* why there is no cpu_source; "": it was not asked for */
	struct counted_source *counted; /* of what counters count; NULL: not measured, or by `copies` */
	struct rate_limit rate_limit;
	struct event_alloc *alloc; /* NULL: that event is not measured */
	struct pipeline pipeline;
	struct growth *growth; /* of EVENT_GROWTH; owned by its source */
	struct heap *heap; /* of EVENT_HEAP; owned by its source */
	bool pipeline_ready;
	struct launch launch;
	struct fetches fetches;      /* of debug files; unused without --debuginfod */
	int epoll_fd, signal_fd;
	int stop_fd; /* readable once it is to stop */
	ARRAY_OF(int) pid_fds;   /* of the targets that still live */
	uint32_t targets_alive;
	bool running;		     /* all targets are there, and their ends count */
	int launch_failure;	     /* of the command's exec */
	uint64_t began_ns, ended_ns; /* of sampling, CLOCK_MONOTONIC; 0: not yet */
	int64_t began_wall_ns;       /* CLOCK_REALTIME */
	struct health_clock started, stopped;
	bool by_task; /* single tasks are watched, for whole CPUs may not be */
	bool pids_differ; /* from the kernel's: profd is in a pid namespace */
	bool impatient; /* a second signal came: nothing is waited for */
	bool raised; /* our own priority, while sampling */
	/*
	 * Called after each turn of the loop, and while a worker is asked (`asking`): then the profile
	 * can be read, and nothing else be done.
	 */
	void (*watch)(void *context, bool asking);
	/* Not NULL: whether this signal was meant for the watcher, and does not end the recording. */
	bool (*take_signal)(void *context, int number);
	void *watch_context;
	bool names_wait; /* the watcher has names found when it needs them: many at once cost less */
	uint32_t turn_ms; /* between two turns of the loop; 0: as the rate asks for */
	enum recording_end end;  /* a signal that comes later counts, too */
	int end_signal;          /* RECORDING_SIGNAL: which */
	bool end_signal_by_user; /* sent by a process, not typed at the terminal */
};

/*
 * Sets everything up, with tables of named targets compiled and the command waiting to be let go.
 * Logs one line on failure. Returns 0 or a negative errno. recording_fini in any case.
 */
int recording_open(struct recording *recording, const struct config *config);
/* Samples until the end. Logs on failure. Returns 0 or a negative errno. */
int recording_run(struct recording *recording);
/* Has the loop turn as soon as the descriptor can be read. Returns 0 or a negative errno. */
int recording_wake_on(struct recording *recording, int fd);
/* Ends recording_run, also from another thread. */
void recording_stop(struct recording *recording);
/* After recording_run: everything counted and named. Returns 0 or a negative errno. */
int recording_finish(struct recording *recording, struct health *ret);
/*
 * Until this, signals end the recording, and another one ends all waiting for what is still to be
 * read; from here on they end profd.
 */
void recording_let_signals_through(struct recording *recording);
/*
 * Waits for the command's end; it is told to end before, when we were. Only where there is one. Returns the
 * exit status that follows; logs.
 */
int recording_end_command(struct recording *recording);
void recording_fini(struct recording *recording);
