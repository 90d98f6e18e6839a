// SPDX-License-Identifier: Apache-2.0
#include "source/heap_region.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "preload/ring.h"

#define SECOND 1000000000ULL

static struct heap_header *memory; /* the process's view of it */

static int new_memory(off_t size, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void new_region(struct heap_region *ret)
{
	int fd = new_memory(HEAP_REGION_BYTES, F_SEAL_SHRINK | F_SEAL_GROW);

	memory = mmap(NULL, HEAP_REGION_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	memory->magic = HEAP_MAGIC;
	memory->version = HEAP_VERSION;
	memory->nonce = 77;
	memory->first_id = 1;
	memory->pid = 5;
	assert_int_equal(heap_region_open(ret, fd, 4242), 0);
}

static void end_region(struct heap_region *region)
{
	heap_region_close(region);
	munmap(memory, HEAP_REGION_BYTES);
}

/* Writes one as the library does. Returns whether there was room. */
static bool write_record(uint64_t id, uint32_t stack_bytes, bool ready)
{
	uint32_t stack = stack_bytes;
	struct ring_claim claim;
	struct heap_record *record;

	if (!ring_claim(&claim, memory, sizeof(*record), &stack))
		return false;
	record = claim.at;
	record->id = id;
	record->size = 100 + id;
	record->interval = 1000;
	record->slot = HEAP_NO_SLOT;
	record->stack_bytes = stack;
	memset(record + 1, (int)(id % 251), stack);
	if (ready)
		ring_commit(&claim);
	return true;
}

struct seen {
	uint64_t count, sum, last, stack_bytes, wrong;
};

static int see(void *context, const struct heap_sample *sample)
{
	struct seen *seen = context;
	const struct heap_record *record = sample->record;

	seen->count++;
	seen->sum += record->id;
	seen->last = record->id;
	seen->stack_bytes += record->stack_bytes;
	seen->wrong += record->size != 100 + record->id;
	for (uint32_t i = 0; i < record->stack_bytes; i++)
		seen->wrong += sample->stack[i] != record->id % 251;
	return 0;
}

static void reads_what_is_written(void **state)
{
	struct heap_region region;
	struct seen seen = {};
	uint64_t id = 0;

	(void)state;
	new_region(&region);
	assert_int_equal(region.own_pid, 5);
	/* Several times round, so that records meet the end of the ring. */
	for (unsigned round = 0; round < 40; round++) {
		for (unsigned i = 0; i < 100; i++) {
			id++;
			assert_true(write_record(id, (uint32_t)(id * 7919 % 9000), true));
		}
		assert_int_equal(heap_region_drain(&region, SECOND, see, &seen), 0);
		assert_int_equal(seen.last, id);
	}
	assert_true(memory->head > 2ULL * HEAP_RING_BYTES);
	assert_int_equal(seen.count, id);
	assert_int_equal(seen.sum, id * (id + 1) / 2);
	assert_int_equal(seen.wrong, 0);
	assert_int_equal(region.refused, 0);
	assert_int_equal(memory->tail, memory->head);
	end_region(&region);
}

static void writes_less_stack_when_it_gets_full(void **state)
{
	struct heap_region region;
	struct seen seen = {};
	uint64_t id = 0;
	int r;

	(void)state;
	new_region(&region);
	while (write_record(id + 1, HEAP_STACK_BYTES, true))
		id++;
	assert_true(id > HEAP_RING_BYTES / HEAP_STACK_BYTES); /* whole ones */
	do
		r = heap_region_drain(&region, SECOND, see, &seen);
	while (r > 0);
	assert_int_equal(r, 0);
	assert_int_equal(seen.count, id);
	assert_int_equal(seen.wrong, 0);
	assert_true(write_record(id + 1, HEAP_STACK_BYTES, true));
	end_region(&region);
}

static void passes_over_dead_claims(void **state)
{
	struct heap_region region;
	struct seen seen = {};

	(void)state;
	new_region(&region);
	assert_true(write_record(1, 500, true));
	assert_true(write_record(2, 3000, false)); /* its thread died while it wrote */
	assert_true(write_record(3, 500, true));
	memory->head += 64 * 11; /* and this one before it wrote a word */
	assert_true(write_record(4, 500, true));
	assert_int_equal(heap_region_drain(&region, 10 * SECOND, see, &seen), 0);
	assert_int_equal(seen.last, 1);
	assert_int_equal(heap_region_drain(&region, 10 * SECOND + SECOND / 2, see, &seen), 0);
	assert_int_equal(seen.last, 1);
	assert_int_equal(heap_region_drain(&region, 11 * SECOND, see, &seen), 0);
	assert_int_equal(seen.last, 3);
	assert_int_equal(heap_region_drain(&region, 12 * SECOND, see, &seen), 0);
	assert_int_equal(seen.last, 4);
	assert_int_equal(seen.count, 3);
	assert_true(region.refused > 0);
	assert_int_equal(memory->tail, memory->head);
	/* Of a process that has ended nothing else is to be expected. */
	assert_true(write_record(5, 3000, false));
	assert_true(write_record(6, 500, true));
	assert_int_equal(heap_region_drain(&region, 13 * SECOND, see, &seen), 0);
	assert_int_equal(seen.last, 4);
	assert_int_equal(heap_region_drain(&region, HEAP_REGION_ENDED, see, &seen), 0);
	assert_int_equal(seen.last, 6);
	end_region(&region);
}

static void refuses_nonsense(void **state)
{
	struct heap_region region;
	struct seen seen = {};
	struct heap_record *record;

	(void)state;
	new_region(&region);
	/* A stack that is longer than the record. */
	assert_true(write_record(1, 100, true));
	record = (struct heap_record *)(void *)ring_word(memory, 0);
	record->stack_bytes = HEAP_STACK_BYTES;
	assert_int_equal(heap_region_drain(&region, SECOND, see, &seen), 0);
	assert_int_equal(seen.count, 0);
	assert_int_equal(region.refused, 1);
	/* Lengths of nothing, and of more than there is. */
	memory->head += 128;
	*ring_word(memory, memory->head - 128) = HEAP_RECORD_WORD(memory->head - 128, 1);
	*ring_word(memory, memory->head - 64) = HEAP_RECORD_WORD(memory->head - 64, 0x7fffffc1);
	assert_int_equal(heap_region_drain(&region, SECOND, see, &seen), 0);
	assert_int_equal(region.refused, 3);
	/* A head that cannot be: what follows is read again. */
	memory->head += 1ULL << 40;
	assert_int_equal(heap_region_drain(&region, SECOND, see, &seen), 0);
	assert_true(write_record(9, 100, true));
	assert_int_equal(heap_region_drain(&region, SECOND, see, &seen), 0);
	assert_int_equal(seen.last, 9);
	end_region(&region);
}

static void refuses_other_files(void **state)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW;
	struct heap_region region;

	(void)state;
	assert_int_equal(heap_region_open(&region, open("/dev/null", O_RDWR | O_CLOEXEC), 1),
			 HEAP_REGION_REFUSED);
	assert_int_equal(heap_region_open(&region, new_memory(HEAP_REGION_BYTES, 0), 1),
			 HEAP_REGION_REFUSED);
	assert_int_equal(heap_region_open(&region, new_memory(HEAP_REGION_BYTES - 1, seals), 1),
			 HEAP_REGION_REFUSED);
	assert_int_equal(heap_region_open(&region, new_memory(HEAP_REGION_BYTES, seals), 1),
			 HEAP_REGION_REFUSED);
}

static int add_id(void *context, uint64_t id)
{
	*(uint64_t *)context += id;
	return 0;
}

static void lists_what_lives(void **state)
{
	struct heap_region region;
	uint64_t sum = 0, *live;

	(void)state;
	new_region(&region);
	live = (uint64_t *)(void *)((unsigned char *)memory + HEAP_HEADER_BYTES);
	assert_int_equal(heap_region_live(&region, add_id, &sum), 0);
	assert_int_equal(sum, 0);
	live[0] = 1;
	live[HEAP_OBJECTS / 2] = 20;
	live[HEAP_OBJECTS - 1] = 300;
	live[HEAP_OBJECTS] = 4000; /* the ring's */
	assert_int_equal(heap_region_live(&region, add_id, &sum), 0);
	assert_int_equal(sum, 321);
	end_region(&region);
}

enum { THREADS = 4, RECORDS = 20000 };

static void *write_many(void *context)
{
	uint64_t first = (uint64_t)(uintptr_t)context * RECORDS;

	for (uint64_t i = 1; i <= RECORDS; i++)
		while (!write_record(first + i, (uint32_t)(i % 700), true))
			usleep(100);
	return NULL;
}

static void bears_many_writers(void **state)
{
	struct heap_region region;
	struct seen seen = {};
	pthread_t threads[THREADS];
	uint64_t all = THREADS * RECORDS;

	(void)state;
	new_region(&region);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_many, (void *)i), 0);
	while (seen.count < all)
		assert_true(heap_region_drain(&region, SECOND, see, &seen) >= 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(seen.sum, all * (all + 1) / 2);
	assert_int_equal(seen.wrong, 0);
	assert_int_equal(region.refused, 0);
	end_region(&region);
}

