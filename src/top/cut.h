/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small profile of a span: only what its samples use, frozen, so that it costs what was seen in the
 * span and not what was seen since the start.
 */
#pragma once

#include "profile/profile.h"
#include "top/spans.h"

struct cut_options {
	bool no_kernel; /* frames of the kernel are left out: their time is their callers' */
	bool no_user;	/* samples taken outside of the kernel are left out, and all other frames */
	bool threads;	/* threads stay apart: their labels stay */
	struct span_types types; /* of the profile that is cut */
	uint64_t period_ns; /* of CPU time between two samples; 0: they are of something else */
	bool of_machine;
	const char *drop_frames; /* see struct profile_meta; NULL: none */
};

/* How well the samples of a span are known. */
struct cut_quality {
	uint64_t samples, truncated, guessed;
	uint64_t frames, frames_named;
};

/*
 * from: growing or not; of its types those two are taken over, the count first. The result is the caller's
 * (profile_free) and frozen; its meta has types, period, time and duration, but no texts. Returns 0,
 * or -ENOMEM.
 */
int cut_profile(struct profile **ret, struct cut_quality *quality, const struct profile *from,
		const struct span_weights *weights, const struct cut_options *options);
