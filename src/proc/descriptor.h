/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process's file descriptors are open on: the link below /proc/PID/fd; for sockets what the
 * tables below /proc/PID/net say (proc(5), proc_pid_net(5)), protocol, address and peer; for an epoll
 * instance what it watches (/proc/PID/fdinfo).
 *
 * No file is opened but those of /proc, so that no file system can keep us waiting.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/bytes.h"
#include "proc/unix_peer.h"

struct socket_name {
	uint64_t inode;
	char text[160];
};

struct descriptors {
	pid_t pid;	   /* of a living thread of the process */
	bool sockets_read; /* once a socket was asked for */
	ARRAY_OF(struct socket_name) sockets;
	struct unix_peers peers;
};

void descriptors_fini(struct descriptors *descriptors);
/*
 * Adds "pipe:[4711]", "/var/log/syslog", "tcp 127.0.0.1:8080 -> 127.0.0.1:50001",
 * "epoll of 5 <pipe:[4711]>, 7 more". As the kernel tells it, to be cleaned before it is shown. Returns whether there is such a descriptor.
 */
bool descriptor_describe(struct descriptors *descriptors, struct bytes *ret, int64_t fd);

/*
 * A line of /proc/PID/net/NAME, where NAME is tcp, tcp6, udp, udp6, unix or netlink. Pure.
 * Returns false when it is none.
 */
bool socket_name_parse(struct socket_name *ret, const char *table, const char *line);
