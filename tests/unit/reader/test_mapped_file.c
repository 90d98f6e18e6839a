// SPDX-License-Identifier: Apache-2.0
/* Files that this very process has mapped, and what became of them. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "direct.h"
#include "reader/file_system.h"

static char folder[32], path[64], other[64];

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/profd-test-mapped-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/library.so", folder);
	snprintf(other, sizeof(other), "%s/other.so", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlink(path);
	(void)unlink(other);
	return rmdir(folder);
}

static void write_file(const char *name, const char *text)
{
	cleanup(close) int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* Maps the file; what the kernel would tell of that, but for the path. */
static struct file_mapping map_file(const char *name)
{
	cleanup(close) int fd = open(name, O_RDONLY | O_CLOEXEC);
	int generation = 0;
	struct stat st;
	void *memory;

	assert_true(fd >= 0);
	assert_ok(fstat(fd, &st));
	memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_true(memory != MAP_FAILED);
	(void)ioctl(fd, FS_IOC_GETVERSION, &generation);
	return (struct file_mapping){ .start = (uint64_t)(uintptr_t)memory,
				      .end = (uint64_t)(uintptr_t)memory + 4096,
				      .inode = st.st_ino,
				      .device = st.st_dev,
				      .inode_generation = (uint32_t)generation,
				      .mapped_ns = clock_ns(CLOCK_MONOTONIC),
				      .path = path };
}

static void unmap(const struct file_mapping *mapping)
{
	assert_ok(munmap((void *)(uintptr_t)mapping->start, 4096));
}

static void assert_opens(struct file_mapping *mapping, bool still_there, const char *text)
{
	cleanup(close) int fd = -1;
	struct opened opened;
	char found[16] = "";
	int root = 0;

	mapping->still_there = still_there;
	fd = ask_mapping(direct_workers(), &opened, &root, getpid(), mapping);

	if (!text) {
		assert_errno(fd, ENOENT);
		return;
	}
	assert_true(fd >= 0);
	assert_int_equal(root, -1); /* our own */
	assert_true(read(fd, found, sizeof(found) - 1) > 0);
	assert_string_equal(found, text);
}

static bool may_have_other_device(const char *name)
{
	cleanup(close) int fd = open(name, O_RDONLY | O_CLOEXEC);

	return file_system_has_many_devices(fd);
}

/* map_files is for root. */
static bool sees_replaced_files(void)
{
	return geteuid() == 0;
}

static void a_file_is_found_by_its_mapping_or_its_name(void **state)
{
	struct file_mapping mapping;

	(void)state;
	write_file(path, "red");
	mapping = map_file(path);
	assert_opens(&mapping, true, "red");
	assert_opens(&mapping, false, "red");
	unmap(&mapping);
	assert_opens(&mapping, true, "red");
}

static void a_replaced_file_is_not_the_one_that_replaced_it(void **state)
{
	struct file_mapping old, new;

	(void)state;
	write_file(path, "red");
	write_file(other, "blue");
	old = map_file(path);
	assert_ok(rename(other, path));
	assert_opens(&old, false, NULL);
	assert_opens(&old, true, sees_replaced_files() ? "red" : NULL);
	new = map_file(path);
	assert_opens(&new, true, "blue");
	/* By now the other file is mapped where the old one was. */
	new.inode = old.inode;
	new.inode_generation = old.inode_generation;
	assert_opens(&new, true, NULL);
	unmap(&old);
	assert_opens(&old, true, NULL);
	unmap(&new);
}

static void a_deleted_file_is_found_as_long_as_it_is_mapped(void **state)
{
	struct file_mapping mapping;

	(void)state;
	write_file(path, "red");
	mapping = map_file(path);
	assert_ok(unlink(path));
	assert_opens(&mapping, true, sees_replaced_files() ? "red" : NULL);
	assert_opens(&mapping, false, NULL);
	unmap(&mapping);
	assert_opens(&mapping, true, NULL);
}

/* ext4 gives the inode number of a file that was just deleted to the next one. */
static void an_inode_that_is_used_again_is_another_file(void **state)
{
	struct file_mapping mapping;

	(void)state;
	write_file(path, "red");
	mapping = map_file(path);
	if (!mapping.inode_generation) {
		unmap(&mapping);
		skip(); /* the file system does not tell */
	}
	mapping.inode_generation ^= 1;
	assert_opens(&mapping, true, NULL);
	assert_opens(&mapping, false, NULL);
	mapping.inode_generation = 0; /* from /proc/PID/maps, which does not say */
	assert_opens(&mapping, true, "red");
	unmap(&mapping);
}

/* Containers have file systems of their own, which may well number their files alike. */
static void an_inode_of_another_device_is_another_file(void **state)
{
	struct file_mapping mapping;

	(void)state;
	write_file(path, "red");
	mapping = map_file(path);
	if (may_have_other_device(path)) {
		unmap(&mapping);
		skip();
	}
	mapping.device ^= 1;
	assert_opens(&mapping, true, NULL);
	assert_opens(&mapping, false, NULL);
	unmap(&mapping);
}

static void a_file_that_was_written_over_since_is_not_what_was_mapped(void **state)
{
	struct timespec stamps[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };
	struct file_mapping mapping;

	(void)state;
	write_file(path, "red");
	mapping = map_file(path);
	mapping.mapped_ns -= 1000000000u;
	assert_opens(&mapping, true, NULL);
	assert_opens(&mapping, false, NULL);
	mapping.mapped_ns = 0; /* nobody knows when it was mapped */
	assert_opens(&mapping, true, "red");
	/* In the future: so the clock was set back, and stamps say nothing. */
	mapping.mapped_ns = clock_ns(CLOCK_MONOTONIC);
	stamps[1] = (struct timespec){ (time_t)(clock_ns(CLOCK_REALTIME) / 1000000000u) + 3600, 0 };
	assert_ok(utimensat(AT_FDCWD, path, stamps, 0));
	assert_opens(&mapping, true, "red");
	unmap(&mapping);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_found_by_its_mapping_or_its_name),
		TEST(a_replaced_file_is_not_the_one_that_replaced_it),
		TEST(a_deleted_file_is_found_as_long_as_it_is_mapped),
		TEST(an_inode_that_is_used_again_is_another_file),
		TEST(an_inode_of_another_device_is_another_file),
		TEST(a_file_that_was_written_over_since_is_not_what_was_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
