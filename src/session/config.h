/* SPDX-License-Identifier: Apache-2.0 */
/* What a recording is asked to do: filled by the command line, immutable once started. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "output/writer.h"

struct config_output {
	const char *path; /* "-" is stdout */
	const struct writer *writer;
};

enum unwind_choice { UNWIND_AUTO, UNWIND_TABLE, UNWIND_FP, UNWIND_COPY };

/* Which processes; see cli.md's words in profd(1). All texts are borrowed from the command line. */
struct target {
	ARRAY_OF(pid_t) pids;
	ARRAY_OF(pid_t) tids;
	bool everything;   /* -a, or only filters given */
	bool children;     /* -s; always with a command */
	const char *comm;  /* glob, NULL: any */
	const char *group; /* a control group, by what group_is says; NULL: any */
	enum target_group {
		GROUP_PATH,	 /* absolute or below the cgroup2 mount */
		GROUP_UNIT,	 /* of systemd */
		GROUP_CONTAINER, /* its id or name */
	} group_is;
	bool has_uid;
	uid_t uid;
	char **command;    /* argv of the program to start, NULL: none */
};

struct config {
	struct target target;
	uint32_t events; /* EVENT_BIT of what is measured, see measures.h */
	ARRAY_OF(struct config_output) outputs; /* never empty once complete */
	char *default_path;   /* owned: the generated output name, if any */
	uint64_t duration_ns; /* 0: until told to stop or the targets end */
	uint64_t delay_ns;
	uint32_t frequency_hz; /* 0: use period_ns */
	uint64_t period_ns;
	uint64_t counted_period; /* events between two samples of what counters count; 0: by frequency_hz */
	uint64_t heap_interval; /* mean number of bytes between two samples of the heap */
	double alloc_overhead_percent; /* of the targets' CPU time, that probes of `alloc` may take */
	enum unwind_choice unwind;
	bool no_kernel, no_inline, threads, idle;
	uint32_t max_depth; /* 1..1024 */
	char *debuginfod_servers; /* owned; NULL: no debug files are downloaded */
	uint64_t debuginfod_wait_ns; /* for them, when the recording has ended */
	const char *summary_path; /* NULL: none; "-" is stdout */
	const char *symbol_cache; /* a folder, "none", or NULL: the usual one, if it can be had */
	uint64_t last_ns; /* only so much is kept, and written when SIGUSR1 comes; 0: all is kept */
	uint64_t kernel_bytes; /* limit on kernel memory, all together; 0: as usual */
	bool background; /* others go first */
	bool itself;	  /* profd's own processes are a part of the whole machine */
	bool quiet;
	bool on_screen; /* the terminal is drawn on: nothing else writes to it, nor does the command */
};

void config_init(struct config *config);
void config_fini(struct config *config);
