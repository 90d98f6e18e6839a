// SPDX-License-Identifier: Apache-2.0
#include "worker/ask_walk.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "worker/reader_request.h"

/* Sends the object's file. Returns 0, or otherwise when it is not to be had: then it is not sent again. */
static int introduce(struct workers *workers, struct object *object)
{
	const struct question question = { .what = READER_OBJECT,
					   .object = object->id,
					   .has_object = 1 };
	const struct payer payer = reader_payer(object);
	cleanup(answer_fini) struct answer answer = {};
	int r = workers_ask(workers, &workers->walker, &payer, &answer, question, NULL, 0,
			    &object->fd, 1);

	if (r == 0)
		r = answer.result;
	if (r == 0)
		object->walk_known_by = workers->walker.generation;
	else if (!(r == WORKER_DIED && workers->walker.was_killed))
		object->walk_declined = true;
	return r;
}

static struct object *object_by_id(const struct walk_code *codes, uint32_t count, uint32_t id)
{
	for (uint32_t i = 0; i < count; i++)
		if (codes[i].object->id == id)
			return codes[i].object;
	return NULL;
}

/* ids: of objects that the walker lacks. Returns 0 or what went wrong. */
static int introduce_all(struct workers *workers, const struct walk_code *codes, uint32_t count,
			 const unsigned char *ids, size_t size)
{
	if (size == 0 || size % sizeof(uint32_t) || size > count * sizeof(uint32_t))
		return -EBADMSG;
	for (size_t at = 0; at < size; at += sizeof(uint32_t)) {
		struct object *object;
		uint32_t id;
		int r;

		memcpy(&id, ids + at, sizeof(id));
		object = object_by_id(codes, count, id);
		r = object ? introduce(workers, object) : -EBADMSG;
		if (r != 0)
			return r;
	}
	return 0;
}

/* Nothing that is said is believed: what is looked up is checked by whoever looks it up. */
static int take_walked(struct wire_walked *ret, uint64_t *addresses, uint32_t limit,
		       const unsigned char *data, size_t size)
{
	struct reader reader = reader_of(data, size);
	const unsigned char *head = reader_take(&reader, sizeof(*ret)), *from;

	if (!head)
		return -EBADMSG;
	memcpy(ret, head, sizeof(*ret));
	if (ret->count > limit || ret->outcome >= WALK_OUTCOME_COUNT)
		return -EBADMSG;
	from = reader_take(&reader, ret->count * sizeof(*addresses));
	if (!from || reader_left(&reader))
		return -EBADMSG;
	memcpy(addresses, from, ret->count * sizeof(*addresses));
	return 0;
}

int ask_walk(struct workers *workers, struct wire_walked *ret, uint64_t *addresses,
	     const struct wire_walk *what, const struct walk_code *codes, uint32_t count,
	     const void *stack, const struct payer *payer)
{
	const struct question question = { .what = READER_WALK };
	cleanup(bytes_fini) struct bytes payload = {};
	struct wire_walk wire = *what;

	wire.mapping_count = count;
	bytes_add(&payload, &wire, sizeof(wire));
	for (uint32_t i = 0; i < count; i++) {
		struct wire_walk_mapping mapping = { codes[i].start, codes[i].end, codes[i].bias,
						     codes[i].object->id, 0 };

		bytes_add(&payload, &mapping, sizeof(mapping));
	}
	bytes_add(&payload, stack, wire.stack_bytes);
	if (payload.failed)
		return -ENOMEM;
	/* A process that has just begun knows nothing; one that is about to end is followed by another. */
	for (unsigned tries = 0; tries < 3; tries++) {
		cleanup(answer_fini) struct answer answer = {};
		int r = workers_ask(workers, &workers->walker, payer, &answer, question, payload.at,
				    payload.size, NULL, 0);

		if (r != 0)
			return r;
		if (answer.result == WIRE_WALK_WANT)
			r = introduce_all(workers, codes, count, answer.at, answer.size);
		else if (answer.result == 0)
			r = take_walked(ret, addresses, wire.limit, answer.at, answer.size);
		else
			return answer.result < 0 ? answer.result : -EBADMSG;
		if (r == -EBADMSG)
			worker_restart(&workers->walker);
		if (r != 0 || answer.result == 0)
			return r;
	}
	return -EAGAIN;
}
