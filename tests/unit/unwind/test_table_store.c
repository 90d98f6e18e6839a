// SPDX-License-Identifier: Apache-2.0
/* Places for tables, without a kernel half: what was put in is found, and room is made in time. */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "unwind/table_store.h"

#define SECOND 1000000000ULL
#define SOON (TABLE_STORE_SOON_MS * 1000000ULL)
#define QUARANTINE 200000000ULL /* what table_store.c waits before it uses a place again */
#define START (1000 * SECOND)

static const struct table_store_maps no_kernel = { -1, -1, -1, -1, -1, -1, 0, 0 };

static struct table_store *new_store(uint64_t budget_bytes)
{
	struct table_store *store;

	assert_ok(table_store_new(&store, &no_kernel, budget_bytes));
	return store;
}

/* `count` rows, 16 bytes apart, whose CFA offsets count up from `first_offset`. */
static void make_rows(struct cfi_table *rows, uint64_t address, uint32_t count,
		      int32_t first_offset)
{
	*rows = (struct cfi_table){};
	for (uint32_t i = 0; i <= count; i++) {
		struct cfi_row *row = array_push(&rows->rows);

		assert_non_null(row);
		row->address = address + 16ULL * i;
		/* Neighbours differ by 3 words: no run of pushes. */
		if (i < count)
			row->rule = (struct wire_rule){
				.cfa_words = first_offset / 8 + (int32_t)(i % 64) * 3,
				.kind_and_step = RULE_SP,
			};
	}
}

static int add(struct table_store *store, uint32_t *ret, uint64_t address, uint32_t count,
	       int32_t first_offset, uint64_t now_ns)
{
	struct unwind_table table;
	struct cfi_table rows;
	int r;

	make_rows(&rows, address, count, first_offset);
	assert_ok(unwind_table_build(&table, &rows));
	r = table_store_add(store, ret, &table, now_ns);
	unwind_table_fini(&table);
	cfi_table_fini(&rows);
	return r;
}

/* The CFA offset that the table has for an address, or -1 where it has none. */
static int32_t offset_at(const struct table_store *store, uint32_t table, uint64_t address)
{
	uint64_t found = table_store_find_rule(store, table, address);
	const struct wire_rule *rule;

	assert_true(found != WALK_FIND_NO_TABLE);
	if (found == WALK_FIND_NO_ROW)
		return -1;
	rule = table_store_rule(store, (uint32_t)(found >> 16));
	assert_non_null(rule);
	return rule->kind_and_step == RULE_NONE ? -1 : 8 * rule->cfa_words;
}

static void what_is_added_is_found(void **state)
{
	struct table_store *store = new_store(8 << 20);
	struct table_store_figures figures;
	uint32_t small, large;

	(void)state;
	assert_ok(add(store, &small, 0x1230, 3, 8, START));
	assert_ok(add(store, &large, 0x7ff000, 20000, 1000, START)); /* six pages */
	assert_ok(table_store_publish(store));
	assert_int_not_equal(small, 0);
	assert_int_not_equal(small, large);
	assert_int_equal(offset_at(store, small, 0x122f), -1);
	assert_int_equal(offset_at(store, small, 0x1230), 8);
	assert_int_equal(offset_at(store, small, 0x123f), 8);
	assert_int_equal(offset_at(store, small, 0x1240), 32);
	assert_int_equal(offset_at(store, small, 0x125f), 56);
	assert_int_equal(offset_at(store, small, 0x1260), -1);
	assert_int_equal(offset_at(store, small, 0xffffffffffffffff), -1);
	assert_int_equal(offset_at(store, small, 0), -1);
	for (uint32_t i = 0; i < 20000; i++)
		assert_int_equal(offset_at(store, large, 0x7ff000 + 16 * i + i % 16),
				 1000 + i % 64 * 24);
	assert_int_equal(offset_at(store, large, 0x7ff000 + 16 * 20000), -1);
	assert_int_equal(offset_at(store, large, 0x7fefff), -1);
	table_store_figures(store, &figures);
	assert_int_equal(figures.tables, 2);
	assert_int_equal(figures.chunk_bytes, WIRE_CHUNK_BYTES);
	assert_true(figures.used_bytes >= 4 * 20003 && figures.used_bytes <= figures.chunk_bytes);
	table_store_free(store);
}

