/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles globs over thread names for the kernel half (struct wire_glob, bpf/wire.h). */
#pragma once

#include "bpf/wire.h"

/*
 * pattern: *, ?, [a-z], [!a-z], \ before a byte taken as it is; several patterns separated by
 * commas match when one of them does. Returns 0, or -EINVAL (unclosed bracket, nothing in it), or
 * -E2BIG (more than 63 elements in all).
 */
int comm_glob_compile(struct wire_glob *ret, const char *pattern);
/* What the kernel half computes; for tests and for user space. comm: NUL-terminated or 16 bytes. */
int comm_glob_matches(const struct wire_glob *glob, const char comm[WIRE_COMM_BYTES]);
