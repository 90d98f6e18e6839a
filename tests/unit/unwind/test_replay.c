// SPDX-License-Identifier: Apache-2.0
/*
 * The whole way from files to a stack, on this very process: it notes its registers and copies its
 * stack in the middle of something, compiles tables for what it has mapped, and walks the copy.
 * libunwind, walking at the same moment, is the oracle: every frame must be the same one.
 */
#include "capture.h"
#include "test.h"
#include "direct.h"

#define UNW_LOCAL_ONLY
#include <alloca.h>
#include <libunwind.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "elf/cfi.h"
#include "elf/rows.h"
#include "proc/process_table.h"
#include "unwind/table_store.h"
#include "unwind/walk.h"

enum { MAX_FRAMES = 512, BELOW_SP_BYTES = 64 * 1024, COPY_BYTES = 4 << 20 };

static struct {
	uint64_t ip, sp, bp, bx;
	uint64_t address; /* of the copy's first byte */
	uint32_t bytes;
	unsigned char *copy;
	uint64_t expected[MAX_FRAMES]; /* addresses to look up, the caller of capture() first */
	uint32_t count;
	bool done;
} captured;

static uint64_t stack_end; /* of the stack that capture() copies */

/* By hand: the sanitizers rightly mind memcpy over other functions' variables. */
__attribute__((noinline, no_sanitize("address", "undefined"))) static void
copy_memory(unsigned char *to, const unsigned char *from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((volatile unsigned char *)to)[i] = from[i];
}

/* Does the signal trampoline lie there: mov $SYS_rt_sigreturn, %rax; syscall? Or mov x8, #139; svc #0? */
static bool is_trampoline(unw_word_t ip)
{
#if defined(__aarch64__)
	static const unsigned char code[] = { 0x68, 0x11, 0x80, 0xd2, 0x01, 0, 0, 0xd4 };
#else
	static const unsigned char code[] = { 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05 };
#endif

	return memcmp((const void *)ip, code, sizeof(code)) == 0;
}

static void ask_libunwind(unw_context_t *context)
{
	unw_cursor_t cursor;
	bool exact = false;

	captured.count = 0;
	assert_ok(unw_init_local(&cursor, context));
	while (unw_step(&cursor) > 0 && captured.count < MAX_FRAMES) {
		unw_word_t ip;

		assert_ok(unw_get_reg(&cursor, UNW_REG_IP, &ip));
		/* A trampoline was not called, and what it goes back to was interrupted. */
		captured.expected[captured.count++] = exact || is_trampoline(ip) ? ip : ip - 1;
		exact = is_trampoline(ip);
	}
}

/* Notes where we are. Called from whatever should be found on the stack. */
__attribute__((noinline, noclone)) static void capture(void)
{
	unw_context_t context;

	CAPTURE_REGISTERS(captured.ip, captured.sp, captured.bp, captured.bx);
	unw_getcontext(&context);
	/* Below, too: from another stack the walk may come back to a lower address. */
	captured.address = (captured.sp - BELOW_SP_BYTES) & ~7ULL;
	captured.bytes = (uint32_t)(stack_end - captured.address);
	if (stack_end - captured.address > COPY_BYTES)
		abort();
	copy_memory(captured.copy, (const unsigned char *)(uintptr_t)captured.address,
		    captured.bytes);
	ask_libunwind(&context);
	captured.done = true;
}

/* ---- tables for everything that is mapped ---- */

static struct process_table table;
static struct process *self;
static struct table_store *store;

/* The trampoline has no call frame information on aarch64. */
#if defined(__aarch64__)
#define read_rows rows_read
#else
#define read_rows cfi_read
#endif

/* The table's id, 0 without CFI. */
static uint32_t compile(const struct object *object)
{
	struct cfi_table rows = {};
	struct unwind_table built = {};
	uint32_t id = 0;

	assert_ok(read_rows(&rows, object));
	if (rows.rows.count) {
		assert_ok(unwind_table_build(&built, &rows));
		assert_int_equal(built.dropped_rules, 0);
		assert_ok(table_store_add(store, &id, &built, 1));
	}
	unwind_table_fini(&built);
	cfi_table_fini(&rows);
	return id;
}

/* stack_end from the mapping that holds the address. */
static void find_stack(const void *local)
{
	unsigned long address = (unsigned long)(uintptr_t)local, start, end;
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[4352];

	assert_non_null(maps);
	stack_end = 0;
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && address >= start && address < end)
			stack_end = end;
	(void)fclose(maps);
	assert_true(stack_end);
}

