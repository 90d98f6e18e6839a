// SPDX-License-Identifier: Apache-2.0
/*
 * Worker processes that misbehave in every way there is (misbehave.c): each time the right outcome,
 * nothing left of the process, and the next question answered by another one. And the real program
 * as a worker: what it has given up before it is asked anything.
 */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "worker/misbehave.h"
#include "worker/worker.h"

#define PATIENCE_NS 500000000ULL

static const char *program(const char *variable)
{
	const char *path = getenv(variable);

	assert_non_null(path);
	return path;
}

static unsigned open_files(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static unsigned calls;

static void count_call(void *context)
{
	assert_ptr_equal(context, &calls);
	calls++;
}

static void begin(struct worker *worker)
{
	worker_set_program(program("MISBEHAVE"));
	worker_init(worker, "some role");
	worker->patience_ns = PATIENCE_NS;
	worker->overtime_ns = PATIENCE_NS;
	worker->meanwhile = count_call;
	worker->context = &calls;
}

static int ask(struct worker *worker, struct answer *ret, uint32_t what)
{
	return worker_ask(worker, ret, (struct question){ .what = what }, "payload", 7, NULL, 0);
}

/* what: HONEST or BEHIND */
static void check_answer(struct worker *worker, uint32_t what)
{
	struct answer answer;

	assert_ok(ask(worker, &answer, what));
	assert_ok(answer.result);
	assert_int_equal(answer.size, 16);
	assert_memory_equal(answer.at, "payloadsome role", 16);
	assert_int_equal(answer.fd_count, 0);
	answer_fini(&answer);
}

static void check_honest(struct worker *worker)
{
	check_answer(worker, HONEST);
}

static bool is_gone(pid_t pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH; /* a zombie is not */
}

static void check_misbehaviour(uint32_t what, int outcome, bool gives_files)
{
	unsigned before = open_files();
	struct worker worker;
	struct answer answer;
	pid_t pid;

	begin(&worker);
	worker.gives_files = gives_files;
	check_honest(&worker);
	pid = worker.pid;
	if (ask(&worker, &answer, what) != outcome)
		fail_msg("misbehaviour %u: not outcome %d", what, outcome);
	assert_true(is_gone(pid));
	assert_int_equal(worker.pid, 0);
	assert_int_equal(worker.lost, 1);
	assert_int_equal(worker.stuck, outcome == WORKER_STUCK);
	assert_int_equal(worker.was_killed, what == STOP); /* as if by somebody */
	check_honest(&worker);
	assert_int_not_equal(worker.pid, pid);
	assert_int_equal(worker.generation, 2);
	pid = worker.pid;
	worker_fini(&worker);
	assert_true(is_gone(pid));
	if (open_files() != before)
		fail_msg("misbehaviour %u: %u files open, not %u", what, open_files(), before);
}

static void test_honest(void **state)
{
	unsigned before = open_files();
	char large[QUESTION_BYTES_MAX] = {};
	struct worker worker;
	struct answer answer;

	(void)state;
	begin(&worker);
	for (unsigned i = 0; i < 100; i++)
		check_answer(&worker, i % 3 ? BEHIND : HONEST);
	assert_int_equal(worker.generation, 1);
	/* The largest question, and one that is too large. */
	assert_ok(worker_ask(&worker, &answer, (struct question){ .what = HONEST }, large,
			     sizeof(large) - sizeof(struct question), NULL, 0));
	assert_int_equal(answer.size, sizeof(large) - sizeof(struct question) + 9);
	answer_fini(&answer);
	assert_errno(worker_ask(&worker, &answer, (struct question){ .what = HONEST }, large,
				sizeof(large) - sizeof(struct question) + 1, NULL, 0),
		     E2BIG);
	calls = 0;
	assert_ok(ask(&worker, &answer, SLOW));
	assert_true(calls > 0);
	answer_fini(&answer);
	worker_fini(&worker);
	assert_int_equal(open_files(), before);
}

static void test_files(void **state)
{
	unsigned before = open_files();
	struct worker worker;
	struct answer answer;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), many[MESSAGE_MAX_FDS + 1];

	(void)state;
	begin(&worker);
	worker.gives_files = true;
	assert_ok(ask(&worker, &answer, HONEST_FILES));
	assert_int_equal(answer.fd_count, 2);
	assert_int_equal(fcntl(answer.fds[1], F_GETFD), FD_CLOEXEC);
	answer_fini(&answer);
	for (unsigned i = 0; i < MESSAGE_MAX_FDS + 1; i++)
		many[i] = null;
	assert_ok(worker_ask(&worker, &answer, (struct question){ .what = HONEST }, NULL, 0, many,
			     MESSAGE_MAX_FDS));
	answer_fini(&answer);
	assert_errno(worker_ask(&worker, &answer, (struct question){ .what = HONEST }, NULL, 0,
				many, MESSAGE_MAX_FDS + 1),
		     E2BIG);
	worker_fini(&worker);
	close(null);
	assert_int_equal(open_files(), before);
}

