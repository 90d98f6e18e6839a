// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/parcel.h"

static int make_file(const char *text)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static void check_text(int fd, const char *text)
{
	char found[16] = {};

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, found, sizeof(found) - 1, 0), strlen(text));
	assert_string_equal(found, text);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

static void test_open_again_and_again(void **state)
{
	int fd = make_file("parcel"), parcel = parcel_make(fd);

	(void)state;
	assert_true(parcel >= 0);
	close(fd); /* the parcel holds it */
	for (unsigned i = 0; i < 3; i++) {
		int opened = parcel_open(fcntl(parcel, F_DUPFD_CLOEXEC, 0));

		check_text(opened, "parcel");
		close(opened);
	}
	close(parcel);
}

static void test_plain_file(void **state)
{
	int fd = make_file("plain");

	(void)state;
	assert_int_equal(parcel_open(fd), fd);
	check_text(fd, "plain");
	close(fd);
}

/* Consumed all the same. */
static void test_no_parcel(void **state)
{
	int pair[2];

	(void)state;
	assert_ok(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair));
	assert_errno(parcel_open(pair[0]), EBADMSG);
	assert_int_equal(fcntl(pair[0], F_GETFD), -1);
	close(pair[1]);
	/* A message without a file. */
	assert_ok(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair));
	assert_int_equal(write(pair[1], "x", 1), 1);
	assert_errno(parcel_open(pair[0]), EBADMSG);
	close(pair[1]);
	assert_errno(parcel_open(-1), EBADF);
	assert_errno(parcel_make(-1), EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_again_and_again),
		cmocka_unit_test(test_plain_file),
		cmocka_unit_test(test_no_parcel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
