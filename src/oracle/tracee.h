/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program under ptrace, all of its threads one instruction at a time. Its children run as they
 * like. Addresses are the same in every run (no address space randomisation).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "base/array.h"
#include "oracle/truth.h"

struct thread {
	pid_t tid;
	bool followed;	     /* false: runs freely, nothing is known of its stack */
	bool stopped_before; /* `regs` and `kind` are those of the last stop */
	bool signalled;	     /* a signal was handed over at the last stop */
	enum code_kind kind; /* of the instruction at regs.rip */
	uint8_t size;
	struct user_regs_struct regs;
	struct truth_thread truth;
};

enum { MEMORY_WINDOW_BYTES = 256 * 1024, MEMORY_PAGES = 8, MEMORY_PAGE_BYTES = 4096 };

/* The process's memory as it is while a thread stands still; read once, forgotten at each stop. */
struct memory {
	pid_t pid;
	uint64_t window_at, window_bytes;
	struct {
		uint64_t at; /* 0: nothing */
		unsigned char bytes[MEMORY_PAGE_BYTES];
	} pages[MEMORY_PAGES];
	uint32_t next_page;
	unsigned char window[MEMORY_WINDOW_BYTES];
};

struct tracee {
	pid_t pid;
	bool exec_seen;
	ARRAY_OF(struct thread *) threads;
	struct memory memory;
};

enum tracee_stop {
	TRACEE_STEPPED, /* at an instruction */
	TRACEE_NEW,	/* likewise, the first one of the thread */
	TRACEE_EXECED,	/* likewise, of a new program */
	TRACEE_SIGNAL,	/* likewise; *signal wants to be handed over */
	TRACEE_THREAD_GONE,
	TRACEE_GONE, /* the whole process; *signal is its status as of waitpid */
};

/*
 * Starts the program; it stops before its first instruction. silent: what it says is thrown away.
 * Returns 0 or a negative errno.
 */
int tracee_start(struct tracee *tracee, char **argv, bool silent);
/* Waits until a thread stops or ends. *thread: NULL when none is left. Returns 0 or -errno. */
int tracee_wait(struct tracee *tracee, enum tracee_stop *ret, struct thread **thread, int *signal);
/*
 * Lets a program that was just executed run freely up to its entry point, past the dynamic loader.
 * Returns 0 or a negative errno.
 */
int tracee_run_to_entry(const struct thread *thread);
/* The thread's next instruction, or its signal handler's first; or lets it run freely. */
int tracee_resume(struct thread *thread, int signal);
/* Kills what is left. */
void tracee_end(struct tracee *tracee);

/* Are there handlers for both signals? (/proc/PID/status, SigCgt) */
bool tracee_catches(const struct tracee *tracee, int signal, int other);

/* Reads [from, to) ahead, as much of it as there is. Everything read before is forgotten. */
void memory_begin(struct memory *memory, uint64_t from, uint64_t to);
/* Reads a word. Returns 0 or below 0. */
int memory_word(struct memory *memory, uint64_t address, uint64_t *ret);
/* Reads up to `size` bytes; returns how many. */
size_t memory_bytes(const struct memory *memory, uint64_t address, void *ret, size_t size);
