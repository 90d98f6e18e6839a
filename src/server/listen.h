/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets that the server listens on. Opened by the daemon, which has the right to. */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

#include "base/bytes.h"

/*
 * A Unix socket at a path, for the user whom profd runs as and a group (NULL: none). The folder above
 * it is made if need be. One that nobody answers on any more is replaced.
 * *ret_group_is_missing: there is no such group, or it cannot be given to it.
 * Returns the descriptor, -EADDRINUSE when somebody answers on it, or another negative errno, with *why.
 */
int listen_unix(const char *path, const char *group, bool *ret_group_is_missing, struct bytes *why);
/*
 * "ADDRESS:PORT", the address a number, one of IPv6 in brackets, or "localhost": 127.0.0.1. Pure.
 * Returns 0, or -EINVAL.
 */
int listen_parse(struct sockaddr_storage *ret, socklen_t *ret_size, const char *text);
/* Can only this machine reach it? */
bool listen_is_loopback(const struct sockaddr_storage *address);
/* Returns the descriptor or a negative errno, with *why. *ret_port: the port that it has got. */
int listen_tcp(const char *text, bool has_token, unsigned *ret_port, struct bytes *why);
