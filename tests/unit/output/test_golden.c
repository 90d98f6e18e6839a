// SPDX-License-Identifier: Apache-2.0
/*
 * Every format of one profile full of hostile names, and a picture that the browser's test
 * opens, too, compared with the files in tests/golden. Look at the difference; when it is meant, run
 * with PROFD_UPDATE_GOLDEN=1 and commit the files.
 */
#include "output/written.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include "base/fs.h"

/* pprof is compared unpacked, for what gzip makes of it depends on the version of zlib. */
static void unpack(struct bytes *bytes)
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
static void golden_path(char *path, size_t size, const struct writer *writer, const char *name)
{
	const char *slash = strrchr(__FILE__, '/');

	snprintf(path, size, "%.*s/../../golden/%s/%s%s", slash ? (int)(slash - __FILE__) : 1,
		 slash ? __FILE__ : ".", writer->name, name, writer->extensions[0]);
}

/* Frees the profile. */
static void compare(const struct writer *writer, const char *name, struct profile *profile)
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

static void flamegraph(void **state)
{
	(void)state;
	compare(&writer_flamegraph, "hostile", hostile_profile());
}

/* Recursion, long names, functions too small to see, modules, places in the source. */
static void shapes(void **state)
{
	struct profile *profile = build_profile();
	char stack[64];

	(void)state;
	profile->meta.title = strdup("shapes, pid 42");
	profile->meta.subtitle = strdup("./shapes · host · 99 Hz");
	profile->meta.quality = strdup("11560 samples; 0 lost");
	build_sample(profile, "shapes", NULL, 0, "u:main|u:recurse|u:recurse|u:recurse|u:leaf", 3000);
	build_sample(profile, "shapes", NULL, 0, "u:main|u:recurse|u:other|u:recurse|u:leaf", 1000);
	build_sample(profile, "shapes", NULL, 0,
		     "u:main|u:web::Server<int, std::less<int> >::handle(web::Request const&)~web::parse"
		     "|l:memcpy", 4000);
	build_sample(profile, "shapes", NULL, 0, "u:main|l:malloc|l:_int_malloc", 2000);
	build_sample(profile, "shapes", NULL, 0, "u:main|k:read|k:vfs_read", 1500);
	for (unsigned i = 0; i < 60; i++) {
		snprintf(stack, sizeof(stack), "u:main|u:many|u:tiny%02u", i);
		build_sample(profile, "shapes", NULL, 0, stack, 1);
	}
	for (uint32_t i = 0; i < profile->functions.count; i++) {
		struct profile_function *function = &profile->functions.at[i];

		if (strcmp(profile_text(profile, function->name), "leaf") != 0)
			continue;
		function->file = build_string(profile, "/src/shapes/leaf.c");
		function->start_line = 12;
	}
	compare(&writer_flamegraph, "shapes", profile);
}

static void folded(void **state)
{
	(void)state;
	compare(&writer_folded, "hostile", hostile_profile());
}

static void pprof(void **state)
{
	(void)state;
	compare(&writer_pprof, "hostile", hostile_profile());
}

static void text(void **state)
{
	(void)state;
	compare(&writer_text, "hostile", hostile_profile());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flamegraph),
		cmocka_unit_test(shapes),
		cmocka_unit_test(folded),
		cmocka_unit_test(pprof),
		cmocka_unit_test(text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
