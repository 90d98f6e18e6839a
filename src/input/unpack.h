/* SPDX-License-Identifier: Apache-2.0 */
/* A whole file in memory, unpacked where gzip has packed it. */
#pragma once

#include "input/lines.h"

struct unpacked {
	unsigned char *bytes;
	size_t size, capacity;
};

/* Named outcomes of unpack_all. */
enum {
	UNPACK_TOO_LARGE = 1, /* it does not fit into limit_bytes */
	UNPACK_CUT_OFF,	      /* the gzip data ends too early */
	UNPACK_DAMAGED,	      /* it is no gzip data, or its checksum is another one */
};

static inline bool unpack_is_gzip(const char *begin, size_t size)
{
	return size >= 2 && begin[0] == '\x1f' && begin[1] == '\x8b';
}

/*
 * What the beginning of gzip data unpacks to: at most `room` bytes of it into `ret`. Returns how many; 0
 * where it is damaged.
 */
size_t unpack_peek(char *ret, size_t room, const char *begin, size_t size);
/* Why unpack_all did not, for people: what follows "it is" or the like. */
const char *unpack_reason(int outcome);
/*
 * Reads all that is left into *ret, an empty one, which the caller frees whatever comes of it. Files
 * of several gzip members (RFC 1952, 2.2) are what all of them hold; zeros may follow, as on tapes.
 * Returns 0, an outcome above or a negative errno.
 */
int unpack_all(struct unpacked *ret, struct lines *lines, uint64_t limit_bytes);
void unpacked_fini(struct unpacked *unpacked);
static inline void unpacked_fini_cleanup(struct unpacked *unpacked)
{
	unpacked_fini(unpacked);
}
