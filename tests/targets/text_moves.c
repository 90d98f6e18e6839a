// SPDX-License-Identifier: Apache-2.0
/*
 * text_moves WAY WHEN [SECONDS]
 *
 * A program that exchanges the memory in which its own code lies, and keeps the code as it is. True
 * stack of nearly every sample: _start, libc's start functions, main, outer, paged, inner, leaf,
 * each of the last four alone on its page. WHEN: "first" (before "ready"), "later" (after 0.1 s of
 * CPU time) or "often" (every 20 ms). WAY:
 *   split     the page of `paged` is made writable: three mappings where there was one
 *   covered   anonymous memory with the same bytes is put over all code, as programs do that want
 *             huge pages for their code
 *   middle    the same over the page of `paged` alone
 *   swapped   the same over all code, with a prepared copy that mremap moves to the place
 *   file      the same over all code, with memory that belongs to an unlinked file (memfd)
 *   moved     mremap takes the page of `paged` to another address, where it is called from then on
 */
#include <string.h>

#include "text_mover.h"

#include "target.h"

enum { PAGE_BYTES = 4096, LATER_NS = 100000000, OFTEN_NS = 20000000 };

#define OWN_PAGE __attribute__((aligned(PAGE_BYTES)))

typedef uint64_t (*step_fn)(uint64_t value);

OWN_PAGE LEAF uint64_t leaf(uint64_t value);
OWN_PAGE FUNCTION uint64_t inner(uint64_t value);
OWN_PAGE FUNCTION uint64_t paged(uint64_t value, step_fn next);
OWN_PAGE FUNCTION uint64_t outer(uint64_t value);
OWN_PAGE int main(int argc, char **argv);

/* Begin and end of all code, by the linker. */
extern char _init, etext;

static uint64_t (*volatile paged_now)(uint64_t value, step_fn next) = paged;

static const struct {
	const char *name;
	enum text_way way;
	int whole; /* all code, else the page of `paged` */
} ways[] = {
	{ "split", TEXT_SPLIT, 0 },    { "covered", TEXT_COVERED, 1 },
	{ "middle", TEXT_COVERED, 0 }, { "swapped", TEXT_SWAPPED, 1 },
	{ "file", TEXT_FILE, 1 },      { "moved", TEXT_MOVED, 0 },
};

uint64_t leaf(uint64_t value)
{
	return target_work(value, 20000);
}

uint64_t inner(uint64_t value)
{
	value = leaf(value);
	NO_TAIL_CALL(value);
	return value + 1;
}

/* Names no other function, so that it runs wherever it lies. */
uint64_t paged(uint64_t value, step_fn next)
{
	value = next(value);
	NO_TAIL_CALL(value);
	return value + 1;
}

uint64_t outer(uint64_t value)
{
	value = paged_now(value, inner);
	NO_TAIL_CALL(value);
	return value + 1;
}

OWN_PAGE FUNCTION static void exchange(unsigned int which)
{
	uintptr_t first = (uintptr_t)&_init, end = (uintptr_t)&etext + PAGE_BYTES - 1;
	void *moved;

	first &= -(uintptr_t)PAGE_BYTES;
	end &= -(uintptr_t)PAGE_BYTES;
	if (ways[which].whole) {
		text_exchange(ways[which].way, (void *)first, end - first);
		return;
	}
	moved = text_exchange(ways[which].way, (void *)(uintptr_t)paged_now, PAGE_BYTES);
	paged_now = (uint64_t(*)(uint64_t, step_fn))(uintptr_t)moved;
}

int main(int argc, char **argv)
{
	const char *when = argc > 2 ? argv[2] : "";
	uint64_t value = (uint64_t)getpid(), pause_ns = 0, next_ns;
	unsigned int which = 0, count = 0;

	while (which < sizeof(ways) / sizeof(ways[0]) &&
	       (argc < 2 || strcmp(argv[1], ways[which].name) != 0))
		which++;
	if (which == sizeof(ways) / sizeof(ways[0]))
		return 2;
	target_begin(argc > 3 ? argv[3] : NULL);
	if (strcmp(when, "later") == 0)
		pause_ns = LATER_NS;
	else if (strcmp(when, "often") == 0)
		pause_ns = OFTEN_NS;
	else
		exchange(which);
	target_ready();
	next_ns = target_clock_ns(CLOCK_PROCESS_CPUTIME_ID) + pause_ns;
	while (!target_stopped) {
		value = outer(value);
		if (pause_ns && target_clock_ns(CLOCK_PROCESS_CPUTIME_ID) > next_ns) {
			exchange(which);
			count++;
			next_ns += pause_ns == OFTEN_NS ? OFTEN_NS : 1000000000000ULL;
		}
	}
	printf("{\"value\": %llu, \"exchanges\": %u}\n", (unsigned long long)value, count);
	return 0;
}
