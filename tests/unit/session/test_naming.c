// SPDX-License-Identifier: Apache-2.0
/* Locations of a made-up profile get their names, in pieces and once each. */
#include "test.h"
#include "direct.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "elf/object_file.h"
#include "session/fetches.h"
#include "session/naming.h"

static struct profile *profile;
static struct symbolizer *symbolizer;
static struct naming naming;

static int set_up(void **state)
{
	struct symbolizer_options options = { .kernel_names = false };

	(void)state;
	assert_ok(profile_new(&profile));
	assert_ok(symbolizer_new(&symbolizer, &options, direct_workers()));
	naming = (struct naming){ .profile = profile, .symbolizer = symbolizer };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	naming_fini(&naming);
	symbolizer_free(symbolizer);
	profile_free(profile);
	return 0;
}

/* A new location. Returns its id. */
static uint32_t location(uint64_t address)
{
	struct profile_mapping mapping = {};
	uint32_t in, ret;

	assert_ok(profile_string(profile, &mapping.file, "file"));
	assert_ok(profile_mapping_add(profile, &in, &mapping));
	assert_ok(profile_location_add(profile, &ret, in, address, LOCATION_USER));
	return ret;
}

static const char *name_of(uint32_t id)
{
	const struct profile_location *at = &profile->locations.at[id];
	uint32_t last = at->first_line + at->line_count - 1;

	if (at->line_count == 0)
		return "";
	return profile_text(profile, profile->functions.at[profile->lines.at[last].function].name);
}

static void notes_stand_for_themselves(void **state)
{
	uint32_t note = location(0);

	(void)state;
	assert_ok(naming_fixed(&naming, note, "[truncated: why]"));
	assert_string_equal(name_of(note), "[truncated: why]");
	assert_ok(naming_advance(&naming, UINT64_MAX));
	assert_int_equal(profile->locations.at[note].line_count, 1);
	assert_int_equal(naming.next, 1);
}

static void our_own_functions_have_names(void **state)
{
	struct object *self;
	uint32_t symbols;
	uint64_t bias = 0;
	extern const char __executable_start[] __attribute__((visibility("hidden")));

	(void)state;
	assert_ok(object_open(&self, open("/proc/self/exe", O_RDONLY | O_CLOEXEC), "self"));
	assert_ok(object_bias(self, &bias, (uint64_t)(uintptr_t)__executable_start, 0, true));
	symbols = location(1);
	assert_ok(naming_add(&naming, symbols,
			     &(struct naming_item){
				     .source = NAMING_OBJECT,
				     .object = object_ref(self),
				     .address = (uint64_t)(uintptr_t)our_own_functions_have_names +
						4 - bias }));
	assert_ok(naming_advance(&naming, UINT64_MAX));
	assert_string_equal(name_of(symbols), "our_own_functions_have_names");
	assert_true(profile->locations.at[symbols].named);
	/* What has its name needs its file no more. */
	assert_int_equal(self->references, 1);
	object_unref(self);
}

/* What comes later may only better a name. */
static void a_name_is_kept_when_asking_again_fails(void **state)
{
	struct fetches fetches = { .no_more = true };
	struct object *self;
	uint32_t id = location(1);
	uint64_t bias = 0;
	extern const char __executable_start[] __attribute__((visibility("hidden")));

	(void)state;
	naming.fetches = &fetches;
	assert_ok(object_open(&self, open("/proc/self/exe", O_RDONLY | O_CLOEXEC), "self"));
	assert_ok(object_bias(self, &bias, (uint64_t)(uintptr_t)__executable_start, 0, true));
	assert_ok(naming_add(&naming, id,
			     &(struct naming_item){
				     .source = NAMING_OBJECT,
				     .object = object_ref(self),
				     .address = (uint64_t)(uintptr_t)our_own_functions_have_names +
						4 - bias }));
	assert_ok(naming_advance(&naming, UINT64_MAX));
	assert_string_equal(name_of(id), "our_own_functions_have_names");
	self->given_up = true;
	naming_again(&naming, self);
	assert_int_equal(naming.next, id);
	assert_ok(naming_advance(&naming, UINT64_MAX));
	assert_string_equal(name_of(id), "our_own_functions_have_names");
	assert_true(profile->locations.at[id].named);
	object_unref(self);
}

static void what_nobody_knows_is_named_somehow(void **state)
{
	uint32_t jit = location(1), kernel = location(2);

	(void)state;
	assert_ok(naming_add(&naming, jit,
			     &(struct naming_item){
				     .source = NAMING_JIT, .pid = 0x7f000000, .address = 0x1234 }));
	assert_ok(naming_add(&naming, kernel,
			     &(struct naming_item){ .source = NAMING_KERNEL,
						    .address = 0xffffffff81000000 }));
	assert_ok(naming_advance(&naming, UINT64_MAX));
	assert_true(strlen(name_of(jit)) > 0);
	assert_true(strlen(name_of(kernel)) > 0);
	assert_false(profile->locations.at[jit].named);
}

static void a_small_budget_names_one_at_a_time(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		assert_ok(naming_add(&naming, location(i + 1),
				     &(struct naming_item){ .source = NAMING_JIT,
							    .pid = 0x7f000000,
							    .address = i + 1 }));
	/* Each takes more than no time at all. */
	assert_ok(naming_advance(&naming, 0));
	assert_true(naming.next >= 1);
	for (uint32_t i = 0; i < 3; i++)
		assert_ok(naming_advance(&naming, 0));
	assert_int_equal(naming.next, 3);
	assert_ok(naming_advance(&naming, 0));
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(profile->locations.at[i].line_count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(notes_stand_for_themselves),
		TEST(our_own_functions_have_names),
		TEST(a_name_is_kept_when_asking_again_fails),
		TEST(what_nobody_knows_is_named_somehow),
		TEST(a_small_budget_names_one_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