static int set_up(void **state)
{
	static const struct table_store_maps no_kernel = { -1, -1, -1, -1, -1, -1, 0, 0 };

	captured.copy =
		mmap(NULL, COPY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(captured.copy != MAP_FAILED);
	assert_ok(process_table_init(&table, direct_workers()));
	assert_ok(table_store_new(&store, &no_kernel, 64 << 20));
	assert_ok(process_table_get(&table, &self, getpid()));
	assert_ok(process_table_read(&table, self));
	for (uint32_t i = 0; i < self->mappings.count; i++) {
		struct mapping *mapping = &self->mappings.at[i];
		struct wire_mapping *wire = array_push(&self->wire);

		process_table_resolve(&table, self, mapping, true);
		*wire = (struct wire_mapping){ mapping->start, mapping->end, mapping->bias, 0, 0 };
		if (mapping->object)
			wire->table = compile(mapping->object);
		if (!wire->table)
			wire->flags = MAPPING_NO_CFI;
	}
	assert_ok(table_store_publish(store));
	find_stack(&state);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	table_store_free(store);
	process_table_fini(&table);
	munmap(captured.copy, COPY_BYTES);
	return 0;
}

static int forget(void **state)
{
	(void)state;
	captured.done = false;
	return 0;
}

static void assert_replayed(uint32_t at_least)
{
	const uint64_t temporaries[WIRE_TEMPORARIES] = {}; /* no frame is found by them */
	uint64_t addresses[MAX_FRAMES];
	struct walk_input input = {
		.store = store,
		.mappings = self->wire.at,
		.mapping_count = self->wire.count,
		.ip = captured.ip,
		.sp = captured.sp,
		.bp = captured.bp,
		.bx = captured.bx,
		.temporaries = temporaries,
		.exact = true,
		.leaf = true,
		.stack = captured.copy,
		.stack_address = captured.address,
		.stack_bytes = captured.bytes,
	};
	uint32_t count;
	enum walk_outcome outcome;

	assert_true(captured.done);
	outcome = walk_run(&input, addresses, MAX_FRAMES, &count, NULL);
	for (uint32_t i = 0; i + 1 < count && i < captured.count; i++)
		if (addresses[i + 1] != captured.expected[i])
			fail_msg("frame %u: %#lx, libunwind says %#lx", i + 1,
				 (unsigned long)addresses[i + 1],
				 (unsigned long)captured.expected[i]);
	assert_int_equal(outcome, WALK_COMPLETE);
	assert_int_equal(count, captured.count + 1);
	assert_true(count >= at_least);
	captured.ip = addresses[count - 1]; /* for those who want to know the root */
}

static void assert_root_is_start(void)
{
	extern char _start[];
	uint64_t start = (uint64_t)(uintptr_t)_start;

	assert_in_range(captured.ip, start, start + 64);
}

/* ---- things to be in the middle of ---- */

/* What comes after a call keeps it from becoming a jump. */
#define NOT_A_TAIL_CALL __asm__ volatile("" ::: "memory")

__attribute__((noinline, noclone)) static int with_registers(int depth);

/*
 * A frame of a size that is not known when it is compiled: found by rbp. ASan's marks around it
 * would stay behind when a signal handler leaves by siglongjmp.
 */
__attribute__((noinline, noclone, no_sanitize("address"))) static int with_alloca(int depth)
{
	volatile char *room = alloca((size_t)depth * 24 + 1);
	int below;

	room[0] = 1;
	below = with_registers(depth - 1);
	return below + room[0];
}

/* A frame that is aligned by force: its caller is remembered in a register (DRAP). */
__attribute__((noinline, noclone)) static int with_alignment(int depth)
{
	volatile char aligned[64] __attribute__((aligned(64)));
	volatile char *room = alloca((size_t)depth * 8 + 1);
	int below;

	aligned[0] = (char)((uintptr_t)aligned & 63);
	room[0] = 0;
	below = with_alloca(depth - 1);
	return below + aligned[0] + room[0];
}

__attribute__((noinline, noclone)) static int with_a_large_frame(int depth)
{
	volatile char large[9000];
	int below;

	large[0] = large[8999] = 1;
	below = with_alignment(depth - 1);
	return below + large[0];
}

/* Many registers in use: pushes and pops. */
__attribute__((noinline, noclone)) static int with_registers(int depth)
{
	int a = depth * 3, b = depth ^ 5, c = depth + 7, d = depth - 9, e = depth * depth;

	__asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e)::"memory");
	if (depth <= 0)
		capture();
	else
		a += with_a_large_frame(depth - 1);
	__asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e)::"memory");
	return a + b + c + d + e;
}

