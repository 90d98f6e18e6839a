// SPDX-License-Identifier: Apache-2.0
#include "daemon/control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { IN_MAX = 64 << 10, OUT_MAX = 4 << 20 };

static void drop_first_fd(struct control *c)
{
	close(c->fds.at[0].fd);
	memmove(c->fds.at, c->fds.at + 1, --c->fds.count * sizeof(*c->fds.at));
}

void control_init(struct control *control, int fd)
{
	*control = (struct control){ .fd = fd };
}

void control_fini(struct control *control)
{
	while (control->fds.count)
		drop_first_fd(control);
	array_fini(&control->fds);
	bytes_fini(&control->in);
	bytes_fini(&control->out);
	*control = (struct control){ .fd = -1 };
}

/* Up to where the next descriptor goes with what follows. Returns as sendmsg. */
static ssize_t send_piece(struct control *c)
{
	const struct control_fd *first = c->fds.count ? &c->fds.at[0] : NULL;
	const struct control_fd *next = first && first->at == c->sent
						? c->fds.count > 1 ? first + 1 : NULL
						: first;
	struct iovec piece = { c->out.at + c->sent, (next ? next->at : c->out.size) - c->sent };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} rights = {};
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
	ssize_t sent;

	if (first && first->at == c->sent) {
		message.msg_control = &rights;
		message.msg_controllen = sizeof(rights);
		rights.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
						.cmsg_level = SOL_SOCKET,
						.cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&rights.head), &first->fd, sizeof(int));
	}
	sent = sendmsg(c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent > 0 && message.msg_control)
		drop_first_fd(c);
	return sent;
}

static int send_out(struct control *c)
{
	while (c->sent < c->out.size) {
		ssize_t sent = send_piece(c);

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

int control_answer_with(struct control *c, const struct control_answer *answer, int fd)
{
	struct control_fd *added = array_push(&c->fds);

	if (!added) {
		close(fd);
		return -ENOMEM;
	}
	*added = (struct control_fd){ c->out.size, fd };
	return control_answer(c, answer);
}
