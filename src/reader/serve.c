// SPDX-License-Identifier: Apache-2.0
#include "reader/serve.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"

/* Of CPU time: what has taken less has taken little memory. */
#define TRIM_NS 1000000ULL

enum { IDLE_MS = 50 };

union control {
	char buffer[CMSG_SPACE((1 + MESSAGE_MAX_FDS) * sizeof(int))];
	struct cmsghdr align;
};

/* The next message. Returns its size, 0 at the end, or a negative errno. */
static ssize_t receive(void *data, size_t size, int *fds, unsigned *fd_count)
{
	union control control;
	struct iovec part = { data, size };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.buffer,
				  .msg_controllen = sizeof(control.buffer) };
	ssize_t got;

	*fd_count = 0;
	do
		got = recvmsg(WORKER_SOCKET, &message, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	for (struct cmsghdr *at = CMSG_FIRSTHDR(&message); at; at = CMSG_NXTHDR(&message, at)) {
		if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
			continue;
		*fd_count = (unsigned)((at->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(at), *fd_count * sizeof(int));
	}
	return got;
}

/* behind: bytes that go behind the head. */
static int send_answer(const struct answer_head *head, const void *behind, size_t size,
		       const int *fds, unsigned fd_count)
{
	union control control = {};
	struct iovec parts[] = { { (void *)(uintptr_t)head, sizeof(*head) },
				 { (void *)(uintptr_t)behind, size } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = size ? 2 : 1 };

	if (fd_count) {
		struct cmsghdr *first;

		message.msg_control = control.buffer;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		first = CMSG_FIRSTHDR(&message);
		first->cmsg_level = SOL_SOCKET;
		first->cmsg_type = SCM_RIGHTS;
		first->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(first), fds, fd_count * sizeof(int));
	}
	while (sendmsg(WORKER_SOCKET, &message, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* memory: consumed. *cpu_ns: see struct answer_head. */
static int reply_to(const struct question *question, int memory, int result, struct reply *reply,
		    uint64_t *cpu_ns)
{
	struct answer_head head = { .sequence = question->sequence, .result = result };
	bool behind = reply->bytes.size <= ANSWER_BEHIND_MAX;

	if (reply->bytes.failed)
		head.result = -ENOMEM;
	else if (head.result >= 0 && reply->bytes.size > ANSWER_BYTES_MAX)
		head.result = -ENOMEM;
	if (head.result >= 0 && !behind) {
		int r = fs_write_all(memory, reply->bytes.at, reply->bytes.size);

		if (r < 0)
			head.result = r;
	}
	close(memory);
	if (head.result >= 0) {
		head.size = reply->bytes.size;
		head.fd_count = reply->fd_count;
	}
	head.cpu_ns = *cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	return send_answer(&head, reply->bytes.at, behind ? head.size : 0, reply->fds,
			   head.fd_count);
}

static void close_all(const int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/*
 * Large tables come with others: what one has taken is there for the next one, for to have a page given costs
 * as much as to fill it. But the question after that may come in an hour.
 */
static bool is_idle(void)
{
	return poll(&(struct pollfd){ .fd = WORKER_SOCKET, .events = POLLIN }, 1, IDLE_MS) == 0;
}

int serve(answer_fn answer, void *state)
{
	static _Alignas(8) unsigned char message[QUESTION_BYTES_MAX];
	int fds[1 + MESSAGE_MAX_FDS], r = 0;
	uint64_t cpu_ns = 0, trimmed_ns = 0;
	unsigned fd_count;
	ssize_t size;

	while (r == 0 && (size = receive(message, sizeof(message), fds, &fd_count)) > 0) {
		const struct question *question = (const void *)message;
		struct reply reply = {};

		r = -EBADMSG;
		if ((size_t)size >= sizeof(*question) && fd_count > 0) {
			r = question->what == WORKER_PING
				    ? 0
				    : answer(state, question, message + sizeof(*question),
					     (size_t)size - sizeof(*question), fds + 1,
					     fd_count - 1, &reply);
			/* Before the answer: it may take for ever, see opener.c. */
			close_all(fds + 1, fd_count - 1);
			r = reply_to(question, fds[0], r, &reply, &cpu_ns);
		}
		close_all(reply.fds, reply.fd_count);
		bytes_fini(&reply.bytes);
		if (cpu_ns - trimmed_ns > TRIM_NS && is_idle()) {
			trimmed_ns = cpu_ns;
			(void)malloc_trim(0);
		}
	}
	return r < 0;
}
