// SPDX-License-Identifier: Apache-2.0
/*
 * lost_caller: nearly all of its time is spent below a function of which nobody can tell where its
 * caller is: it has no call frame information, moves the stack pointer by a number that it reads
 * from memory, and uses rbp for something else.
 *
 * True stack: _start, ..., main, known_caller, lost, known_leaf.
 */
#include "target.h"

uint64_t lost(uint64_t value);
uint64_t known_leaf(uint64_t value);
uint64_t known_caller(uint64_t value);

/* Not always the same, but a multiple of 16. What lies there is not initialised. */
volatile uint64_t lost_room = 16;
uint64_t lost_rbp, lost_moved;

__asm__(".text\n"
	".globl lost\n"
	".type lost, @function\n"
	"lost:\n"
	"	mov %rbp, lost_rbp(%rip)\n"
	"	mov lost_room(%rip), %rax\n"
	"	mov %rax, lost_moved(%rip)\n"
	"	add $8, %rax\n"
	"	sub %rax, %rsp\n"
	"	mov $1, %ebp\n"
	"	call known_leaf\n"
	"	add $8, %rsp\n"
	"	add lost_moved(%rip), %rsp\n"
	"	mov lost_rbp(%rip), %rbp\n"
	"	ret\n"
	".size lost, . - lost\n");

LEAF uint64_t known_leaf(uint64_t value)
{
	return target_work(value, 20000);
}

FUNCTION uint64_t known_caller(uint64_t value)
{
	value = lost(value) + 1;
	NO_TAIL_CALL(value);
	return value;
}

int main(int argc, char **argv)
{
	uint64_t value = 1;

	target_begin(argc > 1 ? argv[1] : NULL);
	target_ready();
	while (!target_stopped) {
		lost_room = 16 + (value & 0x30);
		value = known_caller(value);
	}
	printf("{\"value\": %llu}\n", (unsigned long long)value);
	return 0;
}
