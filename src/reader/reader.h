/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader process: ELF, CFI, symbols and mangled names are parsed here and nowhere else, because
 * libraries for that were not written for hostile files (elfutils, liblzma, libiberty), and neither
 * they nor this need any privilege. See worker/protocol.h for what it is asked.
 */
#pragma once

#include <stdbool.h>

#include "worker/protocol.h"

struct reader_state;

struct reader_state *reader_state_new(void);
void reader_state_free(struct reader_state *state);
/* answer_fn; state: a struct reader_state. */
int reader_answer(void *state, const struct question *question, const void *payload, size_t size,
		  int *fds, unsigned fd_count, struct reply *reply);
/* The whole process. walks: it is one that libunwind walks stacks in. Returns its exit status. */
int reader_main(bool walks);