/* Probability times weight is what there is. */
static void weighs_without_bias(void **state)
{
	static const uint64_t sizes[] = { 1, 16, 4096, 65536, 400000, 524288, 1 << 20, 8 << 20 };
	enum { IDS = 20000 };

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		double taken = -expm1(-(double)sizes[i] / HEAP_INTERVAL_BYTES), objects = 0;
		struct heap_weight weight = { 0, 0 };

		for (uint64_t id = 1; id <= IDS; id++) {
			weight = heap_weight(sizes[i], HEAP_INTERVAL_BYTES, id);
			objects += (double)weight.objects;
		}
		assert_true(fabs((double)weight.bytes * taken - (double)sizes[i]) < 1);
		assert_true(fabs(objects / IDS * taken - 1) < 0.02);
	}
	/* What a hostile process may say. */
	assert_true(heap_weight(UINT64_MAX, UINT64_MAX, 1).bytes > 0);
	assert_true(heap_weight(0, 0, 1).objects >= 1);
	assert_true(heap_weight(1, UINT64_MAX, 1).objects > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_is_written),
		cmocka_unit_test(writes_less_stack_when_it_gets_full),
		cmocka_unit_test(passes_over_dead_claims),
		cmocka_unit_test(refuses_nonsense),
		cmocka_unit_test(refuses_other_files),
		cmocka_unit_test(lists_what_lives),
		cmocka_unit_test(bears_many_writers),
		cmocka_unit_test(weighs_without_bias),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
