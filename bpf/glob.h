/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Runs a glob over a thread's name (struct wire_glob, wire.h), in the kernel and in tests alike. */
#pragma once

#include "wire.h"

/* Consecutive stars also stand for nothing: each hands its state on at once. */
static inline __attribute__((always_inline)) uint64_t wire_glob_skip_stars(
	const struct wire_glob *glob, uint64_t state)
{
	/* Adding carries a bit through a run of stars; what it leaves behind is put back. */
	uint64_t through = state & glob->stars;

	return state | ((glob->stars + through) ^ glob->stars) | through;
}

/* comm: NUL-terminated unless all WIRE_COMM_BYTES are used. Returns 1 when a pattern matches. */
static inline __attribute__((always_inline)) int wire_glob_matches(
	const struct wire_glob *glob, const char comm[WIRE_COMM_BYTES])
{
	uint64_t state = wire_glob_skip_stars(glob, glob->initial);

	for (int i = 0; i < WIRE_COMM_BYTES; i++) {
		unsigned char c = comm[i];

		if (c == 0)
			break;
		state = (state & glob->accepts[c]) << 1 | (state & glob->stars);
		state = wire_glob_skip_stars(glob, state);
	}
	return (state & glob->final) != 0;
}
