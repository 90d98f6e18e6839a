/* SPDX-License-Identifier: Apache-2.0 */
/* What call frame information says of one address, and what of it the walker can use. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/wire.h"

/* A DWARF expression, borrowed from its section. */
struct cfi_expression {
	const uint8_t *at;
	size_t size;
};

enum cfi_saved {
	SAVED_UNSPECIFIED,
	SAVED_SAME,	  /* still in its register */
	SAVED_UNDEFINED,  /* gone; for the return address: there is no caller */
	SAVED_OFFSET,	  /* at CFA + offset */
	SAVED_REGISTER,	  /* in the register with the number `offset` */
	SAVED_EXPRESSION, /* at the address that the expression gives */
	SAVED_OTHER,	  /* a value without a place */
};

struct cfi_register {
	enum cfi_saved how;
	int64_t offset;
	struct cfi_expression expression;
};

enum cfi_cfa {
	CFA_UNSPECIFIED,
	CFA_OFFSET, /* number + offset */
	CFA_EXPRESSION,
};

enum cfi_column { COLUMN_FRAME_POINTER, COLUMN_BASE, COLUMN_RETURN_ADDRESS, CFI_COLUMNS };

/* A row of the table that DWARF 5 section 6.4.1 describes, cut down to the columns of a walk. */
struct cfi_state {
	enum cfi_cfa cfa;
	uint64_t number; /* DWARF number of the register that the CFA is told by */
	int64_t offset;
	struct cfi_expression expression;
	struct cfi_register columns[CFI_COLUMNS];
};

/* DWARF register numbers of a machine, and where its calls leave the return address. */
struct cfi_machine {
	uint16_t elf_machine; /* EM_* */
	uint8_t stack_pointer, frame_pointer, return_address;
	/* Calls leave the return address in the register `return_address`: see cfi_link_rule_of. */
	bool link_register;
	uint8_t base; /* a preserved register by which some assembly code finds its frame */
	int8_t return_address_offset;	       /* from the CFA */
	uint8_t temporaries[WIRE_TEMPORARIES]; /* in the order of enum wire_temporary */
};

enum { CFI_NO_REGISTER = 255 };

/* The facts for an ELF e_machine, or NULL for one that profd cannot walk. */
const struct cfi_machine *cfi_machine_of(uint16_t elf_machine);
/*
 * The walker's rule for a row, without steps. signal_frame: the row belongs to an entry with the
 * augmentation 'S'. What a rule cannot tell becomes RULE_NONE with CFI_UNKNOWN (elf/cfi.h).
 */
struct wire_rule cfi_rule_of(const struct cfi_machine *machine, const struct cfi_state *state,
			     bool signal_frame);
/* The same of a machine with a link register (cfi_rule_link.c); cfi_rule_of calls it. */
struct wire_rule cfi_link_rule_of(const struct cfi_machine *machine, const struct cfi_state *state,
				  bool signal_frame);
