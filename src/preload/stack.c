// SPDX-License-Identifier: Apache-2.0
#include "preload/stack.h"

#include <stdbool.h>

#include "preload/machine.h"
#include "preload/system.h"

/* A stack of a few pages lies so far below its end, at most. */
#define STACK_REACH (256ULL << 20)
/* Between the main stack and what else is mapped are 128 MiB at least: mmap_base. */
#define MAIN_STACK_REACH (64ULL << 20)
#define PAGE 4096ULL

static uint64_t main_end;

void stack_set_main_end(uint64_t end)
{
	main_end = end;
}

/*
 * A bad first argument is looked at after the memory was read: EFAULT or EINVAL. Every program that
 * has threads or signals is allowed this system call, and it changes nothing.
 */
static bool is_readable(uint64_t address)
{
	enum { NO_HOW = 0x7fffffff, SIGNAL_SET_BYTES = 8, FAULT = -14 };

	return SYSTEM_CALL_4(SYS_rt_sigprocmask, NO_HOW, address, 0, SIGNAL_SET_BYTES) != FAULT;
}

static bool is_main(uint64_t sp)
{
	return main_end - sp < MAIN_STACK_REACH;
}

uint64_t stack_end(uint64_t sp)
{
	uint64_t thread;

	if (is_main(sp))
		return main_end;
	thread = machine_thread_pointer();
	return thread - sp < STACK_REACH ? thread : 0;
}

uint32_t stack_copy(void *to, uint64_t sp, uint32_t limit)
{
	uint64_t end = stack_end(sp), at = sp, stop = sp + limit;
	bool safe = is_main(sp);

	if (end && end - sp < limit)
		stop = end;
	while (at < stop) {
		uint64_t next = safe ? stop : (at | (PAGE - 1)) + 1;

		if (next > stop)
			next = stop;
		if (at != sp && !safe && !is_readable(at))
			break;
		machine_copy((unsigned char *)to + (at - sp), at, next - at);
		at = next;
	}
	return (uint32_t)(at - sp);
}
