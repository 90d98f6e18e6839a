// SPDX-License-Identifier: Apache-2.0
/*
 * The cache holds one reference to each of its objects until it is freed: names are asked for at
 * the end of a recording, when the processes and even the files may be gone. Entries are never
 * removed, so a position in `entries` is good for the life of the cache.
 */
#include "elf/object_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hash.h"

struct entry {
	struct object_identity identity;
	struct object *object; /* NULL: opening failed, with `result` */
	int result;
};

struct object_cache {
	ARRAY_OF(struct entry) entries;
	struct hash_index index;
	struct object *vdso; /* has no identity before it is made */
};

struct object_cache *object_cache_new(void)
{
	return calloc(1, sizeof(struct object_cache));
}

void object_cache_free(struct object_cache *cache)
{
	if (!cache)
		return;
	for (uint32_t i = 0; i < cache->entries.count; i++)
		object_unref(cache->entries.at[i].object);
	object_unref(cache->vdso);
	array_fini(&cache->entries);
	hash_index_fini(&cache->index);
	free(cache);
}

static uint64_t hash_identity(const struct object_identity *identity)
{
	uint64_t file = hash_pair(identity->device, identity->inode);
	uint64_t times = hash_pair((uint64_t)identity->mtime_ns, (uint64_t)identity->ctime_ns);

	return hash_pair(hash_pair(file, times), identity->size);
}

static bool equal(const void *context, uint32_t position, const void *key)
{
	const struct object_cache *cache = context;
	const struct object_identity *a = &cache->entries.at[position].identity, *b = key;

	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

static int hand_out(struct object **ret, const struct entry *entry)
{
	if (entry->object)
		*ret = object_ref(entry->object);
	return entry->result;
}

int object_cache_get(struct object_cache *cache, struct object **ret, int fd, const char *path,
		     const char *root)
{
	cleanup(close) int owned_fd = fd;
	cleanup(object_unref) struct object *object = NULL;
	struct object_identity identity;
	struct entry *entry;
	uint32_t position;
	uint64_t hash;
	int r = object_identify(&identity, fd), opened;

	if (r != 0)
		return r;
	hash = hash_identity(&identity);
	position = hash_index_find(&cache->index, hash, equal, cache, &identity);
	if (position != HASH_ABSENT)
		return hand_out(ret, &cache->entries.at[position]);
	opened = object_open(&object, TAKE_FD(owned_fd), path, root);
	if (opened == -ENOMEM)
		return opened; /* not the file's fault: it may work the next time */
	entry = array_push(&cache->entries);
	if (!entry)
		return -ENOMEM;
	*entry = (struct entry){ .identity = identity, .result = opened };
	r = hash_index_add(&cache->index, hash, cache->entries.count - 1);
	if (r < 0) {
		cache->entries.count--;
		return r;
	}
	entry->object = TAKE_PTR(object);
	return hand_out(ret, entry);
}

int object_cache_get_vdso(struct object_cache *cache, struct object **ret)
{
	int r = cache->vdso ? 0 : object_open_vdso(&cache->vdso);

	if (r == 0)
		*ret = object_ref(cache->vdso);
	return r;
}
