// SPDX-License-Identifier: Apache-2.0
#include "proc/known_files.h"

#include <stdlib.h>

#include "base/cleanup.h"

/* A machine has some thousand programs and libraries in use. */
enum { FILES_KEPT = 16384 };

void known_files_fini(struct known_files *files)
{
	for (uint32_t i = 0; i < files->list.count; i++)
		object_unref(files->list.at[i].object);
	array_fini(&files->list);
	hash_index_fini(&files->index);
}

static uint64_t file_hash(const struct mapping *m)
{
	return hash_pair(hash_pair(m->inode, m->inode_generation),
			 hash_pair((uint64_t)m->device_major << 32 | m->device_minor, m->path));
}

static bool file_equal(const void *context, uint32_t position, const void *key)
{
	const struct known_files *files = context;
	const struct known_file *file = &files->list.at[position];
	const struct mapping *m = key;

	return file->inode == m->inode && file->inode_generation == m->inode_generation &&
	       file->device_major == m->device_major && file->device_minor == m->device_minor &&
	       file->path == m->path;
}

bool known_files_has(const struct known_files *files, const struct mapping *mapping)
{
	return hash_index_find(&files->index, file_hash(mapping), file_equal, files, mapping) !=
	       HASH_ABSENT;
}

static uint64_t hash_of(const struct known_file *file)
{
	const struct mapping key = { .inode = file->inode,
				     .inode_generation = file->inode_generation,
				     .device_major = file->device_major,
				     .device_minor = file->device_minor,
				     .path = file->path };

	return file_hash(&key);
}

void known_files_index(struct known_files *files)
{
	hash_index_fini(&files->index);
	for (uint32_t i = 0; i < files->list.count; i++) {
		if (hash_index_add(&files->index, hash_of(&files->list.at[i]), i) == 0)
			continue;
		/* Out of memory: the others are found anew. */
		while (files->list.count > i)
			object_unref(files->list.at[--files->list.count].object);
	}
}

static int by_number(const void *a_, const void *b_)
{
	uint64_t a = *(const uint64_t *)a_, b = *(const uint64_t *)b_;

	return (a > b) - (a < b);
}

/* Of too many, those that were not used for the longest time. */
static void limit(struct known_files *files)
{
	cleanup(free) uint64_t *uses = NULL;
	uint32_t kept = 0;
	uint64_t limit;

	if (files->list.count < 2 * FILES_KEPT)
		return;
	uses = malloc(files->list.count * sizeof(*uses));
	if (!uses)
		return; /* the next time */
	for (uint32_t i = 0; i < files->list.count; i++)
		uses[i] = files->list.at[i].used;
	qsort(uses, files->list.count, sizeof(*uses), by_number);
	limit = uses[files->list.count - FILES_KEPT];
	for (uint32_t i = 0; i < files->list.count; i++) {
		if (files->list.at[i].used < limit)
			object_unref(files->list.at[i].object);
		else
			files->list.at[kept++] = files->list.at[i];
	}
	files->list.count = kept;
	known_files_index(files);
}

void known_files_add(struct known_files *files, const struct mapping *mapping)
{
	uint64_t hash = file_hash(mapping);
	uint32_t at = hash_index_find(&files->index, hash, file_equal, files, mapping);
	struct known_file *file;

	if (at != HASH_ABSENT) {
		/* The newest object under this name wins: a file may have been rewritten in place. */
		file = &files->list.at[at];
		file->used = ++files->uses;
		if (file->object == mapping->object)
			return;
		object_unref(file->object);
		file->object = object_ref(mapping->object);
		return;
	}
	limit(files);
	file = array_push(&files->list);
	if (!file)
		return;
	if (hash_index_add(&files->index, hash, files->list.count - 1) < 0) {
		files->list.count--;
		return;
	}
	*file = (struct known_file){ mapping->inode,	    mapping->inode_generation,
				     mapping->device_major, mapping->device_minor,
				     mapping->path,	    object_ref(mapping->object),
				     ++files->uses };
}

struct object *known_files_find(struct known_files *files, const struct mapping *mapping)
{
	uint32_t at =
		hash_index_find(&files->index, file_hash(mapping), file_equal, files, mapping);
	struct object *object = at == HASH_ABSENT ? NULL : files->list.at[at].object;

	if (object)
		files->list.at[at].used = ++files->uses;
	return object && object_is_unchanged(object) ? object_ref(object) : NULL;
}

void known_files_forget(struct known_files *files)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < files->list.count; i++) {
		if (files->list.at[i].object->forgotten)
			object_unref(files->list.at[i].object);
		else
			files->list.at[kept++] = files->list.at[i];
	}
	files->list.count = kept;
}
