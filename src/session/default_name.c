// SPDX-License-Identifier: Apache-2.0
#include "session/default_name.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

void default_name_clean(char *ret, size_t size, const char *name)
{
	size_t i;

	/* Not isalnum: a locale must not widen the set. */
	for (i = 0; name[i] && i + 1 < size; i++)
		ret[i] = strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-",
				name[i])
				 ? name[i]
				 : '_';
	ret[i] = '\0';
	if (i == 0)
		snprintf(ret, size, "unknown");
}

static pid_t first_id(const struct target *target)
{
	return target->pids.count   ? target->pids.at[0]
	       : target->tids.count ? target->tids.at[0]
				    : 0;
}

void default_name_word(char ret[DEFAULT_NAME_BYTES], const struct target *target)
{
	const size_t size = DEFAULT_NAME_BYTES;
	pid_t pid = first_id(target);
	cleanup(bytes_fini) struct bytes comm = {};
	char path[64];

	if (target->command) {
		const char *slash = strrchr(target->command[0], '/');

		default_name_clean(ret, size, slash ? slash + 1 : target->command[0]);
		return;
	}
	if (pid) {
		snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
		if (fs_read(&comm, -1, path, 256) == 0 && bytes_str(&comm))
			comm.at[strcspn(comm.at, "\n")] = '\0';
		else
			bytes_fini(&comm);
		default_name_clean(ret, size, bytes_str(&comm) ? comm.at : "");
		return;
	}
	default_name_clean(ret, size, target->comm ? target->comm : "all");
}

int default_name(char **ret, const struct target *target, const char *word, const char *extension,
		 time_t now)
{
	bool only_one = target->pids.count + target->tids.count == 1;
	char date[32], number[24] = "";
	struct tm tm;

	if (only_one)
		snprintf(number, sizeof(number), "-%d", (int)first_id(target));
	if (!localtime_r(&now, &tm) || !strftime(date, sizeof(date), "%Y%m%d-%H%M%S", &tm))
		snprintf(date, sizeof(date), "%lld", (long long)now);
	for (unsigned attempt = 1; attempt <= 1000; attempt++) {
		cleanup(free) char *path = NULL;
		char again[16] = "";
		struct stat st;

		if (attempt > 1)
			snprintf(again, sizeof(again), "-%u", attempt);
		if (asprintf(&path, "profd-%s%s-%s%s%s", word, number, date, again, extension) <
		    0) {
			path = NULL;
			return -ENOMEM;
		}
		if (lstat(path, &st) == 0)
			continue;
		*ret = TAKE_PTR(path);
		return 0;
	}
	return -EEXIST;
}

char *dated_name(const char *path, const struct writer *writer, time_t now)
{
	size_t size = strlen(path), stem = size;
	struct tm tm = {};
	char date[32];
	char *ret;

	if (strcmp(path, "-") == 0)
		return strdup(path);
	for (unsigned i = 0; writer->extensions[i]; i++) {
		size_t end = strlen(writer->extensions[i]);

		if (end < size && strcmp(path + size - end, writer->extensions[i]) == 0 &&
		    path[size - end - 1] != '/' && size - end < stem)
			stem = size - end;
	}
	(void)localtime_r(&now, &tm);
	strftime(date, sizeof(date), "%Y%m%d-%H%M%S", &tm);
	for (unsigned number = 1;; number++) {
		char count[16] = "";

		if (number > 1)
			snprintf(count, sizeof(count), "-%u", number);
		if (asprintf(&ret, "%.*s.%s%s%s", (int)stem, path, date, count, path + stem) < 0)
			return NULL;
		if (access(ret, F_OK) < 0 || number >= 1000)
			return ret;
		free(ret);
	}
}
