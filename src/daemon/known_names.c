// SPDX-License-Identifier: Apache-2.0
#include "daemon/known_names.h"

#include "session/naming.h"

enum { KNOWN_MAX = 131072 }; /* 4 MiB of slots at most */

/* Turns the key of some code into another one, which says that it was asked about. */
#define ASKED_ONCE 0x5555555555555554ULL

/*
 * Then all is told again: better names may have come, and the history keeps the name of what is not
 * seen any more for an hour at least (store/tidy.h).
 */
#define KNOWN_NS (3600 * 1000000000ULL)

void known_names_fini(struct known_names *known)
{
	hash_index_fini(&known->index);
}

void known_names_forget(struct known_names *known)
{
	hash_index_fini(&known->index);
	*known = (struct known_names){};
}

bool known_names_has(void *context, uint64_t key)
{
	const struct known_names *known = context;

	return hash_index_find(&known->index, key, NULL, NULL, NULL) != HASH_ABSENT;
}

void known_names_take(struct known_names *known, const struct naming *naming, uint64_t now_ns)
{
	if (known->index.count >= KNOWN_MAX ||
	    (known->index.count && now_ns - known->since_ns > KNOWN_NS))
		known_names_forget(known);
	if (!known->index.count)
		known->since_ns = now_ns;
	for (uint32_t i = 0; i < naming->items.count && known->index.count < KNOWN_MAX; i++) {
		const struct naming_item *item = &naming->items.at[i];
		uint64_t key = item->key;

		/*
		 * What had no name may have one the next time: a worker was being started anew,
		 * say.
		 */
		if (key && item->named && !naming->profile->locations.at[i].named)
			key = known_names_has(known, key ^ ASKED_ONCE) ? key : key ^ ASKED_ONCE;
		if (key && item->named && !known_names_has(known, key))
			(void)hash_index_add(&known->index, key, 0);
	}
}
