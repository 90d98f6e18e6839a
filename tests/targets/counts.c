// SPDX-License-Identifier: Apache-2.0
/*
 * counts PAGES [US]
 *
 * After a byte on standard input: touches three times PAGES pages for the first time in touch_much and PAGES
 * in touch_little, and after each sleeps US microseconds in sleep_once. Then prints what the kernel has
 * counted of it meanwhile.
 */
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "target.h"

enum { PAGE = 4096 };

static long pause_ns;

FUNCTION static void sleep_once(void)
{
	struct timespec time = { 0, pause_ns };

	if (pause_ns)
		nanosleep(&time, NULL);
	__asm__ volatile("");
}

FUNCTION static void touch_much(volatile char *at, long pages)
{
	for (long i = 0; i < pages; i++) {
		at[i * PAGE] = 1;
		sleep_once();
	}
}

FUNCTION static void touch_little(volatile char *at, long pages)
{
	for (long i = 0; i < pages; i++) {
		at[i * PAGE] = 1;
		sleep_once();
	}
}

int main(int argc, char **argv)
{
	long pages = argc > 1 ? atol(argv[1]) : 1000;
	size_t bytes = 4 * (size_t)pages * PAGE;
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rusage before, after;

	pause_ns = argc > 2 ? 1000 * atol(argv[2]) : 0;
	if (memory == MAP_FAILED || madvise(memory, bytes, MADV_NOHUGEPAGE) < 0)
		return 1;
	target_ready();
	if (getchar() == EOF)
		return 1;
	getrusage(RUSAGE_SELF, &before);
	touch_much(memory, 3 * pages);
	touch_little(memory + 3 * pages * PAGE, pages);
	getrusage(RUSAGE_SELF, &after);
	printf("{\"faults\": %ld, \"switches\": %ld}\n", after.ru_minflt - before.ru_minflt,
	       after.ru_nvcsw + after.ru_nivcsw - before.ru_nvcsw - before.ru_nivcsw);
	fflush(stdout);
	(void)getchar();
	return 0;
}
