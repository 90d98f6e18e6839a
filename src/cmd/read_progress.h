/* SPDX-License-Identifier: Apache-2.0 */
/* One line on a terminal that tells how far reading a profile has come, where that takes a while. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "input/progress.h"

struct read_progress {
	struct input_progress input; /* for input_read */
	const char *name;	     /* of the file; borrowed */
	uint64_t size;		     /* of the file; 0: not known */
	uint64_t begin_ns, next_ns;
	bool is_shown; /* the line stands there */
};

/* Must stay where it is until read_progress_end. Says nothing where stderr is no terminal. */
void read_progress_begin(struct read_progress *progress, const char *name, int fd);
/* Takes the line away. */
void read_progress_end(struct read_progress *progress);
