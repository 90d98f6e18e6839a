// SPDX-License-Identifier: Apache-2.0
/* The first line of a script; one that we write is read as it was written. */
#include "elf/needed.h"

#include <string.h>

#include "fuzz.h"

static const char blanks[] = " \t";

static void check_written(const struct script *script)
{
	struct bytes line = {};
	struct script again;

	bytes_add_format(&line, "#!%s%s%s\n", script->interpreter, script->argument[0] ? " " : "",
			 script->argument);
	FUZZ_CHECK(script_parse(&again, line.at, line.size) == 0);
	FUZZ_CHECK(strcmp(again.interpreter, script->interpreter) == 0 &&
		   strcmp(again.argument, script->argument) == 0);
	bytes_fini(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script script;
	size_t length;
	int r = script_parse(&script, (const char *)data, size);

	FUZZ_CHECK(r == 0 || r == SCRIPT_NONE);
	if (r != 0)
		return 0;
	FUZZ_CHECK(size > 2 && memcmp(data, "#!", 2) == 0);
	length = strlen(script.interpreter);
	FUZZ_CHECK(length > 0 && length < SCRIPT_LINE_BYTES);
	FUZZ_CHECK(strcspn(script.interpreter, " \t\n") == length);
	length = strlen(script.argument);
	FUZZ_CHECK(length < SCRIPT_LINE_BYTES && !strchr(script.argument, '\n'));
	if (length)
		FUZZ_CHECK(!strchr(blanks, script.argument[0]) &&
			   !strchr(blanks, script.argument[length - 1]));
	check_written(&script);
	return 0;
}
