// SPDX-License-Identifier: Apache-2.0
/*
 * The places are those that gdb looks in ("Debugging Information in Separate Files" in its manual).
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
#include <unistd.h>

#include "base/fs.h"
#include "elf/build_id.h"
#include "elf/rooted.h"

enum {
	CHUNK_BYTES = 65536,
	MAX_LINK_BYTES = 4096,
	/* Real ones unpack to less than 10 MB; a memfd is memory that somebody must have. */
	MAX_UNPACKED_BYTES = 64 << 20,
	/* xz -9 asks for 65 MiB; of its window only as much is touched as the output is long. */
	MAX_DECODER_BYTES = 80 << 20,
};

static const uint64_t MAX_DEBUG_FILE_BYTES = UINT64_C(8) << 30;
/* Read whole for its checksum: a second or so. */
static const uint64_t MAX_CHECKED_FILE_BYTES = UINT64_C(1) << 30;

static int has_build_id_of(const struct object *object, int fd)
{
	cleanup(section_table_fini) struct section_table sections = {};
	uint8_t id[OBJECT_BUILD_ID_MAX];
	uint32_t size = 0;
	int r = section_table_read(&sections, fd);

	/* Program headers of a debug file keep their places but not always their contents. */
	for (uint32_t i = 0; i < sections.count && r == 0 && size == 0; i++) {
		if (sections.at[i].sh_type == SHT_NOTE)
			r = build_id_read(id, &size, sizeof(id), fd, sections.at[i].sh_offset,
					  sections.at[i].sh_size, sections.at[i].sh_addralign);
	}
	if (r < 0)
		return r;
	return size == object->build_id_size && memcmp(id, object->build_id, size) == 0 ? 0
											: -ENOENT;
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

struct debug_link {
	char name[MAX_LINK_BYTES + 1]; /* "" when there is no link */
	uint32_t checksum;
};

/* .gnu_debuglink: a file name, its NUL, padding to 4 bytes, the checksum. */
static int read_link(struct debug_link *ret, const struct object *object,
		     const struct section_table *sections)
{
	const Elf64_Shdr *section = section_table_find(sections, SHT_PROGBITS, ".gnu_debuglink");
	size_t size, place;
	int r;

	ret->name[0] = '\0';
	if (!section || section->sh_size > MAX_LINK_BYTES)
		return 0;
	size = section->sh_size;
	r = fs_read_at(object->fd, ret->name, size, (off_t)section->sh_offset);
	ret->name[r < 0 ? 0 : size] = '\0';
	if (r < 0)
		return r == -ENODATA ? 0 : r;
	place = (strlen(ret->name) + 4) & ~(size_t)3;
	/* The name is a name: it does not lead into other folders. */
	if (place > size || size - place < sizeof(ret->checksum) || strchr(ret->name, '/'))
		ret->name[0] = '\0';
	else
		memcpy(&ret->checksum, ret->name + place, sizeof(ret->checksum));
	return 0;
}

/* A descriptor of `path` if it belongs to the object, else a negative errno. */
static int try_file(const struct object *object, const struct debug_link *link, const char *root,
		    const char *path)
{
	cleanup(close) int fd = rooted_open(root, path, true, MAX_DEBUG_FILE_BYTES);
	int r;

	if (fd < 0)
		return fd;
	r = object->build_id_size ? has_build_id_of(object, fd) : has_checksum(fd, link->checksum);
	return r < 0 ? r : TAKE_FD(fd);
}

static int try_root(const struct object *object, const struct debug_link *link, const char *root)
{
	/* Before the object's folder, and between it and the name in the link. */
	static const struct {
		const char *before, *between;
	} places[] = { { "", "" }, { "", ".debug/" }, { "/usr/lib/debug", "" } };
	const char *slash = strrchr(object->path, '/');
	int fd = -ENOENT;

	if (object->build_id_size > 1) {
		char hex[2 * OBJECT_BUILD_ID_MAX + 1], path[sizeof(hex) + 64];

		object_build_id_hex(object, hex);
		snprintf(path, sizeof(path), "/usr/lib/debug/.build-id/%.2s/%s.debug", hex,
			 hex + 2);
		fd = try_file(object, link, root, path);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(places) && fd < 0 && fd != -ENOMEM; i++) {
		cleanup(free) char *path = NULL;

		if (link->name[0] == '\0' || object->path[0] != '/')
			break;
		if (asprintf(&path, "%s%.*s%s%s", places[i].before, (int)(slash + 1 - object->path),
			     object->path, places[i].between, link->name) < 0) {
			path = NULL;
			return -ENOMEM;
		}
		fd = try_file(object, link, root, path);
	}
	return fd;
}

int debug_file_open(const struct object *object, const struct section_table *sections)
{
	struct debug_link link;
	int r = read_link(&link, object, sections), fd = -ENOENT;

	if (r < 0)
		return r;
	if (object->build_id_size <= 1 && link.name[0] == '\0')
		return -ENOENT;
	if (object->root[0])
		fd = try_root(object, &link, object->root);
	if (fd < 0 && fd != -ENOMEM)
		fd = try_root(object, &link, "");
	return fd < 0 && fd != -ENOMEM ? -ENOENT : fd;
}

struct unpacker {
	lzma_stream stream;
	uint8_t input[CHUNK_BYTES], output[CHUNK_BYTES];
	uint64_t offset, left; /* of the section */
	uint64_t written;
};

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
	return r < 0 ? r : TAKE_FD(fd);
}
