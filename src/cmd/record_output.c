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
#include "session/default_name.h"

int record_output_default(struct config *config, const struct writer *writer, time_t now)
{
	const char *extension = writer->extensions[0] ? writer->extensions[0] : "";
	char word[DEFAULT_NAME_BYTES];
	struct config_output *output;
	int r;

	if (config->outputs.count)
		return 0;
	default_name_word(word, &config->target);
	r = default_name(&config->default_path, &config->target, word, extension, now);
	if (r < 0)
		return r;
	output = array_push(&config->outputs);
	if (!output)
		return -ENOMEM;
	*output = (struct config_output){ config->default_path, writer };
	return 0;
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
