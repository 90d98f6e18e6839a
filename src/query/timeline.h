/* SPDX-License-Identifier: Apache-2.0 */
/* How what used the machine changes over an interval: the cores of each, step by step. */
#pragma once

#include "query/listing.h"

enum {
	TIMELINE_STEPS_MAX = 400,
	TIMELINE_SERIES = 12, /* unless more are asked for */
};

/*
 * Adds a whole JSON object. chosen: one list (bit i: listings[i]); limit: of series, the largest ones of
 * the whole interval, 0: TIMELINE_SERIES; what all others use together is one more, without a name in
 * `others`. step_ns: above 0, for at most TIMELINE_STEPS_MAX steps.
 * Returns 0 or an answer_outcome.
 */
int timeline_json(struct bytes *ret, struct store_reader *reader, const struct store_query *query,
		  unsigned chosen, int64_t step_ns, uint32_t limit, int64_t now_ns,
		  struct answer_reason *reason);
