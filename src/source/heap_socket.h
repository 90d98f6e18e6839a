/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where libprofd-heap.so hands over the regions of the processes that have it: an abstract socket, so
 * that nothing is left behind, and processes find it that have another root. Who calls has to know a
 * token, which the processes of one recording inherit; whose the region is tells the kernel.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"

struct heap_caller {
	int fd;
	pid_t pid;
	uint64_t since_ns;
};

struct heap_socket {
	int fd;	       /* polls readable when somebody calls */
	char told[96]; /* what the processes are to have as HEAP_SOCKET_VARIABLE */
	ARRAY_OF(struct heap_caller) callers; /* have called, and said nothing yet */
};

#define HEAP_SOCKET_NULL                                                                           \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/* Returns 0 or a negative errno. */
int heap_socket_open(struct heap_socket *ret);
void heap_socket_close(struct heap_socket *socket);

/*
 * The next region that was handed over, without waiting. now_ns: CLOCK_MONOTONIC. Returns 1 with the
 * caller's new descriptor, of whatever file, and the process; 0: there is none; or a negative errno.
 */
int heap_socket_take(struct heap_socket *socket, uint64_t now_ns, int *ret_fd, pid_t *ret_pid);
