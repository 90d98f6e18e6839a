/* SPDX-License-Identifier: Apache-2.0 */
/* Where the bytes of a Go program's function table may lie, and where those of its code begin. */
#pragma once

#include "elf/gopclntab.h"
#include "elf/sections.h"

/* A place where a header could be. */
struct gopclntab_place {
	uint64_t address, offset; /* of its first byte: ELF address, and in the file */
	uint64_t limit;		  /* bytes from there to the end of its section or segment */
};

/*
 * Calls `accept` with the likely places, best first, until it returns something else than 0, which
 * is what this function then returns. In files with the section that is one place; else every place
 * of the segments that begins like a header, a bounded number. Returns 0 or what accept returned,
 * or a negative errno.
 */
int gopclntab_places(const struct object *object, const struct section_table *sections,
		     int (*accept)(void *context, const struct gopclntab_place *place),
		     void *context);

enum { GOPCLNTAB_MODULE_WORDS = 48 };

/*
 * The first words of what the program says of itself (runtime.moduledata): as they are in the file,
 * or the addresses that relocations will make of them, all others 0 then. Returns 0, -ENOENT when
 * they are not found, or another negative errno.
 */
int gopclntab_module(const struct gopclntab *table, const struct section_table *sections,
		     uint64_t ret[GOPCLNTAB_MODULE_WORDS]);

/*
 * The address of runtime.text, which the table's functions count from, for a header whose own field
 * does not tell: Go 1.26 and later leave it 0, and an external linker leaves it to the loader.
 * Found by the program's description of itself, or by relocations.
 * Returns 0, -ENOENT when nothing tells, or another negative errno.
 */
int gopclntab_text(const struct gopclntab *table, const struct section_table *sections,
		   uint64_t *ret);
