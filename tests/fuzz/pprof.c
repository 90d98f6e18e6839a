// SPDX-License-Identifier: Apache-2.0
/*
 * pprof: two bytes that limit the memory, then the file, unpacked or not. Whatever is read can be
 * written in every format; and what is written as pprof says the same for ever.
 */
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "input/input.h"
#include "memory_file.h"
#include "output/formats.h"

static int read_file(struct profile **ret, const void *bytes, size_t size, uint64_t limit,
		     struct input_report *report)
{
	int fd = memory_file(bytes, size);

	FUZZ_CHECK(lseek(fd, 0, SEEK_SET) == 0);
	return input_read(ret, fd, limit, report, NULL);
}

static struct stream write_as(const struct writer *writer, const struct profile *profile)
{
	struct stream stream;

	stream_init(&stream, -1);
	FUZZ_CHECK(writer->write(profile, &stream) == 0);
	FUZZ_CHECK(stream_finish(&stream) == 0);
	return stream;
}

/* Reads what was written, and writes that. */
static struct stream again(const struct profile *before, const struct stream *file)
{
	struct profile *profile = NULL;
	struct input_report report;
	struct stream written;

	FUZZ_CHECK(read_file(&profile, file->buffer.at, file->buffer.size, UINT64_MAX, &report) ==
		   0);
	FUZZ_CHECK(!report.left_out);
	FUZZ_CHECK(profile_freeze(profile) == 0);
	FUZZ_CHECK(profile->types.count == before->types.count);
	FUZZ_CHECK(profile->meta.main_type == before->meta.main_type ||
		   profile->types.at[profile->meta.main_type].name ==
			   profile->types.at[before->meta.main_type].name);
	for (uint32_t i = 0; i < profile->types.count; i++)
		FUZZ_CHECK(profile_total(profile, i) == profile_total(before, i));
	written = write_as(&writer_pprof, profile);
	profile_free(profile);
	return written;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader reader = reader_of(data, size);
	uint64_t limit = reader_u16(&reader) * 16ULL;
	struct input_report report;
	struct profile *profile = NULL;
	struct stream first, second, third;
	int r;

	if (limit > 0x80000)
		limit = UINT64_MAX;
	/* Never a GiB of zeros. */
	if (limit == UINT64_MAX && reader_left(&reader) >= 2 && reader.at[0] == 0x1f)
		limit = 16 << 20;
	r = read_file(&profile, reader.at, reader_left(&reader), limit, &report);
	FUZZ_CHECK(r == 0 || r == INPUT_REFUSED);
	FUZZ_CHECK((r == INPUT_REFUSED) == (report.reason[0] != '\0') && (r == 0) == !!profile);
	if (r != 0)
		return 0;
	FUZZ_CHECK(profile_freeze(profile) == 0);
	for (size_t i = 0; i < writer_count; i++) {
		struct stream stream = write_as(writers[i], profile);

		stream_fini(&stream);
	}
	if (!profile->meta.verbatim) { /* folded: another target's */
		profile_free(profile);
		return 0;
	}
	first = write_as(&writer_pprof, profile);
	second = again(profile, &first);
	third = again(profile, &second);
	FUZZ_CHECK(second.buffer.size == third.buffer.size &&
		   memcmp(second.buffer.at, third.buffer.at, second.buffer.size) == 0);
	profile_free(profile);
	stream_fini(&first);
	stream_fini(&second);
	stream_fini(&third);
	return 0;
}
