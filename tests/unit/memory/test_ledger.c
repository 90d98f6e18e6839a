// SPDX-License-Identifier: Apache-2.0
/* The ledger: what replaces what, the sample getting smaller, memory that moves. */
#include "test.h"

#include "bpf/page_hash.h"
#include "memory/ledger.h"

#define SALT 12345
#define PID 1234
#define BASE 0x7f0000000000ULL

static struct ledger_page page_at(uint64_t number, uint32_t stack)
{
	uint64_t address = BASE + number * 4096;

	return (struct ledger_page){ .address = address,
				     .span = 4096,
				     .bytes = 4096,
				     .held = 4096,
				     .time_ns = number + 1,
				     .hashed = page_key(address, PID),
				     .process = 1,
				     .stack = stack,
				     .by_hash = true };
}

static uint64_t all_held(const struct ledger *ledger, uint32_t stack)
{
	uint64_t held = 0;

	for (uint32_t i = 0; i < ledger->pages.count; i++)
		if (ledger->pages.at[i].stack == stack)
			held += ledger_held(ledger, &ledger->pages.at[i]);
	return held;
}

static void the_last_one_at_a_place_counts(void **state)
{
	struct ledger ledger;
	struct ledger_page page = page_at(0, 1);

	(void)state;
	ledger_init(&ledger, SALT, 100);
	assert_ok(ledger_add(&ledger, &page));
	page.stack = 2;
	assert_ok(ledger_add(&ledger, &page));
	assert_int_equal(ledger.pages.count, 1);
	assert_int_equal(ledger_find(&ledger, 1, BASE)->stack, 2);
	page.process = 2; /* another memory */
	assert_ok(ledger_add(&ledger, &page));
	assert_int_equal(ledger.pages.count, 2);
	ledger_forget(&ledger, 1);
	assert_null(ledger_find(&ledger, 1, BASE));
	assert_non_null(ledger_find(&ledger, 2, BASE));
	ledger_fini(&ledger);
}

/* Three of four pages by one stack: as many of those that are left, and together as much as before. */
static void a_smaller_sample_tells_the_same(void **state)
{
	enum { PAGES = 40000 };
	struct ledger ledger;

	(void)state;
	ledger_init(&ledger, SALT, 1 << 20);
	for (uint32_t i = 0; i < PAGES; i++) {
		struct ledger_page page = page_at(i, i / 1000 % 4 == 0);

		assert_ok(ledger_add(&ledger, &page));
	}
	for (uint32_t shift = 1; shift <= 5; shift++) {
		uint64_t rare, usual;

		ledger_raise(&ledger, shift);
		rare = all_held(&ledger, 1);
		usual = all_held(&ledger, 0);
		assert_in_range(ledger.pages.count, (PAGES >> shift) * 0.97,
				(PAGES >> shift) * 1.03);
		assert_in_range(rare + usual, PAGES * 4096.0 * 0.97, PAGES * 4096.0 * 1.03);
		assert_in_range(1000 * rare / (rare + usual), 240, 260);
		for (uint32_t i = 0; i < ledger.pages.count; i++)
			assert_ptr_equal(ledger_find(&ledger, 1, ledger.pages.at[i].address),
					 &ledger.pages.at[i]);
	}
	ledger_raise(&ledger, 1);
	assert_int_equal(ledger.shift, 5);
	ledger_fini(&ledger);
}

static void a_full_one_takes_a_smaller_part(void **state)
{
	struct ledger ledger;
	struct ledger_page large = page_at(1 << 20, 3);

	(void)state;
	ledger_init(&ledger, SALT, 1000);
	for (uint32_t i = 0; i < 20000; i++) {
		struct ledger_page page = page_at(i, 0);

		assert_ok(ledger_add(&ledger, &page));
		assert_true(ledger.pages.count <= 1000);
	}
	assert_true(ledger.shift >= 4 && ledger.shift <= 6);
	/* What was not chosen by its hash stays, and stands for itself. */
	large.by_hash = false;
	large.bytes = large.held = large.span = 2 << 20;
	assert_ok(ledger_add(&ledger, &large));
	ledger_raise(&ledger, 12);
	assert_int_equal(all_held(&ledger, 3), 2 << 20);
	assert_int_equal(ledger.refused, 0);
	ledger_fini(&ledger);
}

