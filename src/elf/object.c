// SPDX-License-Identifier: Apache-2.0
#include "elf/object.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"

static uint32_t last_id;

struct object_identity object_identity_of(const struct stat *st)
{
	return (struct object_identity){
		.device = st->st_dev,
		.inode = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_ns = st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec,
		.ctime_ns = st->st_ctim.tv_sec * INT64_C(1000000000) + st->st_ctim.tv_nsec,
		.owner = st->st_uid,
	};
}

struct object *object_new(int fd, const char *path)
{
	cleanup(close) int owned_fd = fd;
	cleanup(object_unref) struct object *object = calloc(1, sizeof(*object));

	if (!object)
		return NULL;
	object->references = 1;
	object->fd = TAKE_FD(owned_fd);
	object->path = strdup(path);
	object->root_fd = object->debug_parcel = object->supplement_parcel = -1;
	if (!object->path)
		return NULL;
	object->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
	return TAKE_PTR(object);
}

bool object_is_unchanged(const struct object *object)
{
	struct stat st;

	if (object->may_block)
		return !object->changed;
	/* Its ctime changes when it is renamed or removed, too. */
	return object->fd < 0 || fstat(object->fd, &st) < 0 ||
	       ((uint64_t)st.st_size == object->identity.size &&
		object_identity_of(&st).mtime_ns == object->identity.mtime_ns);
}

void object_close(struct object *object)
{
	if (object->fd >= 0)
		(void)close(object->fd);
	object->fd = -1;
	/* It may be the last that holds a container's file systems. */
	fs_close_aside(object->root_fd);
	object->root_fd = -1;
}

struct object *object_ref(struct object *object)
{
	__atomic_add_fetch(&object->references, 1, __ATOMIC_RELAXED);
	return object;
}

void object_unref(struct object *object)
{
	if (!object || __atomic_sub_fetch(&object->references, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	object_close(object);
	if (object->debug_parcel >= 0)
		(void)close(object->debug_parcel);
	if (object->supplement_parcel >= 0)
		(void)close(object->supplement_parcel);
	free(object->lacks_supplement);
	array_fini(&object->segments);
	free(object->path);
	free(object->debug_link);
	free(object->cache_key);
	free(object);
}

/*
 * Mappings begin at whole pages, so one page of the file can belong to two segments and be mapped
 * twice: text and data where they meet (the traditional layout), or headers and text (lld). Ranks
 * how well a segment explains a mapping at `file_offset`; 0: not at all.
 */
static unsigned rank_segment(const struct object *object, const struct object_segment *segment,
			     uint64_t file_offset, uint64_t bias, bool executable)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t first = segment->file_offset & ~(page - 1);
	unsigned rank = 1;

	if (segment->file_size == 0 || file_offset < first ||
	    file_offset >= segment->file_offset + segment->file_size)
		return 0;
	rank += segment->executable == executable;
	/* A mapping that begins with the segment says more than one that begins inside of it. */
	rank += first == file_offset ? 2 : 0;
	/* Programs at fixed addresses are never moved. */
	rank += object->type == ET_EXEC && bias == 0 ? 4 : 0;
	return rank;
}

int object_bias(const struct object *object, uint64_t *ret, uint64_t start, uint64_t file_offset,
		bool executable)
{
	unsigned best = 0;

	for (uint32_t i = 0; i < object->segments.count; i++) {
		const struct object_segment *segment = &object->segments.at[i];
		uint64_t bias = start - (segment->address + (file_offset - segment->file_offset));
		unsigned rank = rank_segment(object, segment, file_offset, bias, executable);

		if (rank > best) {
			best = rank;
			*ret = bias;
		}
	}
	return best ? 0 : -ENOENT;
}

bool object_has_code(const struct object *object, uint64_t address)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	for (uint32_t i = 0; i < object->segments.count; i++) {
		const struct object_segment *segment = &object->segments.at[i];

		if (segment->executable && address >= (segment->address & ~(page - 1)) &&
		    (address & ~(page - 1)) < segment->address + segment->memory_size)
			return true;
	}
	return false;
}

const struct object_segment *object_segment_of(const struct object *object, uint64_t address)
{
	for (uint32_t i = 0; i < object->segments.count; i++) {
		const struct object_segment *segment = &object->segments.at[i];

		if (segment->executable && address >= segment->address &&
		    address - segment->address < segment->memory_size)
			return segment;
	}
	return NULL;
}

void object_build_id_hex(const struct object *object, char ret[2 * OBJECT_BUILD_ID_MAX + 1])
{
	static const char digits[] = "0123456789abcdef";

	for (uint32_t i = 0; i < object->build_id_size; i++) {
		*ret++ = digits[object->build_id[i] >> 4];
		*ret++ = digits[object->build_id[i] & 15];
	}
	*ret = '\0';
}
