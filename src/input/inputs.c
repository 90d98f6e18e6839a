// SPDX-License-Identifier: Apache-2.0
/* The registry. A new format is a file with one struct, and a line here. */
#include "input/input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "input/unpack.h"

/* Enough to tell formats apart. */
enum { PEEK_BYTES = 64 << 10 };

const struct input *const inputs[] = { &input_pprof, &input_speedscope, &input_perf_script,
				       &input_folded };
const size_t input_count = ARRAY_SIZE(inputs);

static int refuse(struct input_report *report, const char *reason)
{
	snprintf(report->reason, sizeof(report->reason), "%s", reason);
	return INPUT_REFUSED;
}

/*
 * Text that gzip has packed, as files of logs and of speedscope often are: it becomes lines in memory.
 * pprof, which mostly is packed, has a reader that does this itself, and says what is wrong with it.
 */
static int open_packed(const struct input **ret, struct lines *lines, uint64_t limit_bytes,
		       struct input_report *report)
{
	cleanup(unpacked_fini) struct unpacked file = {};
	const struct input_progress *progress = lines->progress;
	cleanup(free) char *text = malloc(PEEK_BYTES);
	const char *begin;
	size_t size;
	int r = text ? lines_peek(lines, &begin, &size, PEEK_BYTES) : -ENOMEM;

	if (r < 0)
		return r;
	size = unpack_peek(text, PEEK_BYTES, begin, size < PEEK_BYTES ? size : PEEK_BYTES);
	*ret = &input_pprof;
	for (size_t i = 0; size && i < input_count; i++)
		if (inputs[i]->recognises(text, size)) {
			*ret = inputs[i];
			break;
		}
	if (*ret == &input_pprof)
		return 0;
	r = unpack_all(&file, lines, limit_bytes / 2);
	if (r > 0) {
		snprintf(report->reason, sizeof(report->reason), ": %s", unpack_reason(r));
		return INPUT_REFUSED;
	}
	if (r < 0)
		return r;
	lines_fini(lines);
	*lines = lines_of_memory((char *)file.bytes, file.size);
	file = (struct unpacked){};
	lines->progress = progress;
	return 0;
}

int input_read(struct profile **ret, int fd, uint64_t limit_bytes, struct input_report *report,
	       const struct input_progress *progress)
{
	cleanup(profile_free) struct profile *profile = NULL;
	cleanup(lines_fini) struct lines lines = lines_of(fd);
	const struct input *input = NULL;
	const char *begin;
	size_t size;
	int r;

	lines.progress = progress;
	r = lines_peek(&lines, &begin, &size, PEEK_BYTES);

	*report = (struct input_report){};
	if (r < 0)
		return r;
	if (size > PEEK_BYTES)
		size = PEEK_BYTES;
	for (size_t i = 0; !input && i < input_count; i++)
		if (inputs[i]->recognises(begin, size))
			input = inputs[i];
	if (!size)
		return refuse(report, ": it is empty");
	if (!input)
		return refuse(
			report,
			": not in a format that can be read: folded stacks, perf script, speedscope or pprof");
	if (unpack_is_gzip(begin, size))
		r = open_packed(&input, &lines, limit_bytes, report);
	if (r != 0)
		return r;
	report->items = input->items;
	r = profile_new(&profile);
	if (r == 0)
		r = input->read(profile, &lines, limit_bytes, report);
	if (r == 0 && !profile->samples.count)
		return refuse(report, ": it holds no stacks");
	if (r == 0)
		*ret = TAKE_PTR(profile);
	return r;
}
