/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One typed growable array.
 *
 *     ARRAY_OF(struct mapping) mappings = {};
 *     struct mapping *m = array_push(&mappings);      zeroed element, NULL when out of memory
 *     for (uint32_t i = 0; i < mappings.count; i++) use(&mappings.at[i]);
 *     array_fini(&mappings);
 *
 * Pushing may move the elements: do not keep pointers into an array that still grows.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_OF(type)                                                                             \
	struct {                                                                                   \
		type *at;                                                                          \
		uint32_t count, capacity;                                                          \
	}

/*
 * Makes room for `need` elements in the block `at`, sets *capacity. Returns the block, moved or
 * not, or NULL when out of memory or past 2^31 elements (then everything is as before).
 */
void *array_grow(void *at, uint32_t *capacity, size_t element_size, uint64_t need);

/* True when there is room. The pointer goes through a void * value: it is never type-punned. */
#define array_reserve(array, need)                                                                 \
	({                                                                                         \
		uint64_t need_ = (need);                                                           \
		void *grown_ = (array)->at;                                                        \
		if (need_ > (array)->capacity)                                                     \
			grown_ = array_grow(grown_, &(array)->capacity, sizeof(*(array)->at),      \
					    need_);                                                \
		if (grown_)                                                                        \
			(array)->at = grown_;                                                      \
		need_ <= (array)->capacity;                                                        \
	})

#define array_push(array)                                                                          \
	(array_reserve((array), (uint64_t)(array)->count + 1)                                      \
		 ? (__typeof__((array)->at))memset(&(array)->at[(array)->count++], 0,              \
						   sizeof(*(array)->at))                           \
		 : NULL)

/*
 * How many elements of an array that ascends by a member have it at `value` or below: the last one of them
 * is the one that covers it, where each goes on to the next.
 */
#define array_count_up_to(array, member, value)                                                    \
	({                                                                                         \
		uint32_t low_ = 0, high_ = (array)->count;                                         \
		while (low_ < high_) {                                                             \
			uint32_t middle_ = low_ + (high_ - low_) / 2;                              \
			if ((array)->at[middle_].member <= (value))                                \
				low_ = middle_ + 1;                                                \
			else                                                                       \
				high_ = middle_;                                                   \
		}                                                                                  \
		low_;                                                                              \
	})

#define array_fini(array)                                                                          \
	do {                                                                                       \
		free((array)->at);                                                                 \
		(array)->at = NULL;                                                                \
		(array)->count = (array)->capacity = 0;                                            \
	} while (0)
