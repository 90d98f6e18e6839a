// SPDX-License-Identifier: Apache-2.0
/*
 * Allocates in ways of its own, each in a function with a share of all bytes that it counts itself, with
 * some work in between. Prints on SIGTERM, as "NAME CALLS BYTES" a line, and "seconds S".
 * usage: allocations [MICROSECONDS to sleep after each round]
 */
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <malloc.h>
#include <unistd.h>

static struct {
	const char *name;
	unsigned long calls, bytes;
} paths[] = { { "small_ones", 0, 0 }, { "cleared_ones", 0, 0 }, { "big_ones", 0, 0 },
	      { "grown_ones", 0, 0 },  { "aligned_ones", 0, 0 }, { "objects", 0, 0 } };

static volatile sig_atomic_t ends;
static volatile unsigned long sink;

static void end(int number)
{
	(void)number;
	ends = 1;
}

static unsigned long random_number(void)
{
	static unsigned long state = 88172645463325252;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state >> 11;
}

static void note(unsigned path, size_t bytes)
{
	paths[path].calls++;
	paths[path].bytes += bytes;
}

/* So that no compiler leaves a pair out, and something takes time between them. */
static void use(void *block)
{
	for (unsigned i = 0; i < 1500; i++)
		sink += i;
	__asm__ volatile("" : : "r"(block) : "memory");
}

#define PATH extern "C" __attribute__((noinline, noclone)) void

PATH small_ones(void)
{
	size_t size = 16 + random_number() % 113;
	void *block = malloc(size);

	note(0, size);
	use(block);
	free(block);
}

PATH cleared_ones(void)
{
	void *block = calloc(3, 100);

	note(1, 300);
	use(block);
	free(block);
}

PATH big_ones(void)
{
	size_t size = 2000 + random_number() % 4000;
	void *block = malloc(size);

	note(2, size);
	use(block);
	free(block);
}

PATH grown_ones(void)
{
	void *block = realloc(NULL, 50);

	note(3, 50);
	use(block);
	block = realloc(block, 400);
	note(3, 400);
	use(block);
	free(block);
}

PATH aligned_ones(void)
{
	void *block = NULL;

	if (posix_memalign(&block, 64, 512) == 0)
		note(4, 512);
	use(block);
	free(block);
	/* What malloc does as well. */
	block = memalign(16, 100);
	note(4, 100);
	use(block);
	free(block);
}

struct object {
	char bytes[200];
};

PATH objects(void)
{
	object *one = new object, *many = new object[3];

	note(5, sizeof(object));
	note(5, 3 * sizeof(object));
	use(one);
	use(many);
	delete one;
	delete[] many;
}

int main(int argc, char **argv)
{
	static void (*const functions[])(void) = { small_ones, cleared_ones, big_ones,
						   grown_ones, aligned_ones, objects };
	static const unsigned rounds[] = { 40, 10, 2, 6, 4, 3 };
	useconds_t pause = argc > 1 ? (useconds_t)strtoul(argv[1], NULL, 10) : 0;
	struct timespec begin, now;

	signal(SIGTERM, end);
	signal(SIGINT, end);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready\n");
	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (!ends) {
		for (unsigned i = 0; i < 6; i++)
			for (unsigned k = 0; k < rounds[i]; k++)
				functions[i]();
		if (pause)
			usleep(pause);
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	printf("{");
	for (unsigned i = 0; i < 6; i++)
		printf("\"%s\": [%lu, %lu], ", paths[i].name, paths[i].calls, paths[i].bytes);
	printf("\"seconds\": %.3f}\n",
	       (double)(now.tv_sec - begin.tv_sec) + (double)(now.tv_nsec - begin.tv_nsec) / 1e9);
	return 0;
}
