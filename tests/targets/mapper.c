// SPDX-License-Identifier: Apache-2.0
/*
 * mapper PAUSE_MS FILE...
 *
 * Maps the files as if their code were to run, and never touches them. PAUSE_MS 0: once, before it is
 * ready; else anew after so much CPU time again and again, one file at a time. True stack: main, leaf.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "target.h"

enum { MAX_FILES = 64 };

LEAF uint64_t leaf(uint64_t value);

uint64_t leaf(uint64_t value)
{
	return target_work(value, 20000);
}

static struct {
	void *at;
	size_t bytes;
} mapped[MAX_FILES];

static void map(unsigned int which, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (mapped[which].at)
		munmap(mapped[which].at, mapped[which].bytes);
	mapped[which].at = NULL;
	if (fd < 0 || fstat(fd, &st) < 0)
		exit(3);
	mapped[which].bytes = st.st_size > 0 ? (size_t)st.st_size : 4096;
	mapped[which].at =
		mmap(NULL, mapped[which].bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (mapped[which].at == MAP_FAILED)
		exit(4);
	close(fd);
}

int main(int argc, char **argv)
{
	uint64_t value = 1, pause_ns, next_ns;
	unsigned int files = (unsigned int)argc - 2, which = 0;

	if (argc < 3 || files > MAX_FILES)
		return 2;
	target_begin(NULL);
	for (unsigned int i = 0; i < files; i++)
		map(i, argv[i + 2]);
	target_ready();
	pause_ns = (uint64_t)atoi(argv[1]) * 1000000;
	next_ns = target_clock_ns(CLOCK_PROCESS_CPUTIME_ID) + pause_ns;
	while (!target_stopped) {
		value = leaf(value);
		if (pause_ns && target_clock_ns(CLOCK_PROCESS_CPUTIME_ID) > next_ns) {
			map(which, argv[which + 2]);
			which = (which + 1) % files;
			next_ns += pause_ns;
		}
	}
	printf("{\"value\": %llu}\n", (unsigned long long)value);
	return 0;
}
