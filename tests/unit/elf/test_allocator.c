// SPDX-License-Identifier: Apache-2.0
/* Prologues as compilers made them of several allocators, small files made by hand, and the C library. */
#include "test.h"

#include <fcntl.h>
#include <link.h>
#include <string.h>

#include "base/fs.h"
#include "direct.h"
#include "elf/allocator.h"
#include "elf/elf_image.h"
#include "elf/instruction.h"
#include "elf/object_file.h"
#include "elf/probe_site.h"

struct code {
	unsigned char at[256];
	size_t size;
};

static struct code code_of(const char *hex)
{
	struct code code = {};

	for (unsigned value; *hex; hex += 2) {
		hex += strspn(hex, " ");
		assert_int_equal(sscanf(hex, "%2x", &value), 1);
		code.at[code.size++] = (unsigned char)value;
	}
	return code;
}

/* ---- instructions ---- */

static bool is_emulated(const char *hex)
{
	struct code code = code_of(hex);
	struct instruction in;

	assert_true(instruction_decode(&in, code.at, code.size, 0x1000));
	assert_int_equal(in.length, code.size);
	return is_emulated_instruction(code.at, code.size);
}

static void cheap_instructions_are_those_the_kernel_emulates(void **state)
{
	static const char *const cheap[] = { "50", "55",   "57",   "4150",	 "4157",
					     "90", "7503", "eb10", "e900010000", "0f8410000000" };
	static const char *const dear[] = {
		"f30f1efa",	"c3",	"4885ff",     "6650",	"4850", "4055",
		"ff30",		"6a10", "4883ec10",   "0f1f00", "6690", "0f1f440000",
		"ff2500000000", "e3fe", "e800000000", "5b",
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cheap); i++)
		if (!is_emulated(cheap[i]))
			fail_msg("%s is emulated", cheap[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(dear); i++)
		if (is_emulated(dear[i]))
			fail_msg("%s is not emulated, or leaves something behind", dear[i]);
}

/* ---- prologues ---- */

enum { NONE = -1 };

static const struct prologue {
	const char *what, *hex;
	uint8_t arguments[PROBE_ARGUMENTS_MAX];
	unsigned count;
	int offset; /* NONE: no site */
	uint8_t registers[2];
	uint32_t stack_moved;
} prologues[] = {
	{ "glibc malloc", "4154 55 53 4889fb", { REGISTER_DI }, 1, 0, { REGISTER_DI }, 0 },
	{ "glibc free", "4885ff 0f84bf000000 55", { REGISTER_DI }, 1, 3, { REGISTER_DI }, 0 },
	{ "glibc posix_memalign",
	  "803d0102140000 4154 4989d4",
	  { REGISTER_DX, REGISTER_SI },
	  2,
	  7,
	  { REGISTER_DX, REGISTER_SI },
	  0 },
	{ "glibc memalign",
	  "803d710e140000 7407 e932f6ffff",
	  { REGISTER_SI, REGISTER_DI },
	  2,
	  7,
	  { REGISTER_SI, REGISTER_DI },
	  0 },
	{ "jemalloc malloc",
	  "4881ff00100000 0f8793000000",
	  { REGISTER_DI },
	  1,
	  7,
	  { REGISTER_DI },
	  0 },
	{ "tcmalloc malloc",
	  "488b0559ab0000 4885c0 7575",
	  { REGISTER_DI },
	  1,
	  10,
	  { REGISTER_DI },
	  0 },
	{ "mimalloc malloc: the argument moves",
	  "488b0549b40000 4889fe 64488b38 4881fe00040000 7729",
	  { REGISTER_DI },
	  1,
	  21,
	  { REGISTER_SI },
	  0 },
	{ "mimalloc calloc: arguments move and stay",
	  "488b15c9ad0000 4889f8 64488b3a 4883f801 7408",
	  { REGISTER_SI, REGISTER_DI },
	  2,
	  18,
	  { REGISTER_SI, REGISTER_AX },
	  0 },
	{ "a tail call through a table", "e9fbfaffff", { REGISTER_SI }, 1, 0, { REGISTER_SI }, 0 },
	{ "endbr64 first", "f30f1efa 55 4889e5", { REGISTER_DI }, 1, 4, { REGISTER_DI }, 0 },
	{ "a long nop is no site", "0f1f440000 55", { REGISTER_DI }, 1, 5, { REGISTER_DI }, 0 },
	{ "the stack has moved",
	  "4883ec28 4885ff 7410",
	  { REGISTER_DI },
	  1,
	  7,
	  { REGISTER_DI },
	  0x28 },
	{ "arguments change places", "4887fe 7410", { REGISTER_DI }, 1, 3, { REGISTER_SI }, 0 },
	{ "a part of it is overwritten", "40b701 55", { REGISTER_DI }, 1, NONE, {}, 0 },
	{ "it is gone", "4831ff 55", { REGISTER_DI }, 1, NONE, {}, 0 },
	{ "it is multiplied away", "4889f8 48f7e6 90", { REGISTER_DX }, 1, NONE, {}, 0 },
	{ "the other one is gone", "4831ff 55", { REGISTER_SI, REGISTER_DI }, 2, NONE, {}, 0 },
	{ "a call comes first", "e800000000 55", { REGISTER_DI }, 1, NONE, {}, 0 },
	{ "another stack", "4889c4 55", { REGISTER_DI }, 1, NONE, {}, 0 },
	{ "nothing but a return", "488d47 01 c3 55", { REGISTER_DI }, 1, NONE, {}, 0 },
	{ "no code", "06", { REGISTER_DI }, 1, NONE, {}, 0 },
};

