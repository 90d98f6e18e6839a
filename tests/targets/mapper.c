// SPDX-License-Identifier: Apache-2.0
/*
 * mapper PAUSE_MS [run] FILE...
 *
 * Maps the files as if their code were to run, and never touches them. PAUSE_MS 0: once, before it is
 * ready; else anew after so much CPU time again and again, one file at a time. True stack: main, leaf.
 * run: calls the entry of each in turn, too. True stack: main, run, and the entry.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "target.h"

enum { MAX_FILES = 64 };

LEAF uint64_t leaf(uint64_t value);
FUNCTION uint64_t run(unsigned int which);

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

/* Addresses in the file are places in it. */
uint64_t run(unsigned int which)
{
	const Elf64_Ehdr *header = mapped[which].at;
	void (*entry)(void) = (void (*)(void))((uintptr_t)header + header->e_entry);

	entry();
	return header->e_entry;
}

int main(int argc, char **argv)
{
	uint64_t value = 1, pause_ns, next_ns;
	bool runs = argc > 2 && strcmp(argv[2], "run") == 0;
	char **paths = argv + 2 + runs;
	unsigned int files = (unsigned int)(argv + argc - paths), which = 0, turn = 0;

	if (argc < 3 + runs || files > MAX_FILES)
		return 2;
	target_begin(NULL);
	for (unsigned int i = 0; i < files; i++)
		map(i, paths[i]);
	target_ready();
	pause_ns = (uint64_t)atoi(argv[1]) * 1000000;
	next_ns = target_clock_ns(CLOCK_PROCESS_CPUTIME_ID) + pause_ns;
	while (!target_stopped) {
		value = leaf(value);
		if (runs)
			value += run(turn++ % files);
		if (pause_ns && target_clock_ns(CLOCK_PROCESS_CPUTIME_ID) > next_ns) {
			map(which, paths[which]);
			which = (which + 1) % files;
			next_ns += pause_ns;
		}
	}
	printf("{\"value\": %llu}\n", (unsigned long long)value);
	return 0;
}
