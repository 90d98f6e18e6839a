// SPDX-License-Identifier: Apache-2.0
#include "verify/program.h"

#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/parse.h"

/*
 * A function that stays a function, not inlined nor cloned; and all of them together in a section of their own,
 * so that an address tells which one it is of.
 */
#if defined(__clang__)
#define FUNCTION __attribute__((noinline, optnone, used, section("profd_verify")))
#else
#define FUNCTION __attribute__((noipa, used, section("profd_verify")))
#endif
/* Between a call and the return: the call cannot become a jump. */
#define NO_TAIL_CALL(value) __asm__ volatile("" : "+r"(value))

/* Made by the linker of the section's name. */
extern const char __start_profd_verify[], __stop_profd_verify[];

enum { WIDE_BYTES = 40 * 1024, ENTRY_BYTES = 64, THREADS = 3, LONG_ROUNDS = 300000 };

/* About 1 ns for each round; the result depends on every round. Inlined, so that it has no frame. */
static inline __attribute__((always_inline)) uint64_t work(uint64_t value, unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		value = value * 6364136223846793005ULL + 1442695040888963407ULL;
		__asm__ volatile("" : "+r"(value));
	}
	return value;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 2685821657736338717ULL;
}

/* ---- the known split ---- */

/* The constants keep the four from being folded into one function. */
#define PART(percent)                                                                              \
	FUNCTION uint64_t part_##percent(uint64_t value, unsigned rounds);                         \
	uint64_t part_##percent(uint64_t value, unsigned rounds)                                   \
	{                                                                                          \
		return work(value + (percent), rounds);                                            \
	}
PART(10)
PART(20)
PART(30)
PART(40)

/* Slices of random order and length, so that no sampling timer falls into step with them. */
FUNCTION static uint64_t split(struct program_truth *truth, uint64_t until_ns)
{
	static uint64_t (*const parts[])(uint64_t, unsigned) = { part_10, part_20, part_30,
								 part_40 };
	uint64_t random = 88172645463325252ULL ^ (uint64_t)getpid() << 17, value = 1;
	uint64_t begin = clock_ns(CLOCK_THREAD_CPUTIME_ID), before, after = begin;

	while (clock_ns(CLOCK_MONOTONIC) < until_ns) {
		uint64_t dice = next_random(&random) >> 16;
		unsigned part = dice % 4;

		before = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		value = parts[part](value, (part + 1) * (10000 + (unsigned)(dice / 4 % 130000)));
		after = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		truth->part_ns[part] += after - before;
	}
	truth->total_ns = after - begin;
	NO_TAIL_CALL(value);
	return value;
}

/* ---- stacks of all shapes ---- */

#define BOTTOM(depth)                                                                              \
	FUNCTION uint64_t bottom_##depth(uint64_t value);                                          \
	uint64_t bottom_##depth(uint64_t value)                                                    \
	{                                                                                          \
		return work(value + (depth), LONG_ROUNDS);                                         \
	}
BOTTOM(10)
BOTTOM(100)
BOTTOM(900)

FUNCTION static uint64_t recurse(unsigned depth, uint64_t (*bottom)(uint64_t), uint64_t value)
{
	value = depth > 1 ? recurse(depth - 1, bottom, value) : bottom(value);
	NO_TAIL_CALL(value);
	return value;
}

FUNCTION static uint64_t below_wide(volatile unsigned char *place, uint64_t value)
{
	*place = (unsigned char)value;
	return work(value + *place, LONG_ROUNDS);
}

FUNCTION static uint64_t wide(uint64_t value)
{
	volatile unsigned char room[WIDE_BYTES];

	value = below_wide(room + value % WIDE_BYTES, value);
	NO_TAIL_CALL(value);
	return value + room[value % WIDE_BYTES];
}

FUNCTION static uint64_t below_variable(volatile unsigned char *place, uint64_t value)
{
	*place = (unsigned char)value;
	return work(value + *place, LONG_ROUNDS);
}

FUNCTION static uint64_t variable(uint64_t value)
{
	unsigned bytes = 16 + (unsigned)(value >> 33) % 2000;
	volatile unsigned char *room = __builtin_alloca(bytes);

	value = below_variable(room + bytes / 2, value);
	NO_TAIL_CALL(value);
	return value + room[bytes / 2];
}

FUNCTION static int compare(const void *a, const void *b)
{
	uint64_t value = work(*(const uint64_t *)a ^ *(const uint64_t *)b, LONG_ROUNDS / 16);

	/* The result has to depend on the work. */
	return value == 1 ? 1 : *(const uint64_t *)a < *(const uint64_t *)b ? -1 : 1;
}

FUNCTION static uint64_t sort(uint64_t value)
{
	uint64_t numbers[8];

	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
		numbers[i] = next_random(&value);
	qsort(numbers, ARRAY_SIZE(numbers), sizeof(numbers[0]), compare);
	return numbers[0];
}

static volatile uint64_t handled = 1;

FUNCTION static uint64_t below_handle(uint64_t value)
{
	return work(value, LONG_ROUNDS);
}

FUNCTION static void handle(int signal)
{
	uint64_t value = below_handle(handled + (uint64_t)signal);

	NO_TAIL_CALL(value);
	handled = value;
}

FUNCTION static uint64_t raise_signal(uint64_t value)
{
	int r = raise(SIGUSR1);

	NO_TAIL_CALL(r);
	return value + (uint64_t)r;
}

