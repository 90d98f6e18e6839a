// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/utf8.h"

static enum log_level shown = LOG_INFO;
static bool to_journal;

void log_set_level(enum log_level level)
{
	shown = level;
}

enum log_level log_get_level(void)
{
	return shown;
}

void log_find_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char ours[64];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return;
	snprintf(ours, sizeof(ours), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	/* Whoever redirected stderr has left the variable as it was. */
	to_journal = strcmp(ours, stream) == 0;
}

/* C1 controls (0x80..0x9f, in UTF-8 or as single bytes) are escape codes to some terminals too. */
static void silence_controls(char *line, size_t size)
{
	size_t length;

	for (size_t i = 0; i < size; i += length) {
		uint32_t point = 0;

		length = utf8_next(&point, line + i, size - i);
		if (length && point >= 0x20 && !(point >= 0x7f && point < 0xa0))
			continue;
		length += !length;
		memset(line + i, '?', length);
	}
}

void log_write(enum log_level level, const char *format, ...)
{
	/* Of syslog(3): err, warning, info, debug. */
	static const char *const priorities[] = { "<3>", "<4>", "<6>", "<7>" };
	char line[4096];
	size_t size;
	va_list list;
	int more;

	if (level > shown)
		return;
	size = (size_t)snprintf(line, sizeof(line), "%s",
				to_journal ? priorities[level] : "profd: ");
	va_start(list, format);
	more = vsnprintf(line + size, sizeof(line) - size - 1, format, list);
	va_end(list);
	if (more < 0)
		return;
	size += (size_t)more < sizeof(line) - size - 2 ? (size_t)more : sizeof(line) - size - 2;
	silence_controls(line, size);
	line[size++] = '\n';
	/* One write, so that lines of several processes do not mix. Nobody to tell if it fails. */
	if (write(STDERR_FILENO, line, size) < 0)
		return;
}
