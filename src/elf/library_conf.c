// SPDX-License-Identifier: Apache-2.0
#include "elf/library_conf.h"

#include <string.h>

static const char blanks[] = " \t\r\f\v";

static int parse_line(char *line, const struct library_conf_handler *handler, void *context)
{
	size_t size;

	line[strcspn(line, "#")] = '\0';
	line += strspn(line, blanks);
	size = strcspn(line, blanks);
	if (size == 7 && memcmp(line, "include", 7) == 0) {
		char *rest = NULL;
		int r = 0;

		for (char *pattern = strtok_r(line + size, blanks, &rest); pattern && r >= 0;
		     pattern = strtok_r(NULL, blanks, &rest))
			r = handler->include(context, pattern);
		return r;
	}
	/* "hwcap N NAME" lines are of the past; "FOLDER=libc6" names the kind of library. */
	line[strcspn(line, "=")] = '\0';
	for (size = strlen(line); size && strchr(blanks, line[size - 1]); size--)
		;
	line[size] = '\0';
	return line[0] == '/' ? handler->folder(context, line) : 0;
}

int library_conf_parse(char *text, const struct library_conf_handler *handler, void *context)
{
	char *rest = NULL;
	int r = 0;

	for (char *line = strtok_r(text, "\n", &rest); line && r >= 0;
	     line = strtok_r(NULL, "\n", &rest))
		r = parse_line(line, handler, context);
	return r < 0 ? r : 0;
}
