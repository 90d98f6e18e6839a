// SPDX-License-Identifier: Apache-2.0
#include "memory/memory_limit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "proc/cgroup.h"

enum { TEXT_BYTES_MAX = 65536 };

/* Digits; what follows is up to the caller. */
static int take_number(uint64_t *ret, const char **text)
{
	uint64_t value = 0;
	const char *at = *text;

	for (; *at >= '0' && *at <= '9'; at++) {
		unsigned digit = (unsigned)(*at - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return -EINVAL;
		value = value * 10 + digit;
	}
	if (at == *text)
		return -EINVAL;
	*text = at;
	*ret = value;
	return 0;
}

int memory_limit_number(uint64_t *ret, const char *text)
{
	uint64_t value;
	int r;

	if (strcmp(text, "max\n") == 0 || strcmp(text, "max") == 0)
		return -ENODATA;
	r = take_number(&value, &text);
	if (r < 0 || (*text && *text != '\n'))
		return -EINVAL;
	*ret = value;
	return 0;
}

int memory_limit_meminfo(uint64_t *ret, const char *text, const char *name)
{
	size_t size = strlen(name);
	uint64_t value;

	while (strncmp(text, name, size) != 0 || text[size] != ':') {
		text = strchr(text, '\n');
		if (!text)
			return -ENODATA;
		text++;
	}
	for (text += size + 1; *text == ' ';)
		text++;
	if (take_number(&value, &text) < 0 || strncmp(text, " kB", 3) != 0 ||
	    value > UINT64_MAX / 1024)
		return -EINVAL;
	*ret = value * 1024;
	return 0;
}

int memory_limit_group(char **ret, const char *text)
{
	const char *end;
	char *path;

	/* "0::/a/b", among lines of version 1: "4:memory:/a/b". */
	while (strncmp(text, "0::", 3) != 0) {
		text = strchr(text, '\n');
		if (!text)
			return -ENODATA;
		text++;
	}
	text += 3;
	end = strchrnul(text, '\n');
	if (*text != '/')
		return -EINVAL;
	path = strndup(text, (size_t)(end - text));
	if (!path)
		return -ENOMEM;
	*ret = path;
	return 0;
}

static int read_text(struct bytes *ret, int folder, const char *path)
{
	int r = fs_read(ret, folder, path, TEXT_BYTES_MAX);

	return r < 0 ? r : bytes_str(ret) ? 0 : -ENOMEM;
}

static int read_number(uint64_t *ret, int folder, const char *name)
{
	cleanup(bytes_fini) struct bytes text = {};
	int r = read_text(&text, folder, name);

	return r < 0 ? r : memory_limit_number(ret, text.at);
}

/* One group's, if it is nearer than what was found. */
static void look_at_group(struct memory_limit *ret, const char *path)
{
	cleanup(close) int folder = -1;
	uint64_t limit, used, left;

	if (cgroup_open(&folder, path) != 0) {
		folder = -1;
		return;
	}
	if (read_number(&limit, folder, "memory.max") < 0 ||
	    read_number(&used, folder, "memory.current") < 0)
		return;
	left = used < limit ? limit - used : 0;
	if (!ret->known || left < ret->left_bytes)
		*ret = (struct memory_limit){ true, true, left, limit };
}

static void look_at_groups(struct memory_limit *ret, pid_t pid)
{
	cleanup(bytes_fini) struct bytes text = {};
	cleanup(free) char *path = NULL;
	char file[64], *slash;

	snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	if (read_text(&text, AT_FDCWD, file) < 0 || memory_limit_group(&path, text.at) < 0)
		return;
	/* The limits of those that it lies in hold as well; the root has none. */
	while ((slash = strrchr(path, '/')) && path[1]) {
		look_at_group(ret, path);
		*slash = '\0';
	}
}

void memory_limit_read(struct memory_limit *ret, pid_t pid)
{
	cleanup(bytes_fini) struct bytes text = {};
	uint64_t available, total;

	*ret = (struct memory_limit){};
	if (read_text(&text, AT_FDCWD, "/proc/meminfo") == 0 &&
	    memory_limit_meminfo(&available, text.at, "MemAvailable") == 0 &&
	    memory_limit_meminfo(&total, text.at, "MemTotal") == 0)
		*ret = (struct memory_limit){ true, false, available, total };
	if (pid > 0)
		look_at_groups(ret, pid);
}
