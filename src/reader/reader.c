// SPDX-License-Identifier: Apache-2.0
/*
 * An object that has not been asked about for the longest time is forgotten when there are many:
 * whoever asks again sends its file again.
 */
#include "reader/reader.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/hash.h"
#include "base/parcel.h"
#include "elf/object_file.h"
#include "reader/sandbox.h"
#include "reader/serve.h"
#include "reader/state.h"
#include "symbol/demangle.h"
#include "symbol/object_names.h"

enum {
	MAX_OBJECTS = 4096,
	KEPT_BYTES = 32 << 20, /* of memory, from one question to the next; glibc takes no more */
};

struct reader_state {
	ARRAY_OF(struct known_object) objects; /* the one that was asked about last is the last */
	struct stack_walks *walks;
};

struct reader_state *reader_state_new(void)
{
	return calloc(1, sizeof(struct reader_state));
}

static void forget(struct reader_state *state, uint32_t at)
{
	object_names_free(state->objects.at[at].names);
	free(state->objects.at[at].starts);
	object_unref(state->objects.at[at].object);
	memmove(state->objects.at + at, state->objects.at + at + 1,
		(state->objects.count - at - 1) * sizeof(*state->objects.at));
	state->objects.count--;
}

void reader_state_free(struct reader_state *state)
{
	if (!state)
		return;
	while (state->objects.count)
		forget(state, state->objects.count - 1);
	array_fini(&state->objects);
	stack_walks_free(state->walks);
	free(state);
}

/* Moves the object to the end. */
struct known_object *reader_find(struct reader_state *state, uint32_t id)
{
	struct known_object found;

	for (uint32_t i = state->objects.count; i-- > 0;) {
		if (state->objects.at[i].id != id)
			continue;
		found = state->objects.at[i];
		memmove(state->objects.at + i, state->objects.at + i + 1,
			(state->objects.count - i - 1) * sizeof(found));
		state->objects.at[state->objects.count - 1] = found;
		return &state->objects.at[state->objects.count - 1];
	}
	return NULL;
}

/* Returns 0, or what object_open returned. */
static int learn(struct reader_state *state, uint32_t id, int fd)
{
	struct known_object *known;
	struct object *object;
	int r;

	fd = parcel_open(fd);
	r = fd < 0 ? fd : object_open(&object, fd, "");
	if (r != 0)
		return r;
	if (state->objects.count >= MAX_OBJECTS)
		forget(state, 0);
	known = array_push(&state->objects);
	if (!known) {
		object_unref(object);
		return -ENOMEM;
	}
	*known = (struct known_object){ .id = id, .object = object };
	return 0;
}

/* What their files are like now; of those that cannot be looked at it is unknown, too. */
static int answer_states(struct reader_state *state, const uint32_t *ids, size_t size,
			 struct reply *reply)
{
	if (size % sizeof(*ids))
		return -EBADMSG;
	for (size_t i = 0; i < size / sizeof(*ids); i++) {
		const struct known_object *known = reader_find(state, ids[i]);
		struct wire_state found = {};
		struct stat st;

		if (known && fstat(known->object->fd, &st) == 0) {
			struct object_identity identity = object_identity_of(&st);

			found = (struct wire_state){ identity.size, identity.mtime_ns, true };
		}
		bytes_add(&reply->bytes, &found, sizeof(found));
	}
	return 0;
}

/* names: texts with their NUL. */
static int answer_demangled(const char *names, size_t size, struct reply *reply)
{
	if (size == 0 || names[size - 1])
		return -EBADMSG;
	for (const char *name = names; name < names + size; name += strlen(name) + 1) {
		if (demangle(&reply->bytes, name) == -ENOMEM)
			return -ENOMEM;
		bytes_add(&reply->bytes, "", 1);
	}
	return 0;
}

static int answer_about(struct known_object *known, uint32_t what, const void *payload, size_t size,
			int *fds, unsigned fd_count, struct reply *reply)
{
	switch (what) {
	case READER_OBJECT:
		return reader_answer_object(known, reply);
	case READER_TABLE:
		return reader_answer_table(known, fds, fd_count, reply);
	case READER_NAMES:
		return reader_answer_names(known, payload, size, fds, fd_count, reply);
	case READER_KEEP:
		return reader_answer_keep(known, reply);
	case READER_NEEDED:
		return reader_answer_needed(known, reply);
	case READER_CODE:
		return reader_answer_code(known, payload, size, reply);
	case READER_ALLOCATOR:
		return reader_answer_allocator(known, reply);
	case READER_CALLS:
		return reader_answer_calls(known, payload, size, reply);
	}
	return -EBADMSG;
}

int reader_answer(void *state_, const struct question *question, const void *payload, size_t size,
		  int *fds, unsigned fd_count, struct reply *reply)
{
	struct reader_state *state = state_;
	struct known_object *known;
	int *first = fds, r;

	if (question->what == READER_DEMANGLE)
		return answer_demangled(payload, size, reply);
	if (question->what == READER_WALK)
		return reader_answer_walk(state, &state->walks, payload, size, reply);
	known = reader_find(state, question->object);
	if (question->what == READER_FORGET) {
		if (known)
			forget(state, (uint32_t)(known - state->objects.at));
		return 0;
	}
	if (question->has_object) {
		if (fd_count == 0)
			return -EBADMSG;
		fds++;
		fd_count--;
	}
	if (!known) {
		if (!question->has_object)
			return -ENOENT;
		r = learn(state, question->object, *first);
		*first = -1; /* taken, also on failure */
		if (r != 0)
			return r;
		known = reader_find(state, question->object);
	}
	if (question->what == READER_STATES)
		return answer_states(state, payload, size, reply);
	return answer_about(known, question->what, payload, size, fds, fd_count, reply);
}

int reader_main(bool walks)
{
	struct reader_state *state = reader_state_new();
	int r = state ? 0 : -ENOMEM;

	if (r == 0 && walks)
		r = stack_walks_prepare(&state->walks);
	if (r == 0)
		r = sandbox_enter();

	/* serve gives it back, when there is time. */
	(void)mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
	(void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
	if (r < 0)
		return 1;
	return serve(reader_answer, state);
}
