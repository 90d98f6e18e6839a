// SPDX-License-Identifier: Apache-2.0
/* Unwind tables that are kept: what comes out of a file is what was compiled, or is compiled anew. */
#include "test.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/hash.h"
#include "direct.h"
#include "worker/kept_table.h"

static char folder[64];
static struct symbol_cache *cache;

static int set_up(void **state)
{
	(void)state;
	cache = &direct_workers()->symbol_cache;
	strcpy(folder, "/tmp/profd-test-XXXXXX");
	return mkdtemp(folder) ? symbol_cache_open(cache, folder) : -1;
}

static int tear_down(void **state)
{
	char command[80];

	(void)state;
	symbol_cache_close(cache);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

/* The C library, whose table is large enough. */
static struct object *library(void)
{
	Dl_info info;
	int fd;

	assert_true(dladdr((void *)(uintptr_t)getpid, &info));
	fd = open(info.dli_fname, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return direct_object(fd, -1, info.dli_fname);
}

static void ask(struct unwind_table *ret, struct object *object)
{
	struct table_figures figures;

	assert_ok(ask_table(direct_workers(), ret, &figures, object));
}

static void assert_same(const struct unwind_table *a, const struct unwind_table *b)
{
	assert_int_equal(a->first_page, b->first_page);
	assert_int_equal(a->row_count, b->row_count);
	assert_int_equal(a->blocks.count, b->blocks.count);
	assert_int_equal(a->rules.count, b->rules.count);
	assert_int_equal(a->block_offset.count, b->block_offset.count);
	assert_memory_equal(a->blocks.at, b->blocks.at, a->blocks.count);
	assert_memory_equal(a->rules.at, b->rules.at, a->rules.count * sizeof(*a->rules.at));
	assert_memory_equal(a->block_offset.at, b->block_offset.at,
			    a->block_offset.count * sizeof(*a->block_offset.at));
	assert_memory_equal(a->block_size.at, b->block_size.at,
			    a->block_size.count * sizeof(*a->block_size.at));
}

static int open_kept(struct object *object)
{
	cleanup(free) struct symbol_cache_key *key =
		symbol_cache_key_new(cache, object, SYMBOL_CACHE_TABLE, NULL, 0);
	cleanup(close) int fd = symbol_cache_find(cache, key);
	char path[32];

	cache->used[SYMBOL_CACHE_TABLE]--;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDWR | O_CLOEXEC);
}

static void is_kept_and_used(void **state)
{
	struct unwind_table first, second;
	struct object *object = library();

	(void)state;
	ask(&first, object);
	assert_int_equal(cache->written, 1);
	assert_int_equal(cache->used[SYMBOL_CACHE_TABLE], 0);
	ask(&second, object);
	assert_int_equal(cache->written, 1);
	assert_int_equal(cache->used[SYMBOL_CACHE_TABLE], 1);
	assert_same(&first, &second);
	unwind_table_fini(&first);
	unwind_table_fini(&second);
	object_unref(object);
}

static void is_made_anew(struct object *object, const struct unwind_table *good)
{
	struct unwind_table table;
	uint32_t written = cache->written;

	ask(&table, object);
	assert_same(good, &table);
	assert_int_equal(cache->written, written + 1);
	unwind_table_fini(&table);
	ask(&table, object);
	assert_same(good, &table);
	assert_int_equal(cache->written, written + 1);
	unwind_table_fini(&table);
	assert_false(object->given_up);
	assert_int_equal(direct_workers()->given_up, 0);
}

/* Flips one byte in the file; with_sum: and makes the checksum right. */
static void spoil(struct object *object, uint64_t at, bool with_sum)
{
	cleanup(close) int fd = open_kept(object);
	off_t size = lseek(fd, 0, SEEK_END) - SYMBOL_CACHE_HEAD_BYTES;
	cleanup(free) unsigned char *bytes = malloc((size_t)size);
	uint64_t sum;

	assert_true(fd >= 0 && bytes);
	assert_ok(fs_read_at(fd, bytes, (size_t)size, SYMBOL_CACHE_HEAD_BYTES));
	bytes[at < (uint64_t)size ? at : (uint64_t)size - 1] ^= 0x40;
	sum = hash_bytes(bytes + sizeof(sum), (size_t)size - sizeof(sum));
	if (with_sum)
		memcpy(bytes, &sum, sizeof(sum));
	assert_int_equal(pwrite(fd, bytes, (size_t)size, SYMBOL_CACHE_HEAD_BYTES), size);
}

static void damage_is_found(void **state)
{
	/* The sum, the head, a rule; the last row. */
	static const uint64_t places[] = { 0, 16, 80, UINT64_MAX };
	struct unwind_table good;
	struct object *object = library();

	(void)state;
	ask(&good, object);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		spoil(object, places[i], false);
		is_made_anew(object, &good);
	}
	/* Somebody who knows how to sum: how many pages there are, the number of the last row's rule. */
	spoil(object, sizeof(uint64_t) + offsetof(struct wire_table_head, page_count), true);
	is_made_anew(object, &good);
	spoil(object, UINT64_MAX, true);
	is_made_anew(object, &good);
	unwind_table_fini(&good);
	object_unref(object);
}

/* Nothing is kept of what a file system may make up, nor of what has changed meanwhile. */
static void is_not_kept(void **state)
{
	struct unwind_table table;
	struct object *object = library();

	(void)state;
	object->honest = false;
	ask(&table, object);
	unwind_table_fini(&table);
	assert_int_equal(cache->written, 0);
	object->honest = true;
	object->identity.mtime_ns++;
	ask(&table, object);
	unwind_table_fini(&table);
	assert_int_equal(cache->written, 0);
	object_unref(object);
}

static void nonsense_is_refused(void **state)
{
	cleanup(bytes_fini) struct bytes written = {}, read = {};
	const struct wire_table_head none = { .no_rows = 1 };
	int fd = memfd_create("kept", MFD_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_errno(kept_table_read(&read, fd, 0), EBADMSG);
	assert_errno(kept_table_read(&read, fd, 1), EBADMSG);
	assert_ok(kept_table_write(&written, (const void *)&none, sizeof(none)));
	assert_ok(fs_write_all(fd, written.at, written.size));
	assert_errno(kept_table_read(&read, fd, 0), EBADMSG);
	assert_int_equal(read.size, 0);
	close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(is_kept_and_used),
		TEST(damage_is_found),
		TEST(is_not_kept),
		TEST(nonsense_is_refused),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
