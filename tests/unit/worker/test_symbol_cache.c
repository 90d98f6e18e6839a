// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "worker/symbol_cache.h"

static char folder[64], path[128];
static struct symbol_cache cache;
static struct object *object;

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/profd-test-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/some/where", folder);
	object = object_new(-1, "/bin/program");
	object->honest = true;
	object->identity = (struct object_identity){ .device = 1, .inode = 2, .ctime_ns = 3 };
	object->build_id_size = 2;
	memcpy(object->build_id, "\x12\xab", 2);
	return symbol_cache_open(&cache, path);
}

static int tear_down(void **state)
{
	char command[160];

	(void)state;
	symbol_cache_close(&cache);
	object_unref(object);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static struct symbol_cache_key *key_of(const int *files, unsigned count)
{
	struct symbol_cache_key *key =
		symbol_cache_key_new(&cache, object, SYMBOL_CACHE_NAMES, files, count);

	assert_non_null(key);
	return key;
}

static unsigned count_files(void)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	unsigned count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static int open_any(char *ret)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;

	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			snprintf(ret, 512, "%s/%s", path, entry->d_name);
	closedir(dir);
	return open(ret, O_RDWR);
}

static bool finds(const struct symbol_cache_key *key, const char *text)
{
	int fd = symbol_cache_find(&cache, key);
	char got[16] = "";

	if (fd < 0)
		return false;
	assert_ok(fs_read_at(fd, got, strlen(text), SYMBOL_CACHE_HEAD_BYTES));
	close(fd);
	return strcmp(got, text) == 0;
}

static void keeps_and_finds(void **state)
{
	cleanup(free) struct symbol_cache_key *key = key_of(NULL, 0);
	char name[512];
	struct stat st;
	int fd;

	(void)state;
	assert_errno(symbol_cache_find(&cache, key), ENOENT);
	assert_ok(symbol_cache_put(&cache, key, "first", 5));
	assert_true(finds(key, "first"));
	assert_ok(symbol_cache_put(&cache, key, "second", 6));
	assert_true(finds(key, "second"));
	assert_int_equal(count_files(), 1);
	assert_int_equal(cache.used[SYMBOL_CACHE_NAMES], 2);
	assert_int_equal(cache.written, 2);
	fd = open_any(name);
	assert_non_null(strstr(name, "/12ab-"));
	assert_ok(fstat(fd, &st));
	assert_int_equal(st.st_mode & 0777, 0600);
	/* What was cut off, or has grown, is not used. */
	assert_ok(ftruncate(fd, st.st_size - 1));
	assert_false(finds(key, "second"));
	assert_ok(ftruncate(fd, st.st_size + 1));
	assert_false(finds(key, "second"));
	close(fd);
}

/* Whatever of it is different, it is another one, also with the same build ID. */
static void tells_objects_apart(void **state)
{
	cleanup(free) struct symbol_cache_key *key = key_of(NULL, 0), *other = NULL;
	const struct object_identity before = object->identity;
	int files[2] = { memfd_create("a", MFD_CLOEXEC), memfd_create("b", MFD_CLOEXEC) };

	(void)state;
	assert_ok(symbol_cache_put(&cache, key, "mine", 4));
	for (unsigned i = 0; i < 7; i++) {
		object->identity = before;
		object->identity.device += i == 0;
		object->identity.inode += i == 1;
		object->identity.size += i == 2;
		object->identity.mtime_ns += i == 3;
		object->identity.ctime_ns += i == 4;
		object->build_id[0] = i == 5 ? 0x13 : 0x12;
		cache.maker.ctime_ns += i == 6;
		free(other);
		other = key_of(NULL, 0);
		assert_false(finds(other, "mine"));
	}
	cache.maker.ctime_ns--;
	/* Debug files are part of it: they have told the names. */
	free(other);
	other = key_of(files, 1);
	assert_false(finds(other, "mine"));
	assert_ok(symbol_cache_put(&cache, other, "theirs", 6));
	free(other);
	other = key_of(files + 1, 1);
	assert_false(finds(other, "theirs"));
	assert_true(finds(key, "mine"));
	/* The same file on another container's overlay. */
	object->overlay = true;
	free(key);
	key = key_of(NULL, 0);
	assert_ok(symbol_cache_put(&cache, key, "both", 4));
	object->identity.device++;
	free(other);
	other = key_of(NULL, 0);
	assert_true(finds(other, "both"));
	close(files[0]);
	close(files[1]);
}

