/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Formats compared with the files in tests/golden. Look at the difference; when it is meant, run
 * with PROFD_UPDATE_GOLDEN=1 and commit the files.
 */
#pragma once

#include "output/written.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include "base/fs.h"

/* pprof is compared unpacked, for what gzip makes of it depends on the version of zlib. */
static inline void unpack(struct bytes *bytes)
{
	struct bytes raw = {};
	char out[4096];
	z_stream z = { .next_in = (unsigned char *)bytes->at, .avail_in = (uInt)bytes->size };
	int r;

	assert_int_equal(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
	do {
		z.next_out = (unsigned char *)out;
		z.avail_out = sizeof(out);
		r = inflate(&z, Z_NO_FLUSH);
		assert_true(r == Z_OK || r == Z_STREAM_END);
		bytes_add(&raw, out, sizeof(out) - z.avail_out);
	} while (r != Z_STREAM_END);
	inflateEnd(&z);
	bytes_fini(bytes);
	*bytes = raw;
}

/* This file's name leads to the sources, for the build system runs tests in the build directory. */
static inline void golden_path(char *path, size_t size, const struct writer *writer,
			       const char *name)
{
	const char *slash = strrchr(__FILE__, '/');

	snprintf(path, size, "%.*s/../../golden/%s/%s%s", slash ? (int)(slash - __FILE__) : 1,
		 slash ? __FILE__ : ".", writer->name, name, writer->extensions[0]);
}

/* Frees the profile. */
static inline void compare(const struct writer *writer, const char *name, struct profile *profile)
{
	struct bytes got = written(writer, profile), want = {};
	size_t at = 0;
	char path[4096];

	golden_path(path, sizeof(path), writer, name);
	if (getenv("PROFD_UPDATE_GOLDEN")) {
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

		assert_true(fd >= 0);
		assert_ok(fs_write_all(fd, got.at, got.size));
		close(fd);
	}
	assert_ok(fs_read(&want, AT_FDCWD, path, 1 << 24));
	if (writer == &writer_pprof) {
		unpack(&got);
		unpack(&want);
	}
	while (at < got.size && at < want.size && got.at[at] == want.at[at])
		at++;
	if (at < got.size || at < want.size)
		fail_msg("%s: differs from byte %zu on:\n got: %.60s\nwant: %.60s", path, at,
			 at < got.size ? got.at + at : "", at < want.size ? want.at + at : "");
	bytes_fini(&got);
	bytes_fini(&want);
	profile_free(profile);
}
