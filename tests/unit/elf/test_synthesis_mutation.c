// SPDX-License-Identifier: Apache-2.0
/*
 * Real code with bytes changed, as if it had no call frame information: whatever comes out, nothing
 * crashes, rows stay in order, and the work has an end.
 */
#include "test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "elf/elf_image.h"
#include "elf/object_file.h"
#include "elf/sections.h"
#include "elf/synthesis.h"

enum { ROUNDS = 24, MAX_FILE_BYTES = 4 << 20 };

static uint64_t random_u64(void)
{
	return (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random();
}

/* Returns how many rows came out; 0 also for a file that is no object. */
static uint32_t examine(int fd)
{
	static const struct cfi_table none;
	cleanup(object_unref) struct object *object = NULL;
	struct cfi_table rows = {};
	uint32_t count;

	if (object_open(&object, fd, "/mutated") != 0 ||
	    synthesis_rows(&rows, object, &none) < 0)
		return 0;
	for (uint32_t i = 1; i < rows.rows.count; i++)
		assert_true(rows.rows.at[i - 1].address < rows.rows.at[i].address);
	for (uint32_t i = 0; i < rows.rows.count; i++)
		assert_true(rows.rows.at[i].rule.kind_and_step < RULE_KIND_COUNT);
	count = rows.rows.count;
	cfi_table_fini(&rows);
	return count;
}

/* Mostly code; also symbols and relocations, which tell where it begins. */
static uint64_t pick_place(const struct section_table *sections, uint64_t size)
{
	for (unsigned tries = 0; tries < 100; tries++) {
		const Elf64_Shdr *section = &sections->at[(unsigned)random() % sections->count];

		if (section->sh_type == SHT_NOBITS || section->sh_size == 0)
			continue;
		if (section->sh_flags & SHF_EXECINSTR || section->sh_type == SHT_DYNSYM ||
		    section->sh_type == SHT_RELA)
			return (section->sh_offset + random_u64() % section->sh_size) % size;
	}
	return random_u64() % size;
}

static void mutate(const char *path)
{
	cleanup(section_table_fini) struct section_table sections = {};
	cleanup(close) int fd = open(path, O_RDONLY | O_CLOEXEC), copy = -1;
	cleanup(free) unsigned char *data = NULL;
	unsigned with_rows = 0;
	struct stat st;
	size_t size;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size > MAX_FILE_BYTES)
		return; /* not on this machine */
	size = (size_t)st.st_size;
	data = malloc(size);
	assert_non_null(data);
	assert_int_equal(pread(fd, data, size, 0), size);
	assert_ok(section_table_read(&sections, fd));
	copy = image_file(data, size);
	assert_true(examine(dup(copy)) > 100);
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned changes = 1 + (unsigned)random() % 400;

		for (unsigned i = 0; i < changes; i++) {
			unsigned char byte = (unsigned char)random();

			assert_int_equal(pwrite(copy, &byte, 1, (off_t)pick_place(&sections, size)),
					 1);
		}
		if (round % 8 == 7)
			assert_ok(ftruncate(copy, (off_t)(size - random_u64() % (size / 2))));
		with_rows += examine(dup(copy)) > 100;
		assert_int_equal(pwrite(copy, data, size, 0), size);
	}
	assert_true(with_rows > ROUNDS / 2);
}

static void test_dynamic_loader(void **state)
{
	(void)state;
	srandom(22);
	mutate("/lib64/ld-linux-x86-64.so.2");
}

static void test_musl(void **state)
{
	(void)state;
	srandom(23);
	mutate("/usr/lib/x86_64-linux-musl/libc.so");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dynamic_loader),
		cmocka_unit_test(test_musl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
