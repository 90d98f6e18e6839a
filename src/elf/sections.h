/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The section headers of an ELF file, for what only sections tell: symbol tables, debug links.
 *
 * Sections are a courtesy: they may be stripped or lie. What comes out of here lies inside the
 * file: a section that does not has size 0.
 */
#pragma once

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

struct section_table {
	Elf64_Shdr *at;
	uint32_t count; /* 0: the file has no usable section headers */
	char *names;	/* ends with a NUL of ours; NULL when there are none */
	size_t names_size;
};

/* Reads the table of the 64-bit little-endian ELF file open as `fd`. Returns 0 or -errno. */
int section_table_read(struct section_table *ret, int fd);
void section_table_fini(struct section_table *table);
static inline void section_table_fini_cleanup(struct section_table *table)
{
	section_table_fini(table);
}
/* The section with this number, or NULL. */
const Elf64_Shdr *section_table_at(const struct section_table *table, uint32_t number);
/* The first section with this type (SHT_*) and name, or NULL. name: NULL for any. */
const Elf64_Shdr *section_table_find(const struct section_table *table, uint32_t type,
				     const char *name);
