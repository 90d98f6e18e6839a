/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A child process that works for profd on what may crash, run away or never answer. It is started
 * when it is first asked, and again after its end: whoever asks next gets a new one.
 *
 * The child is this very program, run anew (/proc/self/exe), so that it begins without a trace of
 * profd's memory and descriptors.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/array.h"
#include "worker/protocol.h"

/* Positive results of worker_ask: no answer. */
enum worker_outcome {
	WORKER_DIED = 1, /* it crashed, or broke a rule of its sandbox */
	WORKER_STUCK,    /* it waited for something that did not come */
	WORKER_OVERTIME, /* it used more CPU time than any honest question takes */
	WORKER_NONSENSE, /* its answer makes no sense */
	WORKER_ENDING,	 /* profd is about to end, and there is no time left for it */
	/* Not asked, because of what questions like it have cost so far; see patience.h. */
	WORKER_SLOW_DEVICE,
	WORKER_COSTLY_OWNER,
	WORKER_ALL_SPENT,
	WORKER_OUTCOMES
};

/* What may still be asked once profd was told to end; shared by its workers. */
struct hurry {
	bool begun;
	/* Left, for all questions together: waiting, and CPU time. 0: nothing is asked any more. */
	uint64_t waiting_ns, cpu_ns;
};

struct worker {
	const char *role; /* what the child is told to be: "reader", "walker" or "opener" */
	pid_t pid;        /* 0: not running */
	int socket;       /* -1: not running */
	int memory; /* for the next answer that is large, of this process; -1: there is none yet */
	clockid_t clock; /* of the CPU time of the process */
	uint32_t generation; /* of the process; 0: none was started yet */
	uint32_t lost;       /* processes that did not answer */
	uint32_t stuck, overran; /* of them: WORKER_STUCK, WORKER_OVERTIME */
	uint64_t sequence;
	uint32_t asked;  /* questions that this process has got */
	uint64_t cpu_ns; /* of all generations */
	uint64_t current_cpu_ns;
	uint64_t peak_bytes; /* of memory, the most that one of those that ended had */
	int nice; /* of new processes */
	/* How long it may wait for what does not come, and work, in CPU time, on one question. */
	uint64_t patience_ns, overtime_ns;
	uint64_t waiting_limit_ns, cpu_limit_ns; /* further limits of the next question */
	struct hurry *hurry; /* borrowed; NULL: none is known */
	/*
	 * What the last question has taken: time in which the worker waited for something other than
	 * its turn, and CPU time.
	 */
	uint64_t waited_ns, used_ns;
	uint64_t queued_ns; /* how long this and that process waited for their turns, when last seen */
	bool gives_files; /* descriptors are taken from it; false unless set after worker_init */
	bool was_killed;  /* the last process that ended was killed or stopped, but not by us */
	uint64_t stopped_ns; /* since when it is, while it owes an answer; 0: it is not */
	ARRAY_OF(pid_t) lingering; /* killed by us; the system call they are in has not come back */
	/* Called every few milliseconds while questions are asked; NULL: nothing else to do. */
	void (*meanwhile)(void *context);
	void *context;
	uint64_t meanwhile_ns; /* when it was called last, CLOCK_MONOTONIC */
	/* Tests and fuzzers: answers come from this function, in this process. */
	answer_fn direct;
	void *direct_state;
};

struct answer {
	int result;              /* answer_head.result */
	const unsigned char *at; /* `size` bytes, 8-aligned; NULL when there are none */
	size_t size;
	int fds[MESSAGE_MAX_FDS]; /* owned; -1 once taken */
	uint32_t fd_count;
	bool mapped;
};

/*
 * The program that is run instead of /proc/self/exe; for tests, so it keeps stderr. NULL: the usual
 * one.
 */
void worker_set_program(const char *path);

void worker_init(struct worker *worker, const char *role);
/*
 * Ends the process, if there is one. One that waits for a file system that does not answer ends when
 * that does, long after us maybe; it holds nothing that anybody waits for.
 */
void worker_fini(struct worker *worker);
/* Ends the process; the next question gets a new one. */
void worker_restart(struct worker *worker);
/* Takes away what has ended, also while nothing is asked. */
void worker_tidy(struct worker *worker);
/* Starts a process ahead of the first question. Returns 0 or a negative errno. */
int worker_start(struct worker *worker);
/* Whether the process is there and ready. Returns 0 or a negative errno. */
int worker_check(struct worker *worker);
/*
 * Asks and waits. question.sequence is filled in. payload: at most QUESTION_BYTES_MAX less the head;
 * fds: at most MESSAGE_MAX_FDS, stay the caller's.
 * Returns 0 with *ret to be freed by answer_fini, a worker_outcome (the process is gone then), or a
 * negative errno when none could be started.
 */
int worker_ask(struct worker *worker, struct answer *ret, struct question question,
	       const void *payload, size_t size, const int *fds, unsigned fd_count);
void answer_fini(struct answer *answer);
static inline void answer_fini_cleanup(struct answer *answer)
{
	answer_fini(answer);
}
/* Of this process and those before it: CPU time used, and the most memory that one of them had. */
uint64_t worker_cpu_ns(const struct worker *worker);
uint64_t worker_peak_bytes(const struct worker *worker);
/*
 * The most memory that a process has had since it began its program, in bytes; 0: not known. What
 * getrusage tells begins with what its parent had.
 */
uint64_t process_peak_bytes(pid_t pid);
/* Nice value of the process that runs and of those that follow. */
void worker_set_priority(struct worker *worker, int nice);
/* "crashed", "did not answer", ... */
const char *worker_outcome_text(int outcome);
