// SPDX-License-Identifier: Apache-2.0
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "store/reader_parts.h"

/* As many digits of a container's id are enough, as for what is recorded. */
enum { CONTAINER_DIGITS = 6 };

static bool matches(const char *pattern, const char *text)
{
	return !pattern || (*text && fnmatch(pattern, text, 0) == 0);
}

/* The same text, where there is one. */
static bool is_text(const char *wanted, const char *text)
{
	return !wanted || (*text && strcmp(wanted, text) == 0);
}

/* As `systemctl` takes it: what has no suffix is a service. */
static bool matches_unit(const char *pattern, const char *unit)
{
	char service[300];

	if (!pattern || strchr(pattern, '.') || matches(pattern, unit))
		return matches(pattern, unit);
	snprintf(service, sizeof(service), "%.256s.service", pattern);
	return matches(service, unit);
}

/* One of several patterns, separated by commas. */
static bool matches_any(const char *patterns, const char *text)
{
	cleanup(free) char *copy = NULL;
	char *rest, *next;

	if (!patterns)
		return true;
	copy = rest = strdup(patterns);
	while (copy && (next = strsep(&rest, ",")))
		if (matches(next, text))
			return true;
	return false;
}

static bool matches_file(const char *pattern, const char *path)
{
	const char *slash = strrchr(path, '/');

	return matches(pattern, pattern && !strchr(pattern, '/') && slash ? slash + 1 : path);
}

/* `whole`, or the beginning of it that people copy from what lists containers. */
static bool is_container(const char *wanted, const char *whole)
{
	size_t size;

	if (!wanted)
		return true;
	size = strlen(wanted);
	return size >= CONTAINER_DIGITS ? strncmp(wanted, whole, size) == 0
					: *whole && strcmp(wanted, whole) == 0;
}

static bool is_below(const char *folder, const char *path)
{
	size_t size;

	if (!folder)
		return true;
	for (size = strlen(folder); size && folder[size - 1] == '/';)
		size--;
	return *path && strncmp(folder, path, size) == 0 && (!path[size] || path[size] == '/');
}

static bool is_user(const char *wanted, const struct program *program)
{
	char number[24] = "";

	if (!wanted)
		return true;
	if (program->uid >= 0)
		snprintf(number, sizeof(number), "%lld", (long long)program->uid);
	return *wanted &&
	       (strcmp(wanted, program->texts[PROGRAM_USER]) == 0 || strcmp(wanted, number) == 0);
}

bool query_chooses(const struct store_query *query, const struct program *program, int64_t pid)
{
	bool is_pid = !query->pid_count;

	for (uint32_t i = 0; i < query->pid_count; i++)
		is_pid |= query->pids[i] == pid;
	return is_pid && matches_any(query->comm, program->texts[PROGRAM_COMM]) &&
	       matches_file(query->exe, program->texts[PROGRAM_EXE]) &&
	       matches_unit(query->unit, program->texts[PROGRAM_UNIT]) &&
	       is_container(query->container, program->texts[PROGRAM_CONTAINER]) &&
	       is_text(query->pod, program->texts[PROGRAM_POD]) && is_user(query->user, program) &&
	       (!query->has_uid || program->uid == query->uid) &&
	       is_below(query->cgroup, program->texts[PROGRAM_CGROUP]) &&
	       is_text(query->build_id, program->texts[PROGRAM_BUILD_ID]);
}
