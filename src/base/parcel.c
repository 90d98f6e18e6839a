// SPDX-License-Identifier: Apache-2.0
/*
 * The message stays in the queue when it is looked at with MSG_PEEK, and its file is opened anew
 * each time.
 */
#include "base/parcel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"

union control {
	char buffer[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

int parcel_make(int fd)
{
	union control control = {};
	char byte = 0;
	struct iovec part = { &byte, sizeof(byte) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.buffer,
				  .msg_controllen = sizeof(control.buffer) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	cleanup(close) int in = -1;
	cleanup(close) int out = -1;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	in = pair[0];
	out = pair[1];
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof(int));
	if (sendmsg(in, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	return TAKE_FD(out);
}

int parcel_open(int fd)
{
	cleanup(close) int parcel = fd;
	union control control;
	char byte;
	struct iovec part = { &byte, sizeof(byte) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.buffer,
				  .msg_controllen = sizeof(control.buffer) };
	struct cmsghdr *head;
	struct stat st;

	if (fstat(parcel, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return TAKE_FD(parcel);
	if (recvmsg(parcel, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return errno == EAGAIN ? -EBADMSG : -errno;
	head = CMSG_FIRSTHDR(&message);
	if (!head || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS ||
	    head->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EBADMSG;
	memcpy(&fd, CMSG_DATA(head), sizeof(int));
	return fd;
}
