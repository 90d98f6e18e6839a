// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/sealed.h"

static void test_nobody_changes_it(void **state)
{
	int fd = sealed_new(), other = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	const unsigned char *at;
	size_t size;

	(void)state;
	assert_true(fd >= 0 && other >= 0);
	assert_int_equal(write(other, "answer", 6), 6);
	assert_ok(sealed_map(&at, &size, fd, 6));
	assert_int_equal(size, 6);
	assert_memory_equal(at, "answer", 6);
	assert_int_equal(pwrite(other, "x", 1, 0), -1);
	assert_int_equal(pwrite(other, "x", 1, 6), -1);
	assert_int_equal(ftruncate(other, 0), -1);
	assert_int_equal(ftruncate(other, 4096), -1);
	assert_ptr_equal(mmap(NULL, 6, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0), MAP_FAILED);
	sealed_unmap(at, size);
	close(fd);
	close(other);
}

static void test_mapped_for_writing(void **state)
{
	const unsigned char *at;
	int fd = sealed_new();
	size_t size;
	void *memory;

	(void)state;
	assert_ok(ftruncate(fd, 4096));
	memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_errno(sealed_map(&at, &size, fd, 4096), EBADMSG);
	munmap(memory, 4096);
	assert_ok(sealed_map(&at, &size, fd, 4096));
	sealed_unmap(at, size);
	close(fd);
}

static void test_sealed_by_another(void **state)
{
	const unsigned char *at;
	int fd = sealed_new();
	size_t size;

	(void)state;
	assert_ok(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	assert_true(sealed_map(&at, &size, fd, 4096) < 0);
	close(fd);
}

static void test_sizes(void **state)
{
	const unsigned char *at;
	int fd = sealed_new();
	size_t size;

	(void)state;
	assert_ok(ftruncate(fd, 1ULL << 40));
	assert_errno(sealed_map(&at, &size, fd, 4096), EFBIG);
	close(fd);
	fd = sealed_new();
	assert_ok(sealed_map(&at, &size, fd, 4096));
	assert_null(at);
	assert_int_equal(size, 0);
	sealed_unmap(at, size);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_changes_it),
		cmocka_unit_test(test_mapped_for_writing),
		cmocka_unit_test(test_sealed_by_another),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
