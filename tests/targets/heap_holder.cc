// SPDX-License-Identifier: Apache-2.0
/*
 * Holds memory by several functions, each of which knows how much.
 *
 * usage: heap_holder INTERVAL [go] [wait] [fork]
 * Prints a line for each: name, bytes, objects, and the variance that both have when they are estimated
 * from objects that are sampled with the probability p = 1 - exp(-size / INTERVAL): the sum of
 * size^2 (1 - p) / p, and of (1 - p) / p. Many times as much is allocated and freed meanwhile.
 * go: begins when a byte comes on its standard input; wait: goes on until its standard input ends; fork: a child does the same, which does not exec.
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap_truth.h"

#define APART extern "C" __attribute__((noinline))

static truth *now;

/* What containers ask for, counted. */
template <typename T> struct counted {
	using value_type = T;
	counted() = default;
	template <typename U> counted(const counted<U> &)
	{
	}
	T *allocate(size_t n)
	{
		now->add(n * sizeof(T));
		return std::allocator<T>().allocate(n);
	}
	void deallocate(T *at, size_t n)
	{
		now->add(n * sizeof(T), -1);
		std::allocator<T>().deallocate(at, n);
	}
	bool operator==(const counted &) const
	{
		return true;
	}
	bool operator!=(const counted &) const
	{
		return false;
	}
};

template <typename T> using vector = std::vector<T, counted<T>>;
using string = std::basic_string<char, std::char_traits<char>, counted<char>>;

static volatile char sink;

static void *touched(void *object)
{
	*(volatile char *)object = 1;
	return object;
}

static std::vector<void *> *kept;

static void keep(void *object, size_t size)
{
	now->add(size);
	kept->push_back(touched(object));
}

APART void small_blocks()
{
	for (unsigned i = 0; i < 400000; i++)
		keep(malloc(16 + i % 64), 16 + i % 64);
}

APART void middle_blocks()
{
	for (unsigned i = 0; i < 400; i++)
		keep(malloc(60000 + 100 * i), 60000 + 100 * i);
}

APART void large_blocks()
{
	for (unsigned i = 0; i < 24; i++)
		keep(malloc(300000 + 333333 * i), 300000 + 333333 * i);
}

APART void zeroed_blocks()
{
	for (unsigned i = 0; i < 20000; i++)
		keep(calloc(i % 100 + 1, 17), (i % 100 + 1) * 17);
}

APART void aligned_blocks()
{
	for (unsigned i = 0; i < 3000; i++) {
		void *object = nullptr;

		keep(aligned_alloc(64, 4096), 4096);
		keep(memalign(128, 1000), 1000);
		if (posix_memalign(&object, 4096, 5000) == 0)
			keep(object, 5000);
	}
}

APART void grown_blocks()
{
	for (unsigned i = 0; i < 2000; i++) {
		void *object = nullptr;

		for (size_t size = 100; size < 12000; size += size / 2)
			object = realloc(object, size);
		keep(realloc(object, 12345), 12345);
	}
	for (unsigned i = 0; i < 20; i++) /* shrunk ones are smaller */
		keep(realloc(malloc(2000000), 500000), 500000);
}

APART void containers()
{
	/* Never destroyed. */
	auto &tree =
		*new std::map<int, string, std::less<int>, counted<std::pair<const int, string>>>;
	auto &table = *new std::unordered_map<int, vector<int>, std::hash<int>, std::equal_to<int>,
					      counted<std::pair<const int, vector<int>>>>;
	auto &queue = *new std::deque<double, counted<double>>;

	for (int i = 0; i < 30000; i++) {
		tree[i] = string((size_t)(i % 90), 'x');
		if (i % 10 == 0)
			table[i] = vector<int>((size_t)(i % 500), i);
		queue.push_back(i);
	}
}

APART void new_objects()
{
	for (unsigned i = 0; i < 50000; i++)
		keep(new char[256], 256);
}

/* 50 bytes are allocated and freed here for each that is held. */
APART void churn()
{
	static void *ring[1000];

	for (unsigned i = 0; i < 4000000; i++) {
		void **slot = &ring[i % 1000];

		free(*slot);
		*slot = malloc(16 + i % 4096);
		sink = *(volatile char *)*slot;
		if (i % 400000 == 0)
			usleep(20000);
	}
	for (unsigned i = 0; i < 1000; i++)
		free(ring[i]);
	free(malloc(100 << 20));
}

APART void of_the_child()
{
	for (unsigned i = 0; i < 60000; i++)
		keep(malloc(500), 500);
}

static void tell(const char *name, void (*hold)())
{
	truth *of = new truth;

	now = of;
	hold();
	printf("%s %.0f %.0f %.6g %.6g\n", name, of->bytes, of->objects, of->variance,
	       of->objects_variance);
	/* Not faster than is sampled at the wanted rate. */
	usleep(60000);
}

static void wait_for_end()
{
	char byte;

	printf("done\n");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
}

int main(int argc, char **argv)
{
	bool wait = false, forks = false;
	char byte;

	interval = argc > 1 ? atof(argv[1]) : 524288;
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "go") == 0 && read(0, &byte, 1) != 1)
			return 1;
		wait |= strcmp(argv[i], "wait") == 0;
		forks |= strcmp(argv[i], "fork") == 0;
	}
	kept = new std::vector<void *>;
	kept->reserve(1000000);
	tell("small_blocks", small_blocks);
	tell("middle_blocks", middle_blocks);
	tell("large_blocks", large_blocks);
	tell("zeroed_blocks", zeroed_blocks);
	tell("aligned_blocks", aligned_blocks);
	tell("grown_blocks", grown_blocks);
	tell("containers", containers);
	tell("new_objects", new_objects);
	tell("churn", churn);
	fflush(stdout);
	if (forks) {
		int to[2];

		if (pipe(to) < 0)
			return 1;
		if (fork() == 0) {
			close(to[0]);
			tell("of_the_child", of_the_child);
			fflush(stdout);
			close(to[1]);
			if (wait)
				wait_for_end();
			_exit(0);
		}
		close(to[1]);
		if (read(to[0], to, 1) < 0) /* until the child has said it */
			return 1;
	}
	if (wait)
		wait_for_end();
	while (forks && ::wait(nullptr) > 0)
		;
	return 0;
}
