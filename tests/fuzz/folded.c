// SPDX-License-Identifier: Apache-2.0
/*
 * Folded stacks: two bytes that limit the memory, then the text. Whatever is read can be written in
 * every format. Folded again, nothing of it is lost; what comes of reading that comes of it for ever.
 */
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "input/input.h"
#include "memory_file.h"
#include "output/formats.h"

static int read_text(struct profile **ret, const void *text, size_t size, uint64_t limit,
		     struct input_report *report)
{
	int fd = memory_file(text, size);

	FUZZ_CHECK(lseek(fd, 0, SEEK_SET) == 0);
	return input_read(ret, fd, limit, report, NULL);
}

static void write_text(struct stream *ret, const struct writer *writer,
		       const struct profile *profile)
{
	stream_init(ret, -1);
	FUZZ_CHECK(writer->write(profile, ret) == 0);
	FUZZ_CHECK(stream_finish(ret) == 0);
}

static void check_profile(const struct profile *profile, const struct input_report *report)
{
	uint64_t cut = 0;

	for (uint32_t i = 0; i < profile->samples.count; i++)
		FUZZ_CHECK(profile_value(profile, i, 0) > 0);
	for (uint32_t i = 0; i < profile->locations.count; i++)
		FUZZ_CHECK(profile->locations.at[i].line_count &&
			   profile->locations.at[i].address == 0);
	for (uint32_t i = 0; i < profile->stacks.count; i++)
		cut += profile->stacks.at[i].count > 4096;
	FUZZ_CHECK(cut <= report->cut_stacks);
}

/* Reads what was written, and writes that, into *text. Returns the sum of its counts. */
static int64_t again(struct stream *text)
{
	struct input_report report;
	struct profile *profile = NULL;
	struct stream written;
	int64_t total;

	FUZZ_CHECK(read_text(&profile, text->buffer.at, text->buffer.size, UINT64_MAX, &report) ==
		   0);
	FUZZ_CHECK(!report.left_out && !report.rounded);
	FUZZ_CHECK(profile_freeze(profile) == 0);
	total = profile_total(profile, 0);
	write_text(&written, &writer_folded, profile);
	profile_free(profile);
	stream_fini(text);
	*text = written;
	return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader reader = reader_of(data, size);
	uint64_t limit = reader_u16(&reader);
	struct input_report report;
	struct profile *profile = NULL;
	struct stream text;
	struct bytes second = {};
	int64_t total;
	int r;

	if (limit > 0x8000)
		limit = UINT64_MAX;
	r = read_text(&profile, reader.at, reader_left(&reader), limit, &report);
	FUZZ_CHECK(r == 0 || r == INPUT_REFUSED);
	FUZZ_CHECK((r == INPUT_REFUSED) == (report.reason[0] != '\0') && (r == 0) == !!profile);
	/* What is told by its text may be something else: another target's. */
	if (r != 0 || strcmp(report.items, input_folded.items) != 0) {
		profile_free(profile);
		return 0;
	}
	FUZZ_CHECK(profile_freeze(profile) == 0);
	check_profile(profile, &report);
	total = profile_total(profile, 0);
	for (size_t i = 0; i < writer_count; i++) {
		write_text(&text, writers[i], profile);
		stream_fini(&text);
	}
	write_text(&text, &writer_folded, profile);
	profile_free(profile);
	FUZZ_CHECK(again(&text) == total);
	bytes_add(&second, text.buffer.at, text.buffer.size);
	FUZZ_CHECK(again(&text) == total);
	FUZZ_CHECK(text.buffer.size == second.size &&
		   memcmp(text.buffer.at, second.at, second.size) == 0);
	bytes_fini(&second);
	stream_fini(&text);
	return 0;
}
