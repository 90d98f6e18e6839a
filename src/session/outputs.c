// SPDX-License-Identifier: Apache-2.0
#include "session/outputs.h"

#include <errno.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "output/stream.h"

int outputs_write_one(const struct config_output *output, const struct profile *profile,
		      bool exclusive)
{
	struct fs_atomic file = FS_ATOMIC_NULL;
	struct stream stream;
	int r = fs_atomic_open(&file, output->path, exclusive), finished;

	if (r < 0)
		return r;
	stream_init(&stream, file.fd);
	r = output->writer->write(profile, &stream);
	finished = stream_finish(&stream);
	if (r == 0)
		r = finished;
	stream_fini(&stream);
	if (r == 0)
		r = fs_atomic_commit(&file);
	fs_atomic_abandon(&file);
	return r;
}

static void complain(const char *path, int r)
{
	log_error("cannot write %s: %s%s", path, strerror(-r),
		  r == -ENOSPC || r == -EDQUOT ? "; free some space first" : "");
}

int outputs_write(const struct config *config, const struct profile *profile)
{
	int first = 0;

	for (uint32_t i = 0; i < config->outputs.count; i++) {
		const struct config_output *output = &config->outputs.at[i];
		int r = outputs_write_one(output, profile, output->path == config->default_path);

		/* A reader that has seen enough is no failure. */
		if (r == 0 || r == -EPIPE)
			continue;
		complain(output->path, r);
		if (first == 0)
			first = r;
	}
	return first;
}

int outputs_write_text(const char *path, const void *text, size_t size)
{
	struct fs_atomic file = FS_ATOMIC_NULL;
	int r = fs_atomic_open(&file, path, false);

	if (r == 0)
		r = fs_write_all(file.fd, text, size);
	if (r == 0)
		r = fs_atomic_commit(&file);
	fs_atomic_abandon(&file);
	if (r == -EPIPE)
		return 0;
	if (r < 0)
		complain(path, r);
	return r;
}