static void ids_that_are_not_there(void **state)
{
	struct table_store *store = new_store(1 << 20);
	uint32_t id;

	(void)state;
	assert_false(table_store_has(store, 0));
	assert_false(table_store_has(store, 1));
	assert_ok(add(store, &id, 0, 1, 8, START));
	assert_true(table_store_has(store, id));
	assert_int_equal(table_store_find_rule(store, 0, 0), WALK_FIND_NO_TABLE);
	assert_int_equal(table_store_find_rule(store, id + 1, 0), WALK_FIND_NO_TABLE);
	assert_int_equal(table_store_find_rule(store, UINT32_MAX, 0), WALK_FIND_NO_TABLE);
	assert_null(table_store_rule(store, UINT32_MAX));
	assert_int_equal(table_store_rule(store, 0)->kind_and_step, RULE_NONE);
	table_store_free(store);
}

static void an_empty_table_is_refused(void **state)
{
	struct table_store *store = new_store(1 << 20);
	struct unwind_table table = {};
	uint32_t id = 77;

	(void)state;
	assert_errno(table_store_add(store, &id, &table, START), EINVAL);
	assert_int_equal(id, 77);
	table_store_free(store);
}

/* Two rows at each end of 200 pages: the directory is larger than the two blocks. */
static int add_sparse(struct table_store *store, uint32_t *ret, uint64_t now_ns)
{
	const struct wire_rule rule = { .cfa_words = 2, .kind_and_step = RULE_SP };
	const struct cfi_row ends[] = { { 0x10000, rule },
					{ 0x10100, {} },
					{ 0x10000 + (199 << WIRE_PAGE_SHIFT), rule },
					{ 0x10100 + (199 << WIRE_PAGE_SHIFT), {} } };
	struct unwind_table table;
	struct cfi_table rows = {};
	int r;

	for (uint32_t i = 0; i < ARRAY_SIZE(ends); i++)
		*array_push(&rows.rows) = ends[i];
	assert_ok(unwind_table_build(&table, &rows));
	assert_int_equal(table.block_offset.count, 200);
	r = table_store_add(store, ret, &table, now_ns);
	unwind_table_fini(&table);
	cfi_table_fini(&rows);
	return r;
}

/* A table whose rules, `count` of them from CFA offset `first` words on, nobody else has. */
static int add_of(struct table_store *store, uint32_t *ret, uint64_t origin, uint32_t count,
		  uint32_t first, uint64_t now_ns)
{
	struct unwind_table table;
	struct cfi_table rows = {};
	int r;

	for (uint32_t i = 0; i < count; i++)
		*array_push(&rows.rows) = (struct cfi_row){ 0x10000 + 20ULL * i,
							    { .cfa_words = (int32_t)(first + 2 * i),
							      .kind_and_step = RULE_SP } };
	*array_push(&rows.rows) = (struct cfi_row){ 0x10000 + 20ULL * count, {} };
	assert_ok(unwind_table_build(&table, &rows));
	assert_int_equal(table.rules.count, count + 1);
	table.origin = origin;
	r = table_store_add(store, ret, &table, now_ns);
	unwind_table_fini(&table);
	cfi_table_fini(&rows);
	return r;
}

static int add_greedy(struct table_store *store, uint32_t *ret, uint32_t count, uint32_t first,
		      uint64_t now_ns)
{
	return add_of(store, ret, 0, count, first, now_ns);
}

