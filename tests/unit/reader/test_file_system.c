// SPDX-License-Identifier: Apache-2.0
/* Overlays that root, or anybody in a user namespace of his own, has mounted. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "reader/file_system.h"

static char folder[32];

static bool make(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return mkdir(path, 0755) == 0;
}

/* In the mount namespace that was just made. Returns whether it could be done. */
static bool mount_overlay(void)
{
	char options[256], root[64], file[64];
	int fd;

	snprintf(options, sizeof(options), "lowerdir=%s/low,upperdir=%s/up,workdir=%s/work", folder,
		 folder, folder);
	snprintf(root, sizeof(root), "%s/root", folder);
	snprintf(file, sizeof(file), "%s/low/file", folder);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", folder, "tmpfs", 0, NULL) < 0 || !make("low") || !make("up") ||
	    !make("work") || !make("root"))
		return false;
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	return fd >= 0 && close(fd) == 0 && mount("overlay", root, "overlay", 0, options) == 0;
}

static bool write_text(const char *path, const char *text)
{
	cleanup(close) int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* Whoever we are, we are root in the user namespace, if there is a new one. */
static bool enter(int namespaces)
{
	char uids[32], gids[32];

	snprintf(uids, sizeof(uids), "0 %u 1", geteuid());
	snprintf(gids, sizeof(gids), "0 %u 1", getegid());
	if (unshare(namespaces) < 0)
		return false;
	return !(namespaces & CLONE_NEWUSER) ||
	       (write_text("/proc/self/setgroups", "deny") &&
		write_text("/proc/self/uid_map", uids) && write_text("/proc/self/gid_map", gids));
}

/* A process that has mounted an overlay in namespaces of its own, which waits. 0: it may not. */
static pid_t start_mounter(int namespaces)
{
	int ready[2];
	char word = 0;
	pid_t pid;

	assert_ok(pipe(ready));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		word = enter(namespaces) && mount_overlay();
		(void)!write(ready[1], &word, 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &word, 1), 1);
	close(ready[0]);
	if (word)
		return pid;
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return 0;
}

static int open_file(pid_t pid)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/%d/root%s/root/file", (int)pid, folder);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void an_overlay_of_a_user_is_not_believed(void **state)
{
	pid_t mounter = start_mounter(CLONE_NEWNS | CLONE_NEWUSER);
	int fd = mounter ? open_file(mounter) : -1;

	(void)state;
	if (fd < 0)
		skip(); /* not everybody may */
	assert_true(file_system_is_overlay(fd));
	assert_false(file_system_is_honest(fd, mounter));
	/* A descriptor, and so a mapping, can be handed to others. */
	assert_false(file_system_is_honest(fd, getpid()));
	assert_false(file_system_is_honest(fd, 1));
	close(fd);
	kill(mounter, SIGKILL);
	assert_int_equal(waitpid(mounter, NULL, 0), mounter);
}

static void an_overlay_of_root_is_believed(void **state)
{
	pid_t mounter = geteuid() == 0 ? start_mounter(CLONE_NEWNS) : 0, user;
	int fd = mounter ? open_file(mounter) : -1;

	(void)state;
	if (fd < 0)
		skip();
	assert_true(file_system_is_overlay(fd));
	assert_true(file_system_is_honest(fd, mounter));
	/* But only who sees it says whose it is. */
	assert_false(file_system_is_honest(fd, getpid()));
	user = start_mounter(CLONE_NEWNS | CLONE_NEWUSER);
	if (user) {
		assert_false(file_system_is_honest(fd, user));
		kill(user, SIGKILL);
		assert_int_equal(waitpid(user, NULL, 0), user);
	}
	close(fd);
	kill(mounter, SIGKILL);
	assert_int_equal(waitpid(mounter, NULL, 0), mounter);
}

static void what_the_kernel_tells_is_believed(void **state)
{
	FILE *file = tmpfile();

	(void)state;
	assert_non_null(file);
	if (file_system_is_overlay(fileno(file)) || file_system_is_remote(fileno(file)))
		skip();
	assert_true(file_system_is_honest(fileno(file), getpid()));
	assert_true(file_system_is_honest(fileno(file), 0));
	fclose(file);
}

/* What is not known to be of a disk or of memory might ask anybody. */
static void the_unknown_may_be_remote(void **state)
{
	cleanup(close) int memory = memfd_create("test", MFD_CLOEXEC);
	cleanup(close) int unknown = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_false(file_system_is_remote(memory));
	assert_true(file_system_is_remote(unknown));
	assert_true(file_system_is_remote(-1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_unknown_may_be_remote),
		cmocka_unit_test(what_the_kernel_tells_is_believed),
		cmocka_unit_test(an_overlay_of_a_user_is_not_believed),
		cmocka_unit_test(an_overlay_of_root_is_believed),
	};
	int r;

	strcpy(folder, "/tmp/profd-test-fs-XXXXXX");
	if (!mkdtemp(folder))
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	(void)rmdir(folder);
	return r;
}
