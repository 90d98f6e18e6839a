// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/status: whose process it is, in containers and under names that pretend. */
#include "test.h"

#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "proc/status.h"

static void fields_are_found(void **state)
{
	struct proc_status status;

	(void)state;
	assert_ok(proc_status_parse(&status, "Name:\tnode\nUid:\t1\t2\t3\t4\nNSpid:\t5000\t70\t8\n"
					     "NSpgid:\t5000\t70\t9\n"));
	assert_int_equal(status.effective_uid, 2);
	assert_int_equal(status.filesystem_uid, 4);
	assert_int_equal(status.inner_pid, 8);
	assert_ok(proc_status_parse(&status, "Name:\tnode\nUid:\t0\t0\t0\t0\n"));
	assert_int_equal(status.inner_pid, 0);
}

/* The kernel writes a newline in a name as \n. */
static void a_name_is_no_line(void **state)
{
	struct proc_status status;

	(void)state;
	assert_ok(proc_status_parse(&status, "Name:\tUid:\t7\t7\t7\t7\nUid:\t1\t1\t1\t1\n"
					     "NSpid:\t12\n"));
	assert_int_equal(status.effective_uid, 1);
	assert_int_equal(status.inner_pid, 12);
}

static void other_texts_are_refused(void **state)
{
	struct proc_status status;

	(void)state;
	assert_errno(proc_status_parse(&status, ""), EINVAL);
	assert_errno(proc_status_parse(&status, "Uid:\t1\t1\t1\t1\n"), EINVAL);
	assert_errno(proc_status_parse(&status, "Name:\ta\nUid:\t1\t1\n"), EINVAL);
}

static void our_own_is_understood(void **state)
{
	cleanup(bytes_fini) struct bytes text = {};
	struct proc_status status;

	(void)state;
	assert_ok(fs_read(&text, -1, "/proc/self/status", 65536));
	assert_ok(proc_status_parse(&status, bytes_str(&text)));
	assert_int_equal(status.effective_uid, geteuid());
	assert_int_equal(status.inner_pid, getpid());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_found),
		cmocka_unit_test(a_name_is_no_line),
		cmocka_unit_test(other_texts_are_refused),
		cmocka_unit_test(our_own_is_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
