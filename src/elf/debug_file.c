// SPDX-License-Identifier: Apache-2.0
/*
 * A name proves nothing: whoever owns the target's root puts files there. What a file is decided by
 * its build ID or checksum, and a false one could do no more than give wrong names.
 */
#include "elf/debug_file.h"

#include <errno.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "elf/build_id.h"

enum {
	CHUNK_BYTES = 65536,
	MAX_LINK_BYTES = 4096,
	/* Real ones unpack to less than 10 MB; a memfd is memory that somebody must have. */
	MAX_UNPACKED_BYTES = 64 << 20,
	/* Of all that are open. Limits of a process's memory do not count memfds. */
	MAX_UNPACKED_TOTAL = 256 << 20,
	/* xz -9 asks for 65 MiB; of its window only as much is touched as the output is long. */
	MAX_DECODER_BYTES = 80 << 20,
};

/* Read whole for its checksum: a second or so. */
static const uint64_t MAX_CHECKED_FILE_BYTES = UINT64_C(1) << 30;

int debug_file_has_build_id(int fd, const uint8_t *wanted, uint32_t wanted_size)
{
	uint8_t id[OBJECT_BUILD_ID_MAX];
	uint32_t size = 0;
	/* Program headers of a debug file keep their places but not always their contents. */
	int r = build_id_read_sections(id, &size, sizeof(id), fd);

	if (r < 0)
		return r;
	return size == wanted_size && memcmp(id, wanted, size) == 0 ? 0 : -ENOENT;
}

/* The CRC-32 of .gnu_debuglink is the one of IEEE 802.3, as in xz. */
static int has_checksum(int fd, uint32_t expected)
{
	cleanup(free) uint8_t *chunk = malloc(CHUNK_BYTES);
	uint32_t sum = 0;
	uint64_t offset = 0;
	ssize_t size;

	if (!chunk)
		return -ENOMEM;
	while ((size = pread(fd, chunk, CHUNK_BYTES, (off_t)offset)) != 0) {
		if (size < 0 && errno != EINTR)
			return -errno;
		if (size < 0)
			continue;
		offset += (uint64_t)size;
		if (offset > MAX_CHECKED_FILE_BYTES)
			return -EFBIG;
		sum = lzma_crc32(chunk, (size_t)size, sum);
	}
	return sum == expected ? 0 : -ENOENT;
}

/* .gnu_debuglink: a file name, its NUL, padding to 4 bytes, the checksum. */
int debug_link_read(struct object *object)
{
	cleanup(section_table_fini) struct section_table sections = {};
	char name[MAX_LINK_BYTES + 1];
	const Elf64_Shdr *section;
	size_t size, place;
	int r = section_table_read(&sections, object->fd);

	if (r < 0)
		return r;
	section = section_table_find(&sections, SHT_PROGBITS, ".gnu_debuglink");
	if (!section || section->sh_size > MAX_LINK_BYTES)
		return 0;
	size = section->sh_size;
	r = fs_read_at(object->fd, name, size, (off_t)section->sh_offset);
	if (r < 0)
		return r == -ENODATA ? 0 : r;
	name[size] = '\0';
	place = (strlen(name) + 4) & ~(size_t)3;
	/* The name is a name: it does not lead into other folders. */
	if (!name[0] || place > size || size - place < sizeof(object->debug_checksum) ||
	    strchr(name, '/'))
		return 0;
	memcpy(&object->debug_checksum, name + place, sizeof(object->debug_checksum));
	object->debug_link = strdup(name);
	return object->debug_link ? 0 : -ENOMEM;
}

int debug_file_belongs(const struct object *object, int fd)
{
	if (object->build_id_size)
		return debug_file_has_build_id(fd, object->build_id, object->build_id_size);
	return object->debug_link ? has_checksum(fd, object->debug_checksum) : -ENOENT;
}

int debug_file_take(const struct object *object, int *files, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (files[i] >= 0 && debug_file_belongs(object, files[i]) == 0)
			return TAKE_FD(files[i]);
	return -ENOENT;
}

struct unpacker {
	lzma_stream stream;
	uint8_t input[CHUNK_BYTES], output[CHUNK_BYTES];
	uint64_t offset, left; /* of the section */
	uint64_t written;
};

static uint64_t unpacked_total; /* bytes */

static void unpacker_free(struct unpacker *unpacker)
{
	if (unpacker)
		lzma_end(&unpacker->stream);
	free(unpacker);
}
DEFINE_CLEANUP(struct unpacker, unpacker_free);

/* liblzma's results as ours. */
static int from_lzma(lzma_ret result)
{
	switch (result) {
	case LZMA_OK:
	case LZMA_STREAM_END:
		return 0;
	case LZMA_MEM_ERROR:
		return -ENOMEM;
	case LZMA_MEMLIMIT_ERROR:
		return -EFBIG;
	default:
		return -EBADMSG;
	}
}

static int unpack(struct unpacker *unpacker, int from, int to)
{
	lzma_stream *stream = &unpacker->stream;
	lzma_ret result = LZMA_OK;
	int r;

	while (result != LZMA_STREAM_END) {
		size_t produced;

		if (stream->avail_in == 0 && unpacker->left > 0) {
			size_t size = unpacker->left < CHUNK_BYTES ? unpacker->left : CHUNK_BYTES;

			r = fs_read_at(from, unpacker->input, size, (off_t)unpacker->offset);
			if (r < 0)
				return r;
			unpacker->offset += size;
			unpacker->left -= size;
			stream->next_in = unpacker->input;
			stream->avail_in = size;
		}
		stream->next_out = unpacker->output;
		stream->avail_out = CHUNK_BYTES;
		result = lzma_code(stream, unpacker->left ? LZMA_RUN : LZMA_FINISH);
		r = from_lzma(result);
		if (r < 0)
			return r;
		produced = CHUNK_BYTES - stream->avail_out;
		unpacker->written += produced;
		if (unpacker->written > MAX_UNPACKED_BYTES)
			return -EFBIG;
		if (unpacker->written > MAX_UNPACKED_TOTAL - unpacked_total)
			return -ENOMEM;
		r = fs_write_all(to, unpacker->output, produced);
		if (r < 0)
			return r;
	}
	return 0;
}

int debug_file_unpack(const struct object *object, const struct section_table *sections)
{
	const Elf64_Shdr *section = section_table_find(sections, SHT_PROGBITS, ".gnu_debugdata");
	cleanup(unpacker_free) struct unpacker *unpacker = NULL;
	cleanup(close) int fd = -1;
	int r;

	if (!section)
		return -ENOENT;
	unpacker = calloc(1, sizeof(*unpacker));
	if (!unpacker)
		return -ENOMEM;
	unpacker->offset = section->sh_offset;
	unpacker->left = section->sh_size;
	r = from_lzma(lzma_stream_decoder(&unpacker->stream, MAX_DECODER_BYTES, 0));
	if (r < 0)
		return r;
	fd = memfd_create("profd-debugdata", MFD_CLOEXEC);
	fd = fd < 0 ? -errno : fs_spare(fd);
	if (fd < 0)
		return fd;
	r = unpack(unpacker, object->fd, fd);
	if (r < 0)
		return r;
	unpacked_total += unpacker->written;
	return TAKE_FD(fd);
}

void debug_file_close_unpacked(int fd)
{
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0)
		unpacked_total -= (uint64_t)st.st_size;
	(void)close(fd);
}
