// SPDX-License-Identifier: Apache-2.0
/* A build without the HTTP server. */
#include "server/server.h"

#include <errno.h>

bool server_is_built_in(void)
{
	return false;
}

int server_open(struct server *ret, const struct server_options *options, struct bytes *why)
{
	(void)ret;
	(void)options;
	bytes_add_str(why, "this profd was built without its HTTP server");
	return -ENOSYS;
}

int server_start(struct server *server)
{
	(void)server;
	return -ENOSYS;
}

void server_stop(struct server *server)
{
	(void)server;
}

void server_close(struct server *server)
{
	(void)server;
}

int server_main(void)
{
	return 1;
}
