// SPDX-License-Identifier: Apache-2.0
/* Who is to blame when the reader does not answer: the objects tell misbehave.c what to do. */
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/parcel.h"
#include "reader/opener.h"
#include "symbol/symbolizer.h"
#include "worker/ask_reader.h"
#include "worker/misbehave.h"

static struct workers workers;

static int begin(void **state)
{
	const char *program = getenv("MISBEHAVE");

	(void)state;
	if (!program)
		return -1;
	worker_set_program(program);
	workers_init(&workers);
	workers.reader.patience_ns = workers.reader.overtime_ns = 300000000;
	return 0;
}

static int end(void **state)
{
	(void)state;
	workers_fini(&workers);
	return 0;
}

static int open_text(const char *text, struct opened *ret)
{
	int fd = memfd_create("object", MFD_CLOEXEC);
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_ok(fstat(fd, &st));
	*ret = (struct opened){ .identity = object_identity_of(&st) };
	return fd;
}

/* What asking about a new object comes to, which says `text`. */
static int ask_of(struct object **ret, const char *text)
{
	struct opened opened;
	int fd = open_text(text, &opened);

	return ask_object(&workers, ret, fd, -1, &opened, text);
}

static void check_fine(const char *text)
{
	struct object *object = NULL;

	if (ask_of(&object, text) != 0)
		fail_msg("'%s' is not fine", text);
	assert_int_equal(object->segments.count, 1);
	assert_int_equal(object->known_by, workers.reader.generation);
	object_unref(object);
}

/* The object is given up, and named as the last of so many. */
static void check_given_up(const char *text, const char *why, uint32_t count)
{
	struct object *object = NULL;

	assert_errno(ask_of(&object, text), EIO);
	assert_null(object);
	assert_int_equal(workers.given_up, count);
	assert_int_equal(workers.casualties.count, count);
	assert_string_equal(workers.casualties.at[count - 1].path, text);
	if (strcmp(workers.casualties.at[count - 1].why, why) != 0)
		fail_msg("'%s': %s", text, workers.casualties.at[count - 1].why);
}

static void test_its_own_fault(void **state)
{
	(void)state;
	check_fine("fine");
	check_given_up("crash", worker_outcome_text(WORKER_DIED), 1);
	assert_int_equal(workers.reader.lost, 2); /* once more in a new process */
	check_fine("fine");
	check_given_up("nonsense", worker_outcome_text(WORKER_NONSENSE), 2);
	check_fine("fine");
	check_given_up("sleep", worker_outcome_text(WORKER_STUCK), 3);
	check_fine("fine");
	check_given_up("memory", "reading it takes more memory than profd allows", 4);
	check_fine("fine");
	check_fine("memory later");
	assert_int_equal(workers.stuck.count, 0); /* it is on a disk of ours */
}

static void test_first_question(void **state)
{
	uint32_t lost = workers.reader.lost;

	(void)state;
	worker_restart(&workers.reader);
	check_given_up("crash", worker_outcome_text(WORKER_DIED), 1);
	assert_int_equal(workers.reader.lost, lost + 1);
}

static void test_poisoned_process(void **state)
{
	(void)state;
	check_fine("poison crash");
	check_fine("fine");
	check_fine("poison nonsense");
	check_fine("fine");
	check_fine("poison sleep");
	check_fine("fine");
	assert_int_equal(workers.given_up, 0);
	assert_int_equal(workers.stuck.count, 0);
}

/* Whoever kills the process says nothing about the object, unless it happens each time. */
static void test_killed(void **state)
{
	struct object *object = NULL;

	(void)state;
	check_fine("fine");
	check_fine("kill 1");
	worker_restart(&workers.reader);
	check_fine("kill 2");
	assert_int_equal(workers.given_up, 0);
	assert_errno(ask_of(&object, "kill 9"), EIO);
	assert_int_equal(workers.given_up, 1);
	check_fine("fine");
}

