// SPDX-License-Identifier: Apache-2.0
/*
 * Small programs written in assembly, of which the frame is known at every point: what decoding
 * makes of them. The assembler puts their bytes into this program as data, never to be run.
 */
#include "test.h"

#include "elf/cfi_image.h"
#include "elf/elf_image.h"
#include "elf/object_file.h"
#include "elf/synthesis.h"

#ifdef __x86_64__

/* Code with numbered points: POINT stands for the address of the next instruction. */
#define CODE(name, text)                                                                           \
	extern const unsigned char name##_code[], name##_end[];                                    \
	extern const uint32_t name##_points[], name##_points_end[];                                \
	__asm__(".pushsection .rodata.code_" #name ",\"a\"\n"                                      \
		".set here, " #name "_code\n" #name "_code:\n" text #name "_end:\n"                \
		".popsection\n"                                                                    \
		".pushsection .rodata.points_" #name ",\"a\"\n" #name "_points_end:\n"             \
		".popsection\n")
#define BEGIN(name)                                                                                \
	".pushsection .rodata.points_" #name ",\"a\"\n.balign 4\n" #name "_points:\n.popsection\n"
#define POINT(name)                                                                                \
	"771:\n.pushsection .rodata.points_" #name ",\"a\"\n.long 771b - " #name                   \
	"_code\n.popsection\n"

#define FUNCTION(offset) { "f" #offset, IMAGE_TEXT + (offset), 0, STT_FUNC, STB_GLOBAL }

static struct cfi_table rows;

static int tear_down(void **state)
{
	(void)state;
	cfi_table_fini(&rows);
	return 0;
}

static const struct wire_rule *rule_at(uint64_t address)
{
	static const struct wire_rule gap = { .cfa_words = CFI_GAP, .kind_and_step = RULE_NONE };
	const struct wire_rule *rule = &gap;

	for (uint32_t i = 0; i < rows.rows.count && rows.rows.at[i].address <= address; i++)
		rule = &rows.rows.at[i].rule;
	return rule;
}

/* Rows from an image, whose text is `size` bytes of code; the caller may have changed it. */
static void synthesise_image(const struct image *image, const unsigned char *code, size_t size,
			     const struct cfi_table *covered)
{
	cleanup(object_unref) struct object *object = NULL;
	int fd = image_open(image);

	assert_true(size <= IMAGE_TEXT_SIZE);
	assert_int_equal(pwrite(fd, code, size, IMAGE_TEXT_OFFSET), size);
	assert_ok(object_open(&object, fd, "/made"));
	cfi_table_fini(&rows);
	assert_ok(synthesis_rows(&rows, object, covered));
	for (uint32_t i = 1; i < rows.rows.count; i++)
		assert_true(rows.rows.at[i - 1].address < rows.rows.at[i].address);
	for (uint32_t i = 1; i < rows.functions.count; i++)
		assert_true(rows.functions.at[i - 1] < rows.functions.at[i]);
}

static void synthesise(const unsigned char *code, const unsigned char *end,
		       const struct image_symbol *symbols, unsigned count)
{
	static const struct cfi_table none;
	struct image image;

	image_make(&image, symbols, count);
	image.sections[1].sh_size = (uint64_t)(end - code);
	synthesise_image(&image, code, (size_t)(end - code), &none);
}

/* What is expected at a point. */
struct expected {
	enum wire_rule_kind kind;
	int32_t words; /* RULE_NONE: enum cfi_none */
	unsigned bp_slot, bx_slot, steps;
};

static void assert_rule(uint64_t address, const struct expected *want)
{
	const struct wire_rule *rule = rule_at(address);

	print_message("%#lx: kind %u, words %d, rbp %u, rbx %u, %u\n", (unsigned long)address,
		      rule->kind_and_step, rule->cfa_words, rule->bp_slot, rule->bx_slot,
		      rule->steps);
	assert_int_equal(rule->kind_and_step, want->kind);
	assert_int_equal(rule->cfa_words, want->words);
	assert_int_equal(rule->bp_slot, want->bp_slot);
	assert_int_equal(rule->bx_slot, want->bx_slot);
	assert_int_equal(rule->steps, want->steps);
}

