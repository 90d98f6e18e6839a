// SPDX-License-Identifier: Apache-2.0
/* Functions that only the exception tables' rows tell of: where they begin and end. */
#include "test.h"

#include <errno.h>

#include "elf/cfi_image.h"
#include "elf/function_extents.h"
#include "elf/object_file.h"

#define T CFI_TEXT

static struct function_extents extents;

static void assert_in(uint64_t address, uint64_t function)
{
	uint64_t start = 0;

	assert_ok(function_extents_find(&extents, address, &start));
	assert_int_equal(start, function);
}

static void assert_outside(uint64_t address)
{
	uint64_t start;

	assert_errno(function_extents_find(&extents, address, &start), ENOENT);
}

static void test_extents(void **state)
{
	struct cfi_list eh = { .eh_frame = true };
	cleanup(object_unref) struct object *object = NULL;
	size_t cie = cfi_cie(&eh, "zR");

	(void)state;
	CFI_FDE(&eh, cie, T, 32, DW_CFA_advance_loc | 4, DW_CFA_def_cfa_offset, 32);
	CFI_FDE(&eh, cie, T + 32, 10, DW_CFA_nop);
	CFI_FDE(&eh, cie, T + 48, 16, DW_CFA_nop);
	CFI_FDE(&eh, cie, T + 100, 16, DW_CFA_nop);
	assert_ok(object_open(&object, cfi_image_file(&eh, NULL, 0, true), "/made"));
	bytes_fini(&eh.bytes);
	assert_ok(function_extents_read(&extents, object));
	assert_outside(T - 1);
	assert_in(T, T);
	assert_in(T + 31, T);
	assert_in(T + 32, T + 32);
	assert_in(T + 41, T + 32);
	assert_outside(T + 42);
	assert_in(T + 48, T + 48);
	assert_in(T + 63, T + 48);
	assert_outside(T + 64);
	assert_outside(T + 99);
	assert_in(T + 100, T + 100);
	assert_outside(T + 116);
	assert_outside(UINT64_MAX);
	function_extents_fini(&extents);
	assert_outside(T);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_extents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
