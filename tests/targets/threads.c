// SPDX-License-Identifier: Apache-2.0
/*
 * threads COUNT [SECONDS [STAGGER_MS]]
 *
 * COUNT threads named "worker N", each working for 0.2 to 2 ms and then asleep for a while that
 * grows with COUNT (a few CPUs' worth in all). With STAGGER_MS, one is started every so often
 * instead of all before "ready". True stack: clone's start, start_thread, worker, worker_step,
 * worker_leaf. The main thread sleeps.
 *
 * Prints each thread's id, name and CPU time, so that a test can ask for one of them.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "target.h"

enum { MAX_THREADS = 5000, STACK_BYTES = 64 * 1024 };

struct worker {
	pthread_t thread;
	unsigned int number, count;
	long tid;
	uint64_t cpu_ns;
};

static struct worker workers[MAX_THREADS];
static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER;

LEAF uint64_t worker_leaf(uint64_t value, unsigned int rounds);
FUNCTION uint64_t worker_step(uint64_t value, unsigned int rounds);
FUNCTION void *worker(void *argument);

uint64_t worker_leaf(uint64_t value, unsigned int rounds)
{
	return target_work(value, rounds);
}

uint64_t worker_step(uint64_t value, unsigned int rounds)
{
	value = worker_leaf(value, rounds);
	NO_TAIL_CALL(value);
	return value + 1;
}

void *worker(void *argument)
{
	struct worker *self = argument;
	uint64_t random = 0x2545f4914f6cdd1dULL * (self->number + 1), value = 1;
	char name[16];

	self->tid = syscall(SYS_gettid);
	snprintf(name, sizeof(name), "worker %u", self->number);
	pthread_setname_np(pthread_self(), name);
	if (self->count > 1000) {
		/* Thousands that work would keep the first one from starting the others. */
		pthread_mutex_lock(&starting);
		pthread_mutex_unlock(&starting);
		usleep((useconds_t)(target_random(&random) % self->count * 1000));
	}
	while (!target_stopped) {
		uint64_t dice = target_random(&random) >> 16, pause_ns;
		struct timespec pause = { 0 };

		value = worker_step(value, 200000 + (unsigned int)(dice % 1800000));
		pause_ns = dice % 1000000 * self->count;
		pause.tv_sec = (time_t)(pause_ns / 1000000000u);
		pause.tv_nsec = (long)(pause_ns % 1000000000u);
		nanosleep(&pause, NULL);
	}
	self->cpu_ns = target_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned int count = argc > 1 ? (unsigned int)atoi(argv[1]) : 4, started = 0;
	long stagger_ms = argc > 3 ? atol(argv[3]) : 0;
	pthread_attr_t attributes;

	if (count < 1 || count > MAX_THREADS)
		return 2;
	target_begin(argc > 2 ? argv[2] : NULL);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	if (stagger_ms > 0)
		target_ready();
	pthread_mutex_lock(&starting);
	for (; started < count && !target_stopped; started++) {
		struct worker *next = &workers[started];
		struct timespec pause = { stagger_ms / 1000, stagger_ms % 1000 * 1000000 };

		if (stagger_ms > 0)
			nanosleep(&pause, NULL);
		next->number = started;
		next->count = count;
		if (pthread_create(&next->thread, &attributes, worker, next) != 0)
			return 1;
	}
	pthread_mutex_unlock(&starting);
	if (stagger_ms == 0)
		target_ready();
	while (!target_stopped)
		usleep(50000);
	for (unsigned int i = 0; i < started; i++)
		pthread_join(workers[i].thread, NULL);
	printf("{\"threads\": [");
	for (unsigned int i = 0; i < started; i++)
		printf("%s{\"tid\": %ld, \"name\": \"worker %u\", \"cpu_ns\": %llu}", i ? ", " : "",
		       workers[i].tid, i, (unsigned long long)workers[i].cpu_ns);
	printf("]}\n");
	return 0;
}
