// SPDX-License-Identifier: Apache-2.0
/* Samples as the kernel lays them out in linux/perf_event.h, and cut at every byte. */
#include "test.h"

#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "source/copy_record.h"
#include "source/copy_registers.h"

enum { STACK_BYTES = 64, USED_BYTES = 40 };

static const struct copy_layout with_stack = { .chain = true };
static const struct copy_layout with_pointers = { .chain = true, .user_chain = true };
static const struct copy_layout with_group = { .chain = true, .cgroup = true };

static void add_u32(struct bytes *bytes, uint32_t value)
{
	bytes_add(bytes, &value, sizeof(value));
}

static void add_u64(struct bytes *bytes, uint64_t value)
{
	bytes_add(bytes, &value, sizeof(value));
}

static void begin(struct bytes *record, uint16_t misc)
{
	struct perf_event_header header = { .type = PERF_RECORD_SAMPLE, .misc = misc };

	record->size = 0;
	bytes_add(record, &header, sizeof(header));
	add_u32(record, 10);
	add_u32(record, 11);
	add_u64(record, 5555);
	add_u32(record, 3);
	add_u32(record, 0);
}

static void add_chain(struct bytes *record, const uint64_t *addresses, uint64_t count)
{
	add_u64(record, count);
	bytes_add(record, addresses, count * sizeof(*addresses));
}

static void add_registers(struct bytes *record, uint64_t abi)
{
	add_u64(record, abi);
	for (uint64_t i = 0; abi != PERF_SAMPLE_REGS_ABI_NONE && i < copy_registers_count(); i++)
		add_u64(record, 0x1000 + i);
}

static void add_stack(struct bytes *record)
{
	add_u64(record, STACK_BYTES);
	for (unsigned i = 0; i < STACK_BYTES; i++)
		bytes_add_char(record, (char)i);
	add_u64(record, USED_BYTES);
}

static size_t parse(const struct bytes *record, const struct copy_layout *layout,
		    struct wire_sample *ret)
{
	struct copy_origin origin;

	return copy_record_parse(ret, &origin, record->at, record->size, layout);
}

static void test_stack(void **state)
{
	static const uint64_t chain[] = { (uint64_t)PERF_CONTEXT_KERNEL, 0xffffffff81000010,
					  0xffffffff81000020 };
	cleanup(free) struct wire_sample *sample = malloc(COPY_SAMPLE_BYTES_MAX);
	cleanup(bytes_fini) struct bytes record = {};
	const uint64_t *addresses = (const uint64_t *)(sample + 1);

	(void)state;
	begin(&record, PERF_RECORD_MISC_KERNEL);
	add_chain(&record, chain, 3);
	add_registers(&record, PERF_SAMPLE_REGS_ABI_64);
	add_stack(&record);
	assert_int_equal(parse(&record, &with_stack, sample), sizeof(*sample) + 16 + USED_BYTES);
	assert_int_equal(sample->pid, 10);
	assert_int_equal(sample->tid, 11);
	assert_int_equal(sample->time_ns, 5555);
	assert_int_equal(sample->cpu, 3);
	assert_int_equal(sample->event, EVENT_CPU);
	assert_int_equal(sample->outcome, WALK_NO_PROCESS);
	assert_int_equal(sample->kernel_count, 2);
	assert_int_equal(sample->user_count, 0);
	assert_int_equal(addresses[0], 0xffffffff81000010);
	assert_int_equal(addresses[1], 0xffffffff81000020);
	assert_true(sample->flags & SAMPLE_KERNEL_MODE);
	assert_int_equal(sample->stack_at, sample->sp);
	assert_int_equal(sample->stack_bytes, USED_BYTES);
	assert_true(sample->flags & SAMPLE_STACK_ENDED);
	for (unsigned i = 0; i < USED_BYTES; i++)
		assert_int_equal(((const unsigned char *)(addresses + 2))[i], i);
	/* All that was asked for: there may be more. */
	((uint64_t *)(uintptr_t)(record.at + record.size))[-1] = STACK_BYTES;
	assert_int_equal(parse(&record, &with_stack, sample), sizeof(*sample) + 16 + STACK_BYTES);
	assert_false(sample->flags & SAMPLE_STACK_ENDED);
}

static void test_registers(void **state)
{
	cleanup(free) struct wire_sample *sample = malloc(COPY_SAMPLE_BYTES_MAX);
	cleanup(bytes_fini) struct bytes record = {};

	(void)state;
	begin(&record, PERF_RECORD_MISC_USER);
	add_chain(&record, NULL, 0);
	add_registers(&record, PERF_SAMPLE_REGS_ABI_64);
	add_stack(&record);
	assert_true(parse(&record, &with_stack, sample) > 0);
	assert_true(sample->flags & SAMPLE_NEXT_IS_EXACT);
#if defined(__x86_64__)
	/* AX BX CX DX SI DI BP SP IP R8 ..., asm/perf_regs.h */
	assert_int_equal(sample->temporaries[TEMPORARY_AX], 0x1000);
	assert_int_equal(sample->bx, 0x1001);
	assert_int_equal(sample->temporaries[TEMPORARY_CX], 0x1002);
	assert_int_equal(sample->bp, 0x1006);
	assert_int_equal(sample->sp, 0x1007);
	assert_int_equal(sample->ip, 0x1008);
	assert_int_equal(sample->temporaries[TEMPORARY_R11], 0x100c);
#endif
}

