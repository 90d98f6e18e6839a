// SPDX-License-Identifier: Apache-2.0
#include "daemon/control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"

struct pair {
	int theirs;
	struct control control;
	struct control_request seen[8];
	unsigned count;
};

static int set_up(void **state)
{
	static struct pair pair;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	pair = (struct pair){ .theirs = fds[1] };
	control_init(&pair.control, fds[0]);
	*state = &pair;
	return 0;
}

static int tear_down(void **state)
{
	struct pair *pair = *state;

	close(pair->control.fd);
	control_fini(&pair->control);
	if (pair->theirs >= 0)
		close(pair->theirs);
	return 0;
}

static void note(void *context, const struct control_request *request)
{
	struct pair *pair = context;

	assert_true(pair->count < 8);
	pair->seen[pair->count++] = *request;
}

static void say(struct pair *pair, const char *text)
{
	assert_int_equal(write(pair->theirs, text, strlen(text)), strlen(text));
}

/* Lines come in pieces, and several at once. */
static void requests_are_taken_line_by_line(void **state)
{
	struct pair *pair = *state;

	assert_ok(control_serve(&pair->control, note, pair));
	assert_int_equal(pair->count, 0);
	say(pair, "status 1\ncapture 2 5 99 pid 42\ncap");
	assert_ok(control_serve(&pair->control, note, pair));
	assert_int_equal(pair->count, 2);
	assert_int_equal(pair->seen[1].verb, CONTROL_CAPTURE);
	assert_string_equal(pair->seen[1].value, "42");
	say(pair, "ture 3 5 99 unit a b.service\n");
	assert_ok(control_serve(&pair->control, note, pair));
	assert_int_equal(pair->count, 3);
	assert_string_equal(pair->seen[2].value, "a b.service");
}

static void nonsense_ends_it(void **state)
{
	struct pair *pair = *state;

	say(pair, "status 1\nplease\nstatus 2\n");
	assert_int_equal(control_serve(&pair->control, note, pair), -EBADMSG);
	assert_int_equal(pair->count, 1);
}

/* A line without an end is not collected for ever. */
static void so_do_endless_lines(void **state)
{
	struct pair *pair = *state;
	char piece[8192];
	int r = 0;

	memset(piece, 'a', sizeof(piece));
	for (int i = 0; i < 64 && r == 0; i++) {
		assert_int_equal(write(pair->theirs, piece, sizeof(piece)), sizeof(piece));
		r = control_serve(&pair->control, note, pair);
	}
	assert_int_equal(r, -EBADMSG);
}

static void the_other_end_is_missed(void **state)
{
	struct pair *pair = *state;

	close(pair->theirs);
	pair->theirs = -1;
	assert_int_equal(control_serve(&pair->control, note, pair), -EPIPE);
}

/* Who never reads is given up, without waiting for him. */
static void answers_do_not_pile_up(void **state)
{
	struct pair *pair = *state;
	static char text[64 << 10];
	struct control_answer answer = { .result = CONTROL_IS_STATUS, .id = 1, .text = text };
	int r = 0;

	memset(text, 'x', sizeof(text) - 1);
	for (int i = 0; i < 1000 && r == 0; i++)
		r = control_answer(&pair->control, &answer);
	assert_int_equal(r, -ENOBUFS);
}

/* Behind a line without one, at whose end the kernel does not stop. */
static void a_descriptor_comes_with_its_line(void **state)
{
	struct pair *pair = *state;
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} rights;
	char text[256], read_back[8] = "";
	struct iovec to = { text, sizeof(text) - 1 };
	struct msghdr message = { .msg_iov = &to,
				  .msg_iovlen = 1,
				  .msg_control = &rights,
				  .msg_controllen = sizeof(rights) };
	int ends[2], got;
	ssize_t size;

	assert_ok(pipe(ends));
	assert_int_equal(write(ends[1], "profile", 7), 7);
	close(ends[1]);
	assert_ok(control_answer(&pair->control, &(struct control_answer){ .result = CONTROL_BUSY,
									   .id = 1,
									   .text = "later" }));
	assert_ok(control_answer_with(
		&pair->control,
		&(struct control_answer){ .result = CONTROL_RECORDED, .id = 2, .size = 7 }, ends[0]));
	size = recvmsg(pair->theirs, &message, 0);
	assert_true(size > 0);
	text[size] = '\0';
	assert_string_equal(text, "busy 1 later\nrecorded 2 7\n");
	assert_non_null(CMSG_FIRSTHDR(&message));
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(got));
	assert_int_equal(read(got, read_back, 7), 7);
	assert_string_equal(read_back, "profile");
	close(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(requests_are_taken_line_by_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nonsense_ends_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(so_do_endless_lines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_other_end_is_missed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(answers_do_not_pile_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_descriptor_comes_with_its_line, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
