/* SPDX-License-Identifier: Apache-2.0 */
/* Strings as dense ids: equal strings have equal ids, and id 0 is the empty string. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/hash.h"

struct strtab {
	ARRAY_OF(char) bytes;	    /* every string with its final NUL, one after another */
	ARRAY_OF(uint32_t) offsets; /* id → offset in bytes */
	struct hash_index index;
};

/* Returns 0 or -ENOMEM. */
int strtab_init(struct strtab *table);
void strtab_fini(struct strtab *table);
/* Puts the id of the `size` bytes at `text` (cut at a NUL) into *ret. Returns 0 or -ENOMEM. */
int strtab_add(struct strtab *table, uint32_t *ret, const char *text, size_t size);
/*
 * The same for a string that is not there, which the caller knows; nor is it found later: for tables
 * that are only read then. `text` holds no NUL.
 */
int strtab_append(struct strtab *table, uint32_t *ret, const char *text, size_t size);
/* Puts the id of the string into *ret if it is there. Returns whether it is. */
bool strtab_find(const struct strtab *table, uint32_t *ret, const char *text, size_t size);
int strtab_add_str(struct strtab *table, uint32_t *ret, const char *text);
/* Borrowed until the next add. */
static inline const char *strtab_get(const struct strtab *table, uint32_t id)
{
	return table->bytes.at + table->offsets.at[id];
}
/* Its length, without looking at it. */
static inline size_t strtab_size(const struct strtab *table, uint32_t id)
{
	uint32_t next =
		id + 1 < table->offsets.count ? table->offsets.at[id + 1] : table->bytes.count;

	return next - table->offsets.at[id] - 1;
}
