/* SPDX-License-Identifier: Apache-2.0 */
/* Which of an interval was recorded: windows may overlap where the clock was set back. Pure. */
#pragma once

#include <stdint.h>

#include "base/array.h"
#include "store/reader_parts.h"

struct stretch {
	int64_t from_ns, until_ns;
};

struct coverage {
	ARRAY_OF(struct stretch) stretches;
	double all_cpu_ns, recorded_ns;
};

void coverage_fini(struct coverage *coverage);
static inline void coverage_fini_cleanup(struct coverage *coverage)
{
	coverage_fini(coverage);
}
/* Counts a slice, also in the answer. Returns 0 or -ENOMEM. */
int coverage_add(struct coverage *coverage, struct store_answer *answer,
		 const struct read_slice *slice);
/* Fills what the answer says of time. */
void coverage_tell(struct coverage *coverage, struct store_answer *answer,
		   const struct store_query *query);