/* Files made to use up the rules give way to an honest one, and honest ones never to them. */
static void the_dictionary_cannot_be_filled(void **state)
{
	cleanup(table_store_free) struct table_store *store = NULL;
	struct table_store_figures figures;
	uint32_t honest, greedy, late, count = RULES_PER_TABLE;
	uint64_t now = 1;
	int r;

	(void)state;
	assert_ok(table_store_new(&store, &no_kernel, 16 << 20));
	assert_ok(add(store, &honest, 0x400000, 40, 8, now));
	assert_ok(table_store_publish(store));
	for (uint32_t i = 0; i < 20; i++) {
		do {
			r = add_greedy(store, &greedy, count, 1000 + i * 2 * count, now);
			now += SOON;
		} while (r == TABLE_STORE_SOON);
		assert_ok(r);
		assert_ok(table_store_publish(store));
	}
	table_store_figures(store, &figures);
	assert_true(figures.rules > WIRE_MAX_RULES - 2 && figures.rules_refused > 0);
	assert_int_equal(figures.evictions, 0); /* no one of them is greedier than another */
	assert_int_equal(offset_at(store, honest, 0x400000), 8);
	do {
		r = add_greedy(store, &late, 60, 1 << 22, now);
		now += SOON;
	} while (r == TABLE_STORE_SOON);
	assert_ok(r);
	table_store_figures(store, &figures);
	assert_int_equal(figures.evictions, 1);
	for (uint32_t i = 0; i < 60; i++)
		assert_int_equal(offset_at(store, late, 0x10000 + 20 * i),
				 8 * ((1 << 22) + 2 * (int)i));
	assert_true(table_store_has(store, honest));
	assert_int_equal(offset_at(store, honest, 0x400000 + 16), 32);
}

/* Also before anybody could be shown the tables: all of a process's files come at once. */
static void the_unseen_give_way_at_once(void **state)
{
	cleanup(table_store_free) struct table_store *store = NULL;
	uint32_t ids[9], late, count = RULES_PER_TABLE, kept = 0;

	(void)state;
	assert_ok(table_store_new(&store, &no_kernel, 16 << 20));
	for (uint32_t i = 0; i < ARRAY_SIZE(ids); i++)
		assert_ok(add_greedy(store, &ids[i], count, 1000 + i * 2 * count, START));
	assert_true(table_store_rules_refused(store) > 0);
	assert_ok(add_greedy(store, &late, 60, 1 << 22, START));
	for (uint32_t i = 0; i < 60; i++)
		assert_int_equal(offset_at(store, late, 0x10000 + 20 * i),
				 8 * ((1 << 22) + 2 * (int)i));
	for (uint32_t i = 0; i < ARRAY_SIZE(ids); i++)
		kept += table_store_has(store, ids[i]);
	assert_int_equal(kept, ARRAY_SIZE(ids) - 1);
	assert_ok(table_store_publish(store));
}

/* Many small files, each of them twice: none of them is greedy, but their maker is. */
static void an_origin_gives_way_as_a_whole(void **state)
{
	enum { MAKER = 7, OTHER = 8, FILES = 300, RULES = 240 };
	cleanup(table_store_free) struct table_store *store = NULL;
	uint32_t id, late, again, count = 2000;
	struct table_store_figures figures;
	uint64_t now = START;

	(void)state;
	assert_ok(table_store_new(&store, &no_kernel, 16 << 20));
	for (uint32_t i = 0; i < 2 * FILES; i++)
		assert_ok(add_of(store, &id, MAKER, RULES, 1000 + i / 2 * 2 * RULES, now));
	assert_ok(table_store_publish(store));
	assert_true(table_store_rules_refused(store) > 0);
	assert_int_equal(add_of(store, &late, OTHER, count, 1 << 21, now), TABLE_STORE_SOON);
	now += SOON;
	assert_ok(add_of(store, &late, OTHER, count, 1 << 21, now));
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(offset_at(store, late, 0x10000 + 20 * i), 8 * ((1 << 21) + 2 * (int)i));
	table_store_figures(store, &figures);
	assert_true(figures.evictions >= 2 * count / RULES && figures.evictions < FILES / 4);
	/* Whoever had to go does not push others away when it comes again. */
	assert_ok(table_store_publish(store));
	now += QUARANTINE;
	assert_ok(add_of(store, &again, MAKER, RULES_PER_TABLE, 1 << 22, now));
	assert_true(table_store_has(store, late));
	table_store_figures(store, &figures);
	assert_true(figures.evictions < FILES / 4);
}

/*
 * Place 0 stands for "no rows": a block that lay there would not be found. The first table ever
 * begins the first chunk; once it is gone, its room is taken by a block without its directory.
 */
