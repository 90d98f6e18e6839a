// SPDX-License-Identifier: Apache-2.0
/*
 * Runs one fuzz target over its corpus and over mutations of it, the same ones every time.
 * usage: replay-NAME MUTATIONS FOLDER
 * When the target dies or hangs, the input is left behind as crash-NAME in the current folder; a
 * libFuzzer build of the target takes it as its argument, and so does this one, in a FOLDER.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "fuzz.h"

enum {
	INPUT_BYTES_MAX = 1 << 20,
	HANG_S = 30,
};

struct seed {
	struct bytes bytes;
	char name[256];
};

static ARRAY_OF(struct seed) seeds;
static const unsigned char *current;
static size_t current_size;
static const char *crash_path;
static uint64_t random_state;

/* Only what is safe in a signal handler. */
static void leave_input(void)
{
	int fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return;
	(void)!write(fd, current, current_size);
	(void)!write(STDERR_FILENO, "the input is in ", 16);
	(void)!write(STDERR_FILENO, crash_path, strlen(crash_path));
	(void)!write(STDERR_FILENO, "\n", 1);
	close(fd);
}

static void on_signal(int number)
{
	leave_input();
	signal(number, SIG_DFL);
	raise(number);
}

/* A sanitizer that is linked in ends the process itself. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

/* xorshift64*, Vigna, "An experimental exploration of Marsaglia's xorshift generators". */
static uint64_t next_random(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dULL;
}

static size_t below(size_t limit)
{
	return limit ? (size_t)(next_random() >> 16) % limit : 0;
}

/* Values at which bounds go wrong. */
static uint64_t an_edge(void)
{
	static const uint64_t edges[] = { 0,	      1,	  0x7f,	      0x80,
					  0xff,	      0x7fff,	  0x8000,     0xffff,
					  0x7fffffff, 0x80000000, 0xffffffff, 1ULL << 32,
					  1ULL << 47, INT64_MAX,  1ULL << 63, UINT64_MAX };

	return edges[below(ARRAY_SIZE(edges))] + below(3) - 1;
}

static void put(unsigned char *data, size_t size, size_t at, uint64_t value, size_t width)
{
	if (width > size - at)
		width = size - at;
	memcpy(data + at, &value, width);
}

/* Changes `data`, which has room for twice INPUT_BYTES_MAX. Returns the new size. */
static size_t mutate(unsigned char *data, size_t size)
{
	const struct seed *other = &seeds.at[below(seeds.count)];
	size_t at = below(size), length = 1 + below(size - at < 64 ? size - at : 64), from;

	if (size == 0)
		return 0;
	switch (below(8)) {
	case 0:
		data[at] ^= (unsigned char)(1u << below(8));
		return size;
	case 1:
		data[at] = (unsigned char)next_random();
		return size;
	case 2:
		put(data, size, at, an_edge(), 1UL << below(4));
		return size;
	case 3: /* in place where a field would be */
		put(data, size, at & ~(size_t)7, an_edge(), 1UL << below(4));
		return size;
	case 4: /* cut out */
		if (length > size - at)
			length = size - at;
		memmove(data + at, data + at + length, size - at - length);
		return size - length;
	case 5: /* say twice */
		if (length > size - at || size + length > INPUT_BYTES_MAX)
			return size;
		memmove(data + at + length, data + at, size - at);
		return size + length;
	case 6: /* cut off */
		return at;
	default: /* from another one */
		from = below(other->bytes.size);
		if (length > other->bytes.size - from)
			length = other->bytes.size - from;
		if (length > size - at)
			length = size - at;
		if (length)
			memcpy(data + at, other->bytes.at + from, length);
		return size;
	}
}

/* From a block of exactly that size, so that sanitizers see a read past its end. */
static void run(const unsigned char *data, size_t size)
{
	cleanup(free) unsigned char *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	current = copy;
	current_size = size;
	alarm(HANG_S);
	(void)LLVMFuzzerTestOneInput(copy, size);
	alarm(0);
}

static int load(const char *folder)
{
	DIR *directory = opendir(folder);
	struct dirent *entry;
	int r = 0;

	if (!directory)
		return -errno;
	while (r == 0 && (entry = readdir(directory))) {
		struct seed *seed;

		if (entry->d_name[0] == '.')
			continue;
		seed = array_push(&seeds);
		if (!seed)
			r = -ENOMEM;
		if (r == 0)
			r = fs_read(&seed->bytes, dirfd(directory), entry->d_name, INPUT_BYTES_MAX);
		if (r == 0)
			snprintf(seed->name, sizeof(seed->name), "%s", entry->d_name);
	}
	closedir(directory);
	return r;
}

/* The order of a folder is not the same everywhere; mutations should be. */
static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct seed *)a)->name, ((const struct seed *)b)->name);
}

static void run_all(unsigned char *data, unsigned long mutations)
{
	for (uint32_t i = 0; i < seeds.count; i++)
		run((const unsigned char *)seeds.at[i].bytes.at, seeds.at[i].bytes.size);
	random_state = 0x9e3779b97f4a7c15ULL;
	for (unsigned long i = 0; i < mutations; i++) {
		const struct bytes *from = &seeds.at[i % seeds.count].bytes;
		size_t size = from->size;

		if (size)
			memcpy(data, from->at, size);
		for (size_t changes = 1 + below(4); changes > 0; changes--)
			size = mutate(data, size);
		run(data, size);
	}
}

int main(int argc, char **argv)
{
	static const int deadly[] = { SIGABRT, SIGALRM, SIGBUS, SIGFPE, SIGILL, SIGSEGV };
	cleanup(free) unsigned char *data = malloc(2 * INPUT_BYTES_MAX);
	char path[256];
	int r;

	if (argc != 3 || !data) {
		fprintf(stderr, "usage: %s MUTATIONS FOLDER\n", argv[0]);
		return 2;
	}
	snprintf(path, sizeof(path), "crash-%s",
		 strrchr(argv[0], '-') ? strrchr(argv[0], '-') + 1 : "input");
	crash_path = path;
	r = load(argv[2]);
	if (r < 0 || seeds.count == 0) {
		fprintf(stderr, "%s: %s\n", argv[2], r < 0 ? strerror(-r) : "no corpus");
		return 1;
	}
	qsort(seeds.at, seeds.count, sizeof(*seeds.at), by_name);
	for (size_t i = 0; i < ARRAY_SIZE(deadly); i++)
		if (deadly[i] == SIGALRM || deadly[i] == SIGABRT || !__sanitizer_set_death_callback)
			signal(deadly[i], on_signal);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(leave_input);
	run_all(data, strtoul(argv[1], NULL, 10));
	printf("%u inputs and %s mutations\n", seeds.count, argv[1]);
	for (uint32_t i = 0; i < seeds.count; i++)
		bytes_fini(&seeds.at[i].bytes);
	array_fini(&seeds);
	return 0;
}
