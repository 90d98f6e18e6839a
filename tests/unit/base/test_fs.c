// SPDX-License-Identifier: Apache-2.0
/* Files whole or not at all, also when the disk is full; and lines without escape codes. */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"

/* Every test runs in an empty folder of its own. */
static int enter_folder(void **state)
{
	char path[] = "/tmp/profd-test-XXXXXX";

	if (!mkdtemp(path) || chdir(path) < 0)
		return -1;
	*state = strdup(path);
	return *state ? 0 : -1;
}

static int leave_folder(void **state)
{
	char command[128];
	int r;

	snprintf(command, sizeof(command), "rm -rf '%s'", (char *)*state);
	free(*state);
	r = chdir("/");
	return r < 0 ? r : system(command);
}

static unsigned count_entries(void)
{
	DIR *folder = opendir(".");
	unsigned count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count - 2;
}

static void assert_content(const char *path, const char *expected)
{
	cleanup(bytes_fini) struct bytes bytes = {};

	assert_ok(fs_read(&bytes, AT_FDCWD, path, 1 << 20));
	assert_string_equal(bytes_str(&bytes), expected);
}

static void write_file(const char *path, const char *text)
{
	cleanup(close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_ok(fs_write_all(fd, text, strlen(text)));
}

static void reading_has_a_limit(void **state)
{
	cleanup(bytes_fini) struct bytes bytes = {};

	(void)state;
	write_file("a", "0123456789");
	assert_errno(fs_read(&bytes, AT_FDCWD, "a", 9), EFBIG);
	assert_string_equal(bytes_str(&bytes), "012345678");
	bytes_fini(&bytes);
	assert_ok(fs_read(&bytes, AT_FDCWD, "a", 10));
	assert_int_equal(bytes.size, 10);
	assert_errno(fs_read(&bytes, AT_FDCWD, "none", 10), ENOENT);
	bytes_fini(&bytes);
	assert_ok(fs_read(&bytes, AT_FDCWD, "/proc/self/status", 1 << 20)); /* says its size is 0 */
	assert_true(bytes.size > 100);
}

static void reading_does_not_wait_for_pipes(void **state)
{
	cleanup(bytes_fini) struct bytes bytes = {};

	(void)state;
	assert_ok(mkfifo("pipe", 0600));
	assert_errno(fs_read(&bytes, AT_FDCWD, "pipe", 10), EINVAL);
	assert_errno(fs_read(&bytes, AT_FDCWD, "/dev/zero", 10), EINVAL);
	assert_errno(fs_read(&bytes, AT_FDCWD, ".", 10), EISDIR);
}

static void reading_at_an_offset_is_exact(void **state)
{
	cleanup(close) int fd = -1;
	char text[8] = {};

	(void)state;
	write_file("a", "0123456789");
	fd = open("a", O_RDONLY);
	assert_ok(fs_read_at(fd, text, 4, 6));
	assert_string_equal(text, "6789");
	assert_errno(fs_read_at(fd, text, 5, 6), ENODATA);
	assert_errno(fs_read_at(fd, text, 1, 100), ENODATA);
}

static void some_descriptors_stay_free(void **state)
{
	struct rlimit before, limit;
	int fds[256], count = 0, fd;

	(void)state;
	assert_ok(getrlimit(RLIMIT_NOFILE, &before));
	limit = (struct rlimit){ 256, before.rlim_max };
	assert_ok(setrlimit(RLIMIT_NOFILE, &limit));
	write_file("a", "");
	while ((fd = fs_open_regular("a")) >= 0)
		fds[count++] = fd;
	assert_int_equal(fd, -EMFILE);
	assert_true(count > 128 && count <= 192);
	for (int i = 0; i < 60; i++)
		assert_true((fds[count++] = dup(STDIN_FILENO)) >= 0);
	while (count)
		close(fds[--count]);
	assert_ok(setrlimit(RLIMIT_NOFILE, &before));
}

static void a_file_appears_at_commit_and_whole(void **state)
{
	struct fs_atomic file = FS_ATOMIC_NULL;

	(void)state;
	assert_ok(fs_atomic_open(&file, "out", false));
	assert_ok(fs_write_all(file.fd, "text", 4));
	assert_int_equal(access("out", F_OK), -1);
	assert_ok(fs_atomic_commit(&file));
	assert_content("out", "text");
	assert_int_equal(count_entries(), 1);
	fs_atomic_abandon(&file);
	assert_int_equal(count_entries(), 1);
	assert_errno(fs_atomic_commit(&file), EBADF);
}

static void an_existing_file_is_replaced_at_once(void **state)
{
	struct fs_atomic file = FS_ATOMIC_NULL;
	char absolute[256];

	write_file("out", "old");
	snprintf(absolute, sizeof(absolute), "%s/out", (const char *)*state);
	assert_ok(fs_atomic_open(&file, absolute, false));
	assert_ok(fs_write_all(file.fd, "new", 3));
	assert_content("out", "old");
	assert_ok(fs_atomic_commit(&file));
	assert_content("out", "new");
	assert_int_equal(count_entries(), 1);
}

static void an_exclusive_file_replaces_nothing(void **state)
{
	struct fs_atomic file = FS_ATOMIC_NULL;

	(void)state;
	assert_ok(fs_atomic_open(&file, "out", true));
	assert_ok(fs_write_all(file.fd, "new", 3));
	write_file("out", "came first");
	assert_errno(fs_atomic_commit(&file), EEXIST);
	assert_content("out", "came first");
	assert_int_equal(count_entries(), 1);
	assert_int_equal(unlink("out"), 0);
	assert_ok(fs_atomic_open(&file, "out", true));
	assert_ok(fs_atomic_commit(&file));
	assert_content("out", "");
}

static void an_abandoned_file_leaves_nothing(void **state)
{
	struct fs_atomic file = FS_ATOMIC_NULL;

	(void)state;
	fs_atomic_abandon(&file);
	assert_ok(fs_atomic_open(&file, "out", false));
	assert_ok(fs_write_all(file.fd, "text", 4));
	fs_atomic_abandon(&file);
	assert_int_equal(count_entries(), 0);
	assert_int_equal(file.fd, -1);
}

static void a_missing_folder_is_an_error_at_once(void **state)
{
	struct fs_atomic file = FS_ATOMIC_NULL;

	(void)state;
	assert_errno(fs_atomic_open(&file, "none/out", false), ENOENT);
	write_file("file", "");
	assert_errno(fs_atomic_open(&file, "file/out", false), ENOTDIR);
	assert_int_equal(file.fd, -1);
	assert_int_equal(count_entries(), 1);
}

static void umask_is_respected(void **state)
{
	struct fs_atomic file = FS_ATOMIC_NULL;
	mode_t before = umask(027);
	struct stat st;

	(void)state;
	assert_ok(fs_atomic_open(&file, "out", false));
	assert_ok(fs_atomic_commit(&file));
	umask(before);
	assert_ok(stat("out", &st));
	assert_int_equal(st.st_mode & 0777, 0640);
}

static void devices_and_pipes_are_written_directly(void **state)
{
	struct fs_atomic file = FS_ATOMIC_NULL;

	(void)state;
	assert_ok(fs_atomic_open(&file, "/dev/null", false));
	assert_ok(fs_write_all(file.fd, "text", 4));
	assert_ok(fs_atomic_commit(&file));
	assert_int_equal(count_entries(), 0);
	assert_ok(fs_atomic_open(&file, "/dev/full", false));
	assert_errno(fs_write_all(file.fd, "text", 4), ENOSPC);
	fs_atomic_abandon(&file);
}

/* A full disk as any user can have it: no file may grow past 4096 bytes. */
/* `profd ... -o /dev/stdout >file` as root must leave /dev as it is. */
static void links_to_open_files_are_not_replaced(void **state)
{
	cleanup(close) int fd = open("a", O_WRONLY | O_CREAT | O_APPEND, 0644);
	struct fs_atomic file = FS_ATOMIC_NULL;
	char path[64];
	struct stat before, after;

	(void)state;
	assert_true(fd >= 0);
	assert_ok(fs_write_all(fd, "first ", 6));
	assert_ok(fstat(fd, &before));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_ok(fs_atomic_open(&file, path, false));
	assert_ok(fs_write_all(file.fd, "second ", 7));
	assert_ok(fs_atomic_commit(&file));
	snprintf(path, sizeof(path), "/dev/fd/%d", fd);
	assert_ok(fs_atomic_open(&file, path, false));
	assert_ok(fs_write_all(file.fd, "third", 5));
	assert_ok(fs_atomic_commit(&file));
	assert_content("a", "first second third");
	assert_ok(stat("a", &after));
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(count_entries(), 1);
}

static void a_link_to_a_file_is_replaced(void **state)
{
	struct fs_atomic file = FS_ATOMIC_NULL;

	(void)state;
	write_file("target", "old");
	assert_ok(symlink("target", "link"));
	assert_ok(fs_atomic_open(&file, "link", false));
	assert_ok(fs_write_all(file.fd, "new", 3));
	assert_ok(fs_atomic_commit(&file));
	assert_content("target", "old");
	assert_content("link", "new");
	assert_int_equal(readlink("link", (char[8]){}, 8), -1);
	assert_int_equal(count_entries(), 2);
}

static void a_write_that_fails_leaves_nothing(void **state)
{
	struct rlimit before, limit;
	struct fs_atomic file = FS_ATOMIC_NULL;
	char big[8192] = {};
	int r;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_ok(getrlimit(RLIMIT_FSIZE, &before));
	limit = (struct rlimit){ 4096, before.rlim_max };
	assert_ok(fs_atomic_open(&file, "out", false));
	assert_ok(setrlimit(RLIMIT_FSIZE, &limit));
	r = fs_write_all(file.fd, big, sizeof(big));
	assert_ok(setrlimit(RLIMIT_FSIZE, &before));
	assert_errno(r, EFBIG);
	fs_atomic_abandon(&file);
	assert_int_equal(count_entries(), 0);
}

/* Somebody else who has the pipe open may have made it non-blocking. */
static void a_full_pipe_is_waited_for(void **state)
{
	enum { SIZE = 1 << 20 };
	char *data = calloc(1, SIZE), chunk[4096];
	int ends[2];
	pid_t child;

	(void)state;
	assert_non_null(data);
	assert_ok(pipe2(ends, O_NONBLOCK));
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(ends[0]);
		_exit(fs_write_all(ends[1], data, SIZE) == 0 ? 0 : 1);
	}
	close(ends[1]);
	assert_int_equal(fcntl(ends[0], F_SETFL, 0), 0);
	for (ssize_t total = 0, size; total < SIZE; total += size) {
		size = read(ends[0], chunk, sizeof(chunk));
		assert_true(size > 0);
	}
	close(ends[0]);
	free(data);
}

