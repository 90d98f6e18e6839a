// SPDX-License-Identifier: Apache-2.0
#include "source/comm_glob.h"


#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "bpf/glob.h"

enum { MAX_STATES = 64 };

static void accept(struct wire_glob *glob, unsigned element, unsigned first, unsigned last)
{
	for (unsigned c = first; c <= last; c++)
		glob->accepts[c] |= 1ULL << element;
}

/* Reads a bracket expression behind its '['. Returns what follows it, or NULL. */
static const unsigned char *take_bracket(struct wire_glob *glob, unsigned element,
					 const unsigned char *at)
{
	bool negate = *at == '!' || *at == '^', any = false;
	unsigned char wanted[256] = {};

	if (negate)
		at++;
	for (bool first = true; *at != ']' || first; first = false) {
		unsigned from = *at, to;

		if (from == '\\' && at[1])
			from = *++at;
		if (*at == '\0')
			return NULL;
		to = from;
		at++;
		if (at[0] == '-' && at[1] && at[1] != ']') {
			if (at[1] == '\\' && at[2])
				at++;
			to = at[1];
			at += 2;
		}
		for (unsigned c = from; c <= to; c++)
			wanted[c] = 1;
		any = true;
	}
	for (unsigned c = 1; c < 256; c++)
		if (wanted[c] != negate)
			accept(glob, element, c, c);
	return any ? at + 1 : NULL;
}

int comm_glob_compile(struct wire_glob *ret, const char *pattern)
{
	const unsigned char *at = (const unsigned char *)pattern;
	struct wire_glob glob = { .initial = 1 };
	unsigned state = 0;

	for (;;) {
		if (state >= MAX_STATES)
			return -E2BIG;
		if (*at == '\0' || *at == ',') {
			glob.final |= 1ULL << state++;
			if (*at++ == '\0')
				break;
			if (state >= MAX_STATES)
				return -E2BIG;
			glob.initial |= 1ULL << state;
			continue;
		}
		if (*at == '*') {
			glob.stars |= 1ULL << state;
			at++;
		} else if (*at == '?') {
			accept(&glob, state, 1, 255);
			at++;
		} else if (*at == '[') {
			at = take_bracket(&glob, state, at + 1);
			if (!at)
				return -EINVAL;
		} else {
			if (*at == '\\' && at[1])
				at++;
			accept(&glob, state, *at, *at);
			at++;
		}
		state++;
	}
	*ret = glob;
	return 0;
}

int comm_glob_matches(const struct wire_glob *glob, const char comm[WIRE_COMM_BYTES])
{
	return wire_glob_matches(glob, comm);
}
