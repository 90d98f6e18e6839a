// SPDX-License-Identifier: Apache-2.0
/*
 * A differential flame graph, byte by byte: tests/golden/flamegraph/change.svg, which the test in a
 * browser drives. PROFD_UPDATE_GOLDEN=1 writes it anew.
 */
#include "profile/builder.h"

#include <fcntl.h>
#include <math.h>
#include <unistd.h>

#include "base/fs.h"
#include "diff/output.h"

static struct diff *example(void)
{
	struct profile *base = build_profile(), *new = build_profile();
	struct diff_input inputs[2] = { { base, "old.pb.gz", 1 }, { new, "new <1>.pb.gz", 1 } };
	struct diff_reason reason;
	struct diff *diff;

	build_sample(base, "prog", NULL, 0, "u:main|u:parse", 2000);
	build_sample(base, "prog", NULL, 0, "u:main|u:parse|l:malloc", 1000);
	build_sample(base, "prog", NULL, 0, "u:main|u:old|u:older", 1500);
	build_sample(base, "prog", NULL, 0, "u:main|u:steady", 5500);
	build_sample(new, "prog", NULL, 0, "u:main|u:parse", 4000);
	build_sample(new, "prog", NULL, 0, "u:main|u:parse|l:malloc", 300);
	build_sample(new, "prog", NULL, 0, "u:main|u:fr<esh", 200);
	build_sample(new, "prog", NULL, 0, "u:main|u:steady", 5500);
	assert_ok(profile_freeze(base));
	assert_ok(profile_freeze(new));
	assert_ok(diff_new(&diff, inputs, 1, inputs + 1, 1, DIFF_PER_SAMPLES, &reason));
	profile_free(base);
	profile_free(new);
	return diff;
}

static void the_picture_is_the_golden_one(void **state)
{
	struct diff *diff = example();
	struct bytes want = {};
	struct stream stream;
	const char *slash = strrchr(__FILE__, '/');
	char path[4096];

	(void)state;
	stream_init(&stream, -1);
	assert_ok(diff_writer_flamegraph.write(diff, &stream));
	assert_ok(stream_finish(&stream));
	snprintf(path, sizeof(path), "%.*s/../../golden/flamegraph/change.svg",
		 slash ? (int)(slash - __FILE__) : 1, slash ? __FILE__ : ".");
	if (getenv("PROFD_UPDATE_GOLDEN")) {
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

		assert_true(fd >= 0);
		assert_ok(fs_write_all(fd, stream.buffer.at, stream.buffer.size));
		close(fd);
	}
	assert_ok(fs_read(&want, AT_FDCWD, path, 1 << 24));
	assert_int_equal(stream.buffer.size, want.size);
	assert_memory_equal(stream.buffer.at, want.at, want.size);
	bytes_fini(&want);
	stream_fini(&stream);
	diff_free(diff);
}

/* Contrast of the text on each colour of changes, as WCAG 2 defines it. */
static double channel(double value)
{
	return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4);
}

static double luminance(double hue, double saturation, double lightness)
{
	static const double offsets[] = { 0, 8, 4 }, parts[] = { 0.2126, 0.7152, 0.0722 };
	double a = saturation * fmin(lightness, 1 - lightness), sum = 0;

	for (unsigned i = 0; i < 3; i++) {
		double k = fmod(offsets[i] + hue / 30, 12);

		sum += parts[i] * channel(lightness - a * fmax(-1, fmin(fmin(k - 3, 9 - k), 1)));
	}
	return sum;
}

static void text_is_readable_on_every_change(void **state)
{
	/* Of #1c1d21 and #eceef2. */
	static const double inks[] = { 0.01229, 0.85355 };
	struct diff *diff = example();
	struct stream stream;
	unsigned hue, saturation, lightness, colours = 0;
	const char *dark = NULL, *svg;

	(void)state;
	stream_init(&stream, -1);
	assert_ok(diff_writer_flamegraph.write(diff, &stream));
	svg = bytes_str(&stream.buffer);
	for (const char *at = svg; (at = strstr(at, "prefers-color-scheme: dark)")); at++)
		dark = at;
	for (const char *at = svg; (at = strstr(at, "{fill:hsl(")); at++) {
		double paper, ink = inks[at > dark];

		if (!strchr("dce", at[-2]))
			continue;
		colours++;
		assert_int_equal(sscanf(at, "{fill:hsl(%u,%u%%,%u%%)", &hue, &saturation,
					&lightness),
				 3);
		paper = luminance(hue, saturation / 100.0, lightness / 100.0);
		if ((fmax(paper, ink) + 0.05) / (fmin(paper, ink) + 0.05) < 4.5)
			fail_msg("%c%c %s", at[-2], at[-1], at > dark ? "dark" : "light");
	}
	assert_int_equal(colours, 2 * 9);
	stream_fini(&stream);
	diff_free(diff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_picture_is_the_golden_one),
		cmocka_unit_test(text_is_readable_on_every_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
