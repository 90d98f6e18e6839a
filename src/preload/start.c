// SPDX-License-Identifier: Apache-2.0
/* What happens once: before the program begins, and in each child of fork. */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <time.h>

#include "preload/gap.h"
#include "preload/machine.h"
#include "preload/next.h"
#include "preload/python.h"
#include "preload/region_new.h"
#include "preload/sampler.h"
#include "preload/sampler_start.h"
#include "preload/system.h"

static struct region_wish wish;
static char told[128];
static uint32_t *fork_mark;
static long seccomp_at_start;
static uint64_t random_state;

/* Their runtimes are the allocator, keep a record of every object, and tell of their own bugs in us. */
static bool is_sanitized(void)
{
	static const char *const names[] = { "__asan_init", "__tsan_init", "__msan_init",
					     "__hwasan_init" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (dlsym(RTLD_DEFAULT, names[i]))
			return true;
	return false;
}

/*
 * What the program calls as malloc: the address would not tell, for a program may have a stub of its
 * own that leads here.
 */
static bool has_own_allocator(void)
{
	void *(*its_malloc)(size_t size);
	void (*its_free)(void *object);

	*(void **)(void *)&its_malloc = dlsym(RTLD_DEFAULT, "malloc");
	*(void **)(void *)&its_free = dlsym(RTLD_DEFAULT, "free");
	if (!its_malloc || !its_free)
		return false;
	sampler_thread.countdown = 1000;
	its_free(its_malloc(24));
	return sampler_thread.countdown == 1000;
}

static uint64_t read_interval(void)
{
	const char *text = getenv(HEAP_INTERVAL_VARIABLE);
	uint64_t interval = 0;

	while (text && *text >= '0' && *text <= '9' && interval <= HEAP_INTERVAL_MAX)
		interval = interval * 10 + (uint64_t)(*text++ - '0');
	return interval >= HEAP_INTERVAL_MIN && interval <= HEAP_INTERVAL_MAX ? interval
									      : HEAP_INTERVAL_BYTES;
}

static void read_told(void)
{
	const char *text = getenv(HEAP_SOCKET_VARIABLE);

	for (unsigned i = 0; text && text[i] && i < sizeof(told) - 1; i++)
		told[i] = text[i];
}

static void plant(void)
{
	const uint64_t *given = (const uint64_t *)getauxval(AT_RANDOM);
	struct timespec now = {};

	clock_gettime(CLOCK_MONOTONIC, &now);
	random_state ^= (uint64_t)now.tv_nsec << 32 ^ (uint64_t)now.tv_sec ^
			(uint64_t)SYSTEM_CALL_1(SYS_getpid, 0) << 40;
	if (given) /* 16 bytes, not to be given away: the C library's canary is in the first ones */
		random_state ^= (given[0] ^ given[1] >> 7) * 0x9e3779b97f4a7c15ULL;
	if (!random_state)
		random_state = 1;
	(void)gap_random(&random_state);
}

static uint64_t new_nonce(void)
{
	uint64_t nonce = gap_random(&random_state);

	return nonce ? nonce : 1;
}

static uint64_t main_stack_end(void)
{
	void **end = dlsym(RTLD_DEFAULT, "__libc_stack_end");

	return end ? (uint64_t)(uintptr_t)*end : getauxval(AT_RANDOM);
}

/*
 * Where glibc keeps a thread's id, as it tells debuggers (nptl_db): the size in bits, how many, the
 * offset.
 */
static uint32_t thread_id_offset(void)
{
	const uint32_t *field = dlsym(RTLD_DEFAULT, "_thread_db_pthread_tid");

	if (!MACHINE_FINDS_THREAD_ID || !field || field[0] != 32 || field[2] > 4096)
		return 0;
	return machine_thread_id(field[2]) == (uint32_t)SYSTEM_CALL_1(SYS_gettid, 0) ? field[2] : 0;
}

/* fork(3) calls this in the child, which has one thread, before it returns. */
static void after_fork(void)
{
	struct heap_header *parent = sampler_region(), *region = NULL;

	if (!parent)
		return;
	wish.parent_nonce = wish.nonce;
	wish.nonce = new_nonce() ^ (uint64_t)SYSTEM_CALL_1(SYS_getpid, 0) << 24;
	wish.first_id = sampler_first_id();
	wish.interval = __atomic_load_n(&parent->interval, __ATOMIC_RELAXED);
	*fork_mark = 1;
	/* A filter that the program has set for itself may kill for any of what is needed here. */
	if (region_seccomp() == seccomp_at_start)
		region = region_new(&wish);
	sampler_after_fork(region, gap_random(&random_state) ^ wish.nonce);
	region_free(parent);
}

static void watch_forks(void)
{
	int (*register_fork)(void (*)(void), void (*)(void), void (*)(void), void *);
	int (*at_fork)(void (*)(void), void (*)(void), void (*)(void));

	*(void **)(void *)&register_fork = dlsym(RTLD_DEFAULT, "__register_atfork");
	if (register_fork) {
		(void)register_fork(NULL, NULL, after_fork, NULL);
		return;
	}
	*(void **)(void *)&at_fork = dlsym(RTLD_DEFAULT, "pthread_atfork");
	if (at_fork)
		(void)at_fork(NULL, NULL, after_fork);
}

static __attribute__((constructor)) void start(void)
{
	struct sampler_beginning beginning = {};

	next_resolve();
	fork_mark = is_sanitized() ? NULL : region_fork_mark();
	if (fork_mark) {
		read_told();
		plant();
		seccomp_at_start = region_seccomp();
		wish.told = told;
		wish.interval = read_interval();
		wish.nonce = new_nonce();
		wish.first_id = 1;
		if (has_own_allocator())
			wish.flags |= HEAP_OWN_ALLOCATOR;
		if (python_is_there())
			wish.flags |= HEAP_PYTHON;
		beginning.region = region_new(&wish);
	}
	if (beginning.region) {
		watch_forks();
		beginning.fork_mark = fork_mark;
		beginning.seed = gap_random(&random_state);
		beginning.main_stack_end = main_stack_end();
		beginning.thread_id_offset = thread_id_offset();
		if (wish.flags & HEAP_PYTHON)
			python_watch();
	}
	sampler_start(&beginning);
	/* What was not found is not the program's error. */
	(void)dlerror();
}
