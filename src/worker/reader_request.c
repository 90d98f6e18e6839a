// SPDX-License-Identifier: Apache-2.0
#include "worker/reader_request.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

enum { KILLED_MAX = 3 }; /* processes that somebody kills over one question */

static struct worker *worker_of(struct workers *workers, const struct reader_request *request)
{
	return request->lines ? &workers->liner : &workers->reader;
}

static uint32_t *known_by_of(struct object *object, const struct reader_request *request)
{
	return request->lines ? &object->lines_known_by : &object->known_by;
}

bool reader_request_is_given_up(const struct object *object, const struct reader_request *request)
{
	return object->given_up || (request->lines && object->lines_given_up);
}

static int give_up(struct workers *workers, struct object *object,
		   const struct reader_request *request, const char *why)
{
	if (request->lines)
		object->lines_given_up = true;
	else
		object->given_up = true;
	workers_give_up(workers, object->path, why);
	return -EIO;
}

/* Why an object, or its lines, are given up. */
static const char *outcome_text(const struct reader_request *request, int outcome)
{
	if (!request->lines)
		return worker_outcome_text(outcome);
	switch (outcome) {
	case WORKER_DIED:
		return "its debug information crashed the reader";
	case WORKER_STUCK:
		return "its debug information did not come";
	case WORKER_NONSENSE:
		return "its debug information made nonsense of the reader";
	case WORKER_ENDING:
		return "the recording ended before its source lines were read";
	default:
		return "its debug information takes more time than profd allows";
	}
}

struct payer reader_payer(const struct object *object)
{
	return (struct payer){ object->identity.device, object->identity.owner, !object->may_block,
			       false };
}

/*
 * Asks once. Returns a worker_outcome, or 0 with *ret: what the request is to return. *refused: that
 * is the reader's negative result.
 */
static int ask_once(struct workers *workers, int *ret, bool *refused, struct object *object,
		    const struct reader_request *request, bool has_object)
{
	const struct question question = { .what = request->what,
					   .object = object->id,
					   .has_object = has_object };
	const struct payer payer = reader_payer(object);
	cleanup(answer_fini) struct answer answer = {};
	int fds[MESSAGE_MAX_FDS] = { object->fd }, r;

	if (request->more_count)
		memcpy(fds + 1, request->more, request->more_count * sizeof(*fds));
	r = workers_ask(workers, worker_of(workers, request), &payer, &answer, question,
			request->payload, request->size, fds + !has_object,
			request->more_count + has_object);
	if (r > 0)
		return r;
	*refused = r == 0 && answer.result < 0;
	if (r == 0 && answer.result >= 0) {
		*known_by_of(object, request) = worker_of(workers, request)->generation;
		r = request->take(request->context, answer.result, answer.at, answer.size);
		if (r == -EBADMSG) {
			worker_restart(worker_of(workers, request));
			return WORKER_NONSENSE;
		}
	} else if (r == 0) {
		r = answer.result;
	}
	*ret = r;
	return 0;
}

int reader_request(struct workers *workers, struct object *object,
		   const struct reader_request *request)
{
	struct worker *reader = worker_of(workers, request);
	unsigned killed = 0;
	bool memory_freed = false, refused;

	while (!reader_request_is_given_up(object, request) && object->fd >= 0) {
		bool first = !reader->pid || reader->asked == 0;
		bool has_object = first || *known_by_of(object, request) != reader->generation;
		int result = 0, r;

		if (object->may_block && workers_is_stuck(workers, object->identity.device))
			return give_up(workers, object, request,
				       outcome_text(request, WORKER_STUCK));
		r = ask_once(workers, &result, &refused, object, request, has_object);
		if (r == WORKER_DIED && reader->was_killed && killed++ < KILLED_MAX)
			continue;
		if (r >= WORKER_ENDING)
			return give_up(workers, object, request, outcome_text(request, r));
		if (r > 0 && first) {
			if (r == WORKER_STUCK && object->may_block)
				workers_note_stuck(workers, object->identity.device);
			return give_up(workers, object, request, outcome_text(request, r));
		}
		if (r > 0)
			continue;
		if (refused && result == -ENOENT && !has_object) {
			*known_by_of(object, request) = 0;
		} else if (refused && result == -ENOMEM && !memory_freed && reader->pid) {
			/* Others may have used up what it has. */
			worker_restart(reader);
			memory_freed = true;
		} else if (refused && result == -ENOMEM) {
			return give_up(workers, object, request,
				       "reading it takes more memory than profd allows");
		} else if (refused && (result == -EFBIG || result == -E2BIG)) {
			/* What else is in it may be had. */
			workers_give_up(workers, object->path,
					"it holds more than profd reads of a file");
			return result;
		} else {
			return result;
		}
	}
	return reader_request_is_given_up(object, request) ? -EIO : -ESTALE;
}
