// SPDX-License-Identifier: Apache-2.0
#include "source/heap_socket.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

enum {
	BACKLOG = 4096, /* the kernel has a limit of its own, net.core.somaxconn */
	CALLERS_MAX = 256,
	TOKEN_CHARACTERS = 32,
};

/* It is sent right after the call. */
#define PATIENCE_NS 2000000000ULL

int heap_socket_open(struct heap_socket *ret)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup(close) int fd = -1;
	uint64_t random[3];
	int size;

	*ret = (struct heap_socket)HEAP_SOCKET_NULL;
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EAGAIN;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	size = snprintf(ret->told, sizeof(ret->told), "profd-heap-%016" PRIx64, random[0]);
	memcpy(address.sun_path + 1, ret->told, (size_t)size);
	snprintf(ret->told + size, sizeof(ret->told) - (size_t)size, "/%016" PRIx64 "%016" PRIx64,
		 random[1], random[2]);
	if (bind(fd, (const struct sockaddr *)&address,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)size)) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return -errno;
	ret->fd = TAKE_FD(fd);
	return 0;
}

void heap_socket_close(struct heap_socket *socket)
{
	if (socket->fd >= 0)
		close(socket->fd);
	socket->fd = -1;
	for (uint32_t i = 0; i < socket->callers.count; i++)
		close(socket->callers.at[i].fd);
	array_fini(&socket->callers);
}

/* Takes in who has called. */
static int accept_callers(struct heap_socket *socket, uint64_t now_ns)
{
	while (socket->callers.count < CALLERS_MAX) {
		int fd = accept4(socket->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct heap_caller *caller;
		struct ucred who = {};
		socklen_t size = sizeof(who);

		if (fd < 0)
			return errno == EAGAIN || errno == ECONNABORTED || errno == EINTR ||
					       errno == EMFILE || errno == ENFILE
				       ? 0
				       : -errno;
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0 || who.pid <= 0) {
			close(fd);
			continue;
		}
		caller = array_push(&socket->callers);
		if (!caller) {
			close(fd);
			return -ENOMEM;
		}
		*caller = (struct heap_caller){ fd, who.pid, now_ns };
	}
	return 0;
}

/* All descriptors of a message but the first are closed. */
static int only_descriptor(struct msghdr *message)
{
	int first = -1;

	for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control;
	     control = CMSG_NXTHDR(message, control)) {
		size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int fds[16];

		if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
			continue;
		if (count > ARRAY_SIZE(fds))
			count = ARRAY_SIZE(fds);
		memcpy(fds, CMSG_DATA(control), count * sizeof(int));
		for (size_t i = 0; i < count; i++) {
			if (first < 0)
				first = fds[i];
			else
				fs_close_aside(fds[i]);
		}
	}
	return first;
}

enum said {
	SAID_NOTHING, /* yet */
	SAID_NONSENSE,
	SAID_REGION,
};

static enum said listen_to(const struct heap_socket *socket, int from, int *ret_fd)
{
	const char *token = strchr(socket->told, '/') + 1;
	char text[TOKEN_CHARACTERS + 1];
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(16 * sizeof(int))];
	} control = {};
	struct iovec part = { text, sizeof(text) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t size = recvmsg(from, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int fd;

	if (size < 0)
		return errno == EAGAIN || errno == EINTR ? SAID_NOTHING : SAID_NONSENSE;
	fd = only_descriptor(&message);
	if (fd < 0)
		return SAID_NONSENSE;
	if (size != TOKEN_CHARACTERS || memcmp(text, token, TOKEN_CHARACTERS) != 0) {
		fs_close_aside(fd);
		return SAID_NONSENSE;
	}
	*ret_fd = fd;
	return SAID_REGION;
}

int heap_socket_take(struct heap_socket *socket, uint64_t now_ns, int *ret_fd, pid_t *ret_pid)
{
	int r = accept_callers(socket, now_ns);

	if (r < 0)
		return r;
	/* In the order of their calls: a process calls again when exec has made it another one. */
	for (uint32_t i = 0; i < socket->callers.count;) {
		struct heap_caller caller = socket->callers.at[i];
		enum said said = listen_to(socket, caller.fd, ret_fd);

		if (said == SAID_NOTHING && now_ns - caller.since_ns < PATIENCE_NS) {
			i++;
			continue;
		}
		close(caller.fd);
		socket->callers.count--;
		memmove(&socket->callers.at[i], &socket->callers.at[i + 1],
			(socket->callers.count - i) * sizeof(socket->callers.at[0]));
		if (said == SAID_REGION) {
			*ret_pid = caller.pid;
			return 1;
		}
	}
	return 0;
}
