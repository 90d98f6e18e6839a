// SPDX-License-Identifier: Apache-2.0
/* Strings, by their bytes, and functions, by their names. */
#include "profile/freeze.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

/* Prefetched. */
enum { AHEAD = 8 };

/* Eight bytes of each string, so that numbers compare as bytes. */
static void read_strings(const void *context, struct order_entry *entries, uint32_t count,
			 uint32_t depth)
{
	const struct strtab *strings = &((const struct freezer *)context)->old->strings;
	size_t begin = (size_t)depth * sizeof(uint64_t);

	for (uint32_t i = 0; i < count; i++) {
		const char *text = strtab_get(strings, entries[i].position);
		size_t size = strtab_size(strings, entries[i].position);
		uint64_t key = 0;

		if (i + AHEAD < count)
			__builtin_prefetch(strtab_get(strings, entries[i + AHEAD].position) +
					   begin);
		if (size >= begin + sizeof(key))
			memcpy(&key, text + begin, sizeof(key));
		else if (size > begin)
			memcpy(&key, text + begin, size - begin);
		entries[i].key = be64toh(key);
	}
}

int freeze_strings(struct freezer *freezer)
{
	const struct strtab *old = &freezer->old->strings;
	uint32_t *to = freezer->to.string, used;
	cleanup(free) uint32_t *order =
		freeze_ordered(to, old->offsets.count, &used, read_strings, freezer);

	if (!order || !array_reserve(&freezer->now->strings.bytes, old->bytes.count))
		return -ENOMEM;
	to[0] = 0; /* "", the first one of any order, is there */
	for (uint32_t i = 1; i < used; i++)
		if (strtab_append(&freezer->now->strings, &to[order[i]], strtab_get(old, order[i]),
				  strtab_size(old, order[i])) < 0)
			return -ENOMEM;
	return 0;
}

/* By name, system name, file, line. */
static void read_functions(const void *context, struct order_entry *entries, uint32_t count,
			   uint32_t depth)
{
	const struct freezer *freezer = context;
	const uint32_t *string = freezer->to.string;

	for (uint32_t i = 0; i < count; i++) {
		const struct profile_function *function =
			&freezer->old->functions.at[entries[i].position];

		entries[i].key = depth == 0 ? freeze_pair(string[function->name],
							  string[function->system_name] + 1)
				 : depth == 1
					 ? freeze_pair(string[function->file], function->start_line)
					 : 0;
	}
}

int freeze_functions(struct freezer *freezer)
{
	const struct profile *old = freezer->old;
	uint32_t used;
	cleanup(free) uint32_t *order = freeze_ordered(freezer->to.function, old->functions.count,
						       &used, read_functions, freezer);

	if (!order || !array_reserve(&freezer->now->functions, used))
		return -ENOMEM;
	for (uint32_t i = 0; i < used; i++) {
		struct profile_function *function = array_push(&freezer->now->functions);

		if (!function)
			return -ENOMEM;
		*function = old->functions.at[order[i]];
		function->name = freezer->to.string[function->name];
		function->system_name = freezer->to.string[function->system_name];
		function->file = freezer->to.string[function->file];
		freezer->to.function[order[i]] = i;
	}
	return 0;
}
