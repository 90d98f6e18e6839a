// SPDX-License-Identifier: Apache-2.0
#include "query/watch.h"

#include <stdio.h>
#include <string.h>

#include "test.h"

#define S INT64_C(1000000000)
#define M (60 * S)
#define H (60 * M)

/* Some Thursday. */
#define T0 (INT64_C(1795698300) * S)

struct world {
	struct book book;
	struct store_rows rows;
	int64_t at_ns; /* since T0 */
};

static int begin(void **state)
{
	static struct world world;

	world = (struct world){};
	*state = &world;
	return book_init(&world.book);
}

static int end(void **state)
{
	struct world *world = *state;

	book_fini(&world->book);
	array_fini(&world->rows.rows);
	return 0;
}

/* Something ran from `from_ns` to `until_ns`, since T0. */
static void ran(struct world *world, const char *unit, const char *exe, const char *build_id,
		int64_t from_ns, int64_t until_ns)
{
	struct store_row *row = array_push(&world->rows.rows);

	assert_non_null(row);
	*row = (struct store_row){ .text = build_id,
				   .exe = exe,
				   .unit = unit,
				   .samples = 200,
				   .cpu_ns = 10 * S,
				   .first_ns = T0 + from_ns,
				   .last_ns = T0 + until_ns };
}

static void scan(struct world *world, int64_t until_ns)
{
	assert_ok(watch_take(&world->book, &world->rows, T0 + until_ns, 10 * S, &watch_rules));
	assert_int_equal(world->book.scanned_ns, T0 + until_ns);
	world->rows.rows.count = 0;
}

/* One build of nginx minute by minute, one scan each. */
static void runs(struct world *world, const char *build_id, int64_t from_ns, int64_t until_ns)
{
	for (; from_ns < until_ns; from_ns += M) {
		ran(world, "nginx.service", "/usr/sbin/nginx", build_id, from_ns, from_ns + M);
		scan(world, from_ns + M);
	}
}

static void expect(const struct world *world, uint32_t index, const char *old, const char *new,
		   int64_t time_ns, enum book_state state)
{
	const struct book_deploy *deploy;

	assert_true(index < world->book.deploys.count);
	deploy = &world->book.deploys.at[index];
	assert_string_equal(book_text(&world->book, deploy->old_build), old);
	assert_string_equal(book_text(&world->book, deploy->new_build), new);
	assert_int_equal(deploy->time_ns, T0 + time_ns);
	assert_int_equal(deploy->state, state);
}

static void sees_a_new_build_that_stays(void **state)
{
	struct world *world = *state;

	runs(world, "aa", 0, 10 * M);
	assert_int_equal(world->book.deploys.count, 0);
	ran(world, "nginx.service", "/usr/sbin/nginx", "bb", 10 * M + 10 * S, 10 * M + 40 * S);
	scan(world, 11 * M);
	expect(world, 0, "aa", "bb", 10 * M + 10 * S, BOOK_WATCHED);
	runs(world, "bb", 11 * M, 13 * M);
	assert_int_equal(world->book.deploys.count, 1);
	expect(world, 0, "aa", "bb", 10 * M + 10 * S, BOOK_WAITS);
	assert_string_equal(book_text(&world->book, world->book.deploys.at[0].unit),
			    "nginx.service");
	assert_string_equal(book_text(&world->book, world->book.deploys.at[0].exe),
			    "/usr/sbin/nginx");
	assert_false(world->book.deploys.at[0].is_return);
	assert_int_equal(world->book.deploys.at[0].ended_ns, 0);
}

static void the_next_one_ends_it(void **state)
{
	struct world *world = *state;

	runs(world, "aa", 0, 10 * M);
	runs(world, "bb", 10 * M, 20 * M);
	runs(world, "cc", 20 * M, 30 * M);
	assert_int_equal(world->book.deploys.count, 2);
	expect(world, 0, "aa", "bb", 10 * M, BOOK_WAITS);
	expect(world, 1, "bb", "cc", 20 * M, BOOK_WAITS);
	assert_int_equal(world->book.deploys.at[0].ended_ns, T0 + 20 * M);
	assert_int_equal(world->book.deploys.at[1].ended_ns, 0);
}

/* Also while nobody looked, as over a night. */
static void a_restart_is_nothing(void **state)
{
	struct world *world = *state;

	runs(world, "aa", 0, 10 * M);
	runs(world, "aa", 9 * H, 9 * H + 10 * M);
	assert_int_equal(world->book.deploys.count, 0);
	runs(world, "bb", 20 * H, 20 * H + 10 * M);
	assert_int_equal(world->book.deploys.count, 1);
	expect(world, 0, "aa", "bb", 20 * H, BOOK_WAITS);
}

