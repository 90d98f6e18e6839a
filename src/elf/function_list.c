// SPDX-License-Identifier: Apache-2.0
#include "elf/function_list.h"

#include <errno.h>

uint32_t function_list_find(const struct function_list *list, uint64_t start)
{
	return hash_index_find(&list->by_start, hash_u64(start), NULL, NULL, NULL);
}

int function_list_add(struct function_list *list, uint64_t start, uint64_t size,
		      enum function_trust trust)
{
	uint32_t number = function_list_find(list, start);
	struct code_function *function;
	int r;

	if (number != HASH_ABSENT) {
		function = &list->functions.at[number];
		if (trust < function->trust)
			function->trust = (uint8_t)trust;
		if (function->size == 0)
			function->size = size;
		return 0;
	}
	if (list->functions.count >= list->limit)
		return 0;
	function = array_push(&list->functions);
	if (!function)
		return -ENOMEM;
	*function = (struct code_function){
		.start = start, .size = size, .trust = (uint8_t)trust, .returns = true
	};
	r = hash_index_add(&list->by_start, hash_u64(start), list->functions.count - 1);
	if (r < 0)
		list->functions.count--;
	return r;
}

void function_list_fini(struct function_list *list)
{
	array_fini(&list->functions);
	hash_index_fini(&list->by_start);
}
