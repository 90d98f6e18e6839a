/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows for aarch64 code that has no call frame information, and is always the same: linkage tables, and the
 * trampolines to which signal handlers return (the kernel's has none on purpose, arch/arm64/kernel/vdso/
 * sigreturn.S).
 */
#pragma once

#include "elf/cfi_table.h"
#include "elf/object.h"

/* Returns 0 (also where there are none: no rows) or a negative errno. Free with cfi_table_fini. */
int link_code_rows(struct cfi_table *ret, const struct object *object);

/*
 * Makes the last rows before the end of functions that leave by __builtin_eh_return (libgcc's unwinder)
 * RULE_UNWINDER. Returns 0 or -ENOMEM.
 */
int link_code_mark_unwinders(struct cfi_table *table, const struct object *object);
