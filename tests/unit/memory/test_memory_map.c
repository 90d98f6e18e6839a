// SPDX-License-Identifier: Apache-2.0
/* Kinds of memory, by the lines of /proc/PID/maps. */
#include "test.h"

#include <string.h>

#include "memory/memory_map.h"

static const char usual[] =
	"55d0c8a00000-55d0c8a01000 r--p 00000000 fd:01 1048 /usr/bin/a\n"
	"55d0c8a01000-55d0c8a02000 rw-p 00001000 fd:01 1048 /usr/bin/a\n"
	"55d0c9000000-55d0c9021000 rw-p 00000000 00:00 0    [heap]\n"
	"7f0000000000-7f0000001000 ---p 00000000 00:00 0 \n"
	"7f0000001000-7f0000801000 rw-p 00000000 00:00 0 \n"
	"7f0000900000-7f0000a00000 rw-p 00000000 00:00 0    [anon:arena]\n"
	"7f0001000000-7f0001100000 rw-s 00000000 00:01 33   /dev/zero (deleted)\n"
	"7f0001200000-7f0001300000 r--s 00000000 fd:01 77   /var/lib/a.db\n"
	"7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0    [stack]\n"
	"7ffd000fe000-7ffd00100000 r-xp 00000000 00:00 0    [vdso]\n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n";

static void kinds(void **state)
{
	static const struct {
		uint64_t address, sp;
		enum memory_kind kind;
	} wanted[] = {
		{ 0x55d0c8a00800, 0, MEMORY_FILE },
		{ 0x55d0c8a01008, 0, MEMORY_FILE },
		{ 0x55d0c9000000, 0, MEMORY_HEAP },
		{ 0x55d0c9020fff, 0, MEMORY_HEAP },
		{ 0x55d0c9021000, 0, MEMORY_UNKNOWN },
		{ 0x7f0000002000, 0, MEMORY_MMAP },
		{ 0x7f0000950000, 0, MEMORY_MMAP },
		{ 0x7f0001000000, 0, MEMORY_SHARED },
		{ 0x7f0001200000, 0, MEMORY_SHARED },
		{ 0x7ffd00001000, 0, MEMORY_STACK },
		{ 0, 0, MEMORY_UNKNOWN },
		{ UINT64_MAX, 0, MEMORY_UNKNOWN },
		/* A thread's stack has a guard below it, and the stack pointer in it. */
		{ 0x7f0000700000, 0x7f0000800000, MEMORY_STACK },
		{ 0x7f0000700000, 0x7f0000950000, MEMORY_MMAP },
		{ 0x7f0000950000, 0x7f0000960000, MEMORY_MMAP },
	};
	struct memory_map map = {};

	(void)state;
	/* Twice: reading again begins anew. */
	for (int i = 0; i < 2; i++)
		assert_int_equal(memory_map_parse(&map, usual, strlen(usual)), 0);
	assert_int_equal(map.areas.count, 10);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		assert_int_equal(memory_map_kind(&map, wanted[i].address, wanted[i].sp),
				 wanted[i].kind);
	memory_map_fini(&map);
}

static void what_is_out_of_order_is_left_out(void **state)
{
	static const char text[] = "2000-4000 rw-p 00000000 00:00 0\n"
				   "1000-2000 rw-p 00000000 00:00 0\n"
				   "3000-5000 rw-p 00000000 00:00 0\n"
				   "nonsense\n"
				   "6000-7000 rw-p 00000000 00:00 0 [heap]";
	struct memory_map map = {};

	(void)state;
	assert_int_equal(memory_map_parse(&map, text, strlen(text)), 0);
	assert_int_equal(map.areas.count, 2);
	assert_null(memory_map_find(&map, 0x1000));
	assert_null(memory_map_find(&map, 0x4000));
	assert_int_equal(memory_map_kind(&map, 0x6fff, 0), MEMORY_HEAP);
	memory_map_fini(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(what_is_out_of_order_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
