// SPDX-License-Identifier: Apache-2.0
/* x86-64: libunwind's numbers are DWARF's (System V ABI, "DWARF Register Number Mapping"). */
#include <libunwind-x86_64.h>

#include "unwind/remote.h"

const int remote_number_of_bp = UNW_X86_64_RBP, remote_number_of_bx = UNW_X86_64_RBX;
const bool remote_bx_lasts = true;

int remote_register(const struct remote_registers *registers, int number, uint64_t *ret)
{
	static const signed char temporaries[] = {
		[UNW_X86_64_RAX] = TEMPORARY_AX,  [UNW_X86_64_RDX] = TEMPORARY_DX,
		[UNW_X86_64_RCX] = TEMPORARY_CX,  [UNW_X86_64_RSI] = TEMPORARY_SI,
		[UNW_X86_64_RDI] = TEMPORARY_DI,  [UNW_X86_64_R8] = TEMPORARY_R8,
		[UNW_X86_64_R9] = TEMPORARY_R9,	  [UNW_X86_64_R10] = TEMPORARY_R10,
		[UNW_X86_64_R11] = TEMPORARY_R11,
	};

	switch (number) {
	case UNW_X86_64_RIP:
		*ret = registers->ip;
		return 0;
	case UNW_X86_64_RSP:
		*ret = registers->sp;
		return 0;
	case UNW_X86_64_RBP:
		*ret = registers->bp;
		return 0;
	case UNW_X86_64_RBX:
		*ret = registers->bx;
		return 0;
	}
	if (number < 0 || number > UNW_X86_64_R11)
		return -1;
	*ret = registers->temporaries[temporaries[number]];
	return 0;
}
