/* SPDX-License-Identifier: Apache-2.0 */
/* perf_event_open(2), and which CPUs there are to open events on. */
#pragma once

#include <linux/perf_event.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"

struct cpu_list {
	ARRAY_OF(uint32_t) cpus;
};

/* The CPUs that are online now, ascending. Returns 0 or a negative errno. Free with array_fini. */
int cpu_list_online(struct cpu_list *ret);
/*
 * An ascending list such as "0-3,8,10-11" (kernel Documentation/admin-guide/cputopology.rst).
 * Returns 0, -EINVAL or -ENOMEM.
 */
int cpu_list_parse(struct cpu_list *ret, const char *text);

/* A descriptor (close-on-exec) or a negative errno. pid -1: every task; cpu -1: every CPU. */
int perf_event_new(struct perf_event_attr *attr, pid_t pid, int cpu);
