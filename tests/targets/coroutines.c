// SPDX-License-Identifier: Apache-2.0
/*
 * coroutines WAY [SECONDS]
 *
 * Two coroutines hand the CPU to each other, each on a stack of its own. True stack of nearly every
 * sample: a root that depends on WAY, then ping or pong, `descend` exactly 5 times, coroutine_leaf.
 *   heap, mapped     makecontext and swapcontext, stacks from malloc or mmap: __start_context
 *   linked           the same as mapped, with a context to go on with (uc_link), whose address lies
 *                    where a caller's return address would be
 *   zero             a switch in assembly; ping and pong are entered with a zero return address,
 *                    and rbp has some odd value: they are the roots themselves
 *   trampoline       the same, but entered through fiber_begin, which has no CFI; rbp is zero
 *   boost            Boost.Context's switch (libboost_context.so.1.74.0, loaded at run time), whose
 *                    entry has no CFI either and keeps an address of code in rbp: make_fcontext
 *   broken           as zero, but the word above the root, where a return address should be, is a
 *                    data address: nobody can tell that this is a root
 */
#include <dlfcn.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "target.h"

enum { STACK_BYTES = 64 * 1024, DESCEND_DEPTH = 5, LEAF_ROUNDS = 20000 };

LEAF uint64_t coroutine_leaf(uint64_t value);
FUNCTION uint64_t descend(unsigned int left, uint64_t value);
FUNCTION void ping(void);
FUNCTION void pong(void);

/*
 * fiber_switch(from, to): keeps the caller's registers on its stack and the stack pointer in *from,
 * then the same backwards from `to`.
 * fiber_begin: first code of a fiber of the way "trampoline"; r12 has what to call.
 */
void fiber_switch(void **from, void *to);
void fiber_begin(void);

__asm__(".pushsection .text\n"
	".globl fiber_switch\n"
	".type fiber_switch, @function\n"
	"fiber_switch:\n"
	"	push %rbp\n"
	"	push %rbx\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	push %r15\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rsi, %rsp\n"
	"	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbx\n"
	"	pop %rbp\n"
	"	ret\n"
	".size fiber_switch, . - fiber_switch\n"
	".globl fiber_begin\n"
	".type fiber_begin, @function\n"
	"fiber_begin:\n"
	"	call *%r12\n"
	"	ud2\n"
	".size fiber_begin, . - fiber_begin\n"
	".popsection\n");

/* boost/context/detail/fcontext.hpp */
struct transfer {
	void *context, *data;
};
static struct transfer (*jump_fcontext)(void *to, void *data);
static void *(*make_fcontext)(void *top, size_t size, void (*function)(struct transfer));

static ucontext_t contexts[3];
static void *stack_pointers[3], *boost_others[2];
static uint64_t results[2];
static enum { UCONTEXT, FIBER, BOOST } kind;

uint64_t coroutine_leaf(uint64_t value)
{
	return target_work(value, LEAF_ROUNDS);
}

uint64_t descend(unsigned int left, uint64_t value)
{
	value = left > 1 ? descend(left - 1, value) : coroutine_leaf(value);
	NO_TAIL_CALL(value);
	return value + left;
}

/* To the other coroutine, or to main when it is over. */
static inline void yield(int from)
{
	int to = target_stopped ? 2 : 1 - from;

	if (kind == UCONTEXT)
		swapcontext(&contexts[from], &contexts[to]);
	else
		fiber_switch(&stack_pointers[from], stack_pointers[to]);
}

void ping(void)
{
	for (;;) {
		results[0] = descend(DESCEND_DEPTH, results[0]);
		yield(0);
	}
}

void pong(void)
{
	for (;;) {
		results[1] = descend(DESCEND_DEPTH, results[1]);
		yield(1);
	}
}

/* Boost hands over to whoever jumped: main takes turns with both. */
FUNCTION static void boost_body(struct transfer transfer)
{
	uint64_t *value = transfer.data;

	for (;;) {
		*value = descend(DESCEND_DEPTH, *value);
		transfer = jump_fcontext(transfer.context, NULL);
	}
}

static char *new_stack(int mapped)
{
	void *memory = mapped ? mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
			      : malloc(STACK_BYTES);

	if (memory == MAP_FAILED || !memory)
		exit(1);
	/* What others left there does not stop a walk that should not have come so far. */
	memset(memory, 0x5a, STACK_BYTES);
	return memory;
}

/* A stack as fiber_switch leaves it: six registers and where to go on. */
static void *new_fiber(void (*function)(void), const char *name)
{
	static const uint64_t not_code = 1;
	uint64_t *top = (uint64_t *)((uintptr_t)(new_stack(1) + STACK_BYTES - 64) & ~15ULL);
	uint64_t odd = (uint64_t)(top - 3);
	int trampoline = strcmp(name, "trampoline") == 0;

	/* At a function's entry the stack pointer is 8 below a multiple of 16 (System V ABI). */
	top -= trampoline;
	*--top = strcmp(name, "broken") == 0 ? (uint64_t)&not_code : 0;
	*--top = trampoline ? (uint64_t)fiber_begin : (uint64_t)function;
	*--top = trampoline ? 0 : odd; /* rbp */
	*--top = 0;		       /* rbx */
	*--top = (uint64_t)function;   /* r12 */
	*--top = 0;
	*--top = 0;
	*--top = 0;
	return top;
}

static void run_boost(void)
{
	void *library = dlopen("libboost_context.so.1.74.0", RTLD_NOW);

	if (!library)
		exit(77);
	*(void **)&jump_fcontext = dlsym(library, "jump_fcontext");
	*(void **)&make_fcontext = dlsym(library, "make_fcontext");
	kind = BOOST;
	for (int i = 0; i < 2; i++)
		boost_others[i] =
			make_fcontext(new_stack(1) + STACK_BYTES, STACK_BYTES, boost_body);
	target_ready();
	while (!target_stopped)
		for (int i = 0; i < 2; i++)
			boost_others[i] = jump_fcontext(boost_others[i], &results[i]).context;
}

static void run_ucontext(const char *name)
{
	void (*const bodies[])(void) = { ping, pong };

	for (int i = 0; i < 2; i++) {
		getcontext(&contexts[i]);
		contexts[i].uc_stack.ss_sp = new_stack(strcmp(name, "heap") != 0);
		contexts[i].uc_stack.ss_size = STACK_BYTES;
		contexts[i].uc_link = strcmp(name, "linked") == 0 ? &contexts[2] : NULL;
		makecontext(&contexts[i], bodies[i], 0);
	}
	target_ready();
	swapcontext(&contexts[2], &contexts[0]);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	target_begin(argc > 2 ? argv[2] : NULL);
	if (strcmp(name, "boost") == 0) {
		run_boost();
	} else if (strcmp(name, "heap") == 0 || strcmp(name, "mapped") == 0 ||
		   strcmp(name, "linked") == 0) {
		run_ucontext(name);
	} else {
		kind = FIBER;
		stack_pointers[0] = new_fiber(ping, name);
		stack_pointers[1] = new_fiber(pong, name);
		target_ready();
		fiber_switch(&stack_pointers[2], stack_pointers[0]);
	}
	printf("{\"value\": %llu}\n", (unsigned long long)(results[0] ^ results[1]));
	return 0;
}
