// SPDX-License-Identifier: Apache-2.0
#include "fetch/library.h"

#include <dlfcn.h>
#include <elfutils/debuginfod.h>
#include <errno.h>
#include <stdlib.h>

static struct {
	void *handle;
	__typeof__(debuginfod_begin) *begin;
	__typeof__(debuginfod_end) *end;
	__typeof__(debuginfod_find_debuginfo) *find_debuginfo;
	__typeof__(debuginfod_set_progressfn) *set_progressfn;
	__typeof__(debuginfod_get_url) *get_url;
} library;

static library_progress_fn progress_of_now;

bool library_is_built_in(void)
{
	return true;
}

/* POSIX has dlsym hand out functions as data. */
static bool find(void *function, const char *name)
{
	*(void **)function = dlsym(library.handle, name);
	return *(void **)function;
}

const char *library_trouble(void)
{
	if (!library.handle)
		library.handle = dlopen(DEBUGINFOD_SONAME, RTLD_NOW | RTLD_LOCAL);
	if (!library.handle)
		return "the library " DEBUGINFOD_SONAME " is not installed";
	if (!find(&library.begin, "debuginfod_begin") || !find(&library.end, "debuginfod_end") ||
	    !find(&library.find_debuginfo, "debuginfod_find_debuginfo") ||
	    !find(&library.set_progressfn, "debuginfod_set_progressfn") ||
	    !find(&library.get_url, "debuginfod_get_url"))
		return "the library " DEBUGINFOD_SONAME " is too old";
	return NULL;
}

/* Without a total `done` counts calls, not bytes. */
static int tell(debuginfod_client *client, long done, long total)
{
	(void)client;
	return progress_of_now(total > 0 ? done : 0, total) ? 0 : 1;
}

int library_find(const char *build_id, library_progress_fn progress, bool *from_cache)
{
	debuginfod_client *client;
	char *path = NULL;
	int fd;

	if (library_trouble())
		return -ENOSYS;
	client = library.begin();
	if (!client)
		return -ENOMEM;
	progress_of_now = progress;
	library.set_progressfn(client, tell);
	fd = library.find_debuginfo(client, (const unsigned char *)build_id, 0, &path);
	*from_cache = !library.get_url(client);
	library.end(client);
	free(path);
	return fd;
}
