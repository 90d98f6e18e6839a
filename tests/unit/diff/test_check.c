// SPDX-License-Identifier: Apache-2.0
/* Verdicts at, around and far from a limit, and how they are written. */
#include "profile/builder.h"

#include <math.h>

#include "diff/check.h"

static struct pattern *pattern_of(const char *expression)
{
	struct pattern_reason why;
	struct pattern *pattern;

	assert_ok(pattern_new(&pattern, expression, false, &why));
	return pattern;
}

/* Of `all` samples so many in "hot", under itself too, and as many again in what it calls. */
static struct profile *profile_of(int64_t hot, int64_t called, int64_t all)
{
	struct profile *profile = build_profile();

	build_sample(profile, "prog", NULL, 0, "u:main|u:hot|u:hot", hot);
	if (called)
		build_sample(profile, "prog", NULL, 0, "u:main|u:hot|u:deep|u:hotter", called);
	build_sample(profile, "prog", NULL, 0, "u:main|u:rest", all - hot - called);
	assert_ok(profile_freeze(profile));
	return profile;
}

static struct verdict share(int64_t hot, int64_t called, int64_t all, const char *expression,
			    double limit, bool is_self)
{
	struct budget_rule rule = { .text = "rule", .limit = limit, .is_self = is_self };
	struct profile *profile = profile_of(hot, called, all);
	struct diff_input input = { profile, "file", profile->meta.main_type };
	struct verdicts verdicts = {};
	struct diff_reason reason;
	struct verdict ret;

	rule.pattern = pattern_of(expression);
	assert_ok(check_share(&verdicts, &rule, &input, 1, &reason));
	assert_int_equal(verdicts.list.count, 1);
	ret = verdicts.list.at[0];
	verdicts_fini(&verdicts);
	pattern_free(rule.pattern);
	profile_free(profile);
	return ret;
}

static void shares_are_of_all_that_match_together(void **state)
{
	struct verdict verdict;

	(void)state;
	/* Neither recursion nor what matches as well counts twice. */
	verdict = share(100, 50, 1000, "hot", 0.5, false);
	assert_true(fabs(verdict.share - 0.15) < 1e-9 && verdict.kind == VERDICT_WITHIN);
	verdict = share(100, 50, 1000, "^hot$", 0.5, true);
	assert_true(fabs(verdict.share - 0.1) < 1e-9);
	verdict = share(100, 50, 1000, "hot", 0.5, true);
	assert_true(fabs(verdict.share - 0.15) < 1e-9);
	verdict = share(100, 50, 1000, "prog|nosuch", 0.5, false);
	assert_true(verdict.share == 0 && !verdict.is_known);
}

static void a_limit_decides_or_says_what_would(void **state)
{
	struct verdict verdict;

	(void)state;
	/* Clopper and Pearson of 100 in 1000: 0.08211 to 0.12029. */
	assert_int_equal(share(100, 0, 1000, "hot", 0.0821, false).kind, VERDICT_BROKEN);
	assert_int_equal(share(100, 0, 1000, "hot", 0.0822, false).kind, VERDICT_UNDECIDED);
	assert_int_equal(share(100, 0, 1000, "hot", 0.1202, false).kind, VERDICT_UNDECIDED);
	assert_int_equal(share(100, 0, 1000, "hot", 0.1204, false).kind, VERDICT_WITHIN);
	/* Three of 500 are there by chance in 8 of 100 cases if the share is 0.2 %. */
	assert_int_equal(share(3, 0, 500, "hot", 0.002, false).kind, VERDICT_UNDECIDED);
	/* With as many samples as it says, and the same share, it is decided; with fewer not. */
	verdict = share(100, 0, 1000, "hot", 0.11, false);
	assert_true(verdict.samples_needed > 3800 && verdict.samples_needed < 3900);
	assert_int_equal(share(370, 0, 3700, "hot", 0.11, false).kind, VERDICT_UNDECIDED);
	assert_int_equal(share(390, 0, 3900, "hot", 0.11, false).kind, VERDICT_WITHIN);
	assert_true(isinf(share(100, 0, 1000, "hot", 0.1, false).samples_needed));
	assert_true(share(100, 0, 1000, "hot", 0.2, false).samples_needed == 0);
	/* Nothing seen in few samples proves little. */
	assert_int_equal(share(0, 1, 50, "nosuch", 0.05, false).kind, VERDICT_UNDECIDED);
	assert_int_equal(share(0, 1, 5000, "nosuch", 0.05, false).kind, VERDICT_WITHIN);
}

static void runs_widen_the_interval(void **state)
{
	static const int hot[] = { 800, 1000, 1200 };
	struct budget_rule rule = { .text = "hot=12%", .limit = 0.12 };
	struct diff_input inputs[3];
	struct verdicts verdicts = {};
	struct diff_reason reason;

	(void)state;
	rule.pattern = pattern_of("hot");
	for (int i = 0; i < 3; i++)
		inputs[i] = (struct diff_input){ profile_of(hot[i], 0, 10000), "file", 1 };
	assert_ok(check_share(&verdicts, &rule, inputs, 3, &reason));
	/* The mean is 10 % ± 4.97: t with 2 degrees of freedom, 4.303 * 2 / sqrt(3). */
	assert_true(fabs(verdicts.list.at[0].high - 0.14968) < 1e-4);
	assert_int_equal(verdicts.list.at[0].kind, VERDICT_UNDECIDED);
	assert_true(verdicts.list.at[0].runs_needed > 3);
	verdicts_fini(&verdicts);
	pattern_free(rule.pattern);
	for (int i = 0; i < 3; i++)
		profile_free((struct profile *)inputs[i].profile);
}

