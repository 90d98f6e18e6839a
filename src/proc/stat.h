/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/stat (proc(5)): name, state, start time and CPU time of a process. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_stat {
	char comm[16];       /* of the first thread, NUL-terminated */
	char state;          /* 'R', 'S', 'D', 'Z', 'T', ... */
	pid_t parent;
	uint64_t start_time; /* clock ticks since boot */
	uint64_t cpu_ticks;  /* user + system, all threads, clock ticks */
	uint64_t system_ticks; /* of them in the kernel */
	/* The same of children that have ended and were waited for, and of theirs. */
	uint64_t children_cpu_ticks, children_system_ticks;
	uint64_t resident_pages;
	uint64_t threads;
};

/* Pure. The name may hold blanks and parentheses: it ends at the last one. 0 or -EINVAL. */
int proc_stat_parse(struct proc_stat *ret, const char *text, size_t size);
/* Returns 0 or a negative errno (-ESRCH: no such process). */
int proc_stat_read(struct proc_stat *ret, pid_t pid);
/*
 * A process goes on when its first thread ends before others, but /proc/PID shows a zombie then,
 * without mappings, files and root: those are to be asked for by another thread.
 * Returns the pid, or the id of a living thread where that is needed; -ESRCH: all have ended.
 */
pid_t proc_living_thread(pid_t pid);
