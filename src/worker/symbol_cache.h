/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder with what earlier recordings have found out about objects, one file each, so that the next one
 * names them, and walks their stacks, at once.
 *
 * A build ID is what a file says of itself, and whoever makes a file chooses it. So a file of the cache is
 * for one object with its candidates for a debug file as the kernel tells them apart, and for this build
 * of profd; its name begins with the build ID for people and for cleaning up.
 */
#pragma once

#include "base/bytes.h"
#include "elf/object.h"

enum {
	SYMBOL_CACHE_FILES_MAX = 12,	/* candidates */
	SYMBOL_CACHE_HEAD_BYTES = 1024, /* before what is kept, in each file */
};

/* What is kept of an object, each in a file of its own. */
enum symbol_cache_kind {
	SYMBOL_CACHE_NAMES, /* symbol/kept_names.h */
	SYMBOL_CACHE_TABLE, /* worker/kept_table.h */
	SYMBOL_CACHE_KINDS
};

struct symbol_cache_key;

struct symbol_cache {
	int folder;		      /* -1: there is none */
	struct object_identity maker; /* which build of profd this is */
	uint32_t used[SYMBOL_CACHE_KINDS], written; /* files */
};

/* Appends the usual folder: of the machine, or of this user. Returns 0, -ENOENT or -ENOMEM. */
int symbol_cache_usual_folder(struct bytes *ret);
void symbol_cache_init(struct symbol_cache *cache);
/*
 * folder: is made if need be, for its owner alone; NULL: the usual one. Returns 0 or a negative errno
 * (-EPERM: it belongs to somebody else, or others may write there); there is none then.
 */
int symbol_cache_open(struct symbol_cache *cache, const char *folder);
void symbol_cache_close(struct symbol_cache *cache);
/*
 * The key of an object, given the descriptors of what may be its debug file. NULL when nothing may be kept
 * of it, because somebody may make up what its files look like; or when out of memory. To be freed.
 */
struct symbol_cache_key *symbol_cache_key_new(const struct symbol_cache *cache,
					      const struct object *object,
					      enum symbol_cache_kind kind, const int *files,
					      unsigned count);
/* What was kept, from SYMBOL_CACHE_HEAD_BYTES of it on. Returns a descriptor or a negative errno. */
int symbol_cache_find(struct symbol_cache *cache, const struct symbol_cache_key *key);
/*
 * Keeps `size` bytes; now and then it tidies up, too (symbol_cache_trim). Returns 0 or a negative errno, then
 * what was kept before stays.
 */
int symbol_cache_put(struct symbol_cache *cache, const struct symbol_cache_key *key,
		     const void *data, size_t size);
/* Removes those of its files that nobody has used for the longest time, when they are too many or too large. */
void symbol_cache_trim(const struct symbol_cache *cache);
