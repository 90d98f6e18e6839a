// SPDX-License-Identifier: Apache-2.0
#include "elf/allocator.h"

void allocator_fini(struct allocator *allocator)
{
	array_fini(&allocator->sites);
	array_fini(&allocator->slots);
}

bool allocation_function_releases(enum allocation_function function)
{
	return function == ALLOCATION_FREE || function == ALLOCATION_DELETE;
}

const char *allocation_function_name(enum allocation_function function)
{
	static const char *const names[ALLOCATION_FUNCTIONS] = {
		[ALLOCATION_MALLOC] = "malloc",
		[ALLOCATION_CALLOC] = "calloc",
		[ALLOCATION_REALLOC] = "realloc",
		[ALLOCATION_MEMALIGN] = "memalign",
		[ALLOCATION_ALIGNED_ALLOC] = "aligned_alloc",
		[ALLOCATION_POSIX_MEMALIGN] = "posix_memalign",
		[ALLOCATION_VALLOC] = "valloc",
		[ALLOCATION_MALLOCX] = "mallocx",
		[ALLOCATION_RALLOCX] = "rallocx",
		[ALLOCATION_NEW] = "operator new",
		[ALLOCATION_FREE] = "free",
		[ALLOCATION_DELETE] = "operator delete",
	};

	return names[function];
}