static void test_given_up_for_good(void **state)
{
	struct needed needed = {};
	struct opened opened;
	struct object *object;

	(void)state;
	assert_ok(ask_of(&object, "fine"));
	assert_ok(ask_needed(&workers, &needed, object));
	needed_fini(&needed);
	/* The new process does not know the object, and is told. */
	worker_restart(&workers.reader);
	assert_ok(ask_needed(&workers, &needed, object));
	needed_fini(&needed);
	check_fine("poison crash");
	assert_ok(ask_needed(&workers, &needed, object));
	needed_fini(&needed);
	ask_forget(&workers, object);
	assert_errno(ask_needed(&workers, &needed, object), ESTALE);
	object->fd = open_text("crash", &opened);
	assert_errno(ask_needed(&workers, &needed, object), EIO);
	assert_true(object->given_up);
	assert_ok(ftruncate(object->fd, 0));
	assert_int_equal(pwrite(object->fd, "fine", 4, 0), 4);
	assert_errno(ask_needed(&workers, &needed, object), EIO);
	object_unref(object);
}

/* A file system that does not answer is not asked about its other files for a while. */
static void test_stuck_device(void **state)
{
	struct object *object;
	struct opened opened;
	int file = open_text("sleep", &opened), fd = parcel_make(file);
	uint32_t generation;

	(void)state;
	opened.may_block = true;
	close(file);
	assert_errno(ask_object(&workers, &object, fd, -1, &opened, "/silent/a"), EIO);
	assert_true(workers_is_stuck(&workers, opened.identity.device));
	generation = workers.reader.generation;
	file = open_text("fine", &opened);
	opened.may_block = true;
	assert_errno(ask_object(&workers, &object, file, -1, &opened, "/silent/b"), EIO);
	assert_int_equal(workers.reader.generation, generation);
	assert_int_equal(workers.given_up, 2);
	check_fine("fine"); /* the same device number, but not one that may block */
}

static void spend(const struct opened *opened, bool local, uint64_t waited_ns, uint64_t cpu_ns)
{
	const struct payer payer = { opened->identity.device, opened->identity.owner, local,
				     false };

	patience_charge(&workers.patience, &payer, waited_ns, cpu_ns, clock_ns(CLOCK_MONOTONIC));
}

/* It has answered each time, but too slowly. */
static void test_slow_device(void **state)
{
	struct object *object;
	struct opened opened;
	int file = open_text("fine", &opened);

	(void)state;
	spend(&opened, false, 3600000000000, 0);
	opened.may_block = true;
	assert_errno(ask_object(&workers, &object, file, -1, &opened, "/slow"), EIO);
	assert_int_equal(workers.reader.generation, 0);
	assert_string_equal(workers.casualties.at[0].why, worker_outcome_text(WORKER_SLOW_DEVICE));
	check_fine("fine"); /* the same device number, but on a disk of ours */
}

static void test_costly_owner(void **state)
{
	struct object *object;
	struct opened opened;
	int file = open_text("fine", &opened);

	(void)state;
	opened.identity.owner = 1234;
	spend(&opened, true, 0, 3600000000000);
	assert_errno(ask_object(&workers, &object, file, -1, &opened, "/costly"), EIO);
	assert_int_equal(workers.reader.generation, 0);
	assert_string_equal(workers.casualties.at[0].why, worker_outcome_text(WORKER_COSTLY_OWNER));
	/* No other user's files are read either, but root's are. */
	file = open_text("fine", &opened);
	opened.identity.owner = 1235;
	assert_errno(ask_object(&workers, &object, file, -1, &opened, "/other"), EIO);
	assert_string_equal(workers.casualties.at[1].why, worker_outcome_text(WORKER_ALL_SPENT));
	file = open_text("fine", &opened);
	opened.identity.owner = 0;
	assert_ok(ask_object(&workers, &object, file, -1, &opened, "/root"));
	object_unref(object);
}

/* What a question takes is charged: the second one may not take as long. */
static void test_charges(void **state)
{
	struct object *object;
	struct opened opened;
	int file = open_text("sleep", &opened);
	const struct payer payer = { opened.identity.device, PAYER_ANYBODY, false, false };
	struct question_limits before, after;

	(void)state;
	opened.may_block = true;
	assert_ok(patience_allows(&workers.patience, &before, &payer, clock_ns(CLOCK_MONOTONIC)));
	assert_errno(ask_object(&workers, &object, file, -1, &opened, "/slow"), EIO);
	assert_ok(patience_allows(&workers.patience, &after, &payer, clock_ns(CLOCK_MONOTONIC)));
	assert_true(after.waiting_ns < before.waiting_ns);
	assert_true(after.waiting_ns > before.waiting_ns / 2);
}

