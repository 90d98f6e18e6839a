// SPDX-License-Identifier: Apache-2.0
/*
 * What comes out has its room before anything is unpacked, and that room is never exceeded: a bomb is
 * as large as its head says, and a head that says too much is not believed.
 */
#include "elf/compressed.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/cleanup.h"
#include "base/fs.h"

enum {
	INPUT_BYTES = 64 * 1024,
	/* No compiler's output shrinks to less than that; zlib cannot do better than 1 : 1032. */
	MAX_RATIO = 1032,
	/* 128 MiB, which zstd keeps beside the output; its highest level needs no more. */
	MAX_WINDOW_LOG = 27,
};

/* The compressed bytes, one piece after the other. */
struct input {
	int fd;
	uint64_t offset, left; /* in the file */
	unsigned char *bytes;  /* INPUT_BYTES */
	size_t size;	       /* of the piece */
};

static int next_piece(struct input *input)
{
	int r;

	input->size = input->left < INPUT_BYTES ? (size_t)input->left : INPUT_BYTES;
	r = fs_read_at(input->fd, input->bytes, input->size, (off_t)input->offset);
	input->offset += input->size;
	input->left -= input->size;
	return r;
}

static int unpack_zlib(unsigned char *ret, uint64_t ret_size, struct input *input)
{
	z_stream stream = {};
	int r = 0, result = Z_OK;

	if (inflateInit(&stream) != Z_OK)
		return -ENOMEM;
	stream.next_out = ret;
	while (r == 0 && result == Z_OK && input->left) {
		r = next_piece(input);
		stream.next_in = input->bytes;
		stream.avail_in = (uInt)input->size;
		while (r == 0 && result == Z_OK && stream.avail_in) {
			uint64_t left = ret_size - (uint64_t)(stream.next_out - ret);

			stream.avail_out = left < 1 << 30 ? (uInt)left : 1 << 30;
			result = inflate(&stream, Z_NO_FLUSH);
		}
	}
	if (result == Z_MEM_ERROR)
		r = -ENOMEM;
	if (r == 0 && (result != Z_STREAM_END || (uint64_t)(stream.next_out - ret) != ret_size))
		r = -EBADMSG;
	(void)inflateEnd(&stream);
	return r;
}

/* One frame or several: linkers compress the pieces of a section apart. */
static int unpack_zstd(unsigned char *ret, uint64_t ret_size, struct input *input)
{
	ZSTD_DCtx *context = ZSTD_createDCtx();
	ZSTD_outBuffer out = { ret, ret_size, 0 };
	size_t missing = 1; /* 0: the last frame is whole */
	int r = 0;

	if (!context)
		return -ENOMEM;
	(void)ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, MAX_WINDOW_LOG);
	while (r == 0 && input->left) {
		ZSTD_inBuffer in = { input->bytes, 0, 0 };

		r = next_piece(input);
		in.size = input->size;
		while (r == 0 && in.pos < in.size) {
			size_t before = in.pos + out.pos;

			missing = ZSTD_decompressStream(context, &out, &in);
			if (ZSTD_isError(missing))
				r = ZSTD_getErrorCode(missing) == ZSTD_error_memory_allocation
					    ? -ENOMEM
					    : -EBADMSG;
			else if (in.pos + out.pos == before)
				r = -EBADMSG; /* there is more than was said */
		}
	}
	if (r == 0 && (missing || out.pos != ret_size))
		r = -EBADMSG;
	(void)ZSTD_freeDCtx(context);
	return r;
}

/* What the head says. Returns its size, or a negative errno. */
static int read_head(uint32_t *type, uint64_t *unpacked, int fd, const Elf64_Shdr *section,
		     bool gnu)
{
	enum { GNU_MAGIC_BYTES = 4, GNU_HEAD_BYTES = 12 };
	unsigned char bytes[sizeof(Elf64_Chdr)];
	int size = gnu ? (int)GNU_HEAD_BYTES : (int)sizeof(Elf64_Chdr), r;
	Elf64_Chdr head;

	if (section->sh_size < (uint64_t)size)
		return -EBADMSG;
	r = fs_read_at(fd, bytes, (size_t)size, (off_t)section->sh_offset);
	if (r < 0)
		return r;
	if (gnu) {
		memcpy(unpacked, bytes + GNU_MAGIC_BYTES, sizeof(*unpacked));
		*unpacked = be64toh(*unpacked);
		*type = ELFCOMPRESS_ZLIB;
		return memcmp(bytes, "ZLIB", GNU_MAGIC_BYTES) == 0 ? size : -EBADMSG;
	}
	memcpy(&head, bytes, sizeof(head));
	*type = head.ch_type;
	*unpacked = head.ch_size;
	return size;
}

int section_unpack(unsigned char **ret, uint64_t *ret_size, int fd, const Elf64_Shdr *section,
		   bool gnu, uint64_t limit_bytes, size_t spare)
{
	cleanup(free) unsigned char *memory = NULL, *piece = NULL;
	struct input input = { .fd = fd };
	uint64_t unpacked;
	uint32_t type;
	int r = read_head(&type, &unpacked, fd, section, gnu);

	if (r < 0)
		return r;
	input.offset = section->sh_offset + (uint64_t)r;
	input.left = section->sh_size - (uint64_t)r;
	if (type != ELFCOMPRESS_ZLIB && type != ELFCOMPRESS_ZSTD)
		return -EBADMSG;
	if (unpacked == 0 || unpacked / MAX_RATIO > input.left)
		return -EBADMSG;
	if (unpacked > limit_bytes)
		return -EFBIG;
	memory = malloc(unpacked + spare);
	piece = malloc(INPUT_BYTES);
	if (!memory || !piece)
		return -ENOMEM;
	input.bytes = piece;
	r = type == ELFCOMPRESS_ZSTD ? unpack_zstd(memory, unpacked, &input)
				     : unpack_zlib(memory, unpacked, &input);
	if (r < 0)
		return r;
	memset(memory + unpacked, 0, spare);
	*ret_size = unpacked;
	*ret = TAKE_PTR(memory);
	return 0;
}