static void place_zero_is_never_handed_out(void **state)
{
	struct table_store *store = new_store(WIRE_CHUNK_BYTES);
	uint32_t ids[1024], count = 0, late;

	(void)state;
	while (add(store, &ids[count], 0x10000, 2, 16, START) == 0) {
		assert_int_equal(offset_at(store, ids[count], 0x10000), 16);
		assert_true(++count < ARRAY_SIZE(ids));
	}
	/* 4 bytes of directory, 2 rows and what says that nothing follows. */
	assert_int_equal(count, (WIRE_CHUNK_BYTES - 4) / (4 + WIRE_BLOCK_HEADER_BYTES + 4 * 3));
	assert_ok(table_store_publish(store));
	for (uint32_t i = 1; i < count - 4; i++)
		table_store_touch(store, ids[i], START + 1);
	assert_errno(add_sparse(store, &late, START + 2), EAGAIN);
	assert_false(table_store_has(store, ids[0]));
	assert_true(table_store_has(store, ids[1]));
	assert_false(table_store_has(store, ids[count - 2]));
	assert_ok(add_sparse(store, &late, START + 2 + QUARANTINE));
	assert_int_equal(offset_at(store, late, 0x10000), 16);
	assert_int_equal(offset_at(store, late, 0x10000 + (199 << WIRE_PAGE_SHIFT)), 16);
	assert_int_equal(offset_at(store, late, 0x10000 + (100 << WIRE_PAGE_SHIFT)), -1);
	table_store_free(store);
}

/* With ever new files there are more tables in time than ids. */
static void ids_are_used_again_in_time(void **state)
{
	struct table_store *store = new_store(64 << 20);
	uint64_t first_serial;
	uint32_t first = 0, id = 0, again = 0;
	int r = 0;

	(void)state;
	for (uint32_t count = 1; r == 0; count++) {
		r = add(store, &id, 0x10000, 2, 16, START + count);
		if (count == 1) {
			first = id;
			first_serial = table_store_serial(store, first);
			assert_true(first_serial > 0);
		}
		assert_true(count <= WIRE_MAX_TABLES);
	}
	/* Nothing was published: nobody can be sent away. */
	assert_errno(r, ENOSPC);
	assert_ok(table_store_publish(store));
	assert_errno(add(store, &again, 0x10000, 2, 16, 2 * START), EAGAIN);
	assert_int_equal(table_store_serial(store, first), 0);
	/* A walk may be under way by the tables that had to go. */
	assert_errno(add(store, &again, 0x10000, 2, 16, 2 * START + QUARANTINE - 1), EAGAIN);
	assert_ok(add(store, &again, 0x10000, 2, 16, 2 * START + QUARANTINE));
	assert_int_equal(again, first);
	assert_true(table_store_has(store, first));
	assert_true(table_store_serial(store, first) != first_serial);
	table_store_free(store);
}

static void more_than_the_budget_is_refused(void **state)
{
	struct table_store *store = new_store(WIRE_CHUNK_BYTES);
	struct table_store_figures figures;
	uint32_t small, id = 0;

	(void)state;
	assert_ok(add(store, &small, 0, 10, 8, START));
	assert_ok(table_store_publish(store));
	assert_errno(add(store, &id, 0x100000, 200000, 8, START), ENOSPC);
	/* Nobody had to go for what can never come. */
	assert_true(table_store_has(store, small));
	table_store_figures(store, &figures);
	assert_int_equal(figures.evictions, 0);
	assert_int_equal(figures.chunk_bytes, WIRE_CHUNK_BYTES);
	table_store_free(store);
}

static void room_is_made_after_a_quarantine(void **state)
{
	struct table_store *store = new_store(WIRE_CHUNK_BYTES);
	struct table_store_figures figures;
	uint32_t tables[4], late = 0;
	uint64_t now = START;

	(void)state;
	/* Four times 28000 rows: 112 KiB and some. The fifth does not fit. */
	for (uint32_t i = 0; i < 4; i++)
		assert_ok(add(store, &tables[i], 0x1000000, 28000, (int32_t)i * 8 + 8, now + i));
	assert_ok(table_store_publish(store));
	table_store_touch(store, tables[0], now + 10);
	assert_errno(add(store, &late, 0x1000000, 28000, 512, now + 20), EAGAIN);
	/* The coldest is gone at once, the one that was touched is not. */
	assert_true(table_store_has(store, tables[0]));
	assert_false(table_store_has(store, tables[1]));
	assert_true(table_store_has(store, tables[2]));
	assert_int_equal(table_store_find_rule(store, tables[1], 0x1000000), WALK_FIND_NO_TABLE);
	/* Its place is not used while a walk might still be in it, and nobody else has to go. */
	assert_errno(add(store, &late, 0x1000000, 28000, 512, now + 20 + QUARANTINE - 1), EAGAIN);
	table_store_figures(store, &figures);
	assert_int_equal(figures.evictions, 1);
	assert_int_equal(figures.tables, 3);
	assert_ok(add(store, &late, 0x1000000, 28000, 512, now + 20 + QUARANTINE));
	assert_int_equal(offset_at(store, late, 0x1000000), 512);
	assert_int_equal(offset_at(store, tables[0], 0x1000000), 8);
	assert_int_equal(offset_at(store, tables[2], 0x1000000), 24);
	table_store_free(store);
}

