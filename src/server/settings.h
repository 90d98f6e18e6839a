/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the process of the server is told when it begins: sealed memory with lines "NAME VALUE". The
 * token is among them, which is nobody's business in a list of processes.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/bytes.h"

/* Descriptors in the process. Those of sockets that there are not stay closed. */
enum {
	SERVER_CONTROL = 3,
	SERVER_SETTINGS,
	SERVER_UNIX_SOCKET,
	SERVER_TCP_SOCKET,
	SERVER_DESCRIPTORS_END
};

enum {
	TOKEN_BYTES_MIN = 16,
	TOKEN_BYTES_MAX = 512,
};

struct settings {
	char *store; /* NULL: there is no history */
	char *token; /* NULL: none is asked for */
	ARRAY_OF(char *) hosts;
	uid_t uid; /* to become, if it is somebody else */
	gid_t gid;
};

/* Reads what settings_add wrote. Returns 0 (settings_fini) or a negative errno. */
int settings_parse(struct settings *ret, char *text);
void settings_fini(struct settings *settings);
static inline void settings_fini_cleanup(struct settings *settings)
{
	settings_fini(settings);
}
/* Returns 0, or -EINVAL for values that lines cannot have. */
int settings_add(struct bytes *ret, const char *name, const char *value);
/* As many visible characters of ASCII as a token must have? */
bool token_is_good(const char *text);