/* Nothing is kept of what somebody may make up. */
static void leaves_out_the_dishonest(void **state)
{
	int pipes[2];

	(void)state;
	object->honest = false;
	assert_null(symbol_cache_key_new(&cache, object, SYMBOL_CACHE_NAMES, NULL, 0));
	object->honest = true;
	object->may_block = true;
	assert_null(symbol_cache_key_new(&cache, object, SYMBOL_CACHE_NAMES, NULL, 0));
	object->may_block = false;
	assert_ok(pipe(pipes));
	assert_null(symbol_cache_key_new(&cache, object, SYMBOL_CACHE_NAMES, pipes, 1));
	assert_int_equal(cache.folder >= 0, 1);
	close(pipes[0]);
	close(pipes[1]);
}

static void wants_a_folder_of_its_own(void **state)
{
	struct symbol_cache other;
	char name[160];

	(void)state;
	assert_ok(chmod(path, 0770));
	assert_errno(symbol_cache_open(&other, path), EPERM);
	assert_int_equal(other.folder, -1);
	assert_ok(chmod(path, 0700));
	snprintf(name, sizeof(name), "%s/file", path);
	close(open(name, O_CREAT | O_WRONLY, 0600));
	assert_errno(symbol_cache_open(&other, name), ENOTDIR);
	assert_errno(symbol_cache_open(&other, ""), ENOENT);
}

static void follows_no_links(void **state)
{
	cleanup(free) struct symbol_cache_key *key = key_of(NULL, 0);
	char name[512], target[160];

	(void)state;
	assert_ok(symbol_cache_put(&cache, key, "mine", 4));
	close(open_any(name));
	snprintf(target, sizeof(target), "%s/target", folder);
	assert_ok(rename(name, target));
	assert_ok(symlink(target, name));
	assert_false(finds(key, "mine"));
	/* It is replaced, not written through. */
	assert_ok(symbol_cache_put(&cache, key, "anew", 4));
	assert_true(finds(key, "anew"));
}

static void make_old(const char *name)
{
	const struct timespec times[2] = {};
	char full[512];

	snprintf(full, sizeof(full), "%s/%s", path, name);
	close(open(full, O_CREAT | O_WRONLY, 0600));
	assert_ok(utimensat(AT_FDCWD, full, times, 0));
}

static bool is_there(const char *name)
{
	char full[512];

	snprintf(full, sizeof(full), "%s/%s", path, name);
	return access(full, F_OK) == 0;
}

/* Others' files are not counted, and stay. */
static void removes_what_is_too_much(void **state)
{
	static const char *const others[] = { "thesis",
					      "1234",
					      ".profd-",
					      ".profd-1.c",
					      "-0123456789abcdef",
					      "ab-0123456789abcdef0",
					      "ab-0123456789abcde",
					      "none0-0123456789abcdef" };
	struct timespec times[2] = {};
	char name[512];

	(void)state;
	for (unsigned i = 0; i < 4100; i++) {
		int fd;

		snprintf(name, sizeof(name), "%s/%s-%016x", path, i % 2 ? "none" : "12ab", i);
		fd = open(name, O_CREAT | O_WRONLY, 0600);
		assert_true(fd >= 0);
		/* The later, the longer ago it was used. */
		times[0].tv_sec = times[1].tv_sec = 1000000 - i;
		assert_ok(futimens(fd, times));
		close(fd);
	}
	make_old(".profd-1");
	for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
		make_old(others[i]);
	symbol_cache_trim(&cache);
	for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
		assert_true(is_there(others[i]));
	assert_int_equal(count_files(), 4096 + ARRAY_SIZE(others) - 2);
	assert_false(is_there(".profd-1"));
	snprintf(name, sizeof(name), "%s/12ab-%016x", path, 0);
	assert_ok(access(name, F_OK));
	/* Sizes count, too: a hole is as large as it says. */
	assert_ok(truncate(name, 300 << 20));
	symbol_cache_trim(&cache);
	assert_int_equal(count_files(), ARRAY_SIZE(others) - 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keeps_and_finds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tells_objects_apart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(leaves_out_the_dishonest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wants_a_folder_of_its_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(follows_no_links, set_up, tear_down),
		cmocka_unit_test_setup_teardown(removes_what_is_too_much, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
