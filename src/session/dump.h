/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every thread's stack of one process, once, without stopping it; or stopped for a moment, where the
 * kernel has no task iterator.
 *
 *     dump_threads.h    reads the threads and walks their stacks
 *     dump_stopped.c    the same while they are stopped
 *     dump_text.c       for people
 *     dump_json.c       for programs
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "session/dump_threads.h"

struct dump_config {
	pid_t pid;
	bool each; /* each thread for itself, else equal stacks together */
	bool json;
	bool no_kernel, no_inline;
	uint64_t stop_ns;	  /* stop it for so long at most; 0: do not stop it */
	const char *symbol_cache; /* a folder, "none", or NULL: the usual one, if it can be had */
};

/* Writes the dump to stdout. Logs one line on failure. Returns the exit status. */
int session_dump(const struct dump_config *config);

/* Of a dump whose locations have their names: adds it to *ret. command: of the process. */
void dump_text(struct bytes *ret, const struct dump *dump, const struct dump_config *config,
	       const char *command);
void dump_json(struct bytes *ret, const struct dump *dump, const struct dump_config *config,
	       const char *command);

/* The kernel function that a thread waits in, NULL: not known, or it waits in none. */
const char *dump_kernel_function(const struct dump *dump, const struct dump_thread *thread);
