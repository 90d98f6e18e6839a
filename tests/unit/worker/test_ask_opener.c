// SPDX-License-Identifier: Apache-2.0
/* Who is to blame when the opener does not answer: paths tell misbehave.c what to do. */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "worker/ask_opener.h"

static struct workers workers;

static int begin(void **state)
{
	const char *program = getenv("MISBEHAVE");

	(void)state;
	if (!program)
		return -1;
	worker_set_program(program);
	workers_init(&workers);
	workers.opener.patience_ns = 200000000;
	return 0;
}

static int end(void **state)
{
	(void)state;
	workers_fini(&workers);
	return 0;
}

/* Opens the mapping of a thread. *asked: whether anybody was asked. */
static int open_mapping(pid_t thread, unsigned major, const char *path, bool *asked)
{
	const struct file_mapping mapping = { .start = 4096,
					      .end = 8192,
					      .inode = 1,
					      .device = makedev(major, 1),
					      .still_there = true,
					      .path = path };
	uint64_t before = workers.opener.sequence;
	struct opened opened;
	int root, r = ask_mapping(&workers, &opened, &root, thread, &mapping);

	*asked = workers.opener.sequence != before;
	return r;
}

/* Memory that is locked is not the fault of a file, nor of those beside it. */
static void locked_memory(void **state)
{
	bool asked;

	(void)state;
	assert_errno(open_mapping(getpid(), 0, "/locked", &asked), ENOENT);
	assert_int_equal(workers.opener.stuck, 1);
	assert_errno(open_mapping(getpid(), 0, "/locked/too", &asked), ENOENT);
	assert_int_equal(workers.opener.stuck, 1); /* by its path at once */
	assert_errno(open_mapping(1, 0, "/fine", &asked), ENOENT);
	assert_int_equal(workers.given_up, 0);
}

static void silent_device(void **state)
{
	bool asked;

	(void)state;
	assert_errno(open_mapping(getpid(), 0, "/silent", &asked), EIO);
	assert_true(asked);
	assert_errno(open_mapping(getpid(), 0, "/fine", &asked), EIO);
	assert_false(asked);
	assert_int_equal(workers.given_up, 2);
	assert_string_equal(workers.casualties.at[1].why, worker_outcome_text(WORKER_STUCK));
}

/* All files of a machine may be on it: it is slow today, or a path led elsewhere. */
static void silent_disk(void **state)
{
	bool asked;

	(void)state;
	assert_errno(open_mapping(getpid(), 8, "/silent", &asked), EIO);
	assert_errno(open_mapping(getpid(), 8, "/fine", &asked), ENOENT);
	assert_true(asked);
	assert_int_equal(workers.given_up, 1);
}

/* Links that lead to who knows where are their owner's. */
static void silent_debug_files(void **state)
{
	const struct object_identity users = { .device = 1, .owner = 1000 };
	const struct object_identity roots = { .device = 1, .owner = 0 };
	int files[MESSAGE_MAX_FDS];
	uint64_t asked;

	(void)state;
	assert_errno(ask_files(&workers, files, -1, &users, "/silent", 8), EIO);
	asked = workers.opener.sequence;
	assert_errno(ask_files(&workers, files, -1, &users, "/fine", 6), EIO);
	assert_int_equal(workers.opener.sequence, asked);
	assert_errno(ask_files(&workers, files, -1, &roots, "/fine", 6), ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(locked_memory, begin, end),
		cmocka_unit_test_setup_teardown(silent_device, begin, end),
		cmocka_unit_test_setup_teardown(silent_disk, begin, end),
		cmocka_unit_test_setup_teardown(silent_debug_files, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
