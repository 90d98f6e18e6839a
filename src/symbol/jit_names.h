/* SPDX-License-Identifier: Apache-2.0 */
/* The names that the JIT of one process has given to its code so far, followed while it runs. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "worker/workers.h"

struct jit_names;

/* start_time: of the process, in clock ticks since boot; 0: not known. NULL when out of memory. */
struct jit_names *jit_names_new(pid_t pid, uint64_t start_time);
void jit_names_free(struct jit_names *names);
DEFINE_CLEANUP(struct jit_names, jit_names_free);
/*
 * Reads what was appended to the file since the last call, finding it first. A process or a file
 * that is not there (any more) is no error, nor one that is too large, which is noted.
 * Returns 0 or -ENOMEM.
 */
int jit_names_update(struct jit_names *names, struct workers *workers);
/* Who is to be charged for what is done with them. */
struct payer jit_names_payer(const struct jit_names *names);
/* About the memory that they take. */
uint64_t jit_names_bytes(const struct jit_names *names);
/* Forgets all names, and takes no more: they are too many. That is noted. Returns 0 or -ENOMEM. */
int jit_names_give_up(struct jit_names *names, struct workers *workers);
/*
 * The name of the code at an address, borrowed until the next update.
 * Returns 0, -ENOENT or -ENOMEM.
 */
int jit_names_find(struct jit_names *names, uint64_t address, const char **ret);
