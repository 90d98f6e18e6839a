// SPDX-License-Identifier: Apache-2.0
/*
 * Downloads by made-up processes: this program is what fetches.c starts, and what it does then
 * depends on the first letter of the build ID.
 */
#include "test.h"
#include "direct.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/parcel.h"
#include "fetch/protocol.h"
#include "session/fetches.h"
#include "session/naming.h"

enum { LIMIT_MS = 1200, HANG_S = 60 };

static struct fetches fetches;
static struct naming naming;

/* ---- the process ---- */

static void say(uint32_t kind, int32_t error, size_t size)
{
	struct fetch_message message = { .kind = kind, .error = error, .done = 5, .total = 9 };

	if (send(FETCH_STATUS_SOCKET, &message, size, 0) < 0)
		_exit(2);
}

static void send_null(int to)
{
	union {
		char buffer[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	char byte = 0;
	struct iovec part = { &byte, sizeof(byte) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.buffer,
				  .msg_controllen = sizeof(control.buffer) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &(int){ STDIN_FILENO }, sizeof(int));
	if (sendmsg(to, &message, 0) < 0)
		_exit(3);
}

static int fetch(const char *build_id)
{
	const size_t whole = sizeof(struct fetch_message);

	alarm(HANG_S);
	if (!getenv("DEBUGINFOD_URLS") || strcmp(getenv("DEBUGINFOD_URLS"), "http://server") != 0 ||
	    getenv("DEBUGINFOD_PROGRESS") || fcntl(FETCH_FILE_SOCKET + 1, F_GETFD) >= 0)
		return 4;
	switch (build_id[0]) {
	case '0':
		say(FETCH_PROGRESS, 0, whole);
		send_null(FETCH_FILE_SOCKET);
		say(FETCH_DONE, 0, whole);
		return 0;
	case '1':
		say(FETCH_UNKNOWN, -ENOENT, whole);
		return 1;
	case '2':
		say(FETCH_ERROR, -ECONNREFUSED, whole);
		return 1;
	case '3': /* says nothing, and does not listen either */
		signal(SIGTERM, SIG_IGN);
		say(FETCH_PROGRESS, 0, whole);
		pause();
		return 0;
	case '8': /* gets on, for three times the limit */
		for (unsigned i = 1; i <= 12; i++) {
			struct fetch_message message = { .done = (uint64_t)i << 20,
							 .total = 12 << 20 };

			if (send(FETCH_STATUS_SOCKET, &message, whole, 0) < 0)
				return 5;
			usleep(LIMIT_MS * 1000 / 4);
		}
		say(FETCH_UNKNOWN, 0, whole);
		return 1;
	case '4': /* crashes */
		abort();
	case '5': /* speaks in riddles, and hands over what nobody asked for */
		send_null(FETCH_STATUS_SOCKET);
		return 0;
	case '6':
		say(77, -1, whole);
		pause();
		return 0;
	case '7':
		say(FETCH_NO_CACHE, -EACCES, whole);
		return 1;
	}
	return 0;
}

/* ---- who starts it ---- */

static int set_up(void **state)
{
	(void)state;
	setenv("DEBUGINFOD_URLS", "http://of-somebody-else", 1);
	setenv("DEBUGINFOD_PROGRESS", "1", 1);
	naming = (struct naming){};
	return fetches_init(&fetches, "http://server", LIMIT_MS * 1000000ULL);
}

static int tear_down(void **state)
{
	(void)state;
	fetches_fini(&fetches);
	return 0;
}

/* Without debug information, as far as is known; first: of its build ID. */
static struct object *object_of(uint8_t first, uint8_t second)
{
	struct object *object =
		object_new(open("/dev/null", O_RDONLY | O_CLOEXEC), "/usr/lib/libx.so");

	assert_non_null(object);
	object->build_id_size = 20;
	object->build_id[0] = (uint8_t)(first << 4);
	object->build_id[1] = second;
	object->lacks_debug_info = true;
	return object;
}

static void run_to_the_end(void)
{
	uint64_t begin = clock_ns(CLOCK_MONOTONIC);

	do {
		fetches_advance(&fetches, direct_workers(), &naming);
		fetches_wait(&fetches, -1, 10);
	} while (fetches_pending(&fetches) &&
		 clock_ns(CLOCK_MONOTONIC) - begin < HANG_S * 1000000000ULL);
	assert_false(fetches_pending(&fetches));
}

static void assert_line(enum fetch_state state, const char *begins)
{
	cleanup(bytes_fini) struct bytes line = {};

	assert_true(fetches_outcome(&fetches, state, &line));
	if (strncmp(bytes_str(&line), begins, strlen(begins)) != 0)
		fail_msg("'%s' does not begin with '%s'", line.at, begins);
}

/* One object, to its end. */
static struct fetch *one(uint8_t first, struct object **ret)
{
	struct object *object = object_of(first, 0);

	assert_ok(fetches_want(&fetches, object));
	assert_int_equal(object->awaited_files, 1);
	run_to_the_end();
	assert_int_equal(object->awaited_files, 0);
	assert_int_equal(fetches.list.count, 1);
	if (ret)
		*ret = object;
	else
		object_unref(object);
	return &fetches.list.at[0];
}

static void what_comes_is_handed_over(void **state)
{
	struct object *object, *copy = object_of(0, 0);
	int file;

	(void)state;
	assert_int_equal(one(0, &object)->state, FETCH_FOUND);
	assert_true(object->debug_parcel >= 0);
	file = parcel_open(fcntl(object->debug_parcel, F_DUPFD_CLOEXEC, 0));
	assert_true(file >= 0);
	close(file);
	assert_line(FETCH_FOUND, "1 found");
	/* Another copy of the same file has it at once. */
	assert_ok(fetches_want(&fetches, copy));
	run_to_the_end();
	assert_int_equal(fetches.list.count, 1);
	assert_true(copy->debug_parcel >= 0);
	/* It was asked about again, and it helped. */
	copy->lacks_debug_info = false;
	assert_ok(fetches_want(&fetches, copy));
	assert_int_equal(fetches.list.at[0].state, FETCH_FOUND);
	/* Or it did not. */
	assert_ok(fetches_want(&fetches, object));
	assert_line(FETCH_FAILED, "1 failed: libx.so: what came is not its debug information");
	object_unref(copy);
	object_unref(object);
}

static void what_does_not_come_says_why(void **state)
{
	(void)state;
	assert_int_equal(one(1, NULL)->state, FETCH_NOT_FOUND);
	assert_line(FETCH_NOT_FOUND, "1 not found: libx.so");
	fetches_fini(&fetches);
	set_up(NULL);
	assert_int_equal(one(2, NULL)->state, FETCH_FAILED);
	assert_line(FETCH_FAILED, "1 failed: libx.so: Connection refused");
	fetches_fini(&fetches);
	set_up(NULL);
	assert_int_equal(one(4, NULL)->state, FETCH_FAILED);
	assert_line(FETCH_FAILED, "1 failed: libx.so: the process that downloads it has crashed");
	fetches_fini(&fetches);
	set_up(NULL);
	assert_int_equal(one(5, NULL)->state, FETCH_FAILED);
	fetches_fini(&fetches);
	set_up(NULL);
	assert_int_equal(one(6, NULL)->state, FETCH_FAILED);
	fetches_fini(&fetches);
	set_up(NULL);
	assert_int_equal(one(7, NULL)->state, FETCH_FAILED);
	assert_line(
		FETCH_FAILED,
		"1 failed: libx.so: the cache of debuginfod cannot be written (Permission denied)");
	assert_true(fetches.no_more);
}

static void what_gets_on_has_more_time(void **state)
{
	const struct fetch *fetch = one(8, NULL);

	(void)state;
	assert_int_equal(fetch->state, FETCH_NOT_FOUND);
	assert_int_equal(fetch->got_on, 12 << 20);
}

/* Nor can it stay when it does not want to go. */
static void silence_ends(void **state)
{
	struct fetch *fetch;
	pid_t pid;

	(void)state;
	fetch = one(3, NULL);
	assert_int_equal(fetch->state, FETCH_GIVEN_UP);
	assert_line(FETCH_GIVEN_UP, "1 given up: libx.so after ");
	assert_int_equal(fetch->total, 9);
	pid = fetch->pid; /* 0: taken away by now */
	fetches_fini(&fetches);
	assert_true(pid == 0 || kill(pid, 0) == -1);
	set_up(NULL);
}

static void few_run_at_once_and_silence_is_not_asked_for_ever(void **state)
{
	struct object *objects[12];
	unsigned most = 0;

	(void)state;
	for (uint8_t i = 0; i < 12; i++) {
		objects[i] = object_of(3, i);
		assert_ok(fetches_want(&fetches, objects[i]));
	}
	while (fetches_pending(&fetches)) {
		unsigned running = 0;

		fetches_advance(&fetches, direct_workers(), &naming);
		for (uint32_t i = 0; i < fetches.list.count; i++)
			running += fetches.list.at[i].pid != 0;
		most = running > most ? running : most;
		fetches_wait(&fetches, -1, 10);
	}
	assert_int_equal(most, 4);
	assert_true(fetches.no_more);
	assert_line(FETCH_GIVEN_UP, "12 given up: libx.so after ");
	for (uint8_t i = 0; i < 12; i++)
		object_unref(objects[i]);
	objects[0] = object_of(0, 9);
	assert_ok(fetches_want(&fetches, objects[0]));
	assert_int_equal(fetches.refused, 1);
	object_unref(objects[0]);
}

static void only_what_needs_one_is_asked_for(void **state)
{
	struct object *object = object_of(0, 0);

	(void)state;
	object->lacks_debug_info = false;
	assert_ok(fetches_want(&fetches, object));
	object->lacks_debug_info = object->lines_given_up = true;
	assert_ok(fetches_want(&fetches, object));
	object->lines_given_up = false;
	object->build_id_size = 0;
	assert_ok(fetches_want(&fetches, object));
	object->build_id_size = 20;
	object_close(object);
	assert_ok(fetches_want(&fetches, object));
	assert_int_equal(fetches.list.count, 0);
	assert_int_equal(fetches.refused, 0);
	object_unref(object);
}

static void one_reason_is_told_once(void **state)
{
	struct object *objects[5];

	(void)state;
	for (uint8_t i = 0; i < 5; i++) {
		objects[i] = object_of(i < 2 ? 2 : 4, i);
		assert_ok(fetches_want(&fetches, objects[i]));
	}
	run_to_the_end();
	assert_line(FETCH_FAILED, "5 failed: libx.so, libx.so: Connection refused, libx.so: the "
				  "process that downloads it has crashed, ...");
	for (uint8_t i = 0; i < 5; i++)
		object_unref(objects[i]);
}

/* A supplementary file is told apart from the object's own, which may be there. */
static void what_a_debug_file_goes_on_in_is_asked_for(void **state)
{
	struct object *object = object_of(0, 1);

	(void)state;
	object->lacks_debug_info = false;
	object->lacks_supplement = strdup("00ab");
	assert_ok(fetches_want(&fetches, object));
	assert_int_equal(fetches.list.count, 1);
	assert_string_equal(fetches.list.at[0].build_id, "00ab");
	assert_string_equal(fetches.list.at[0].path, "/usr/lib/libx.so (supplementary file)");
	run_to_the_end();
	assert_int_equal(object->awaited_files, 0);
	assert_int_equal(object->debug_parcel, -1);
	assert_true(object->supplement_parcel >= 0);
	assert_ok(fetches_want(&fetches, object));
	assert_int_equal(fetches.list.count, 1);
	object_unref(object);
}

static void progress_tells_of_the_first(void **state)
{
	cleanup(bytes_fini) struct bytes text = {};
	struct object *a = object_of(3, 0), *b = object_of(3, 1);

	(void)state;
	fetches_progress(&fetches, &text);
	assert_int_equal(text.size, 0);
	assert_ok(fetches_want(&fetches, a));
	assert_ok(fetches_want(&fetches, b));
	fetches.list.at[1].done = 3100000;
	fetches.list.at[1].total = 80000000;
	fetches_progress(&fetches, &text);
	assert_string_equal(bytes_str(&text), "libx.so 3.1 of 80.0 MB, 1 more");
	object_unref(a);
	object_unref(b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(what_comes_is_handed_over),
		TEST(what_does_not_come_says_why),
		TEST(what_gets_on_has_more_time),
		TEST(silence_ends),
		TEST(few_run_at_once_and_silence_is_not_asked_for_ever),
		TEST(only_what_needs_one_is_asked_for),
		TEST(one_reason_is_told_once),
		TEST(what_a_debug_file_goes_on_in_is_asked_for),
		TEST(progress_tells_of_the_first),
	};

	if (argc == 3 && strcmp(argv[1], "_fetch") == 0)
		return fetch(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
