// SPDX-License-Identifier: Apache-2.0
#include "elf/code_looks.h"

#include "elf/instruction.h"

uint64_t code_skip_padding(struct code *code, uint64_t from, uint64_t to)
{
	while (from < to) {
		struct instruction i;
		size_t size;
		const unsigned char *bytes = code_bytes(code, from, &size);

		if (!bytes || !instruction_decode(&i, bytes, size, from))
			return to;
		if (i.kind != INSTRUCTION_NOP && bytes[0] != 0xcc)
			return from;
		from += i.length;
	}
	return to;
}

static bool is_preserved(uint8_t number)
{
	return number == REGISTER_BX || number == REGISTER_BP ||
	       (number >= 12 && number < REGISTERS);
}

bool code_looks_like_start(struct code *code, uint64_t address)
{
	for (unsigned n = 0; n < 4; n++) {
		struct instruction i;
		size_t size;
		const unsigned char *bytes = code_bytes(code, address, &size);

		if (!bytes || !instruction_decode(&i, bytes, size, address))
			return false;
		if (i.kind != INSTRUCTION_NOP)
			return i.kind == INSTRUCTION_ENTRY ||
			       (i.kind == INSTRUCTION_PUSH && is_preserved(i.a)) ||
			       (i.kind == INSTRUCTION_ADD && i.a == REGISTER_SP &&
				i.b == REGISTER_SP && i.value < 0);
		address += i.length;
	}
	return false;
}
