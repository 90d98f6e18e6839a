/* SPDX-License-Identifier: Apache-2.0 */
/* Signal trampolines. */
#pragma once

#include <stdint.h>

#include "elf/code.h"

/*
 * The code to which signal handlers return: the system call rt_sigreturn and nothing else. Calls
 * `found` with the ELF addresses of its beginning and its end, for each. Returns 0 or what found
 * returned below 0.
 */
int sigreturn_find(struct code *code, int (*found)(void *context, uint64_t start, uint64_t end),
		   void *context);
