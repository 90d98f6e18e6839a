/* SPDX-License-Identifier: Apache-2.0 */
/* What is measured, how, and of which target: options that all commands share that sample. */
#pragma once

#include <stdint.h>

#include "cmd/options.h"
#include "session/config.h"

/* What the machine allows; a struct, so that tests can say it. */
struct record_limits {
	uint64_t max_rate_hz; /* kernel.perf_event_max_sample_rate; 0: could not be read */
};

void record_limits_read(struct record_limits *ret);

/*
 * The config, and what of the command line it does not keep. The context of these rows: a command's
 * own context begins with it.
 */
struct measure_request {
	struct config *config;
	const struct record_limits *limits;
	const char *user;    /* as --uid has it */
	const char *servers; /* as --debuginfod has them */
	uint64_t period;     /* as --period has it */
	bool has_event, has_rate, has_period, has_debuginfod, has_debuginfod_timeout, verbose;
	bool has_heap_interval;
	bool has_alloc_overhead;
};

/*
 * The checks of what options mean together, and what the config has of them. Nothing of files is
 * touched. Returns an options_outcome or -ENOMEM; whatever is wrong has been logged.
 */
int measure_complete(struct measure_request *request, const struct command *command,
		     const struct options_result *result);

/* For the rows below. */
int measure_apply_pid(void *context, const char *argument, struct options_reason *reason);
int measure_apply_tid(void *context, const char *argument, struct options_reason *reason);
int measure_apply_comm(void *context, const char *argument, struct options_reason *reason);
int measure_apply_cgroup(void *context, const char *argument, struct options_reason *reason);
int measure_apply_unit(void *context, const char *argument, struct options_reason *reason);
int measure_apply_container(void *context, const char *argument, struct options_reason *reason);
int measure_apply_uid(void *context, const char *argument, struct options_reason *reason);
int measure_apply_event(void *context, const char *argument, struct options_reason *reason);
int measure_apply_heap_interval(void *context, const char *argument, struct options_reason *reason);
int measure_apply_alloc_overhead(void *context, const char *argument,
				 struct options_reason *reason);
int measure_apply_duration(void *context, const char *argument, struct options_reason *reason);
int measure_apply_delay(void *context, const char *argument, struct options_reason *reason);
int measure_apply_rate(void *context, const char *argument, struct options_reason *reason);
int measure_apply_period(void *context, const char *argument, struct options_reason *reason);
int measure_apply_unwind(void *context, const char *argument, struct options_reason *reason);
int measure_apply_max_depth(void *context, const char *argument, struct options_reason *reason);
int measure_apply_debuginfod(void *context, const char *argument, struct options_reason *reason);
int measure_apply_debuginfod_timeout(void *context, const char *argument,
				     struct options_reason *reason);
int measure_apply_symbol_cache(void *context, const char *argument, struct options_reason *reason);
int measure_apply_all(void *context, const char *argument, struct options_reason *reason);
int measure_apply_subprocesses(void *context, const char *argument, struct options_reason *reason);
int measure_apply_kernel(void *context, const char *argument, struct options_reason *reason);
int measure_apply_no_kernel(void *context, const char *argument, struct options_reason *reason);
int measure_apply_no_inline(void *context, const char *argument, struct options_reason *reason);
int measure_apply_threads(void *context, const char *argument, struct options_reason *reason);
int measure_apply_idle(void *context, const char *argument, struct options_reason *reason);
int measure_apply_verbose(void *context, const char *argument, struct options_reason *reason);
/* For the live view. Returns 0 or an outcome of options.h. */
int measure_only_one(const struct config *config, const struct command *command);
extern const char *const measure_events[],
	*const measure_unwind_ways[], *const measure_duration_words[], *const measure_rate_words[];