static void assert_points(const uint32_t *points, const uint32_t *end, const struct expected *want,
			  size_t count)
{
	assert_int_equal(end - points, count);
	for (size_t i = 0; i < count; i++)
		assert_rule(IMAGE_TEXT + points[i], &want[i]);
}

/* Synthesises with one function at the start, and compares all points. */
#define CHECK(name, ...)                                                                           \
	do {                                                                                       \
		static const struct image_symbol first[] = { FUNCTION(0) };                        \
		static const struct expected want_[] = { __VA_ARGS__ };                            \
		synthesise(name##_code, name##_end, first, 1);                                     \
		assert_points(name##_points, name##_points_end, want_,                             \
			      sizeof(want_) / sizeof(want_[0]));                                   \
	} while (0)

#define UNKNOWN { RULE_NONE, CFI_UNKNOWN }
#define GAP { RULE_NONE, CFI_GAP }

/* ---- one function ---- */

CODE(pushes, BEGIN(pushes)
	POINT(pushes) "push %rbx\n"
	POINT(pushes) "push %rbp\n"
	POINT(pushes) "sub $40, %rsp\n"
	POINT(pushes) "mov %rdi, %rbx\n	xor %ebp, %ebp\n	call *%rax\n"
	POINT(pushes) "add $40, %rsp\n"
	POINT(pushes) "pop %rbp\n"
	POINT(pushes) "pop %rbx\n"
	POINT(pushes) "ret\n");

static void pushes_and_pops(void **state)
{
	(void)state;
	CHECK(pushes, { RULE_SP, 1, 0, 0 }, { RULE_SP, 2, 0, 2 }, { RULE_SP, 3, 3, 2 },
	      { RULE_SP, 8, 3, 2 }, { RULE_SP, 8, 3, 2 }, { RULE_SP, 3, 3, 2 }, { RULE_SP, 2, 0, 2 },
	      { RULE_SP, 1, 0, 0 });
	assert_int_equal(rows.functions.count, 1);
	assert_int_equal(rows.unsupported, 0);
	/* And nothing behind it. */
	assert_rule(IMAGE_TEXT + (uint64_t)(pushes_end - pushes_code), &(struct expected)GAP);
}

CODE(frame_pointer, BEGIN(frame_pointer)
	"endbr64\n	push %rbp\n"
	POINT(frame_pointer) "mov %rsp, %rbp\n"
	POINT(frame_pointer) "push %rbx\n"
	POINT(frame_pointer) "sub %rax, %rsp\n"
	POINT(frame_pointer) "mov %rsp, %rdi\n	call *%rcx\n"
	POINT(frame_pointer) "mov -8(%rbp), %rbx\n"
	POINT(frame_pointer) "leave\n"
	POINT(frame_pointer) "ret\n");

static void frame_pointers(void **state)
{
	(void)state;
	CHECK(frame_pointer, { RULE_SP, 2, 2, 0 }, { RULE_BP, 2, 2, 0 }, { RULE_BP, 2, 2, 3 },
	      { RULE_BP, 2, 2, 3 }, { RULE_BP, 2, 2, 3 }, { RULE_BP, 2, 2, 3 },
	      { RULE_SP, 1, 0, 0 });
}

/* As gcc saved registers when it still did so by mov: below the stack pointer, then moved down. */
CODE(moves, BEGIN(moves)
	"mov %rbx, -16(%rsp)\n	mov %rbp, -8(%rsp)\n"
	POINT(moves) "sub $24, %rsp\n"
	POINT(moves) "xor %ebx, %ebx\n	xor %ebp, %ebp\n"
	POINT(moves) "call *%rax\n"
	POINT(moves) "mov 8(%rsp), %rbx\n	mov 16(%rsp), %rbp\n"
	POINT(moves) "add $24, %rsp\n"
	POINT(moves) "ret\n");

static void registers_saved_by_moves(void **state)
{
	(void)state;
	CHECK(moves, { RULE_SP, 1, 0, 0 }, { RULE_SP, 4, 2, 3 }, { RULE_SP, 4, 2, 3 },
	      { RULE_SP, 4, 2, 3 }, { RULE_SP, 4, 2, 3 }, { RULE_SP, 1, 0, 0 });
}

/* The caller's rbp lies where the next call would write over it, and no rule can say that. */
CODE(red_zone, BEGIN(red_zone)
	"mov %rbp, -8(%rsp)\n"
	POINT(red_zone) "xor %ebp, %ebp\n"
	POINT(red_zone) "mov -8(%rsp), %rbp\n"
	POINT(red_zone) "ret\n");

static void a_register_in_the_red_zone(void **state)
{
	(void)state;
	CHECK(red_zone, { RULE_SP, 1, 0, 0 }, UNKNOWN, { RULE_SP, 1, 0, 0 });
	assert_int_equal(rows.unsupported, 1);
}

CODE(stored, BEGIN(stored)
	"mov %rsp, %rax\n	push %rbx\n	push %rbp\n"
	POINT(stored) "sub $64, %rsp\n	and $-64, %rsp\n"
	POINT(stored) "mov %rax, 40(%rsp)\n"
	POINT(stored) "xor %eax, %eax\n"
	POINT(stored) "push %rsi\n"
	POINT(stored) "call *%rcx\n	pop %rsi\n"
	POINT(stored) "mov 40(%rsp), %rsi\n"
	POINT(stored) "mov -16(%rsi), %rbp\n	mov -8(%rsi), %rbx\n	lea (%rsi), %rsp\n"
	POINT(stored) "ret\n");

/* As OpenSSL does it. */
static void an_aligned_frame_that_keeps_the_stack_pointer(void **state)
{
	(void)state;
	CHECK(stored, { RULE_SP, 3, 3, 2 }, { RULE_TEMPORARY, 1, 3, 2, TEMPORARY_AX },
	      { RULE_STORED, 5, 3, 2, 1 }, { RULE_STORED, 5, 3, 2, 1 }, { RULE_STORED, 6, 3, 2, 1 },
	      { RULE_STORED, 5, 3, 2, 1 }, { RULE_STORED, 5, 3, 2, 1 }, { RULE_SP, 1, 0, 0 });
}

CODE(jpeg, BEGIN(jpeg)
	"push %rbp\n	mov %rsp, %rax\n"
	POINT(jpeg) "sub $4, %rsp\n"
	POINT(jpeg) "and $-16, %rsp\n	mov %rax, (%rsp)\n	mov %rsp, %rbp\n	lea -128(%rbp), %rsp\n"
	POINT(jpeg) "push %r12\n"
	POINT(jpeg) "pop %r12\n	mov %rbp, %rsp\n"
	POINT(jpeg) "pop %rsp\n"
	POINT(jpeg) "pop %rbp\n"
	POINT(jpeg) "ret\n");

/* As libjpeg-turbo does it. */
static void an_aligned_frame_that_pops_the_stack_pointer(void **state)
{
	(void)state;
	CHECK(jpeg, { RULE_SP, 2, 2, 0 }, { RULE_TEMPORARY, 2, 2, 0, TEMPORARY_AX },
	      { RULE_STORED, 16, 2, 0, 2 }, { RULE_STORED, 17, 2, 0, 2 }, { RULE_STORED, 0, 2, 0, 2 },
	      { RULE_SP, 2, 2, 0 }, { RULE_SP, 1, 0, 0 });
}

CODE(drap, BEGIN(drap)
	"lea 8(%rsp), %r10\n	and $-32, %rsp\n"
	POINT(drap) "push -8(%r10)\n	push %rbp\n	mov %rsp, %rbp\n	push %rbx\n	push %r10\n"
	POINT(drap) "sub $96, %rsp\n	call *%rax\n	add $96, %rsp\n"
	POINT(drap) "pop %r10\n	pop %rbx\n"
	POINT(drap) "pop %rbp\n"
	POINT(drap) "lea -8(%r10), %rsp\n"
	POINT(drap) "ret\n");

/* As gcc does it where a function also reaches its arguments. */
static void an_aligned_frame_with_the_arguments_pointer(void **state)
{
	(void)state;
	CHECK(drap, { RULE_TEMPORARY, 0, 0, 0, TEMPORARY_R10 }, { RULE_DRAP, -2, 0, 1 },
	      { RULE_DRAP, -2, 0, 1 },
	      { RULE_TEMPORARY, 0, RULE_BP_IN_FRAME, 0, TEMPORARY_R10 },
	      { RULE_TEMPORARY, 0, 0, 0, TEMPORARY_R10 }, { RULE_SP, 1, 0, 0 });
}

CODE(link, BEGIN(link)
	"pop %rdx\n"
	POINT(link) "mov $58, %eax\n	syscall\n"
	POINT(link) "push %rdx\n"
	POINT(link) "ret\n");

/* As vfork must, whose child would write over the return address. */
static void a_return_address_in_a_register(void **state)
{
	(void)state;
	CHECK(link, { RULE_LINK, 0, 0, 0, TEMPORARY_DX }, { RULE_LINK, 0, 0, 0, TEMPORARY_DX },
	      { RULE_SP, 1, 0, 0 });
}

CODE(probe, BEGIN(probe)
	"lea -0x5000(%rsp), %r11\n"
	"1:	sub $0x1000, %rsp\n	orq $0, (%rsp)\n"
	POINT(probe) "cmp %r11, %rsp\n	jne 1b\n"
	POINT(probe) "sub $24, %rsp\n"
	POINT(probe) "call *%rax\n	add $0x5018, %rsp\n"
	POINT(probe) "ret\n");

/* As gcc does it with -fstack-clash-protection. */
static void a_loop_that_moves_the_stack_pointer(void **state)
{
	(void)state;
	CHECK(probe, { RULE_TEMPORARY, 0x5008 / 8, 0, 0, TEMPORARY_R11 }, { RULE_SP, 0x5008 / 8, 0, 0 },
	      { RULE_SP, 0x5020 / 8, 0, 0 }, { RULE_SP, 1, 0, 0 });
}

CODE(overwritten, BEGIN(overwritten)
	POINT(overwritten) "mov %rax, (%rsp)\n"
	POINT(overwritten) "ret\n");

static void a_return_address_that_is_overwritten(void **state)
{
	(void)state;
	CHECK(overwritten, { RULE_SP, 1, 0, 0 }, UNKNOWN);
}

/* ---- control flow ---- */

CODE(branches, BEGIN(branches)
	"test %rdi, %rdi\n	je 1f\n"
	"push %rbx\n	mov %rdi, %rbx\n	call *%rax\n	test %eax, %eax\n	js 2f\n"
	POINT(branches) "pop %rbx\n	ret\n"
	"1:\n" POINT(branches) "xor %eax, %eax\n	ret\n"
	"2:\n" POINT(branches) "inc %eax\n	pop %rbx\n	ret\n");

static void each_path_has_its_own_frame(void **state)
{
	(void)state;
	CHECK(branches, { RULE_SP, 2, 0, 2 }, { RULE_SP, 1, 0, 0 }, { RULE_SP, 2, 0, 2 });
}

CODE(conflict, BEGIN(conflict)
	"test %edi, %edi\n	je 1f\n	push %rax\n"
	"1:\n" POINT(conflict) "nop\n	mov %rax, %rdx\n"
	POINT(conflict) "ret\n");

static void paths_that_meet_with_different_frames(void **state)
{
	(void)state;
	CHECK(conflict, UNKNOWN, UNKNOWN);
}

CODE(outside, BEGIN(outside)
	POINT(outside) "push %rax\n"
	POINT(outside) "test %edi, %edi\n	je 1f\n	pop %rax\n	ret\n"
	"1:	pop %rax\n	pop %rax\n	pop %rax\n	ret\n");

/* A path that returns through the wrong word shows that something was misunderstood. */
static void a_function_that_contradicts_itself(void **state)
{
	(void)state;
	CHECK(outside, UNKNOWN, UNKNOWN);
}

CODE(no_return, BEGIN(no_return)
	/* 0: */ "sub $8, %rsp\n	test %edi, %edi\n	je 1f\n	add $8, %rsp\n	ret\n"
	"1:	call die\n"
	/* a function that only its symbol tells of */
	".balign 16\n" POINT(no_return) "push %rbx\n"
	POINT(no_return) "pop %rbx\n	ret\n"
	/* code that another branch leads to, right behind a call that does not come back */
	".balign 16\n" POINT(no_return) "push %rbx\n	test %edi, %edi\n	je 2f\n	sub $16, %rsp\n	call die\n"
	"2:\n" POINT(no_return) "mov %rdi, %rbx\n	pop %rbx\n	ret\n"
	".balign 16\n die:\n" POINT(no_return) "push %rbx\n"
	"1:	mov $231, %eax\n	syscall\n	jmp 1b\n");

static void calls_that_do_not_come_back(void **state)
{
	static const struct expected want[] = { { RULE_SP, 1, 0, 0 }, { RULE_SP, 2, 0, 2 },
						{ RULE_SP, 1, 0, 0 }, { RULE_SP, 2, 0, 2 },
						{ RULE_SP, 1, 0, 0 } };
	struct image_symbol symbols[] = { FUNCTION(0), FUNCTION(0), FUNCTION(0) };

	(void)state;
	symbols[1].address = IMAGE_TEXT + no_return_points[0];
	symbols[2].address = IMAGE_TEXT + no_return_points[2];
	synthesise(no_return_code, no_return_end, symbols, 3);
	assert_points(no_return_points, no_return_points_end, want, 5);
	/* The one called was found by the calls. */
	assert_int_equal(rows.functions.count, 4);
}

CODE(hidden, BEGIN(hidden)
	/* calls something unknown, which does not come back: another function follows, unnamed */
	"push %rbp\n	mov %rsp, %rbp\n	call *%rax\n"
	POINT(hidden) "push %r12\n	push %rbx\n	call *%rcx\n	pop %rbx\n	pop %r12\n	ret\n");

static void a_function_behind_a_call_that_does_not_come_back(void **state)
{
	(void)state;
	CHECK(hidden, GAP);
}

CODE(table, BEGIN(table)
	"push %rbx\n	sub $16, %rsp\n	cmp $3, %edi\n	ja 9f\n"
	"lea 8f(%rip), %rdx\n	movslq (%rdx,%rdi,4), %rax\n	add %rdx, %rax\n	notrack jmp *%rax\n"
	"8:	.long 1f-8b, 2f-8b, 3f-8b, 9f-8b\n"
	"1:\n" POINT(table) "mov $1, %ebx\n	jmp 9f\n"
	".balign 8\n2:\n" POINT(table) "call *%rsi\n	jmp 9f\n"
	".balign 8\n3:\n" POINT(table) "xor %ebx, %ebx\n	add $16, %rsp\n	pop %rbx\n	ret\n"
	"9:\n" POINT(table) "add $16, %rsp\n	pop %rbx\n"
	POINT(table) "ret\n");

static void a_switch(void **state)
{
	(void)state;
	CHECK(table, { RULE_SP, 4, 0, 2 }, { RULE_SP, 4, 0, 2 }, { RULE_SP, 4, 0, 2 },
	      { RULE_SP, 4, 0, 2 }, { RULE_SP, 1, 0, 0 });
}

CODE(tails, BEGIN(tails)
	"sub $8, %rsp\n	call *%rax\n	add $8, %rsp\n"
	POINT(tails) "jmp 1f\n"
	".balign 16\n1:\n" POINT(tails) "push %rbx\n	pop %rbx\n"
	POINT(tails) "jmp *%rcx\n"
	/* behind it: nothing of the function's */
	".balign 16\n" POINT(tails) "push %rbx\n	pop %rbx\n	ret\n");

static void tail_calls(void **state)
{
	(void)state;
	CHECK(tails, { RULE_SP, 1, 0, 0 }, { RULE_SP, 1, 0, 0 }, { RULE_SP, 1, 0, 0 }, GAP);
}

CODE(handed_on, BEGIN(handed_on)
	"push %rbp\n	mov %rsp, %rbp\n	sub $16, %rsp\n	test %edi, %edi\n	je 1f\n"
	"leave\n	ret\n"
	"1:	mov 0(%rbp), %rbp\n	add $24, %rsp\n	push %rax\n"
	"push 8(%rsp)\n" POINT(handed_on) "mov %rdx, 16(%rsp)\n"
	POINT(handed_on) "jmp 2f\n"
	".balign 16\n2:\n" POINT(handed_on) "ret $16\n");

/* V8's code jumps to other code with new arguments on the stack, the return address on top. */
static void arguments_put_under_the_return_address(void **state)
{
	static const struct expected want[] = { { RULE_SP, 3, 0, 0 }, UNKNOWN, { RULE_SP, 1, 0, 0 } };
	struct image_symbol symbols[] = { FUNCTION(0), FUNCTION(0) };

	(void)state;
	symbols[1].address = IMAGE_TEXT + handed_on_points[2];
	synthesise(handed_on_code, handed_on_end, symbols, 2);
	assert_points(handed_on_points, handed_on_points_end, want, 3);
}

CODE(clobbers, BEGIN(clobbers)
	"push %rbp\n	push %rbx\n	mov %rsp, %rbp\n"
	POINT(clobbers) "sub $64, %rsp\n	call 1f\n"
	POINT(clobbers) "add $64, %rsp\n	pop %rbx\n	pop %rbp\n	ret\n"
	".balign 16\n1:\n" POINT(clobbers) "mov %rdi, %rbp\n	mov %rsi, %rbx\n"
	POINT(clobbers) "xor %eax, %eax\n	ret\n");

/* Assembly code's own calls keep no convention: what they change is not believed to hold. */
static void a_function_that_preserves_nothing(void **state)
{
	(void)state;
	CHECK(clobbers, { RULE_SP, 3, 2, 3 }, { RULE_SP, 11, 2, 3 }, { RULE_SP, 1, 0, 0 }, UNKNOWN);
}

CODE(own_address, BEGIN(own_address)
	"call 1f\n1:\n"
	POINT(own_address) "pop %rax\n"
	POINT(own_address) "ret\n");

static void a_call_to_learn_the_own_address(void **state)
{
	(void)state;
	CHECK(own_address, { RULE_SP, 2, 0, 0 }, { RULE_SP, 1, 0, 0 });
}

/* ---- the ends of stacks ---- */

CODE(clone, BEGIN(clone)
	/* as in musl */
	"xor %eax, %eax\n	mov $56, %al\n	mov %rdi, %r11\n	mov %rdx, %rdi\n	mov 8(%rsp), %r10\n"
	"mov %r11, %r9\n	and $-16, %rsi\n	sub $8, %rsi\n	mov %rcx, (%rsi)\n"
	POINT(clone) "syscall\n"
	POINT(clone) "test %eax, %eax\n	jnz 1f\n"
	POINT(clone) "xor %ebp, %ebp\n"
	POINT(clone) "pop %rdi\n"
	POINT(clone) "call *%r9\n	mov %eax, %edi\n	xor %eax, %eax\n	mov $60, %al\n	syscall\n	hlt\n"
	"1:\n" POINT(clone) "ret\n");

static void the_child_of_clone(void **state)
{
	(void)state;
	CHECK(clone, { RULE_SP, 1, 0, 0 }, { RULE_SP, 1, 0, 0 }, { RULE_END }, { RULE_END },
	      { RULE_END }, { RULE_SP, 1, 0, 0 });
}

CODE(saved_zero, BEGIN(saved_zero)
	"push %rbp\n	mov $39, %eax\n	syscall\n	xor %ebp, %ebp\n"
	POINT(saved_zero) "call *%rcx\n	pop %rbp\n	ret\n");

static void a_zero_in_a_saved_rbp_is_a_number(void **state)
{
	(void)state;
	CHECK(saved_zero, { RULE_SP, 2, 2, 0 });
}

CODE(entry, BEGIN(entry)
	POINT(entry) "xor %rbp, %rbp\n	mov %rsp, %rdi\n	and $-16, %rsp\n"
	POINT(entry) "call 1f\n"
	"nopl (%rax)\n"
	"1:\n" POINT(entry) "mov (%rdi), %rax\n	push %rbx\n"
	POINT(entry) "call *%rax\n	hlt\n");

static void the_entry_of_a_program(void **state)
{
	static const struct expected want[] = { { RULE_END }, { RULE_END }, { RULE_SP, 1, 0, 0 },
						{ RULE_SP, 2, 0, 2 } };
	static const struct cfi_table none;
	size_t size = (size_t)(entry_end - entry_code);
	struct image image;

	(void)state;
	image_make(&image, NULL, 0);
	image.header.e_entry = IMAGE_TEXT;
	synthesise_image(&image, entry_code, size, &none);
	assert_points(entry_points, entry_points_end, want, 4);
	/* A library's header often tells the beginning of its text. */
	image.header.e_entry = IMAGE_TEXT + entry_points[2];
	synthesise_image(&image, entry_code, size, &none);
	assert_int_equal(rows.rows.count, 0);
	/* A program's does not. */
	image.header.e_type = ET_EXEC;
	synthesise_image(&image, entry_code, size, &none);
	assert_int_equal(rule_at(IMAGE_TEXT + entry_points[2])->kind_and_step, RULE_END);
}

CODE(sigreturn, BEGIN(sigreturn)
	"ret\n" POINT(sigreturn) "nop\n"
	POINT(sigreturn) "mov $15, %rax\n"
	POINT(sigreturn) "syscall\n"
	POINT(sigreturn) "ret\n"
	POINT(sigreturn) "mov $15, %eax\n	syscall\n"
	"nop\n	mov $16, %eax\n" POINT(sigreturn) "syscall\n");

static void the_code_that_signal_handlers_return_to(void **state)
{
	static const struct expected want[] = { { RULE_SIGNAL }, { RULE_SIGNAL }, { RULE_SIGNAL },
						{ RULE_SIGNAL }, { RULE_SIGNAL }, GAP };
	struct image_symbol symbols[] = { FUNCTION(0), FUNCTION(0) };

	(void)state;
	synthesise(sigreturn_code, sigreturn_end, symbols, 1);
	assert_points(sigreturn_points, sigreturn_points_end, want, 6);
	/* Also where a symbol calls it a function. */
	symbols[1].address = IMAGE_TEXT + sigreturn_points[1];
	synthesise(sigreturn_code, sigreturn_end, symbols, 2);
	for (unsigned i = 0; i < 3; i++)
		assert_rule(IMAGE_TEXT + sigreturn_points[i], &want[i]);
}

/* ---- where functions are found ---- */

CODE(pointed, BEGIN(pointed)
	"lea 1f(%rip), %rdi\n	jmp *%rax\n"
	".balign 16\n1:\n" POINT(pointed) "push %rbx\n" POINT(pointed) "pop %rbx\n	ret\n"
	/* a label in the middle of a function that nothing leads to */
	".balign 16\n	push %rbx\n" POINT(pointed) "xor %eax, %eax\n	pop %rbx\n	ret\n");

static void a_function_whose_address_is_taken(void **state)
{
	(void)state;
	CHECK(pointed, { RULE_SP, 1, 0, 0 }, { RULE_SP, 2, 0, 2 }, GAP);
	/* What is said to be a label may well be in the middle of something. */
	synthesise(pointed_code, pointed_end,
		   (const struct image_symbol[]){ { "label", IMAGE_TEXT + pointed_points[2], 0,
						    STT_NOTYPE, STB_GLOBAL } },
		   1);
	assert_rule(IMAGE_TEXT + pointed_points[2], &(struct expected)GAP);
}

static void code_that_rows_cover_is_left_alone(void **state)
{
	struct cfi_table covered = {};
	struct image_symbol symbols[] = { FUNCTION(0), FUNCTION(0) };
	size_t size = (size_t)(tails_end - tails_code);
	uint64_t second = IMAGE_TEXT + tails_points[1];
	struct cfi_row *row = array_push(&covered.rows);
	struct image image;

	(void)state;
	*row = (struct cfi_row){ IMAGE_TEXT, { .kind_and_step = RULE_SP, .cfa_words = 1 } };
	row = array_push(&covered.rows);
	*row = (struct cfi_row){ second, { .kind_and_step = RULE_NONE, .cfa_words = CFI_GAP } };
	symbols[1].address = second;
	image_make(&image, symbols, 2);
	image.sections[1].sh_size = size;
	synthesise_image(&image, tails_code, size, &covered);
	assert_int_equal(rows.rows.at[0].address, second);
	assert_int_equal(rows.functions.count, 1);
	/* All of it covered: nothing to do. */
	row->address = IMAGE_TEXT + size;
	synthesise_image(&image, tails_code, size, &covered);
	assert_int_equal(rows.rows.count, 0);
	cfi_table_fini(&covered);
}

static void functions_that_others_know_are_decoded(void **state)
{
	struct cfi_table covered = {};
	size_t size = (size_t)(pushes_end - pushes_code);
	uint64_t *start = array_push(&covered.functions);
	struct image image;

	(void)state;
	image_make(&image, NULL, 0);
	image.sections[1].sh_size = size;
	*start = IMAGE_TEXT + size; /* outside of the code */
	synthesise_image(&image, pushes_code, size, &covered);
	assert_int_equal(rows.rows.count, 0);
	*start = IMAGE_TEXT;
	synthesise_image(&image, pushes_code, size, &covered);
	assert_int_equal(rows.functions.count, 1);
	assert_rule(IMAGE_TEXT + pushes_points[3], &(struct expected){ RULE_SP, 8, 3, 2 });
	cfi_table_fini(&covered);
}

static void other_machines_are_left_alone(void **state)
{
	static const struct image_symbol first[] = { FUNCTION(0) };
	static const struct cfi_table none;
	struct image image;

	(void)state;
	image_make(&image, first, 1);
	image.header.e_machine = EM_AARCH64;
	synthesise_image(&image, pushes_code, (size_t)(pushes_end - pushes_code), &none);
	assert_int_equal(rows.rows.count, 0);
}

/* ---- limits ---- */

/* Every byte of the text begins a function that runs through all that follow. */
static void functions_at_every_byte(void **state)
{
	static unsigned char code[IMAGE_TEXT_SIZE];
	static const struct cfi_table none;
	struct image image;

	(void)state;
	/* jne to itself plus n: each instruction leads to two. */
	for (size_t i = 0; i + 1 < sizeof(code); i += 2) {
		code[i] = 0x75;
		code[i + 1] = (unsigned char)(i * 7);
	}
	image_make(&image, NULL, 0);
	image.header.e_type = ET_EXEC;
	image.header.e_entry = IMAGE_TEXT;
	synthesise_image(&image, code, sizeof(code), &none);
	/* push, push, ...: each turn of the loop is another frame. */
	memset(code, 0x50, sizeof(code));
	code[sizeof(code) - 5] = 0xe9;
	memset(code + sizeof(code) - 4, 0xff, 4);
	code[sizeof(code) - 4] = 0x00;
	code[sizeof(code) - 3] = 0xf0;
	image_make(&image, (const struct image_symbol[]){ FUNCTION(0) }, 1);
	synthesise_image(&image, code, sizeof(code), &none);
	assert_true(rows.rows.count > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(pushes_and_pops),
		TEST(frame_pointers),
		TEST(registers_saved_by_moves),
		TEST(a_register_in_the_red_zone),
		TEST(an_aligned_frame_that_keeps_the_stack_pointer),
		TEST(an_aligned_frame_that_pops_the_stack_pointer),
		TEST(an_aligned_frame_with_the_arguments_pointer),
		TEST(a_return_address_in_a_register),
		TEST(a_loop_that_moves_the_stack_pointer),
		TEST(a_return_address_that_is_overwritten),
		TEST(each_path_has_its_own_frame),
		TEST(paths_that_meet_with_different_frames),
		TEST(a_function_that_contradicts_itself),
		TEST(calls_that_do_not_come_back),
		TEST(a_function_behind_a_call_that_does_not_come_back),
		TEST(a_switch),
		TEST(tail_calls),
		TEST(arguments_put_under_the_return_address),
		TEST(a_function_that_preserves_nothing),
		TEST(a_call_to_learn_the_own_address),
		TEST(the_child_of_clone),
		TEST(a_zero_in_a_saved_rbp_is_a_number),
		TEST(the_entry_of_a_program),
		TEST(the_code_that_signal_handlers_return_to),
		TEST(a_function_whose_address_is_taken),
		TEST(code_that_rows_cover_is_left_alone),
		TEST(functions_that_others_know_are_decoded),
		TEST(other_machines_are_left_alone),
		TEST(functions_at_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
	return 77; /* the assembler here speaks another language */
}

#endif
