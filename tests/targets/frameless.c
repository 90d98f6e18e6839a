// SPDX-License-Identifier: Apache-2.0
/*
 * frameless [SECONDS]
 *
 * Compiled with frame pointers, it works in a leaf of its own below ten functions of generated code
 * that have none, as JIT compilers make them that use rbp for something else or leave it alone.
 * True stack: _start, ..., main, ten frames of generated code, known_leaf.
 */
#include <string.h>
#include <sys/mman.h>

#include "target.h"

enum { CODE_BYTES = 4096, FUNCTIONS = 10, FUNCTION_BYTES = 64, CALLED_AT = 6 };

uint64_t known_leaf(uint64_t value);

LEAF uint64_t known_leaf(uint64_t value)
{
	return target_work(value, 20000);
}

int main(int argc, char **argv)
{
	/* sub rsp, 24; mov rax, CALLED; call rax; add rsp, 24; ret. rdi is handed on. */
	static const unsigned char function[] = { 0x48, 0x83, 0xec, 24,	  0x48, 0xb8, 0,
						  0,	0,    0,    0,	  0,	0,    0,
						  0xff, 0xd0, 0x48, 0x83, 0xc4, 24,   0xc3 };
	unsigned char *code = mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t value = 1;

	if (code == MAP_FAILED)
		return 1;
	for (unsigned int i = 0; i < FUNCTIONS; i++) {
		unsigned char *at = code + i * FUNCTION_BYTES;
		uint64_t called = (uint64_t)(uintptr_t)(at + FUNCTION_BYTES);

		if (i == FUNCTIONS - 1)
			called = (uint64_t)(uintptr_t)known_leaf;
		memcpy(at, function, sizeof(function));
		memcpy(at + CALLED_AT, &called, sizeof(called));
	}
	target_begin(argc > 1 ? argv[1] : NULL);
	target_ready();
	while (!target_stopped)
		value = ((uint64_t(*)(uint64_t))(uintptr_t)code)(value);
	printf("{\"value\": %llu}\n", (unsigned long long)value);
	return 0;
}
