/* SPDX-License-Identifier: Apache-2.0 */
/* What a writer writes, as a string; and a profile whose every name tries to break something. */
#pragma once

#include "profile/builder.h"

#include "base/bytes.h"
#include "output/formats.h"

/* Freezes the profile. The result is NUL-terminated, and the caller's to bytes_fini. */
static inline struct bytes written(const struct writer *writer, struct profile *profile)
{
	struct stream stream;

	assert_ok(profile_freeze(profile));
	stream_init(&stream, -1);
	assert_ok(writer->write(profile, &stream));
	assert_ok(stream_finish(&stream));
	assert_int_equal(stream.written, stream.buffer.size);
	assert_non_null(bytes_str(&stream.buffer));
	return stream.buffer;
}

#define HOSTILE_ESC "\x1b]0;owned\a"
#define HOSTILE_BIDI "\xe2\x80\xae" /* U+202E RIGHT-TO-LEFT OVERRIDE */

static inline struct profile *hostile_profile(void)
{
	struct profile *profile = build_profile();
	char name[256];

	profile->meta.title = strdup("<b>\"evil\" & co</b> " HOSTILE_ESC);
	profile->meta.subtitle = strdup("./evil '--a' ]]> </script></svg> " HOSTILE_BIDI "gnp.exe\n2nd");
	profile->meta.quality = strdup("\xff\xfe 3 samples; 0 lost");
	assert_ok(profile_comment_add(profile, "comment with " HOSTILE_ESC " and \xc3("));
	build_sample(profile, "my worker 3", NULL, 0, "u:main|u:</script><script>alert(1)", 10);
	build_sample(profile, "my worker 3", NULL, 0, "u:main|u:]]>;semi;colon", 11);
	build_sample(profile, "my worker 3", NULL, 0, "u:main|l:\"quo'ted\" & <angled>", 12);
	build_sample(profile, "my worker 3", NULL, 0, "u:main|k:" HOSTILE_ESC "\n\t\r", 13);
	build_sample(profile, "my worker 3", NULL, 0, "u:main|j:" HOSTILE_BIDI "cod.exe", 14);
	build_sample(profile, "my worker 3", NULL, 0, "u:main|u:bad\xff\xc0\x80\xed\xa0\x80utf8", 15);
	build_sample(profile, "my worker 3", NULL, 0, "u:main~inlined 7|u:ends 42", 16);
	build_sample(profile, "my worker 3", NULL, 0, "U:0x401234", 17);
	build_sample(profile, "my worker 3", NULL, 0, "n:[truncated]|u:\xe6\xbc\xa2\xe5\xad\x97", 18);
	/* Longer than a line of text and than any box. */
	snprintf(name, sizeof(name), "u:ns::%0*d", 240, 0);
	build_sample(profile, "evil\xff;comm", "thread\n1", 4243, name, 19);
	build_sample(profile, "", "", 0, "u: ", 20);
	build_sample(profile, NULL, NULL, 0, "", 21);
	return profile;
}
