/* SPDX-License-Identifier: Apache-2.0 */
/* What a command's environment gets so that it loads libprofd-heap.so, with all its children. */
#pragma once

#include <stdint.h>

struct heap_environment {
	char *added[5]; /* NAME=VALUE; NULL ends it */
};

/*
 * socket: as HEAP_SOCKET_VARIABLE tells it; interval: mean of the bytes between two samples. Logs on failure.
 * Returns 0 or a negative errno; heap_environment_fini in any case.
 */
int heap_environment_make(struct heap_environment *ret, const char *socket, uint64_t interval);
void heap_environment_fini(struct heap_environment *environment);
