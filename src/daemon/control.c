// SPDX-License-Identifier: Apache-2.0
#include "daemon/control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { IN_MAX = 64 << 10, OUT_MAX = 4 << 20 };

void control_init(struct control *control, int fd)
{
	*control = (struct control){ .fd = fd };
}

void control_fini(struct control *control)
{
	bytes_fini(&control->in);
	bytes_fini(&control->out);
	*control = (struct control){ .fd = -1 };
}

static int send_out(struct control *c)
{
	while (c->sent < c->out.size) {
		ssize_t sent = send(c->fd, c->out.at + c->sent, c->out.size - c->sent,
				    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
		c->sent += (size_t)sent;
	}
	c->out.size = c->sent = 0;
	return 0;
}

static int receive(struct control *c)
{
	char piece[4096];

	for (;;) {
		ssize_t size = recv(c->fd, piece, sizeof(piece), MSG_DONTWAIT);

		if (size == 0)
			return -EPIPE;
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
		bytes_add(&c->in, piece, (size_t)size);
		if (c->in.failed)
			return -ENOMEM;
		if (c->in.size > IN_MAX)
			return -EBADMSG;
	}
}

int control_serve(struct control *c,
		  void (*handle)(void *context, const struct control_request *request), void *context)
{
	int r = receive(c), parsed = 0;
	size_t start = 0;
	char *line;

	/* What was said before the end counts for nothing: nobody is there to be answered. */
	if (r < 0)
		return r;
	while (parsed == 0 && (line = control_next_line(&c->in, &start))) {
		struct control_request request;

		parsed = control_request_parse(&request, line);
		if (parsed == 0)
			handle(context, &request);
	}
	control_drop_lines(&c->in, start);
	return parsed < 0 ? parsed : send_out(c);
}

int control_answer(struct control *c, const struct control_answer *answer)
{
	control_answer_add(&c->out, answer);
	if (c->out.failed)
		return -ENOMEM;
	return c->out.size - c->sent > OUT_MAX ? -ENOBUFS : send_out(c);
}
