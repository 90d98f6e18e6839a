// SPDX-License-Identifier: Apache-2.0
#include "unwind/rule_dictionary.h"

#include <errno.h>
#include <string.h>

int rule_dictionary_init(struct rule_dictionary *dictionary, uint32_t limit)
{
	const struct wire_rule none = { .kind_and_step = RULE_NONE };
	uint32_t number;
	int r;

	*dictionary = (struct rule_dictionary){ .limit = limit };
	r = rule_dictionary_add(dictionary, &number, &none);
	if (r < 0)
		rule_dictionary_fini(dictionary);
	return r;
}

void rule_dictionary_fini(struct rule_dictionary *dictionary)
{
	array_fini(&dictionary->rules);
	array_fini(&dictionary->users);
	array_fini(&dictionary->unused);
	hash_index_fini(&dictionary->index);
}

static bool equals_rule(const void *context, uint32_t position, const void *key)
{
	const struct rule_dictionary *dictionary = context;

	return rule_bits(&dictionary->rules.at[position]) == rule_bits(key);
}

uint32_t rule_dictionary_find(const struct rule_dictionary *dictionary,
			      const struct wire_rule *rule)
{
	uint32_t at = hash_index_find(&dictionary->index, hash_u64(rule_bits(rule)), equals_rule,
				      dictionary, rule);

	return at == HASH_ABSENT ? RULE_ABSENT : at;
}

uint32_t rule_dictionary_room(const struct rule_dictionary *dictionary)
{
	return dictionary->limit - dictionary->rules.count + dictionary->unused.count;
}

/* A number without a rule: one that was used before, or a new one. */
static int take_number(struct rule_dictionary *dictionary, uint32_t *ret)
{
	if (dictionary->unused.count) {
		*ret = dictionary->unused.at[--dictionary->unused.count];
		return 0;
	}
	if (dictionary->rules.count >= dictionary->limit)
		return -ENOSPC;
	/* Room to give the number back is taken now, so that reclaiming cannot fail. */
	if (!array_reserve(&dictionary->unused, dictionary->rules.count + 1ULL) ||
	    !array_push(&dictionary->users))
		return -ENOMEM;
	if (!array_push(&dictionary->rules)) {
		dictionary->users.count--;
		return -ENOMEM;
	}
	*ret = dictionary->rules.count - 1;
	return 0;
}

int rule_dictionary_add(struct rule_dictionary *dictionary, uint32_t *ret,
			const struct wire_rule *rule)
{
	uint32_t number = rule_dictionary_find(dictionary, rule);
	int r;

	if (number == RULE_ABSENT) {
		r = take_number(dictionary, &number);
		if (r < 0)
			return r;
		dictionary->rules.at[number] = *rule;
		dictionary->users.at[number] = 0;
		r = hash_index_add(&dictionary->index, hash_u64(rule_bits(rule)), number);
		if (r < 0) {
			rule_dictionary_reclaim(dictionary, number);
			return r;
		}
	}
	dictionary->users.at[number]++;
	*ret = number;
	return 0;
}

bool rule_dictionary_release(struct rule_dictionary *dictionary, uint32_t number)
{
	const struct wire_rule *rule = &dictionary->rules.at[number];

	if (--dictionary->users.at[number] || number == 0)
		return false;
	hash_index_remove(&dictionary->index, hash_u64(rule_bits(rule)), number);
	return true;
}

void rule_dictionary_reclaim(struct rule_dictionary *dictionary, uint32_t number)
{
	dictionary->unused.at[dictionary->unused.count++] = (uint16_t)number;
}
