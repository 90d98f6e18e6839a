/* SPDX-License-Identifier: Apache-2.0 */
/* What layout.c and layout_library.c know of each other. */
#pragma once

#include <stdint.h>

typedef uint64_t (*step_fn)(unsigned int left, uint64_t value);

/* Calls `next` with the two values, in a frame of its own. */
uint64_t between(step_fn next, unsigned int left, uint64_t value);
