/* SPDX-License-Identifier: Apache-2.0 */
/* One question to a reader process about an object, asked until it is answered or given up. */
#pragma once

#include "worker/workers.h"

/* What is asked about an object. */
struct reader_request {
	uint32_t what; /* enum reader_question */
	const void *payload;
	size_t size;
	bool lines;	 /* it is about source lines, too: the liner is asked */
	const int *more; /* descriptors beside that of its file */
	unsigned more_count;
	/*
	 * Takes an answer whose result is 0 or above. Returns what the request is to return, or
	 * -EBADMSG for what no honest reader says; then nothing must have been taken.
	 */
	int (*take)(void *context, int result, const unsigned char *data, size_t size);
	void *context;
};

/*
 * Asks about an object, with its file where the reader may not know it. A process that does not
 * answer may be suffering from what it read before: to blame is only what ends one with its first
 * question, and that only if it was not killed by somebody else.
 * Returns what request.take does, or a negative errno.
 */
int reader_request(struct workers *workers, struct object *object,
		   const struct reader_request *request);
/* Is nothing of that kind to be asked about the object any more? */
bool reader_request_is_given_up(const struct object *object, const struct reader_request *request);
/* Who is to be charged for what is asked about the object. */
struct payer reader_payer(const struct object *object);