static void a_deep_chain_of_calls(void **state)
{
	(void)state;
	with_registers(80);
	assert_replayed(80);
	assert_root_is_start();
}

static int compare(const void *a, const void *b)
{
	if (!captured.done)
		capture();
	return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

static void a_callback_from_the_c_library(void **state)
{
	int numbers[] = { 3, 1, 2 };

	(void)state;
	qsort(numbers, ARRAY_SIZE(numbers), sizeof(*numbers), compare);
	assert_replayed(5);
	assert_root_is_start();
}

/* Past the instruction that has trapped, where the processor does not go by itself. */
static void pass_trap(int signal_number, void *context)
{
#if defined(__aarch64__)
	if (signal_number == SIGTRAP)
		((ucontext_t *)context)->uc_mcontext.pc += 4;
#else
	(void)signal_number;
	(void)context;
#endif
}

static void handler(int signal_number, siginfo_t *info, void *context)
{
	(void)info;
	pass_trap(signal_number, context);
	capture();
	NOT_A_TAIL_CALL;
}

static void handle(int signal_number, int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO };

	assert_ok(sigaction(signal_number, &action, NULL));
}

static void a_signal_in_a_system_call(void **state)
{
	(void)state;
	handle(SIGUSR1, 0);
	raise(SIGUSR1);
	assert_replayed(6);
	assert_root_is_start();
}

/* Interrupted between two instructions that a return address never lies between. */
__attribute__((noinline, noclone)) static void trap(void)
{
#if defined(__aarch64__)
	__asm__ volatile("brk #0" ::: "memory");
#else
	__asm__ volatile("int3" ::: "memory");
#endif
}

static void a_signal_between_instructions(void **state)
{
	(void)state;
	handle(SIGTRAP, 0);
	trap();
	assert_replayed(6);
	assert_root_is_start();
}

/* At its first instruction a function has no frame yet, and at ud2 no return address would be. */
void trap_at_entry(void);
__asm__(".pushsection .text\n"
	".type trap_at_entry, %function\n"
	"trap_at_entry:\n"
	".cfi_startproc\n"
#if defined(__aarch64__)
	"	brk #0\n"
	"	stp x29, x30, [sp, #-16]!\n"
	".cfi_def_cfa_offset 16\n"
	".cfi_offset 29, -16\n"
	".cfi_offset 30, -8\n"
	"	brk #0\n"
	"	ldp x29, x30, [sp], #16\n"
	".cfi_def_cfa_offset 0\n"
	".cfi_restore 30\n"
	".cfi_restore 29\n"
	"	brk #0\n"
	"	ret\n"
#else
	"	int3\n"
	"	push %rbx\n"
	".cfi_adjust_cfa_offset 8\n"
	"	int3\n"
	"	pop %rbx\n"
	".cfi_adjust_cfa_offset -8\n"
	"	int3\n"
	"	ret\n"
#endif
	".cfi_endproc\n"
	".size trap_at_entry, . - trap_at_entry\n"
	".popsection\n");

static int traps;

/* Captures at the trap that is wanted; the others pass. */
static void nth_handler(int signal_number, siginfo_t *info, void *context)
{
	(void)info;
	pass_trap(signal_number, context);
	if (traps-- == 0)
		capture();
	NOT_A_TAIL_CALL;
}

static void a_signal_on_either_side_of_a_push(void **state)
{
	struct sigaction action = { .sa_sigaction = nth_handler, .sa_flags = SA_SIGINFO };

	(void)state;
	assert_ok(sigaction(SIGTRAP, &action, NULL));
	for (int i = 0; i < 3; i++) {
		captured.done = false;
		traps = i;
		trap_at_entry();
		assert_replayed(6);
		assert_root_is_start();
	}
}

/* The handler's stack lies above the interrupted one: in a frame of its caller. */
static void a_signal_on_another_stack(void **state)
{
	char room[64 * 1024] __attribute__((aligned(16)));
	stack_t other = { .ss_sp = room, .ss_size = sizeof(room) }, before;

	(void)state;
	assert_ok(sigaltstack(&other, &before));
	handle(SIGTRAP, SA_ONSTACK);
	trap();
	assert_ok(sigaltstack(&before, NULL));
	assert_true(captured.sp > (uintptr_t)room && captured.sp < (uintptr_t)room + sizeof(room));
	assert_replayed(6);
	assert_root_is_start();
}

#if defined(__x86_64__)
/*
 * Assembly code that aligns its stack: one keeps the old stack pointer in rbx, as ld.so's resolver
 * does, the other in its frame, as OpenSSL does (CFA = *(rsp + 40) + 8).
 */
