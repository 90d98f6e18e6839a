// SPDX-License-Identifier: Apache-2.0
/*
 * Reports of any profile: three bytes choose the view, the width and the part of it that is shown; then
 * the file. Text is clean, and no wider than asked for; a part is never more than the whole.
 */
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "input/input.h"
#include "memory_file.h"
#include "output/escape.h"
#include "profile/filter.h"
#include "report/report.h"

/* Of those that open no files. */
static const enum report_view views[] = { REPORT_FUNCTIONS, REPORT_TREE, REPORT_CALLERS,
					  REPORT_CALLEES,   REPORT_PEEK, REPORT_GROUPS,
					  REPORT_WHAT_IF };
static const char *const expressions[] = { "a", "main|x", "^.$", "[^a-z]", "" };

static struct profile *read_profile(const void *bytes, size_t size)
{
	struct profile *profile = NULL;
	struct input_report report;
	int fd = memory_file(bytes, size);

	FUZZ_CHECK(lseek(fd, 0, SEEK_SET) == 0);
	/* Never a GiB of zeros. */
	if (input_read(&profile, fd, 16 << 20, &report, NULL) != 0)
		return NULL;
	FUZZ_CHECK(profile_freeze(profile) == 0);
	return profile;
}

static void filter_profile(struct profile **profile, unsigned choice)
{
	struct filter filter = {};
	struct profile *left;
	struct pattern_reason reason;
	bool matched[FILTER_KINDS];
	enum filter_kind kind = choice % (FILTER_KINDS + 1);

	if (kind == FILTER_KINDS)
		return;
	FUZZ_CHECK(filter_set(&filter, kind, expressions[choice / 8 % ARRAY_SIZE(expressions)],
			      &reason) == 0);
	FUZZ_CHECK(profile_filter(&left, *profile, &filter, matched) == 0);
	filter_fini(&filter);
	profile_free(*profile);
	*profile = left;
}

static void check_text(const struct stream *stream, size_t width)
{
	const char *at = stream->buffer.at, *end = at + stream->buffer.size;
	size_t columns = 0;

	while (at < end) {
		uint32_t c;

		if (*at == '\n') {
			columns = 0;
			at++;
			continue;
		}
		c = text_next(&at);
		FUZZ_CHECK(c && c != TEXT_INVALID && !text_is_hidden(c));
		columns += text_char_columns(c);
		FUZZ_CHECK(columns <= width);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader reader = reader_of(data, size);
	uint8_t view = reader_u8(&reader), width = reader_u8(&reader), part = reader_u8(&reader);
	struct what_if change = { "a", 0.5 };
	struct report_options options = {
		.view = views[view / 2 % ARRAY_SIZE(views)],
		.function = expressions[view / 16 % ARRAY_SIZE(expressions)],
		.order = view % 3,
		.smallest = part % 2 ? 0 : -1,
		.width = 40 + width,
		.group = width % 4,
		.label = "a",
		.changes = { &change, 1, 1 },
	};
	struct profile *profile = read_profile(reader.at, reader_left(&reader));
	struct report_reason reason = {};
	struct weights weights;
	struct whole whole, left;
	struct stream stream;
	int r;

	if (!profile)
		return 0;
	FUZZ_CHECK(weights_of(&weights, profile, profile->meta.main_type) == 0);
	whole = weights_add_up(&weights);
	filter_profile(&profile, part);
	FUZZ_CHECK(weights_of(&weights, profile, profile->meta.main_type) == 0);
	left = weights_add_up(&weights);
	FUZZ_CHECK(left.weight <= whole.weight);
	stream_init(&stream, -1);
	r = report_write(&stream, profile, &whole, &options, view % 2, &reason);
	FUZZ_CHECK(r == 0 || r == REPORT_REFUSED);
	FUZZ_CHECK((r == REPORT_REFUSED) == (reason.text[0] != '\0'));
	FUZZ_CHECK(r == 0 || stream.written == 0);
	if (r == 0 && view % 2)
		FUZZ_CHECK(stream.written > 2 && stream.buffer.at[stream.buffer.size - 2] == '}');
	else if (r == 0)
		check_text(&stream, options.width);
	stream_fini(&stream);
	profile_free(profile);
	return 0;
}