static void what_runs_for_a_moment_is_nothing(void **state)
{
	struct world *world = *state;

	runs(world, "aa", 0, 10 * M);
	ran(world, "nginx.service", "/usr/sbin/nginx", "bb", 10 * M, 10 * M + 20 * S);
	runs(world, "aa", 10 * M, 90 * M);
	assert_int_equal(world->book.deploys.count, 0);
	/* What comes then is compared with what stayed. */
	runs(world, "cc", 90 * M, 100 * M);
	assert_int_equal(world->book.deploys.count, 1);
	expect(world, 0, "aa", "cc", 90 * M, BOOK_WAITS);
}

/* All that a window says is that something ran in it. */
static void a_long_window_is_no_long_stay(void **state)
{
	struct world *world = *state;

	ran(world, "nginx.service", "/usr/sbin/nginx", "aa", 0, 10 * M);
	ran(world, "nginx.service", "/usr/sbin/nginx", "bb", 10 * M, 20 * M);
	ran(world, "nginx.service", "/usr/sbin/nginx", "aa", 20 * M, 30 * M);
	assert_ok(watch_take(&world->book, &world->rows, T0 + 30 * M, 10 * M, &watch_rules));
	expect(world, 0, "aa", "bb", 10 * M, BOOK_WATCHED);
	world->rows.rows.count = 0;
	ran(world, "nginx.service", "/usr/sbin/nginx", "bb", 30 * M, 40 * M);
	assert_ok(watch_take(&world->book, &world->rows, T0 + 40 * M, 10 * M, &watch_rules));
	expect(world, 0, "aa", "bb", 10 * M, BOOK_WAITS);
}

/* A driver, its children, and what they build and try out, each time another build. */
static void a_compilers_children_are_nothing(void **state)
{
	static const char *const tools[] = { "/usr/bin/gcc", "/usr/libexec/gcc/cc1", "/usr/bin/as",
					     "/usr/bin/ld" };
	struct world *world = *state;

	for (int64_t i = 0; i < 120; i++) {
		char build[16];

		for (int k = 0; k < 4; k++) {
			snprintf(build, sizeof(build), "%02d", k);
			ran(world, "build.service", tools[k], build, i * M, i * M + 50 * S);
		}
		snprintf(build, sizeof(build), "f%02x", (unsigned)i);
		ran(world, "build.service", "/build/conftest", build, i * M + 10 * S,
		    i * M + 20 * S);
		scan(world, (i + 1) * M);
	}
	for (uint32_t i = 0; i < world->book.deploys.count; i++)
		assert_int_equal(world->book.deploys.at[i].state, BOOK_WATCHED);
	world->rows.rows.count = 0;
	scan(world, 3 * H + M);
	assert_int_equal(world->book.deploys.count, 0);
}

/* A new build every five minutes, each of which runs as long. */
static void what_is_being_developed_is_not_deployed(void **state)
{
	struct world *world = *state;
	uint32_t before;

	for (int64_t i = 0; i < 12; i++) {
		char build[16];

		snprintf(build, sizeof(build), "f%02x", (unsigned)i);
		runs(world, build, i * 5 * M, (i + 1) * 5 * M);
		if (i == 5)
			before = world->book.deploys.count;
	}
	assert_true(before <= watch_rules.many_in_an_hour);
	assert_int_equal(world->book.deploys.count, before);
}

static void both_may_run_side_by_side(void **state)
{
	struct world *world = *state;

	runs(world, "aa", 0, 10 * M);
	for (int64_t i = 10; i < 30; i++) {
		ran(world, "nginx.service", "/usr/sbin/nginx", "aa", i * M, (i + 1) * M);
		ran(world, "nginx.service", "/usr/sbin/nginx", "bb", i * M, (i + 1) * M);
		scan(world, (i + 1) * M);
	}
	assert_int_equal(world->book.deploys.count, 1);
	expect(world, 0, "aa", "bb", 10 * M, BOOK_WAITS);
	/* An old process that wakes up once more is no rollback. */
	runs(world, "bb", 30 * M, 40 * M);
	ran(world, "nginx.service", "/usr/sbin/nginx", "aa", 40 * M, 40 * M + 20 * S);
	runs(world, "bb", 40 * M, 3 * H);
	assert_int_equal(world->book.deploys.count, 1);
}

static void a_rollback_is_one_that_ran_before(void **state)
{
	struct world *world = *state;

	runs(world, "aa", 0, 10 * M);
	runs(world, "bb", 10 * M, 20 * M);
	runs(world, "aa", 20 * M, 21 * M);
	expect(world, 1, "bb", "aa", 20 * M, BOOK_WATCHED);
	runs(world, "aa", 21 * M, 30 * M);
	assert_int_equal(world->book.deploys.count, 2);
	expect(world, 1, "bb", "aa", 20 * M, BOOK_WAITS);
	assert_true(world->book.deploys.at[1].is_return);
	assert_int_equal(world->book.deploys.at[0].ended_ns, T0 + 20 * M);
	/* And the same once more. */
	runs(world, "bb", 30 * M, 40 * M);
	assert_int_equal(world->book.deploys.count, 3);
	expect(world, 2, "aa", "bb", 30 * M, BOOK_WAITS);
}

