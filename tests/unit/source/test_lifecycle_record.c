// SPDX-License-Identifier: Apache-2.0
/* Records as the kernel lays them out in linux/perf_event.h, and records cut at every byte. */
#include "test.h"

#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "source/lifecycle_record.h"

static void add_u32(struct bytes *bytes, uint32_t value)
{
	bytes_add(bytes, &value, sizeof(value));
}

static void add_u64(struct bytes *bytes, uint64_t value)
{
	bytes_add(bytes, &value, sizeof(value));
}

static void begin(struct bytes *record, uint32_t type, uint16_t misc)
{
	struct perf_event_header header = { .type = type, .misc = misc };

	record->size = 0;
	bytes_add(record, &header, sizeof(header));
}

/* The trailer: who wrote the record, and when. */
static void end(struct bytes *record)
{
	struct perf_event_header header;

	add_u32(record, 900);
	add_u32(record, 901);
	add_u64(record, 5555);
	memcpy(&header, record->at, sizeof(header));
	header.size = (uint16_t)record->size;
	memcpy(record->at, &header, sizeof(header));
}

static void make_map(struct bytes *record, const char *name, size_t name_bytes)
{
	begin(record, PERF_RECORD_MMAP2, 0);
	add_u32(record, 10);
	add_u32(record, 11);
	add_u64(record, 0x7f0000001000);
	add_u64(record, 0x2000);
	add_u64(record, 0x3000);
	add_u32(record, 0xfd);
	add_u32(record, 1);
	add_u64(record, 77);
	add_u64(record, 78);
	add_u32(record, 5);
	add_u32(record, 2);
	bytes_add(record, name, name_bytes);
	end(record);
}

static void a_mapping(void **state)
{
	cleanup(bytes_fini) struct bytes record = {};
	struct lifecycle_event event;

	(void)state;
	make_map(&record, "/usr/a.so\0\0\0\0\0\0", 16);
	assert_true(lifecycle_record_parse(&event, record.at, record.size));
	assert_int_equal(event.type, LIFECYCLE_MAP);
	assert_int_equal(event.pid, 10);
	assert_int_equal(event.tid, 11);
	assert_int_equal(event.start, 0x7f0000001000);
	assert_int_equal(event.size, 0x2000);
	assert_int_equal(event.file_offset, 0x3000);
	assert_int_equal(event.device_major, 0xfd);
	assert_int_equal(event.device_minor, 1);
	assert_int_equal(event.inode, 77);
	assert_int_equal(event.inode_generation, 78);
	assert_int_equal(event.time_ns, 5555);
	assert_string_equal(event.text, "/usr/a.so");
}

static void a_name_and_an_exec(void **state)
{
	cleanup(bytes_fini) struct bytes record = {};
	struct lifecycle_event event;

	(void)state;
	for (int exec = 0; exec < 2; exec++) {
		begin(&record, PERF_RECORD_COMM, exec ? PERF_RECORD_MISC_COMM_EXEC : 0);
		add_u32(&record, 10);
		add_u32(&record, 11);
		bytes_add(&record, "new name", 9);
		bytes_add(&record, "\0\0\0\0\0\0\0", 7);
		end(&record);
		assert_true(lifecycle_record_parse(&event, record.at, record.size));
		assert_int_equal(event.type, exec ? LIFECYCLE_EXEC : LIFECYCLE_COMM);
		assert_int_equal(event.pid, 10);
		assert_int_equal(event.tid, 11);
		assert_int_equal(event.time_ns, 5555);
		assert_string_equal(event.text, "new name");
	}
}

static void a_fork_and_an_exit(void **state)
{
	cleanup(bytes_fini) struct bytes record = {};
	struct lifecycle_event event;

	(void)state;
	for (int is_exit = 0; is_exit < 2; is_exit++) {
		begin(&record, is_exit ? PERF_RECORD_EXIT : PERF_RECORD_FORK, 0);
		add_u32(&record, 20);
		add_u32(&record, 10);
		add_u32(&record, 21);
		add_u32(&record, 11);
		add_u64(&record, 4444);
		end(&record);
		assert_true(lifecycle_record_parse(&event, record.at, record.size));
		assert_int_equal(event.type, is_exit ? LIFECYCLE_EXIT : LIFECYCLE_FORK);
		assert_int_equal(event.pid, 20);
		assert_int_equal(event.parent_pid, 10);
		assert_int_equal(event.tid, 21);
		assert_int_equal(event.time_ns, 4444); /* the event's own time */
		assert_string_equal(event.text, "");
	}
}

static void lost_records(void **state)
{
	cleanup(bytes_fini) struct bytes record = {};
	struct lifecycle_event event;

	(void)state;
	begin(&record, PERF_RECORD_LOST, 0);
	add_u64(&record, 1);
	add_u64(&record, 123);
	end(&record);
	assert_true(lifecycle_record_parse(&event, record.at, record.size));
	assert_int_equal(event.type, LIFECYCLE_LOST);
	assert_int_equal(event.lost, 123);
}

static void others_say_nothing(void **state)
{
	cleanup(bytes_fini) struct bytes record = {};
	struct lifecycle_event event;

	(void)state;
	begin(&record, PERF_RECORD_SAMPLE, 0);
	add_u64(&record, 1);
	end(&record);
	assert_false(lifecycle_record_parse(&event, record.at, record.size));
}

static void a_text_without_an_end_is_no_text(void **state)
{
	cleanup(bytes_fini) struct bytes record = {};
	struct lifecycle_event event;

	(void)state;
	/* The trailer has zeros, but is no part of the name. */
	make_map(&record, "/usr/abc", 8);
	assert_true(lifecycle_record_parse(&event, record.at, record.size));
	assert_string_equal(event.text, "");
}

static void no_byte_behind_the_end_is_read(void **state)
{
	cleanup(bytes_fini) struct bytes record = {};

	(void)state;
	make_map(&record, "/usr/a.so\0\0\0\0\0\0", 16);
	for (size_t size = 0; size < record.size; size++) {
		cleanup(free) char *copy = malloc(size ? size : 1);
		struct lifecycle_event event;

		memcpy(copy, record.at, size);
		/* Without its fixed fields it is not a record. */
		if (lifecycle_record_parse(&event, copy, size))
			assert_true(size >= 8 + 64 + 16);
		else
			assert_true(size < 8 + 64 + 16);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mapping),
		cmocka_unit_test(a_name_and_an_exec),
		cmocka_unit_test(a_fork_and_an_exit),
		cmocka_unit_test(lost_records),
		cmocka_unit_test(others_say_nothing),
		cmocka_unit_test(a_text_without_an_end_is_no_text),
		cmocka_unit_test(no_byte_behind_the_end_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
