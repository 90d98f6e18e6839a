// SPDX-License-Identifier: Apache-2.0
/*
 * The cache holds one reference to each of its objects: what was learnt of a file is good for the
 * next process that maps it. Only when there are many are those forgotten that nobody mapped for the
 * longest time.
 */
#include "proc/object_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/hash.h"

struct entry {
	struct object_identity identity; /* see key_of */
	uint64_t life; /* 0: such a file is this one; else it was, see is_certain */
	bool honest;   /* see struct opened */
	struct object *object; /* NULL: opening failed, with `result` */
	int result;
	uint64_t asked_ns; /* for the last time */
};

struct object_cache {
	struct workers *workers;
	ARRAY_OF(struct entry) entries;
	struct hash_index index;
	struct object *vdso; /* has no identity before it is made */
	uint64_t lives;
	uint32_t open_files; /* counted anew whenever some are closed */
};

struct object_cache *object_cache_new(struct workers *workers)
{
	struct object_cache *cache = calloc(1, sizeof(*cache));

	if (cache)
		cache->workers = workers;
	return cache;
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

static uint64_t hash_identity(const struct object_identity *identity, uint64_t life)
{
	uint64_t file = hash_pair(identity->device, identity->inode);
	uint64_t times = hash_pair((uint64_t)identity->mtime_ns, (uint64_t)identity->ctime_ns);

	return hash_pair(hash_pair(file, times), hash_pair(identity->size, life));
}

static uint64_t hash_entry(const struct entry *entry)
{
	return hash_identity(&entry->identity, entry->life);
}

/* key: of a file that is there now */
static bool equal(const void *context, uint32_t position, const void *key)
{
	const struct object_cache *cache = context;
	const struct entry *entry = &cache->entries.at[position];
	const struct object_identity *a = &entry->identity, *b = key;

	return entry->life == 0 && a->device == b->device && a->inode == b->inode &&
	       a->size == b->size && a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

static uint32_t find(const struct object_cache *cache, const struct object_identity *key)
{
	return hash_index_find(&cache->index, hash_identity(key, 0), equal, cache, key);
}

/*
 * What the file is known by. Each container has an overlay of its own over the files of its image,
 * with a device of its own; the rest is what the file below says of itself, and nobody can set a
 * ctime. Who mounts an overlay in a user namespace of his own can, by a FUSE below it.
 */
static struct object_identity key_of(const struct opened *opened)
{
	struct object_identity key = opened->identity;

	if (opened->overlay && opened->honest)
		key.device = 0;
	return key;
}

/*
 * Is it that file, for sure? Where a user has made up what it says, only the device is sure, and only
 * while the file is open: devices of file systems that are gone are given to others.
 */
static bool is_certain(const struct entry *entry, const struct opened *opened)
{
	const struct object *object = entry->object;

	return (entry->honest && opened->honest) || !object || object->given_up || object->fd >= 0;
}

/* From now on such a file is another one. Returns 0 or -ENOMEM. */
static int outlive(struct object_cache *cache, uint32_t at)
{
	struct entry *entry = &cache->entries.at[at];

	hash_index_remove(&cache->index, hash_entry(entry), at);
	entry->life = ++cache->lives;
	return hash_index_add(&cache->index, hash_entry(entry), at); /* a slot was just freed */
}

static void note_opener(struct object *object, const struct opened *opened)
{
	object->opened_by = opened->whose;
	object->there_ns = object->opened_ns = clock_ns(CLOCK_MONOTONIC);
}

/* fd, root_fd: of the file, in case those there were are closed already; taken over then. */
static int hand_out(struct object_cache *cache, struct object **ret, struct entry *entry, int *fd,
		    int *root_fd, const struct opened *opened)
{
	struct object *object = entry->object;

	entry->asked_ns = clock_ns(CLOCK_MONOTONIC);
	if (object && object->fd < 0 && !object->given_up) {
		cache->open_files++;
		object->fd = TAKE_FD(*fd);
		object->root_fd = TAKE_FD(*root_fd);
		note_opener(object, opened);
	}
	if (object) {
		object->used_ns = entry->asked_ns;
		*ret = object_ref(object);
	}
	return entry->result;
}

int object_cache_get(struct object_cache *cache, struct object **ret, int fd, int root_fd,
		     const struct opened *opened, const char *path)
{
	cleanup(object_unref) struct object *object = NULL;
	struct object_identity key = key_of(opened);
	uint32_t position = find(cache, &key);
	struct entry *entry;
	int r = 0, result;

	if (position != HASH_ABSENT && !is_certain(&cache->entries.at[position], opened)) {
		r = outlive(cache, position);
	} else if (position != HASH_ABSENT) {
		r = hand_out(cache, ret, &cache->entries.at[position], &fd, &root_fd, opened);
		if (fd >= 0)
			close(fd);
		fs_close_aside(root_fd);
		return r;
	}
	if (r < 0) {
		close(fd);
		fs_close_aside(root_fd);
		return r;
	}
	result = ask_object(cache->workers, &object, fd, root_fd, opened, path);
	if (result < 0 && result != -EIO)
		return result; /* not the file's fault: it may work the next time */
	entry = array_push(&cache->entries);
	if (!entry)
		return -ENOMEM;
	*entry = (struct entry){ .identity = key, .honest = opened->honest, .result = result };
	r = hash_index_add(&cache->index, hash_entry(entry), cache->entries.count - 1);
	if (r < 0) {
		cache->entries.count--;
		return r;
	}
	if (object)
		note_opener(object, opened);
	cache->open_files += object != NULL;
	entry->object = TAKE_PTR(object);
	return hand_out(cache, ret, entry, &(int){ -1 }, &(int){ -1 }, opened);
}

int object_cache_reopen(struct object_cache *cache, struct object *object, int fd, int root_fd,
			const struct opened *opened)
{
	struct object_identity key = key_of(opened);
	uint32_t at = find(cache, &key);
	int r = at != HASH_ABSENT && cache->entries.at[at].object == object &&
				is_certain(&cache->entries.at[at], opened)
			? 0
			: -ESTALE;

	if (r == 0) {
		ask_forget(cache->workers, object);
		object->fd = TAKE_FD(fd);
		object->root_fd = TAKE_FD(root_fd);
		object->identity = opened->identity;
		object->may_block = opened->may_block;
		note_opener(object, opened);
	}
	if (fd >= 0)
		close(fd);
	fs_close_aside(root_fd);
	return r;
}

int object_cache_get_vdso(struct object_cache *cache, struct object **ret)
{
	int r = cache->vdso ? 0 : ask_vdso(cache->workers, &cache->vdso);

	if (r == 0)
		*ret = object_ref(cache->vdso);
	return r;
}

int object_cache_close_unused(struct object_cache *cache, uint64_t since_ns, uint64_t left_ns,
			      int (*finish)(void *context, struct object *object), void *context)
{
	uint32_t open = 0;

	for (uint32_t i = 0; i < cache->entries.count; i++) {
		struct object *object = cache->entries.at[i].object;
		int r;

		if (!object || object->fd < 0)
			continue;
		if (object->awaited_files ||
		    (object->used_ns >= since_ns &&
		     (object->root_fd < 0 || object->there_ns >= left_ns))) {
			open++;
			continue;
		}
		r = finish(context, object);
		if (r < 0)
			return r;
		ask_forget(cache->workers, object);
	}
	cache->open_files = open;
	return 0;
}

uint32_t object_cache_open_files(const struct object_cache *cache)
{
	return cache->open_files;
}

int object_cache_each(struct object_cache *cache,
		      int (*call)(void *context, struct object *object), void *context)
{
	int r = 0;

	for (uint32_t i = 0; i < cache->entries.count && r >= 0; i++) {
		struct object *object = cache->entries.at[i].object;

		if (object && object->fd >= 0)
			r = call(context, object);
	}
	return r < 0 ? r : 0;
}

/* When the entry was of use last; UINT64_MAX: it is now. */
static uint64_t last_use(const struct entry *entry, uint64_t since_ns)
{
	uint64_t used = entry->object ? entry->object->used_ns : entry->asked_ns;

	return used >= since_ns || (entry->object && entry->object->fd >= 0) ? UINT64_MAX : used;
}

static void remove_entry(struct object_cache *cache, uint32_t at)
{
	struct entry *entry = &cache->entries.at[at], *last;

	hash_index_remove(&cache->index, hash_entry(entry), at);
	object_unref(entry->object);
	last = &cache->entries.at[--cache->entries.count];
	if (last != entry) {
		uint64_t hash = hash_entry(last);

		*entry = *last;
		hash_index_remove(&cache->index, hash, cache->entries.count);
		(void)hash_index_add(&cache->index, hash, at); /* a slot was just freed */
	}
}

static int compare(const void *a_, const void *b_)
{
	uint64_t a = *(const uint64_t *)a_, b = *(const uint64_t *)b_;

	return (a > b) - (a < b);
}

bool object_cache_forget(struct object_cache *cache, uint32_t keep, uint64_t since_ns,
			 void (*forget)(void *context, const struct object *object), void *context)
{
	cleanup(free) uint64_t *uses = NULL;
	uint32_t surplus = cache->entries.count - keep;
	uint64_t limit;

	if (cache->entries.count <= keep)
		return false;
	uses = malloc(cache->entries.count * sizeof(*uses));
	if (!uses)
		return false; /* the next time */
	for (uint32_t i = 0; i < cache->entries.count; i++)
		uses[i] = last_use(&cache->entries.at[i], since_ns);
	qsort(uses, cache->entries.count, sizeof(*uses), compare);
	limit = uses[surplus - 1];
	for (uint32_t i = cache->entries.count; i-- > 0;) {
		struct object *object = cache->entries.at[i].object;
		uint64_t use = last_use(&cache->entries.at[i], since_ns);

		if (use > limit || use == UINT64_MAX)
			continue;
		if (object) {
			object->forgotten = true;
			forget(context, object);
		}
		remove_entry(cache, i);
	}
	return true;
}
