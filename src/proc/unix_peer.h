/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name of a Unix socket, and who is at its other end: asked of the kernel over netlink (sock_diag(7),
 * linux/unix_diag.h), which tells of profd's own network namespace only, and looked for among the
 * descriptors of all processes.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/bytes.h"

struct socket_owner {
	uint64_t inode;
	pid_t pid;
};

struct unix_peers {
	bool owners_read;		      /* once a peer was asked for */
	ARRAY_OF(struct socket_owner) owners; /* ascending by inode */
};

void unix_peers_fini(struct unix_peers *peers);
/*
 * pid: whose socket it is. Adds "unix /run/own.sock -> /run/server.sock (server, pid 812)", as much of
 * it as there is. As the kernel tells it, to be cleaned before it is shown. Returns false, and adds
 * nothing, where the kernel does not tell.
 */
bool unix_socket_describe(struct unix_peers *peers, struct bytes *ret, pid_t pid, uint64_t inode);
