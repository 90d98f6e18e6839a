// SPDX-License-Identifier: Apache-2.0
/* Files that a reader wants: the reader here is one that was taken over, or one with a huge program. */
#include "test.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "worker/ask_reader.h"

enum { MOST_PATHS = 16384 };

/* What the reader wants whenever it is asked for names, and what has become of that. */
static struct {
	unsigned count, length; /* paths, and how long each is */
	bool for_ever;		/* although there are no more */
	bool relative;
	const char *path;  /* this one instead */
	bool no_names;	   /* the same without lines */
	unsigned told;	   /* that there are no more */
	unsigned opened;   /* paths that the opener was asked for */
	size_t longest;	   /* of those */
	unsigned answered; /* addresses that have a name */
} wish;

static struct workers workers;

static void give_name(struct reply *reply)
{
	const struct wire_names_head head = { 1, 1, 1, 6 };
	const struct wire_names run = { 0, 1 };
	const struct wire_name line = { .kind = WIRE_NAME_SYMBOL, .file = 4 };
	const uint32_t number = 0;

	bytes_add(&reply->bytes, &head, sizeof(head));
	bytes_add(&reply->bytes, &run, sizeof(run));
	bytes_add(&reply->bytes, &line, sizeof(line));
	bytes_add(&reply->bytes, &number, sizeof(number));
	bytes_add(&reply->bytes, "name\0", 6);
}

static int read_names(void *state, const struct question *question, const void *payload,
		      size_t size, int *fds, unsigned fd_count, struct reply *reply)
{
	const struct wire_names_question *names = payload;

	(void)state;
	(void)size;
	(void)fds;
	(void)fd_count;
	if (question->what != READER_NAMES)
		return 0;
	if (!names->lines && !wish.no_names) {
		give_name(reply);
		return 0;
	}
	wish.told += names->files == WIRE_NO_MORE_FILES;
	if (names->files == WIRE_NO_MORE_FILES && !wish.for_ever) {
		give_name(reply);
		return 0;
	}
	if (wish.path)
		bytes_add(&reply->bytes, wish.path, strlen(wish.path) + 1);
	for (unsigned i = 0; i < wish.count; i++) {
		for (unsigned k = 0; k < wish.length; k++)
			bytes_add_char(&reply->bytes, k == 0 && !wish.relative ? '/' : 'a');
		bytes_add_char(&reply->bytes, '\0');
	}
	return WIRE_NAMES_WANT;
}

static int open_nothing(void *state, const struct question *question, const void *payload,
			size_t size, int *fds, unsigned fd_count, struct reply *reply)
{
	const char *paths = payload;

	(void)state;
	(void)fds;
	(void)fd_count;
	(void)reply;
	assert_int_equal(question->what, OPENER_FILES);
	for (size_t at = sizeof(struct wire_open_files); at < size; at += strlen(paths + at) + 1) {
		wish.opened++;
		if (strlen(paths + at) > wish.longest)
			wish.longest = strlen(paths + at);
	}
	return 0;
}

static int begin(void **state)
{
	(void)state;
	memset(&wish, 0, sizeof(wish));
	workers_init(&workers);
	workers.reader.direct = workers.liner.direct = read_names;
	workers.opener.direct = open_nothing;
	return 0;
}

static int end(void **state)
{
	(void)state;
	workers_fini(&workers);
	return 0;
}

static struct object *make_object(const char *path)
{
	struct object *object = object_new(memfd_create("object", MFD_CLOEXEC), path);

	assert_non_null(object);
	assert_true(object->fd >= 0);
	return object;
}

static int take_name(void *context, uint32_t number, const struct name_line *lines,
		     uint32_t line_count)
{
	(void)context;
	(void)number;
	assert_int_equal(line_count, 1);
	wish.answered += lines[0].kind == WIRE_NAME_SYMBOL;
	return 0;
}

static void ask_for_name(struct object *object)
{
	const uint64_t address = 1;
	uint32_t answered;

	assert_ok(ask_names(&workers, object, &address, 1, &answered, take_name, NULL));
	assert_int_equal(answered, 1);
}

static void check_nonsense(unsigned count, unsigned length)
{
	struct object *object = make_object("/folder/object");

	wish.count = count;
	wish.length = length;
	ask_for_name(object);
	assert_true(object->lines_given_up);
	assert_int_equal(workers.given_up, 1);
	assert_string_equal(workers.casualties.at[0].why,
			    "its debug information made nonsense of the reader");
	assert_int_equal(wish.opened, 0);
	assert_int_equal(wish.answered, 1);
	object_unref(object);
}

static void too_many_paths_are_nonsense(void **state)
{
	(void)state;
	check_nonsense(WIRE_WANTED_MAX + 1, 10);
}

static void too_long_paths_are_nonsense(void **state)
{
	(void)state;
	check_nonsense(1, PATH_MAX);
}

/* Told that there are no more files, an honest reader answers. */
static void who_wants_for_ever_is_given_up(void **state)
{
	struct object *object = make_object("/folder/object");

	(void)state;
	wish.count = WIRE_WANTED_MAX;
	wish.length = 10;
	wish.for_ever = true;
	ask_for_name(object);
	assert_int_equal(wish.told, 1);
	assert_true(object->lines_given_up);
	assert_int_equal(wish.answered, 1);
	assert_in_range(wish.opened, 1000, 256 * WIRE_WANTED_MAX);
	object_unref(object);
}

