/* SPDX-License-Identifier: Apache-2.0 */
/* The entries of a section of call frame information, one after another. */
#pragma once

#include "base/array.h"
#include "base/hash.h"
#include "elf/cfi_program.h"

/* A frame description entry: one function, usually. */
struct cfi_fde {
	uint64_t start;			/* ELF address */
	uint32_t size;			/* bytes of code */
	uint32_t cie;			/* index into cfi_entries.cies */
	uint32_t program, program_size; /* its instructions in the section */
};

struct cfi_entries {
	struct cfi_section section; /* set before the first call, as is: */
	const struct cfi_machine *machine;
	uint32_t broken; /* entries that were passed over */
	/* private: */
	uint64_t offset;
	ARRAY_OF(struct cfi_cie) cies;
	ARRAY_OF(uint64_t) cie_offsets;
	struct hash_index cie_index; /* of their offsets in the section */
	uint32_t last_cie;
};

/* The next usable entry. Returns 1, 0 at the end, or a negative errno. */
int cfi_entries_next(struct cfi_fde *ret, struct cfi_entries *entries);
const struct cfi_cie *cfi_entries_cie(const struct cfi_entries *entries, const struct cfi_fde *fde);
struct reader cfi_entries_program(const struct cfi_entries *entries, const struct cfi_fde *fde);
/* Frees the section too. */
void cfi_entries_fini(struct cfi_entries *entries);
static inline void cfi_entries_fini_cleanup(struct cfi_entries *entries)
{
	cfi_entries_fini(entries);
}
