// SPDX-License-Identifier: Apache-2.0
/* Who is watched, as forks, execs and reused pids come by; this process is one that /proc knows. */
#include "test.h"

#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "source/comm_glob.h"
#include "source/copy_filter.h"
#include "source/lifecycle.h"

enum { PARENT = 4190001, CHILD = 4190002, OTHER = 4190003 }; /* below PID_MAX_LIMIT, hardly used */

static struct copy_filter filter_of(const struct wire_config *config, const struct wire_glob *glob)
{
	return (struct copy_filter){ .config = config, .comm = glob, .cgroup_fd = -1 };
}

static int sample(struct copy_filter *filter, pid_t pid)
{
	struct wire_sample one = { .pid = (uint32_t)pid,
				   .tid = (uint32_t)pid,
				   .outcome = WALK_NO_PROCESS };

	return copy_filter_sample(filter, &one);
}

static void forked(struct copy_filter *filter, pid_t parent, pid_t child, uint64_t time_ns)
{
	struct lifecycle_event event = { .type = LIFECYCLE_FORK,
					 .time_ns = time_ns,
					 .pid = child,
					 .tid = child,
					 .parent_pid = parent,
					 .text = "" };

	assert_int_equal(copy_filter_event(filter, &event), 0);
}

static void became(struct copy_filter *filter, pid_t pid, const char *comm, uint64_t time_ns)
{
	struct lifecycle_event event = {
		.type = LIFECYCLE_EXEC, .time_ns = time_ns, .pid = pid, .tid = pid, .text = comm
	};

	assert_int_equal(copy_filter_event(filter, &event), 0);
}

static void test_targets_and_children(void **state)
{
	const struct wire_config config = {};
	struct copy_filter filter = filter_of(&config, NULL);

	(void)state;
	assert_int_equal(copy_filter_watch(&filter, PARENT, TARGET_WATCHED, 100), 0);
	assert_int_equal(sample(&filter, PARENT), 1);
	assert_int_equal(sample(&filter, OTHER), 0);
	forked(&filter, PARENT, CHILD, 200);
	assert_int_equal(sample(&filter, CHILD), 0);
	assert_int_equal(copy_filter_watch(&filter, PARENT, TARGET_WATCHED | TARGET_INHERIT, 300),
			 0);
	forked(&filter, PARENT, CHILD, 400);
	assert_int_equal(sample(&filter, CHILD), 1);
	/* Somebody else's process gets the pid. */
	forked(&filter, OTHER, CHILD, 500);
	assert_int_equal(sample(&filter, CHILD), 0);
	/* What happened before it was watched is no news. */
	forked(&filter, OTHER, PARENT, 250);
	assert_int_equal(sample(&filter, PARENT), 1);
	copy_filter_fini(&filter);
}

static void test_command(void **state)
{
	const struct wire_config config = {};
	struct copy_filter filter = filter_of(&config, NULL);

	(void)state;
	assert_int_equal(copy_filter_watch(&filter, CHILD, TARGET_AT_EXEC | TARGET_INHERIT, 100),
			 0);
	assert_int_equal(sample(&filter, CHILD), 0);
	became(&filter, CHILD, "program", 200);
	assert_int_equal(sample(&filter, CHILD), 1);
	forked(&filter, CHILD, OTHER, 300);
	assert_int_equal(sample(&filter, OTHER), 1);
	copy_filter_fini(&filter);
}

static void test_names_and_users(void **state)
{
	struct wire_config config = { .everything = 1, .filter_uid = 1, .uid = getuid() };
	struct wire_glob glob;
	struct copy_filter filter = filter_of(&config, &glob);

	(void)state;
	config.own_tgid = UINT32_MAX;
	assert_int_equal(sample(&filter, getpid()), 1);
	config.uid = getuid() + 1;
	assert_int_equal(sample(&filter, getpid()), 0);
	config.filter_uid = 0;
	config.filter_comm = 1;
	assert_int_equal(comm_glob_compile(&glob, "renamed"), 0);
	assert_int_equal(sample(&filter, getpid()), 0);
	became(&filter, getpid(), "renamed", 100);
	assert_int_equal(sample(&filter, getpid()), 1);
	/* profd itself is no part of the machine. */
	config.own_tgid = (uint32_t)getpid();
	assert_int_equal(sample(&filter, getpid()), 0);
	copy_filter_fini(&filter);
}

static void test_watches_any(void **state)
{
	const struct wire_config config = {};
	struct copy_filter filter = filter_of(&config, NULL);

	(void)state;
	assert_false(copy_filter_watches_any(&filter));
	assert_int_equal(copy_filter_watch(&filter, PARENT, TARGET_WATCHED, 100), 0);
	assert_false(copy_filter_watches_any(&filter)); /* there is no such process */
	assert_int_equal(copy_filter_watch(&filter, getpid(), TARGET_WATCHED, 100), 0);
	assert_true(copy_filter_watches_any(&filter));
	copy_filter_fini(&filter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets_and_children),
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_names_and_users),
		cmocka_unit_test(test_watches_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
