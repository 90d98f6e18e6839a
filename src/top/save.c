// SPDX-License-Identifier: Apache-2.0
#include "top/save.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "session/default_name.h"
#include "session/outputs.h"

static int set_text(char **to, const char *before, const char *text)
{
	char *made;

	if (!text)
		return 0;
	if (asprintf(&made, "%s%s", before, text) < 0)
		return -ENOMEM;
	free(*to);
	*to = made;
	return 0;
}

static int describe_span(const struct picture *picture, const struct profile *words,
			 const char *span)
{
	struct profile *profile = picture->merged;
	cleanup(free) char *before = NULL;
	/* A frozen picture, and the last one, may be old. */
	uint64_t age_ns = clock_ns(CLOCK_MONOTONIC) - picture->end_ns;
	int r;

	profile->meta.time_ns =
		(int64_t)(clock_ns(CLOCK_REALTIME) - age_ns) - profile->meta.duration_ns;
	if (!words)
		return 0;
	if (asprintf(&before, "%s of: ", span) < 0) {
		before = NULL;
		return -ENOMEM;
	}
	if ((r = set_text(&profile->meta.title, "", words->meta.title)) < 0 ||
	    (r = set_text(&profile->meta.subtitle, before, words->meta.subtitle)) < 0)
		return r;
	return set_text(&profile->meta.quality, "the whole recording: ", words->meta.quality);
}

int save_picture(struct picture *picture, const struct target *target, const char *word,
		 const struct profile *words, const char *span, const struct writer *writer,
		 char **ret_path)
{
	const char *extension = writer->extensions[0] ? writer->extensions[0] : "";
	cleanup(free) char *path = NULL;
	struct config_output output = { .writer = writer };
	int r = describe_span(picture, words, span);

	if (r == 0)
		r = default_name(&path, target, word, extension, time(NULL));
	if (r < 0)
		return r;
	output.path = path;
	r = outputs_write_one(&output, picture->merged, true);
	*ret_path = TAKE_PTR(path);
	return r;
}
