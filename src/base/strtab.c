// SPDX-License-Identifier: Apache-2.0
#include "base/strtab.h"

#include <errno.h>
#include <string.h>

struct key {
	const char *text;
	size_t size;
};

static bool equal(const void *context, uint32_t id, const void *key_)
{
	const struct strtab *table = context;
	const struct key *key = key_;

	return strtab_size(table, id) == key->size &&
	       memcmp(strtab_get(table, id), key->text, key->size) == 0;
}

bool strtab_find(const struct strtab *table, uint32_t *ret, const char *text, size_t size)
{
	struct key key = { text, strnlen(text, size) };
	uint32_t id =
		hash_index_find(&table->index, hash_bytes(text, key.size), equal, table, &key);

	if (id == HASH_ABSENT)
		return false;
	*ret = id;
	return true;
}

int strtab_append(struct strtab *table, uint32_t *ret, const char *text, size_t size)
{
	uint32_t *offset;

	if (!array_reserve(&table->bytes, (uint64_t)table->bytes.count + size + 1))
		return -ENOMEM;
	offset = array_push(&table->offsets);
	if (!offset)
		return -ENOMEM;
	*offset = table->bytes.count;
	memcpy(table->bytes.at + table->bytes.count, text, size);
	table->bytes.at[table->bytes.count + size] = '\0';
	table->bytes.count += (uint32_t)size + 1;
	*ret = table->offsets.count - 1;
	return 0;
}

int strtab_add(struct strtab *table, uint32_t *ret, const char *text, size_t size)
{
	struct key key = { text, strnlen(text, size) };
	uint64_t hash = hash_bytes(text, key.size);
	uint32_t id = hash_index_find(&table->index, hash, equal, table, &key);

	if (id != HASH_ABSENT) {
		*ret = id;
		return 0;
	}
	if (hash_index_add(&table->index, hash, table->offsets.count) < 0)
		return -ENOMEM;
	if (strtab_append(table, ret, text, key.size) < 0) {
		hash_index_remove(&table->index, hash, table->offsets.count);
		return -ENOMEM;
	}
	return 0;
}

int strtab_add_str(struct strtab *table, uint32_t *ret, const char *text)
{
	return strtab_add(table, ret, text, strlen(text));
}

int strtab_init(struct strtab *table)
{
	uint32_t empty;

	*table = (struct strtab){};
	return strtab_add(table, &empty, "", 0);
}

void strtab_fini(struct strtab *table)
{
	array_fini(&table->bytes);
	array_fini(&table->offsets);
	hash_index_fini(&table->index);
}
