// SPDX-License-Identifier: Apache-2.0
/* aarch64: libunwind's numbers are DWARF's ("DWARF for the Arm 64-bit Architecture", register numbers). */
#include <libunwind-aarch64.h>

#include "unwind/remote.h"

const int remote_number_of_bp = UNW_AARCH64_X29, remote_number_of_bx = UNW_AARCH64_X30;
const bool remote_bx_lasts = false;

int remote_register(const struct remote_registers *registers, int number, uint64_t *ret)
{
	switch (number) {
	case UNW_AARCH64_PC:
		*ret = registers->ip;
		return 0;
	case UNW_AARCH64_SP:
		*ret = registers->sp;
		return 0;
	case UNW_AARCH64_X29:
		*ret = registers->bp;
		return 0;
	case UNW_AARCH64_X30:
		*ret = registers->bx;
		return 0;
	}
	if (number < UNW_AARCH64_X9 || number > UNW_AARCH64_X17)
		return -1;
	*ret = registers->temporaries[number - UNW_AARCH64_X9];
	return 0;
}
