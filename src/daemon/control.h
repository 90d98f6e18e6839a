/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder's end of the socket to the HTTP server (server/control_protocol.h). Nothing here waits:
 * a server that does not take its answers, or says what makes no sense, is done with.
 */
#pragma once

#include <stdbool.h>

#include "base/array.h"
#include "base/bytes.h"
#include "server/control_protocol.h"

/* A descriptor that goes with the byte at `at` of what is to be sent. */
struct control_fd {
	size_t at;
	int fd; /* owned */
};

struct control {
	int fd; /* borrowed; nonblocking */
	struct bytes in, out;
	size_t sent; /* of out */
	ARRAY_OF(struct control_fd) fds; /* those that are still to be sent */
};

void control_init(struct control *control, int fd);
void control_fini(struct control *control);
/*
 * Reads what has come and handles each request. Returns 0; or a negative errno: the connection is over
 * (-EPIPE: closed; -EBADMSG: what came makes no sense; -ENOBUFS: answers pile up).
 */
int control_serve(struct control *control,
		  void (*handle)(void *context, const struct control_request *request), void *context);
/* Returns as control_serve. */
int control_answer(struct control *control, const struct control_answer *answer);
/* The same of CONTROL_RECORDED. fd: consumed, also on failure. */
int control_answer_with(struct control *control, const struct control_answer *answer, int fd);
