// SPDX-License-Identifier: Apache-2.0
/*
 * shares PERMILLE [SEED [SECONDS]]
 *
 * A server in small: every 10 ms it serves a batch of requests, does what it always has to, and
 * sleeps. 80 functions of very different weight do the work; json_decode has PERMILLE of all CPU
 * time at the usual load. The load of a run is the usual one ± 20 %, chosen evenly by SEED, and
 * only requests follow it: a run that serves less spends a larger share on its upkeep. Within a
 * run batches differ by half.
 *
 * Its truth: {"load": percent of the usual one, "batches": how many}.
 */
#include <time.h>

#include "target.h"

enum {
	TICK_NS = 10000000,
	REQUESTS_NS = 4000000, /* of a batch at the usual load, without json_decode */
	UPKEEP_NS = 2000000,
	GROUPS = 5,
	LEAVES = 16,	     /* of a group */
	REQUESTS = 20,	     /* in a batch */
	UPKEEP = GROUPS - 1, /* the last group */
};

/* target_work would be a frame of its own, inlined. */
#define WORK(value, rounds)                                                                        \
	do {                                                                                       \
		for (unsigned int i_ = 0; i_ < (rounds); i_++) {                                   \
			(value) = (value)*6364136223846793005ULL + 1442695040888963407ULL;         \
			__asm__ volatile("" : "+r"(value));                                        \
		}                                                                                  \
	} while (0)

#define FUNCTION_LEAF(group, n)                                                                    \
	LEAF uint64_t group##_##n(uint64_t value, unsigned int rounds);                            \
	uint64_t group##_##n(uint64_t value, unsigned int rounds)                                  \
	{                                                                                          \
		WORK(value, rounds);                                                               \
		return value;                                                                      \
	}
#define FOR_ALL(what, group)                                                                       \
	what(group, 0) what(group, 1) what(group, 2) what(group, 3) what(group, 4) what(group, 5)  \
		what(group, 6) what(group, 7) what(group, 8) what(group, 9) what(group, 10)        \
			what(group, 11) what(group, 12) what(group, 13) what(group, 14)            \
				what(group, 15)
#define ENTRY(group, n) group##_##n,

typedef uint64_t (*leaf_fn)(uint64_t value, unsigned int rounds);

FOR_ALL(FUNCTION_LEAF, parse)
FOR_ALL(FUNCTION_LEAF, query)
FOR_ALL(FUNCTION_LEAF, render)
FOR_ALL(FUNCTION_LEAF, compress)
FOR_ALL(FUNCTION_LEAF, upkeep)

static const leaf_fn leaves[GROUPS][LEAVES] = {
	{ FOR_ALL(ENTRY, parse) },    { FOR_ALL(ENTRY, query) },  { FOR_ALL(ENTRY, render) },
	{ FOR_ALL(ENTRY, compress) }, { FOR_ALL(ENTRY, upkeep) },
};

LEAF uint64_t json_decode(uint64_t value, unsigned int rounds);
uint64_t json_decode(uint64_t value, unsigned int rounds)
{
	WORK(value, rounds);
	return value;
}

/* Rounds of WORK for a ns; and for each leaf, by Zipf's law, of a request or of the upkeep. */
static double rounds_per_ns;
static unsigned int leaf_rounds[GROUPS][LEAVES], decode_rounds;

static void set_rounds(unsigned int permille)
{
	double share = permille / 1000.0;
	double request_ns = (double)REQUESTS_NS / REQUESTS, sum = 0;

	for (int i = 0; i < LEAVES * UPKEEP; i++)
		sum += 1.0 / (i + 3);
	for (int i = 0; i < LEAVES * UPKEEP; i++)
		leaf_rounds[i % UPKEEP][i / UPKEEP] =
			(unsigned int)(rounds_per_ns * request_ns / (i + 3) / sum);
	sum = 0;
	for (int i = 0; i < LEAVES; i++)
		sum += 1.0 / (i + 1);
	for (int i = 0; i < LEAVES; i++)
		leaf_rounds[UPKEEP][i] = (unsigned int)(rounds_per_ns * UPKEEP_NS / (i + 1) / sum);
	decode_rounds = (unsigned int)(rounds_per_ns * (REQUESTS_NS + UPKEEP_NS) * share /
				       (1 - share) / REQUESTS);
}

/* The fastest of some tries: nothing else disturbed that one. */
static void calibrate(void)
{
	uint64_t best_ns = UINT64_MAX, value = 1;

	for (int i = 0; i < 20; i++) {
		uint64_t begin_ns = target_clock_ns(CLOCK_MONOTONIC), took_ns;

		WORK(value, 200000);
		took_ns = target_clock_ns(CLOCK_MONOTONIC) - begin_ns;
		if (took_ns < best_ns)
			best_ns = took_ns;
	}
	rounds_per_ns = 200000 / (double)best_ns;
}

LEAF uint64_t run_group(uint64_t value, int group);
uint64_t run_group(uint64_t value, int group)
{
	for (int i = 0; i < LEAVES; i++)
		value = leaves[group][i](value, leaf_rounds[group][i]);
	NO_TAIL_CALL(value);
	return value;
}

LEAF uint64_t serve_request(uint64_t value);
uint64_t serve_request(uint64_t value)
{
	for (int group = 0; group < UPKEEP; group++)
		value = run_group(value, group);
	value = json_decode(value, decode_rounds);
	NO_TAIL_CALL(value);
	return value;
}

LEAF uint64_t keep_up(uint64_t value);
uint64_t keep_up(uint64_t value)
{
	value = run_group(value, UPKEEP);
	NO_TAIL_CALL(value);
	return value;
}

int main(int argc, char **argv)
{
	uint64_t random = argc > 2 ? (uint64_t)atoll(argv[2]) * 0x9e3779b97f4a7c15 + 1 : 1;
	uint64_t value = 1, next_ns, batches = 0;
	double load;

	if (argc < 2)
		return 2;
	for (int i = 0; i < 20; i++)
		target_random(&random);
	load = 0.8 + 0.4 * (double)(target_random(&random) % 100001) / 100000;
	calibrate();
	set_rounds((unsigned int)atoi(argv[1]));
	target_begin(argc > 3 ? argv[3] : NULL);
	target_ready();
	for (next_ns = target_clock_ns(CLOCK_MONOTONIC); !target_stopped; batches++) {
		/* 0.5 to 1.5 of the load, and of a fraction of a request as often as that is. */
		double count = REQUESTS * load *
			       (0.5 + (double)(target_random(&random) % 100001) / 100000);
		int requests = (int)(count + (double)(target_random(&random) % 100000) / 100000);
		struct timespec until;

		for (int i = 0; i < requests; i++)
			value = serve_request(value);
		value = keep_up(value);
		next_ns += TICK_NS;
		until = (struct timespec){ .tv_sec = (time_t)(next_ns / 1000000000),
					   .tv_nsec = (long)(next_ns % 1000000000) };
		/* What is late stays late: nothing is made up for. */
		if (target_clock_ns(CLOCK_MONOTONIC) > next_ns)
			next_ns = target_clock_ns(CLOCK_MONOTONIC);
		else
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
	}
	printf("{\"load\": %.1f, \"batches\": %llu, \"value\": %llu}\n", 100 * load,
	       (unsigned long long)batches, (unsigned long long)value);
	return 0;
}
