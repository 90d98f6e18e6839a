// SPDX-License-Identifier: Apache-2.0
/*
 * generated MILLISECONDS [PLUGIN.so]
 *
 * Copies the machine code of one of two functions into anonymous memory, works there for
 * MILLISECONDS of CPU time, and puts the other one in its place: by turns in memory that stays
 * (written over), and in memory that is unmapped and mapped again. True stacks: main, spin, and one
 * frame of generated code, which has a frame pointer and no name.
 *
 * With PLUGIN, each time that is loaded before, worked in for as long, and unloaded, and the
 * generated code comes to lie where it was: main, visit, plugin_run, red_middle, red_leaf.
 */
#include <dlfcn.h>
#include <string.h>
#include <sys/mman.h>

#include "target.h"

enum { CODE_BYTES = 4096 };

FUNCTION uint64_t spin(void *code, uint64_t value, uint64_t limit_ns);

/*
 * Position-independent, each ending in ret, nothing called: what a JIT compiler would put there.
 * rdi: the value, rsi: how often.
 */
__asm__(".pushsection .rodata\n"
	"generated_first:\n\tpush %rbp\n\tmov %rsp, %rbp\n\tmov %rdi, %rax\n"
	"1:\tlea 1(%rax,%rax,4), %rax\n\tdec %rsi\n\tjnz 1b\n\tpop %rbp\n\tret\n"
	"generated_first_end:\n"
	"generated_second:\n\tpush %rbp\n\tmov %rsp, %rbp\n\tsub $1024, %rsp\n\tmov %rdi, %rax\n"
	"1:\tlea 3(%rax,%rax,8), %rax\n\tdec %rsi\n\tjnz 1b\n\tleave\n\tret\n"
	"generated_second_end:\n"
	".popsection\n");
extern const char generated_first[], generated_first_end[];
extern const char generated_second[], generated_second_end[];

uint64_t spin(void *code, uint64_t value, uint64_t limit_ns)
{
	uint64_t (*run)(uint64_t, uint64_t) = (uint64_t(*)(uint64_t, uint64_t))(uintptr_t)code;
	uint64_t end_ns = target_clock_ns(CLOCK_PROCESS_CPUTIME_ID) + limit_ns;

	while (!target_stopped && target_clock_ns(CLOCK_PROCESS_CPUTIME_ID) < end_ns)
		value = run(value, 20000);
	NO_TAIL_CALL(value);
	return value;
}

static void *map_code(void *where)
{
	void *code = mmap(where, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS | (where ? MAP_FIXED_NOREPLACE : 0), -1, 0);

	if (code == MAP_FAILED)
		exit(1);
	return code;
}

FUNCTION uint64_t visit(const char *plugin, uint64_t value, uint64_t limit_ns, void **ret_page);

/* Says where the plugin's code was. */
uint64_t visit(const char *plugin, uint64_t value, uint64_t limit_ns, void **ret_page)
{
	void *handle = dlopen(plugin, RTLD_NOW);
	uint64_t (*run)(uint64_t), end_ns;

	if (!handle)
		exit(1);
	run = (uint64_t(*)(uint64_t))(uintptr_t)dlsym(handle, "plugin_run");
	*ret_page = (void *)((uintptr_t)run & ~(uintptr_t)(CODE_BYTES - 1));
	end_ns = target_clock_ns(CLOCK_PROCESS_CPUTIME_ID) + limit_ns;
	while (!target_stopped && target_clock_ns(CLOCK_PROCESS_CPUTIME_ID) < end_ns)
		value = run(value);
	dlclose(handle);
	NO_TAIL_CALL(value);
	return value;
}

int main(int argc, char **argv)
{
	uint64_t limit_ns = (uint64_t)atol(argc > 1 ? argv[1] : "5") * 1000000u, value = 1;
	const char *plugin = argc > 2 ? argv[2] : NULL;
	void *code = map_code(NULL), *page = NULL;

	target_begin(NULL);
	target_ready();
	for (unsigned int i = 0; !target_stopped; i++) {
		if (i % 4 == 0 || plugin) {
			munmap(code, CODE_BYTES);
			if (plugin)
				value = visit(plugin, value, limit_ns, &page);
			code = map_code(page);
		}
		if (i % 2 == 0)
			memcpy(code, generated_first, generated_first_end - generated_first);
		else
			memcpy(code, generated_second, generated_second_end - generated_second);
		value = spin(code, value, limit_ns);
	}
	printf("{\"value\": %llu}\n", (unsigned long long)value);
	return 0;
}
