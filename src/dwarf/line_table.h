/* SPDX-License-Identifier: Apache-2.0 */
/* The line table of a unit (DWARF 5 section 6.2): which line of which file an address comes from. */
#pragma once

#include "dwarf/dwarf_file.h"
#include "elf/object.h"

#define LINE_NO_FILE UINT32_MAX

/* From `address` to the next row. */
struct line_row {
	uint64_t address; /* ELF address */
	uint32_t file;	  /* in line_table.files; LINE_NO_FILE: nothing is known there */
	uint32_t line;	  /* 0: the code comes from no line */
};

struct line_file {
	uint64_t name;	 /* offset in line_table.texts */
	uint32_t folder; /* in line_table.folders */
};

struct line_table {
	ARRAY_OF(struct line_row) rows; /* ascending */
	ARRAY_OF(uint64_t) folders;	/* offsets in `texts` */
	ARRAY_OF(struct line_file) files;
	struct bytes texts;  /* of the header, each with its NUL */
	uint32_t first_file; /* the number that the table gives to files.at[0] */
};

/*
 * Reads the table of a unit. object: whose code it is; what lies outside of its code is left out, and
 * so is what a sequence of too many rows covers.
 * Returns 0 (also without a table), -EBADMSG (then what was read so far is good) or -ENOMEM. Free
 * with line_table_fini.
 */
int line_table_read(struct line_table *ret, struct dwarf_file *file, const struct dwarf_unit *unit,
		    const struct object *object);
void line_table_fini(struct line_table *table);
/* The row that holds at an address, or NULL. */
const struct line_row *line_table_find(const struct line_table *table, uint64_t address);
/* The next row's address above this one; UINT64_MAX: there is none. */
uint64_t line_table_next(const struct line_table *table, uint64_t address);
/*
 * Appends the path of files.at[number], below `folder` (where the compiler ran) when it is a relative one.
 * Returns 0 or -ENOENT.
 */
int line_table_path(const struct line_table *table, uint32_t number, const char *folder,
		    struct bytes *ret);
