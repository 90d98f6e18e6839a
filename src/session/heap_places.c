// SPDX-License-Identifier: Apache-2.0
#include "session/heap_places.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

#include "elf/instruction.h"

/* The first reason is the one that is told. */
__attribute__((format(printf, 3, 4))) static int refuse(char *why, size_t size, const char *format,
							...)
{
	va_list arguments;

	va_start(arguments, format);
	if (!why[0])
		vsnprintf(why, size, format, arguments);
	va_end(arguments);
	return HEAP_PLACES_NONE;
}

static bool is_found(const struct allocation_site *site)
{
	return site->outcome == ALLOCATION_SITE;
}

/* A probed return takes the place of the return address, which has to be where the function begins. */
static bool can_return(const struct allocation_site *site)
{
	if (!is_found(site) || site->stack_moved)
		return false;
	/* It is read from there; register 0 is what the call returns in. */
	return site->function != ALLOCATION_POSIX_MEMALIGN ||
	       (site->result_register != REGISTER_NONE && site->result_register);
}

/* Those without which too much would be wrong. */
static bool is_needed(enum allocation_function function)
{
	return function == ALLOCATION_MALLOC || function == ALLOCATION_CALLOC ||
	       function == ALLOCATION_REALLOC || function == ALLOCATION_RALLOCX;
}

static int judge_site(const struct allocation_site *site, bool throws_seen, char *why, size_t size)
{
	const char *name = allocation_function_name(site->function);

	if (site->outcome == ALLOCATION_FORWARDS)
		return 0;
	if (allocation_function_releases(site->function))
		return is_found(site)
			       ? 0
			       : refuse(why, size,
					"its allocator's '%s' begins with no instruction that "
					"could be probed cheaply",
					name);
	/* The exception would not find its way past a return address that is the probe's. */
	if (site->may_throw)
		return throws_seen
			       ? refuse(why, size,
					"its allocator has an '%s' of its own, and the exception "
					"that it throws when there is no memory would end a "
					"process whose returns are probed",
					name)
			       : 0;
	if (is_needed(site->function) && !can_return(site))
		return refuse(
			why, size,
			"its allocator's '%s' begins with no instruction that could be probed "
			"cheaply together with its return",
			name);
	return 0;
}

static int push(uint64_t offset, uint64_t cookie, struct heap_places *places, bool frees)
{
	uint64_t *at = frees ? array_push(&places->frees) : array_push(&places->calls);
	uint64_t *with =
		frees ? array_push(&places->free_cookies) : array_push(&places->call_cookies);

	if (!at || !with)
		return -ENOMEM;
	*at = offset;
	*with = cookie;
	return 0;
}

static int add_site(struct heap_places *places, const struct allocation_site *site,
		    const struct object *object, uint32_t slot)
{
	bool frees = allocation_function_releases(site->function);
	bool takes_old =
		site->function == ALLOCATION_REALLOC || site->function == ALLOCATION_RALLOCX;
	uint64_t offset, cookie;
	uint8_t result = 0;

	if (!is_found(site) || (!frees && (site->may_throw || !can_return(site))) ||
	    !alloc_site_place(site, object, &offset, &cookie))
		return 0;
	if (site->function == ALLOCATION_POSIX_MEMALIGN)
		result = site->result_register;
	return push(offset, WIRE_HEAP_COOKIE(cookie, slot, takes_old, result), places, frees);
}

static bool is_called_often(const struct allocation_site *site)
{
	return site->function == ALLOCATION_MALLOC || site->function == ALLOCATION_NEW;
}

static int add_object(struct heap_process_places *ret, const struct alloc_use *use, uint32_t slot)
{
	struct heap_places *places;
	int r = 0;

	places = array_push(&ret->of);
	if (!places)
		return -ENOMEM;
	places->file = fcntl(use->file, F_DUPFD_CLOEXEC, 3);
	if (places->file < 0)
		return -errno;
	/* What is called most is probed last: the kernel sets one after another. */
	for (unsigned often = 0; often < 2; often++)
		for (uint32_t i = 0; i < use->allocator->sites.count && r == 0; i++)
			if (is_called_often(&use->allocator->sites.at[i]) == often)
				r = add_site(places, &use->allocator->sites.at[i], use->object,
					     slot);
	return r;
}

/* Whether somebody calls this allocator's operator new. */
static bool throws(const struct heap_places_of *of, const struct alloc_use *use)
{
	return of->used->calls_new || use->object == of->program;
}

int heap_places_find(struct heap_process_places *ret, const struct heap_places_of *of, char *why,
		     size_t why_size)
{
	uint32_t frees = 0, calls = 0;
	int r = 0;

	*ret = (struct heap_process_places){};
	why[0] = '\0';
	for (uint32_t i = 0; i < of->used->of.count && r >= 0; i++) {
		const struct alloc_use *use = &of->used->of.at[i];

		for (uint32_t k = 0; k < use->allocator->sites.count; k++)
			(void)judge_site(&use->allocator->sites.at[k], throws(of, use), why,
					 why_size);
		if (use->file < 0)
			(void)refuse(
				why, why_size,
				"the file that its allocator is in lies on a file system that may "
				"not answer (FUSE, NFS)");
		else
			r = add_object(ret, use, of->slot);
	}
	for (uint32_t i = 0; i < ret->of.count; i++) {
		frees += ret->of.at[i].frees.count;
		calls += ret->of.at[i].calls.count;
	}
	if (r < 0 || why[0])
		return r < 0 ? r : HEAP_PLACES_NONE;
	if (!calls || !frees)
		return refuse(
			why, why_size,
			"no malloc and free are found in it: it is static without symbols, or "
			"its language gives out memory by itself, as Go does");
	return 0;
}