/* Two programs at one path, as in two containers, whose units are others each time. */
static void outside_of_units_the_old_one_must_have_gone(void **state)
{
	struct world *world = *state;

	for (int64_t i = 0; i < 100; i++) {
		ran(world, "docker-1111.scope", "/app/server", "aa", i * M, (i + 1) * M);
		if (i >= 5)
			ran(world, "docker-2222.scope", "/app/server", "bb", i * M, (i + 1) * M);
		scan(world, (i + 1) * M);
	}
	assert_int_equal(world->book.deploys.count, 0);
	/* One of them alone does become another one. */
	for (int64_t i = 0; i < 10; i++) {
		ran(world, "", "/opt/tool", "aa", (100 + i) * M, (101 + i) * M);
		scan(world, (101 + i) * M);
	}
	for (int64_t i = 0; i < 10; i++) {
		ran(world, "session-3.scope", "/opt/tool", "bb", (110 + i) * M, (111 + i) * M);
		scan(world, (111 + i) * M);
	}
	assert_int_equal(world->book.deploys.count, 1);
	expect(world, 0, "aa", "bb", 110 * M, BOOK_WAITS);
	assert_string_equal(book_text(&world->book, world->book.deploys.at[0].unit), "");
}

/* A container with a file system of its own, for a moment, before the machine's own is seen. */
static void a_stray_outside_of_units_was_not_replaced(void **state)
{
	struct world *world = *state;

	ran(world, "", "/usr/bin/sed", "aa", 0, M);
	world->rows.rows.at[0].samples = 1;
	scan(world, M);
	for (int64_t i = 1; i < 10; i++) {
		ran(world, "", "/usr/bin/sed", "bb", i * M, (i + 1) * M);
		scan(world, (i + 1) * M);
	}
	assert_int_equal(world->book.deploys.count, 0);
	for (int64_t i = 10; i < 20; i++) {
		ran(world, "", "/usr/bin/sed", "cc", i * M, (i + 1) * M);
		scan(world, (i + 1) * M);
	}
	assert_int_equal(world->book.deploys.count, 1);
	expect(world, 0, "bb", "cc", 10 * M, BOOK_WAITS);
}

/* Releases in folders of their own; and two programs of one name, which both stay. */
static void a_release_may_have_a_folder_of_its_own(void **state)
{
	struct world *world = *state;

	for (int64_t i = 0; i < 40; i++) {
		ran(world, "app.service", i < 20 ? "/srv/app-1.2/bin/app" : "/srv/app-1.3/bin/app",
		    i < 20 ? "aa" : "bb", i * M, (i + 1) * M);
		ran(world, "two.service", "/usr/bin/tool", "cc", i * M, (i + 1) * M);
		if (i > 5)
			ran(world, "two.service", "/opt/bin/tool", "dd", i * M, (i + 1) * M);
		scan(world, (i + 1) * M);
	}
	scan(world, 3 * H);
	assert_int_equal(world->book.deploys.count, 1);
	expect(world, 0, "aa", "bb", 20 * M, BOOK_WAITS);
	assert_string_equal(book_text(&world->book, world->book.deploys.at[0].exe),
			    "/srv/app-1.3/bin/app");
}

static void units_are_told_apart(void **state)
{
	struct world *world = *state;

	for (int64_t i = 0; i < 20; i++) {
		ran(world, "app@1.service", "/opt/app", i < 10 ? "aa" : "bb", i * M, (i + 1) * M);
		ran(world, "app@2.service", "/opt/app", "aa", i * M, (i + 1) * M);
		ran(world, "", "/opt/app", "cc", i * M, (i + 1) * M);
		scan(world, (i + 1) * M);
	}
	assert_int_equal(world->book.deploys.count, 1);
	assert_string_equal(book_text(&world->book, world->book.deploys.at[0].unit),
			    "app@1.service");
}

/* Its file was replaced, and the process runs on. */
static void the_kernels_word_for_gone_is_no_part_of_a_path(void **state)
{
	struct world *world = *state;

	runs(world, "aa", 0, 10 * M);
	for (int64_t i = 10; i < 20; i++) {
		ran(world, "nginx.service", "/usr/sbin/nginx (deleted)", "aa", i * M, (i + 1) * M);
		scan(world, (i + 1) * M);
	}
	assert_int_equal(world->book.builds.count, 1);
	runs(world, "bb", 20 * M, 30 * M);
	assert_int_equal(world->book.deploys.count, 1);
}

