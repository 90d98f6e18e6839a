// SPDX-License-Identifier: Apache-2.0
/*
 * Where code is entered, as a file tells it: this very program, of which the linker and the loader
 * know the truth, and a file whose code calls across its own halves.
 */
#include "test.h"

#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>

#include "elf/cfi_image.h"
#include "elf/code_calls.h"
#include "elf/code_entries.h"
#include "elf/code_pointers.h"
#include "elf/no_return.h"
#include "elf/elf_image.h"
#include "elf/object_file.h"

#ifdef __x86_64__

static int first_bias(struct dl_phdr_info *info, size_t size, void *bias)
{
	(void)size;
	*(uint64_t *)bias = info->dlpi_addr;
	return 1; /* the program itself */
}

#define SLOT_OF(function)                                                                          \
	({                                                                                         \
		uint64_t slot_;                                                                    \
		__asm__("lea " #function "@GOTPCREL(%%rip), %0" : "=r"(slot_));                    \
		slot_;                                                                             \
	})

struct opened {
	struct object *object;
	struct section_table sections;
	struct code code;
};

static void open_self(struct opened *ret)
{
	static const struct cfi_table none;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	*ret = (struct opened){};
	assert_true(fd >= 0);
	assert_ok(object_open(&ret->object, fd, "/self"));
	assert_ok(section_table_read(&ret->sections, fd));
	assert_ok(code_init(&ret->code, ret->object, &ret->sections, &none));
}

static void close_self(struct opened *opened)
{
	code_fini(&opened->code);
	section_table_fini(&opened->sections);
	object_unref(opened->object);
}

static void functions_that_never_return(void **state)
{
	cleanup(no_return_pointers_fini) struct no_return_pointers pointers = {};
	struct opened self;
	uint64_t bias = 0;

	(void)state;
	dl_iterate_phdr(first_bias, &bias);
	open_self(&self);
	assert_ok(no_return_pointers_read(&pointers, self.object, &self.sections));
	assert_true(no_return_pointers_have(&pointers, SLOT_OF(abort) - bias));
	assert_true(no_return_pointers_have(&pointers, SLOT_OF(exit) - bias));
	assert_false(no_return_pointers_have(&pointers, SLOT_OF(puts) - bias));
	assert_false(no_return_pointers_have(&pointers, SLOT_OF(malloc) - bias));
	close_self(&self);
}

static bool lists(const struct function_list *list, uint64_t address, enum function_trust trust)
{
	uint32_t number = function_list_find(list, address);

	return number != HASH_ABSENT && list->functions.at[number].trust == trust;
}

static int only_in_data(void)
{
	return 4711;
}

int (*volatile pointer_in_data)(void) = only_in_data;

static void symbols_and_pointers(void **state)
{
	cleanup(function_list_fini) struct function_list list = { .limit = 1 << 20 };
	cleanup(function_list_fini) struct function_list pointed = { .limit = 1 << 20 };
	uint64_t bias = 0, address = (uint64_t)(uintptr_t)only_in_data;
	struct opened self;

	(void)state;
	dl_iterate_phdr(first_bias, &bias);
	open_self(&self);
	assert_ok(code_entries_list(&list, &self.code, &self.sections));
	assert_true(lists(&list, address - bias, FUNCTION_CERTAIN));
	assert_true(lists(&list, self.object->entry, FUNCTION_CERTAIN));
	assert_true(list.functions.at[function_list_find(&list, self.object->entry)].outermost);
	assert_true(code_pointers_bytes(&self.code, &self.sections) > 1000);
	assert_ok(code_pointers_list(&pointed, &self.code, &self.sections));
	assert_true(lists(&pointed, address - bias, FUNCTION_POINTER));
	/* What is counted is limited. */
	pointed.limit = pointed.functions.count;
	assert_ok(function_list_add(&pointed, 1, 0, FUNCTION_CERTAIN));
	assert_int_equal(function_list_find(&pointed, 1), HASH_ABSENT);
	close_self(&self);
}

/* The first half of the text has rows, the second one has none. */
static void calls_from_code_that_has_rows(void **state)
{
	enum { HALF = 0x800 };
	static unsigned char text[IMAGE_TEXT_SIZE];
	cleanup(function_list_fini) struct function_list list = { .limit = 100 };
	cleanup(object_unref) struct object *object = NULL;
	cleanup(section_table_fini) struct section_table sections = {};
	cleanup(code_fini) struct code code = {};
	struct cfi_table covered = {};
	struct cfi_row *row;
	struct image image;
	int fd;

	(void)state;
	memset(text, 0x90, sizeof(text));
	/* call, jmp, lea: to 0x900, 0xa00, 0xb00 */
	memcpy(text + 0x10, "\xe8\xeb\x08\0\0", 5);
	memcpy(text + 0x20, "\xe9\xdb\x09\0\0", 5);
	memcpy(text + 0x30, "\x48\x8d\x3d\xc9\x0a\0\0", 7);
	/* mov $0x8a8, %edi; the bytes of a call to 0xc00 in the middle of another instruction */
	memcpy(text + 0x40, "\x48\xb8\xe8\xb9\x0b\0\0\0\0\0", 10);
	/* a call of what has rows */
	memcpy(text + 0x60, "\xe8\0\0\0\0", 5);
	image_make(&image, NULL, 0);
	fd = image_open(&image);
	assert_int_equal(pwrite(fd, text, sizeof(text), IMAGE_TEXT_OFFSET), sizeof(text));
	assert_ok(object_open(&object, fd, "/made"));
	assert_ok(section_table_read(&sections, fd));
	row = array_push(&covered.rows);
	*row = (struct cfi_row){ IMAGE_TEXT, { .kind_and_step = RULE_SP, .cfa_words = 1 } };
	row = array_push(&covered.rows);
	*row = (struct cfi_row){ IMAGE_TEXT + HALF,
				 { .kind_and_step = RULE_NONE, .cfa_words = CFI_GAP } };
	assert_ok(code_init(&code, object, &sections, &covered));
	assert_int_equal(code.bytes, IMAGE_TEXT_SIZE - HALF);
	assert_ok(code_calls_list(&list, &code, &covered));
	assert_int_equal(list.functions.count, 3);
	assert_true(lists(&list, IMAGE_TEXT + 0x900, FUNCTION_CERTAIN));
	assert_true(lists(&list, IMAGE_TEXT + 0xa00, FUNCTION_TAKEN));
	assert_true(lists(&list, IMAGE_TEXT + 0xb00, FUNCTION_TAKEN));
	cfi_table_fini(&covered);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_that_never_return),
		cmocka_unit_test(symbols_and_pointers),
		cmocka_unit_test(calls_from_code_that_has_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
	return 77; /* the code here is another machine's */
}

#endif
