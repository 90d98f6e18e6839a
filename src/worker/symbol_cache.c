// SPDX-License-Identifier: Apache-2.0
#include "worker/symbol_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/hash.h"

#define SYSTEM_FOLDER "/var/cache/profd"
#define MAX_BYTES (256ULL << 20) /* of all files */
enum {
	MAX_FILES = 4096,
	WRITTEN_AT_ONCE = 256,	 /* files, before it is looked for those that are too many */
	NEW_FILE_SECONDS = 3600, /* whoever writes one is gone by then */
};
static const char new_prefix[] = ".profd-", magic[8] = "profd-1";

struct file_key {
	uint64_t device, inode, size;
	int64_t mtime_ns, ctime_ns;
};

/* As it stands at the beginning of a file, after the magic. */
struct symbol_cache_key {
	struct file_key maker, object, files[SYMBOL_CACHE_FILES_MAX];
	uint32_t kind, reserved;
	uint32_t file_count, build_id_size;
	uint8_t build_id[OBJECT_BUILD_ID_MAX];
};

struct head {
	char magic[8];
	struct symbol_cache_key key;
	uint64_t bytes; /* behind it */
};
_Static_assert(sizeof(struct head) <= SYMBOL_CACHE_HEAD_BYTES, "there is room for it");

void symbol_cache_init(struct symbol_cache *cache)
{
	*cache = (struct symbol_cache){ .folder = -1 };
}

/* ---- the folder ---- */

int symbol_cache_usual_folder(struct bytes *ret)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (geteuid() == 0)
		bytes_add_str(ret, SYSTEM_FOLDER);
	else if (base && *base == '/')
		bytes_add_format(ret, "%s/profd", base);
	else if (home && *home == '/')
		bytes_add_format(ret, "%s/.cache/profd", home);
	else
		return -ENOENT;
	return ret->failed ? -ENOMEM : 0;
}

static int make_folders(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/* What is kept here is believed. */
static int check_folder(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) ? -EPERM : 0;
}

