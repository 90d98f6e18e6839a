// SPDX-License-Identifier: Apache-2.0
/* Instructions as the machine has them, and what each does to the frame. */
#include "test.h"

#include "elf/instruction.h"

#define AT 0x401000
#define NO REGISTER_NONE

struct sample {
	const char *text;
	unsigned char bytes[INSTRUCTION_MAX_BYTES];
	struct instruction want; /* length: of the bytes */
};

static const struct sample samples[] = {
	{ "push %rbp", { 0x55 }, { 1, INSTRUCTION_PUSH, 5, NO } },
	{ "push %r15", { 0x41, 0x57 }, { 2, INSTRUCTION_PUSH, 15, NO } },
	{ "push $8", { 0x6a, 0x08 }, { 2, INSTRUCTION_PUSH, NO, NO, .immediate = 8 } },
	{ "push 8(%rax)", { 0xff, 0x70, 0x08 }, { 3, INSTRUCTION_PUSH, NO, 0, .value = 8 } },
	{ "pushf", { 0x9c }, { 1, INSTRUCTION_PUSH, NO, NO } },
	{ "pushw %ax", { 0x66, 0x50 }, { 2, INSTRUCTION_STORE, NO, 4, 2, .written = 0x10 } },
	{ "pop %rbx", { 0x5b }, { 1, INSTRUCTION_POP, 3, NO } },
	{ "pop 8(%rsp)", { 0x8f, 0x44, 0x24, 0x08 }, { 4, INSTRUCTION_POP, NO, 4, .value = 8 } },
	{ "mov %rsp, %rbp", { 0x48, 0x89, 0xe5 }, { 3, INSTRUCTION_MOVE, 5, 4 } },
	{ "mov %esp, %ebp", { 0x89, 0xe5 }, { 2, INSTRUCTION_OTHER, NO, NO, .written = 0x20 } },
	{ "sub $40, %rsp", { 0x48, 0x83, 0xec, 40 }, { 4, INSTRUCTION_ADD, 4, 4, .value = -40 } },
	{ "sub $-128, %rsp",
	  { 0x48, 0x83, 0xec, 0x80 },
	  { 4, INSTRUCTION_ADD, 4, 4, .value = 128 } },
	{ "add $0x1000, %rsp",
	  { 0x48, 0x81, 0xc4, 0, 0x10, 0, 0 },
	  { 7, INSTRUCTION_ADD, 4, 4, .value = 0x1000 } },
	{ "sub %rax, %rsp",
	  { 0x48, 0x29, 0xc4 },
	  { 3, INSTRUCTION_OTHER, NO, NO, .written = 0x10 } },
	{ "and $-64, %rsp",
	  { 0x48, 0x83, 0xe4, 0xc0 },
	  { 4, INSTRUCTION_ALIGN, 4, NO, .value = -64 } },
	{ "and $7, %rax", { 0x48, 0x83, 0xe0, 7 }, { 4, INSTRUCTION_OTHER, NO, NO, .written = 1 } },
	{ "lea -40(%rbp), %rsp",
	  { 0x48, 0x8d, 0x65, 0xd8 },
	  { 4, INSTRUCTION_ADD, 4, 5, .value = -40 } },
	{ "lea (%rsp,%rax,8), %rsp",
	  { 0x48, 0x8d, 0x24, 0xc4 },
	  { 4, INSTRUCTION_OTHER, NO, NO, .written = 0x10 } },
	{ "lea 0x10(%rip), %rdi",
	  { 0x48, 0x8d, 0x3d, 0x10, 0, 0, 0 },
	  { 7, INSTRUCTION_ADDRESS, 7, NO, .value = AT + 0x17 } },
	{ "mov $0x401234, %edi",
	  { 0xbf, 0x34, 0x12, 0x40, 0 },
	  { 5, INSTRUCTION_ADDRESS, 7, NO, .value = 0x401234, .immediate = 0x401234 } },
	{ "movq $0x401234, 8(%rsp)",
	  { 0x48, 0xc7, 0x44, 0x24, 0x08, 0x34, 0x12, 0x40, 0 },
	  { 9, INSTRUCTION_STORE, NO, 4, 8, .value = 8, .immediate = 0x401234 } },
	{ "mov %rbx, -16(%rsp)",
	  { 0x48, 0x89, 0x5c, 0x24, 0xf0 },
	  { 5, INSTRUCTION_STORE, 3, 4, 8, .value = -16 } },
	{ "mov %ebx, -16(%rsp)",
	  { 0x89, 0x5c, 0x24, 0xf0 },
	  { 4, INSTRUCTION_STORE, NO, 4, 4, .value = -16 } },
	{ "movaps %xmm0, (%rsp)", { 0x0f, 0x29, 0x04, 0x24 }, { 4, INSTRUCTION_STORE, NO, 4, 16 } },
	{ "lock orl $0, (%rsp)", { 0xf0, 0x83, 0x0c, 0x24, 0 }, { 5, INSTRUCTION_OTHER, NO, NO } },
	{ "orl $1, (%rsp)", { 0x83, 0x0c, 0x24, 1 }, { 4, INSTRUCTION_STORE, NO, 4, 4 } },
	{ "mov 8(%rsp), %rbp",
	  { 0x48, 0x8b, 0x6c, 0x24, 0x08 },
	  { 5, INSTRUCTION_LOAD, 5, 4, .value = 8 } },
	{ "mov %fs:8(%rbx), %rbp",
	  { 0x64, 0x48, 0x8b, 0x6b, 0x08 },
	  { 5, INSTRUCTION_OTHER, NO, NO, .written = 0x20 } },
	{ "xor %ebp, %ebp", { 0x31, 0xed }, { 2, INSTRUCTION_CLEAR, 5, NO } },
	{ "xor %rbp, %rbp", { 0x48, 0x31, 0xed }, { 3, INSTRUCTION_CLEAR, 5, NO } },
	{ "xor %bpl, %bpl",
	  { 0x40, 0x30, 0xed },
	  { 3, INSTRUCTION_OTHER, NO, NO, .written = 0x20 } },
	{ "mov $0, %ebp", { 0xbd, 0, 0, 0, 0 }, { 5, INSTRUCTION_CLEAR, 5, NO } },
	{ "xchg %rsp, %rax", { 0x48, 0x94 }, { 2, INSTRUCTION_EXCHANGE, 4, 0 } },
	{ "leave", { 0xc9 }, { 1, INSTRUCTION_LEAVE, NO, NO } },
	{ "enter $16, $0", { 0xc8, 16, 0, 0 }, { 4, INSTRUCTION_ENTER, NO, NO, .value = 16 } },
	{ "enter $16, $1", { 0xc8, 16, 0, 1 }, { 4, INSTRUCTION_STOP, NO, NO, .value = 16 } },
	{ "cpuid", { 0x0f, 0xa2 }, { 2, INSTRUCTION_OTHER, NO, NO, .written = 0x0f } },
	{ "mul %rbx", { 0x48, 0xf7, 0xe3 }, { 3, INSTRUCTION_OTHER, NO, NO, .written = 0x05 } },
	{ "cmp %r11, %rsp", { 0x4c, 0x39, 0xdc }, { 3, INSTRUCTION_COMPARE, 4, 11 } },
	{ "syscall", { 0x0f, 0x05 }, { 2, INSTRUCTION_SYSCALL, NO, NO, .written = 0x803 } },
	{ "call", { 0xe8, 0x10, 0, 0, 0 }, { 5, INSTRUCTION_CALL, NO, NO, .value = AT + 0x15 } },
	{ "call *0x10(%rip)",
	  { 0xff, 0x15, 0x10, 0, 0, 0 },
	  { 6, INSTRUCTION_CALL_INDIRECT, NO, NO, .value = AT + 0x16 } },
	{ "call *%rax", { 0xff, 0xd0 }, { 2, INSTRUCTION_CALL_INDIRECT, NO, NO } },
	{ "call *8(%rax)", { 0xff, 0x50, 0x08 }, { 3, INSTRUCTION_CALL_INDIRECT, NO, NO } },
	{ "jmp", { 0xeb, 0xfe }, { 2, INSTRUCTION_JUMP, NO, NO, .value = AT } },
	{ "jmp *(%rax,%rcx,8)", { 0xff, 0x24, 0xc8 }, { 3, INSTRUCTION_JUMP_INDIRECT, NO, NO } },
	{ "notrack jmp *%rax", { 0x3e, 0xff, 0xe0 }, { 3, INSTRUCTION_JUMP_INDIRECT, NO, NO } },
	{ "jne",
	  { 0x75, 0x02 },
	  { 2, INSTRUCTION_BRANCH, NO, NO, .value = AT + 4, .not_equal = true } },
	{ "jae",
	  { 0x0f, 0x83, 0, 1, 0, 0 },
	  { 6, INSTRUCTION_BRANCH, NO, NO, .value = AT + 0x106 } },
	{ "loop", { 0xe2, 0xfe }, { 2, INSTRUCTION_BRANCH, NO, NO, .value = AT, .written = 0x02 } },
	{ "ret", { 0xc3 }, { 1, INSTRUCTION_RETURN, NO, NO } },
	{ "rep ret", { 0xf3, 0xc3 }, { 2, INSTRUCTION_RETURN, NO, NO } },
	{ "ret $8", { 0xc2, 8, 0 }, { 3, INSTRUCTION_RETURN, NO, NO, .value = 8 } },
	{ "iretq", { 0x48, 0xcf }, { 2, INSTRUCTION_STOP, NO, NO } },
	{ "hlt", { 0xf4 }, { 1, INSTRUCTION_STOP, NO, NO } },
	{ "ud2", { 0x0f, 0x0b }, { 2, INSTRUCTION_STOP, NO, NO } },
	{ "int3", { 0xcc }, { 1, INSTRUCTION_STOP, NO, NO } },
	{ "nopw", { 0x66, 0x0f, 0x1f, 0x44, 0, 0 }, { 6, INSTRUCTION_NOP, NO, NO } },
	{ "endbr64", { 0xf3, 0x0f, 0x1e, 0xfa }, { 4, INSTRUCTION_ENTRY, NO, NO } },
	{ "xend", { 0x0f, 0x01, 0xd5 }, { 3, INSTRUCTION_OTHER, NO, NO } },
};

