// SPDX-License-Identifier: Apache-2.0
/* A pattern, a NUL, and the name it is tried on. Without brackets it matches what fnmatch(3) says. */
#include "source/comm_glob.h"

#include <fnmatch.h>
#include <stdbool.h>
#include <string.h>

#include "fuzz.h"

/* Whether one of the patterns between commas matches; pattern: changed. */
static bool matches(char *pattern, const char *name)
{
	for (char *at = pattern, *begin = pattern;; at++) {
		bool last = *at == '\0';

		if (*at == '\\' && at[1]) {
			at++;
			continue;
		}
		if (!last && *at != ',')
			continue;
		*at = '\0';
		if (fnmatch(begin, name, 0) == 0)
			return true;
		if (last)
			return false;
		begin = at + 1;
	}
}

/* A backslash at the end stands for itself, but not in fnmatch. */
static bool ends_with_backslash(const char *pattern)
{
	while (*pattern) {
		if (*pattern == '\\' && !pattern[1])
			return true;
		pattern += *pattern == '\\' ? 2 : 1;
	}
	return false;
}

static void check_glob(const struct wire_glob *glob, char *pattern, const char *comm)
{
	bool matched = comm_glob_matches(glob, comm);
	char name[WIRE_COMM_BYTES + 1] = {};

	/* A final state takes nothing more, and is no star. */
	for (int c = 0; c < 256; c++)
		FUZZ_CHECK(!(glob->accepts[c] & glob->final));
	FUZZ_CHECK(!(glob->stars & glob->final) && glob->final);
	memcpy(name, comm, strnlen(comm, WIRE_COMM_BYTES));
	if (!strchr(pattern, '[') && !ends_with_backslash(pattern))
		FUZZ_CHECK(matched == matches(pattern, name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, 0, size);
	char comm[WIRE_COMM_BYTES] = {}, *pattern;
	size_t rest, length = end ? (size_t)(end - data) : size;
	struct wire_glob glob;

	pattern = malloc(length + 1);
	FUZZ_CHECK(pattern);
	if (length)
		memcpy(pattern, data, length);
	pattern[length] = '\0';
	rest = end ? size - length - 1 : 0;
	if (rest)
		memcpy(comm, end + 1, rest < sizeof(comm) ? rest : sizeof(comm));
	if (comm_glob_compile(&glob, pattern) == 0)
		check_glob(&glob, pattern, comm);
	free(pattern);
	return 0;
}
