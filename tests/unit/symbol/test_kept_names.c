// SPDX-License-Identifier: Apache-2.0
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "symbol/kept_names.h"

static struct strtab texts;

static int set_up(void **state)
{
	(void)state;
	return strtab_init(&texts);
}

static int tear_down(void **state)
{
	(void)state;
	strtab_fini(&texts);
	return 0;
}

static uint32_t text(const char *string)
{
	uint32_t id;

	assert_ok(strtab_add_str(&texts, &id, string));
	return id;
}

/* inner:line, inlined into outer */
static struct source_frames two_frames(uint32_t line)
{
	return (struct source_frames){
		.at = { { text("inner"), text("inner.h"), line, 3 },
			{ text("outer"), text("outer.c"), 20, 10 } },
		.count = 2,
	};
}

static void add(struct kept_names *kept, uint64_t start, uint64_t end, uint32_t line)
{
	const struct source_frames frames = two_frames(line);

	assert_ok(kept_names_add(kept, start, end, &frames, 7, 0x1234));
}

/* As another recording reads it, beside texts of its own. */
static int read_back(struct kept_names *ret, struct strtab *others, const void *data, size_t size)
{
	int fd = memfd_create("kept", MFD_CLOEXEC), r;

	assert_true(fd >= 0);
	assert_ok(fs_write_all(fd, "head", 4));
	assert_ok(fs_write_all(fd, data, size));
	r = kept_names_read(ret, fd, 4, others);
	close(fd);
	return r;
}

static uint32_t line_at(const struct kept_names *kept, uint64_t address)
{
	const struct kept_node *root;
	struct source_frames frames;

	return kept_names_find(kept, address, &frames, &root) == 0 ? frames.at[0].line : 0;
}

static void finds_what_was_kept(void **state)
{
	struct kept_names kept = { .texts = &texts }, again;
	struct bytes data = {};
	struct strtab others;
	const struct kept_node *root;
	struct source_frames frames;
	uint32_t id;

	(void)state;
	assert_ok(strtab_init(&others));
	assert_ok(strtab_add_str(&others, &id, "something else"));
	assert_ok(strtab_add_str(&others, &id, "outer"));
	add(&kept, 0x2000, 0x2010, 6);
	add(&kept, 0x1000, 0x1010, 5);
	kept_names_settle(&kept);
	assert_ok(kept_names_write(&kept, &data));
	assert_ok(read_back(&again, &others, data.at, data.size));
	assert_ok(kept_names_find(&again, 0x100f, &frames, &root));
	assert_int_equal(frames.count, 2);
	assert_string_equal(strtab_get(&others, frames.at[0].name), "inner");
	assert_string_equal(strtab_get(&others, frames.at[0].file), "inner.h");
	assert_int_equal(frames.at[0].line, 5);
	assert_int_equal(frames.at[0].start_line, 3);
	assert_string_equal(strtab_get(&others, frames.at[1].name), "outer");
	assert_int_equal(frames.at[1].line, 20);
	assert_int_equal(root->kind, 7);
	assert_int_equal(root->start, 0x1234);
	assert_int_equal(line_at(&again, 0x2000), 6);
	assert_int_equal(line_at(&again, 0xfff), 0);
	assert_int_equal(line_at(&again, 0x1010), 0);
	assert_int_equal(line_at(&again, 0x2010), 0);
	/* The outer function is there once. */
	assert_int_equal(again.nodes.count, 3);
	kept_names_fini(&again);
	kept_names_fini(&kept);
	bytes_fini(&data);
	strtab_fini(&others);
}

static void adds_to_what_was_kept(void **state)
{
	struct kept_names kept = { .texts = &texts }, again;
	struct bytes data = {};

	(void)state;
	add(&kept, 0x1000, 0x1010, 5);
	kept_names_settle(&kept);
	assert_ok(kept_names_write(&kept, &data));
	assert_ok(read_back(&again, &texts, data.at, data.size));
	add(&again, 0x1020, 0x1030, 5);
	kept_names_settle(&again);
	assert_int_equal(again.nodes.count, 2);
	assert_int_equal(line_at(&again, 0x1000), 5);
	assert_int_equal(line_at(&again, 0x1020), 5);
	kept_names_fini(&again);
	kept_names_fini(&kept);
	bytes_fini(&data);
}

static void settles_overlaps(void **state)
{
	struct kept_names kept = { .texts = &texts };

	(void)state;
	add(&kept, 0x1000, 0x1010, 5);
	add(&kept, 0x1004, 0x1008, 6); /* inside */
	add(&kept, 0x100c, 0x1020, 7); /* beyond */
	kept_names_settle(&kept);
	assert_int_equal(kept.extents.count, 2);
	assert_int_equal(line_at(&kept, 0x1004), 5);
	assert_int_equal(line_at(&kept, 0x100f), 5);
	assert_int_equal(line_at(&kept, 0x1010), 7);
	kept_names_fini(&kept);
}

static void stays_below_its_limit(void **state)
{
	struct kept_names kept = { .texts = &texts };
	const struct source_frames frames = two_frames(1);
	struct bytes data = {};
	int r = 0;

	(void)state;
	assert_false(kept_names_is_large(&kept));
	for (uint64_t at = 0; at < 1 << 22 && r == 0; at++)
		r = kept_names_add(&kept, 2 * at, 2 * at + 1, &frames, 0, 0);
	assert_errno(r, EFBIG);
	assert_errno(kept_names_add(&kept, 0, 1ULL << 32, &frames, 0, 0), EFBIG);
	kept_names_settle(&kept);
	assert_ok(kept_names_write(&kept, &data));
	assert_true(data.size <= KEPT_BYTES_MAX);
	/* Before there is no room at all: else nothing new would ever be kept. */
	assert_true(kept_names_is_large(&kept));
	kept.extents.count -= kept.extents.count / 8;
	assert_true(kept_names_is_large(&kept));
	kept.extents.count /= 2;
	assert_false(kept_names_is_large(&kept));
	kept.bytes = KEPT_BYTES_MAX / 8 * 7;
	assert_true(kept_names_is_large(&kept));
	kept_names_fini(&kept);
	bytes_fini(&data);
}

/* Every byte of a small file, turned over: it is refused, or it tells something, and that is all. */
static void refuses_nonsense(void **state)
{
	struct kept_names kept = { .texts = &texts }, again;
	struct bytes data = {};
	unsigned refused = 0;

	(void)state;
	add(&kept, 0x1000, 0x1010, 5);
	add(&kept, 0x1010, 0x1020, 6);
	kept_names_settle(&kept);
	assert_ok(kept_names_write(&kept, &data));
	for (size_t i = 0; i < data.size; i++) {
		int r;

		data.at[i] = (char)~data.at[i];
		r = read_back(&again, &texts, data.at, data.size);
		assert_true(r == 0 || r == -EBADMSG);
		assert_true(r == 0 || again.extents.count == 0);
		(void)line_at(&again, 0x1010);
		refused += r != 0;
		kept_names_fini(&again);
		data.at[i] = (char)~data.at[i];
	}
	assert_true(refused > 30);
	for (size_t size = 0; size < data.size; size++)
		assert_errno(read_back(&again, &texts, data.at, size), EBADMSG);
	kept_names_fini(&kept);
	bytes_fini(&data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_what_was_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(adds_to_what_was_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(settles_overlaps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stays_below_its_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_nonsense, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
