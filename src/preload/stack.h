/* SPDX-License-Identifier: Apache-2.0 */
/* Copying the calling thread's stack without ever touching what is not there. */
#pragma once

#include <stdint.h>

/* The end of the stack that the process began with; called once, before anything is copied. */
void stack_set_main_end(uint64_t end);

/* Where the stack with this stack pointer ends, at most. 0: not known. */
uint64_t stack_end(uint64_t sp);

/*
 * Copies from sp on, up to `limit` bytes or what is mapped. The memory at sp is the caller's own.
 * Returns how many bytes were copied.
 */
uint32_t stack_copy(void *to, uint64_t sp, uint32_t limit);