int symbol_cache_open(struct symbol_cache *cache, const char *folder)
{
	cleanup(bytes_fini) struct bytes path = {};
	cleanup(close) int fd = -1;
	struct stat self;
	int r = 0;

	symbol_cache_init(cache);
	if (folder)
		bytes_add_str(&path, folder);
	else
		r = symbol_cache_usual_folder(&path);
	if (r < 0)
		return r;
	if (!bytes_str(&path))
		return -ENOMEM;
	if (path.size == 0)
		return -ENOENT;
	r = make_folders(path.at);
	if (r < 0)
		return r;
	fd = open(path.at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = check_folder(fd);
	if (r == 0 && stat("/proc/self/exe", &self) < 0)
		r = -errno;
	if (r < 0)
		return r;
	cache->maker = object_identity_of(&self);
	cache->folder = fs_spare(TAKE_FD(fd));
	return cache->folder < 0 ? cache->folder : 0;
}

void symbol_cache_close(struct symbol_cache *cache)
{
	if (cache->folder >= 0)
		close(cache->folder);
	cache->folder = -1;
}

/* ---- keys ---- */

static struct file_key file_key_of(const struct object_identity *identity)
{
	return (struct file_key){ .device = identity->device,
				  .inode = identity->inode,
				  .size = identity->size,
				  .mtime_ns = identity->mtime_ns,
				  .ctime_ns = identity->ctime_ns };
}

struct symbol_cache_key *symbol_cache_key_new(const struct symbol_cache *cache,
					      const struct object *object,
					      enum symbol_cache_kind kind, const int *files,
					      unsigned count)
{
	cleanup(free) struct symbol_cache_key *key = NULL;

	if (cache->folder < 0 || !object->honest || object->may_block ||
	    count > SYMBOL_CACHE_FILES_MAX)
		return NULL;
	key = calloc(1, sizeof(*key));
	if (!key)
		return NULL;
	key->kind = kind;
	key->maker = file_key_of(&cache->maker);
	key->object = file_key_of(&object->identity);
	/* Each container has an overlay of its own over the same files. */
	key->maker.device = 0;
	if (object->overlay)
		key->object.device = 0;
	for (unsigned i = 0; i < count; i++) {
		struct object_identity identity;
		struct stat st;

		/* A parcel has a file system that may never answer. */
		if (fstat(files[i], &st) < 0 || !S_ISREG(st.st_mode))
			return NULL;
		identity = object_identity_of(&st);
		key->files[key->file_count++] = file_key_of(&identity);
	}
	key->build_id_size = object->build_id_size;
	memcpy(key->build_id, object->build_id, object->build_id_size);
	return TAKE_PTR(key);
}

static const char *const suffixes[SYMBOL_CACHE_KINDS] = {
	[SYMBOL_CACHE_NAMES] = "",
	[SYMBOL_CACHE_TABLE] = "-table",
};

/* BUILDID-HASH and what it is */
static void name_file(const struct symbol_cache_key *key, char ret[NAME_MAX + 1])
{
	size_t at = 0;

	for (uint32_t i = 0; i < key->build_id_size; i++)
		at += (size_t)snprintf(ret + at, NAME_MAX + 1 - at, "%02x", key->build_id[i]);
	snprintf(ret + at, NAME_MAX + 1 - at, "%s-%016" PRIx64 "%s", at ? "" : "none",
		 hash_bytes(key, sizeof(*key)), suffixes[key->kind]);
}
_Static_assert(2 * OBJECT_BUILD_ID_MAX + 24 <= NAME_MAX, "the name fits");

/* Whoever chose the folder may have other files there. */
static bool is_name_of_file(const char *name)
{
	static const char digits[] = "0123456789abcdef";
	size_t size = strspn(name, digits);

	if (size == 0 && strncmp(name, "none", 4) == 0)
		size = 4;
	if (!size || name[size] != '-' || strspn(name + size + 1, digits) != 16)
		return false;
	for (unsigned kind = 0; kind < SYMBOL_CACHE_KINDS; kind++)
		if (strcmp(name + size + 17, suffixes[kind]) == 0)
			return true;
	return false;
}

/* Of one that is being written. */
static bool is_new_name(const char *name)
{
	size_t size = sizeof(new_prefix) - 1;

	return strncmp(name, new_prefix, size) == 0 && name[size] &&
	       name[size + strspn(name + size, "0123456789")] == '\0';
}

/* ---- files ---- */

int symbol_cache_find(struct symbol_cache *cache, const struct symbol_cache_key *key)
{
	cleanup(close) int fd = -1;
	char name[NAME_MAX + 1];
	struct head head;
	struct stat st;
	int r;

	if (cache->folder < 0)
		return -ENOENT;
	name_file(key, name);
	fd = openat(cache->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return -ENOENT;
	r = fs_read_at(fd, &head, sizeof(head), 0);
	if (r < 0)
		return r;
	if (memcmp(head.magic, magic, sizeof(magic)) != 0 ||
	    memcmp(&head.key, key, sizeof(*key)) != 0 ||
	    (uint64_t)st.st_size != SYMBOL_CACHE_HEAD_BYTES + head.bytes)
		return -ENOENT;
	/* When it was used last. */
	(void)futimens(fd, NULL);
	cache->used[key->kind]++;
	return TAKE_FD(fd);
}

int symbol_cache_put(struct symbol_cache *cache, const struct symbol_cache_key *key,
		     const void *data, size_t size)
{
	unsigned char first[SYMBOL_CACHE_HEAD_BYTES] = {};
	struct head head = { .key = *key, .bytes = size };
	char name[NAME_MAX + 1], new_name[64];
	cleanup(close) int fd = -1;
	int r;

	if (cache->folder < 0)
		return -ENOENT;
	name_file(key, name);
	snprintf(new_name, sizeof(new_name), "%s%d", new_prefix, (int)getpid());
	(void)unlinkat(cache->folder, new_name, 0);
	fd = openat(cache->folder, new_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return -errno;
	memcpy(head.magic, magic, sizeof(magic));
	memcpy(first, &head, sizeof(head));
	r = fs_write_all(fd, first, sizeof(first));
	if (r == 0)
		r = fs_write_all(fd, data, size);
	if (r == 0 && renameat(cache->folder, new_name, cache->folder, name) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(cache->folder, new_name, 0);
	else if (++cache->written % WRITTEN_AT_ONCE == 0)
		symbol_cache_trim(cache);
	return r;
}

/* ---- cleaning up ---- */

struct cached_file {
	char name[NAME_MAX + 1];
	int64_t used_ns;
	uint64_t bytes;
};

/* The one that was used last comes first. */
static int compare_use(const void *a_, const void *b_)
{
	const struct cached_file *a = a_, *b = b_;

	return (a->used_ns < b->used_ns) - (a->used_ns > b->used_ns);
}

void symbol_cache_trim(const struct symbol_cache *cache)
{
	ARRAY_OF(struct cached_file) files = {};
	int fd = cache->folder < 0 ? -1 : openat(cache->folder, ".", O_RDONLY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	uint64_t bytes = 0;
	struct stat st;

	if (!folder && fd >= 0)
		close(fd);
	while (folder && (entry = readdir(folder))) {
		struct cached_file *file;

		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		if (is_new_name(entry->d_name) && time(NULL) - st.st_mtime > NEW_FILE_SECONDS)
			(void)unlinkat(fd, entry->d_name, 0);
		if (!is_name_of_file(entry->d_name))
			continue;
		file = array_push(&files);
		if (!file)
			break;
		snprintf(file->name, sizeof(file->name), "%s", entry->d_name);
		file->used_ns = object_identity_of(&st).mtime_ns;
		file->bytes = (uint64_t)st.st_size;
	}
	if (files.count)
		qsort(files.at, files.count, sizeof(*files.at), compare_use);
	for (uint32_t i = 0; i < files.count; i++) {
		bytes += files.at[i].bytes;
		if (i >= MAX_FILES || bytes > MAX_BYTES)
			(void)unlinkat(fd, files.at[i].name, 0);
	}
	array_fini(&files);
	if (folder)
		closedir(folder);
}
