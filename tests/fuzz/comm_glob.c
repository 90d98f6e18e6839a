// SPDX-License-Identifier: Apache-2.0
/* A pattern, a NUL, and the name it is tried on. */
#include "fuzz.h"

#include <string.h>

#include "source/comm_glob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, 0, size);
	char comm[WIRE_COMM_BYTES] = {}, *pattern;
	size_t rest, length = end ? (size_t)(end - data) : size;
	struct wire_glob glob;

	pattern = malloc(length + 1);
	FUZZ_CHECK(pattern);
	memcpy(pattern, data, length);
	pattern[length] = '\0';
	rest = end ? size - length - 1 : 0;
	if (rest)
		memcpy(comm, end + 1, rest < sizeof(comm) ? rest : sizeof(comm));
	if (comm_glob_compile(&glob, pattern) == 0) {
		(void)comm_glob_matches(&glob, comm);
		/* A final state takes nothing more, and is no star. */
		for (int c = 0; c < 256; c++)
			FUZZ_CHECK(!(glob.accepts[c] & glob.final));
		FUZZ_CHECK(!(glob.stars & glob.final));
		FUZZ_CHECK(glob.final);
	}
	free(pattern);
	return 0;
}
