// SPDX-License-Identifier: Apache-2.0
/*
 * A server thread that answers a client thread over a socket, one question at a time, beside THREADS
 * that sleep. From one line on stdin to the next it asks; then it prints how long the answers took:
 * their number, 50th, 99th and 99.9th percentile and the longest, in µs. And so on.
 * usage: round_trips THREADS
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TRIPS_MAX = 4 << 20 };

static int ends[2];
static double times[TRIPS_MAX];

static void *serve(void *unused)
{
	char byte;

	while (read(ends[1], &byte, 1) == 1)
		if (write(ends[1], &byte, 1) != 1)
			break;
	return unused;
}

static void *rest(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Until there is a line to read. Returns how often. */
static long ask(void)
{
	struct pollfd word = { .fd = STDIN_FILENO, .events = POLLIN };
	long count = 0;

	for (; count < TRIPS_MAX; count++) {
		double began;
		char byte = 0;

		if (count % 64 == 0 && poll(&word, 1, 0) != 0)
			break;
		began = now_us();
		if (write(ends[0], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1)
			exit(1);
		times[count] = now_us() - began;
	}
	return count;
}

int main(int argc, char **argv)
{
	int others = argc > 1 ? atoi(argv[1]) : 0;
	pthread_attr_t small;
	pthread_t thread;
	char line[16];

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 * 1024);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0 ||
	    pthread_create(&thread, NULL, serve, NULL))
		return 1;
	for (int i = 0; i < others; i++)
		if (pthread_create(&thread, &small, rest, NULL))
			return 1;
	setvbuf(stdin, NULL, _IONBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		long count = ask();

		if (!fgets(line, sizeof(line), stdin) || !count)
			break;
		qsort(times, (size_t)count, sizeof(*times), compare);
		printf("%ld %.2f %.2f %.2f %.2f\n", count, times[count / 2],
		       times[count * 99 / 100], times[count * 999 / 1000], times[count - 1]);
		fflush(stdout);
	}
	return 0;
}