static void test_ends(void **state)
{
	(void)state;
	check_misbehaviour(CRASH, WORKER_DIED, false);
	check_misbehaviour(EXIT, WORKER_DIED, false);
	check_misbehaviour(EMPTY_MESSAGE, WORKER_DIED, false);
}

static void test_nonsense(void **state)
{
	static const enum misbehaviour always[] = {
		WRONG_SEQUENCE, SIZE_TOO_LARGE,	 SIZE_TOO_SMALL, SIZE_ENORMOUS,
		FILE_ENORMOUS,	STILL_MAPPED,	 SEALED_BEFORE,	 NO_ERRNO,
		SHORT_MESSAGE,	LONG_MESSAGE,	 MISSING_FILES,	 EMPTY_MESSAGE_WITH_FILES,
		BEHIND_TOO_FEW, BEHIND_TOO_MANY, TOO_MANY_FILES, UNANNOUNCED_FILES,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++) {
		check_misbehaviour(always[i], WORKER_NONSENSE, false);
		check_misbehaviour(always[i], WORKER_NONSENSE, true);
	}
	/* Announced, but not wanted from this one. */
	check_misbehaviour(HONEST_FILES, WORKER_NONSENSE, false);
}

/* Whoever closes the socket and lives on is taken for dead, and killed. */
static void test_closed_socket(void **state)
{
	struct worker worker;
	struct answer answer;
	pid_t pid;

	(void)state;
	begin(&worker);
	check_honest(&worker);
	pid = worker.pid;
	assert_int_equal(ask(&worker, &answer, CLOSE), WORKER_DIED);
	assert_true(is_gone(pid));
	check_honest(&worker);
	worker_fini(&worker);
}

static void test_stuck(void **state)
{
	(void)state;
	calls = 0;
	check_misbehaviour(SLEEP, WORKER_STUCK, false);
	assert_true(calls >= 5);
	check_misbehaviour(STOP, WORKER_DIED, false);
}

/* Some work now and then is progress, but not for ever. */
static void test_drip(void **state)
{
	struct worker worker;
	struct answer answer;

	(void)state;
	begin(&worker);
	worker.patience_ns = 200000000;
	worker.overtime_ns = UINT64_MAX;
	assert_int_equal(ask(&worker, &answer, DRIP), WORKER_STUCK);
	check_honest(&worker);
	worker_fini(&worker);
}

static void test_overtime(void **state)
{
	(void)state;
	calls = 0;
	check_misbehaviour(SPIN, WORKER_OVERTIME, false);
	assert_true(calls >= 5);
}

/* Each time it is less patient, down to a limit. */
static void test_patience(void **state)
{
	uint64_t first = 0, last = 0, begin_ns;
	struct worker worker;
	struct answer answer;

	(void)state;
	begin(&worker);
	worker.patience_ns = 160000000;
	for (unsigned i = 0; i < 13; i++) {
		begin_ns = clock_ns(CLOCK_MONOTONIC);
		assert_int_equal(ask(&worker, &answer, SLEEP), WORKER_STUCK);
		last = clock_ns(CLOCK_MONOTONIC) - begin_ns;
		first = first ? first : last;
		assert_true(last >= worker.patience_ns / 8);
	}
	assert_true(last < first);
	assert_int_equal(worker.stuck, 13);
	check_honest(&worker);
	worker_fini(&worker);
}

/* It answers what it was not asked yet: found out as soon as its queue of questions is full. */
static void test_flood(void **state)
{
	unsigned before = open_files(), asked = 1;
	struct worker worker;
	struct answer answer;
	int r;

	(void)state;
	begin(&worker);
	check_honest(&worker);
	r = ask(&worker, &answer, FLOOD);
	while (r == 0 && asked < 100000) {
		answer_fini(&answer);
		r = ask(&worker, &answer, HONEST);
		asked++;
	}
	assert_true(r == WORKER_NONSENSE || r == WORKER_STUCK);
	check_honest(&worker);
	worker_fini(&worker);
	assert_int_equal(open_files(), before);
}

