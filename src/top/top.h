/* SPDX-License-Identifier: Apache-2.0 */
/* `profd top`: what a program does now, in the terminal, or one interval of it as text or JSON. */
#pragma once

#include "session/config.h"

enum { TOP_ONCE_S = 5 };

struct top_config {
	struct config record; /* what is sampled; without outputs */
	bool once, json;
	uint64_t interval_ns; /* between two looks; once: 0, record.duration_ns says how long */
};

/* Returns the exit status. */
int top_run(struct top_config *config);
