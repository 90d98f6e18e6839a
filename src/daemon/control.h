/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder's end of the socket to the HTTP server (server/control_protocol.h). Nothing here waits:
 * a server that does not take its answers, or says what makes no sense, is done with.
 */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "server/control_protocol.h"

struct control {
	int fd; /* borrowed; nonblocking */
	struct bytes in, out;
	size_t sent; /* of out */
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