static void when_nothing_can_give_way_it_is_counted(void **state)
{
	struct ledger ledger;

	(void)state;
	ledger_init(&ledger, SALT, 10);
	for (uint32_t i = 0; i < 15; i++) {
		struct ledger_page page = page_at(i, 0);

		page.by_hash = false;
		assert_ok(ledger_add(&ledger, &page));
	}
	assert_int_equal(ledger.pages.count, 10);
	assert_int_equal(ledger.refused, 5);
	ledger_fini(&ledger);
}

static void moved_memory_keeps_its_stacks(void **state)
{
	struct ledger ledger;

	(void)state;
	ledger_init(&ledger, SALT, 1000);
	for (uint32_t i = 0; i < 100; i++) {
		struct ledger_page page = page_at(i, i);

		assert_ok(ledger_add(&ledger, &page));
	}
	/* 20..39 to 30..49, which lay there before; the one at 25 has come after that. */
	ledger_find(&ledger, 1, BASE + 25 * 4096)->time_ns = 1000;
	assert_ok(ledger_move(&ledger, 1, BASE + 20 * 4096, 20 * 4096, BASE + 30 * 4096, 500));
	assert_null(ledger_find(&ledger, 1, BASE + 20 * 4096));
	assert_int_equal(ledger_find(&ledger, 1, BASE + 25 * 4096)->stack, 25);
	assert_int_equal(ledger_find(&ledger, 1, BASE + 30 * 4096)->stack, 20);
	assert_int_equal(ledger_find(&ledger, 1, BASE + 49 * 4096)->stack, 39);
	assert_int_equal(ledger_find(&ledger, 1, BASE + 50 * 4096)->stack, 50);
	/* It is in the sample by the address at which it was chosen. */
	assert_int_equal(ledger_find(&ledger, 1, BASE + 49 * 4096)->hashed,
			 page_key(BASE + 39 * 4096, PID));
	/* Another process's stay. */
	assert_ok(ledger_move(&ledger, 2, BASE, 100 * 4096, 0x1000, 5000));
	assert_int_equal(ledger_find(&ledger, 1, BASE)->stack, 0);
	ledger_fini(&ledger);
}

/* At whatever stride: allocators put their chunks at powers of two. */
static void every_stride_has_its_part(void **state)
{
	(void)state;
	for (unsigned stride = 0; stride < 16; stride++) {
		uint32_t in = 0;

		for (uint64_t i = 0; i < 100000; i++)
			in += page_in_sample(page_key(BASE + (i << (12 + stride)), PID), SALT, 6);
		assert_in_range(in, 1450, 1680);
	}
}

/* One program started again and again, each time with the same few addresses. */
static void every_process_has_its_part(void **state)
{
	(void)state;
	for (unsigned pages = 1; pages <= 64; pages *= 4) {
		for (uint32_t step = 1; step <= 5; step++) {
			uint32_t in = 0;

			for (uint32_t i = 0; i < 64000 / pages; i++)
				for (uint64_t page = 0; page < pages; page++)
					in += page_in_sample(
						page_key(BASE + page * 4096, 1000 + i * step), SALT,
						6);
			assert_in_range(in, 980, 1020);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_one_at_a_place_counts),
		cmocka_unit_test(a_smaller_sample_tells_the_same),
		cmocka_unit_test(a_full_one_takes_a_smaller_part),
		cmocka_unit_test(when_nothing_can_give_way_it_is_counted),
		cmocka_unit_test(moved_memory_keeps_its_stacks),
		cmocka_unit_test(every_stride_has_its_part),
		cmocka_unit_test(every_process_has_its_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
