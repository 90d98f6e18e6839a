// SPDX-License-Identifier: Apache-2.0
/*
 * faults: touches 4 MiB page by page, gives them back, and so on; prints for each such round of a tenth of
 * a second what a fault took, the least of the rounds in it, in nanoseconds, on a line.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum { PAGE = 4096, PAGES = 1024 };

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double touch(volatile char *at)
{
	double begin = now_ns(), spent;

	for (int i = 0; i < PAGES; i++)
		at[i * PAGE] = 1;
	spent = now_ns() - begin;
	madvise((void *)at, PAGES * PAGE, MADV_DONTNEED);
	return spent / PAGES;
}

int main(void)
{
	volatile char *at = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return 1;
	madvise((void *)at, PAGES * PAGE, MADV_NOHUGEPAGE);
	for (;;) {
		double until = now_ns() + 1e8, least = 1e9;

		while (now_ns() < until) {
			double one = touch(at);

			least = one < least ? one : least;
		}
		printf("%.0f\n", least);
		fflush(stdout);
	}
}
