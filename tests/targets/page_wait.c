// SPDX-License-Identifier: Apache-2.0
/*
 * page_wait FILE
 *
 * Has memory that is in a file of which it has read nothing: its arguments, a page that a thread waits
 * for, and the end of the stack it runs on. Prints "ready", does all that at the next line on stdin,
 * prints "waiting" and works; it ends by being killed only, and that only once the page has come or
 * its file system is gone. True stack: [what is not there], outer, inner, leaf.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <ucontext.h>

#include "target.h"

enum { PAGE_BYTES = 4096, FILE_BYTES = 64 * PAGE_BYTES, STACK_AT = 16 * PAGE_BYTES };

LEAF uint64_t leaf(uint64_t value);
FUNCTION void inner(void);
FUNCTION void outer(void);

static char *memory, *lost; /* of the stack, from there on */

static void fail(const char *what)
{
	perror(what);
	_exit(3);
}

static void *wait_for_page(void *page)
{
	return (void *)(uintptr_t) * (volatile char *)page;
}

static void lose_pages(void)
{
	char line[16];
	pthread_t thread;
	uintptr_t arguments = (uintptr_t)memory + PAGE_BYTES;

	target_ready();
	if (!fgets(line, sizeof(line), stdin))
		_exit(4);
	/* Not everybody who is root may do that. */
	if (prctl(PR_SET_MM, PR_SET_MM_ARG_START, arguments, 0, 0) < 0 ||
	    prctl(PR_SET_MM, PR_SET_MM_ARG_END, arguments + 100, 0, 0) < 0)
		puts("arguments stay");
	if (pthread_create(&thread, NULL, wait_for_page, memory + 8 * PAGE_BYTES) != 0)
		fail("pthread_create");
	if (madvise(lost, (size_t)(memory + FILE_BYTES - lost), MADV_DONTNEED) < 0)
		fail("madvise");
	puts("waiting");
	fflush(stdout);
}

uint64_t leaf(uint64_t value)
{
	return target_work(value, 20000);
}

void inner(void)
{
	uint64_t value = 1;

	lose_pages();
	for (;;)
		value = leaf(value);
}

/* The room keeps apart where it returns to and what comes below. */
void outer(void)
{
	volatile char room[2 * PAGE_BYTES];

	lost = (char *)((uintptr_t)__builtin_frame_address(0) & -(uintptr_t)PAGE_BYTES);
	room[0] = 0;
	inner();
	NO_TAIL_CALL(room[0]);
}

int main(int argc, char **argv)
{
	static ucontext_t context, back;
	int fd = argc > 1 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return 2;
	memory = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (memory == MAP_FAILED || getcontext(&context) < 0)
		fail("mmap");
	/* Read ahead of time would be as good as read. */
	madvise(memory, FILE_BYTES, MADV_RANDOM);
	memset(memory + STACK_AT, 1, FILE_BYTES - STACK_AT);
	context.uc_stack.ss_sp = memory + STACK_AT;
	context.uc_stack.ss_size = FILE_BYTES - STACK_AT;
	makecontext(&context, outer, 0);
	swapcontext(&back, &context);
	return 0;
}
