/* SPDX-License-Identifier: Apache-2.0 */
/* What reading a text gives. */
#pragma once

#include "output/written.h"

#include <sys/mman.h>

#include "base/fs.h"
#include "input/input.h"

#define READ_LIMIT (1ULL << 30)

static inline int text_file(const void *text, size_t size)
{
	int fd = memfd_create("text", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_ok(fs_write_all(fd, text, size));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static inline int read_bytes(struct profile **ret, const void *text, size_t size, uint64_t limit,
			     struct input_report *report)
{
	int fd = text_file(text, size), r = input_read(ret, fd, limit, report, NULL);

	close(fd);
	return r;
}

static inline struct profile *read_text(const char *text)
{
	struct input_report report;
	struct profile *profile;

	assert_ok(read_bytes(&profile, text, strlen(text), READ_LIMIT, &report));
	return profile;
}

/* Reads the text, and checks what that is worth, in a format. Frees nothing but what it made. */
static inline void assert_written(const struct writer *writer, const char *text, const char *want)
{
	struct profile *profile = read_text(text);
	struct bytes got = written(writer, profile);

	assert_string_equal(got.at, want);
	bytes_fini(&got);
	profile_free(profile);
}

static inline void assert_refused(const void *text, size_t size, const char *reason)
{
	struct input_report report;
	struct profile *profile = NULL;

	assert_int_equal(read_bytes(&profile, text, size, READ_LIMIT, &report), INPUT_REFUSED);
	assert_null(profile);
	assert_string_equal(report.reason, reason);
}
