/* SPDX-License-Identifier: Apache-2.0 */
/* Finding an object's sections of call frame information and reading them into memory. */
#pragma once

#include "elf/cfi_program.h"
#include "elf/object.h"

/*
 * .eh_frame: by its section header, or by the program header PT_GNU_EH_FRAME where there is none.
 * Returns 0 (data NULL: there is none) or a negative errno (-EFBIG: larger than profd reads,
 * -ENODATA: the file became shorter). Free with cfi_section_fini.
 */
int cfi_section_read_eh_frame(struct cfi_section *ret, const struct object *object);
/* .debug_frame, also when it is compressed. Results as above. */
int cfi_section_read_debug_frame(struct cfi_section *ret, const struct object *object);
void cfi_section_fini(struct cfi_section *section);
static inline void cfi_section_fini_cleanup(struct cfi_section *section)
{
	cfi_section_fini(section);
}
