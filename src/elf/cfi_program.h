/* SPDX-License-Identifier: Apache-2.0 */
/* The instructions of call frame information (DWARF 5 section 6.4.2) and the entries that hold them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "elf/cfi_rule.h"

/* A section with call frame information, in memory. */
struct cfi_section {
	unsigned char *data; /* owned */
	size_t size;
	uint64_t address;   /* ELF address of its first byte */
	uint64_t text, got; /* ELF addresses for textrel and datarel pointers; 0: not known */
	bool eh_frame;	    /* the variant of the Linux Standard Base, else .debug_frame */
	bool open_ended;    /* its size is not known: the first end mark ends it */
};

/* A common information entry, decoded. */
struct cfi_cie {
	const struct cfi_machine *machine;
	uint64_t code_align;
	int64_t data_align;
	uint8_t pointer_encoding; /* DW_EH_PE_* of addresses in entries and instructions */
	bool sized_augmentation;  /* entries carry augmentation data behind their size ('z') */
	bool signal_frame;	  /* 'S' */
	bool usable;		  /* false: leave out every entry that refers to it */
	struct cfi_state initial; /* after the instructions of the CIE itself */
};

/*
 * A pointer as the Linux Standard Base encodes it ("DWARF Exception Header Encoding"). The reader
 * runs over the section's data. Returns 0, or -EBADMSG: overrun, or an encoding not to be resolved
 * from the file alone.
 */
int cfi_pointer_read(uint64_t *ret, struct reader *reader, uint8_t encoding,
		     const struct cfi_section *section);

/* A row: the state holds from start up to end (start < end). Returns 0 or below 0 to stop. */
typedef int (*cfi_row_fn)(void *context, const struct cfi_cie *cie, const struct cfi_state *state,
			  uint64_t start, uint64_t end);

/*
 * Runs the instructions of an entry that covers [start, end), beginning with the state that its CIE
 * leaves, and calls `row` for each row, in ascending order without gaps.
 * Returns 0, -EBADMSG (broken instructions; rows up to them were told), or what `row` returned.
 */
int cfi_program_run(const struct cfi_section *section, const struct cfi_cie *cie,
		    struct reader program, uint64_t start, uint64_t end, cfi_row_fn row,
		    void *context);
/* Runs the instructions of the CIE itself into cie->initial. Returns 0 or -EBADMSG. */
int cfi_program_begin(const struct cfi_section *section, struct cfi_cie *cie,
		      struct reader program);
