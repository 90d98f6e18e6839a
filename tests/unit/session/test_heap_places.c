// SPDX-License-Identifier: Apache-2.0
/* Allocators as they are found: which are followed, by which probes. */
#include "test.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "elf/instruction.h"
#include "session/heap_places.h"

enum { TEXT = 0x1000, TEXT_AT = 0x400 /* in the file */, REGISTER_R12 = 12 };

static struct allocation_site site(enum allocation_function function, uint64_t entry,
				   uint8_t size_register)
{
	return (struct allocation_site){ .entry = TEXT + entry,
					 .address = TEXT + entry,
					 .function = function,
					 .outcome = ALLOCATION_SITE,
					 .size_register = size_register,
					 .other_register = REGISTER_NONE,
					 .result_register = REGISTER_NONE };
}

/* A process with one object, and what is found in it. */
struct setting {
	struct object object;
	struct allocator allocator;
	struct alloc_used used;
	struct heap_process_places places;
	char why[320];
};

static struct allocation_site *add(struct setting *s, struct allocation_site what)
{
	struct allocation_site *at = array_push(&s->allocator.sites);

	assert_non_null(at);
	*at = what;
	return at;
}

static void begin(struct setting *s)
{
	struct object_segment *segment;
	struct allocation_site *at;
	struct alloc_use *use;

	*s = (struct setting){ .object = { .fd = memfd_create("object", MFD_CLOEXEC) } };
	segment = array_push(&s->object.segments);
	*segment = (struct object_segment){ .address = TEXT,
					    .file_offset = TEXT_AT,
					    .memory_size = 0x1000,
					    .file_size = 0x1000,
					    .executable = true };
	use = array_push(&s->used.of);
	*use = (struct alloc_use){ &s->object, &s->allocator, s->object.fd };
	add(s, site(ALLOCATION_MALLOC, 0, REGISTER_DI));
	add(s, site(ALLOCATION_FREE, 0x10, REGISTER_SI));
	at = add(s, site(ALLOCATION_REALLOC, 0x20, REGISTER_SI));
	at->other_register = REGISTER_DI;
	at = add(s, site(ALLOCATION_POSIX_MEMALIGN, 0x30, REGISTER_DX));
	at->other_register = REGISTER_SI;
	at->result_register = REGISTER_R12;
}

static int find(struct setting *s)
{
	const struct heap_places_of of = { .used = &s->used, .slot = 5 };

	return heap_places_find(&s->places, &of, s->why, sizeof(s->why));
}

static void end(struct setting *s)
{
	heap_process_places_fini(&s->places);
	array_fini(&s->used.of);
	array_fini(&s->allocator.sites);
	array_fini(&s->object.segments);
	(void)close(s->object.fd);
}

static void every_site_gets_what_its_probe_is_to_know(void **state)
{
	const struct heap_places *places;
	struct setting s;

	(void)state;
	begin(&s);
	assert_int_equal(find(&s), 0);
	assert_int_equal(s.places.of.count, 1);
	places = &s.places.of.at[0];
	assert_int_equal(places->frees.count, 1);
	assert_int_equal(places->frees.at[0], TEXT_AT + 0x10);
	assert_int_equal(places->free_cookies.at[0] & 15, REGISTER_SI);
	assert_int_equal(places->free_cookies.at[0] >> 32, 5);
	assert_int_equal(places->calls.count, 3);
	/* malloc is probed last. */
	assert_int_equal(places->calls.at[2], TEXT_AT);
	assert_int_equal(places->call_cookies.at[2],
			 WIRE_HEAP_COOKIE(WIRE_ALLOC_COOKIE(ALLOC_PLAIN, REGISTER_DI, 0), 5, 0, 0));
	/* realloc takes the old block, in its other register, and returns the new one. */
	assert_int_equal(places->call_cookies.at[0],
			 WIRE_HEAP_COOKIE(WIRE_ALLOC_COOKIE(ALLOC_PLAIN, REGISTER_SI, REGISTER_DI),
					  5, 1, 0));
	assert_int_equal(places->call_cookies.at[1] >> 16 & 31, REGISTER_R12);
	end(&s);
}

static void a_way_to_free_that_cannot_be_seen_is_refused(void **state)
{
	struct setting s;

	(void)state;
	begin(&s);
	s.allocator.sites.at[1].outcome = ALLOCATION_NO_SITE;
	assert_int_equal(find(&s), HEAP_PLACES_NONE);
	assert_non_null(strstr(s.why, "'free' begins with no instruction"));
	end(&s);
	begin(&s);
	s.allocator.sites.at[2].stack_moved = 8;
	assert_int_equal(find(&s), HEAP_PLACES_NONE);
	assert_non_null(strstr(s.why, "'realloc' begins"));
	end(&s);
	/* What only gives out memory is left out. */
	begin(&s);
	s.allocator.sites.at[3].stack_moved = 8;
	assert_int_equal(find(&s), 0);
	assert_int_equal(s.places.of.at[0].calls.count, 2);
	end(&s);
	begin(&s);
	s.allocator.sites.at[3].result_register = REGISTER_NONE;
	assert_int_equal(find(&s), 0);
	assert_int_equal(s.places.of.at[0].calls.count, 2);
	end(&s);
}

static void what_throws_is_never_probed_at_its_return(void **state)
{
	struct allocation_site *at;
	struct setting s;

	(void)state;
	for (unsigned called = 0; called < 2; called++) {
		begin(&s);
		at = add(&s, site(ALLOCATION_NEW, 0x40, REGISTER_DI));
		at->may_throw = true;
		s.used.calls_new = called;
		assert_int_equal(find(&s), called ? HEAP_PLACES_NONE : 0);
		if (called)
			assert_non_null(strstr(s.why, "'operator new' of its own"));
		else
			assert_int_equal(s.places.of.at[0].calls.count, 3);
		heap_process_places_fini(&s.places);
		/* One that leads to malloc is nothing to be afraid of. */
		at->outcome = ALLOCATION_FORWARDS;
		assert_int_equal(find(&s), 0);
		assert_int_equal(s.places.of.at[0].calls.count, 3);
		end(&s);
	}
}

static void nothing_to_probe_is_said(void **state)
{
	struct setting s;

	(void)state;
	begin(&s);
	s.used.of.count = 0;
	assert_int_equal(find(&s), HEAP_PLACES_NONE);
	assert_non_null(strstr(s.why, "no malloc and free are found in it"));
	s.used.of.count = 1;
	end(&s);
	begin(&s);
	s.used.of.at[0].file = -1;
	assert_int_equal(find(&s), HEAP_PLACES_NONE);
	assert_non_null(strstr(s.why, "file system that may not answer"));
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_site_gets_what_its_probe_is_to_know),
		cmocka_unit_test(a_way_to_free_that_cannot_be_seen_is_refused),
		cmocka_unit_test(what_throws_is_never_probed_at_its_return),
		cmocka_unit_test(nothing_to_probe_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