/* What hardly works at all: a sample now and then. */
static void few_samples_are_enough_in_the_end(void **state)
{
	struct world *world = *state;

	runs(world, "aa", 0, 10 * M);
	ran(world, "nginx.service", "/usr/sbin/nginx", "bb", 10 * M, 15 * M);
	world->rows.rows.at[0].samples = 3;
	scan(world, 15 * M);
	expect(world, 0, "aa", "bb", 10 * M, BOOK_WATCHED);
	scan(world, 80 * M);
	expect(world, 0, "aa", "bb", 10 * M, BOOK_WAITS);
}

/* Of many hours in one go only first and last times are known. */
static void a_long_stretch_says_as_much(void **state)
{
	struct world *world = *state;

	ran(world, "nginx.service", "/usr/sbin/nginx", "bb", 5 * H, 9 * H);
	ran(world, "nginx.service", "/usr/sbin/nginx", "aa", 0, 5 * H);
	scan(world, 9 * H);
	assert_int_equal(world->book.deploys.count, 1);
	expect(world, 0, "aa", "bb", 5 * H, BOOK_WAITS);
}

static void what_has_no_build_is_passed_over(void **state)
{
	struct world *world = *state;
	char long_path[BOOK_MAX_TEXT + 2];

	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	ran(world, "nginx.service", "/usr/sbin/nginx", "", 0, M);
	ran(world, "nginx.service", "", "aa", 0, M);
	ran(world, "nginx.service", long_path, "aa", 0, M);
	ran(world, "nginx.service", "/usr/sbin/nginx", "aa", M, 0);
	scan(world, M);
	assert_int_equal(world->book.builds.count, 0);
}

static void what_is_kept_has_bounds(void **state)
{
	static char names[BOOK_MAX_BUILDS + 100][16]; /* the rows borrow them */
	struct world *world = *state;

	for (unsigned i = 0; i < BOOK_MAX_BUILDS + 100; i++) {
		snprintf(names[i], sizeof(names[i]), "/opt/%u", i);
		ran(world, "", names[i], names[i] + 5, i * S, i * S + S);
		if (i % 512 != 511)
			continue;
		assert_ok(watch_forget(&world->book, world->rows.rows.count, T0 + i * S));
		for (uint32_t k = 0; k < world->book.builds.count; k++)
			world->book.builds.at[k].id = k + 1;
		scan(world, i * S + S);
	}
	assert_ok(watch_forget(&world->book, world->rows.rows.count, T0 + 3 * H));
	assert_in_range(world->book.builds.count, BOOK_MAX_BUILDS - 600, BOOK_MAX_BUILDS);
	/* The oldest went. */
	for (uint32_t k = 0; k < world->book.builds.count; k++)
		assert_true(world->book.builds.at[k].first_ns >= T0 + 50 * S);
	assert_true(world->book.gone_builds.count > 0);
	/* And all, in the end. */
	assert_ok(watch_forget(&world->book, 0, T0 + 91 * 24 * H));
	assert_int_equal(world->book.builds.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sees_a_new_build_that_stays, begin, end),
		cmocka_unit_test_setup_teardown(the_next_one_ends_it, begin, end),
		cmocka_unit_test_setup_teardown(a_restart_is_nothing, begin, end),
		cmocka_unit_test_setup_teardown(what_runs_for_a_moment_is_nothing, begin, end),
		cmocka_unit_test_setup_teardown(a_long_window_is_no_long_stay, begin, end),
		cmocka_unit_test_setup_teardown(a_compilers_children_are_nothing, begin, end),
		cmocka_unit_test_setup_teardown(what_is_being_developed_is_not_deployed, begin,
						end),
		cmocka_unit_test_setup_teardown(both_may_run_side_by_side, begin, end),
		cmocka_unit_test_setup_teardown(a_rollback_is_one_that_ran_before, begin, end),
		cmocka_unit_test_setup_teardown(outside_of_units_the_old_one_must_have_gone, begin,
						end),
		cmocka_unit_test_setup_teardown(a_stray_outside_of_units_was_not_replaced, begin,
						end),
		cmocka_unit_test_setup_teardown(a_release_may_have_a_folder_of_its_own, begin, end),
		cmocka_unit_test_setup_teardown(units_are_told_apart, begin, end),
		cmocka_unit_test_setup_teardown(the_kernels_word_for_gone_is_no_part_of_a_path,
						begin, end),
		cmocka_unit_test_setup_teardown(few_samples_are_enough_in_the_end, begin, end),
		cmocka_unit_test_setup_teardown(a_long_stretch_says_as_much, begin, end),
		cmocka_unit_test_setup_teardown(what_has_no_build_is_passed_over, begin, end),
		cmocka_unit_test_setup_teardown(what_is_kept_has_bounds, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
