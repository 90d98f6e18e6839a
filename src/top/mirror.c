// SPDX-License-Identifier: Apache-2.0
#include "top/mirror.h"

#include <errno.h>

int mirror_init(struct mirror *mirror)
{
	*mirror = (struct mirror){};
	return profile_new(&mirror->profile);
}

void mirror_fini(struct mirror *mirror)
{
	profile_free(mirror->profile);
	mirror->profile = NULL;
}

/* Appends what `from` has more of. False: out of memory. */
#define TAKE_END(to, from)                                                                         \
	({                                                                                         \
		bool fits_ = array_reserve((to), (from)->count);                                   \
		if (fits_ && (from)->count > (to)->count)                                          \
			memcpy(&(to)->at[(to)->count], &(from)->at[(to)->count],                   \
			       ((from)->count - (to)->count) * sizeof(*(to)->at));                 \
		if (fits_)                                                                         \
			(to)->count = (from)->count;                                               \
		fits_;                                                                             \
	})

#define TAKE_WHOLE(to, from)                                                                       \
	({                                                                                         \
		bool all_ = array_reserve((to), (from)->count);                                    \
		if (all_)                                                                          \
			(to)->count = 0;                                                           \
		all_ &&TAKE_END((to), (from));                                                     \
	})

int mirror_update(struct mirror *mirror, const struct profile *from)
{
	struct profile *to = mirror->profile;

	/* What is referred to comes first, so that what fits is whole in itself. */
	return TAKE_END(&to->strings.bytes, &from->strings.bytes) &&
			       TAKE_END(&to->strings.offsets, &from->strings.offsets) &&
			       TAKE_WHOLE(&to->types, &from->types) &&
			       TAKE_WHOLE(&to->mappings, &from->mappings) &&
			       TAKE_END(&to->functions, &from->functions) &&
			       TAKE_END(&to->lines, &from->lines) &&
			       TAKE_WHOLE(&to->locations, &from->locations) &&
			       TAKE_END(&to->stack_locations, &from->stack_locations) &&
			       TAKE_END(&to->stacks, &from->stacks) &&
			       TAKE_END(&to->label_items, &from->label_items) &&
			       TAKE_END(&to->label_sets, &from->label_sets) &&
			       TAKE_WHOLE(&to->values, &from->values) &&
			       TAKE_END(&to->samples, &from->samples)
		       ? 0
		       : -ENOMEM;
}
