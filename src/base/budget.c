// SPDX-License-Identifier: Apache-2.0
#include "base/budget.h"

#include <unistd.h>

struct budget budget_of(uint64_t most, unsigned part)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	uint64_t memory = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;

	if (memory && memory / part < most)
		most = memory / part;
	return (struct budget){ .limit = most };
}

bool budget_allows(const struct budget *budget, uint64_t share, uint64_t bytes, unsigned times)
{
	return budget->used <= budget->limit && bytes <= budget->limit - budget->used &&
	       share + bytes <= (budget->limit - budget->used - bytes) / times;
}
