// SPDX-License-Identifier: Apache-2.0
/*
 * grower HOW [MB [MS]]
 *
 * Says "ready", waits for a byte on its input, then makes memory resident by two paths for about so
 * many ms, of which `keep_much` makes three times as much as `keep_little`, some MB all together. Then it
 * prints its truth, {"stays": {path: bytes}, "touched": {path: bytes}, "resident": bytes}, and waits for
 * the end of its input. stays, touched: of what it asked for, with what the allocator adds; resident: by how much its
 * resident memory grew by its own account.
 *
 * HOW: small, big, partly, mmap, populate, huge, mixed, realloc, calloc, containers, stacks, file, shared,
 * steady, back, churn.
 */
#include <deque>
#include <map>
#include <string>
#include <vector>

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PATH extern "C" __attribute__((noinline, noclone))
/* No tail calls: each path is a frame of its own. */
#define LAST __asm__ volatile("" ::: "memory")

enum { PAGE = 4096, LARGE = 2 << 20, STEPS = 50, MUCH = 3, LITTLE = 1 };

struct path {
	const char *name;
	uint64_t stays, touched;
};

static struct path much = { "keep_much", 0, 0 }, little = { "keep_little", 0, 0 };
static uint64_t seed = 1;
static const char *how;

static uint64_t random_number()
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return seed >> 33;
}

static void note(struct path *path, uint64_t bytes)
{
	path->stays += bytes;
	path->touched += bytes;
}

static void *fill(void *block, size_t bytes)
{
	memset(block, 1, bytes);
	return block;
}

static void *map_pages(size_t bytes, int flags)
{
	void *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags,
			   -1, 0);

	if (block == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return block;
}

/* ---- what both paths do: about so many bytes, and all of it stays ---- */

static void keep_small(struct path *path, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		size_t size = 16 + random_number() % 500;
		void *block = fill(malloc(size), size);

		done += malloc_usable_size(block) + 8;
		note(path, malloc_usable_size(block) + 8);
	}
}

static void keep_big(struct path *path, size_t bytes, bool partly)
{
	for (size_t done = 0; done < bytes;) {
		size_t size = (64 + random_number() % 512) * 1024,
		       touched = partly ? size / 4 : size;

		fill(malloc(size), touched);
		done += touched;
		note(path, touched);
	}
}

static void keep_calloc(struct path *path, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		size_t size = random_number() % 4 ? 40 + random_number() % 3000 : 300000;

		fill(calloc(1, size), size);
		done += size;
		note(path, size + 8);
	}
}

static void keep_mmap(struct path *path, size_t bytes, int flags)
{
	size_t size = (bytes + PAGE - 1) / PAGE * PAGE;

	fill(map_pages(size, flags), size);
	note(path, size);
}

static void keep_huge(struct path *path, size_t bytes)
{
	static char *at, *end;

	for (size_t done = 0; done < bytes; done += LARGE) {
		if (at == end) {
			at = (char *)map_pages(512UL << 20, MAP_NORESERVE);
			end = at + (512UL << 20) - LARGE;
			at = (char *)(((uintptr_t)at + LARGE - 1) & ~(uintptr_t)(LARGE - 1));
			end = at + (end - at) / LARGE * LARGE;
			madvise(at, (size_t)(end - at), MADV_HUGEPAGE);
		}
		*at = 1; /* one fault */
		at += LARGE;
		note(path, LARGE);
	}
}

/* One array of each path, which grows: glibc moves it with mremap. */
static void keep_realloc(struct path *path, size_t bytes)
{
	static struct {
		char *at;
		size_t size;
	} arrays[2];
	auto *array = &arrays[path == &much];

	array->at = (char *)realloc(array->at, array->size + bytes);
	fill(array->at + array->size, bytes);
	array->size += bytes;
	note(path, bytes);
}

template <typename T> struct counted {
	typedef T value_type;
	struct path *path;

	explicit counted(struct path *of) : path(of)
	{
	}
	template <typename U> counted(const counted<U> &other) : path(other.path)
	{
	}
	T *allocate(size_t count)
	{
		void *block = malloc(count * sizeof(T));

		note(path, malloc_usable_size(block) + 8);
		return (T *)block;
	}
	void deallocate(T *block, size_t)
	{
		path->stays -= malloc_usable_size(block) + 8;
		free(block);
	}
	template <typename U> bool operator==(const counted<U> &other) const
	{
		return path == other.path;
	}
	template <typename U> bool operator!=(const counted<U> &other) const
	{
		return path != other.path;
	}
};

typedef std::basic_string<char, std::char_traits<char>, counted<char>> text;

static void keep_containers(struct path *path, size_t bytes)
{
	uint64_t until = path->stays + bytes;
	counted<int> allocator(path);
	typedef std::map<int, long, std::less<int>, counted<std::pair<const int, long>>> tree;
	auto *map = new tree(std::less<int>(), counted<std::pair<const int, long>>(path));
	auto *deque = new std::deque<int, counted<int>>(allocator);
	auto *texts = new std::vector<text, counted<text>>(counted<text>(path));

	texts->reserve(200);
	for (int i = 0; path->stays < until; i++) {
		auto *vector = new std::vector<int, counted<int>>(allocator);

		vector->assign(50 + random_number() % 100, i);
		(*map)[i] = i;
		for (int k = 0; k < 20; k++)
			deque->push_back(k);
		if (texts->size() < texts->capacity())
			texts->emplace_back(40 + random_number() % 100, 'x', counted<char>(path));
	}
}