/* What is called how, no further file tells. */
static void names_alone_want_nothing(void **state)
{
	struct object *object = make_object("/folder/object");

	(void)state;
	object->lines_given_up = true;
	wish.count = 1;
	wish.length = 10;
	wish.no_names = true;
	ask_for_name(object);
	assert_true(object->given_up);
	assert_string_equal(workers.casualties.at[0].why, worker_outcome_text(WORKER_NONSENSE));
	assert_int_equal(wish.opened, 0);
	object_unref(object);
}

static void files_of_an_object_are_so_many(void **state)
{
	struct object *object = make_object("/folder/object");

	(void)state;
	wish.count = WIRE_WANTED_MAX;
	wish.length = 10;
	for (unsigned i = 0; i < 100; i++)
		ask_for_name(object);
	assert_false(object->given_up || object->lines_given_up);
	assert_int_equal(wish.answered, 100);
	assert_int_equal(wish.told, 100);
	assert_in_range(wish.opened, MOST_PATHS, MOST_PATHS + WIRE_WANTED_MAX);
	/* Its further files are, once. */
	assert_int_equal(workers.given_up, 1);
	assert_string_equal(workers.casualties.at[0].path, "/folder/object");
	assert_string_equal(workers.casualties.at[0].why,
			    "it has more further files than profd opens for one");
	object_unref(object);
}

static void paths_that_the_folder_makes_too_long_are_not_opened(void **state)
{
	char path[PATH_MAX];
	struct object *object;

	(void)state;
	memset(path, 'f', sizeof(path));
	path[0] = '/';
	strcpy(path + PATH_MAX - 100, "/object");
	object = make_object(path);
	wish.relative = true;
	wish.count = 1;
	wish.length = 98;
	ask_for_name(object);
	assert_int_equal(wish.longest, PATH_MAX - 1);
	wish.opened = 0;
	wish.length = 99;
	ask_for_name(object);
	assert_int_equal(wish.opened, 0);
	object_unref(object);
}

/* How many files are opened when the reader wants this one. */
static unsigned opened_for(struct object *object, const char *path)
{
	wish.path = path;
	wish.opened = 0;
	object->wanted = MOST_PATHS - 1; /* it is told that there is no more after the first time */
	ask_for_name(object);
	return wish.opened;
}

static void what_was_sent_opens_nothing_but_debug_files(void **state)
{
	struct object *object = make_object("/folder/object");

	(void)state;
	assert_int_equal(opened_for(object, "/etc/shadow"), 1);
	assert_int_equal(opened_for(object, "unit.dwo"), 1);
	object->debug_parcel = memfd_create("parcel", MFD_CLOEXEC);
	assert_int_equal(opened_for(object, "/etc/shadow"), 0);
	assert_int_equal(opened_for(object, "unit.dwo"), 0);
	assert_int_equal(opened_for(object, "/usr/lib/debug/../../../etc/shadow"), 0);
	assert_int_equal(opened_for(object, "/usr/lib/debug/.dwz/x.debug"), 1);
	object_unref(object);
}

static void a_missing_supplement_has_a_build_id(void **state)
{
	static const char *const others[] = {
		"/usr/lib/debug/.build-id/ab/cdef",
		"/usr/lib/debug/.build-id/abc/def.debug",
		"/usr/lib/debug/.build-id/ab/.debug",
		"/usr/lib/debug/.build-id/ab/c/d.debug",
		"/usr/lib/debug/.build-id/ab/cdEF.debug",
		"/usr/lib/debug/.build-id/../../x.debug",
		"/usr/lib/debug/.build-id/ab/cdef.debug.dwp",
		"/folder/ab/cdef.debug",
	};
	struct object *object = make_object("/folder/object");

	(void)state;
	opened_for(object, "/usr/lib/debug/.build-id/ab/cdef.debug");
	assert_null(object->lacks_supplement);
	workers.wants_debug_files = true;
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		opened_for(object, others[i]);
		if (object->lacks_supplement)
			fail_msg("'%s' is '%s'", others[i], object->lacks_supplement);
	}
	opened_for(object, "/usr/lib/debug/.build-id/ab/cdef.debug");
	assert_string_equal(object->lacks_supplement, "abcdef");
	object_unref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(too_many_paths_are_nonsense, begin, end),
		cmocka_unit_test_setup_teardown(too_long_paths_are_nonsense, begin, end),
		cmocka_unit_test_setup_teardown(who_wants_for_ever_is_given_up, begin, end),
		cmocka_unit_test_setup_teardown(names_alone_want_nothing, begin, end),
		cmocka_unit_test_setup_teardown(files_of_an_object_are_so_many, begin, end),
		cmocka_unit_test_setup_teardown(what_was_sent_opens_nothing_but_debug_files, begin,
						end),
		cmocka_unit_test_setup_teardown(a_missing_supplement_has_a_build_id, begin, end),
		cmocka_unit_test_setup_teardown(paths_that_the_folder_makes_too_long_are_not_opened,
						begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
