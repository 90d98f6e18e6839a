// SPDX-License-Identifier: Apache-2.0
#include "cmd/read_progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "output/escape.h"

#define FIRST_NS 1000000000ULL /* what is done by then needs no line */
#define NEXT_NS 200000000ULL

enum { NAME_COLUMNS = 32 };

static void show(struct read_progress *progress, enum input_phase phase, uint64_t done,
		 uint64_t total, uint64_t now)
{
	cleanup(bytes_fini) struct bytes clean = {}, line = {};
	double seconds = (double)(now - progress->begin_ns) / 1e9;

	escape_clean(&clean, progress->name);
	bytes_add_str(&line, "\r\033[K");
	text_add_clipped(&line, bytes_str(&clean) ? clean.at : "", NAME_COLUMNS);
	if (phase == INPUT_READING)
		bytes_add_format(&line, ": %.0f MB read, %.0f MB/s", (double)done / 1e6,
				 (double)done / 1e6 / seconds);
	else
		bytes_add_format(&line, ": taking in %.0f MB", (double)total / 1e6);
	if (total)
		bytes_add_format(&line, ", %.0f %%", 100.0 * (double)done / (double)total);
	bytes_add_str(&line, " ");
	if (!line.failed && write(STDERR_FILENO, line.at, line.size) > 0)
		progress->is_shown = true;
}

static void tell(void *context, enum input_phase phase, uint64_t done, uint64_t total)
{
	struct read_progress *progress = context;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (now < progress->next_ns)
		return;
	if (phase == INPUT_READING && done <= progress->size)
		total = progress->size;
	show(progress, phase, done, total, now);
	progress->next_ns = now + NEXT_NS;
}

void read_progress_begin(struct read_progress *progress, const char *name, int fd)
{
	const char *term = getenv("TERM");
	struct stat st;

	*progress = (struct read_progress){ .name = name };
	if (!isatty(STDERR_FILENO) || !term || strcmp(term, "dumb") == 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		progress->size = (uint64_t)st.st_size;
	progress->begin_ns = clock_ns(CLOCK_MONOTONIC);
	progress->next_ns = progress->begin_ns + FIRST_NS;
	progress->input = (struct input_progress){ tell, progress };
}

void read_progress_end(struct read_progress *progress)
{
	if (progress->is_shown)
		fputs("\r\033[K", stderr);
	progress->is_shown = false;
}