FUNCTION static uint64_t call_kernel(uint64_t value)
{
	for (unsigned i = 0; i < 400; i++)
		value += (uint64_t)syscall(SYS_getppid);
	return value;
}

FUNCTION static uint64_t turn(uint64_t value)
{
	value += recurse(10, bottom_10, value);
	value += recurse(100, bottom_100, value);
	value += recurse(900, bottom_900, value);
	value += wide(value);
	value += variable(value);
	value += sort(value);
	value += raise_signal(value);
	value += call_kernel(value);
	NO_TAIL_CALL(value);
	return value;
}

struct shapes {
	uint64_t until_ns;
	uint64_t value;
};

FUNCTION static void *shapes_thread(void *context)
{
	struct shapes *shapes = context;

	while (clock_ns(CLOCK_MONOTONIC) < shapes->until_ns)
		shapes->value += turn(shapes->value);
	return NULL;
}

/* The first thread goes round, and others beside it. */
FUNCTION static uint64_t run(const char *what, uint64_t until_ns, struct program_truth *truth)
{
	struct shapes shapes[THREADS + 1];
	pthread_t threads[THREADS];
	unsigned count = 0;
	uint64_t value = 1;

	if (strcmp(what, "split") == 0)
		return split(truth, until_ns) + 1;
	(void)signal(SIGUSR1, handle);
	for (; count < THREADS; count++) {
		shapes[count] = (struct shapes){ until_ns, count };
		if (pthread_create(&threads[count], NULL, shapes_thread, &shapes[count]) != 0)
			break;
	}
	while (clock_ns(CLOCK_MONOTONIC) < until_ns)
		value += turn(value);
	for (unsigned i = 0; i < count; i++) {
		(void)pthread_join(threads[i], NULL);
		value += shapes[i].value;
	}
	return value;
}

int program_main(char **argv)
{
	struct program_truth truth = {};
	uint64_t seconds, fd, value;

	if (parse_u64(&seconds, argv[1], 3600) < 0 || parse_u64(&fd, argv[2], INT32_MAX) < 0)
		return 2;
	value = run(argv[0], clock_ns(CLOCK_MONOTONIC) + seconds * 1000000000ULL, &truth);
	/* What was computed has to be told, or nothing would be. */
	truth.total_ns += value == 0;
	return fs_write_all((int)fd, &truth, sizeof(truth)) < 0;
}

/* ---- what an address is of ---- */

static int take_bias(struct dl_phdr_info *info, size_t size, void *ret)
{
	(void)size;
	*(uint64_t *)ret = info->dlpi_addr;
	return 1; /* the first one is the program itself */
}

static uint64_t bias(void)
{
	uint64_t found = 0;

	(void)dl_iterate_phdr(take_bias, &found);
	return found;
}

#define ADDRESS(function) ((uint64_t)(uintptr_t)(function))

enum program_function program_function_at(uint64_t elf_address)
{
	const uint64_t starts[PROGRAM_FUNCTIONS] = {
		[PROGRAM_PART_10] = ADDRESS(part_10),
		[PROGRAM_PART_20] = ADDRESS(part_20),
		[PROGRAM_PART_30] = ADDRESS(part_30),
		[PROGRAM_PART_40] = ADDRESS(part_40),
		[PROGRAM_MAIN] = ADDRESS(run),
		[PROGRAM_THREAD] = ADDRESS(shapes_thread),
		[PROGRAM_SPLIT] = ADDRESS(split),
		[PROGRAM_TURN] = ADDRESS(turn),
		[PROGRAM_RECURSE] = ADDRESS(recurse),
		[PROGRAM_BOTTOM_10] = ADDRESS(bottom_10),
		[PROGRAM_BOTTOM_100] = ADDRESS(bottom_100),
		[PROGRAM_BOTTOM_900] = ADDRESS(bottom_900),
		[PROGRAM_WIDE] = ADDRESS(wide),
		[PROGRAM_BELOW_WIDE] = ADDRESS(below_wide),
		[PROGRAM_VARIABLE] = ADDRESS(variable),
		[PROGRAM_BELOW_VARIABLE] = ADDRESS(below_variable),
		[PROGRAM_SORT] = ADDRESS(sort),
		[PROGRAM_COMPARE] = ADDRESS(compare),
		[PROGRAM_RAISE] = ADDRESS(raise_signal),
		[PROGRAM_HANDLE] = ADDRESS(handle),
		[PROGRAM_BELOW_HANDLE] = ADDRESS(below_handle),
		[PROGRAM_CALL_KERNEL] = ADDRESS(call_kernel),
	};
	uint64_t address = elf_address + bias(), best = 0;
	unsigned found = PROGRAM_FUNCTIONS;

	if (address < ADDRESS(__start_profd_verify) || address >= ADDRESS(__stop_profd_verify))
		return PROGRAM_FUNCTIONS;
	for (unsigned i = 0; i < PROGRAM_FUNCTIONS; i++)
		if (starts[i] <= address && starts[i] >= best) {
			best = starts[i];
			found = i;
		}
	return (enum program_function)found;
}

bool program_is_entry(uint64_t elf_address)
{
	uint64_t entry = getauxval(AT_ENTRY), address = elf_address + bias();

	return address >= entry && address - entry < ENTRY_BYTES;
}
