/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the processes of a recording allocate: for each the objects whose functions it really calls, and
 * the places in them that can be probed.
 *
 * Which of several objects with a malloc a process uses is read from its own pointers to malloc, which
 * ld.so has set.
 */
#pragma once

#include "base/bytes.h"
#include "session/pipeline.h"
#include "source/alloc.h"

struct alloc_targets;

int alloc_targets_new(struct alloc_targets **ret);
void alloc_targets_free(struct alloc_targets *targets);
/*
 * The probes for all processes that the pipeline knows and that still live. *ret_changed: they are others
 * than the last time, or the first ones; else *ret stays as it is. Returns 0 or a negative errno.
 */
int alloc_targets_find(struct alloc_targets *targets, struct pipeline *pipeline,
		       struct alloc_probes *ret, bool *ret_changed);
/* Why there is nothing to probe, in words; "" if there is or nobody knows. Borrowed. */
const char *alloc_targets_trouble(const struct alloc_targets *targets);
