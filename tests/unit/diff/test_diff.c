// SPDX-License-Identifier: Apache-2.0
/* Two sides become one tree; what is the same is found, and what changed is marked. */
#include "profile/builder.h"

#include <math.h>

#include "base/bytes.h"
#include "diff/diff.h"

static struct diff *compare(struct profile *const *base, uint32_t base_count,
			    struct profile *const *new, uint32_t new_count, enum diff_per per)
{
	struct diff_input inputs[8] = {};
	struct diff_reason reason;
	struct diff *diff;

	for (uint32_t i = 0; i < base_count + new_count; i++) {
		struct profile *profile = i < base_count ? base[i] : new[i - base_count];

		if (!profile->frozen)
			assert_ok(profile_freeze(profile));
		inputs[i] = (struct diff_input){ profile, "file", profile->meta.main_type };
	}
	assert_ok(diff_choose_types(inputs, base_count + new_count, false, &reason));
	assert_ok(
		diff_new(&diff, inputs, base_count, inputs + base_count, new_count, per, &reason));
	return diff;
}

static const struct diff_value *self_of(const struct diff *diff, const char *name)
{
	for (uint32_t i = 0; i < diff->frames.count; i++)
		if (strcmp(diff_name(diff, &diff->frames.at[i]), name) == 0)
			return &diff->function_self[i];
	fail_msg("no function %s", name);
	return NULL;
}

static const struct diff_value *total_of(const struct diff *diff, const char *name)
{
	return &diff->function_total[self_of(diff, name) - diff->function_self];
}

#define assert_near(got, want) assert_true(fabs((got) - (want)) < 1e-9)

/* The tree as "depth name base/new" lines of percent. */
static void assert_tree(const struct diff *diff, const char *want)
{
	cleanup(bytes_fini) struct bytes got = {};

	for (uint32_t i = 0; i < diff->nodes.count; i++)
		bytes_add_format(&got, "%u %s %.0f/%.0f\n", diff->nodes.at[i].depth,
				 diff_name(diff, &diff->frames.at[diff->nodes.at[i].frame]),
				 100 * diff->node_total[i].base, 100 * diff->node_total[i].new);
	assert_string_equal(bytes_str(&got), want);
}

static void trees_merge(void **state)
{
	cleanup(profile_free) struct profile *base = build_profile();
	cleanup(profile_free) struct profile *new = build_profile();
	cleanup(diff_free) struct diff *diff = NULL;

	(void)state;
	build_sample(base, "prog", "worker", 11, "u:main|u:parse", 60);
	build_sample(base, "prog", "worker", 11, "u:main|u:old", 40);
	/* Twice as long, another process and other threads. */
	build_sample(new, "prog2", "worker", 21, "u:main|u:parse", 50);
	build_sample(new, "prog2", "worker", 22, "u:main|u:parse", 100);
	build_sample(new, "prog2", "worker", 21, "u:main|u:fresh|u:main", 50);
	diff = compare(&base, 1, &new, 1, DIFF_PER_SAMPLES);
	assert_tree(diff, "0 all 100/100\n"
			  "1 prog2 100/100\n"
			  "2 worker 100/100\n"
			  "3 main 100/100\n"
			  "4 fresh 0/25\n"
			  "5 main 0/25\n"
			  "4 old 40/0\n"
			  "4 parse 60/75\n");
	/* Recursion counts once. */
	assert_near(total_of(diff, "main")->new, 1);
	assert_near(self_of(diff, "main")->new, 0.25);
	assert_int_equal(self_of(diff, "fresh")->mark, DIFF_NOTHING);
	assert_int_equal(total_of(diff, "fresh")->mark, DIFF_DEARER);
	assert_int_equal(self_of(diff, "old")->mark, DIFF_CHEAPER);
	assert_false(diff->has_run_noise);
}

/* The path, the build id and the address of a module may differ, but not its name. */
static void modules_are_files(void **state)
{
	cleanup(profile_free) struct profile *base = build_profile();
	cleanup(profile_free) struct profile *new = build_profile();
	cleanup(diff_free) struct diff *diff = NULL;

	(void)state;
	build_sample(base, "prog", NULL, 0, "u:main|l:work", 100);
	build_sample(new, "prog", NULL, 0, "u:main|u:work", 100);
	diff = compare(&base, 1, &new, 1, DIFF_PER_SAMPLES);
	/* prog's work is not libc's. */
	assert_tree(diff, "0 all 100/100\n"
			  "1 prog 100/100\n"
			  "2 main 100/100\n"
			  "3 work 100/0\n"
			  "3 work 0/100\n");
}

