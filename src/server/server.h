/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server, as the daemon sees it: sockets that stay open, and a process without privileges
 * that listens on them and may be started anew at any time. What the two say to each other is in
 * control_protocol.h. The process answers what concerns the history by running `profd query`, so the
 * daemon has nothing to do with that.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/bytes.h"

struct server_options {
	const char *store_folder; /* where the history is; NULL: there is none */
	const char *socket_path;  /* of the Unix socket; NULL: none */
	/*
	 * The group that may use the socket, 0660; where there is no such group, or NULL, only the user
	 * whom profd runs as may, 0600.
	 */
	const char *socket_group;
	/* "127.0.0.1:7878", "[::1]:7878"; port 0: any. NULL: none. Not of this machine only with a token. */
	const char *listen;
	const char *token_file; /* NULL: whoever reaches the sockets may ask */
	char *const *hosts;	/* further names that "Host:" may have, `host_count` of them */
	unsigned host_count;
};

struct server {
	int unix_socket, tcp_socket; /* -1: none */
	int settings;		     /* sealed memory with what the process needs to know */
	char *socket_path;	     /* to be removed at the end */
	unsigned tcp_port;	     /* that was chosen */
	bool group_is_missing;	     /* the socket is for the own user only */
	/* Of the process. */
	pid_t pid;   /* 0: it does not run */
	int control; /* our end, nonblocking; -1: it does not run */
};

/* Whether this build has a server at all. */
bool server_is_built_in(void);
/*
 * Opens the sockets, and reads the token. Returns 0 or a negative errno with *why, one line without an
 * end: -EADDRINUSE when another daemon answers on the socket, -EINVAL for what is wrong in the options,
 * -ENOSYS when this build has none. Free with server_close.
 */
int server_open(struct server *ret, const struct server_options *options, struct bytes *why);
/*
 * Starts the process; also anew, after server_stop. Returns 0 or a negative errno. When its end of
 * `control` is closed, it has ended.
 */
int server_start(struct server *server);
/* Ends the process, if it runs, and takes it away (waitpid); does not wait for long. */
void server_stop(struct server *server);
/* Also closes the sockets, and removes that of the file system. Harmless on a zeroed pid and -1s. */
void server_close(struct server *server);

/* A server that was not opened. */
#define SERVER_NULL                                                                                \
	{                                                                                          \
		.unix_socket = -1, .tcp_socket = -1, .settings = -1, .control = -1                 \
	}

/* `profd _server`: the process itself. Returns its exit status. */
int server_main(void);
