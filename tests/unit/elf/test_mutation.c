// SPDX-License-Identifier: Apache-2.0
/*
 * Real ELF files, cut short and with bytes changed: whatever comes out, nothing crashes, and no
 * answer contradicts itself. Most changes hit the headers and tables, where they matter.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "elf/elf_image.h"
#include "elf/function_starts.h"
#include "elf/object_file.h"
#include "elf/sections.h"
#include "elf/symbol_table.h"

enum { ROUNDS = 300, LOOKUPS = 50, MAX_FILE_BYTES = 32 << 20 };

static uint64_t random_u64(void)
{
	return (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random();
}

static void look_up(struct object *object, uint64_t address, const struct symbol_table *table,
		    const struct function_starts *starts)
{
	cleanup(bytes_fini) struct bytes name = {};
	const struct object_segment *segment = object_segment_of(object, address);
	struct symbol_extent extent;
	uint64_t start, size;

	if (symbol_table_find(table, address, &extent) == 0) {
		assert_non_null(segment);
		assert_true(extent.start <= address);
		assert_true(extent.size == 0 || address - extent.start < extent.size);
		if (symbol_table_name(table, extent.number, &name) == 0)
			assert_true(name.size > 0);
	}
	if (function_starts_find(starts, address, &start, &size) == 0)
		assert_true(address - start < size);
}

/* Returns whether the file was taken for an object. */
static bool examine(int fd)
{
	cleanup(object_unref) struct object *object = NULL;
	cleanup(symbol_table_free) struct symbol_table *table = NULL;
	struct function_starts starts;
	uint64_t bias;

	if (object_open(&object, fd, "/mutated") != 0)
		return false;
	if (symbol_table_new(&table, object, -1) < 0 || function_starts_init(&starts, object) < 0)
		return true;
	for (unsigned i = 0; i < LOOKUPS; i++) {
		const struct object_segment *segment =
			&object->segments.at[(unsigned)random() % object->segments.count];

		look_up(object, segment->address + random_u64() % segment->memory_size, table,
			&starts);
		look_up(object, random_u64(), table, &starts);
		(void)object_bias(object, &bias, random_u64(), random_u64(), true);
	}
	return true;
}

/* Places worth spoiling: headers, section headers, and the beginnings of sections. */
static uint64_t pick_place(const struct section_table *sections, const Elf64_Ehdr *header,
			   uint64_t size)
{
	uint64_t place = random_u64();

	switch (random() % 4) {
	case 0:
		return place % (sizeof(Elf64_Ehdr) + header->e_phnum * sizeof(Elf64_Phdr));
	case 1:
		return sections->count
			       ? header->e_shoff + place % (sections->count * sizeof(Elf64_Shdr))
			       : place % size;
	case 2:
		if (sections->count) {
			const Elf64_Shdr *section =
				&sections->at[(unsigned)random() % sections->count];

			if (section->sh_type != SHT_NOBITS && section->sh_size)
				return section->sh_offset + place % section->sh_size % 4096;
		}
		return place % size;
	default:
		return place % size;
	}
}

static void mutate(const char *path)
{
	cleanup(section_table_fini) struct section_table sections = {};
	cleanup(free) unsigned char *data = NULL;
	cleanup(close) int fd = open(path, O_RDONLY | O_CLOEXEC), copy = -1;
	unsigned taken = 0;
	Elf64_Ehdr header;
	struct stat st;
	size_t size;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size > MAX_FILE_BYTES)
		return; /* not on this machine */
	size = (size_t)st.st_size;
	data = malloc(size);
	assert_non_null(data);
	assert_int_equal(pread(fd, data, size, 0), size);
	memcpy(&header, data, sizeof(header));
	assert_ok(section_table_read(&sections, fd));
	copy = image_file(data, size);
	assert_true(examine(dup(copy)));
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t places[8], cut = size;
		unsigned count = 1 + (unsigned)random() % 8;

		for (unsigned i = 0; i < count; i++) {
			unsigned char byte = (unsigned char)random();

			places[i] = pick_place(&sections, &header, size) % size;
			if (random() % 2)
				byte = random() % 2 ? 0xff : 0;
			assert_int_equal(pwrite(copy, &byte, 1, (off_t)places[i]), 1);
		}
		if (random() % 4 == 0) {
			cut = random_u64() % size;
			assert_ok(ftruncate(copy, (off_t)cut));
		}
		taken += examine(dup(copy));
		if (cut < size)
			assert_int_equal(pwrite(copy, data + cut, size - cut, (off_t)cut),
					 size - cut);
		for (unsigned i = 0; i < count; i++)
			assert_int_equal(pwrite(copy, data + places[i], 1, (off_t)places[i]), 1);
	}
	/* If hardly any survived, the rest of the code was hardly reached. */
	assert_true(taken > ROUNDS / 10);
}

static void test_self(void **state)
{
	(void)state;
	srandom(20);
	mutate("/proc/self/exe");
}

static void test_libc(void **state)
{
	(void)state;
	srandom(21);
	mutate("/lib/x86_64-linux-gnu/libc.so.6");
	mutate("/lib64/ld-linux-x86-64.so.2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_self),
		cmocka_unit_test(test_libc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