/* clang-format off */
/* Rows of a table of options. */
#define MEASURE_OPTION_ROWS \
	{ .help = "Target (one of -p, --tid, -a, a filter or a command)" }, \
	{ "pid", 'p', "PID[,PID...]", \
	  "these processes, with every thread they have or start; kernel threads too", measure_apply_pid, \
	  VALUE_PIDS }, \
	{ "tid", 0, "TID[,TID...]", "these threads only", measure_apply_tid, VALUE_TIDS }, \
	{ "subprocesses", 's', NULL, "with -p: also what they fork from now on", \
	  measure_apply_subprocesses }, \
	{ "all", 'a', NULL, "the whole machine", measure_apply_all }, \
	{ "comm", 0, "GLOB", "only threads whose name matches, as 'nginx*'", measure_apply_comm, \
	  VALUE_COMM }, \
	{ "cgroup", 0, "PATH", "only what runs in this control group, or below it", measure_apply_cgroup, \
	  VALUE_CGROUP }, \
	{ "unit", 0, "NAME", "only what runs in this systemd unit, as nginx.service", \
	  measure_apply_unit, VALUE_TEXT }, \
	{ "container", 0, "ID", "only what runs in this container: its id, or 6 digits or more of it", \
	  measure_apply_container, VALUE_TEXT }, \
	{ "uid", 0, "USER", "only what runs as this user (a name or a number)", measure_apply_uid, \
	  VALUE_USER }, \
	{ .help = "What, and for how long" }, \
	{ "event", 'e', "EVENT[,EVENT...]", \
	  "what to measure: cpu (default); growth: memory that became resident; alloc: calls that allocate; heap: memory in use; " \
	  "or what perf counts: cycles, instructions, cache-misses, page-faults, context-switches ...", \
	  measure_apply_event, VALUE_TEXT, \
	  measure_events }, \
	{ "heap-interval", 0, "BYTES", \
	  "with -e heap: one sample in so many bytes, on average (default 512K)", \
	  measure_apply_heap_interval, VALUE_TEXT }, \
	{ "alloc-overhead", 0, "PCT", \
	  "how much of its CPU time the probes of -e alloc, or of -e heap on one that runs, may cost a " \
	  "target (default 0.5%)", \
	  measure_apply_alloc_overhead, VALUE_TEXT }, \
	{ "duration", 'd', "TIME", \
	  "30, 30s, 5m or unlimited; else until Ctrl-C, or until the target ends", measure_apply_duration, \
	  VALUE_TEXT, measure_duration_words }, \
	{ "delay", 'D', "TIME", "start measuring later: leave a warm-up out", measure_apply_delay, \
	  VALUE_TEXT }, \
	{ "freq", 'F', "HZ", "samples per second of CPU time: 1..10000 or max (default 99)", \
	  measure_apply_rate, VALUE_TEXT, measure_rate_words }, \
	{ "rate", 'r', "HZ", "the same", measure_apply_rate, VALUE_TEXT, measure_rate_words }, \
	{ "period", 'c', "N", "instead: one sample every N nanoseconds of CPU time, or N of what is counted", measure_apply_period, \
	  VALUE_TEXT }, \
	{ .help = "Stacks" }, \
	{ "unwind", 0, "WAY", \
	  "auto (default), table: in the kernel, from each file's unwind information, copy: afterwards, from copies of stacks, or fp: by frame pointers", \
	  measure_apply_unwind, VALUE_TEXT, measure_unwind_ways }, \
	{ "kernel", 0, NULL, "show kernel frames where permitted (default)", measure_apply_kernel }, \
	{ "no-kernel", 0, NULL, "leave kernel frames out", measure_apply_no_kernel }, \
	{ "no-inline", 0, NULL, "show no functions that were inlined into others", \
	  measure_apply_no_inline }, \
	{ "threads", 't', NULL, "show threads apart: the thread is the root", measure_apply_threads }, \
	{ "idle", 'i', NULL, "with -a or a filter: show idle CPUs too", measure_apply_idle }, \
	{ "max-depth", 0, "N", "keep at most N frames of a stack, 1..1024 (default 1024)", \
	  measure_apply_max_depth, VALUE_TEXT }, \
	{ .help = "Names" }, \
	{ "debuginfod", 0, NULL, \
	  "get debug files that are not here from these servers, or those of DEBUGINFOD_URLS", \
	  measure_apply_debuginfod, .optional = "URLS" }, \
	{ "debuginfod-timeout", 0, "TIME", "wait so long for them at the end (default 20s)", \
	  measure_apply_debuginfod_timeout, VALUE_TEXT }
/* clang-format on */
