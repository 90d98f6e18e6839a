// SPDX-License-Identifier: Apache-2.0
/* Views of a profile in memory; tests/report has the rest, through the program. */
#include "profile/builder.h"

#include <math.h>

#include "profile/filter.h"
#include "report/report.h"

static struct profile *usual(void)
{
	struct profile *profile = build_profile();

	build_sample(profile, "prog", "worker", 11, "u:main|u:run|l:malloc", 30);
	build_sample(profile, "prog", "worker", 12, "u:main|u:run|u:run|k:brk", 20);
	build_sample(profile, "prog", NULL, 0, "u:main|u:other", 50);
	assert_ok(profile_freeze(profile));
	return profile;
}

/* The report holds each of the texts, in this order. */
static void assert_report(struct profile *profile, const struct report_options *options,
			  bool as_json, const char *const *texts)
{
	struct stream stream;
	struct report_reason reason;
	const char *at;

	stream_init(&stream, -1);
	assert_ok(report_write(&stream, profile, NULL, options, as_json, &reason));
	at = bytes_str(&stream.buffer);
	for (; *texts; texts++) {
		const char *found = strstr(at, *texts);

		if (!found)
			fail_msg("no %s in %s", *texts, at);
		at = found + 1;
	}
	stream_fini(&stream);
}

static void tree_is_as_people_read_it(void **state)
{
	cleanup(profile_free) struct profile *profile = usual();
	struct report_options options = { .view = REPORT_TREE, .smallest = -1 };

	(void)state;
	assert_report(profile, &options, false,
		      (const char *[]){ "100.0 % ± 3.7           prog\n",
					" 50.0 % ± 9.6   50.0 %  ├ main › other  [prog]\n",
					" 30.0 % ± 9.6           ├ worker (11)\n",
					" 30.0 % ± 9.6   30.0 %  │ └ main › run › malloc",
					" 20.0 % ± 8.9           └ worker (12)\n",
					" 20.0 % ± 8.9   20.0 %    └ main › ↺ ×2 run › brk",
					NULL });
}

static void deep_calls_go_on_at_the_left(void **state)
{
	cleanup(profile_free) struct profile *profile = build_profile();
	struct report_options options = { .view = REPORT_TREE, .smallest = -1, .width = 80 };
	cleanup(bytes_fini) struct bytes stack = {};

	(void)state;
	for (int i = 0; i < 40; i++) {
		bytes_add_format(&stack, "%su:f%d", i ? "|" : "", i);
		build_sample(profile, "prog", NULL, 0, bytes_str(&stack), 10);
	}
	assert_ok(profile_freeze(profile));
	assert_report(profile, &options, false,
		      (const char *[]){ "   └ f14  [prog]\n", "  15┊└ f15  [prog]\n",
					"  15┊  └ f16  [prog]\n", "   └ f29  [prog]\n",
					"  30┊└ f30  [prog]\n", "  30┊  └ f31  [prog]\n",
					"\nN┊ goes on from the row above", NULL });
	options.width = 40;
	assert_report(profile, &options, false,
		      (const char *[]){ "  2┊└ f2  [prog]\n", "  22┊  └ f23\n", "  38┊  └ f39\n",
					NULL });
}

static void two_names_share_a_row(void **state)
{
	cleanup(profile_free) struct profile *profile = build_profile();
	struct report_options options = { .view = REPORT_TREE, .smallest = -1, .width = 80 };

	(void)state;
	build_sample(profile, "prog", NULL, 0,
		     "u:the_first_function_of_the_chain|u:the_last_function_of_the_chain_and_all",
		     1);
	assert_ok(profile_freeze(profile));
	assert_report(profile, &options, false,
		      (const char *[]){
			      " └ the_first_fu… › the_last_function_of_the_chain_and_all\n",
			      NULL });
	options.width = 70;
	assert_report(profile, &options, false,
		      (const char *[]){ " └ … 1 frame › the_last_function_of_the_chain_…", NULL });
}

/* As the name is, as it is shown, as an expression, as a part. */
static void functions_are_called_in_many_ways(void **state)
{
	static const char *const words[] = { "std::sort<int*, ns::less>(int*, ns::less)",
					     "std::sort<int*, ns::less>",
					     "std::sort<>",
					     "…sort<>",
					     "^std::s.*>",
					     "sort<int*, ns::less>(int*" };
	cleanup(profile_free) struct profile *profile = build_profile();

	(void)state;
	build_sample(profile, "prog", NULL, 0, "u:main|u:std::sort<int*, ns::less>(int*, ns::less)",
		     30);
	build_sample(profile, "prog", NULL, 0, "u:main|u:main.(*T).run", 70);
	assert_ok(profile_freeze(profile));
	for (size_t i = 0; i <= ARRAY_SIZE(words); i++) {
		bool is_go = i == ARRAY_SIZE(words);
		struct report_options options = { .view = REPORT_CALLERS,
						  .function = is_go ? "(*T).run" : words[i],
						  .smallest = -1 };

		assert_report(profile, &options, true,
			      (const char *[]){ "\"functions\":[{\"name\":\"",
						is_go ? "main.(*T).run" : words[0], "\"callers\":[",
						"]}],\"left_out\":0", NULL });
	}
}

