/* SPDX-License-Identifier: Apache-2.0 */
/* Turns a profile into one slice of the segment that is being written. */
#pragma once

#include "base/bytes.h"
#include "store/segment.h"
#include "store/symbols.h"

/* What becomes one row of `slice`. */
struct slice {
	uint32_t first_frame, first_process, first_path;
	struct bytes frames, processes, paths, entries;
	int64_t samples, cpu_ns;
};

void slice_fini(struct slice *slice);
static inline void slice_fini_cleanup(struct slice *slice)
{
	slice_fini(slice);
}

/*
 * Adds to the segment what it did not have, rows for it through `symbols`, and fills *ret. Returns
 * 0, -ENOMEM or, above 0, a result of SQLite. After a failure the segment is to be forgotten, and
 * the transaction as well.
 */
int window_to_slice(struct slice *ret, struct segment *segment, struct symbols *symbols,
		    const struct profile *window);
