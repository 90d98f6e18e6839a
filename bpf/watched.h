/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whether anybody asked for the current task: the target set, then the filters. */
#pragma once

#include "glob.h"
#include "kernel.h"
#include "maps.h"
#include "pids.h"

/* Its children are its workers, which may start others: a command is no part of `everything`. */
static __always_inline int is_own(struct task_struct *task, struct task_ids ids)
{
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);

	return ids.tgid == config.own_tgid || ids_of(parent).tgid == config.own_tgid ||
	       ids_of(BPF_CORE_READ(parent, real_parent)).tgid == config.own_tgid;
}

static __always_inline int is_watched(struct task_struct *task, struct task_ids ids)
{
	if (!config.everything) {
		uint32_t key = config.by_tid ? ids.tid : ids.tgid;
		uint32_t *flags = bpf_map_lookup_elem(&targets, &key);

		if (!flags || !(*flags & TARGET_WATCHED))
			return 0;
	} else if (is_own(task, ids)) {
		return 0;
	}
	if (config.filter_uid && (uint32_t)bpf_get_current_uid_gid() != config.uid)
		return 0;
	if (config.filter_cgroup && bpf_current_task_under_cgroup(&cgroup_filter, 0) != 1)
		return 0;
	if (config.filter_comm) {
		struct task_struct *leader = BPF_CORE_READ(task, group_leader);
		uint32_t zero = 0;
		struct wire_glob *glob = bpf_map_lookup_elem(&comm_filter, &zero);
		char comm[WIRE_COMM_BYTES] = {};

		if (!glob)
			return 0;
		bpf_get_current_comm(comm, sizeof(comm));
		if (!wire_glob_matches(glob, comm)) {
			bpf_core_read(comm, sizeof(comm), &leader->comm);
			if (!wire_glob_matches(glob, comm))
				return 0;
		}
	}
	return 1;
}
