// SPDX-License-Identifier: Apache-2.0
/* A child's memory, which changes when it is told to. */
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/memory.h"

enum { PAGES = 4 };

struct child {
	pid_t pid;
	int go, done;
	unsigned char *
		at; /* PAGES pages of it, of which the third is not mapped, and one not there yet */
};

static unsigned char byte_at(size_t offset)
{
	return (unsigned char)(offset * 7 + offset / 256);
}

static void child_main(unsigned char *at, int go, int done)
{
	char byte;

	for (size_t i = 0; i < PAGES * MEMORY_PAGE_BYTES; i++)
		at[i] = byte_at(i);
	(void)munmap(at + 2 * MEMORY_PAGE_BYTES, MEMORY_PAGE_BYTES);
	(void)!write(done, "", 1);
	while (read(go, &byte, 1) == 1) {
		at[0]++;
		(void)!write(done, "", 1);
	}
	_exit(0);
}

static int begin(void **state)
{
	static struct child child;
	int go[2], done[2];
	char byte;

	child.at = mmap(NULL, (PAGES + 1) * MEMORY_PAGE_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (child.at == MAP_FAILED || pipe(go) < 0 || pipe(done) < 0)
		return -1;
	child.pid = fork();
	if (child.pid == 0) {
		close(go[1]);
		child_main(child.at, go[0], done[1]);
	}
	close(go[0]);
	child.go = go[1];
	child.done = done[0];
	*state = &child;
	return child.pid < 0 || read(child.done, &byte, 1) != 1;
}

static int end(void **state)
{
	struct child *child = *state;

	close(child->go);
	return waitpid(child->pid, NULL, 0) != child->pid;
}

static uint64_t expected(size_t offset)
{
	unsigned char bytes[8];
	uint64_t word;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = byte_at(offset + i);
	memcpy(&word, bytes, sizeof(word));
	return word;
}

static void words_are_read_anywhere(void **state)
{
	static const size_t offsets[] = { 0,	1,    4088,  4089,  4092, 4095,
					  4096, 8184, 12288, 12289, 16376 };
	static struct process_memory memory;
	struct child *child = *state;
	uint64_t word;

	process_memory_init(&memory, child->pid);
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		assert_ok(process_memory_word(&memory, &word,
					      (uint64_t)(uintptr_t)child->at + offsets[i]));
		assert_int_equal(word, expected(offsets[i]));
	}
	process_memory_fini(&memory);
}

static void nothing_is_read_where_nothing_is(void **state)
{
	static const size_t offsets[] = { 8185, 8192, 12281, 12287 };
	static struct process_memory memory;
	struct child *child = *state;
	uint64_t word = 1;

	process_memory_init(&memory, child->pid);
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		assert_errno(process_memory_word(&memory, &word,
						 (uint64_t)(uintptr_t)child->at + offsets[i]),
			     EFAULT);
	/* Mapped, but no page has come yet: nor does one come by reading. */
	assert_errno(process_memory_word(&memory, &word,
					 (uint64_t)(uintptr_t)child->at +
						 PAGES * MEMORY_PAGE_BYTES),
		     EFAULT);
	assert_errno(process_memory_word(&memory, &word, 0), EFAULT);
	assert_errno(process_memory_word(&memory, &word, UINT64_MAX - 3), EFAULT);
	assert_errno(process_memory_word(&memory, &word, UINT64_MAX), EFAULT);
	assert_int_equal(word, 1);
	assert_int_equal(memory.error, 0);
	process_memory_fini(&memory);
}

static void what_was_read_is_kept_until_it_is_forgotten(void **state)
{
	static struct process_memory memory;
	struct child *child = *state;
	uint64_t first, word;
	char byte;

	process_memory_init(&memory, child->pid);
	assert_ok(process_memory_word(&memory, &first, (uint64_t)(uintptr_t)child->at));
	assert_int_equal(write(child->go, "", 1), 1);
	assert_int_equal(read(child->done, &byte, 1), 1);
	assert_ok(process_memory_word(&memory, &word, (uint64_t)(uintptr_t)child->at));
	assert_int_equal(word, first);
	process_memory_forget(&memory);
	assert_ok(process_memory_word(&memory, &word, (uint64_t)(uintptr_t)child->at));
	assert_int_equal(word, first + 1);
	process_memory_fini(&memory);
}

static void a_process_that_is_gone_is_an_error(void **state)
{
	static struct process_memory memory;
	uint64_t word;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	process_memory_init(&memory, pid);
	assert_errno(process_memory_word(&memory, &word, 4096), ESRCH);
	assert_errno(memory.error, ESRCH);
	process_memory_fini(&memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_read_anywhere),
		cmocka_unit_test(nothing_is_read_where_nothing_is),
		cmocka_unit_test(what_was_read_is_kept_until_it_is_forgotten),
		cmocka_unit_test(a_process_that_is_gone_is_an_error),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