typedef int (*stack_user)(int, int (*)(int));
int call_by_rbx(int argument, int (*function)(int));
int call_by_frame(int argument, int (*function)(int));
__asm__(".pushsection .text\n"
	".type call_by_rbx, @function\n"
	"call_by_rbx:\n"
	".cfi_startproc\n"
	"	push %rbx\n"
	".cfi_adjust_cfa_offset 8\n"
	".cfi_rel_offset %rbx, 0\n"
	"	mov %rsp, %rbx\n"
	".cfi_def_cfa_register %rbx\n"
	"	sub $1000, %rsp\n"
	"	and $-64, %rsp\n"
	"	call *%rsi\n"
	"	mov %rbx, %rsp\n"
	".cfi_def_cfa_register %rsp\n"
	"	pop %rbx\n"
	".cfi_adjust_cfa_offset -8\n"
	".cfi_restore %rbx\n"
	"	ret\n"
	".cfi_endproc\n"
	".size call_by_rbx, . - call_by_rbx\n"
	".type call_by_frame, @function\n"
	"call_by_frame:\n"
	".cfi_startproc\n"
	"	mov %rsp, %rax\n"
	".cfi_def_cfa_register %rax\n"
	"	push %rbx\n"
	".cfi_offset %rbx, -16\n"
	"	push %rbp\n"
	".cfi_offset %rbp, -24\n"
	"	sub $1000, %rsp\n"
	"	and $-64, %rsp\n"
	"	mov %rax, 40(%rsp)\n"
	".cfi_escape 0x0f, 5, 0x77, 40, 0x06, 0x23, 8\n"
	"	xor %ebx, %ebx\n"
	"	xor %ebp, %ebp\n"
	"	call *%rsi\n"
	"	mov 40(%rsp), %rsi\n"
	".cfi_def_cfa %rsi, 8\n"
	"	mov -16(%rsi), %rbp\n"
	".cfi_restore %rbp\n"
	"	mov -8(%rsi), %rbx\n"
	".cfi_restore %rbx\n"
	"	mov %rsi, %rsp\n"
	".cfi_def_cfa_register %rsp\n"
	"	ret\n"
	".cfi_endproc\n"
	".size call_by_frame, . - call_by_frame\n"
	".popsection\n");

/* One after the other, all over again below frames of all kinds that use rbx themselves. */
__attribute__((noinline, noclone)) static int with_odd_frames(int depth)
{
	static const stack_user users[] = { call_by_rbx, call_by_frame };
	int used = depth ^ 5, below;

	__asm__ volatile("" : "+b"(used)::"memory");
	below = depth > 0 ? users[depth % 2](depth - 1, with_odd_frames)
			  : call_by_rbx(10, with_registers);
	__asm__ volatile("" : "+b"(used)::"memory");
	return below + used;
}

static void frames_that_assembly_code_aligns(void **state)
{
	(void)state;
	with_odd_frames(9);
	assert_replayed(30);
	assert_root_is_start();
}

static int trapped(int depth)
{
	trap();
	NOT_A_TAIL_CALL;
	return depth;
}

static void a_signal_keeps_rbx(void **state)
{
	(void)state;
	handle(SIGTRAP, 0);
	call_by_rbx(0, trapped);
	assert_replayed(8);
	assert_root_is_start();
}
#endif

static void *thread(void *context)
{
	(void)context;
	find_stack(&context);
	with_registers(12);
	return NULL;
}

static void a_thread_down_to_its_own_root(void **state)
{
	uint64_t ours = stack_end;
	pthread_t id;

	(void)state;
	assert_ok(pthread_create(&id, NULL, thread, NULL));
	assert_ok(pthread_join(id, NULL));
	assert_replayed(12);
	stack_end = ours;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_deep_chain_of_calls, forget),
		cmocka_unit_test_setup(a_callback_from_the_c_library, forget),
		cmocka_unit_test_setup(a_signal_in_a_system_call, forget),
		cmocka_unit_test_setup(a_signal_between_instructions, forget),
		cmocka_unit_test_setup(a_signal_on_either_side_of_a_push, forget),
		cmocka_unit_test_setup(a_signal_on_another_stack, forget),
#if defined(__x86_64__)
		cmocka_unit_test_setup(frames_that_assembly_code_aligns, forget),
		cmocka_unit_test_setup(a_signal_keeps_rbx, forget),
#endif
		cmocka_unit_test_setup(a_thread_down_to_its_own_root, forget),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
