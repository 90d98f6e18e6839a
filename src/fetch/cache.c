// SPDX-License-Identifier: Apache-2.0
#include "fetch/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

static const char *variable(const char *name)
{
	const char *text = getenv(name);

	/* A path that is not absolute would depend on where profd was started. */
	return text && text[0] == '/' ? text : NULL;
}

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int cache_path(struct bytes *ret)
{
	const char *given = variable("DEBUGINFOD_CACHE_PATH"), *home = variable("HOME");
	const char *xdg = variable("XDG_CACHE_HOME");

	if (given) {
		bytes_add_str(ret, given);
		return ret->failed ? -ENOMEM : 0;
	}
	if (home) {
		bytes_add_format(ret, "%s/.debuginfod_client_cache", home);
		if (!bytes_str(ret))
			return -ENOMEM;
		if (is_folder(ret->at))
			return 0;
		ret->size = 0;
	}
	if (!home && !xdg)
		return -ENOENT;
	bytes_add_format(ret, "%s%s/debuginfod_client", xdg ? xdg : home, xdg ? "" : "/.cache");
	return ret->failed ? -ENOMEM : 0;
}

void cache_forget_absence(const char *path, const char *build_id)
{
	cleanup(bytes_fini) struct bytes file = {};
	struct stat st;

	bytes_add_format(&file, "%s/%s/debuginfo", path, build_id);
	if (bytes_str(&file) && stat(file.at, &st) == 0 && st.st_size == 0)
		(void)unlink(file.at);
}

int cache_make(const char *path)
{
	cleanup(free) char *part = strdup(path);

	if (!part)
		return -ENOMEM;
	for (char *slash = part; slash;) {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		if (mkdir(part, 0700) < 0 && errno != EEXIST && !is_folder(part))
			return -errno;
		if (slash)
			*slash = '/';
	}
	if (!is_folder(path))
		return -ENOTDIR;
	return access(path, R_OK | W_OK | X_OK) < 0 ? -errno : 0;
}
