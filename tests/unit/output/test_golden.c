// SPDX-License-Identifier: Apache-2.0
/* Every format of one profile full of hostile names, and a picture that the browser's test opens. */
#include "output/golden.h"

static void flamegraph(void **state)
{
	(void)state;
	compare(&writer_flamegraph, "hostile", hostile_profile());
}

/* Recursion, long names, functions too small to see, modules, places in the source. */
static void shapes(void **state)
{
	struct profile *profile = build_profile();
	char stack[64];

	(void)state;
	profile->meta.title = strdup("shapes, pid 42");
	profile->meta.subtitle = strdup("./shapes · host · 99 Hz");
	profile->meta.quality = strdup("11560 samples; 0 lost");
	build_sample(profile, "shapes", NULL, 0, "u:main|u:recurse|u:recurse|u:recurse|u:leaf", 3000);
	build_sample(profile, "shapes", NULL, 0, "u:main|u:recurse|u:other|u:recurse|u:leaf", 1000);
	build_sample(profile, "shapes", NULL, 0,
		     "u:main|u:web::Server<int, std::less<int> >::handle(web::Request const&)~web::parse"
		     "|l:memcpy", 4000);
	build_sample(profile, "shapes", NULL, 0, "u:main|l:malloc|l:_int_malloc", 2000);
	build_sample(profile, "shapes", NULL, 0, "u:main|k:read|k:vfs_read", 1500);
	for (unsigned i = 0; i < 60; i++) {
		snprintf(stack, sizeof(stack), "u:main|u:many|u:tiny%02u", i);
		build_sample(profile, "shapes", NULL, 0, stack, 1);
	}
	for (uint32_t i = 0; i < profile->functions.count; i++) {
		struct profile_function *function = &profile->functions.at[i];

		if (strcmp(profile_text(profile, function->name), "leaf") != 0)
			continue;
		function->file = build_string(profile, "/src/shapes/leaf.c");
		function->start_line = 12;
	}
	compare(&writer_flamegraph, "shapes", profile);
}

/* Of everything that ran in two seconds: what was used is told in cores, too. */
static struct profile *machine_profile(void)
{
	struct profile *profile = build_profile();

	profile->meta.title = strdup("the whole machine");
	profile->meta.of_machine = true;
	profile->meta.duration_ns = 2000000000;
	build_sample(profile, "worker", NULL, 0, "u:main|u:work|l:memcpy", 250);
	build_sample(profile, "worker", NULL, 0, "u:main|u:work", 84);
	build_sample(profile, "server", NULL, 0, "u:main|k:read", 66);
	return profile;
}

static void machine(void **state)
{
	(void)state;
	compare(&writer_flamegraph, "machine", machine_profile());
	compare(&writer_text, "machine", machine_profile());
}

static void folded(void **state)
{
	(void)state;
	compare(&writer_folded, "hostile", hostile_profile());
}

static void pprof(void **state)
{
	(void)state;
	compare(&writer_pprof, "hostile", hostile_profile());
}

static void text(void **state)
{
	(void)state;
	compare(&writer_text, "hostile", hostile_profile());
}

static void viewers(void **state)
{
	(void)state;
	compare(&writer_html, "hostile", hostile_profile());
	compare(&writer_speedscope, "hostile", hostile_profile());
	compare(&writer_firefox, "hostile", hostile_profile());
	compare(&writer_cpuprofile, "hostile", hostile_profile());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flamegraph),
		cmocka_unit_test(shapes),
		cmocka_unit_test(machine),
		cmocka_unit_test(folded),
		cmocka_unit_test(pprof),
		cmocka_unit_test(text),
		cmocka_unit_test(viewers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