static void test_samples(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(samples) / sizeof(samples[0]); n++) {
		const struct sample *sample = &samples[n];
		const struct instruction *want = &sample->want;
		struct instruction got;

		print_message("%s\n", sample->text);
		assert_true(instruction_decode(&got, sample->bytes, sizeof(sample->bytes), AT));
		assert_int_equal(got.length, want->length);
		assert_int_equal(got.kind, want->kind);
		if (want->kind != INSTRUCTION_COMPARE || want->a != NO)
			assert_int_equal(got.a, want->a);
		assert_int_equal(got.b, want->b);
		assert_int_equal(got.written, want->written);
		if (want->kind == INSTRUCTION_STORE)
			assert_int_equal(got.size, want->size);
		if (want->kind != INSTRUCTION_OTHER && want->kind != INSTRUCTION_STOP)
			assert_int_equal(got.value, want->value);
		assert_int_equal(got.immediate, want->immediate);
		assert_int_equal(got.not_equal, want->not_equal);
		/* Cut short it is none. */
		assert_false(instruction_decode(&got, sample->bytes, want->length - 1U, AT));
	}
}

static void test_what_is_no_instruction(void **state)
{
	static const unsigned char invalid[] = { 0x06, 0, 0, 0, 0 };
	static const unsigned char prefixes[INSTRUCTION_MAX_BYTES] = {
		0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
		0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66
	};
	struct instruction got;

	(void)state;
	assert_false(instruction_decode(&got, invalid, sizeof(invalid), AT));
	assert_false(instruction_decode(&got, prefixes, sizeof(prefixes), AT));
	assert_false(instruction_decode(&got, prefixes, 0, AT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_what_is_no_instruction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
