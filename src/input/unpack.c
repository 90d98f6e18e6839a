// SPDX-License-Identifier: Apache-2.0
/*
 * What is packed is never in memory as a whole, and of what comes out never more than the limit: a
 * bomb is refused when it has grown to that size.
 */
#include "input/unpack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { FIRST_BYTES = 1 << 20 };

void unpacked_fini(struct unpacked *unpacked)
{
	free(unpacked->bytes);
	*unpacked = (struct unpacked){};
}

/* Makes room for at least one more byte. */
static int make_room(struct unpacked *unpacked, uint64_t limit_bytes)
{
	uint64_t capacity =
		unpacked->capacity ? unpacked->capacity + unpacked->capacity / 2 : FIRST_BYTES;
	unsigned char *grown;

	if (unpacked->size < unpacked->capacity)
		return 0;
	if (capacity > limit_bytes)
		capacity = limit_bytes;
	if (capacity > SIZE_MAX / 2 || capacity <= unpacked->capacity)
		return UNPACK_TOO_LARGE;
	grown = realloc(unpacked->bytes, (size_t)capacity);
	if (!grown)
		return -ENOMEM;
	unpacked->bytes = grown;
	unpacked->capacity = (size_t)capacity;
	return 0;
}

static int add(struct unpacked *unpacked, const char *piece, size_t size, uint64_t limit_bytes)
{
	while (size) {
		int r = make_room(unpacked, limit_bytes);
		size_t part = unpacked->capacity - unpacked->size;

		if (r != 0)
			return r;
		part = part < size ? part : size;
		memcpy(unpacked->bytes + unpacked->size, piece, part);
		unpacked->size += part;
		piece += part;
		size -= part;
	}
	return 0;
}

/* Where a file stands between its members. */
enum place {
	IN_MEMBER,
	BEHIND_MEMBER, /* another one may follow, or zeros */
	IN_ZEROS,
};

struct gzip {
	z_stream z;
	enum place place;
};

/* Unpacks one piece of the file. */
static int inflate_piece(struct gzip *gzip, struct unpacked *ret, const char *piece, size_t size,
			 uint64_t limit_bytes)
{
	z_stream *z = &gzip->z;

	z->next_in = (unsigned char *)piece;
	z->avail_in = (uInt)size; /* of the buffer of lines.c */
	while (z->avail_in) {
		size_t room;
		int r, done;

		if (gzip->place != IN_MEMBER && *z->next_in == 0) {
			gzip->place = IN_ZEROS;
			z->next_in++;
			z->avail_in--;
			continue;
		}
		if (gzip->place == IN_ZEROS)
			return UNPACK_DAMAGED;
		if (gzip->place == BEHIND_MEMBER && inflateReset(z) != Z_OK)
			return UNPACK_DAMAGED;
		gzip->place = IN_MEMBER;
		r = make_room(ret, limit_bytes);
		if (r == UNPACK_TOO_LARGE && ret->size == ret->capacity) {
			/* The end of a member may follow, of which nothing comes out. */
			unsigned char over;

			z->next_out = &over;
			z->avail_out = 1;
			done = inflate(z, Z_NO_FLUSH);
			if (!z->avail_out)
				return UNPACK_TOO_LARGE;
		} else if (r != 0) {
			return r;
		} else {
			room = ret->capacity - ret->size;
			z->next_out = ret->bytes + ret->size;
			z->avail_out = room < 1U << 30 ? (uInt)room : 1U << 30;
			done = inflate(z, Z_NO_FLUSH);
			ret->size = (size_t)(z->next_out - ret->bytes);
		}
		if (done == Z_MEM_ERROR)
			return -ENOMEM;
		if (done == Z_STREAM_END)
			gzip->place = BEHIND_MEMBER;
		else if (done != Z_OK && !(done == Z_BUF_ERROR && !z->avail_in))
			return UNPACK_DAMAGED;
	}
	return 0;
}

static int inflate_all(struct unpacked *ret, struct lines *lines, uint64_t limit_bytes)
{
	struct gzip gzip = {};
	const char *piece;
	size_t size;
	int r = 0;

	/* 16 + MAX_WBITS: with a gzip header and checksum, both of which zlib checks. */
	if (inflateInit2(&gzip.z, 16 + MAX_WBITS) != Z_OK)
		return -ENOMEM;
	while (r == 0) {
		r = lines_piece(lines, &piece, &size);
		if (r == 0 && !size)
			break;
		if (r == 0)
			r = inflate_piece(&gzip, ret, piece, size, limit_bytes);
	}
	(void)inflateEnd(&gzip.z);
	return r == 0 && gzip.place == IN_MEMBER ? UNPACK_CUT_OFF : r;
}

size_t unpack_peek(char *ret, size_t room, const char *begin, size_t size)
{
	z_stream z = { .next_in = (unsigned char *)begin,
		       .avail_in = (uInt)size,
		       .next_out = (unsigned char *)ret,
		       .avail_out = (uInt)room };

	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return 0;
	(void)inflate(&z, Z_SYNC_FLUSH);
	(void)inflateEnd(&z);
	return room - z.avail_out;
}

const char *unpack_reason(int outcome)
{
	switch (outcome) {
	case UNPACK_TOO_LARGE:
		return "unpacked it is larger than it may be";
	case UNPACK_CUT_OFF:
		return "it is cut off: the end of the compressed data is missing";
	default:
		return "the compressed data is damaged";
	}
}

static int copy_all(struct unpacked *ret, struct lines *lines, uint64_t limit_bytes)
{
	const char *piece;
	size_t size;
	int r;

	do {
		r = lines_piece(lines, &piece, &size);
		if (r == 0)
			r = add(ret, piece, size, limit_bytes);
	} while (r == 0 && size);
	return r;
}

/* Gives back what was taken too much. */
static void fit(struct unpacked *unpacked)
{
	unsigned char *fitting = realloc(unpacked->bytes, unpacked->size ? unpacked->size : 1);

	if (fitting) {
		unpacked->bytes = fitting;
		unpacked->capacity = unpacked->size;
	}
}

int unpack_all(struct unpacked *ret, struct lines *lines, uint64_t limit_bytes)
{
	const char *piece;
	size_t size;
	int r = lines_peek(lines, &piece, &size, 2);

	if (r == 0)
		r = unpack_is_gzip(piece, size) ? inflate_all(ret, lines, limit_bytes)
						: copy_all(ret, lines, limit_bytes);
	if (r == 0)
		fit(ret);
	return r;
}
