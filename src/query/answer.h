/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the history says about an interval: one profile, or one for each of several stretches of it,
 * with the words that go with it: what it is of, when that was, and what stands behind it.
 */
#pragma once

#include "base/json.h"
#include "query/when.h"
#include "store/reader.h"

/* Why there is no answer, for people. */
struct answer_reason {
	char text[480];
};

/* Named outcomes, with a reason. */
enum answer_outcome {
	ANSWER_NONE = 1, /* nothing was recorded then */
	ANSWER_FAILED,	 /* it could not be read */
};

/*
 * Reads the part of the history that the query chooses as one frozen profile. meta says in words what
 * it is of, its duration is the time in which profd recorded, so that cores are right across gaps.
 * Returns 0, also where nothing of it ran, with *ret the caller's, or an answer_outcome.
 */
int answer_read(struct profile **ret, struct store_answer *answer, struct store_reader *reader,
		const struct store_query *query, int64_t now_ns, struct answer_reason *reason);

/* An interval in stretches, none of them shorter than a window of the history. */
struct stretches {
	ARRAY_OF(struct profile *) profiles; /* frozen, in the order of time */
	ARRAY_OF(struct interval) intervals; /* one each */
	ARRAY_OF(int64_t) samples;
};

void stretches_fini(struct stretches *stretches);
static inline void stretches_fini_cleanup(struct stretches *stretches)
{
	stretches_fini(stretches);
}

enum stretches_of {
	/* Equal length or, where some would hold many more samples than others, about as many samples, so
	   that the shares of each say as much as another's. */
	STRETCHES_OF_SAMPLES,
	/* Equal length, so that their mean is that of the interval; as many as all hold samples. */
	STRETCHES_OF_TIME,
};

/*
 * Reads what the query chooses in at most `most` stretches, as many as the history's windows allow;
 * those in which nothing was recorded are left out. Where nothing of it ran there is none.
 * Returns as answer_read.
 */
int stretches_read(struct stretches *ret, struct store_reader *reader,
		   const struct store_query *query, enum stretches_of of, uint32_t most,
		   int64_t now_ns, struct answer_reason *reason);

/* Turns what the store said, or an errno, into a reason. Returns ANSWER_FAILED. */
int answer_fail(struct answer_reason *reason, struct store_reader *reader, int outcome);

/* Nothing was recorded in the interval: says so, and when something was. Returns an outcome. */
int answer_say_nothing(struct store_reader *reader, const struct store_query *query, int64_t now_ns,
		       struct answer_reason *reason);

/* "the whole machine", "unit nginx.service, user www-data": what the query chooses. */
void answer_add_scope(struct bytes *bytes, const struct store_query *query);
/* "recorded 3 min 50 s of 4 min, with 2 gaps; ...": how whole it is, for people. */
void answer_add_health(struct bytes *bytes, const struct store_query *query,
		       const struct store_answer *answer);
/* The same for programs: an object "history". */
void answer_json(struct json *json, const struct store_query *query,
		 const struct store_answer *answer);