static void sites_are_where_arguments_are(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(prologues); i++) {
		const struct prologue *prologue = &prologues[i];
		struct code code = code_of(prologue->hex);
		struct probe_site site = {};
		bool found = probe_site_find(&site, code.at, code.size, 0x1000, prologue->arguments,
					     prologue->count);

		if (found != (prologue->offset != NONE) ||
		    (found && (site.offset != (uint32_t)prologue->offset ||
			       site.stack_moved != prologue->stack_moved)))
			fail_msg("%s: found %d at +%u, the stack moved by %u", prologue->what,
				 found, site.offset, site.stack_moved);
		for (unsigned k = 0; found && k < prologue->count; k++)
			if (site.registers[k] != prologue->registers[k])
				fail_msg("%s: argument %u is in %u", prologue->what, k,
					 site.registers[k]);
	}
}

/* ---- files ---- */

/* Functions of 32 bytes each, in the order of the symbols. */
static void read_image(struct allocator *ret, const struct image_symbol *symbols, unsigned count,
		       const char *const *hex, bool told)
{
	cleanup(object_unref) struct object *object = NULL;
	struct image image;
	int fd;

	image_make(&image, symbols, count);
	fd = image_open(&image);
	for (unsigned i = 0; i < count; i++) {
		struct code code = code_of(hex[i]);

		assert_int_equal(pwrite(fd, code.at, code.size, IMAGE_TEXT_OFFSET + 32 * i),
				 code.size);
	}
	if (told) {
		object = direct_object(fd, -1, "/image");
		assert_ok(ask_allocator(direct_workers(), ret, object));
	} else {
		assert_ok(object_open(&object, fd, "/image"));
		assert_ok(allocator_read(ret, object));
	}
}

static const struct allocation_site *site_of(const struct allocator *allocator, unsigned number)
{
	for (uint32_t i = 0; i < allocator->sites.count; i++)
		if (allocator->sites.at[i].entry == IMAGE_TEXT + 32 * number)
			return &allocator->sites.at[i];
	fail_msg("no function %u", number);
	return NULL;
}

