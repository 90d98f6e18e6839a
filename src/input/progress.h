/* SPDX-License-Identifier: Apache-2.0 */
/* How far reading has come, for whoever waits. */
#pragma once

#include <stdint.h>

enum input_phase {
	INPUT_READING, /* bytes of the file; how many there will be is for others to know */
	INPUT_TAKING,  /* bytes of what is in memory, as of pprof, out of all of them */
};

struct input_progress {
	/* Called often; total: 0 where it is not known. */
	void (*tell)(void *context, enum input_phase phase, uint64_t done, uint64_t total);
	void *context;
};

static inline void input_progress_tell(const struct input_progress *progress,
				       enum input_phase phase, uint64_t done, uint64_t total)
{
	if (progress)
		progress->tell(progress->context, phase, done, total);
}
