// SPDX-License-Identifier: Apache-2.0
/* Whose pids /proc shows, by what it says of this process. */
#include "test.h"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/view.h"

static void one_pid_is_our_own_view(void **state)
{
	(void)state;
	assert_true(proc_view_is_own("Name:\tprofd\nNStgid:\t7\t8\nNSpid:\t7\nNSpgid:\t7\t8\n"));
	assert_true(proc_view_is_own("Name:\tprofd\nNSpid:\t4194304"));
}

static void two_pids_are_a_view_from_around(void **state)
{
	(void)state;
	assert_false(proc_view_is_own("Name:\tprofd\nNSpid:\t1234\t1\nNSpgid:\t0\t0\n"));
	assert_false(proc_view_is_own("Name:\tprofd\nNSpid:\t1234\t56\t1\n"));
}

/* A name can hold anything but a newline, which is written \n. */
static void names_deceive_nobody(void **state)
{
	(void)state;
	assert_true(proc_view_is_own("Name:\tNSpid:\t1\t2\nNSpid:\t7\n"));
	assert_false(proc_view_is_own("Name:\tNSpid:\t1\nNSpid:\t7\t8\n"));
}

static void kernels_without_namespaces_have_one_view(void **state)
{
	(void)state;
	assert_true(proc_view_is_own("Name:\tprofd\nTgid:\t7\n"));
	assert_true(proc_view_is_own(""));
}

/* Tests are started where /proc is as it should be. */
static void here_it_is_our_own(void **state)
{
	bool differ;

	(void)state;
	assert_ok(proc_view_check(&differ));
}

static void what_is_gone_is_not_hidden(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_false(proc_view_hides(pid));
	assert_false(proc_view_hides(getpid()));
}

/* What a child finds that the kernel lets make namespaces (not everywhere: then it is 77). */
static int in_namespaces(int flags, int (*look)(void))
{
	pid_t outer = fork(), inner;
	int status;

	if (outer == 0) {
		if (unshare(flags) < 0)
			_exit(77);
		inner = fork(); /* only children are in a new pid namespace */
		if (inner == 0)
			_exit(look());
		if (inner < 0 || waitpid(inner, &status, 0) < 0 || !WIFEXITED(status))
			_exit(1);
		_exit(WEXITSTATUS(status));
	}
	assert_int_equal(waitpid(outer, &status, 0), outer);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int look_at_user_namespace(void)
{
	return proc_view_in_user_namespace() ? 0 : 1;
}

static int look_at_proc(void)
{
	bool differ;

	return proc_view_check(&differ) == PROC_VIEW_FOREIGN ? 0 : 1;
}

static void root_of_a_user_namespace_is_found_out(void **state)
{
	int found = in_namespaces(CLONE_NEWUSER, look_at_user_namespace);

	(void)state;
	if (found == 77)
		skip();
	assert_int_equal(found, 0);
}

static void proc_of_the_namespace_around_is_foreign(void **state)
{
	int found = in_namespaces(CLONE_NEWUSER | CLONE_NEWPID, look_at_proc);

	(void)state;
	if (found == 77)
		skip();
	assert_int_equal(found, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_pid_is_our_own_view),
		cmocka_unit_test(two_pids_are_a_view_from_around),
		cmocka_unit_test(names_deceive_nobody),
		cmocka_unit_test(kernels_without_namespaces_have_one_view),
		cmocka_unit_test(here_it_is_our_own),
		cmocka_unit_test(what_is_gone_is_not_hidden),
		cmocka_unit_test(root_of_a_user_namespace_is_found_out),
		cmocka_unit_test(proc_of_the_namespace_around_is_foreign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
