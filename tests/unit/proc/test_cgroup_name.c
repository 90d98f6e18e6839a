// SPDX-License-Identifier: Apache-2.0
/* Paths as systemd, Docker, containerd, CRI-O, Podman, LXC and nspawn make them. */
#include "test.h"

#include <string.h>

#include "proc/cgroup_name.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define POD "12345678-9abc-def0-1234-56789abcdef0"
#define POD_ "12345678_9abc_def0_1234_56789abcdef0"

static void paths_tell_who_it_is(void **state)
{
	static const struct {
		const char *path, *unit, *container, *pod;
	} cases[] = {
		{ "/", "", "", "" },
		{ "", "", "", "" },
		{ "/init.scope", "init.scope", "", "" },
		{ "/system.slice/nginx.service", "nginx.service", "", "" },
		{ "/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service", "",
		  "" },
		{ "/system.slice/_cgroup.service", "cgroup.service", "", "" },
		{ "/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope",
		  "app-x.scope", "", "" },
		{ "/system.slice/docker-" ID ".scope", "docker-" ID ".scope", ID, "" },
		{ "/docker/" ID, "", ID, "" },
		{ "/system.slice/nginx.service/sub", "nginx.service", "", "" },
		{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" POD_
		  ".slice/cri-containerd-" ID ".scope",
		  "cri-containerd-" ID ".scope", ID, POD },
		{ "/kubepods/besteffort/pod" POD "/" ID, "", ID, POD },
		{ "/kubepods.slice/kubepods-pod" POD_ ".slice/crio-" ID ".scope",
		  "crio-" ID ".scope", ID, POD },
		{ "/machine.slice/libpod-" ID ".scope/container", "libpod-" ID ".scope", ID, "" },
		{ "/machine.slice/libpod-conmon-" ID ".scope", "libpod-conmon-" ID ".scope", "",
		  "" },
		{ "/lxc.payload.web/system.slice/cron.service", "cron.service", "web", "" },
		{ "/machine.slice/machine-my\\x2dbox.scope/payload", "machine-my\\x2dbox.scope",
		  "my-box", "" },
		/* Nearly so. */
		{ "/docker/" ID "0", "", "", "" },
		{ "/x" ID ".scope", "x" ID ".scope", "", "" },
		{ "/kubepods/pod" POD "0", "", "", "" },
		{ "/podium/pod12345678-9abc", "", "", "" },
		{ "/machine.slice/machine-.scope", "machine-.scope", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cgroup_identity got;

		cgroup_identify(&got, cases[i].path);
		assert_string_equal(got.unit, cases[i].unit);
		assert_string_equal(got.container, cases[i].container);
		assert_string_equal(got.pod, cases[i].pod);
	}
}

static void long_folders_are_passed_over(void **state)
{
	struct cgroup_identity got;
	char path[2000];

	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	memcpy(path + 1000, ".service", 9);
	cgroup_identify(&got, path);
	assert_string_equal(got.unit, "");
	memcpy(path + 1000, "/b.service", 11);
	cgroup_identify(&got, path);
	assert_string_equal(got.unit, "b.service");
}

static void escapes_are_undone(void **state)
{
	char text[] = "a\\x2db\\x5cc\\x2", broken[] = "\\x\\xg0\\x00";

	(void)state;
	cgroup_unescape(text);
	assert_string_equal(text, "a-b\\c\\x2");
	cgroup_unescape(broken);
	assert_string_equal(broken, "\\x\\xg0\\x00");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_tell_who_it_is),
		cmocka_unit_test(long_folders_are_passed_over),
		cmocka_unit_test(escapes_are_undone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