static void who_calls_another_one_is_not_counted_twice(void **state)
{
	static const struct image_symbol symbols[] = {
		{ "malloc", IMAGE_TEXT, 32, STT_FUNC, STB_GLOBAL },
		{ "calloc", IMAGE_TEXT + 32, 32, STT_FUNC, STB_WEAK },
		{ "realloc", IMAGE_TEXT + 64, 32, STT_FUNC, STB_GLOBAL },
		{ "_Znwm", IMAGE_TEXT + 96, 32, STT_FUNC, STB_GLOBAL },
		{ "_Znam", IMAGE_TEXT + 128, 32, STT_FUNC, STB_GLOBAL },
		{ "valloc", IMAGE_TEXT + 160, 32, STT_FUNC, STB_LOCAL },
		{ "memalign", IMAGE_TEXT + 192, 32, STT_OBJECT, STB_GLOBAL },
	};
	static const char *const hex[] = {
		"4154 55 c3",		      /* malloc */
		"4155 4889f8 c3",	      /* calloc: alone */
		"4157 4885ff 7502 ebb7 c3",   /* realloc: jumps to malloc */
		"53 4889fb e897ffffff 5b c3", /* operator new: calls malloc */
		"4885ff 7401 90 74fb c3",     /* turns back to its site */
		"c3",
		"c3",
	};
	(void)state;
	for (unsigned told = 0; told < 2; told++) {
		cleanup(allocator_fini) struct allocator found = {};

		read_image(&found, symbols, ARRAY_SIZE(symbols), hex, told);
		assert_int_equal(found.sites.count, 5);
		assert_false(found.prefixed);
		assert_int_equal(site_of(&found, 0)->outcome, ALLOCATION_SITE);
		assert_int_equal(site_of(&found, 0)->function, ALLOCATION_MALLOC);
		assert_int_equal(site_of(&found, 0)->flags, 0);
		assert_int_equal(site_of(&found, 1)->outcome, ALLOCATION_SITE);
		assert_int_equal(site_of(&found, 1)->size_register, REGISTER_SI);
		assert_int_equal(site_of(&found, 1)->other_register, REGISTER_DI);
		assert_int_equal(site_of(&found, 2)->outcome, ALLOCATION_SITE);
		assert_int_equal(site_of(&found, 2)->flags, ALLOCATION_NULL_LEADS_ON);
		assert_int_equal(site_of(&found, 3)->outcome, ALLOCATION_FORWARDS);
		assert_int_equal(site_of(&found, 4)->outcome, ALLOCATION_NO_SITE);
	}
}

static void names_with_a_prefix_count_where_there_are_no_others(void **state)
{
	static const struct image_symbol symbols[] = {
		{ "_rjem_malloc", IMAGE_TEXT, 32, STT_FUNC, STB_GLOBAL },
		{ "_rjem_rallocx", IMAGE_TEXT + 32, 32, STT_FUNC, STB_GLOBAL },
		{ "malloc", IMAGE_TEXT, 32, STT_FUNC, STB_GLOBAL },
	};
	static const char *const hex[] = { "55 c3", "55 c3", "55 c3" };
	cleanup(allocator_fini) struct allocator alone = {}, beside = {};

	(void)state;
	read_image(&alone, symbols, 2, hex, false);
	assert_true(alone.prefixed);
	assert_int_equal(alone.sites.count, 2);
	assert_int_equal(site_of(&alone, 1)->function, ALLOCATION_RALLOCX);
	assert_int_equal(site_of(&alone, 1)->size_register, REGISTER_SI);
	/* The same code under the usual name is malloc. */
	read_image(&beside, symbols, 3, hex, false);
	assert_false(beside.prefixed);
	assert_int_equal(beside.sites.count, 1);
	assert_int_equal(site_of(&beside, 0)->function, ALLOCATION_MALLOC);
}

