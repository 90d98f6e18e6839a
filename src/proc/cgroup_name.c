// SPDX-License-Identifier: Apache-2.0
#include "proc/cgroup_name.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

enum { ID_DIGITS = 64, UUID_CHARACTERS = 36 };

static bool ends_with(const char *text, size_t size, const char *end)
{
	size_t end_size = strlen(end);

	return size > end_size && memcmp(text + size - end_size, end, end_size) == 0;
}

bool cgroup_is_unit(const char *folder)
{
	static const char *const ends[] = { ".service", ".scope", ".socket", ".mount", ".swap" };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (ends_with(folder, strlen(folder), ends[i]))
			return true;
	return false;
}

static int digit_of(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

void cgroup_unescape(char *name)
{
	char *to = name;

	for (const char *at = name; *at; to++) {
		if (at[0] == '\\' && at[1] == 'x' && digit_of(at[2]) >= 0 && digit_of(at[3]) >= 0 &&
		    digit_of(at[2]) + digit_of(at[3])) {
			*to = (char)(digit_of(at[2]) << 4 | digit_of(at[3]));
			at += 4;
		} else {
			*to = *at++;
		}
	}
	*to = '\0';
}

/* Copies `size` bytes, or as many as there is room for. */
static void copy(char ret[CGROUP_NAME_BYTES], const char *text, size_t size)
{
	snprintf(ret, CGROUP_NAME_BYTES, "%.*s", (int)(size < CGROUP_NAME_BYTES ? size : 255),
		 text);
}

static size_t hex_digits(const char *text)
{
	return strspn(text, "0123456789abcdef");
}

bool cgroup_container_of(char ret[CGROUP_NAME_BYTES], const char *folder)
{
	static const char *const named[] = { "lxc.payload.", "machine-" };
	size_t size = strlen(folder);
	const char *id = folder;

	for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
		size_t beginning = strlen(named[i]);

		if (strncmp(folder, named[i], beginning) != 0 || size == beginning)
			continue;
		if (ends_with(folder, size, ".scope"))
			size -= strlen(".scope");
		else if (named[i][0] == 'm')
			return false; /* machine-NAME.slice, say */
		if (size <= beginning)
			return false;
		copy(ret, folder + beginning, size - beginning);
		cgroup_unescape(ret);
		return true;
	}
	if (size >= ID_DIGITS + strlen(".scope") && ends_with(folder, size, ".scope")) {
		id = folder + size - strlen(".scope") - ID_DIGITS;
		/* What watches a container is not in it. */
		if (id == folder || id[-1] != '-' || strstr(folder, "-conmon-"))
			return false;
	}
	if (hex_digits(id) != ID_DIGITS || (id[ID_DIGITS] && strcmp(id + ID_DIGITS, ".scope") != 0))
		return false;
	copy(ret, id, ID_DIGITS);
	return true;
}

/* "pod" and a UUID, whose dashes systemd's driver writes as underscores. */
static bool pod_of(char ret[UUID_CHARACTERS + 1], const char *folder)
{
	static const char groups[] = { 8, 4, 4, 4, 12 };
	const char *at = strstr(folder, "pod");

	for (; at; at = strstr(at + 1, "pod")) {
		const char *from = at + 3;
		size_t used = 0;
		bool fits = true;

		for (size_t i = 0; i < sizeof(groups) && fits; i++) {
			fits = hex_digits(from + used) == (size_t)groups[i];
			used += (size_t)groups[i];
			if (fits && i + 1 < sizeof(groups))
				fits = from[used] == '-' || from[used] == '_';
			used += i + 1 < sizeof(groups);
		}
		if (!fits || (from[used] && strcmp(from + used, ".slice") != 0))
			continue;
		for (size_t i = 0; i < UUID_CHARACTERS; i++)
			ret[i] = (char)(from[i] == '_' ? '-' : from[i]);
		ret[UUID_CHARACTERS] = '\0';
		return true;
	}
	return false;
}

void cgroup_identify(struct cgroup_identity *ret, const char *path)
{
	*ret = (struct cgroup_identity){};
	while (*path) {
		char folder[CGROUP_NAME_BYTES], container[CGROUP_NAME_BYTES], pod[sizeof(ret->pod)];
		size_t size = strcspn(path, "/");

		copy(folder, path, size);
		path += size;
		path += *path == '/';
		if (size >= CGROUP_NAME_BYTES)
			continue;
		if (pod_of(pod, folder))
			memcpy(ret->pod, pod, sizeof(pod));
		if (cgroup_container_of(container, folder))
			memcpy(ret->container, container, sizeof(container));
		if (cgroup_is_unit(folder)) {
			/* systemd puts "_" before what else would look like the kernel's own files. */
			copy(ret->unit, folder + (folder[0] == '_'), size - (folder[0] == '_'));
		}
	}
}
