/* SPDX-License-Identifier: Apache-2.0 */
/* Which debuginfod servers are to be asked. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

/* Where distributions put lists of servers; each line of a *.urls file is what DEBUGINFOD_URLS holds. */
#define SERVERS_FOLDER "/etc/debuginfod"

enum servers_origin {
	SERVERS_NONE,
	SERVERS_GIVEN,	     /* by whoever calls */
	SERVERS_ENVIRONMENT, /* DEBUGINFOD_URLS */
	SERVERS_FILES,	     /* of the folder */
};

/*
 * Appends the servers, separated by blanks: those that were given (NULL: none), else those of the
 * environment variable's text (NULL: it is not set), else those of the files in a folder, by name.
 * What does not look like a server's address is left out.
 */
enum servers_origin servers_find(struct bytes *ret, const char *given, const char *environment,
				 const char *folder);
/* Is the text a list of addresses and nothing else? */
bool servers_are_good(const char *text);
