/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ownership that can be seen in one function.
 *
 * An owning local is declared with cleanup(destructor) and initialised at once; it is handed over
 * with TAKE_PTR or TAKE_FD, which leave the empty value behind. Destructors accept the empty value.
 */
#pragma once

#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define cleanup(destructor) __attribute__((cleanup(destructor##_cleanup)))

/* Defines `x_cleanup` for a destructor `x` that takes a pointer to type. */
#define DEFINE_CLEANUP(type, destructor)                                                           \
	static inline void destructor##_cleanup(type **owner)                                      \
	{                                                                                          \
		destructor(*owner);                                                                \
	}                                                                                          \
	_Static_assert(sizeof(type *) > 0, "a destructor takes a pointer")

#define TAKE_PTR(owner)                                                                            \
	({                                                                                         \
		__auto_type taken_ = (owner);                                                      \
		(owner) = NULL;                                                                    \
		taken_;                                                                            \
	})

#define TAKE_FD(owner)                                                                             \
	({                                                                                         \
		int taken_ = (owner);                                                              \
		(owner) = -1;                                                                      \
		taken_;                                                                            \
	})

/* cleanup(free): frees a malloc'ed pointer of any type. */
static inline void free_cleanup(void *owner)
{
	free(*(void **)owner);
}

/* cleanup(close): closes a descriptor unless it is -1. */
static inline void close_cleanup(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline void fclose_cleanup(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

static inline void closedir_cleanup(DIR **folder)
{
	if (*folder)
		(void)closedir(*folder);
}

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
