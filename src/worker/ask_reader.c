// SPDX-License-Identifier: Apache-2.0
#include "worker/ask_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "elf/vdso.h"
#include "worker/kept_table.h"
#include "worker/reader_request.h"

static int take_object(void *object, int result, const unsigned char *data, size_t size)
{
	return result > 0 ? result : answer_object(object, data, size);
}

int ask_object(struct workers *workers, struct object **ret, int fd, int root_fd,
	       const struct opened *opened, const char *path)
{
	cleanup(object_unref) struct object *object = object_new(fd, path);
	const struct reader_request request = { .what = READER_OBJECT,
						.take = take_object,
						.context = object };
	int r;

	if (!object) {
		fs_close_aside(root_fd);
		return -ENOMEM;
	}
	object->root_fd = root_fd;
	object->identity = opened->identity;
	object->may_block = opened->may_block;
	object->overlay = opened->overlay;
	object->honest = opened->honest;
	r = reader_request(workers, object, &request);
	if (r == 0)
		*ret = TAKE_PTR(object);
	return r;
}

int ask_vdso(struct workers *workers, struct object **ret)
{
	struct opened opened = { .honest = true };
	struct stat st;
	int fd = vdso_open();

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == 0)
		opened.identity = object_identity_of(&st);
	return ask_object(workers, ret, fd, -1, &opened, "[vdso]");
}

/* ---- whether files have changed ---- */

enum { STATES_MAX = 1024 };

struct states {
	struct object *objects[STATES_MAX];
	uint32_t ids[STATES_MAX];
	uint32_t count;
};

static int take_states(void *context, int result, const unsigned char *data, size_t size)
{
	const struct states *states = context;
	struct wire_state state;

	if (result > 0 || size != states->count * sizeof(state))
		return -EBADMSG;
	for (uint32_t i = 0; i < states->count; i++) {
		struct object *object = states->objects[i];

		memcpy(&state, data + i * sizeof(state), sizeof(state));
		if (!state.known)
			object->known_by = 0;
		else
			object->changed = state.size != object->identity.size ||
					  state.mtime_ns != object->identity.mtime_ns;
	}
	return 0;
}

/* Is there anything to ask about it? */
static bool may_have_changed(const struct object *object)
{
	return object->may_block && object->fd >= 0 && !object->given_up && !object->changed;
}

/* The first one's fault it is when there is no answer; then the others are asked about without it. */
static void ask_states(struct workers *workers, struct states *states)
{
	const struct reader_request request = { .what = READER_STATES,
						.payload = states->ids,
						.size = states->count * sizeof(*states->ids),
						.take = take_states,
						.context = states };

	if (states->count)
		(void)reader_request(workers, states->objects[0], &request);
}

void ask_about_changes(struct workers *workers, struct object *const *objects, uint32_t count)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	for (uint32_t done = 0; done < count;) {
		struct states states = {};

		for (; done < count && states.count < STATES_MAX; done++) {
			struct object *object = objects[done];

			if (!may_have_changed(object))
				continue;
			/* What happens while it is asked about may be missed. */
			object->state_ns = now;
			/* It comes with its file then. */
			if (object->known_by != workers->reader.generation) {
				struct states alone = { { object }, { object->id }, 1 };

				ask_states(workers, &alone);
				continue;
			}
			states.objects[states.count] = object;
			states.ids[states.count++] = object->id;
		}
		ask_states(workers, &states);
	}
}

bool ask_is_unchanged(struct workers *workers, struct object *object, uint64_t since_ns)
{
	if (object->state_ns <= since_ns)
		ask_about_changes(workers, &object, 1);
	return object_is_unchanged(object);
}

/* ---- tables ---- */

struct table_answer {
	struct unwind_table *table;
	struct table_figures *figures;
	struct workers *workers;
	const struct object *object;
	const struct symbol_cache_key *key; /* NULL: nothing is to be kept */
};

/* Puts it into the symbol cache. That it could not be kept is no harm. */
static void keep_table(const struct table_answer *answer, const unsigned char *data, size_t size)
{
	cleanup(bytes_fini) struct bytes bytes = {};

	if (answer->key && kept_table_is_worth_it(size, answer->workers->reader.used_ns) &&
	    object_is_unchanged(answer->object) && kept_table_write(&bytes, data, size) == 0)
		(void)symbol_cache_put(&answer->workers->symbol_cache, answer->key, bytes.at,
				       bytes.size);
}

