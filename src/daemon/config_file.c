// SPDX-License-Identifier: Apache-2.0
#include "daemon/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/utf8.h"

/* As inih is built unless somebody wants otherwise: this much of a line is read, with its end. */
_Static_assert(CONFIG_FILE_LINE_MAX + 3 < INI_MAX_LINE, "inih takes every line whole");

struct lines {
	struct config_file *file;
	const char *at, *end;
	int error; /* of file->entry */
};

void config_file_mistake(struct config_file *file, const char *format, ...)
{
	char words[512];
	va_list list;

	va_start(list, format);
	vsnprintf(words, sizeof(words), format, list);
	va_end(list);
	log_error("%s:%u: %s", file->path, file->line, words);
	file->mistakes++;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool is_text(const char *line, size_t size)
{
	for (size_t i = 0, length; i < size; i += length) {
		uint32_t point = 0;

		length = utf8_next(&point, line + i, size - i);
		if (!length || (point < 0x20 && point != '\t') || point == 0x7f)
			return false;
	}
	return true;
}

/* Whether inih will read the line as it is meant. It begins with no blank and ends with none. */
static bool check_line(struct config_file *file, const char *line, size_t size)
{
	if (size == 0 || line[0] == '#' || line[0] == ';')
		return true;
	if (size > CONFIG_FILE_LINE_MAX)
		config_file_mistake(file, "the line is too long: %d bytes are read at most",
				    CONFIG_FILE_LINE_MAX);
	else if (!is_text(line, size))
		config_file_mistake(file, "the line has bytes that are no text");
	else if (line[0] == '[' && memchr(line, ']', size) != line + size - 1)
		config_file_mistake(file, "a section is written as [NAME], in a line of its own");
	else if (line[0] != '[' && (line[0] == '=' || !memchr(line, '=', size)))
		config_file_mistake(file, "not a setting: write NAME = VALUE");
	else
		return true;
	return false;
}

/* The next line for inih, which makes fgets of it: empty where it was a comment or a mistake. */
static char *next_line(char *ret, int capacity, void *stream)
{
	struct lines *lines = stream;
	const char *line = lines->at, *newline;
	size_t size;

	if (lines->at == lines->end || capacity < CONFIG_FILE_LINE_MAX + 2 || lines->error)
		return NULL;
	lines->file->line++;
	newline = memchr(line, '\n', (size_t)(lines->end - line));
	lines->at = newline ? newline + 1 : lines->end;
	size = (size_t)((newline ? newline : lines->end) - line);
	while (size && is_blank(line[size - 1]))
		size--;
	/* Else inih would take it for more of the line before. */
	while (size && is_blank(line[0])) {
		line++;
		size--;
	}
	if (!check_line(lines->file, line, size) || (size && (line[0] == '#' || line[0] == ';')))
		size = 0;
	memcpy(ret, line, size);
	memcpy(ret + size, "\n", 2);
	return ret;
}

static int hand_over(void *user, const char *section, const char *name, const char *value)
{
	struct lines *lines = user;

	if (!lines->error)
		lines->error = lines->file->entry(lines->file, section, name, value);
	return 1;
}

int config_file_read(struct config_file *file)
{
	cleanup(bytes_fini) struct bytes text = {};
	struct lines lines = { .file = file };
	int r = fs_read(&text, AT_FDCWD, file->path, CONFIG_FILE_BYTES_MAX);

	file->line = file->mistakes = 0;
	if (r < 0)
		return r;
	if (!bytes_str(&text))
		return -ENOMEM;
	lines.at = text.at;
	lines.end = text.at + text.size;
	/* A byte order mark is none of the first line's bytes. */
	if (text.size >= 3 && memcmp(text.at, "\xef\xbb\xbf", 3) == 0)
		lines.at += 3;
	r = ini_parse_stream(next_line, &lines, hand_over, &lines);
	/* Where a comment (" ;") begins before "=" or "]"; its number is of the first such line. */
	if (r > 0 && !lines.error) {
		file->line = (unsigned)r;
		config_file_mistake(file, "not a setting: write NAME = VALUE");
	}
	return r < 0 ? -ENOMEM : lines.error;
}