static void growth_is_judged_function_by_function(void **state)
{
	struct profile *base = profile_of(1000, 500, 10000), *new = profile_of(1600, 500, 10000);
	struct diff_input inputs[2] = { { base, "a", 1 }, { new, "b", 1 } };
	struct budget_rule rule = { .text = "2%", .limit = 0.02, .is_growth = true };
	struct verdicts verdicts = {};
	struct diff_reason reason;
	struct diff *diff;

	(void)state;
	assert_ok(diff_new(&diff, inputs, 1, inputs + 1, 1, DIFF_PER_SAMPLES, &reason));
	assert_ok(check_growth(&verdicts, &rule, diff, &reason));
	assert_int_equal(verdicts.list.count, 1);
	assert_int_equal(verdicts.list.at[0].kind, VERDICT_BROKEN);
	assert_string_equal(verdicts.list.at[0].function, "hot");
	rule.limit = 0.08;
	assert_ok(check_growth(&verdicts, &rule, diff, &reason));
	assert_int_equal(verdicts.list.count, 2);
	assert_int_equal(verdicts.list.at[1].kind, VERDICT_WITHIN);
	assert_null(verdicts.list.at[1].function);
	rule.limit = 0.062;
	assert_ok(check_growth(&verdicts, &rule, diff, &reason));
	assert_int_equal(verdicts.list.at[2].kind, VERDICT_UNDECIDED);
	assert_true(verdicts.list.at[2].samples_needed > 10000);
	/* Others are not asked. */
	rule.pattern = pattern_of("deep");
	rule.limit = 0.02;
	assert_ok(check_growth(&verdicts, &rule, diff, &reason));
	assert_int_equal(verdicts.list.at[3].kind, VERDICT_WITHIN);
	assert_int_equal(verdicts.broken, 1);
	assert_int_equal(verdicts.undecided, 1);
	verdicts_fini(&verdicts);
	pattern_free(rule.pattern);
	diff_free(diff);
	profile_free(base);
	profile_free(new);
}

/* What is broken has its whole interval above the limit, also where only one function is asked. */
static void growth_goes_by_the_interval(void **state)
{
	struct budget_rule rule = { .text = "hot=2%", .limit = 0.02, .is_growth = true };
	struct verdicts verdicts = {};
	struct diff_reason reason;
	uint32_t broken = 0;

	(void)state;
	rule.pattern = pattern_of("^hot$");
	for (int64_t hot = 120; hot < 200; hot++) {
		struct profile *base = profile_of(100, 0, 1000), *new = profile_of(hot, 0, 1000);
		struct diff_input inputs[2] = { { base, "a", 1 }, { new, "b", 1 } };
		struct diff *diff;

		assert_ok(diff_new(&diff, inputs, 1, inputs + 1, 1, DIFF_PER_SAMPLES, &reason));
		assert_ok(check_growth(&verdicts, &rule, diff, &reason));
		diff_free(diff);
		profile_free(base);
		profile_free(new);
	}
	for (uint32_t i = 0; i < verdicts.list.count; i++) {
		const struct verdict *verdict = &verdicts.list.at[i];

		assert_int_equal(verdict->kind,
				 verdict->low > 0.02 ? VERDICT_BROKEN : VERDICT_UNDECIDED);
		broken += verdict->kind == VERDICT_BROKEN;
	}
	assert_true(broken > 20 && broken < 60);
	verdicts_fini(&verdicts);
	pattern_free(rule.pattern);
}

static void names_cannot_break_out(void **state)
{
	struct budget_rule rule = { .text = "a\"]]>%\n::error::<b>&=5%", .limit = 0.05 };
	struct verdict verdict = { .rule = &rule,
				   .kind = VERDICT_BROKEN,
				   .share = 0.1,
				   .low = 0.08,
				   .high = 0.12,
				   .is_known = true };
	struct verdicts verdicts = { .broken = 1 };
	cleanup(bytes_fini) struct bytes junit = {}, github = {}, json = {};

	(void)state;
	*array_push(&verdicts.list) = verdict;
	verdicts_add_junit(&junit, &verdicts, "cpu", "<file>");
	assert_non_null(strstr(bytes_str(&junit), "testsuite name=\"&lt;file&gt;\""));
	assert_non_null(strstr(junit.at, "name=\"a&quot;]]&gt;%\\x0a::error::&lt;b&gt;&amp;=5%\""));
	assert_non_null(strstr(junit.at, "failures=\"1\" errors=\"0\""));
	verdicts_add_github(&github, &verdicts, "cpu");
	assert_string_equal(
		bytes_str(&github),
		"::error title=profd check::a\"]]>%25\\x0a::error::<b>&=5%25: 10.0 %25 ± "
		"2.0 of cpu, more than 5 %25\n");
	verdicts_add_json(&json, &verdicts, "cpu");
	assert_non_null(strstr(bytes_str(&json), "\"verdict\":"));
	verdicts_fini(&verdicts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_are_of_all_that_match_together),
		cmocka_unit_test(a_limit_decides_or_says_what_would),
		cmocka_unit_test(runs_widen_the_interval),
		cmocka_unit_test(growth_is_judged_function_by_function),
		cmocka_unit_test(growth_goes_by_the_interval),
		cmocka_unit_test(names_cannot_break_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