/* What log_write puts on stderr. */
static void capture(char *ret, size_t size, enum log_level level, const char *text)
{
	cleanup(close) int saved = dup(STDERR_FILENO);
	cleanup(bytes_fini) struct bytes bytes = {};
	int fd = open("stderr", O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(saved >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	close(fd);
	log_write(level, "%s", text);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	assert_ok(fs_read(&bytes, AT_FDCWD, "stderr", 1 << 20));
	snprintf(ret, size, "%s", bytes_str(&bytes));
}

static void log_lines_carry_no_escape_codes(void **state)
{
	char line[8192];

	(void)state;
	capture(line, sizeof(line), LOG_INFO, "a\x1b[31mb\nc\r\x07\x7f \xc2\x9b \x9b \xe2\x82\xac");
	assert_string_equal(line, "profd: a?[31mb?c??? ?? ? \xe2\x82\xac\n");
}

static void log_lines_are_single_and_bounded(void **state)
{
	char line[8192], text[6000];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	capture(line, sizeof(line), LOG_ERROR, text);
	assert_true(strlen(line) < 4200);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	capture(line, sizeof(line), LOG_DEBUG, "not shown");
	assert_string_equal(line, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, enter_folder, leave_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reading_has_a_limit),
		TEST(reading_does_not_wait_for_pipes),
		TEST(reading_at_an_offset_is_exact),
		TEST(some_descriptors_stay_free),
		TEST(a_file_appears_at_commit_and_whole),
		TEST(an_existing_file_is_replaced_at_once),
		TEST(an_exclusive_file_replaces_nothing),
		TEST(an_abandoned_file_leaves_nothing),
		TEST(a_missing_folder_is_an_error_at_once),
		TEST(umask_is_respected),
		TEST(devices_and_pipes_are_written_directly),
		TEST(links_to_open_files_are_not_replaced),
		TEST(a_link_to_a_file_is_replaced),
		TEST(a_write_that_fails_leaves_nothing),
		TEST(a_full_pipe_is_waited_for),
		TEST(log_lines_carry_no_escape_codes),
		TEST(log_lines_are_single_and_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