/* Threads that have used their stacks, and wait. */
static void *use_stack(void *argument)
{
	size_t bytes = *(size_t *)argument;
	volatile char *stack = (volatile char *)__builtin_alloca(bytes);

	for (size_t i = 0; i < bytes; i += PAGE)
		stack[i] = 1;
	pause();
	return NULL;
}

PATH void *stack_of_much(void *argument)
{
	void *ret = use_stack(argument);

	LAST;
	return ret;
}

PATH void *stack_of_little(void *argument)
{
	void *ret = use_stack(argument);

	LAST;
	return ret;
}

static void keep_stacks(struct path *path, size_t bytes)
{
	size_t *argument = (size_t *)malloc(sizeof(*argument));
	pthread_t thread;

	*argument = bytes;
	if (pthread_create(&thread, NULL, path == &much ? stack_of_much : stack_of_little,
			   argument))
		exit(1);
	note(path, bytes);
}

/* Pages of a file that is in memory. */
static void keep_file(struct path *path, size_t bytes)
{
	static char block[1 << 20];
	FILE *file = tmpfile();
	volatile char *at;

	for (size_t done = 0; done < bytes; done += sizeof(block))
		fwrite(block, 1, sizeof(block), file);
	fflush(file);
	bytes = bytes / PAGE * PAGE;
	at = (volatile char *)mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fileno(file), 0);
	for (size_t i = 0; i < bytes; i += PAGE)
		(void)at[i];
	note(path, bytes);
}

static void keep_shared(struct path *path, size_t bytes)
{
	bytes = bytes / PAGE * PAGE;
	fill(mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), bytes);
	note(path, bytes);
}

/* As much as stays is touched and given back, by unmapping or without. */
static void give_back(struct path *path, size_t bytes)
{
	void *block = fill(map_pages(bytes, 0), bytes);

	if (random_number() & 1)
		munmap(block, bytes);
	else
		madvise(block, bytes, MADV_DONTNEED);
	path->touched += bytes;
}

static void use(struct path *path, size_t bytes)
{
	if (strcmp(how, "small") == 0)
		keep_small(path, bytes);
	else if (strcmp(how, "big") == 0 || strcmp(how, "partly") == 0)
		keep_big(path, bytes, how[0] == 'p');
	else if (strcmp(how, "calloc") == 0)
		keep_calloc(path, bytes);
	else if (strcmp(how, "mmap") == 0)
		keep_mmap(path, bytes, 0);
	else if (strcmp(how, "populate") == 0)
		keep_mmap(path, bytes, MAP_POPULATE);
	else if (strcmp(how, "huge") == 0)
		keep_huge(path, bytes);
	else if (strcmp(how, "mixed") == 0)
		path == &much ? keep_huge(path, bytes) : keep_mmap(path, bytes, 0);
	else if (strcmp(how, "realloc") == 0)
		keep_realloc(path, bytes);
	else if (strcmp(how, "containers") == 0)
		keep_containers(path, bytes);
	else if (strcmp(how, "stacks") == 0)
		keep_stacks(path, bytes);
	else if (strcmp(how, "file") == 0)
		keep_file(path, bytes);
	else if (strcmp(how, "shared") == 0)
		keep_shared(path, bytes);
	else if (strcmp(how, "back") == 0)
		path == &much ? give_back(path, bytes) : keep_mmap(path, bytes, 0);
	else
		exit(2);
}

PATH void keep_much(size_t bytes)
{
	use(&much, bytes * MUCH);
	LAST;
}

PATH void keep_little(size_t bytes)
{
	use(&little, bytes * LITTLE);
	LAST;
}

/* ---- nothing stays ---- */

enum { LIVE = 2000 };
static void *live[LIVE];

/* Blocks come and go; there are always as many. */
PATH void turn_over(size_t times, bool large)
{
	for (size_t i = 0; i < times; i++) {
		void **slot = &live[random_number() % (large ? 20 : LIVE)];
		size_t size = large ? 600000 : 16 + random_number() % 500;

		free(*slot);
		*slot = fill(malloc(size), size);
		much.touched += size;
	}
	LAST;
}

static uint64_t resident_bytes()
{
	unsigned long long size = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (!file || fscanf(file, "%llu %llu", &size, &resident) != 2)
		exit(1);
	fclose(file);
	return resident * PAGE;
}

int main(int argc, char **argv)
{
	size_t bytes = (size_t)(argc > 2 ? atoi(argv[2]) : 64) << 20;
	useconds_t step_us = (useconds_t)(argc > 3 ? atoi(argv[3]) : 500) * 1000 / STEPS;
	bool steady, churn;
	uint64_t before;
	char byte;

	how = argc > 1 ? argv[1] : "small";
	steady = strcmp(how, "steady") == 0;
	churn = strcmp(how, "churn") == 0;
	if (churn) /* else freed blocks would stay in the heap from the second on */
		mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	if (steady || churn)
		turn_over(churn ? 200 : 200000, churn);
	before = resident_bytes();
	puts("ready");
	fflush(stdout);
	if (read(0, &byte, 1) != 1)
		return 1;
	for (int i = 0; i < STEPS; i++) {
		if (steady || churn) {
			turn_over(churn ? 20 : 20000, churn);
		} else {
			keep_much(bytes / STEPS / (MUCH + LITTLE));
			keep_little(bytes / STEPS / (MUCH + LITTLE));
		}
		usleep(step_us);
	}
	printf("{\"stays\": {\"keep_much\": %llu, \"keep_little\": %llu}, "
	       "\"touched\": {\"keep_much\": %llu, \"keep_little\": %llu}, \"resident\": %lld}\n",
	       (unsigned long long)much.stays, (unsigned long long)little.stays,
	       (unsigned long long)much.touched, (unsigned long long)little.touched,
	       (long long)(resident_bytes() - before));
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}
