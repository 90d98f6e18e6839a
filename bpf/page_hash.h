/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which pages are in the sample: for both halves. A page that is in one part of N is also in every larger
 * part, so that N can be raised while what was seen before stays comparable; a page that becomes resident
 * again is seen again.
 *
 * The hash is the page's number times the golden ratio (Knuth, The Art of Computer Programming 3, 6.4):
 * of a run of pages, and of pages at any stride, nearly the same part is taken, with much less scatter
 * than if each were thrown for.
 */
#pragma once

#include "wire.h"

enum {
	GROWTH_PAGE_SHIFT = 12,	 /* 4 KiB */
	GROWTH_LARGE_SHIFT = 21, /* 2 MiB, PMD_SIZE */
	GROWTH_MAX_SHIFT = 24,	 /* of N */
};

static inline uint64_t page_mix(uint64_t address, uint64_t salt)
{
	return ((address >> GROWTH_PAGE_SHIFT) + salt) * 0x9e3779b97f4a7c15ULL;
}

/* Is it in the sample of one page of 2^shift? */
static inline int page_in_sample(uint64_t address, uint64_t salt, uint32_t shift)
{
	return shift == 0 || page_mix(address, salt) >> (64 - shift) == 0;
}
