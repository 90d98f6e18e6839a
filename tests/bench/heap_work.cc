// SPDX-License-Identifier: Apache-2.0
/*
 * An allocation-heavy C++ program, of so much work: maps and strings that come and go, and what does
 * nothing but allocate.
 *
 * usage: heap_work maps|pairs ROUNDS
 * Prints the CPU time of the work in nanoseconds, and a number that depends on all of it.
 */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <time.h>
#include <unordered_map>
#include <vector>

static uint64_t state = 88172645463325252ULL;

static uint64_t next_random()
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t cpu_ns()
{
	timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t maps(unsigned rounds)
{
	std::unordered_map<uint64_t, std::string> table;
	std::map<uint64_t, std::vector<std::string>> tree;
	uint64_t sum = 0;

	for (unsigned i = 0; i < rounds * 1000; i++) {
		uint64_t key = next_random() % 20000;
		std::string text = "key-" + std::to_string(key) + std::string(key % 60, 'x');

		table[key] = text + "/" + text;
		tree[key % 500].push_back(std::move(text));
		if (tree[key % 500].size() > 40)
			tree.erase(key % 500);
		sum += table[key].size();
		if (key % 3 == 0)
			table.erase(key);
	}
	return sum;
}

static uint64_t pairs(unsigned rounds)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < rounds * 1000; i++) {
		void *volatile object = malloc(16 + i % 64 * 4);

		sum += (uintptr_t)object & 15;
		free(object);
	}
	return sum;
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 1000;
	uint64_t began = cpu_ns(), sum;

	sum = argc > 1 && strcmp(argv[1], "pairs") == 0 ? pairs(rounds) : maps(rounds);
	printf("%llu %llu\n", (unsigned long long)(cpu_ns() - began), (unsigned long long)sum);
	return 0;
}
