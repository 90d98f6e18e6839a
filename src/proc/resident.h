/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which pages of a process are there: PAGEMAP_SCAN of /proc/PID/pagemap (Linux 6.7), which tells runs of
 * pages and which are huge; before that one word for each page (Documentation/admin-guide/mm/pagemap.rst),
 * and /proc/kpageflags for what is huge, where that may be read.
 *
 * The file stands for the memory that the process had when it was opened: after exec, or its end, nothing
 * is there. What was swapped out is still held, and counts as there; the page of zeros that is shown where
 * something was only read does not.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	RESIDENT_SWAPPED = 1,
	RESIDENT_FILE = 2, /* of a file, or shared */
	RESIDENT_HUGE = 4, /* mapped by 2 MiB at once */
};

struct resident {
	int pagemap;
	int kpageflags; /* -1: cannot be read, or not needed */
	bool words;	/* PAGEMAP_SCAN is not there */
};

#define RESIDENT_NULL                                                                              \
	{                                                                                          \
		.pagemap = -1, .kpageflags = -1                                                    \
	}

/* words: do without PAGEMAP_SCAN. Returns 0 or a negative errno (-EACCES: needs CAP_SYS_PTRACE; newer kernels are content with CAP_PERFMON). */
int resident_open(struct resident *ret, pid_t pid, bool words);
void resident_close(struct resident *resident);
/* Is it the memory of a process still? Never waits, where scanning waits for who has locked that memory. */
bool resident_alive(const struct resident *resident);
/*
 * Hands over the runs of pages that are there, ascending, cut to the range. start, end: multiples of 4096.
 * Returns 0, the first result of `handle` that is not 0, or a negative errno.
 */
int resident_scan(struct resident *resident, uint64_t start, uint64_t end,
		  int (*handle)(void *context, uint64_t from, uint64_t to, unsigned flags),
		  void *context);
