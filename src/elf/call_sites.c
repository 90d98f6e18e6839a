// SPDX-License-Identifier: Apache-2.0
/* Intel SDM volume 2, "CALL": E8 with a distance, and FF /2 with its ModR/M forms. */
#include "elf/call_sites.h"

#include <elf.h>
#include <string.h>

#include "base/fs.h"

enum {
	DIRECT_BYTES = 5,
	INDIRECT_BYTES_MAX = 7, /* without prefixes, which do not change where it ends */
	BYTES_MAX = INDIRECT_BYTES_MAX,
};

/* How long FF /2 is by what follows, or 0 when this is no such call. */
static unsigned indirect_bytes(const unsigned char *code, unsigned available)
{
	unsigned mod = code[1] >> 6, rm = code[1] & 7, bytes = 2;

	if (code[0] != 0xff || (code[1] >> 3 & 7) != 2)
		return 0;
	if (mod == 3)
		return bytes;
	if (rm == 4) { /* a SIB byte; with base 5 and mod 0 a 32-bit displacement */
		if (available < 3)
			return 0;
		bytes++;
		if (mod == 0 && (code[2] & 7) == 5)
			bytes += 4;
	} else if (rm == 5 && mod == 0) {
		bytes += 4;
	}
	return bytes + (mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

uint64_t call_ends_at(const struct object *object, uint64_t address)
{
	const struct object_segment *segment = object_segment_of(object, address - 1);
	unsigned char code[BYTES_MAX];
	uint64_t inside, target;
	unsigned size;
	int32_t distance;

	if (object->machine != EM_X86_64 || !segment)
		return CALL_NONE;
	inside = address - segment->address;
	size = inside < BYTES_MAX ? (unsigned)inside : BYTES_MAX;
	if (inside > segment->file_size ||
	    fs_read_at(object->fd, code, size, (off_t)(segment->file_offset + inside - size)) < 0)
		return CALL_NONE;
	if (size >= DIRECT_BYTES && code[size - DIRECT_BYTES] == 0xe8) {
		memcpy(&distance, code + size - 4, sizeof(distance));
		target = address + (uint64_t)(int64_t)distance;
		if (object_segment_of(object, target))
			return target;
	}
	for (unsigned bytes = 2; bytes <= size; bytes++)
		if (indirect_bytes(code + size - bytes, bytes) == bytes)
			return CALL_INDIRECT;
	return CALL_NONE;
}
