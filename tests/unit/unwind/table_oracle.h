/* SPDX-License-Identifier: Apache-2.0 */
/* What libdw says of an address, in the form in which test_table_oracle compares it with the table. */
#pragma once

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "bpf/wire.h"

/* What holds at one address, in the form in which the two are compared. */
struct meaning {
	uint8_t kind;
	int32_t cfa_offset;
	int slot, bx_slot;
	uint16_t steps; /* what else the rule's `steps` says where they are none */
};

struct oracle {
	Dwarf_CFI *eh_frame, *debug_frame;
	Dwarf_Frame *frame;
	Dwarf_Addr start, end; /* where the frame holds */
	bool signal;
};

/* The frame at an address, kept while it holds. ra: the register of the return address. */
static bool oracle_seek_frame(struct oracle *o, uint64_t address, int ra)
{
	if (o->frame && address >= o->start && address < o->end)
		return true;
	free(o->frame);
	o->frame = NULL;
	if ((!o->eh_frame || dwarf_cfi_addrframe(o->eh_frame, address, &o->frame) != 0) &&
	    (!o->debug_frame || dwarf_cfi_addrframe(o->debug_frame, address, &o->frame) != 0)) {
		o->frame = NULL;
		return false;
	}
	return dwarf_frame_info(o->frame, &o->start, &o->end, &o->signal) == ra;
}

/* Do the operations begin with this register and an offset? */
static bool is_register(const Dwarf_Op *ops, size_t count, unsigned number, int64_t *ret_offset)
{
	if (count < 1)
		return false;
	/* What libdw makes of DW_CFA_def_cfa; the other is what stands in expressions. */
	if (ops[0].atom == DW_OP_bregx && ops[0].number == number) {
		*ret_offset = (int64_t)ops[0].number2;
		return true;
	}
	*ret_offset = (int64_t)ops[0].number;
	return ops[0].atom == DW_OP_breg0 + number;
}

struct location {
	bool undefined, same, at_cfa;
	int64_t offset; /* at_cfa: from the CFA */
	const Dwarf_Op *ops;
	size_t count;
};

static bool locate(Dwarf_Frame *frame, int number, struct location *ret, Dwarf_Op memory[3])
{
	Dwarf_Op *ops;
	size_t count;

	*ret = (struct location){};
	if (dwarf_frame_register(frame, number, memory, &ops, &count) != 0)
		return false;
	ret->undefined = count == 0 && ops == memory;
	ret->same = count == 0 && ops == NULL;
	if (count > 0 && ops[0].atom == DW_OP_call_frame_cfa) {
		ops++;
		count--;
		ret->at_cfa = count == 0 || (count == 1 && ops[0].atom == DW_OP_plus_uconst);
		ret->offset = count ? (int64_t)ops[0].number : 0;
	}
	ret->ops = ops;
	ret->count = count;
	return true;
}