static void test_no_user_stack(void **state)
{
	cleanup(free) struct wire_sample *sample = malloc(COPY_SAMPLE_BYTES_MAX);
	cleanup(bytes_fini) struct bytes record = {};

	(void)state;
	begin(&record, PERF_RECORD_MISC_KERNEL);
	add_chain(&record, NULL, 0);
	add_registers(&record, PERF_SAMPLE_REGS_ABI_NONE);
	add_u64(&record, 0);
	assert_int_equal(parse(&record, &with_stack, sample), sizeof(*sample));
	assert_int_equal(sample->outcome, WALK_NO_USER_STACK);
	begin(&record, PERF_RECORD_MISC_USER);
	add_chain(&record, NULL, 0);
	add_registers(&record, PERF_SAMPLE_REGS_ABI_32);
	add_stack(&record);
	assert_true(parse(&record, &with_stack, sample) > 0);
	assert_int_equal(sample->outcome, WALK_COMPAT);
}

/* All but what ran are return addresses, looked up inside of their calls. */
static void test_frame_pointers(void **state)
{
	static const uint64_t user[] = { (uint64_t)PERF_CONTEXT_USER, 0x401000, 0x401100,
					 0x401200 };
	static const uint64_t both[] = { (uint64_t)PERF_CONTEXT_KERNEL, 0xffffffff81000010,
					 (uint64_t)PERF_CONTEXT_USER, 0x401000, 0x401100 };
	cleanup(free) struct wire_sample *sample = malloc(COPY_SAMPLE_BYTES_MAX);
	cleanup(bytes_fini) struct bytes record = {};
	const uint64_t *addresses = (const uint64_t *)(sample + 1);

	(void)state;
	begin(&record, PERF_RECORD_MISC_USER);
	add_chain(&record, user, ARRAY_SIZE(user));
	assert_true(parse(&record, &with_pointers, sample) > 0);
	assert_int_equal(sample->user_count, 3);
	assert_int_equal(addresses[0], 0x401000);
	assert_int_equal(addresses[1], 0x4010ff);
	assert_int_equal(addresses[2], 0x4011ff);
	assert_true(sample->flags & SAMPLE_FRAME_POINTERS);
	begin(&record, PERF_RECORD_MISC_KERNEL);
	add_chain(&record, both, ARRAY_SIZE(both));
	assert_true(parse(&record, &with_pointers, sample) > 0);
	assert_int_equal(sample->kernel_count, 1);
	assert_int_equal(sample->user_count, 2);
	/* It has entered the kernel by a call of its own kind. */
	assert_int_equal(addresses[1], 0x400fff);
	assert_int_equal(addresses[2], 0x4010ff);
}

static void test_group_and_cuts(void **state)
{
	cleanup(free) struct wire_sample *sample = malloc(COPY_SAMPLE_BYTES_MAX);
	cleanup(bytes_fini) struct bytes record = {};
	struct copy_origin origin;

	(void)state;
	begin(&record, PERF_RECORD_MISC_USER);
	add_chain(&record, NULL, 0);
	add_registers(&record, PERF_SAMPLE_REGS_ABI_64);
	add_stack(&record);
	add_u64(&record, 4711);
	assert_true(parse(&record, &with_group, sample) > 0);
	assert_int_equal(sample->cgroup, 4711);
	for (size_t size = 0; size < record.size; size++) {
		cleanup(free) unsigned char *cut = malloc(size + 1);

		memcpy(cut, record.at, size);
		assert_int_equal(copy_record_parse(sample, &origin, cut, size, &with_group), 0);
	}
}

/* Counts that promise more than there is, and more frames than a sample has. */
static void test_hostile_counts(void **state)
{
	cleanup(free) struct wire_sample *sample = malloc(COPY_SAMPLE_BYTES_MAX);
	cleanup(bytes_fini) struct bytes record = {};

	(void)state;
	begin(&record, PERF_RECORD_MISC_USER);
	add_u64(&record, UINT64_MAX / 8 + 1);
	assert_int_equal(parse(&record, &with_pointers, sample), 0);
	begin(&record, PERF_RECORD_MISC_KERNEL);
	add_u64(&record, 4000);
	for (unsigned i = 0; i < 4000; i++)
		add_u64(&record, i < 2000    ? 0xffffffff81000000 + i
				 : i == 2000 ? (uint64_t)PERF_CONTEXT_USER
					     : i);
	assert_true(parse(&record, &with_pointers, sample) <= COPY_SAMPLE_BYTES_MAX);
	assert_int_equal(sample->kernel_count, WIRE_MAX_KERNEL_FRAMES);
	assert_int_equal(sample->user_count, WIRE_MAX_FRAMES);
	begin(&record, PERF_RECORD_MISC_USER);
	add_chain(&record, NULL, 0);
	add_registers(&record, PERF_SAMPLE_REGS_ABI_64);
	add_u64(&record, UINT64_MAX - 7);
	assert_int_equal(parse(&record, &with_stack, sample), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stack),	       cmocka_unit_test(test_registers),
		cmocka_unit_test(test_no_user_stack),  cmocka_unit_test(test_frame_pointers),
		cmocka_unit_test(test_group_and_cuts), cmocka_unit_test(test_hostile_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