/* Told to end, it waits for a part of what there is, and the rest is for others. */
static void test_hurry(void **state)
{
	(void)state;
	workers.reader.patience_ns = workers.reader.overtime_ns = 60000000000;
	workers_hurry(&workers);
	workers.hurry.waiting_ns = 900000000;
	check_given_up("sleep", worker_outcome_text(WORKER_STUCK), 1);
	assert_true(workers.hurry.waiting_ns > 0);
	check_fine("fine");
	workers_wait_no_more(&workers);
	check_given_up("not even asked", worker_outcome_text(WORKER_ENDING), 2);
	workers_hurry(&workers); /* again is no more */
	check_given_up("nor now", worker_outcome_text(WORKER_ENDING), 3);
}

/* Not when it is called for the first time: then nothing is awaited yet. */
static void wait_no_more(void *calls)
{
	if (++*(unsigned *)calls > 2)
		workers_wait_no_more(&workers);
}

/* Told so while it waits. */
static void test_waits_no_more(void **state)
{
	unsigned calls = 0;

	(void)state;
	workers.reader.patience_ns = workers.reader.overtime_ns = 60000000000;
	check_fine("fine");
	workers_set_meanwhile(&workers, wait_no_more, &calls);
	check_given_up("sleep", worker_outcome_text(WORKER_ENDING), 1);
}

/* Each file is counted and named once. */
static void test_counted_once(void **state)
{
	char path[32];

	(void)state;
	for (unsigned i = 0; i < 3 * MAX_CASUALTIES; i++) {
		snprintf(path, sizeof(path), "/file%u", i % (MAX_CASUALTIES - 1));
		workers_give_up(&workers, path, "why");
	}
	assert_int_equal(workers.given_up, MAX_CASUALTIES - 1);
	workers_give_up(&workers, "/more", "why");
	workers_give_up(&workers, "/yet more", "why");
	assert_int_equal(workers.given_up, MAX_CASUALTIES + 1);
	assert_int_equal(workers.casualties.count, MAX_CASUALTIES);
	/* Also those that are not named, however often they are tried. */
	for (unsigned i = 0; i < 10; i++)
		workers_give_up(&workers, "/yet more", "why");
	assert_int_equal(workers.given_up, MAX_CASUALTIES + 1);
	assert_false(workers.more_given_up);
	for (unsigned i = 0; i <= MAX_GIVEN_UP; i++) {
		snprintf(path, sizeof(path), "/another%u", i);
		workers_give_up(&workers, path, "why");
	}
	assert_int_equal(workers.given_up, MAX_GIVEN_UP);
	assert_true(workers.more_given_up);
	assert_int_equal(workers.given_up_paths.count, MAX_GIVEN_UP);
}

/* File systems that do not answer are forgotten in time: anybody can mount many. */
static void test_stuck_devices_are_few(void **state)
{
	(void)state;
	for (uint64_t device = 1; device <= 1000; device++) {
		workers_note_stuck(&workers, device);
		assert_true(workers_is_stuck(&workers, device));
		workers.stuck.at[0].until_ns = 0; /* its time is over */
	}
	assert_true(workers.stuck.count <= 2);
}

static int count_nothing(void *count, uint32_t number, const struct name_line *lines,
			 uint32_t line_count)
{
	assert_int_equal(number, (*(uint32_t *)count)++);
	assert_int_equal(line_count, 1);
	assert_int_equal(lines[0].kind, WIRE_NAME_NONE);
	return 0;
}

static int refuse(void *context, uint32_t number, const struct name_line *lines,
		  uint32_t line_count)
{
	(void)context;
	(void)number;
	(void)lines;
	(void)line_count;
	return -ENOSPC;
}

/* Every address has its turn, once, whatever becomes of its object. */
static void test_names_of_nothing(void **state)
{
	uint32_t answered;
	const uint64_t addresses[] = { 1, 2, 3 };
	struct object *object;
	uint32_t count = 0;

	(void)state;
	assert_ok(ask_of(&object, "fine")); /* and what it says of names is no answer about names */
	assert_ok(ask_names(&workers, object, addresses, 3, &answered, count_nothing, &count));
	assert_int_equal(count, 3);
	assert_true(object->given_up);
	assert_errno(ask_names(&workers, object, addresses, 3, &answered, refuse, NULL), ENOSPC);
	object_unref(object);
}

