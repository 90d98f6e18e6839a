// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file_window.h"

enum { FILE_BYTES = 100000, BEGIN = 1000, END = 90000 };

/* The byte at an offset of the file. */
static unsigned char byte_at(uint64_t offset)
{
	return (unsigned char)(offset * 7 + (offset >> 8));
}

static int make_file(void)
{
	static unsigned char bytes[FILE_BYTES];
	int fd = memfd_create("window", MFD_CLOEXEC);

	for (uint64_t i = 0; i < FILE_BYTES; i++)
		bytes[i] = byte_at(i);
	assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	return fd;
}

static void what_is_inside_is_read(void **state)
{
	static const uint64_t offsets[] = { 0, 100, 16384, 16380, 3, 88990, 50000, 0 };
	struct file_window *window = malloc(sizeof(*window));
	int fd = make_file();

	(void)state;
	file_window_init(window, fd, BEGIN, END);
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		const unsigned char *at = file_window_take(window, offsets[i], 10);

		assert_non_null(at);
		for (unsigned k = 0; k < 10; k++)
			assert_int_equal(at[k], byte_at(BEGIN + offsets[i] + k));
	}
	assert_non_null(file_window_take(window, 0, FILE_WINDOW_BYTES));
	assert_int_equal(window->error, 0);
	close(fd);
	free(window);
}

static void near_reads_are_one(void **state)
{
	struct file_window *window = malloc(sizeof(*window));
	int fd = make_file();

	(void)state;
	file_window_init(window, fd, BEGIN, END);
	for (uint64_t at = 0; at + 8 <= END - BEGIN; at += 8)
		assert_non_null(file_window_take(window, at, 8));
	assert_int_equal(window->reads, (END - BEGIN + FILE_WINDOW_BYTES - 1) / FILE_WINDOW_BYTES);
	close(fd);
	free(window);
}

static void nothing_outside_is_read(void **state)
{
	struct file_window *window = malloc(sizeof(*window));
	int fd = make_file();
	size_t size = 100;

	(void)state;
	file_window_init(window, fd, BEGIN, END);
	assert_null(file_window_take(window, END - BEGIN, 1));
	assert_null(file_window_take(window, END - BEGIN - 7, 8));
	assert_null(file_window_take(window, UINT64_MAX, 1));
	assert_null(file_window_take(window, UINT64_MAX - 3, 8));
	assert_null(file_window_take(window, 0, FILE_WINDOW_BYTES + 1));
	assert_non_null(file_window_some(window, END - BEGIN - 7, &size));
	assert_int_equal(size, 7);
	assert_null(file_window_some(window, END - BEGIN, &size));
	assert_int_equal(window->error, 0);
	/* A file that has become shorter meanwhile. */
	assert_int_equal(ftruncate(fd, 2000), 0);
	assert_null(file_window_take(window, 5000, 8));
	assert_int_equal(window->error, -ENODATA);
	file_window_init(window, fd, END, BEGIN);
	assert_null(file_window_take(window, 0, 1));
	close(fd);
	free(window);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_inside_is_read),
		cmocka_unit_test(near_reads_are_one),
		cmocka_unit_test(nothing_outside_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
