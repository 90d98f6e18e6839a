// SPDX-License-Identifier: Apache-2.0
/*
 * All that programs do with malloc, and around it, at once; every byte is checked.
 *
 * usage: heap_torture THREADS OPERATIONS [FORKS]
 *   THREADS     that allocate, each OPERATIONS times, and end now and then, another one going on
 *   FORKS       children, of which some allocate and some exec (default: go on until all is done)
 * A thread loads and unloads a library meanwhile, and a timer's signals interrupt everything; their
 * handler leaves malloc alone but for a thread that was interrupted at a known place, where it allocates
 * on a stack of its own, or leaves with siglongjmp.
 * Prints the number of operations; ends with 1 when a byte is not what was written.
 */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOTS = 512, TURN = 20000, SIGNAL_STACK = 65536, TICK_US = 700 };

struct object {
	unsigned char *at;
	size_t size;
	unsigned char mark;
};

struct worker {
	struct object slots[SLOTS];
	uint64_t random, left, done;
};

static atomic_uint alive;
static atomic_bool failed;
static uint64_t total;
static pthread_mutex_t total_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t at_exit;
static __thread sigjmp_buf back;
static __thread volatile sig_atomic_t may_leave, handled;

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void fail(const char *what)
{
	failed = true;
	fprintf(stderr, "heap_torture: %s\n", what);
}

static void fill(struct object *object, unsigned char mark)
{
	object->mark = mark;
	/* Both ends, and one byte of each page between. */
	for (size_t i = 0; i < object->size; i += i < 64 || i + 64 >= object->size ? 1 : 61)
		object->at[i] = mark;
}

static void check(const struct object *object, size_t size)
{
	for (size_t i = 0; i < size; i += i < 64 || i + 64 >= object->size ? 1 : 61)
		if (object->at[i] != object->mark) {
			fail("an object has changed");
			return;
		}
}

static size_t any_size(uint64_t random)
{
	if ((random >> 20 & 2047) == 0)
		return random % 3000000;
	return random % (16UL << (random >> 8 & 15) % 9) + 1;
}

static void *make(uint64_t kind, size_t size)
{
	void *object = NULL;

	switch (kind % 8) {
	case 0:
		object = calloc(size / 8 + 1, 8);
		for (size_t i = 0; object && i < size; i += 97)
			if (((unsigned char *)object)[i])
				fail("calloc gave what is not zero");
		return object;
	case 1:
		return aligned_alloc(64, (size + 63) / 64 * 64);
	case 2:
		if (posix_memalign(&object, 256, size) != 0)
			return NULL;
		if ((uintptr_t)object % 256)
			fail("posix_memalign did not align");
		return object;
	case 3:
		return memalign(32, size);
	case 4:
		return reallocarray(NULL, size, 1);
	case 5:
		return kind % 64 == 5 ? valloc(size) : malloc(size);
	default:
		return malloc(size);
	}
}

static void operate(struct worker *worker)
{
	uint64_t random = random_next(&worker->random);
	struct object *object = &worker->slots[random % SLOTS];
	size_t size = any_size(random >> 16), kept;

	worker->done++;
	if (!object->at) {
		object->at = make(random >> 40, size);
		object->size = object->at ? size : 0;
		fill(object, (unsigned char)(random >> 24 | 1));
	} else if (random >> 60 < 4) {
		unsigned char *moved = realloc(object->at, size);

		if (!moved)
			return;
		object->at = moved;
		/* What both have, as far as every byte was written. */
		kept = object->size < size ? object->size : size;
		check(object, kept < 64 ? kept : 64);
		object->size = size;
		fill(object, object->mark);
	} else {
		check(object, object->size);
		free(object->at);
		*object = (struct object){};
	}
}

static void free_all(struct worker *worker)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		if (worker->slots[i].at)
			check(&worker->slots[i], worker->slots[i].size);
		free(worker->slots[i].at);
		worker->slots[i].at = NULL;
	}
}

/* A thread's last act. */
static void destroy(void *object)
{
	free(object);
	free(malloc(1000));
}

