// SPDX-License-Identifier: Apache-2.0
/*
 * waits [MORE [busy]]
 *
 * Threads that each wait in a way of their own, in a function wait_NAME, NAME being the thread's
 * name, too; and MORE of them called "more" that wait as "futex" does. With busy, one more runs
 * without end. "deep" waits at the end of a recursion of DEPTH calls.
 *
 * After "ready" a line tells what there is: thread ids, descriptors, ports.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "target.h"

enum { DEPTH = 1000, STACK_BYTES = 512 * 1024, MORE_STACK_BYTES = 64 * 1024, SLEEP_S = 4000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static int pipe_fds[2], epoll_fd, listen_fd, client_fd, server_fd;
static volatile uint64_t busy_value = 1;

#define WAIT FUNCTION static void

/* What is behind the call keeps it from being the last thing that the function does. */
#define BEHIND __asm__ volatile("")

WAIT wait_futex(void)
{
	pthread_mutex_lock(&mutex);
	for (;;)
		pthread_cond_wait(&never, &mutex);
}

WAIT wait_sleep(void)
{
	struct timespec time = { SLEEP_S, 0 };

	nanosleep(&time, NULL);
	BEHIND;
}

WAIT wait_pipe(void)
{
	char byte;

	(void)!read(pipe_fds[0], &byte, 1);
	BEHIND;
}

WAIT wait_epoll(void)
{
	struct epoll_event event;

	epoll_wait(epoll_fd, &event, 1, -1);
	BEHIND;
}

WAIT wait_poll(void)
{
	struct pollfd fd = { pipe_fds[0], POLLIN, 0 };

	poll(&fd, 1, SLEEP_S * 1000);
	BEHIND;
}

WAIT wait_accept(void)
{
	accept(listen_fd, NULL, NULL);
	BEHIND;
}

WAIT wait_recv(void)
{
	char byte;

	recv(server_fd, &byte, 1, 0);
	BEHIND;
}

FUNCTION static unsigned int descend(unsigned int depth)
{
	unsigned int below;

	if (depth == 0) {
		wait_sleep();
		return 1;
	}
	below = descend(depth - 1);
	BEHIND;
	return below + 1;
}

WAIT wait_deep(void)
{
	busy_value += descend(DEPTH - 1);
	BEHIND;
}

WAIT wait_busy(void)
{
	while (!target_stopped)
		busy_value = target_work(busy_value, 100000);
}

static const struct kind {
	const char *name;
	void (*wait)(void);
} kinds[] = {
	{ "futex", wait_futex }, { "sleep", wait_sleep }, { "pipe", wait_pipe },
	{ "epoll", wait_epoll }, { "poll", wait_poll },	  { "accept", wait_accept },
	{ "recv", wait_recv },	 { "deep", wait_deep },	  { "busy", wait_busy },
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static long tids[KINDS];

static void *run(void *of)
{
	const struct kind *kind = of;

	prctl(PR_SET_NAME, kind->name);
	__atomic_store_n(&tids[kind - kinds], syscall(SYS_gettid), __ATOMIC_RELEASE);
	kind->wait();
	return NULL;
}

static void *run_more(void *nothing)
{
	prctl(PR_SET_NAME, "more");
	wait_futex();
	return nothing;
}

static int open_sockets(struct sockaddr_in *server, struct sockaddr_in *client)
{
	socklen_t size = sizeof(*server);

	*server = (struct sockaddr_in){ .sin_family = AF_INET };
	server->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listen_fd = socket(AF_INET, SOCK_STREAM, 0);
	client_fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listen_fd, (struct sockaddr *)server, size) < 0 || listen(listen_fd, 8) < 0 ||
	    getsockname(listen_fd, (struct sockaddr *)server, &size) < 0 ||
	    connect(client_fd, (struct sockaddr *)server, size) < 0 ||
	    getsockname(client_fd, (struct sockaddr *)client, &size) < 0)
		return -1;
	server_fd = accept(listen_fd, NULL, NULL);
	return server_fd;
}

static int start(void *(*begin)(void *), const struct kind *kind, size_t stack_bytes)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, stack_bytes);
	return pthread_create(&thread, &attributes, begin, (void *)kind);
}

int main(int argc, char **argv)
{
	int more = argc > 1 ? atoi(argv[1]) : 0, count = argc > 2 ? KINDS : KINDS - 1;
	struct sockaddr_in server, client;

	target_begin(NULL);
	epoll_fd = epoll_create1(0);
	if (epoll_fd < 0 || pipe(pipe_fds) < 0 || open_sockets(&server, &client) < 0)
		return 1;
	for (int i = 0; i < count; i++)
		if (start(run, &kinds[i], STACK_BYTES) != 0)
			return 1;
	for (int i = 0; i < more; i++)
		if (start(run_more, NULL, MORE_STACK_BYTES) != 0)
			return 1;
	for (int i = 0; i < count; i++)
		while (!__atomic_load_n(&tids[i], __ATOMIC_ACQUIRE))
			usleep(1000);
	usleep(100000);
	target_ready();
	printf("{\"depth\": %d, \"pipe\": %d, \"epoll\": %d, \"listen\": %d, \"server\": %d, "
	       "\"server_port\": %d, \"client_port\": %d, \"threads\": {\"main\": %ld",
	       DEPTH, pipe_fds[0], epoll_fd, listen_fd, server_fd, ntohs(server.sin_port),
	       ntohs(client.sin_port), (long)getpid());
	for (int i = 0; i < count; i++)
		printf(", \"%s\": %ld", kinds[i].name, tids[i]);
	puts("}}");
	fflush(stdout);
	while (!target_stopped)
		pause();
	_exit(0);
}
