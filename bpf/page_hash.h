/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which pages are in the sample: for both halves. A page that is in one part of N is also in every larger
 * part, so that N can be raised while what was seen before stays comparable; a page that becomes resident
 * again is seen again.
 *
 * The hash is the page's number times the golden ratio (Knuth, The Art of Computer Programming 3, 6.4):
 * of a run of pages, and of pages at any stride, nearly the same part is taken, with much less scatter
 * than if each were thrown for. Processes differ by another such step: those that run one program touch
 * the same addresses, and would else be in the sample all together or not at all.
 */
#pragma once

#include "wire.h"

enum {
	GROWTH_PAGE_SHIFT = 12,	 /* 4 KiB */
	GROWTH_LARGE_SHIFT = 21, /* 2 MiB, PMD_SIZE */
	GROWTH_MAX_SHIFT = 24,	 /* of N */
};

/* What a page is chosen by. From one process to the next that times the golden ratio grows by sqrt(3) - 1. */
static inline uint64_t page_key(uint64_t address, uint32_t pid)
{
	return (address >> GROWTH_PAGE_SHIFT) + pid * 0x9dfc5581a35f933dULL;
}

static inline uint64_t page_mix(uint64_t key, uint64_t salt)
{
	return (key + salt) * 0x9e3779b97f4a7c15ULL;
}

/* Is it in the sample of one page of 2^shift? */
static inline int page_in_sample(uint64_t key, uint64_t salt, uint32_t shift)
{
	return shift == 0 || page_mix(key, salt) >> (64 - shift) == 0;
}