static void those_that_take_memory_back_are_found(void **state)
{
	static const struct image_symbol symbols[] = {
		{ "malloc", IMAGE_TEXT, 32, STT_FUNC, STB_GLOBAL },
		{ "free", IMAGE_TEXT + 32, 32, STT_FUNC, STB_GLOBAL },
		{ "realloc", IMAGE_TEXT + 64, 32, STT_FUNC, STB_GLOBAL },
		{ "_ZdlPvm", IMAGE_TEXT + 96, 32, STT_FUNC, STB_GLOBAL },
		{ "mi_free_size", IMAGE_TEXT + 128, 32, STT_FUNC, STB_GLOBAL },
		{ "_Znwm", IMAGE_TEXT + 160, 32, STT_FUNC, STB_GLOBAL },
		{ "posix_memalign", IMAGE_TEXT + 192, 32, STT_FUNC, STB_GLOBAL },
		/* A function of the program's own, that may take anything. */
		{ "delete", IMAGE_TEXT + 224, 32, STT_FUNC, STB_GLOBAL },
	};
	static const char *const hex[] = {
		"4154 55 c3",
		"4885ff 7410 c3",	     /* free: the block is in rdi at its jump */
		"4157 4885ff e8d7ffffff c3", /* realloc calls free, which is no way to get memory */
		"4889fe 90 c3",
		"c3", /* nowhere to be probed */
		"53 c3",
		"55 c3",
		"55 c3",
	};

	(void)state;
	for (unsigned told = 0; told < 2; told++) {
		cleanup(allocator_fini) struct allocator found = {};

		read_image(&found, symbols, ARRAY_SIZE(symbols), hex, told);
		assert_int_equal(found.sites.count, 7);
		assert_false(found.prefixed);
		assert_int_equal(site_of(&found, 1)->function, ALLOCATION_FREE);
		assert_true(allocation_function_releases(site_of(&found, 1)->function));
		assert_int_equal(site_of(&found, 1)->outcome, ALLOCATION_SITE);
		assert_int_equal(site_of(&found, 1)->size_register, REGISTER_DI);
		assert_int_equal(site_of(&found, 2)->outcome, ALLOCATION_SITE);
		assert_int_equal(site_of(&found, 2)->flags, 0);
		assert_false(allocation_function_releases(site_of(&found, 2)->function));
		assert_int_equal(site_of(&found, 3)->function, ALLOCATION_DELETE);
		assert_int_equal(site_of(&found, 3)->outcome, ALLOCATION_SITE);
		assert_int_equal(site_of(&found, 4)->function, ALLOCATION_FREE);
		assert_int_equal(site_of(&found, 4)->outcome, ALLOCATION_NO_SITE);
		assert_true(site_of(&found, 5)->may_throw);
		assert_false(site_of(&found, 0)->may_throw);
		assert_int_equal(site_of(&found, 6)->result_register, REGISTER_DI);
		assert_int_equal(site_of(&found, 0)->result_register, REGISTER_NONE);
	}
}

static int find_libc(struct dl_phdr_info *info, size_t size, void *path)
{
	(void)size;
	if (!strstr(info->dlpi_name, "/libc.so"))
		return 0;
	snprintf(path, 4096, "%s", info->dlpi_name);
	return 1;
}

static const struct allocation_site *function_of(const struct allocator *allocator,
						 enum allocation_function function)
{
	for (uint32_t i = 0; i < allocator->sites.count; i++)
		if (allocator->sites.at[i].function == function)
			return &allocator->sites.at[i];
	fail_msg("no %s", allocation_function_name(function));
	return NULL;
}

static void the_c_library_has_them(void **state)
{
	static const enum allocation_function functions[] = { ALLOCATION_MALLOC, ALLOCATION_CALLOC,
							      ALLOCATION_REALLOC, ALLOCATION_FREE };
	cleanup(allocator_fini) struct allocator found = {};
	cleanup(object_unref) struct object *object = NULL;
	char path[4096];
	int fd;

	(void)state;
	if (!dl_iterate_phdr(find_libc, path))
		skip();
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	object = direct_object(fd, -1, path);
	assert_ok(ask_allocator(direct_workers(), &found, object));
	assert_true(found.slots.count > 0);
	for (unsigned i = 0; i < ARRAY_SIZE(functions); i++)
		assert_int_equal(function_of(&found, functions[i])->outcome, ALLOCATION_SITE);
}

static void nothing_is_found_where_nothing_is(void **state)
{
	static const struct image_symbol symbols[] = { { "main", IMAGE_TEXT, 32, STT_FUNC,
							 STB_GLOBAL } };
	static const char *const hex[] = { "55 c3" };
	cleanup(allocator_fini) struct allocator found = {};

	(void)state;
	read_image(&found, symbols, 1, hex, true);
	assert_int_equal(found.sites.count, 0);
	assert_int_equal(found.slots.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cheap_instructions_are_those_the_kernel_emulates),
		cmocka_unit_test(sites_are_where_arguments_are),
		cmocka_unit_test(who_calls_another_one_is_not_counted_twice),
		cmocka_unit_test(names_with_a_prefix_count_where_there_are_no_others),
		cmocka_unit_test(those_that_take_memory_back_are_found),
		cmocka_unit_test(the_c_library_has_them),
		cmocka_unit_test(nothing_is_found_where_nothing_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
