// SPDX-License-Identifier: Apache-2.0
#include "cmd/change_output.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"

void change_output_formats(struct bytes *ret)
{
	for (size_t i = 0; i < diff_writer_count; i++)
		bytes_add_format(ret, "%s%s", i ? ", " : "", diff_writers[i]->name);
}

/* NULL: nothing says it. */
static const struct diff_writer *writer_of(const struct diff_writer *format, const char *path)
{
	if (format)
		return format;
	return strcmp(path, "-") == 0 ? diff_writers[0] : diff_writer_by_path(path);
}

int change_output_check(const struct command *command, const struct diff_writer *format,
			const char *path)
{
	cleanup(bytes_fini) struct bytes names = {};

	if (writer_of(format, path))
		return 0;
	change_output_formats(&names);
	return options_usage_error(command, "-o %.64s: its name says no format; choose with -f: %s",
				   path, bytes_str(&names) ? names.at : "");
}

static int write_whole(const struct diff *diff, const struct diff_writer *writer, const char *path,
		       const char *heading)
{
	struct fs_atomic file = FS_ATOMIC_NULL;
	struct stream stream;
	int r = fs_atomic_open(&file, path, false), finished;

	if (r < 0)
		return r;
	stream_init(&stream, file.fd);
	if (heading && writer == &diff_writer_text)
		stream_str(&stream, heading);
	r = writer->write(diff, &stream);
	finished = stream_finish(&stream);
	if (r == 0)
		r = finished;
	stream_fini(&stream);
	if (r == 0)
		r = fs_atomic_commit(&file);
	fs_atomic_abandon(&file);
	return r;
}

int change_output_write(const struct diff *diff, const struct diff_writer *format, const char *path,
			const char *heading)
{
	const struct diff_writer *writer = writer_of(format, path);
	int r = writer ? write_whole(diff, writer, path, heading) : -EINVAL;

	/* A reader that has seen enough is no failure. */
	if (r == 0 || r == -EPIPE)
		return 0;
	log_error("cannot write %s: %s", path, strerror(-r));
	return r;
}
