/* SPDX-License-Identifier: Apache-2.0 */
/* Reading whatever profile a file is, writing it in every format, and reading it back. */
#pragma once

#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "input/input.h"
#include "memory_file.h"
#include "output/formats.h"

static inline int fuzz_read(struct profile **ret, const void *bytes, size_t size, uint64_t limit,
			    struct input_report *report)
{
	int fd = memory_file(bytes, size);

	FUZZ_CHECK(lseek(fd, 0, SEEK_SET) == 0);
	return input_read(ret, fd, limit, report, NULL);
}

static inline struct stream fuzz_write(const struct writer *writer, const struct profile *profile)
{
	struct stream stream;

	stream_init(&stream, -1);
	FUZZ_CHECK(writer->write(profile, &stream) == 0);
	FUZZ_CHECK(stream_finish(&stream) == 0);
	return stream;
}

/* What is above 0 of the main type, as formats without differences have it. */
static inline int64_t fuzz_total(const struct profile *profile)
{
	int64_t total = 0;

	for (uint32_t i = 0; i < profile->samples.count; i++) {
		int64_t value = profile_value(profile, i, profile->meta.main_type);

		total = profile_sum(total, value > 0 ? value : 0);
	}
	return total;
}

/* As the writer's own reader has it: nothing is lost, and a second time there is no difference. */
static inline void fuzz_again(const struct writer *writer, const struct profile *profile)
{
	struct stream first = fuzz_write(writer, profile), second;
	int64_t total = fuzz_total(profile);
	struct input_report report;
	struct profile *again = NULL;
	int r = fuzz_read(&again, first.buffer.at, first.buffer.size, UINT64_MAX, &report);

	/* Numbers of JSON are exact up to here; and nothing is no profile. */
	if (total > 1LL << 53 || !total) {
		profile_free(again);
		stream_fini(&first);
		return;
	}
	FUZZ_CHECK(r == 0 && !report.left_out && !report.rounded && !report.passed_over);
	FUZZ_CHECK(profile_freeze(again) == 0);
	FUZZ_CHECK(fuzz_total(again) == total);
	second = fuzz_write(&writer_folded, again);
	stream_fini(&second);
	profile_free(again);
	stream_fini(&first);
}

/* Two bytes that limit the memory, then the file. */
static inline void fuzz_profile(const uint8_t *data, size_t size)
{
	struct reader reader = reader_of(data, size);
	uint64_t limit = reader_u16(&reader) * 4ULL;
	struct input_report report;
	struct profile *profile = NULL;
	int r;

	if (limit > 0x20000)
		limit = UINT64_MAX;
	/* Never a GiB of zeros. */
	if (reader_left(&reader) >= 2 && reader.at[0] == 0x1f && limit == UINT64_MAX)
		limit = 16 << 20;
	r = fuzz_read(&profile, reader.at, reader_left(&reader), limit, &report);
	FUZZ_CHECK(r == 0 || r == INPUT_REFUSED);
	FUZZ_CHECK((r == INPUT_REFUSED) == (report.reason[0] != '\0') && (r == 0) == !!profile);
	FUZZ_CHECK(!memchr(report.reason, '\n', strlen(report.reason)));
	if (r != 0)
		return;
	FUZZ_CHECK(profile->meta.main_type < profile->types.count);
	FUZZ_CHECK(profile_freeze(profile) == 0);
	for (size_t i = 0; i < writer_count; i++) {
		struct stream stream = fuzz_write(writers[i], profile);

		stream_fini(&stream);
	}
	fuzz_again(&writer_speedscope, profile);
	fuzz_again(&writer_pprof, profile);
	profile_free(profile);
}
