/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files, lines and inlined calls of Go functions, out of the table that also has their names: what
 * Go programs print in their own tracebacks, stripped or not.
 */
#pragma once

#include "base/strtab.h"
#include "elf/gopclntab.h"
#include "elf/source_frames.h"

struct gopclntab_lines;

/*
 * table: one with functions; it must outlive *ret, which takes some 128 KiB. Where a program does
 * not tell where its inlined calls are described, there are none. Returns 0 or -ENOMEM.
 */
int gopclntab_lines_new(struct gopclntab_lines **ret, const struct gopclntab *table);
void gopclntab_lines_free(struct gopclntab_lines *lines);
DEFINE_CLEANUP(struct gopclntab_lines, gopclntab_lines_free);
/*
 * What an ELF address comes from; of a call, any address of its instruction. texts: where names and
 * paths are put. Returns 0, -ENOENT (no Go function has a line there) or -ENOMEM.
 */
int gopclntab_lines_find(struct gopclntab_lines *lines, uint64_t address, struct strtab *texts,
			 struct source_frames *ret);
