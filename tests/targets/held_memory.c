// SPDX-License-Identifier: Apache-2.0
/*
 * held_memory FILE
 *
 * Works, while its address space is locked for good: after a line on stdin it touches some memory, one thread asks the kernel
 * to read a page of the mapped file through /proc/self/mem, which it does with the address space
 * locked for reading, and another wants to map something, which locks everybody else out. FILE is to
 * be on a file system that does not answer by then.
 */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "target.h"

enum { FILE_BYTES = 8 * 4096, TOUCHED_BYTES = 4 << 20 };

static char *file;

static void *read_page(void *unused)
{
	int memory = open("/proc/self/mem", O_RDONLY);
	char byte;

	(void)!pread(memory, &byte, 1, (off_t)(file + FILE_BYTES / 2));
	return unused;
}

static void *map_page(void *unused)
{
	usleep(100000); /* the other one is there by then */
	(void)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return unused;
}

LEAF void touch(void);

void touch(void)
{
	char *memory = malloc(TOUCHED_BYTES);

	if (memory)
		memset(memory, 1, TOUCHED_BYTES);
	__asm__ volatile("" : : "r"(memory) : "memory");
}

LEAF uint64_t work(uint64_t value);

uint64_t work(uint64_t value)
{
	return target_work(value, 1000);
}

int main(int argc, char **argv)
{
	int fd = open(argc > 1 ? argv[1] : "", O_RDONLY);
	pthread_t reader, mapper;
	uint64_t value = 1;
	char line[16];

	file = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	if (file == MAP_FAILED)
		return 2;
	target_begin(NULL);
	target_ready();
	if (!fgets(line, sizeof(line), stdin))
		return 2;
	touch();
	if (pthread_create(&mapper, NULL, map_page, NULL) != 0 ||
	    pthread_create(&reader, NULL, read_page, NULL) != 0)
		return 2;
	while (!target_stopped)
		value = work(value);
	return (int)(value & 0);
}
