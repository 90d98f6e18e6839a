/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of the samples that perf takes were asked for, as bpf/watched.h decides it in the kernel: the
 * target set, kept right by forks, execs and exits, then the filters.
 *
 * Samples and events are to be told in the order of their times.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/hash.h"
#include "bpf/wire.h"
#include "source/task_names.h"

struct copy_target {
	pid_t id;
	uint32_t flags; /* TARGET_* */
	bool ended;
	uint64_t since_ns; /* CLOCK_MONOTONIC; what happened to the id before is not about it */
};

struct copy_group {
	uint64_t id;
	bool inside;
};

struct copy_filter {
	const struct wire_config *config; /* borrowed, as the next two */
	const struct wire_glob *comm;
	int cgroup_fd;
	struct task_names names;
	ARRAY_OF(struct copy_target) targets;
	struct hash_index target_index;
	ARRAY_OF(struct copy_group) groups; /* by id, once met */
};

void copy_filter_fini(struct copy_filter *filter);
/* Returns 0 or -ENOMEM. */
int copy_filter_watch(struct copy_filter *filter, pid_t id, uint32_t flags, uint64_t now_ns);
/* Whether one of the targets, or of what they started, still lives; asks /proc. */
bool copy_filter_watches_any(struct copy_filter *filter);
/* Returns 0 or -ENOMEM. */
int copy_filter_event(struct copy_filter *filter, const struct lifecycle_event *event);
/*
 * Whether it was asked for; then its names, its user and its kind are filled in. Returns 1, 0 or -ENOMEM.
 */
int copy_filter_sample(struct copy_filter *filter, struct wire_sample *sample);
