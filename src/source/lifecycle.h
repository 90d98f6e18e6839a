/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to processes, as a stream: executable mappings, forks, execs, exits.
 *
 * One dummy event per CPU writes PERF_RECORD_MMAP2, FORK, COMM and EXIT (linux/perf_event.h) with
 * CLOCK_MONOTONIC times, the clock of the samples, so that a sample can be read with the mappings
 * of its own moment, even when its process is gone.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct lifecycle;

enum lifecycle_type {
	LIFECYCLE_MAP, /* an executable mapping appeared (or changed its protection to executable) */
	LIFECYCLE_FORK, /* a new process or thread */
	LIFECYCLE_COMM, /* a thread got a name */
	LIFECYCLE_EXEC, /* a process became another program: all its mappings are gone */
	LIFECYCLE_EXIT, /* a thread ended; with pid == tid: the first thread of the process */
	LIFECYCLE_LOST, /* the ring was full: records are missing */
};

/* A borrowed view of one record. */
struct lifecycle_event {
	enum lifecycle_type type;
	uint64_t time_ns;
	pid_t pid, tid;	  /* in our pid namespace; 0, or -1 when it has ended: outside of it */
	pid_t parent_pid; /* FORK */
	/* MAP */
	uint64_t start, size, file_offset;
	uint32_t device_major, device_minor;
	uint64_t inode, inode_generation;
	const char *text; /* MAP: file name; COMM, EXEC: the thread's name */
	uint64_t lost;	  /* LOST: number of records */
};

/*
 * cpus: where to listen, usually all. Starts at once. by_task: not to every task, which takes
 * privileges, but to those that lifecycle_watch is told of.
 * Returns 0 or a negative errno (-EACCES, -EPERM: not allowed to watch every task).
 */
struct cpu_list;
int lifecycle_open(struct lifecycle **ret, const struct cpu_list *cpus, bool by_task);
void lifecycle_close(struct lifecycle *lifecycle);
/*
 * For a CPU that came online, maybe again: what its ring still holds should have been drained. Returns 0
 * or a negative errno.
 */
int lifecycle_listen_again(struct lifecycle *lifecycle, uint32_t cpu);

/*
 * By task: listens to the threads of a process and to those that they start; children: and processes.
 * thread_only: `id` is a thread, and no other is meant. Returns 0 or a negative errno (-EACCES: it is
 * somebody else's).
 */
int lifecycle_watch(struct lifecycle *lifecycle, pid_t id, bool thread_only, bool children);

/* A descriptor that polls readable when the rings should be drained soon. */
int lifecycle_fd(const struct lifecycle *lifecycle);
/*
 * Hands over every record there is, ring after ring (each in the order of time, all of them not).
 * A negative result of `handle` ends it and is returned.
 */
int lifecycle_drain(struct lifecycle *lifecycle,
		    int (*handle)(void *context, const struct lifecycle_event *event),
		    void *context);
