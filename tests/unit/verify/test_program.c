// SPDX-License-Identifier: Apache-2.0
/* The known program, run here: what it says of itself, and which addresses are of it. */
#include "test.h"

#include <link.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "verify/program.h"

static int take_bias(struct dl_phdr_info *info, size_t size, void *ret)
{
	(void)size;
	*(uint64_t *)ret = info->dlpi_addr;
	return 1;
}

static uint64_t elf_address(const void *address)
{
	uint64_t bias = 0;

	(void)dl_iterate_phdr(take_bias, &bias);
	return (uint64_t)(uintptr_t)address - bias;
}

static void addresses_are_told_apart(void **state)
{
	uint64_t part_10(uint64_t value, unsigned rounds);
	uint64_t bottom_900(uint64_t value);

	(void)state;
	assert_int_equal(program_function_at(elf_address((void *)(uintptr_t)part_10)),
			 PROGRAM_PART_10);
	assert_int_equal(program_function_at(elf_address((void *)(uintptr_t)part_10) + 1),
			 PROGRAM_PART_10);
	assert_int_equal(program_function_at(elf_address((void *)(uintptr_t)bottom_900)),
			 PROGRAM_BOTTOM_900);
	assert_int_equal(program_function_at(elf_address((void *)(uintptr_t)program_main)),
			 PROGRAM_FUNCTIONS);
	assert_int_equal(program_function_at(0), PROGRAM_FUNCTIONS);
	assert_int_equal(program_function_at(UINT64_MAX), PROGRAM_FUNCTIONS);
	assert_true(program_is_entry(elf_address((void *)(uintptr_t)getauxval(AT_ENTRY))));
	assert_false(program_is_entry(elf_address((void *)(uintptr_t)program_main)));
}

static void it_measures_its_parts(void **state)
{
	cleanup(close) int fd = memfd_create("truth", MFD_CLOEXEC);
	struct program_truth truth;
	char number[16];
	uint64_t sum = 0;

	(void)state;
	snprintf(number, sizeof(number), "%d", fd);
	assert_int_equal(program_main((char *[]){ (char *)"split", (char *)"1", number, NULL }), 0);
	assert_ok(fs_read_at(fd, &truth, sizeof(truth), 0));
	for (unsigned i = 0; i < PROGRAM_PARTS; i++) {
		assert_true(truth.part_ns[i] > 0);
		sum += truth.part_ns[i];
	}
	/* The rest is reading the clock. */
	assert_true(sum <= truth.total_ns && sum > truth.total_ns / 2);
	assert_true(truth.part_ns[PROGRAM_PART_40] > truth.part_ns[PROGRAM_PART_10]);
	assert_int_equal(program_main((char *[]){ (char *)"shapes", (char *)"1", number, NULL }),
			 0);
	assert_int_equal(program_main((char *[]){ (char *)"split", (char *)"x", number, NULL }), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_told_apart),
		cmocka_unit_test(it_measures_its_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
