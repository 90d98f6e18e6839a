// SPDX-License-Identifier: Apache-2.0
#include "reader/state.h"

#include <errno.h>

#include "base/array.h"
#include "base/hash.h"
#include "base/parcel.h"
#include "symbol/demangle.h"
#include "symbol/object_names.h"

/* An answer under way. Each function is in it once. */
struct naming_answer {
	struct object_names *names;
	ARRAY_OF(struct wire_name) lines;
	ARRAY_OF(struct found_function) functions; /* parallel to lines */
	struct hash_index index;
	struct bytes texts;
};

static bool same_function(const void *context, uint32_t position, const void *key)
{
	const struct naming_answer *answer = context;
	const struct found_function *a = &answer->functions.at[position], *b = key;

	return a->kind == b->kind && a->resolver == b->resolver && a->start == b->start;
}

static uint32_t add_text(struct naming_answer *answer, const char *text)
{
	uint32_t at = (uint32_t)answer->texts.size;

	bytes_add(&answer->texts, text, strlen(text) + 1);
	return at;
}

static int make_line(struct naming_answer *answer, struct wire_name *ret,
		     const struct found_function *found)
{
	static const enum wire_name_kind kinds[] = { [FOUND_NOTHING] = WIRE_NAME_NONE,
						     [FOUND_START] = WIRE_NAME_START,
						     [FOUND_ENTRY] = WIRE_NAME_ENTRY,
						     [FOUND_SYMBOL] = WIRE_NAME_SYMBOL };
	cleanup(bytes_fini) struct bytes name = {}, readable = {};
	int r;

	*ret = (struct wire_name){ .kind = kinds[found->kind], .start = found->start };
	if (found->kind != FOUND_SYMBOL)
		return 0;
	r = object_names_text(answer->names, found, &name);
	if (r == -ENOMEM || name.failed)
		return -ENOMEM;
	if (r < 0 || name.size == 0 || !bytes_str(&name)[0]) {
		ret->kind = WIRE_NAME_NONE;
		return 0;
	}
	ret->system_name = ret->name = add_text(answer, bytes_str(&name));
	r = demangle(&readable, name.at);
	if (r == 0 && readable.size)
		ret->name = add_text(answer, bytes_str(&readable) ? readable.at : "");
	ret->file = add_text(answer, "");
	return r == -ENOMEM || readable.failed || answer->texts.failed ? -ENOMEM : 0;
}

/* The number of the line of a function, which is made if need be. */
static int find_line(struct naming_answer *answer, uint32_t *ret,
		     const struct found_function *found)
{
	uint64_t hash = hash_pair((uint64_t)found->kind << 32 | found->resolver, found->start);
	uint32_t position =
		hash_index_find(&answer->index, hash, same_function, answer, found);
	struct found_function *function;
	struct wire_name line, *slot;
	int r;

	if (position == HASH_ABSENT) {
		r = make_line(answer, &line, found);
		if (r < 0)
			return r;
		slot = array_push(&answer->lines);
		function = slot ? array_push(&answer->functions) : NULL;
		if (!function)
			return -ENOMEM;
		*slot = line;
		*function = *found;
		position = answer->lines.count - 1;
		r = hash_index_add(&answer->index, hash, position);
		if (r < 0)
			return r;
	}
	*ret = position;
	return 0;
}

static int name_all(struct naming_answer *answer, const uint64_t *addresses, uint32_t count,
		    struct reply *reply)
{
	struct wire_names_head head = { .address_count = count };
	struct found_function found;
	struct wire_names names = { .count = 1 };
	size_t start = reply->bytes.size;
	int r;

	bytes_add(&reply->bytes, &head, sizeof(head));
	for (uint32_t i = 0; i < count; i++) {
		r = object_names_find(answer->names, addresses[i], &found);
		if (r == 0)
			r = find_line(answer, &names.first, &found);
		if (r < 0)
			return r;
		bytes_add(&reply->bytes, &names, sizeof(names));
	}
	head.name_count = answer->lines.count;
	head.text_bytes = (uint32_t)answer->texts.size;
	bytes_add(&reply->bytes, answer->lines.at,
		  answer->lines.count * sizeof(*answer->lines.at));
	bytes_add(&reply->bytes, answer->texts.at, answer->texts.size);
	if (reply->bytes.failed)
		return -ENOMEM;
	memcpy(reply->bytes.at + start, &head, sizeof(head));
	return 0;
}

int reader_answer_names(struct known_object *known, const void *payload, size_t size, int *fds,
			unsigned fd_count, struct reply *reply)
{
	const struct wire_names_question *question = payload;
	struct naming_answer answer = {};
	int r;

	if (size < sizeof(*question) ||
	    size != sizeof(*question) + question->address_count * sizeof(uint64_t))
		return -EBADMSG;
	if (!known->names) {
		if (!question->has_debug_files)
			return -ESTALE;
		for (unsigned i = 0; i < fd_count; i++)
			fds[i] = parcel_open(fds[i]);
		r = object_names_new(&known->names, known->object, fds, fd_count);
		if (r < 0)
			return r;
	}
	answer.names = known->names;
	r = name_all(&answer, (const uint64_t *)(question + 1), question->address_count, reply);
	array_fini(&answer.lines);
	array_fini(&answer.functions);
	hash_index_fini(&answer.index);
	bytes_fini(&answer.texts);
	return r;
}
