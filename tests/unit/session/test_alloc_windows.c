// SPDX-License-Identifier: Apache-2.0
/*
 * The controller of the probes of `alloc` on programs made up here, which allocate as often as they are
 * said to, and whose time passes at once.
 */
#include "test.h"

#include <math.h>

#include "base/cleanup.h"
#include "session/alloc_windows.h"

#define MS 1000000.0
#define TRAP_NS 500.0
#define SAMPLE_NS 1500.0

struct program {
	double cpu;	    /* share of one CPU that it uses */
	double calls_per_s; /* of its own CPU time */
	double bytes;	    /* of a call */
};

struct outcome {
	double own_ns, probe_ns, estimated_calls, calls;
	unsigned windows, stays;
};

/* Runs a program for so many seconds. */
static struct outcome simulate(const struct program *program, double cap, double seconds)
{
	struct outcome out = {};
	struct alloc_windows w;
	double now = 0, cpu = 0, cpu_read = 0, now_read = 0;

	alloc_windows_init(&w, cap, TRAP_NS, 12345, 0);
	while (now < seconds * 1000 * MS) {
		struct alloc_window window = alloc_windows_next(&w);
		double gap = (double)window.gap_ns + (window.stays ? 0 : 30 * MS), own, probes,
		       weight;
		double wanted, calls, opened;
		struct alloc_window_result result = {};

		now += gap;
		cpu += gap * program->cpu;
		out.own_ns += gap * program->cpu;
		out.calls += gap * program->cpu * program->calls_per_s / 1e9;
		/* Each call takes longer by the trap, and by a part of a sample. */
		opened = cpu;
		weight = alloc_windows_open(&w, &window, (uint64_t)opened);
		wanted = window.stays ? (double)window.length_ns * program->cpu
				      : (double)window.length_ns;
		wanted = fmin(wanted, (double)window.limit_ns * program->cpu);
		own = wanted / (1 + program->calls_per_s / 1e9 * (TRAP_NS + SAMPLE_NS / 6));
		calls = own * program->calls_per_s / 1e9;
		probes = wanted - own;
		now += wanted / program->cpu;
		cpu += wanted;
		out.own_ns += own;
		out.probe_ns += probes;
		out.calls += calls;
		w.closed_ns = (uint64_t)now;
		weight = alloc_windows_close(&w, &window, (uint64_t)opened, (uint64_t)cpu, probes,
					     weight);
		out.estimated_calls += weight * calls;
		result.length_ns = (uint64_t)wanted;
		result.wall_ns = (uint64_t)(wanted / program->cpu);
		result.hits = (uint64_t)calls;
		result.bytes = (uint64_t)(calls * program->bytes);
		result.sample_ns = (uint64_t)(calls * SAMPLE_NS / 6);
		if (now - now_read > 250 * MS) {
			result.cpu_ns = (uint64_t)(cpu - cpu_read);
			result.over_ns = (uint64_t)(now - now_read);
			cpu_read = cpu;
			now_read = now;
		}
		alloc_windows_learn(&w, &result);
		out.windows += !window.only_learns;
		out.stays += window.stays;
		assert_true(window.interval_bytes > 0);
		/* Long ones only where nobody feels them. */
		assert_true(window.stays || w.cost < 20 * cap ||
			    (double)window.length_ns <= 30 * MS * fmax(program->cpu, 1));
	}
	out.estimated_calls *= alloc_windows_correction(&w, out.own_ns);
	return out;
}

static void the_cost_stays_below_the_limit(void **state)
{
	static const struct program programs[] = {
		{ 1, 3e6, 100 }, { 1, 3e5, 64 },   { 0.3, 1e6, 1000 },
		{ 4, 2e6, 48 },	 { 0.1, 5e6, 32 },
	};
	static const double caps[] = { 0.005, 0.02 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(programs); i++) {
		for (unsigned k = 0; k < ARRAY_SIZE(caps); k++) {
			struct outcome out = simulate(&programs[i], caps[k], 60);
			double share = out.probe_ns / (out.own_ns + out.probe_ns);

			if (share > 1.25 * caps[k] || share < 0.3 * caps[k] || out.windows < 10)
				fail_msg("program %u at %.1f %%: %.2f %% in %u windows", i,
					 100 * caps[k], 100 * share, out.windows);
		}
	}
}

/* From the first window on: nothing is made good for later. */
static void short_recordings_keep_to_the_limit(void **state)
{
	static const struct program programs[] = {
		{ 1, 3e6, 100 }, { 1, 2e7, 32 }, { 2, 2e6, 48 }, { 0.5, 1e6, 1000 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(programs); i++) {
		for (double seconds = 1; seconds <= 8; seconds *= 2) {
			struct outcome out = simulate(&programs[i], 0.005, seconds);
			double share = out.probe_ns / (out.own_ns + out.probe_ns);

			if (share > 1.25 * 0.005 || !out.windows)
				fail_msg("program %u in %.0f s: %.2f %% in %u windows", i, seconds,
					 100 * share, out.windows);
		}
	}
}

static void probes_stay_where_few_calls_run_into_them(void **state)
{
	static const struct program programs[] = { { 1, 2000, 64 }, { 0.01, 20000, 64 } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(programs); i++) {
		struct outcome out = simulate(&programs[i], 0.005, 30);

		if (out.stays < out.windows * 9 / 10)
			fail_msg("program %u: they stay in %u of %u windows", i, out.stays,
				 out.windows);
	}
}

static void windows_stand_for_all_that_was_called(void **state)
{
	static const struct program programs[] = {
		{ 1, 3e6, 100 }, { 0.3, 1e6, 1000 }, { 1, 2000, 64 },
		{ 2, 5e5, 64 },	 { 0.02, 1e5, 64 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(programs); i++) {
		struct outcome out = simulate(&programs[i], 0.005, 60);

		if (fabs(out.estimated_calls / out.calls - 1) > 0.03)
			fail_msg("program %u: %.0f calls are told of, there were %.0f", i,
				 out.estimated_calls, out.calls);
	}
}

static void chances_are_those_of_a_poisson_process(void **state)
{
	(void)state;
	assert_true(fabs(alloc_chance(1, 1 << 20) * (1 << 20) - 1) < 1e-5);
	assert_true(fabs(alloc_chance(512 << 10, 512 << 10) - (1 - exp(-1))) < 1e-9);
	assert_true(alloc_chance(1ULL << 40, 16) == 1);
}

static void a_sudden_flood_ends_a_window_that_stays(void **state)
{
	struct alloc_windows w;

	(void)state;
	alloc_windows_init(&w, 0.005, TRAP_NS, 1, 0);
	w.cpu = 1;
	assert_false(alloc_windows_is_too_dear(&w, 100 * (uint64_t)MS, 3000));
	assert_true(alloc_windows_is_too_dear(&w, 100 * (uint64_t)MS, 30000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cost_stays_below_the_limit),
		cmocka_unit_test(short_recordings_keep_to_the_limit),
		cmocka_unit_test(probes_stay_where_few_calls_run_into_them),
		cmocka_unit_test(windows_stand_for_all_that_was_called),
		cmocka_unit_test(chances_are_those_of_a_poisson_process),
		cmocka_unit_test(a_sudden_flood_ends_a_window_that_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
