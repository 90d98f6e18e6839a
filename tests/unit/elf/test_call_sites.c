// SPDX-License-Identifier: Apache-2.0
/* Calls by their bytes, and addresses behind which there is none. */
#include "test.h"

#include <string.h>
#include <unistd.h>

#include "elf/call_sites.h"
#include "elf/elf_image.h"
#include "elf/object_file.h"

/* What call_ends_at says behind these bytes at the beginning of the text. */
static uint64_t behind(const unsigned char *code, size_t size)
{
	cleanup(object_unref) struct object *object = NULL;
	struct image image;
	int fd;

	image_make(&image, NULL, 0);
	fd = image_open(&image);
	assert_int_equal(pwrite(fd, code, size, IMAGE_TEXT_OFFSET), size);
	assert_ok(object_open(&object, fd, "/image"));
	return call_ends_at(object, IMAGE_TEXT + size);
}

#define BEHIND(...)                                                                                \
	behind((const unsigned char[]){ __VA_ARGS__ },                                             \
	       sizeof((const unsigned char[]){ __VA_ARGS__ }))

static void test_direct(void **state)
{
	(void)state;
	assert_int_equal(BEHIND(0xe8, 3, 0, 0, 0), IMAGE_TEXT + 8);
	assert_int_equal(BEHIND(0x90, 0xe8, 0xfa, 0xff, 0xff, 0xff), IMAGE_TEXT);
	/* To where there is no code. */
	assert_int_equal(BEHIND(0xe8, 0, 0, 0, 0x40), CALL_NONE);
	assert_int_equal(BEHIND(0xe9, 3, 0, 0, 0), CALL_NONE);
	assert_int_equal(BEHIND(0xe8, 3, 0, 0), CALL_NONE);
}

static void test_indirect(void **state)
{
	(void)state;
	assert_int_equal(BEHIND(0xff, 0xd0), CALL_INDIRECT);			/* call *%rax */
	assert_int_equal(BEHIND(0x41, 0xff, 0xd4), CALL_INDIRECT);		/* *%r12 */
	assert_int_equal(BEHIND(0xff, 0x10), CALL_INDIRECT);			/* *(%rax) */
	assert_int_equal(BEHIND(0xff, 0x14, 0xc5, 0, 0, 0, 0), CALL_INDIRECT); /* *0(,%rax,8) */
	assert_int_equal(BEHIND(0xff, 0x14, 0x24), CALL_INDIRECT);		/* *(%rsp) */
	assert_int_equal(BEHIND(0xff, 0x50, 8), CALL_INDIRECT);			/* *8(%rax) */
	assert_int_equal(BEHIND(0xff, 0x54, 0x24, 8), CALL_INDIRECT);		/* *8(%rsp) */
	assert_int_equal(BEHIND(0xff, 0x15, 1, 2, 3, 0), CALL_INDIRECT);	/* *x(%rip) */
	assert_int_equal(BEHIND(0xff, 0x90, 0, 1, 0, 0), CALL_INDIRECT);	/* *256(%rax) */
	assert_int_equal(BEHIND(0xff, 0x94, 0x24, 0, 1, 0, 0), CALL_INDIRECT); /* *256(%rsp) */
	/* Jumps, pushes, and calls that have not ended. */
	assert_int_equal(BEHIND(0xff, 0xe0), CALL_NONE);
	assert_int_equal(BEHIND(0xff, 0x70, 8), CALL_NONE);
	assert_int_equal(BEHIND(0xff, 0x15, 1, 2, 3), CALL_NONE);
	assert_int_equal(BEHIND(0x90), CALL_NONE);
}

static void test_outside(void **state)
{
	cleanup(object_unref) struct object *object = NULL;
	struct image image;

	(void)state;
	image_make(&image, NULL, 0);
	assert_ok(object_open(&object, image_open(&image), "/image"));
	assert_int_equal(call_ends_at(object, 0), CALL_NONE);
	assert_int_equal(call_ends_at(object, IMAGE_TEXT), CALL_NONE);
	assert_int_equal(call_ends_at(object, IMAGE_TEXT + 1), CALL_NONE);
	assert_int_equal(call_ends_at(object, UINT64_MAX), CALL_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_direct),
		cmocka_unit_test(test_indirect),
		cmocka_unit_test(test_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
