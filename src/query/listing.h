/* SPDX-License-Identifier: Apache-2.0 */
/* What used the machine in an interval: units, commands, containers ..., with cores each. */
#pragma once

#include "output/page.h"
#include "query/answer.h"

struct listing {
	const char *name;    /* "units" */
	const char *heading; /* "UNIT" */
	const char *without; /* what has no such label is called: "(in no unit)" */
	enum store_key key;
};

extern const struct listing listings[];
extern const char *const listing_names[]; /* NULL-terminated, in the order of `listings` */
enum { LISTING_COUNT = 9 };

/*
 * Adds tables of the chosen ones (bit i: listings[i]) for people, or a whole JSON object for programs.
 * limit: rows of each; 0: 20 in text, all in JSON. width: columns of a row; 0: 80.
 * Returns 0 or an answer_outcome.
 */
int listing_text(struct bytes *ret, struct store_reader *reader, const struct store_query *query,
		 unsigned chosen, uint32_t limit, size_t width, int64_t now_ns,
		 struct answer_reason *reason);
int listing_json(struct bytes *ret, struct store_reader *reader, const struct store_query *query,
		 unsigned chosen, uint32_t limit, int64_t now_ns, struct answer_reason *reason);