static void on_signal(int number)
{
	(void)number;
	handled++;
	if (!may_leave)
		return;
	/* Interrupted outside of malloc, as the thread says: everything is allowed. */
	may_leave = 0;
	for (unsigned i = 0; i < 20; i++)
		free(malloc(100 + i * 1000));
	if (handled % 2)
		siglongjmp(back, 1);
}

static void be_interrupted(void)
{
	if (sigsetjmp(back, 1) == 0) {
		may_leave = 1;
		for (volatile unsigned i = 0; i < 20000 && may_leave; i++)
			;
		may_leave = 0;
	}
}

static void *work(void *context)
{
	struct worker *worker = context;
	stack_t stack = { .ss_size = SIGNAL_STACK, .ss_sp = malloc(SIGNAL_STACK) };
	pthread_t next;

	sigaltstack(&stack, NULL);
	pthread_setspecific(at_exit, malloc(200));
	for (unsigned i = 0; i < TURN && worker->left; i++, worker->left--) {
		operate(worker);
		if (i % 1024 == 0)
			be_interrupted();
	}
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, NULL);
	free(stack.ss_sp);
	if (worker->left && !failed && pthread_create(&next, NULL, work, worker) == 0) {
		pthread_detach(next);
		return NULL;
	}
	free_all(worker);
	pthread_mutex_lock(&total_lock);
	total += worker->done;
	pthread_mutex_unlock(&total_lock);
	free(worker);
	alive--;
	return NULL;
}

static void *load(void *context)
{
	(void)context;
	while (alive) {
		void *library = dlopen("libz.so.1", RTLD_NOW | RTLD_LOCAL);

		if (library && !dlsym(library, "zlibVersion"))
			fail("a library has lost its symbols");
		if (library)
			dlclose(library);
		(void)dlopen("/no/such/library.so",
			     RTLD_NOW); /* dlerror's text is allocated, too */
		usleep(2000);
	}
	return NULL;
}

static void be_child(unsigned number)
{
	static struct worker worker;
	struct itimerval none = {};

	setitimer(ITIMER_REAL, &none, NULL);
	if (number % 3 == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(3);
	}
	worker.random = number * 7919 + 1;
	for (unsigned i = 0; i < 5000; i++)
		operate(&worker);
	if (number % 3 == 1) {
		pid_t grandchild = fork();
		int status;

		if (grandchild == 0) {
			free_all(&worker);
			_exit(failed);
		}
		if (waitpid(grandchild, &status, 0) < 0 || status)
			_exit(4);
	}
	free_all(&worker);
	_exit(failed);
}

static void fork_one(unsigned number)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		be_child(number);
	if (child < 0 && errno != EAGAIN)
		fail("fork failed");
	while (child > 0 && waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			break;
	if (child > 0 && status) {
		fprintf(stderr, "heap_torture: child %u ended with %#x\n", number,
			(unsigned)status);
		failed = true;
	}
}

int main(int argc, char **argv)
{
	unsigned threads = argc > 1 ? (unsigned)atoi(argv[1]) : 4;
	uint64_t operations = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
	unsigned forks = argc > 3 ? (unsigned)atoi(argv[3]) : UINT32_MAX;
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_RESTART };
	struct itimerval timer = { { 0, TICK_US }, { 0, TICK_US } };
	pthread_t loader;

	pthread_key_create(&at_exit, destroy);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (unsigned i = 0; i < threads; i++) {
		struct worker *worker = calloc(1, sizeof(*worker));
		pthread_t thread;

		worker->random = i * 104729 + 12345;
		worker->left = operations;
		alive++;
		if (pthread_create(&thread, NULL, work, worker) != 0)
			return 1;
		pthread_detach(thread);
	}
	pthread_create(&loader, NULL, load, NULL);
	for (unsigned i = 0; i < forks && alive && !failed; i++) {
		fork_one(i);
		usleep(10000);
	}
	while (alive)
		usleep(10000);
	pthread_join(loader, NULL);
	timer = (struct itimerval){};
	setitimer(ITIMER_REAL, &timer, NULL);
	printf("%llu\n", (unsigned long long)total);
	return failed;
}
