/* SPDX-License-Identifier: Apache-2.0 */
/* Names of C++ and Rust functions as people write them. */
#pragma once

#include "base/bytes.h"

/* Positive result of demangle: the name is not mangled, or nobody can tell what it means. */
enum { DEMANGLE_NOT = 1 };

/*
 * Appends the readable form of a symbol: Itanium C++ ABI, Rust legacy and v0. Template arguments
 * are kept; parameters, return types and Rust's hashes are left out, as `perf report` does.
 * Returns 0, DEMANGLE_NOT (then *ret is as before) or -ENOMEM.
 */
int demangle(struct bytes *ret, const char *name);
