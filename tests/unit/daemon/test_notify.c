// SPDX-License-Identifier: Apache-2.0
/* What the service manager gets to hear, through real sockets; and what hostile words of it do: nothing. */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "daemon/notify.h"

/* The manager's end. name: as NOTIFY_SOCKET has it. */
static int listen_as(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	size_t size = strlen(name);

	assert_true(fd >= 0);
	memcpy(address.sun_path, name, size);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	assert_ok(bind(fd, (struct sockaddr *)&address,
		       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)));
	return fd;
}

static void assert_hears(int fd, const char *expected)
{
	char text[1024] = "";
	ssize_t size = recv(fd, text, sizeof(text) - 1, 0);

	if (size < 0)
		fail_msg("nothing where '%s' was expected", expected);
	text[size] = '\0';
	assert_string_equal(text, expected);
}

static void assert_hears_nothing(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static void say_everything(const char *name)
{
	cleanup(notify_close) struct notify notify = NOTIFY_NULL;
	cleanup(close) int fd = listen_as(name);
	char text[1024];
	ssize_t size;

	setenv("NOTIFY_SOCKET", name, 1);
	setenv("WATCHDOG_USEC", "30000000", 1);
	snprintf(text, sizeof(text), "%d", (int)getpid());
	setenv("WATCHDOG_PID", text, 1);
	assert_ok(notify_open(&notify));
	/* Not for children. */
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_null(getenv("WATCHDOG_USEC"));
	assert_null(getenv("WATCHDOG_PID"));
	notify_ready(&notify, "19 Hz, everything");
	assert_hears(fd, "READY=1\nSTATUS=19 Hz, everything");
	notify_status(&notify, "%d Hz, %s", 19, "a\nREADY=1\x1b[\xff");
	assert_hears(fd, "STATUS=19 Hz, a READY=1 [ ");
	notify_reloading(&notify);
	size = recv(fd, text, sizeof(text) - 1, 0);
	assert_true(size > 0);
	text[size] = '\0';
	assert_int_equal(strncmp(text, "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
	/* Three signs of life in each 30 s. */
	notify_alive(&notify, 1000000000);
	assert_hears(fd, "WATCHDOG=1");
	notify_alive(&notify, 10999999999);
	assert_hears_nothing(fd);
	notify_alive(&notify, 11000000000);
	assert_hears(fd, "WATCHDOG=1");
	notify_stopping(&notify);
	assert_hears(fd, "STOPPING=1");
}

static void a_path_and_an_abstract_name(void **state)
{
	char name[64];

	(void)state;
	snprintf(name, sizeof(name), "/tmp/profd-notify-%d", (int)getpid());
	say_everything(name);
	unlink(name);
	snprintf(name, sizeof(name), "@profd-notify-%d", (int)getpid());
	say_everything(name);
}

/* A line that is cut stays UTF-8. */
static void long_lines_are_cut(void **state)
{
	cleanup(notify_close) struct notify notify = NOTIFY_NULL;
	cleanup(close) int fd = listen_as("@profd-notify-long");
	char text[1024], line[700] = "";
	ssize_t size;

	(void)state;
	for (int i = 0; i < 300; i++)
		strcat(line, "\xc3\xa4"); /* a umlaut: the cut falls within one, at an odd place */
	setenv("NOTIFY_SOCKET", "@profd-notify-long", 1);
	assert_ok(notify_open(&notify));
	notify_status(&notify, "%s", line);
	size = recv(fd, text, sizeof(text), 0);
	assert_int_equal(size, NOTIFY_STATUS_MAX - 1);
	assert_memory_equal(text, "STATUS=\xc3\xa4", 9);
	assert_int_equal((unsigned char)text[size - 1] & 0x40, 0);
	notify_ready(&notify, line);
	size = recv(fd, text, sizeof(text), 0);
	assert_true(size > 0);
	assert_int_equal(text[size - 1], ' ');
}

static void nobody_listens(void **state)
{
	cleanup(notify_close) struct notify notify;

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(notify_open(&notify), NOTIFY_NOBODY);
	notify_ready(&notify, "x");
	notify_alive(&notify, 1);
	notify_stopping(&notify);
}

static void a_full_queue_does_not_hold_up(void **state)
{
	cleanup(notify_close) struct notify notify;
	cleanup(close) int fd = listen_as("@profd-notify-full");

	(void)state;
	setenv("NOTIFY_SOCKET", "@profd-notify-full", 1);
	assert_ok(notify_open(&notify));
	/* Blocks for ever, if it ever does. */
	for (int i = 0; i < 100000; i++)
		notify_status(&notify, "%d", i);
	close(TAKE_FD(fd));
	notify_stopping(&notify);
}

static void hostile_words_do_nothing(void **state)
{
	static const char *const sockets[] = { "",  "x", "relative/path", "@", "/", "vsock:2:1234",
					       "%n" };
	static const char *const times[] = {
		"", "-1", "x", "1x", "18446744073709551615", "99999999999999999999999"
	};
	cleanup(notify_close) struct notify notify = NOTIFY_NULL;
	char longest[400] = "/";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sockets); i++) {
		setenv("NOTIFY_SOCKET", sockets[i], 1);
		assert_int_equal(notify_open(&notify), -EINVAL);
		notify_ready(&notify, "x");
		notify_close(&notify);
	}
	memset(longest + 1, 'a', sizeof(longest) - 2);
	setenv("NOTIFY_SOCKET", longest, 1);
	assert_int_equal(notify_open(&notify), -EINVAL);
	/* The longest that fits is one. */
	longest[107] = '\0';
	setenv("NOTIFY_SOCKET", longest, 1);
	assert_ok(notify_open(&notify));
	notify_ready(&notify, "x");
	notify_close(&notify);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		setenv("NOTIFY_SOCKET", "/nowhere", 1);
		setenv("WATCHDOG_USEC", times[i], 1);
		assert_ok(notify_open(&notify));
		assert_int_equal(notify.watchdog_ns, 0);
		notify_alive(&notify, 1);
		notify_close(&notify);
	}
	/* Another's. */
	setenv("NOTIFY_SOCKET", "/nowhere", 1);
	setenv("WATCHDOG_USEC", "1000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	assert_ok(notify_open(&notify));
	assert_int_equal(notify.watchdog_ns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_and_an_abstract_name),
		cmocka_unit_test(long_lines_are_cut),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(a_full_queue_does_not_hold_up),
		cmocka_unit_test(hostile_words_do_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