static void values_below_zero_are_told(void **state)
{
	cleanup(profile_free) struct profile *profile = build_profile();
	struct report_options options = { .smallest = -1 };

	(void)state;
	build_sample(profile, "prog", NULL, 0, "u:main|u:more", 30);
	build_sample(profile, "prog", NULL, 0, "u:main|u:less", -20);
	assert_ok(profile_freeze(profile));
	assert_report(profile, &options, false,
		      (const char *[]){ "30 samples", ", without 1 value below 0", "100.0 % ±",
					"more", NULL });
	assert_report(profile, &options, true,
		      (const char *[]){ "\"value\":30", "\"below_zero\":1", NULL });
}

static void threads_have_their_numbers(void **state)
{
	cleanup(profile_free) struct profile *profile = usual();
	struct report_options options = { .view = REPORT_GROUPS,
					  .group = GROUP_THREAD,
					  .smallest = -1 };

	(void)state;
	assert_report(profile, &options, false,
		      (const char *[]){ " 50.0 %  (none)\n", " 80.0 %  worker (11)\n",
					"100.0 %  worker (12)\n", NULL });
	options.group = GROUP_LABEL;
	options.label = "tid";
	assert_report(profile, &options, true,
		      (const char *[]){ "\"name\":null", "\"weight\":50", "\"name\":\"11\"",
					"\"weight\":30", NULL });
}

static void what_is_meant_by_none_is_refused(void **state)
{
	static const enum report_view views[] = { REPORT_CALLERS, REPORT_CALLEES, REPORT_PEEK };
	cleanup(profile_free) struct profile *profile = usual();

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(views); i++) {
		struct report_options options = { .view = views[i / 2],
						  .function = "nosuch",
						  .smallest = -1 };
		struct report_reason reason;
		struct stream stream;

		stream_init(&stream, -1);
		assert_int_equal(report_write(&stream, profile, NULL, &options, i % 2, &reason),
				 REPORT_REFUSED);
		assert_int_equal(stream.written, 0);
		stream_fini(&stream);
		assert_non_null(strstr(reason.text, "nosuch"));
	}
}

/* Shares of a part are shares of the whole, with the whole's certainty. */
static void parts_are_of_their_whole(void **state)
{
	cleanup(profile_free) struct profile *profile = usual(), *left = NULL;
	cleanup(filter_fini) struct filter filter = {};
	struct stream stream;
	struct report_options options = { .smallest = -1 };
	struct report_options of_none = { .view = REPORT_PEEK,
					  .function = "nosuch",
					  .smallest = -1 };
	struct pattern_reason why;
	struct report_reason reason;
	struct weights weights;
	struct whole whole;
	bool matched[FILTER_KINDS];

	(void)state;
	stream_init(&stream, -1);
	assert_ok(weights_of(&weights, profile, profile->meta.main_type));
	whole = weights_add_up(&weights);
	assert_int_equal(whole.weight, 100);
	assert_int_equal(whole.samples, 100);
	assert_true(fabs(whole.effective_samples - 100) < 1e-9);
	assert_ok(filter_set(&filter, FILTER_FOCUS, "malloc", &why));
	assert_ok(profile_filter(&left, profile, &filter, matched));
	assert_ok(report_write(&stream, left, &whole, &options, false, &reason));
	assert_non_null(
		strstr(bytes_str(&stream.buffer), " 30.0 % ± 9.6   30.0 %   30.0 % ± 9.6  malloc"));
	assert_non_null(strstr(stream.buffer.at, "30.0 % of all"));
	stream_fini(&stream);

	/* What is empty has no function of any name. */
	profile_free(TAKE_PTR(left));
	assert_ok(filter_set(&filter, FILTER_FOCUS, "nosuch", &why));
	assert_ok(profile_filter(&left, profile, &filter, matched));
	for (int as_json = 0; as_json < 2; as_json++) {
		stream_init(&stream, -1);
		assert_ok(report_write(&stream, left, &whole, &of_none, as_json, &reason));
		assert_non_null(strstr(bytes_str(&stream.buffer),
				       as_json ? "\"functions\":[]" : "no sample is left"));
		stream_fini(&stream);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tree_is_as_people_read_it),
		cmocka_unit_test(deep_calls_go_on_at_the_left),
		cmocka_unit_test(two_names_share_a_row),
		cmocka_unit_test(functions_are_called_in_many_ways),
		cmocka_unit_test(values_below_zero_are_told),
		cmocka_unit_test(threads_have_their_numbers),
		cmocka_unit_test(what_is_meant_by_none_is_refused),
		cmocka_unit_test(parts_are_of_their_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
