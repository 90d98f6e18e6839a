// SPDX-License-Identifier: Apache-2.0
#include "session/heap_environment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "preload/region.h"
#include "session/recording_parts.h"

static bool is_file(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* Where it was built, where it is installed, or beside the program. Returns 0 or a negative errno. */
static int find_library(char **ret)
{
	static const char *const places[] = { "../preload", "../" PROFD_LIBRARY_DIR, "." };
	char program[4096], *path = NULL, *slash;
	ssize_t size = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (size < 0)
		return -errno;
	program[size] = '\0';
	slash = strrchr(program, '/');
	if (slash)
		*slash = '\0';
	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		cleanup(free) char *name = NULL;

		if (asprintf(&name, "%s/%s/libprofd-heap.so", program, places[i]) < 0)
			return -ENOMEM;
		path = is_file(name) ? realpath(name, NULL) : NULL;
		if (path)
			break;
	}
	if (!path)
		return -ENOENT;
	*ret = path;
	return 0;
}

static bool add(char **slot, const char *name, const char *value, const char *separator)
{
	const char *before = separator ? getenv(name) : NULL;

	if (asprintf(slot, "%s=%s%s%s", name, value, before ? separator : "",
		     before ? before : "") >= 0)
		return true;
	*slot = NULL;
	return false;
}

int heap_environment_make(struct heap_environment *ret, const char *socket, uint64_t interval)
{
	cleanup(free) char *library = NULL;
	char number[32];
	int r = find_library(&library);

	if (r == -ENOENT) {
		log_error(
			"cannot record: libprofd-heap.so is not there, which belongs to profd and "
			"samples the heap from within the command");
		return r;
	}
	if (r < 0)
		return recording_complain(r, "cannot find libprofd-heap.so");
	if (strpbrk(library, " :")) {
		log_error(
			"cannot record: '%s' has a blank or a colon in its path, which LD_PRELOAD "
			"cannot bear",
			library);
		return -EINVAL;
	}
	snprintf(number, sizeof(number), "%llu", (unsigned long long)interval);
	/* AddressSanitizer's runtime ends a program in which another library comes first. */
	if (!add(&ret->added[0], "LD_PRELOAD", library, ":") ||
	    !add(&ret->added[1], HEAP_SOCKET_VARIABLE, socket, NULL) ||
	    !add(&ret->added[2], HEAP_INTERVAL_VARIABLE, number, NULL) ||
	    !add(&ret->added[3], "ASAN_OPTIONS", "verify_asan_link_order=0", ":"))
		return recording_complain(-ENOMEM, "cannot set up");
	return 0;
}

void heap_environment_fini(struct heap_environment *environment)
{
	for (unsigned i = 0; i < ARRAY_SIZE(environment->added); i++)
		free(environment->added[i]);
}
