// SPDX-License-Identifier: Apache-2.0
#include "unwind/rule_origins.h"

#include <errno.h>
#include <stdlib.h>

enum { NOBODY = 0, SEVERAL = UINT32_MAX };

int rule_origins_init(struct rule_origins *origins, uint32_t limit)
{
	*origins = (struct rule_origins){ .limit = limit };
	origins->of_rule = calloc(limit, sizeof(*origins->of_rule));
	return origins->of_rule ? 0 : -ENOMEM;
}

void rule_origins_fini(struct rule_origins *origins)
{
	free(origins->of_rule);
	array_fini(&origins->all);
	hash_index_fini(&origins->index);
	*origins = (struct rule_origins){};
}

static uint32_t find(const struct rule_origins *origins, uint64_t origin)
{
	return hash_index_find(&origins->index, hash_u64(origin), NULL, NULL, NULL);
}

/* Its position in `all`. Returns 0 or -ENOMEM. */
static int get(struct rule_origins *origins, uint32_t *ret, uint64_t origin)
{
	struct rule_origin *added;

	*ret = find(origins, origin);
	if (*ret != HASH_ABSENT)
		return 0;
	added = array_push(&origins->all);
	if (!added)
		return -ENOMEM;
	*added = (struct rule_origin){ .origin = origin };
	*ret = origins->all.count - 1;
	return hash_index_add(&origins->index, hash_u64(origin), *ret);
}

int rule_origins_add(struct rule_origins *origins, uint64_t origin, const uint16_t *rules,
		     uint32_t count)
{
	uint32_t own;
	int r = get(origins, &own, origin);

	for (uint32_t i = 0; i < count && r == 0; i++) {
		uint32_t *of = &origins->of_rule[rules[i] < origins->limit ? rules[i] : 0];

		if (of == origins->of_rule || *of == SEVERAL || *of == 1 + own)
			continue;
		if (*of == NOBODY) {
			*of = 1 + own;
			origins->all.at[own].rules++;
		} else {
			origins->all.at[*of - 1].rules--;
			*of = SEVERAL;
		}
	}
	return r;
}

uint32_t rule_origins_of(const struct rule_origins *origins, uint64_t origin)
{
	uint32_t at = find(origins, origin);

	return at == HASH_ABSENT ? 0 : origins->all.at[at].rules;
}

const struct rule_origin *rule_origins_greediest(const struct rule_origins *origins,
						 uint64_t except)
{
	const struct rule_origin *greediest = NULL;

	for (uint32_t i = 0; i < origins->all.count; i++) {
		const struct rule_origin *one = &origins->all.at[i];

		if (one->origin != except && one->rules > (greediest ? greediest->rules : 0))
			greediest = one;
	}
	return greediest;
}
