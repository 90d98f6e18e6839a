/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `-e growth`: who made memory resident, and what of it stayed. Samples are page faults; `touched` is what
 * became resident by each stack, `growth` what of that was still there at the end; of named processes
 * that have ended, and of a command's, at the last look before that. What was resident before is in neither.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/json.h"
#include "memory/memory_limit.h"
#include "memory/trend.h"
#include "profile/profile.h"

struct growth;
struct recording;

void growth_free(struct growth *growth);

/* What the recording has found; once it has ended. */
struct growth_summary {
	uint64_t touched, stayed; /* bytes */
	uint64_t before, after;	  /* resident when it began and in the end, bytes */
	uint64_t pages;		  /* of the sample, which are judged by */
	uint32_t one_of;	  /* pages of which one is in the sample */
	uint64_t faults, samples;
	uint64_t moves_dropped, refused;
	uint32_t processes_refused; /* whose memory could not be looked at */
	bool tells_moves;
	bool filtered; /* how much is resident is not known, nor the trend */
	bool ended;    /* the target did, before the recording: `after` is what it was shortly before */
	struct trend_judgement trend;
	struct memory_limit limit;
	double evenness; /* see struct profile_meta */
};

void growth_summarize(const struct growth *growth, struct growth_summary *ret);
/* Whether it grows, how fast, and until when: a sentence without a full stop. */
void growth_sentence(const struct growth_summary *summary, struct bytes *ret);
/* The same in few words: "grows by 9.1 MiB per minute ± 0.3 MiB, the limit is reached in 25 min". */
void growth_brief(const struct growth_summary *summary, struct bytes *ret);
/* How the figures by stack came about, and what they cannot tell. */
void growth_caveats(const struct growth_summary *summary, struct bytes *ret);
void growth_json(const struct growth_summary *summary, struct json *json);
