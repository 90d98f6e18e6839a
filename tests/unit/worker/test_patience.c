// SPDX-License-Identifier: Apache-2.0
/* Who may keep profd waiting for how long: the clock is made up. */
#include "test.h"

#include "worker/patience.h"
#include "worker/worker.h"

#define SECOND 1000000000ULL
#define LONG (3600 * SECOND)
#define BEGIN (1000 * SECOND)

enum { DISK = 1, NETWORK, OTHER_NETWORK };

static const struct payer root_on_disk = { DISK, 0, true, false };
static const struct payer user_on_disk = { DISK, 1000, true, false };
static const struct payer other_on_disk = { DISK, 1001, true, false };
static const struct payer network = { NETWORK, 0, false, false };
static const struct payer other_network = { OTHER_NETWORK, 0, false, false };
static const struct payer unknown = { 0, PAYER_ANYBODY, false, true };

/* Asks, and takes all that one question may, but no more than it would like to. */
static int use(struct patience *patience, const struct payer *payer, uint64_t waiting_ns,
	       uint64_t cpu_ns, uint64_t now, uint64_t *used_ns)
{
	struct question_limits limits;
	int r = patience_allows(patience, &limits, payer, now);

	if (r != 0)
		return r;
	if (waiting_ns > limits.waiting_ns)
		waiting_ns = limits.waiting_ns;
	if (cpu_ns > limits.cpu_ns)
		cpu_ns = limits.cpu_ns;
	patience_charge(patience, payer, waiting_ns, cpu_ns, now);
	*used_ns += waiting_ns + cpu_ns;
	return 0;
}

/* Until it is refused. Returns the time that it took; *why: the last outcome. */
static uint64_t use_up(struct patience *patience, const struct payer *payer, uint64_t waiting_ns,
		       uint64_t cpu_ns, uint64_t now, int *why)
{
	uint64_t used_ns = 0;

	for (unsigned i = 0; i < 10000; i++) {
		*why = use(patience, payer, waiting_ns, cpu_ns, now, &used_ns);
		if (*why != 0)
			break;
	}
	return used_ns;
}

static void a_slow_device_is_given_up(void **state)
{
	struct patience patience = {};
	struct question_limits limits;
	uint64_t used;
	int why;

	(void)state;
	used = use_up(&patience, &network, 29 * SECOND / 10, 0, BEGIN, &why);
	assert_int_equal(why, WORKER_SLOW_DEVICE);
	assert_true(used > 10 * SECOND && used <= 15 * SECOND);
	/* Others are not to blame, and there is something for them. */
	assert_ok(patience_allows(&patience, &limits, &other_network, BEGIN));
	assert_true(limits.waiting_ns > 5 * SECOND);
	assert_ok(patience_allows(&patience, &limits, &user_on_disk, BEGIN));
	/* It comes back with the time, but never has more than a part of that. */
	assert_int_equal(patience_allows(&patience, &limits, &network, BEGIN + SECOND / 10),
			 WORKER_SLOW_DEVICE);
	used = 0;
	for (unsigned s = 1; s <= 600; s++)
		used += use_up(&patience, &network, 3 * SECOND, 0, BEGIN + s * SECOND, &why);
	assert_true(used > 50 * SECOND && used < 62 * SECOND);
	patience_fini(&patience);
}

/* Many slow answers, each of them quick enough. */
static void small_pieces_count_too(void **state)
{
	struct patience patience = {};
	uint64_t used;
	int why;

	(void)state;
	used = use_up(&patience, &network, SECOND / 100, 0, BEGIN, &why);
	assert_int_equal(why, WORKER_SLOW_DEVICE);
	assert_true(used > 14 * SECOND && used <= 15 * SECOND);
	patience_fini(&patience);
}

static void disks_are_waited_for(void **state)
{
	struct patience patience = {};
	struct question_limits limits;

	(void)state;
	patience_charge(&patience, &user_on_disk, LONG, 0, BEGIN);
	assert_ok(patience_allows(&patience, &limits, &user_on_disk, BEGIN));
	assert_true(limits.waiting_ns > 15 * SECOND);
	patience_fini(&patience);
}

static void a_costly_owner_is_given_up(void **state)
{
	struct patience patience = {};
	struct question_limits limits;
	uint64_t used;
	int why;

	(void)state;
	used = use_up(&patience, &user_on_disk, 0, 10 * SECOND, BEGIN, &why);
	assert_int_equal(why, WORKER_COSTLY_OWNER);
	assert_true(used > 15 * SECOND && used <= 20 * SECOND);
	assert_ok(patience_allows(&patience, &limits, &other_on_disk, BEGIN));
	assert_true(limits.cpu_ns > 5 * SECOND);
	/* Root's on the same disk are always read. */
	assert_ok(patience_allows(&patience, &limits, &root_on_disk, BEGIN));
	assert_true(limits.cpu_ns >= 10 * SECOND);
	patience_fini(&patience);
}

/* With ever new file systems and users; more than accounts are kept of. */
static void all_together_have_a_limit(void **state)
{
	struct patience patience = {};
	struct question_limits limits;
	uint64_t used = 0;
	int why = 0;

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		const struct payer payer = { 100 + i, 1000 + i, i % 2, false };

		why = use(&patience, &payer, i % 2 ? 0 : 3 * SECOND, 10 * SECOND, BEGIN, &used);
		if (why)
			break;
	}
	assert_int_equal(why, WORKER_ALL_SPENT);
	assert_true(used > 30 * SECOND && used < 45 * SECOND);
	used = 0;
	for (unsigned i = 0; i < 5000; i++) {
		const struct payer payer = { 9999 + i, 1000 + i, i % 2, false };

		assert_int_equal(use(&patience, &payer, 1, 1, BEGIN, &used), WORKER_ALL_SPENT);
	}
	assert_true(patience.accounts.count <= 1024);
	assert_ok(patience_allows(&patience, &limits, &root_on_disk, BEGIN));
	assert_true(limits.cpu_ns >= 10 * SECOND);
	patience_fini(&patience);
}

/* A hundred large programs that were never read before, of a user, from a server. */
static void honest_files_are_read(void **state)
{
	static const struct payer home = { NETWORK, 1000, false, false };
	struct patience patience = {};

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		struct question_limits limits;

		assert_ok(patience_allows(&patience, &limits, &home, BEGIN + i * SECOND / 2));
		assert_true(limits.waiting_ns > SECOND / 10 && limits.cpu_ns > SECOND / 10);
		patience_charge(&patience, &home, SECOND / 10, SECOND / 10, BEGIN + i * SECOND / 2);
	}
	patience_fini(&patience);
}

/* Whoever it was, the next one that is asked in /proc is another. */
static void the_unknown_are_never_refused(void **state)
{
	struct patience patience = {};
	struct question_limits limits;

	(void)state;
	patience_charge(&patience, &unknown, LONG, LONG, BEGIN);
	assert_ok(patience_allows(&patience, &limits, &unknown, BEGIN));
	assert_true(limits.waiting_ns >= SECOND / 10 && limits.waiting_ns < SECOND);
	patience_fini(&patience);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slow_device_is_given_up),
		cmocka_unit_test(small_pieces_count_too),
		cmocka_unit_test(disks_are_waited_for),
		cmocka_unit_test(a_costly_owner_is_given_up),
		cmocka_unit_test(all_together_have_a_limit),
		cmocka_unit_test(honest_files_are_read),
		cmocka_unit_test(the_unknown_are_never_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
