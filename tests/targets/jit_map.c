// SPDX-License-Identifier: Apache-2.0
/*
 * jit_map [SECONDS]
 *
 * Works in generated code (with a frame pointer, in anonymous memory), and tells its name as JIT
 * compilers do: in /tmp/perf-PID.map, by the pid that it has for itself. It removes that file at its
 * end. True stack: _start, …, main, run, generated.
 */
#include <string.h>
#include <sys/mman.h>

#include "target.h"

enum { CODE_BYTES = 4096 };

/* rdi: how often. Position-independent, calls nothing. */
__asm__(".pushsection .rodata\n"
	"code_begin:\n\tpush %rbp\n\tmov %rsp, %rbp\n\tmov %rdi, %rax\n"
	"1:\tlea 1(%rax,%rax,4), %rax\n\tdec %rdi\n\tjnz 1b\n\tpop %rbp\n\tret\n"
	"code_end:\n"
	".popsection\n");
extern const char code_begin[], code_end[];

FUNCTION uint64_t run(uint64_t (*code)(uint64_t));

uint64_t run(uint64_t (*code)(uint64_t))
{
	uint64_t value = 0;

	while (!target_stopped)
		value += code(20000);
	NO_TAIL_CALL(value);
	return value;
}

int main(int argc, char **argv)
{
	void *code = mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char path[64];
	uint64_t value;
	FILE *map;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	map = fopen(path, "w");
	if (code == MAP_FAILED || !map)
		return 1;
	memcpy(code, code_begin, (size_t)(code_end - code_begin));
	fprintf(map, "%lx %lx generated\n", (unsigned long)code,
		(unsigned long)(code_end - code_begin));
	fclose(map);
	target_begin(argc > 1 ? argv[1] : NULL);
	target_ready();
	value = run((uint64_t(*)(uint64_t))code);
	remove(path);
	printf("{\"value\": %llu}\n", (unsigned long long)value);
	return 0;
}