static void a_large_table_takes_the_place_of_several(void **state)
{
	struct table_store *store = new_store(WIRE_CHUNK_BYTES);
	uint32_t tables[4], late = 0;
	struct table_store_figures figures;

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		assert_ok(add(store, &tables[i], 0x1000000, 28000, 8, START + i));
	assert_ok(table_store_publish(store));
	/* One quarantine is enough for all of it. */
	assert_errno(add(store, &late, 0x1000000, 60000, 512, START + 20), EAGAIN);
	assert_ok(add(store, &late, 0x1000000, 60000, 512, START + 20 + QUARANTINE));
	table_store_figures(store, &figures);
	assert_int_equal(figures.evictions, 3);
	assert_true(table_store_has(store, tables[3]));
	table_store_free(store);
}

/* What was not shown to the kernel half yet is wanted: only what is in use may have to go. */
static void unpublished_tables_stay(void **state)
{
	struct table_store *store = new_store(WIRE_CHUNK_BYTES);
	uint32_t tables[4], late;

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		assert_ok(add(store, &tables[i], 0x1000000, 28000, 8, START + i));
	assert_errno(add(store, &late, 0x1000000, 28000, 8, START + 10), ENOSPC);
	for (uint32_t i = 0; i < 4; i++)
		assert_true(table_store_has(store, tables[i]));
	table_store_free(store);
}

/* Failing adds and evictions by the thousand neither leak places nor ids. */
static void it_goes_on_for_ever(void **state)
{
	struct table_store *store = new_store(WIRE_CHUNK_BYTES);
	struct table_store_figures figures;
	uint32_t added = 0;

	(void)state;
	for (uint32_t i = 0; i < 9000; i++) {
		uint32_t id = 0;
		int r = add(store, &id, 0x10000, 4000, (int32_t)(i % 7) * 8 + 8,
			    START + i * (QUARANTINE / 4));

		if (r == 0) {
			assert_int_equal(offset_at(store, id, 0x10000), i % 7 * 8 + 8);
			added++;
		} else {
			assert_errno(r, EAGAIN);
		}
		assert_ok(table_store_publish(store));
	}
	assert_true(added > 1500);
	table_store_figures(store, &figures);
	assert_true(figures.used_bytes <= WIRE_CHUNK_BYTES);
	assert_true(figures.evictions > 1500);
	assert_true(figures.tables > 20);
	table_store_free(store);
}

static void processes_need_a_kernel_half(void **state)
{
	struct table_store *store = new_store(1 << 20);
	const struct wire_mapping mapping = { .start = 1, .end = 2 };

	(void)state;
	assert_ok(table_store_set_process(store, 1, &mapping, 1, 1, 0, START));
	table_store_drop_process(store, 1, START);
	table_store_free(store);
	table_store_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_added_is_found),
		cmocka_unit_test(ids_that_are_not_there),
		cmocka_unit_test(an_empty_table_is_refused),
		cmocka_unit_test(place_zero_is_never_handed_out),
		cmocka_unit_test(ids_are_used_again_in_time),
		cmocka_unit_test(more_than_the_budget_is_refused),
		cmocka_unit_test(room_is_made_after_a_quarantine),
		cmocka_unit_test(a_large_table_takes_the_place_of_several),
		cmocka_unit_test(unpublished_tables_stay),
		cmocka_unit_test(it_goes_on_for_ever),
		cmocka_unit_test(the_dictionary_cannot_be_filled),
		cmocka_unit_test(the_unseen_give_way_at_once),
		cmocka_unit_test(an_origin_gives_way_as_a_whole),
		cmocka_unit_test(processes_need_a_kernel_half),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
