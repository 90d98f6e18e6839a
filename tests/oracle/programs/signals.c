// SPDX-License-Identifier: Apache-2.0
/*
 * Work of all sorts, for signals to interrupt: SIGUSR1's handler runs on the same stack, SIGUSR2's
 * on another one. Faults, too, which a handler leaves by siglongjmp.
 */
#include <ctype.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FUNCTION __attribute__((noipa))

static volatile int handled[2];
static sigjmp_buf back;

FUNCTION static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

FUNCTION static int sort(int seed)
{
	int numbers[24];

	for (int i = 0; i < 24; i++)
		numbers[i] = (i + seed) * 7919 % 1009;
	qsort(numbers, 24, sizeof(*numbers), compare);
	return numbers[5];
}

FUNCTION static int aligned(int size)
{
	volatile char *room = __builtin_alloca((size_t)size);
	volatile char block[64] __attribute__((aligned(64)));

	room[0] = block[0] = (char)size;
	return sort(room[0]) + block[0];
}

FUNCTION static int text(int number)
{
	char buffer[256], copy[256];
	char *end;

	snprintf(buffer, sizeof(buffer), "%d %s %.3f %x", number, "text", number / 7.0, number);
	memcpy(copy, buffer, sizeof(copy));
	return (int)strtol(copy, &end, 10) + (int)strlen(buffer) + (strstr(copy, "text") != NULL) +
	       (int)strtod(end + 6, NULL) + tolower(copy[0]);
}

FUNCTION static int memory(int size)
{
	char *block = calloc(1, (size_t)size), *other = malloc(64);
	int sum;

	memset(block, 3, (size_t)size);
	memmove(block + 1, block, (size_t)size - 1);
	block = realloc(block, (size_t)size * 2);
	sum = block[size / 2] + (other != NULL);
	free(block);
	free(other);
	return sum;
}

FUNCTION static int clocks(void)
{
	struct timespec now;
	time_t when = 1700000000;
	struct tm parts;

	clock_gettime(CLOCK_MONOTONIC, &now);
	gmtime_r(&when, &parts);
	return (int)(now.tv_nsec & 1) + parts.tm_hour + (int)(getppid() & 1);
}

FUNCTION static int numbers(double x)
{
	return (int)(sin(x) * 10 + exp(x / 10) + pow(x, 1.5) + fmod(x, 3));
}

FUNCTION static int work(int round)
{
	return aligned(round % 100 + 1) + text(round) + memory(round * 37 + 50) + clocks() +
	       numbers(round);
}

static void on_plain(int signal)
{
	int few[] = { 2, 1 };

	(void)signal;
	handled[0]++;
	qsort(few, 2, sizeof(*few), compare);
}

static void on_other(int signal)
{
	char copy[32];

	(void)signal;
	handled[1]++;
	handled[1] += strlen(strcpy(copy, "text")) == 0;
}

static void on_fault(int signal)
{
	siglongjmp(back, signal);
}

FUNCTION static int fault(void)
{
	volatile int *volatile nowhere = (volatile int *)8;

	if (sigsetjmp(back, 1) == 0)
		return *nowhere;
	return 1;
}

static void handle(int signal, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	sigaction(signal, &action, NULL);
}

int main(int argc, char **argv)
{
	static char elsewhere[64 * 1024];
	char above[64 * 1024]; /* over all that is interrupted */
	int rounds = argc > 1 ? atoi(argv[1]) : 4, sum = 0;

	handle(SIGUSR1, on_plain, SA_RESTART);
	handle(SIGUSR2, on_other, SA_RESTART | SA_ONSTACK);
	for (int round = 0; round < rounds; round++) {
		stack_t stack = { .ss_sp = round % 2 ? above : elsewhere,
				  .ss_size = sizeof(elsewhere) };

		sigaltstack(&stack, NULL);
		handle(SIGSEGV, on_fault, SA_NODEFER | (round % 4 < 2 ? SA_ONSTACK : 0));
		sum += work(round) + fault();
	}
	printf("%d %d\n", sum != 0, rounds);
	fprintf(stderr, "%d handlers on the same stack, %d on another\n", handled[0], handled[1]);
	return 0;
}
