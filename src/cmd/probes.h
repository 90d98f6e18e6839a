/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this kernel and these privileges allow, found out by trying.
 *
 * A probe says PROBE_OK only for what it has done itself: read, opened, loaded, run. What cannot
 * be tried is PROBE_UNKNOWN. Probes leave nothing behind and change nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum probe_status { PROBE_OK, PROBE_DEGRADED, PROBE_MISSING, PROBE_UNKNOWN };

struct probe_result {
	enum probe_status status;
	char detail[200]; /* what was found, and what is lost by it */
	char fix[120];	  /* a command that would change it; "": none */
};

enum probe_need {
	PROBE_NICE,	  /* something works only with it */
	PROBE_FOR_ALL,	  /* recording does not work without it */
	PROBE_FOR_TABLES, /* nor does it walk stacks in the kernel, --unwind table */
	PROBE_FOR_COPIES, /* nor from copies, --unwind copy */
};

struct probe {
	const char *name;
	enum probe_need need;
	void (*run)(struct probe_result *ret);
};

/* The probes of a file end with one without a name. */
extern const struct probe probes_kernel[];     /* release, settings, mounts */
extern const struct probe probes_privileges[]; /* capabilities, namespaces, limits */
extern const struct probe probes_events[];     /* perf_event_open and its rings */
extern const struct probe probes_bpf[];	       /* BPF programs and maps */
extern const struct probe probes_copies[];     /* samples without BPF */

/* detail is a format; they set the status. */
void probe_say(struct probe_result *ret, enum probe_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void probe_fix(struct probe_result *ret, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* What helps against "not permitted". */
void probe_fix_as_root(struct probe_result *ret);

/* The first line of a small file into ret. Returns 0 or a negative errno. */
int probe_read_line(char *ret, size_t size, const char *path);
/* A number in /proc/sys/kernel. Returns 0 or a negative errno. */
int probe_read_sysctl(long long *ret, const char *name);
/*
 * Whether the process has the capability (its number) in effect, for more than a user namespace;
 * false when it cannot be read.
 */
bool probe_has_capability(unsigned capability);