/* As read from folded text: no modules, and processes are frames like others. */
static void names_decide_where_there_are_no_modules(void **state)
{
	cleanup(profile_free) struct profile *base = build_profile();
	cleanup(profile_free) struct profile *new = build_profile();
	cleanup(diff_free) struct diff *diff = NULL;

	(void)state;
	build_sample(base, NULL, NULL, 0, "n:prog|n:main|n:work", 50);
	build_sample(base, NULL, NULL, 0, "n:prog|n:main|k:read", 50);
	for (uint32_t i = 0; i < base->locations.count; i++)
		if (base->locations.at[i].kind == LOCATION_NOTE) {
			base->locations.at[i].kind = LOCATION_USER;
			base->mappings.at[base->locations.at[i].mapping].file = 0;
		}
	build_sample(new, "prog", NULL, 0, "u:main|l:work", 50);
	build_sample(new, "prog", NULL, 0, "u:main|k:read", 50);
	diff = compare(&base, 1, &new, 1, DIFF_PER_SAMPLES);
	assert_tree(diff, "0 all 100/100\n"
			  "1 prog 100/100\n"
			  "2 main 100/100\n"
			  "3 read 50/50\n"
			  "3 work 50/50\n");
}

/* The same numbers at another rate, and twice the time. */
static void values_per_second(void **state)
{
	cleanup(profile_free) struct profile *base = build_profile();
	cleanup(profile_free) struct profile *new = build_profile();
	cleanup(diff_free) struct diff *diff = NULL;

	(void)state;
	build_sample(base, "prog", NULL, 0, "u:main", 1500);
	build_sample(new, "prog", NULL, 0, "u:main", 3000);
	new->meta.duration_ns = 2 * base->meta.duration_ns;
	diff = compare(&base, 1, &new, 1, DIFF_PER_SECONDS);
	/* 15 s of CPU in 30 s. */
	assert_near(self_of(diff, "main")->base, 0.5);
	assert_near(self_of(diff, "main")->new, 0.5);
	assert_int_equal(self_of(diff, "main")->mark, DIFF_NOTHING);
	diff_free(diff);
	diff = compare(&base, 1, &new, 1, DIFF_PER_CPU_SECONDS);
	assert_near(self_of(diff, "main")->new, 1);
}

static void runs_tell_their_noise(void **state)
{
	/* Of 10000 samples of each run: the load moves one function by half, the other by nothing. */
	static const int busy[6] = { 1000, 1500, 2100, 1400, 2000, 2600 };
	static const int steady[6] = { 300, 302, 299, 600, 598, 603 };
	struct profile *runs[6];
	struct diff *both, *single;

	(void)state;
	for (int i = 0; i < 6; i++) {
		int left = 10000 - busy[i] - steady[i];

		runs[i] = build_profile();
		build_sample(runs[i], "prog", NULL, 0, "u:main|u:busy", busy[i]);
		build_sample(runs[i], "prog", NULL, 0, "u:main|u:steady", steady[i]);
		for (int k = 0; k < 20; k++) {
			char spec[32];

			snprintf(spec, sizeof(spec), "u:main|u:f%d", k);
			build_sample(runs[i], "prog", NULL, 0, spec,
				     left / 20 + (k * 7 + i * 3) % 11);
		}
	}
	both = compare(runs, 3, runs + 3, 3, DIFF_PER_SAMPLES);
	assert_true(both->has_run_noise);
	assert_int_equal(self_of(both, "steady")->mark, DIFF_DEARER);
	assert_int_equal(self_of(both, "busy")->mark, DIFF_NOTHING);
	assert_true(self_of(both, "busy")->low < 0 && self_of(both, "busy")->high > 0);
	/* With one file a side it looks like a change. */
	single = compare(runs, 1, runs + 4, 1, DIFF_PER_SAMPLES);
	assert_int_equal(self_of(single, "busy")->mark, DIFF_DEARER);
	diff_free(both);
	/* One run that is compared with several is taken to vary like these. */
	both = compare(runs, 3, runs + 3, 1, DIFF_PER_SAMPLES);
	assert_true(both->has_run_noise);
	assert_int_equal(self_of(both, "busy")->mark, DIFF_NOTHING);
	diff_free(both);
	diff_free(single);
	for (int i = 0; i < 6; i++)
		profile_free(runs[i]);
}

/* Of waits: 10000 of 1 ms, and, by chance on one side only, a single one of `ms`. */
static struct profile *waits(int64_t ms, const char *unit)
{
	struct profile *profile;
	int64_t common[2] = { 10000, 10000 * 1000000LL }, rare[2] = { 1, ms * 1000000 };
	uint32_t id, labels, stack, location;

