/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPython's allocator of small objects takes its memory from the system in large pieces, so that
 * malloc never sees them. It lets itself be wrapped: "Customize Memory Allocators" in the manual of
 * Python's C API, since 3.4.
 */
#pragma once

#include <stdbool.h>

/* Whether the program is a Python that can be asked. Looks for symbols. */
bool python_is_there(void);
/* Wraps its allocators, before the interpreter begins. */
void python_watch(void);
