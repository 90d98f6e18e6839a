// SPDX-License-Identifier: Apache-2.0
/*
 * signals [SECONDS]
 *
 * qsort in the foreground; two timers interrupt it wherever it stands, so often that most samples
 * lie in or beneath a handler. True stacks:
 *   main, sort_once, qsort…, compare                                           foreground
 *   …, on_plain, handler_sort, qsort…, handler_compare                   on the same stack
 *   …, on_alternate, handler_work                            on the alternate signal stack
 * where … is any foreground stack, with the kernel's signal frame (__restore_rt) in between. An
 * on_alternate may lie above an on_plain too.
 */
#include "target.h"

enum { FOREGROUND = 4096, IN_HANDLER = 64 };

static int numbers[FOREGROUND];
static volatile uint64_t plain_count, alternate_count;
static uint64_t random_state = 0x9e3779b97f4a7c15ULL;
static timer_t timers[2];

FUNCTION int compare(const void *a, const void *b);
FUNCTION int handler_compare(const void *a, const void *b);
FUNCTION void sort_once(void);
FUNCTION void handler_sort(void);
LEAF uint64_t handler_work(uint64_t value);
FUNCTION void on_plain(int signal);
FUNCTION void on_alternate(int signal);

int compare(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

int handler_compare(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x < y) - (x > y);
}

void sort_once(void)
{
	int done = 1;

	for (int i = 0; i < FOREGROUND; i++)
		numbers[i] = (int)(target_random(&random_state) >> 33);
	qsort(numbers, FOREGROUND, sizeof(numbers[0]), compare);
	NO_TAIL_CALL(done);
}

void handler_sort(void)
{
	int mine[IN_HANDLER];
	int done = 1;

	for (int round = 0; round < 30; round++) {
		for (int i = 0; i < IN_HANDLER; i++)
			mine[i] = (i * 7919 + round * 104729) % 1009;
		qsort(mine, IN_HANDLER, sizeof(mine[0]), handler_compare);
	}
	NO_TAIL_CALL(done);
}

uint64_t handler_work(uint64_t value)
{
	return target_work(value, 60000);
}

/* One shot, 20 to 120 µs from now. */
static inline void arm(int which)
{
	static uint64_t state[2] = { 88172645463325252ULL, 1181783497276652981ULL };
	struct itimerspec next = { 0 };

	next.it_value.tv_nsec = 20000 + (long)((target_random(&state[which]) >> 20) % 100000);
	timer_settime(timers[which], 0, &next, NULL);
}

void on_plain(int signal)
{
	(void)signal;
	handler_sort();
	plain_count++;
	arm(0);
}

void on_alternate(int signal)
{
	(void)signal;
	alternate_count += 1 + (handler_work(alternate_count) == 0);
	arm(1);
}

int main(int argc, char **argv)
{
	static char alternate[64 * 1024];
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) };
	struct sigaction plain = { .sa_handler = on_plain, .sa_flags = SA_RESTART };
	struct sigaction other = { .sa_handler = on_alternate,
				   .sa_flags = SA_RESTART | SA_ONSTACK };
	int signals[2] = { SIGUSR1, SIGUSR2 };

	target_begin(argc > 1 ? argv[1] : NULL);
	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &plain, NULL);
	sigaction(SIGUSR2, &other, NULL);
	for (int i = 0; i < 2; i++) {
		struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = signals[i] };

		if (timer_create(CLOCK_MONOTONIC, &event, &timers[i]) != 0)
			return 1;
		arm(i);
	}
	target_ready();
	while (!target_stopped)
		sort_once();
	printf("{\"plain\": %llu, \"alternate\": %llu}\n", (unsigned long long)plain_count,
	       (unsigned long long)alternate_count);
	return 0;
}
