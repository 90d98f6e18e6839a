/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of kernel code, of its modules and of BPF programs: /proc/kallsyms (kernel/kallsyms.c).
 *
 * The kernel tells where functions begin, not where they end: each goes on to the next one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct kernel_symbols;

struct kernel_symbols *kernel_symbols_new(void);
void kernel_symbols_free(struct kernel_symbols *symbols);
DEFINE_CLEANUP(struct kernel_symbols, kernel_symbols_free);
/* Reads /proc/kallsyms, once. Returns 0 or a negative errno (what was read before is kept). */
int kernel_symbols_read(struct kernel_symbols *symbols);
/*
 * Takes the whole lines at the beginning of `text`; *ret_taken bytes of it. Lines that are not
 * "ADDRESS TYPE NAME[\t[MODULE]]" and symbols that are not code are passed over.
 * Returns 0 or -ENOMEM.
 */
int kernel_symbols_add(struct kernel_symbols *symbols, const char *text, size_t size,
		       size_t *ret_taken);
/* Makes what was added ready to be found. */
void kernel_symbols_sort(struct kernel_symbols *symbols);
/* Whether symbols came but every address was 0, as kptr_restrict makes them for us. */
bool kernel_symbols_hidden(const struct kernel_symbols *symbols);
/*
 * The function that holds an address. *ret_module: "" for the kernel proper, "nf_tables", "bpf".
 * Strings are borrowed until the next add. Returns 0 or -ENOENT.
 */
int kernel_symbols_find(const struct kernel_symbols *symbols, uint64_t address,
			const char **ret_name, const char **ret_module);
