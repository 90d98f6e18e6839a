// SPDX-License-Identifier: Apache-2.0
#include "cmd/record_output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"

enum { MAX_NAME = 48 }; /* of a comm or a program's file name in a default name */

void record_output_clean(char *ret, size_t size, const char *name)
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

/* What the recording is of, in one word: a thread's name, a program, "all". */
static void target_name(char *ret, size_t size, const struct target *target, pid_t pid)
{
	cleanup(bytes_fini) struct bytes comm = {};
	char path[64];

	if (target->command) {
		const char *slash = strrchr(target->command[0], '/');

		record_output_clean(ret, size, slash ? slash + 1 : target->command[0]);
		return;
	}
	if (pid) {
		snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
		if (fs_read(&comm, -1, path, 256) == 0 && bytes_str(&comm))
			comm.at[strcspn(comm.at, "\n")] = '\0';
		else
			bytes_fini(&comm);
		record_output_clean(ret, size, bytes_str(&comm) ? comm.at : "");
		return;
	}
	record_output_clean(ret, size, target->comm ? target->comm : "all");
}

int record_output_default(struct config *config, const struct writer *writer, time_t now)
{
	const struct target *target = &config->target;
	pid_t first = target->pids.count   ? target->pids.at[0]
		      : target->tids.count ? target->tids.at[0]
					   : 0;
	bool only_one = target->pids.count + target->tids.count == 1;
	char name[MAX_NAME], date[32], number[24] = "";
	struct config_output *output;
	struct tm tm;

	if (config->outputs.count)
		return 0;
	target_name(name, sizeof(name), target, first);
	if (only_one)
		snprintf(number, sizeof(number), "-%d", (int)first);
	if (!localtime_r(&now, &tm) || !strftime(date, sizeof(date), "%Y%m%d-%H%M%S", &tm))
		snprintf(date, sizeof(date), "%lld", (long long)now);
	for (unsigned attempt = 1; attempt <= 1000; attempt++) {
		cleanup(free) char *path = NULL;
		char again[16] = "";
		struct stat st;

		if (attempt > 1)
			snprintf(again, sizeof(again), "-%u", attempt);
		if (asprintf(&path, "profd-%s%s-%s%s%s", name, number, date, again,
			     writer->extensions[0] ? writer->extensions[0] : "") < 0) {
			path = NULL;
			return -ENOMEM;
		}
		if (lstat(path, &st) == 0)
			continue;
		output = array_push(&config->outputs);
		if (!output)
			return -ENOMEM;
		config->default_path = TAKE_PTR(path);
		*output = (struct config_output){ config->default_path, writer };
		return 0;
	}
	return -EEXIST;
}

static int check_path(const char *path)
{
	struct fs_atomic file = FS_ATOMIC_NULL;
	struct stat st;
	int r;

	if (strcmp(path, "-") == 0)
		return 0;
	/* A file without a name yet would find out only in the end that this one is too long. */
	if (lstat(path, &st) < 0 && errno != ENOENT)
		return -errno;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return -EISDIR;
	/* Not opened: a pipe would wait for its reader, and then lose it again. */
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return access(path, W_OK) < 0 ? -errno : 0;
	r = fs_atomic_open(&file, path, false);
	fs_atomic_abandon(&file);
	return r;
}

int record_output_check(const struct config *config)
{
	const char *path = NULL;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < config->outputs.count; i++) {
		path = config->outputs.at[i].path;
		r = check_path(path);
	}
	if (r == 0 && config->summary_path) {
		path = config->summary_path;
		r = check_path(path);
	}
	if (r == -ENOENT || r == -ENOTDIR)
		log_error("cannot write %s: its folder does not exist", path);
	else if (r < 0)
		log_error("cannot write %s: %s", path, strerror(-r));
	return r;
}
