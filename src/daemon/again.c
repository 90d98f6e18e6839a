// SPDX-License-Identifier: Apache-2.0
#include "daemon/again.h"

#include <signal.h>
#include <unistd.h>

int start_again(pid_t *ret, char *const arguments[], const posix_spawn_file_actions_t *files)
{
	posix_spawnattr_t attributes;
	sigset_t none, defaults;
	int r;

	posix_spawnattr_init(&attributes);
	sigemptyset(&none);
	sigfillset(&defaults);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	r = posix_spawn(ret, "/proc/self/exe", files, &attributes, arguments, environ);
	posix_spawnattr_destroy(&attributes);
	return -r;
}