static int take_table(void *context, int result, const unsigned char *data, size_t size)
{
	const struct table_answer *answer = context;
	int r;

	if (result > WIRE_TABLE_KEPT)
		return -EBADMSG;
	r = answer_table(answer->table, answer->figures, data, size);
	if (r == 0 && result != WIRE_TABLE_KEPT)
		keep_table(answer, data, size);
	return r;
}

int ask_table(struct workers *workers, struct unwind_table *ret, struct table_figures *figures,
	      struct object *object)
{
	struct symbol_cache *cache = &workers->symbol_cache;
	/* The vdso is no file that there will be another time. */
	cleanup(free) struct symbol_cache_key *key =
		object->path[0] == '/'
			? symbol_cache_key_new(cache, object, SYMBOL_CACHE_TABLE, NULL, 0)
			: NULL;
	cleanup(close) int kept = key ? symbol_cache_find(cache, key) : -1;
	struct table_answer answer = { ret, figures, workers, object, key };
	const struct reader_request request = { .what = READER_TABLE,
						.more = &kept,
						.more_count = kept >= 0,
						.take = take_table,
						.context = &answer };

	return reader_request(workers, object, &request);
}

/* ---- the rest ---- */

static int take_needed(void *needed, int result, const unsigned char *data, size_t size)
{
	return result > 0 ? -EBADMSG : answer_needed(needed, data, size);
}

int ask_needed(struct workers *workers, struct needed *ret, struct object *object)
{
	const struct reader_request request = { .what = READER_NEEDED,
						.take = take_needed,
						.context = ret };

	return reader_request(workers, object, &request);
}

static int take_allocator(void *allocator, int result, const unsigned char *data, size_t size)
{
	return result > 0 ? -EBADMSG : answer_allocator(allocator, data, size);
}

int ask_allocator(struct workers *workers, struct allocator *ret, struct object *object)
{
	const struct reader_request request = { .what = READER_ALLOCATOR,
						.take = take_allocator,
						.context = ret };

	return reader_request(workers, object, &request);
}

struct calls_answer {
	uint64_t *calls;
	uint32_t count;
};

static int take_calls(void *context, int result, const unsigned char *data, size_t size)
{
	const struct calls_answer *answer = context;

	return result > 0 ? -EBADMSG : answer_calls(answer->calls, answer->count, data, size);
}

int ask_calls(struct workers *workers, uint64_t *ret, struct object *object,
	      const uint64_t *addresses, uint32_t count)
{
	struct calls_answer answer = { ret, count };
	const struct reader_request request = { .what = READER_CALLS,
						.payload = addresses,
						.size = count * sizeof(*addresses),
						.take = take_calls,
						.context = &answer };

	return reader_request(workers, object, &request);
}

static void forget(struct workers *workers, struct object *object, struct worker *reader,
		   uint32_t *known_by)
{
	const struct question question = { .what = READER_FORGET, .object = object->id };
	const struct payer payer = reader_payer(object);
	struct answer answer;
	int r = 0;

	if (reader->pid && *known_by && *known_by == reader->generation) {
		/* Who closes a file there does not come back. */
		if (object->may_block && workers_is_stuck(workers, object->identity.device))
			worker_restart(reader);
		else
			r = workers_ask(workers, reader, &payer, &answer, question, NULL, 0, NULL,
					0);
		if (reader->pid && r == 0)
			answer_fini(&answer);
		if (r > WORKER_ENDING) /* not even asked */
			worker_restart(reader);
	}
	if (r == WORKER_STUCK && object->may_block)
		workers_note_stuck(workers, object->identity.device);
	*known_by = 0;
}

void ask_lines_anew(struct workers *workers, struct object *object)
{
	forget(workers, object, &workers->liner, &object->lines_known_by);
	object->lines_declined = false;
}

void ask_forget(struct workers *workers, struct object *object)
{
	forget(workers, object, &workers->reader, &object->known_by);
	forget(workers, object, &workers->walker, &object->walk_known_by);
	ask_lines_anew(workers, object);
	object_close(object);
}
