// SPDX-License-Identifier: Apache-2.0
/* A tree of folders as systemd and the runtimes of containers make it. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "proc/cgroup_find.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "0123457789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char root_path[] = "/tmp/profd-groups-XXXXXX";
static int root = -1;

static const char *const folders[] = {
	"system.slice",
	"system.slice/nginx.service",
	"system.slice/nginx.service/sub.service",
	"system.slice/docker-" ID ".scope",
	"system.slice/docker-" ID ".scope/" ID,
	"docker",
	"docker/" ID2,
	"user.slice",
	"user.slice/user@1.service",
	"user.slice/user@1.service/app.service",
	"user.slice/b",
	"user.slice/b/app.service",
	"machine.slice",
	"machine.slice/machine-my\\x2dbox.scope",
};

static int begin(void **state)
{
	(void)state;
	if (!mkdtemp(root_path))
		return -1;
	root = open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (mkdirat(root, folders[i], 0700) < 0)
			return -1;
	return symlinkat("/", root, "link.service");
}

static int end(void **state)
{
	(void)state;
	(void)unlinkat(root, "link.service", 0);
	for (size_t i = ARRAY_SIZE(folders); i-- > 0;)
		(void)unlinkat(root, folders[i], AT_REMOVEDIR);
	close(root);
	return rmdir(root_path);
}

static void assert_found(enum cgroup_kind kind, const char *name, int want, const char *path)
{
	cleanup(bytes_fini) struct bytes got = {};

	assert_int_equal(cgroup_find(&got, root, kind, name), want);
	assert_string_equal(bytes_str(&got), path);
}

static void units_are_found(void **state)
{
	(void)state;
	assert_found(CGROUP_UNIT, "nginx.service", 0, "system.slice/nginx.service");
	assert_found(CGROUP_UNIT, "nginx", 0, "system.slice/nginx.service");
	assert_found(CGROUP_UNIT, "system.slice", 0, "system.slice");
	assert_found(CGROUP_UNIT, "user@1", 0, "user.slice/user@1.service");
	assert_found(CGROUP_UNIT, "ngin", -ENOENT, "");
	assert_found(CGROUP_UNIT, "", -ENOENT, "");
	assert_found(CGROUP_UNIT, "sub", 0, "system.slice/nginx.service/sub.service");
	/* A link is no group. */
	assert_found(CGROUP_UNIT, "link", -ENOENT, "");
}

static void containers_are_found(void **state)
{
	(void)state;
	assert_found(CGROUP_CONTAINER, ID, 0, "system.slice/docker-" ID ".scope");
	assert_found(CGROUP_CONTAINER, "0123456", 0, "system.slice/docker-" ID ".scope");
	assert_found(CGROUP_CONTAINER, "0123457", 0, "docker/" ID2);
	assert_found(CGROUP_CONTAINER, "my-box", 0, "machine.slice/machine-my\\x2dbox.scope");
	assert_found(CGROUP_CONTAINER, "my-bo", -ENOENT, "");
	assert_found(CGROUP_CONTAINER, "01234", -ENOENT, "");
	assert_found(CGROUP_CONTAINER, "1123456", -ENOENT, "");
}

static void several_are_told(void **state)
{
	cleanup(bytes_fini) struct bytes got = {};

	(void)state;
	assert_int_equal(cgroup_find(&got, root, CGROUP_CONTAINER, "012345"), CGROUP_AMBIGUOUS);
	assert_non_null(strstr(bytes_str(&got), "docker/" ID2));
	assert_non_null(strstr(got.at, "system.slice/docker-" ID ".scope"));
	assert_non_null(strstr(got.at, ", "));
	bytes_fini(&got);
	got = (struct bytes){};
	assert_int_equal(cgroup_find(&got, root, CGROUP_UNIT, "app"), CGROUP_AMBIGUOUS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_are_found),
		cmocka_unit_test(containers_are_found),
		cmocka_unit_test(several_are_told),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