static const struct payer anybody = { .owner = PAYER_ANYBODY, .unknown = true };

#define ASK_NAMES(ret, names) ask_demangled(&workers, (ret), names, sizeof(names), &anybody)

/* To blame is only what ends a process with its first question, here as well. */
static void test_demangling(void **state)
{
	cleanup(bytes_fini) struct bytes readable = {};
	uint32_t lost = workers.reader.lost;

	(void)state;
	assert_ok(ASK_NAMES(&readable, "_Za\0_Zb"));
	assert_int_equal(readable.size, 8);
	assert_memory_equal(readable.at, "_Za\0_Zb", 8);
	assert_int_equal(ASK_NAMES(&readable, "_Za\0_Zcrash"), WORKER_DIED);
	assert_int_equal(workers.reader.lost, lost + 2);
	assert_int_equal(ASK_NAMES(&readable, "_Zfewer"), WORKER_NONSENSE);
	workers.reader.overtime_ns = 20000000;
	assert_int_equal(ASK_NAMES(&readable, "_Zspin"), WORKER_OVERTIME);
	assert_int_equal(readable.size, 8);
	assert_ok(ASK_NAMES(&readable, "_Za"));
	assert_int_equal(readable.size, 12);
	check_fine("fine"); /* what is asked next has nothing to do with it */
}

/* After a poisoned file, or a killed process, they have another chance. */
static void test_demangling_after_others(void **state)
{
	cleanup(bytes_fini) struct bytes readable = {};
	struct object *object;

	(void)state;
	assert_ok(ask_of(&object, "fine"));
	object_unref(object);
	kill(workers.reader.pid, SIGKILL);
	assert_ok(ASK_NAMES(&readable, "_Za"));
}

static void write_map(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

struct told {
	char names[3][32];
};

static int take_told(void *context, uint32_t number, const struct symbol *symbol)
{
	struct told *told = context;

	assert_true(symbol->named);
	snprintf(told->names[number], sizeof(told->names[number]), "%s", symbol->lines[0].name);
	return 0;
}

/* A process whose names end the reader is asked about once, and they stay as they are. */
static void test_names_that_are_too_much(void **state)
{
	static const uint64_t addresses[] = { 0x1000, 0x2000, 0x3000 };
	const struct symbolizer_options options = {};
	cleanup(symbolizer_free) struct symbolizer *symbolizer = NULL;
	struct told told = {};
	char path[32];
	uint32_t lost;

	(void)state;
	workers.opener.direct = opener_answer;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	(void)unlink(path);
	write_map(path, "1000 10 _Zcrash\n2000 10 plain\n3000 10 _Za\n");
	assert_ok(symbolizer_new(&symbolizer, &options, &workers));
	assert_ok(symbolizer_jit(symbolizer, getpid(), 0, addresses, 3, take_told, &told));
	lost = workers.reader.lost;
	assert_int_equal(lost, 1);
	assert_string_equal(told.names[0], "_Zcrash");
	assert_string_equal(told.names[1], "plain");
	assert_string_equal(told.names[2], "_Za");
	assert_int_equal(workers.given_up, 1);
	assert_string_equal(workers.casualties.at[0].path, path);
	assert_string_equal(workers.casualties.at[0].why, worker_outcome_text(WORKER_DIED));
	assert_ok(symbolizer_jit(symbolizer, getpid(), 0, addresses, 3, take_told, &told));
	assert_int_equal(workers.reader.lost, lost);
	assert_ok(unlink(path));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_its_own_fault),
		TEST(test_first_question),
		TEST(test_poisoned_process),
		TEST(test_killed),
		TEST(test_given_up_for_good),
		TEST(test_stuck_device),
		TEST(test_slow_device),
		TEST(test_costly_owner),
		TEST(test_charges),
		TEST(test_hurry),
		TEST(test_waits_no_more),
		TEST(test_counted_once),
		TEST(test_names_of_nothing),
		TEST(test_stuck_devices_are_few),
		TEST(test_demangling),
		TEST(test_demangling_after_others),
		TEST(test_names_that_are_too_much),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
