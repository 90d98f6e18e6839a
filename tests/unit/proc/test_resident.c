// SPDX-License-Identifier: Apache-2.0
/* Which of our own pages are there, as the kernel scans them and word by word. */
#include "test.h"

#include <errno.h>
#include <stdbool.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/resident.h"

enum { PAGES = 700, PAGE = 4096 };

struct seen {
	uint64_t start;
	bool there[PAGES];
	unsigned flags;
	uint64_t last;
};

static int note(void *context, uint64_t from, uint64_t to, unsigned flags)
{
	struct seen *seen = context;

	assert_true(from < to && from >= seen->last);
	seen->last = to;
	seen->flags |= flags;
	for (; from < to; from += PAGE)
		seen->there[(from - seen->start) / PAGE] = true;
	return 0;
}

static void check_pattern(bool words)
{
	struct resident resident = RESIDENT_NULL;
	volatile char *at = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct seen seen = { .start = (uint64_t)(uintptr_t)at };

	assert_ptr_not_equal((void *)at, MAP_FAILED);
	madvise((void *)at, PAGES * PAGE, MADV_NOHUGEPAGE);
	for (int i = 0; i < PAGES; i++)
		if (i % 3 != 1)
			at[i * PAGE] = 1;
	madvise((void *)(at + 300 * PAGE), 10 * PAGE, MADV_DONTNEED);
	assert_ok(resident_open(&resident, getpid(), words));
	if (words)
		assert_true(resident.words);
	assert_true(resident_alive(&resident));
	assert_ok(resident_scan(&resident, seen.start, seen.start + PAGES * PAGE, note, &seen));
	for (int i = 0; i < PAGES; i++)
		assert_int_equal(seen.there[i], i % 3 != 1 && (i < 300 || i >= 310));
	assert_false(seen.flags & (RESIDENT_FILE | RESIDENT_HUGE));
	resident_close(&resident);
	munmap((void *)at, PAGES * PAGE);
}

static void scanned(void **state)
{
	(void)state;
	check_pattern(false);
}

static void word_by_word(void **state)
{
	(void)state;
	check_pattern(true);
}

static void shared_memory_is_told_apart(void **state)
{
	(void)state;
	for (int words = 0; words < 2; words++) {
		struct resident resident = RESIDENT_NULL;
		volatile char *at =
			mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		struct seen seen = { .start = (uint64_t)(uintptr_t)at };

		*at = 1;
		assert_ok(resident_open(&resident, getpid(), words));
		assert_ok(resident_scan(&resident, seen.start, seen.start + PAGE, note, &seen));
		assert_true(seen.there[0]);
		assert_true(seen.flags & RESIDENT_FILE);
		resident_close(&resident);
		munmap((void *)at, PAGE);
	}
}

static int refuse(void *context, uint64_t from, uint64_t to, unsigned flags)
{
	(void)context;
	(void)from;
	(void)to;
	(void)flags;
	return 5;
}

/* The file outlives the process; what it tells of is gone. */
static void a_process_that_has_ended(void **state)
{
	struct resident resident = RESIDENT_NULL;
	uint64_t here = (uint64_t)(uintptr_t)&resident & ~(uint64_t)(PAGE - 1);
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		pause();
		_exit(0);
	}
	assert_ok(resident_open(&resident, pid, false));
	assert_true(resident_alive(&resident));
	assert_int_equal(resident_scan(&resident, here, here + PAGE, refuse, NULL), 5);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_false(resident_alive(&resident));
	assert_ok(resident_scan(&resident, here, here + PAGE, refuse, NULL));
	resident_close(&resident);
	assert_errno(resident_open(&resident, pid, false), ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scanned),
		cmocka_unit_test(word_by_word),
		cmocka_unit_test(shared_memory_is_told_apart),
		cmocka_unit_test(a_process_that_has_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
