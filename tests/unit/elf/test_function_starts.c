// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>

#include "elf/elf_image.h"
#include "elf/function_starts.h"
#include "elf/object_file.h"

static int own_bias(struct dl_phdr_info *info, size_t size, void *bias)
{
	(void)size;
	*(uint64_t *)bias = info->dlpi_addr;
	return 1;
}

static void test_own_functions(void **state)
{
	cleanup(object_unref) struct object *object = NULL;
	struct function_starts starts;
	uint64_t bias = 0, start, size, function;

	(void)state;
	assert_ok(object_open(&object, open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
			      "/proc/self/exe"));
	assert_ok(function_starts_init(&starts, object));
	dl_iterate_phdr(own_bias, &bias);
	function = (uintptr_t)test_own_functions - bias;
	assert_ok(function_starts_find(&starts, function, &start, &size));
	assert_true(start == function);
	assert_true(size > 50 && size < 10000);
	assert_ok(function_starts_find(&starts, function + size - 1, &start, &size));
	assert_true(start == function);
	if (function_starts_find(&starts, function + size, &start, &size) == 0)
		assert_true(start > function);
	assert_errno(function_starts_find(&starts, 0, &start, &size), ENOENT);
	assert_errno(function_starts_find(&starts, UINT64_MAX, &start, &size), ENOENT);
}

/* What .eh_frame_hdr and .eh_frame look like in the text of an image, at its beginning. */
struct frames {
	uint8_t version, frame_encoding, count_encoding, table_encoding;
	int32_t frame;
	uint32_t count;
	struct {
		int32_t start, fde;
	} table[2];
	struct {
		uint32_t length, id;
		uint8_t version;
		char augmentation[3];
		uint8_t code_align, data_align, return_register, size, encoding, padding[3];
	} cie;
	struct {
		uint32_t length, cie;
		int32_t start;
		uint32_t size;
	} fdes[2];
};

static int find(struct frames *frames, uint64_t address, uint64_t *ret_start)
{
	cleanup(object_unref) struct object *object = NULL;
	struct function_starts starts;
	struct image image;
	uint64_t size;
	int fd;

	image_make(&image, NULL, 0);
	image.header.e_phnum = 2;
	image.segments[1] = (Elf64_Phdr){
		.p_type = PT_GNU_EH_FRAME,
		.p_offset = IMAGE_TEXT_OFFSET,
		.p_vaddr = IMAGE_TEXT,
		.p_filesz = offsetof(struct frames, cie),
	};
	fd = image_open(&image);
	assert_int_equal(pwrite(fd, frames, sizeof(*frames), IMAGE_TEXT_OFFSET), sizeof(*frames));
	assert_ok(object_open(&object, fd, "/x"));
	assert_ok(function_starts_init(&starts, object));
	return function_starts_find(&starts, address, ret_start, &size);
}

static void test_tables(void **state)
{
	static const struct frames good = {
		.version = 1,
		.frame_encoding = 0x1b,
		.count_encoding = 0x03,
		.table_encoding = 0x3b,
		.count = 2,
		.table = { { 0x100, offsetof(struct frames, fdes[0]) },
			   { 0x200, offsetof(struct frames, fdes[1]) } },
		.cie = { 16, 0, 1, "zR", 1, 0x78, 16, 1, 0x1b, {} },
		.fdes = { { 12, offsetof(struct frames, fdes[0].cie) - offsetof(struct frames, cie),
			    0, 0x10 },
			  { 12, offsetof(struct frames, fdes[1].cie) - offsetof(struct frames, cie),
			    0, 0x20 } },
	};
	struct frames frames = good;
	uint64_t start = 0;

	(void)state;
	assert_ok(find(&frames, IMAGE_TEXT + 0x100, &start));
	assert_true(start == IMAGE_TEXT + 0x100);
	assert_ok(find(&frames, IMAGE_TEXT + 0x10f, &start));
	assert_errno(find(&frames, IMAGE_TEXT + 0x110, &start), ENOENT);
	assert_errno(find(&frames, IMAGE_TEXT + 0xff, &start), ENOENT);
	assert_ok(find(&frames, IMAGE_TEXT + 0x21f, &start));
	assert_true(start == IMAGE_TEXT + 0x200);
	assert_errno(find(&frames, IMAGE_TEXT + 0x220, &start), ENOENT);

	frames.count = UINT32_MAX; /* more than the segment holds */
	assert_ok(find(&frames, IMAGE_TEXT + 0x21f, &start));
#define SPOIL(change)                                                                              \
	do {                                                                                       \
		frames = good;                                                                     \
		change;                                                                            \
		assert_errno(find(&frames, IMAGE_TEXT + 0x100, &start), ENOENT);                   \
	} while (0)
	SPOIL(frames.version = 2);
	SPOIL(frames.table_encoding = 0x1b);
	SPOIL(frames.table[0].fde = INT32_MAX);
	SPOIL(frames.table[0].fde = INT32_MIN);
	SPOIL(frames.fdes[0].cie = 0);
	SPOIL(frames.fdes[0].cie = UINT32_MAX);
	SPOIL(frames.cie.id = 1);
	SPOIL(frames.cie.version = 9);
	SPOIL(memset(frames.cie.augmentation, 'x', 3));
	SPOIL(frames.cie.encoding = 0x01); /* ULEB128 has no fixed size */
#undef SPOIL
}

static void test_without_table(void **state)
{
	cleanup(object_unref) struct object *object = NULL;
	struct function_starts starts;
	struct image image;
	uint64_t start, size;

	(void)state;
	image_make(&image, NULL, 0);
	assert_ok(object_open(&object, image_open(&image), "/x"));
	assert_ok(function_starts_init(&starts, object));
	assert_errno(function_starts_find(&starts, IMAGE_TEXT, &start, &size), ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_functions),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_without_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
