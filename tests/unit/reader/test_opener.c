// SPDX-License-Identifier: Apache-2.0
/* Whose files are opened on the word of an object. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "reader/opener.h"

enum { SOMEBODY = 65534 };

static char folder[] = "/tmp/profd-test-opener-XXXXXX";

/* How many files come of this path below a root (-1: ours), for an object of that owner. */
static unsigned open_for(int root, const char *path, uint32_t owner)
{
	struct {
		struct wire_open_files head;
		char path[128];
	} payload = { .head = { .owner = owner } };
	const struct question question = { .what = OPENER_FILES };
	struct reply reply = {};

	assert_true(strlen(path) < sizeof(payload.path));
	strcpy(payload.path, path);
	assert_ok(opener_answer(NULL, &question, &payload,
				sizeof(payload.head) + strlen(path) + 1, &root, root >= 0, &reply));
	for (uint32_t i = 0; i < reply.fd_count; i++)
		close(reply.fds[i]);
	bytes_fini(&reply.bytes);
	return reply.fd_count;
}

static const char *below(const char *path)
{
	static char whole[256];

	snprintf(whole, sizeof(whole), "%s%s", folder, path);
	return whole;
}

static void make_file(const char *path, mode_t mode)
{
	cleanup(close) int fd = open(below(path), O_WRONLY | O_CREAT | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_ok(fchmod(fd, mode));
}

static void files_of_root_are_for_objects_of_root(void **state)
{
	(void)state;
	assert_int_equal(open_for(-1, "/etc/passwd", 0), 1);
	assert_int_equal(open_for(-1, "/etc/passwd", SOMEBODY), 0);
	assert_int_equal(open_for(-1, "/usr/lib/debug/../../../etc/passwd", SOMEBODY), 0);
	assert_int_equal(open_for(-1, "/proc/version", 0), 0);
}

static void debug_files_of_packages_are_for_all(void **state)
{
	cleanup(close) int root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	if (geteuid() != 0)
		skip(); /* whose files are not root's */
	assert_ok(mkdir(below("/usr"), 0755));
	assert_ok(mkdir(below("/usr/lib"), 0755));
	assert_ok(mkdir(below("/usr/lib/debug"), 0755));
	make_file("/usr/lib/debug/for-all", 0644);
	make_file("/usr/lib/debug/for-root", 0640);
	make_file("/usr/lib/secret", 0644);
	make_file("/beside", 0644);
	assert_ok(symlink("../secret", below("/usr/lib/debug/link")));
	assert_ok(symlink("for-all", below("/usr/lib/debug/inside")));
	assert_int_equal(open_for(root, "/usr/lib/debug/for-all", SOMEBODY), 1);
	assert_int_equal(open_for(root, "/usr/lib/debug/inside", SOMEBODY), 1);
	assert_int_equal(open_for(root, "/usr/lib/debug/for-root", SOMEBODY), 0);
	assert_int_equal(open_for(root, "/usr/lib/debug/link", SOMEBODY), 0);
	assert_int_equal(open_for(root, "/beside", SOMEBODY), 0);
	assert_int_equal(open_for(root, "/usr/lib/debug/for-root", 0), 1);
	assert_int_equal(open_for(root, "/usr/lib/debug/link", 0), 1);
	assert_int_equal(open_for(root, "/beside", 0), 1);
	assert_ok(chown(below("/beside"), SOMEBODY, 0));
	assert_int_equal(open_for(root, "/beside", SOMEBODY), 1);
	assert_int_equal(open_for(root, "/beside", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_of_root_are_for_objects_of_root),
		cmocka_unit_test(debug_files_of_packages_are_for_all),
	};
	char command[64];
	int r;

	if (!mkdtemp(folder))
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command) == 0 ? r : 1;
}
