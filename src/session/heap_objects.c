// SPDX-License-Identifier: Apache-2.0
#include "session/heap_objects.h"

#include <errno.h>

struct key {
	uint64_t nonce, id;
};

static bool is_equal(const void *context, uint32_t position, const void *key)
{
	const struct heap_objects *objects = context;
	const struct heap_object *object = &objects->at.at[position];
	const struct key *wanted = key;

	return object->nonce == wanted->nonce && object->id == wanted->id;
}

void heap_objects_fini(struct heap_objects *objects)
{
	array_fini(&objects->at);
	hash_index_fini(&objects->index);
}

struct heap_object *heap_objects_find(const struct heap_objects *objects, uint64_t nonce,
				      uint64_t id)
{
	const struct key key = { nonce, id };
	uint32_t position =
		hash_index_find(&objects->index, hash_pair(nonce, id), is_equal, objects, &key);

	return position == HASH_ABSENT ? NULL : &objects->at.at[position];
}

struct heap_object *heap_objects_add(struct heap_objects *objects, uint64_t nonce, uint64_t id,
				     bool *ret_new)
{
	struct heap_object *object = heap_objects_find(objects, nonce, id);

	*ret_new = !object;
	if (object)
		return object;
	object = array_push(&objects->at);
	if (!object)
		return NULL;
	object->nonce = nonce;
	object->id = id;
	if (hash_index_add(&objects->index, hash_pair(nonce, id), objects->at.count - 1) < 0) {
		objects->at.count--;
		return NULL;
	}
	return object;
}

int heap_objects_drop(struct heap_objects *objects, uint64_t before_ns)
{
	struct hash_index index = {};
	uint32_t kept = 0;

	for (uint32_t pass = 0; pass < 2; pass++) {
		kept = 0;
		for (uint32_t i = 0; i < objects->at.count; i++) {
			struct heap_object *object = &objects->at.at[i];

			if (!object->holders && !object->held && object->time_ns < before_ns)
				continue;
			if (pass == 0 &&
			    hash_index_add(&index, hash_pair(object->nonce, object->id), kept) <
				    0) {
				hash_index_fini(&index);
				return -ENOMEM;
			}
			if (pass == 1)
				objects->at.at[kept] = *object;
			kept++;
		}
	}
	objects->at.count = kept;
	hash_index_fini(&objects->index);
	objects->index = index;
	return 0;
}