static void test_killed_by_somebody(void **state)
{
	unsigned before = open_files();
	struct worker worker;
	struct answer answer;
	siginfo_t info;
	pid_t pid;

	(void)state;
	begin(&worker);
	check_honest(&worker);
	/* While nobody asks: nobody notices. */
	for (unsigned i = 0; i < 10; i++) {
		pid = worker.pid;
		assert_ok(kill(pid, SIGKILL));
		assert_ok(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
		check_honest(&worker);
		assert_true(is_gone(pid));
	}
	assert_int_equal(worker.lost, 0);
	assert_int_equal(worker.generation, 11);
	worker_restart(&worker);
	check_honest(&worker);
	/* A program that cannot be started. */
	worker_restart(&worker);
	worker_set_program("/nonexistent");
	assert_int_equal(ask(&worker, &answer, HONEST), WORKER_DIED);
	worker_set_program(program("MISBEHAVE"));
	check_honest(&worker);
	worker_fini(&worker);
	assert_int_equal(open_files(), before);
}

static void test_figures(void **state)
{
	struct worker worker;

	(void)state;
	begin(&worker);
	assert_int_equal(worker_peak_bytes(&worker), 0);
	check_honest(&worker);
	assert_true(worker_peak_bytes(&worker) > 100000);
	worker_fini(&worker);
	assert_true(worker_peak_bytes(&worker) > 100000);
	for (int i = -1; i <= WORKER_OUTCOMES; i++)
		assert_true(strlen(worker_outcome_text(i)) > 0);
}

/* ---- the real program ---- */

#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* What /proc tells of the process, "" when we may not know. */
static void read_proc(struct bytes *ret, pid_t pid, const char *name)
{
	char path[64];

	ret->size = 0;
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	(void)fs_read(ret, AT_FDCWD, path, 65536);
	assert_non_null(bytes_str(ret));
}

static void begin_real(struct worker *worker, const char *role)
{
	worker_set_program(program("PROFD"));
	worker_init(worker, role);
	assert_ok(worker_check(worker));
}

static void check_files(pid_t pid)
{
	unsigned count = 0;
	struct dirent *entry;
	char path[64];
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	folder = opendir(path);
	if (!folder)
		return; /* its memory cannot be looked at: not ours to see */
	while ((entry = readdir(folder)))
		count += entry->d_name[0] != '.';
	closedir(folder);
	assert_int_equal(count, 4); /* the standard ones and the socket */
}

static void test_reader_is_sandboxed(void **state)
{
	cleanup(bytes_fini) struct bytes text = {};
	struct worker worker;

	(void)state;
	begin_real(&worker, "reader");
	read_proc(&text, worker.pid, "status");
	assert_non_null(strstr(text.at, "\nCapInh:\t0000000000000000\n"));
	assert_non_null(strstr(text.at, "\nCapPrm:\t0000000000000000\n"));
	assert_non_null(strstr(text.at, "\nCapEff:\t0000000000000000\n"));
	assert_non_null(strstr(text.at, "\nCapAmb:\t0000000000000000\n"));
	assert_non_null(strstr(text.at, "\nNoNewPrivs:\t1\n"));
	assert_non_null(strstr(text.at, "\nSeccomp:\t2\n"));
	assert_non_null(strstr(text.at, "\nThreads:\t1\n"));
	if (geteuid() == 0)
		assert_non_null(strstr(text.at, "\nCapBnd:\t0000000000000000\n"));
	read_proc(&text, worker.pid, "limits");
	assert_non_null(strstr(text.at, "Max cpu time              60 "));
	assert_non_null(strstr(text.at, "Max core file size        0 "));
	if (!SANITIZED)
		assert_non_null(strstr(text.at, "Max address space         1073741824 "));
	read_proc(&text, worker.pid, "oom_score_adj");
	assert_string_equal(text.at, "1000\n");
	check_files(worker.pid);
	worker_fini(&worker);
}

static void test_opener_has_nothing_open(void **state)
{
	int null = open("/dev/null", O_RDONLY); /* without close-on-exec */
	struct worker worker;

	(void)state;
	begin_real(&worker, "opener");
	check_files(worker.pid);
	worker_fini(&worker);
	close(null);
}

/* What is no question ends neither; what is asked of neither is an error. */
static void test_bad_questions(void **state)
{
	static const char *const roles[] = { "reader", "walker", "opener" };

	(void)state;
	srandom(5);
	for (size_t i = 0; i < 2; i++) {
		struct worker worker;
		struct answer answer;

		begin_real(&worker, roles[i]);
		worker.gives_files = i == 1;
		assert_ok(ask(&worker, &answer, 12345));
		assert_true(answer.result < 0);
		answer_fini(&answer);
		for (unsigned round = 0; round < 500; round++) {
			unsigned char payload[200];
			size_t size = (size_t)random() % sizeof(payload);
			struct question question = { .what = (uint32_t)random() % 8,
						     .object = (uint32_t)random() % 3,
						     .has_object = random() % 2 };

			for (size_t k = 0; k < size; k++)
				payload[k] = (unsigned char)(random() % 4 ? random() : 0);
			assert_ok(worker_ask(&worker, &answer, question, payload, size, NULL, 0));
			answer_fini(&answer);
		}
		assert_int_equal(worker.generation, 1);
		worker_fini(&worker);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_honest),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_closed_socket),
		cmocka_unit_test(test_stuck),
		cmocka_unit_test(test_drip),
		cmocka_unit_test(test_overtime),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_killed_by_somebody),
		cmocka_unit_test(test_figures),
		cmocka_unit_test(test_reader_is_sandboxed),
		cmocka_unit_test(test_opener_has_nothing_open),
		cmocka_unit_test(test_bad_questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
