// SPDX-License-Identifier: Apache-2.0
/*
 * nocfi_fp, nocfi, nocfi_debug: a program without libc and without any .eh_frame: with frame
 * pointers, without, and without but with a .debug_frame. Runs for about two seconds of CPU time,
 * or until a signal ends it.
 *
 * True stack: _start, program, outer, inner, leaf. Without unwind tables a profiler can follow it
 * by frame pointers, where there are any; in nocfi only by what the code does.
 */
#include <stdint.h>

#if defined(__clang__)
#define KEEP __attribute__((noinline))
#else
#define KEEP __attribute__((noipa))
#endif

enum { SYS_WRITE = 1, SYS_CLOCK_GETTIME = 228, SYS_EXIT_GROUP = 231, PROCESS_CPU_CLOCK = 2 };

KEEP uint64_t leaf(uint64_t value);
KEEP uint64_t inner(uint64_t value);
KEEP uint64_t outer(uint64_t value);
KEEP void program(void);
void _start(void);

/* The stack is aligned at the entry; rbp 0 marks the outermost frame (System V ABI, 3.4.1). */
__asm__(".globl _start\n"
	".type _start, @function\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	call program\n"
	"	hlt\n"
	".size _start, . - _start\n");

static inline long call3(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
}

/* With a variable in memory: a leaf that needs no frame gets none, and so hides its caller. */
uint64_t leaf(uint64_t value)
{
	volatile uint64_t room[2] = { value };

	value = room[0] + room[1];
	for (int i = 0; i < 20000; i++) {
		value = value * 6364136223846793005ULL + 1442695040888963407ULL;
		__asm__ volatile("" : "+r"(value));
	}
	return value;
}

uint64_t inner(uint64_t value)
{
	volatile uint64_t room[10] = { value };

	value = leaf(room[0]);
	__asm__ volatile("" : "+r"(value));
	return value + room[1];
}

uint64_t outer(uint64_t value)
{
	value = inner(value);
	__asm__ volatile("" : "+r"(value));
	return value + 1;
}

void program(void)
{
	static const char ready[] = "ready\n";
	int64_t time[2] = { 0 };
	uint64_t value = 1;

	call3(SYS_WRITE, 1, (long)ready, sizeof(ready) - 1);
	while (time[0] < 2) {
		for (int i = 0; i < 100; i++)
			value = outer(value);
		call3(SYS_CLOCK_GETTIME, PROCESS_CPU_CLOCK, (long)time, 0);
	}
	call3(SYS_EXIT_GROUP, value == 0, 0, 0);
}
