/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every target shares, all of it inlined so that no helper shows up in a stack: the start and
 * stop protocol with the harness, work that the compiler cannot remove, CPU clocks.
 *
 * Protocol: a target prints "ready" once its stacks are as documented, runs until SIGTERM, SIGINT
 * or its time is over, then prints its truth as one JSON object on a line and exits 0.
 */
#pragma once

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* A function that stays a function: not inlined, not cloned, not specialised to its callers. */
#if defined(__clang__)
#define FUNCTION __attribute__((noinline, optnone))
#define LEAF __attribute__((noinline))
#else
#define FUNCTION __attribute__((noipa))
#define LEAF __attribute__((noipa))
#endif

/* Between a call and the return: the call cannot become a jump. */
#define NO_TAIL_CALL(value) __asm__ volatile("" : "+r"(value))

static volatile sig_atomic_t target_stopped;

static inline void target_on_stop(int signal)
{
	(void)signal;
	target_stopped = 1;
}

/* Ends by itself after `seconds` (decimal; NULL or "0": never) or when told to. */
static inline void target_begin(const char *seconds)
{
	struct sigaction action = {};

	action.sa_handler = target_on_stop; /* a macro into a union: not for a C++ initializer */
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	if (seconds && atoi(seconds) > 0)
		alarm((unsigned int)atoi(seconds));
}

static inline void target_ready(void)
{
	puts("ready");
	fflush(stdout);
}

/* About 1 ns for each round; the result depends on every round. */
static inline uint64_t target_work(uint64_t value, unsigned int rounds)
{
	for (unsigned int i = 0; i < rounds; i++) {
		value = value * 6364136223846793005ULL + 1442695040888963407ULL;
		__asm__ volatile("" : "+r"(value));
	}
	return value;
}

static inline uint64_t target_clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* xorshift64*, so that no slice has the rhythm of a sampling timer. */
static inline uint64_t target_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 2685821657736338717ULL;
}
