// SPDX-License-Identifier: Apache-2.0
#include "elf/function_flow_parts.h"

#include <errno.h>
#include <stdlib.h>

static int compare_runs(const void *a, const void *b)
{
	const struct flow_run *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

int flow_runs_list(struct flow_runs *ret, const struct function_flow *flow)
{
	struct flow_run *run = NULL;

	for (uint32_t i = 0; i < flow->instructions.count; i++) {
		const struct flow_instruction *at = &flow->instructions.at[i];

		if (at->state == NO_STATE)
			continue;
		if (!run || run->end != at->address) {
			run = array_push(&ret->list);
			if (!run)
				return -ENOMEM;
			*run = (struct flow_run){ at->address, at->address, i, i };
		}
		run->end += at->decoded.length;
		run->last = i;
	}
	if (ret->list.count)
		qsort(ret->list.at, ret->list.count, sizeof(*ret->list.at), compare_runs);
	return 0;
}
