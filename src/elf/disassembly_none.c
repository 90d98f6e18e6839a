// SPDX-License-Identifier: Apache-2.0
#include "elf/disassembly.h"

#include <errno.h>

int disassemble(char ret[DISASSEMBLY_TEXT_BYTES], uint64_t *ret_target, const unsigned char *bytes,
		size_t size, uint64_t address)
{
	(void)ret;
	(void)ret_target;
	(void)bytes;
	(void)size;
	(void)address;
	return -EOPNOTSUPP;
}
