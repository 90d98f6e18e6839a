// SPDX-License-Identifier: Apache-2.0
/*
 * Holds memory by several functions, each of which knows how much, at some thousand calls a second: few
 * enough that a running process can be followed by probes.
 *
 * usage: heap_slow INTERVAL [go] [wait] [exec | fork | die | busy | filtered]
 * Prints a line for each function, as heap_holder does, then "done".
 * go: begins when a byte comes on its standard input. wait: goes on until its standard input ends, and, when
 * another byte comes: exec: becomes another program, which prints "again"; fork: a child frees all that it
 * has from its parent, and "freed" is printed; die: is killed; busy: allocates and frees as fast as it can
 * for two seconds, then frees all that it held and prints "freed". filtered: system calls that a kernel
 * makes of probes end it.
 */
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <malloc.h>
#include <pthread.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap_truth.h"

#define APART extern "C" __attribute__((noinline))

enum { ROUNDS = 1200, AT_ONCE = 25 };

/* A program that never calls operator new, which C++ programs do. */
#ifdef WITHOUT_NEW
static char *make(size_t size)
{
	return (char *)malloc(size);
}

static void destroy(char *object)
{
	free(object);
}
#else
static char *make(size_t size)
{
	return new char[size];
}

static void destroy(char *object)
{
	delete[] object;
}
#endif

static truth *now;
static void *kept[100000];
static size_t kept_count;
static volatile char sink;

static void *touched(void *object)
{
	*(volatile char *)object = 1;
	return object;
}

static void keep(void *object, size_t size)
{
	now->add(size);
	kept[kept_count++] = touched(object);
}

/* Not faster than can be followed. */
static void rest(unsigned round)
{
	if (round % AT_ONCE == 0)
		usleep(1500);
}

APART void blocks()
{
	for (unsigned i = 0; i < ROUNDS; i++, rest(i))
		keep(malloc(16 + i * 7 % 3000), 16 + i * 7 % 3000);
}

APART void cleared_blocks()
{
	for (unsigned i = 0; i < ROUNDS; i++, rest(i))
		keep(calloc(i % 100 + 1, 17), (i % 100 + 1) * 17);
}

APART void grown_blocks()
{
	for (unsigned i = 0; i < ROUNDS / 3; i++, rest(i)) {
		void *object = realloc(NULL, 100);

		object = realloc(touched(object), 1500);
		/* It cannot be had: what there is stays. */
		if (realloc(touched(object), (size_t)3 << 45))
			abort();
		if (i % 2 == 0)
			keep(realloc(object, 4000), 4000);
		else
			keep(object, 1500);
	}
	for (unsigned i = 0; i < 20; i++) /* those that have a mapping of their own */
		keep(realloc(touched(malloc(200000)), 500000), 500000);
}

APART void aligned_blocks()
{
	for (unsigned i = 0; i < ROUNDS / 3; i++, rest(i)) {
		void *object = nullptr;

		keep(aligned_alloc(64, 2048), 2048);
		keep(memalign(16, 1000), 1000);
		if (posix_memalign(&object, 256, 1500) == 0)
			keep(object, 1500);
	}
}

APART void new_objects()
{
	for (unsigned i = 0; i < ROUNDS; i++, rest(i))
		keep(make(256 + i), 256 + i);
}

static void *blocks_at[ROUNDS];
static char *objects_at[ROUNDS];

static void *free_half(void *nothing)
{
	for (unsigned i = 0; i < ROUNDS; i += 2, rest(i)) {
		free(blocks_at[i]);
		destroy(objects_at[i]);
	}
	return nothing;
}

/* Every other one, each in the way that it was made, by another thread. */
APART void half_freed()
{
	pthread_t thread;

	for (unsigned i = 0; i < ROUNDS; i++, rest(i)) {
		blocks_at[i] = touched(malloc(700));
		objects_at[i] = make(900);
	}
	if (pthread_create(&thread, nullptr, free_half, nullptr) != 0 ||
	    pthread_join(thread, nullptr) != 0)
		abort();
	for (unsigned i = 1; i < ROUNDS; i += 2) {
		keep(blocks_at[i], 700);
		keep((void *)objects_at[i], 900);
	}
}

APART void freed_again()
{
	for (unsigned i = 0; i < ROUNDS; i++, rest(i)) {
		void *block = malloc(2000), *other = nullptr;
		char *object = make(1);

		sink = *(volatile char *)touched(block);
		free(realloc(block, 5000));
		if (posix_memalign(&other, 64, 3000) == 0)
			free(touched(other));
		touched(object);
		destroy(object);
		free(NULL);
	}
}

static void tell(const char *name, void (*hold)())
{
	static truth all[16], *next = all;

	now = next++;
	hold();
	printf("%s %.0f %.0f %.6g %.6g\n", name, now->bytes, now->objects, now->variance,
	       now->objects_variance);
}

static void free_all()
{
	for (size_t i = 0; i < kept_count; i++)
		free(kept[i]);
	kept_count = 0;
}

static void be_busy()
{
	for (time_t end = time(nullptr) + 2; time(nullptr) < end;) {
		for (unsigned i = 0; i < 1000; i++) {
			void *block = malloc(100);

			sink = *(volatile char *)touched(block);
			free(block);
		}
	}
	free_all();
	printf("freed\n");
}

static void let_child_free()
{
	if (fork() == 0) {
		free_all();
		_exit(0);
	}
	if (wait(nullptr) > 0)
		printf("freed\n");
}

/* uretprobe and uprobe, seccomp(2) */
static void filter_probes()
{
	sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 335, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 336, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		abort();
}

int main(int argc, char **argv)
{
	char byte, text[64];
	bool goes = false, waits = false;
	const char *then = "";

	interval = argc > 1 ? atof(argv[1]) : 524288;
	setvbuf(stdout, text, _IOLBF, sizeof(text));
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "go") == 0)
			goes = true;
		else if (strcmp(argv[i], "wait") == 0)
			waits = true;
		else
			then = argv[i];
	}
	if (strcmp(then, "filtered") == 0)
		filter_probes();
	if (strcmp(then, "again") == 0)
		printf("again\n");
	else
		printf("ready\n");
	if (goes && read(0, &byte, 1) != 1)
		return 1;
	if (strcmp(then, "again") != 0) {
		tell("blocks", blocks);
		tell("cleared_blocks", cleared_blocks);
		tell("grown_blocks", grown_blocks);
		tell("aligned_blocks", aligned_blocks);
		tell("new_objects", new_objects);
		tell("half_freed", half_freed);
		tell("freed_again", freed_again);
		printf("done\n");
	}
	if (waits && read(0, &byte, 1) != 1)
		return 1;
	if (strcmp(then, "exec") == 0)
		execl(argv[0], argv[0], argv[1], "wait", "again", (char *)nullptr);
	else if (strcmp(then, "fork") == 0)
		let_child_free();
	else if (strcmp(then, "die") == 0)
		(void)raise(SIGKILL);
	else if (strcmp(then, "busy") == 0)
		be_busy();
	while (waits && read(0, &byte, 1) > 0)
		;
	return 0;
}
