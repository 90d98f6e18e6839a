/* SPDX-License-Identifier: Apache-2.0 */
/* The known program recorded as a user would, and what was found compared with what is true. */
#pragma once

#include "session/config.h"
#include "session/health.h"
#include "verify/program.h"

struct verify_run {
	struct health health; /* without what it borrows */
	uint64_t samples;
	uint64_t
		rootless; /* of them, whose stacks do not reach the program's root, or a thread's */
	uint64_t inside;  /* of them, in the program's own functions, or called by them */
	uint64_t wrong;	  /* of those, whose stacks the program cannot have */
	/* Samples and their weight by known parts, and of all in the split program's own functions. */
	uint64_t part_samples[PROGRAM_PARTS], split_samples;
	double part_weight[PROGRAM_PARTS], split_weight;
	struct program_truth truth;
	bool said; /* why it failed, in a line of its own */
};

/*
 * what: "split", "shapes". Returns 0, or a negative errno: it could not be recorded, or the program failed;
 * ret->said: that was logged already.
 */
int verify_run(struct verify_run *ret, const char *what, unsigned seconds, uint32_t frequency_hz,
	       enum unwind_choice unwind);