	assert_ok(profile_new(&profile));
	assert_ok(profile_type_add(profile, &id, "samples", "count"));
	assert_ok(profile_type_add(profile, &id, "offcpu", unit));
	profile->meta.count_type = 0;
	profile->meta.main_type = 1;
	profile->meta.period_type = PROFILE_NO_TYPE;
	profile->meta.duration_ns = 10000000000;
	assert_ok(profile_labels_add(profile, &labels, NULL, 0));
	location = build_location(profile, "u:common");
	assert_ok(profile_stack_add(profile, &stack, &location, 1));
	assert_ok(profile_sample_add(profile, stack, labels, common));
	location = build_location(profile, "u:rare");
	assert_ok(profile_stack_add(profile, &stack, &location, 1));
	if (ms)
		assert_ok(profile_sample_add(profile, stack, labels, rare));
	return profile;
}

/* One sample shows nothing, however much it weighs: it may as well not have been there. */
static void a_heavy_sample_is_one(void **state)
{
	cleanup(profile_free) struct profile *base = waits(0, "nanoseconds");
	cleanup(profile_free) struct profile *new = waits(500, "nanoseconds");
	struct diff *diff;

	(void)state;
	for (int per = DIFF_PER_SAMPLES; per <= DIFF_PER_SECONDS; per++) {
		diff = compare(&base, 1, &new, 1, (enum diff_per)per);
		assert_true(self_of(diff, "rare")->new > 0.04);
		assert_int_equal(self_of(diff, "rare")->mark, DIFF_NOTHING);
		assert_true(self_of(diff, "rare")->low < 0 && self_of(diff, "rare")->high > 0.1);
		assert_int_equal(self_of(diff, "common")->mark, DIFF_NOTHING);
		assert_true(self_of(diff, "rare")->new_samples > 0.9 &&
			    self_of(diff, "rare")->new_samples < 1.2);
		diff_free(diff);
	}
}

static void time_is_in_seconds(void **state)
{
	cleanup(profile_free) struct profile *base = waits(0, "microseconds");
	cleanup(profile_free) struct profile *new = waits(500, "microseconds");
	cleanup(diff_free) struct diff *diff = compare(&base, 1, &new, 1, DIFF_PER_SECONDS);

	(void)state;
	assert_near(self_of(diff, "common")->new, 10000 / 10.0);
	assert_true(diff->is_time);
}

static void what_differs_in_kind_is_refused(void **state)
{
	cleanup(profile_free) struct profile *cpu = build_profile();
	cleanup(profile_free) struct profile *empty = build_profile();
	cleanup(profile_free) struct profile *faults = NULL;
	struct diff_input inputs[2] = {};
	struct diff_reason reason = {};
	struct diff *diff;
	int64_t one = 1;
	uint32_t id, stack, location;

	(void)state;
	build_sample(cpu, "prog", NULL, 0, "u:main", 1);
	assert_ok(profile_new(&faults));
	assert_ok(profile_type_add(faults, &id, "page-faults", "count"));
	faults->meta.period_type = PROFILE_NO_TYPE;
	location = build_location(faults, "u:main");
	assert_ok(profile_stack_add(faults, &stack, &location, 1));
	assert_ok(profile_labels_add(faults, &id, NULL, 0));
	assert_ok(profile_sample_add(faults, stack, id, &one));
	assert_ok(profile_freeze(cpu));
	assert_ok(profile_freeze(faults));
	assert_ok(profile_freeze(empty));
	inputs[0] = (struct diff_input){ cpu, "a", 1 };
	inputs[1] = (struct diff_input){ faults, "b", 0 };
	assert_int_equal(diff_choose_types(inputs, 2, false, &reason), DIFF_REFUSED);
	assert_string_equal(reason.text,
			    "a holds cpu (nanoseconds), and b page-faults (count): only "
			    "the same can be compared");
	/* What one shows first may be second for the other. */
	inputs[1] = (struct diff_input){ empty, "b", 0 };
	assert_ok(diff_choose_types(inputs, 2, false, &reason));
	assert_int_equal(inputs[0].type, inputs[1].type);
	assert_int_equal(diff_new(&diff, inputs, 1, inputs + 1, 1, DIFF_PER_SAMPLES, &reason),
			 DIFF_REFUSED);
	assert_string_equal(reason.text, "b holds no samples of cpu");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trees_merge),
		cmocka_unit_test(modules_are_files),
		cmocka_unit_test(names_decide_where_there_are_no_modules),
		cmocka_unit_test(values_per_second),
		cmocka_unit_test(runs_tell_their_noise),
		cmocka_unit_test(a_heavy_sample_is_one),
		cmocka_unit_test(time_is_in_seconds),
		cmocka_unit_test(what_differs_in_kind_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
