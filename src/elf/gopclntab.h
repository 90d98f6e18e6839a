/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table that every Go program carries for its own tracebacks, stripped or not: its functions
 * with their names, and for each a few tables by address ("pc-value tables": how far the stack
 * pointer has moved, and more).
 *
 * Layouts of Go 1.16, 1.18 and 1.20 and later (the headers' magic numbers; Go's
 * src/internal/abi/symtab.go and runtime/symtab.go name the fields). Older and unknown ones are
 * not read. The table stays in the file; a look-up reads a few blocks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/file_window.h"
#include "elf/cfi.h"
#include "elf/object.h"

/* A place and a size, in bytes from the header of the table, inside of the file. */
struct gopclntab_part {
	uint64_t offset, size;
};

struct gopclntab {
	const struct object *object; /* borrowed */
	uint64_t address;	     /* ELF address of the header */
	uint64_t offset;	     /* of the header in the file */
	uint64_t text;	/* what the functions' addresses count from; 0: they are absolute */
	uint32_t count; /* of functions; 0: no table, nothing is found */
	uint32_t magic; /* enum gopclntab_magic */
	struct gopclntab_part names, units, files, values, functions;
};

enum gopclntab_magic {
	GOPCLNTAB_1_16 = 0xfffffffa,
	GOPCLNTAB_1_18 = 0xfffffff0,
	GOPCLNTAB_1_20 = 0xfffffff1,
};

/* What Go says of one function. */
struct gopclntab_function {
	uint64_t start, end; /* ELF addresses; padding behind the function counts as its own */
	uint32_t name;	     /* offset in `names` */
	/* Offsets in `values` of tables by address; 0: there is none. */
	uint32_t stack_values;		   /* of the stack pointer */
	uint32_t file_values, line_values; /* see gopclntab_lines.h */
	uint32_t unit;			   /* number in `units` of its first file */
	uint32_t start_line;		   /* 0: not known, as before Go 1.20 */
	/*
	 * Offset in `functions` of what follows it: where so many further tables begin, then where so
	 * many other data are (abi.PCDATA_*, FUNCDATA_*).
	 */
	uint64_t further;
	uint32_t further_values;
	uint8_t further_data;
	uint8_t flags; /* GOPCLNTAB_*; Go 1.16 has none */
};

/* abi.FuncFlag */
enum {
	GOPCLNTAB_TOP_FRAME = 1, /* stacks begin in it */
	GOPCLNTAB_SP_WRITE = 2,	 /* its stack pointer moves in ways that no table tells */
	GOPCLNTAB_ASSEMBLY = 4,
};

/*
 * Finds the table of an object, which must outlive *ret. Returns 0 (also when it has none: count 0)
 * or a negative errno.
 */
int gopclntab_open(struct gopclntab *ret, const struct object *object);
/*
 * The function that holds an ELF address: its first address, its size in bytes, and its number.
 * Returns 0, -ENOENT when none holds it, or another negative errno.
 */
int gopclntab_find(const struct gopclntab *table, uint64_t address, uint64_t *ret_start,
		   uint64_t *ret_size, uint32_t *ret_number);
/*
 * Appends the name of a function, with the path of its package ("net/http.(*conn).serve").
 * Returns 0, -ENOENT when it has none that can be read, or another negative errno.
 */
int gopclntab_name(const struct gopclntab *table, uint32_t number, struct bytes *ret);

/* Reads functions and their tables one after the other. Some 64 KiB; keep it on the heap. */
struct gopclntab_cursor {
	const struct gopclntab *table;
	struct file_window entries, functions, values, names;
};

/* table: must outlive the cursor. */
void gopclntab_cursor_init(struct gopclntab_cursor *cursor, const struct gopclntab *table);
/* The function with this number. False: it contradicts itself, or cannot be read. */
bool gopclntab_cursor_function(struct gopclntab_cursor *cursor, struct gopclntab_function *ret,
			       uint32_t number);
/*
 * Its name, cut to what fits in `size` bytes and always terminated; "" when it cannot be read.
 * Good until the next call.
 */
const char *gopclntab_cursor_name(struct gopclntab_cursor *cursor,
				  const struct gopclntab_function *function, char *ret,
				  size_t size);

/* One of a function's tables by address, under way. */
struct gopclntab_values {
	uint64_t position;   /* offset in `values` of the next entry */
	uint64_t start, end; /* ELF addresses between which `value` holds */
	uint64_t limit;	     /* end of the function */
	int32_t value;
};

/* offset: where the table begins in `values`. */
void gopclntab_values_init(struct gopclntab_values *values,
			   const struct gopclntab_function *function, uint32_t offset);
/* On to the next value. False: there are no more, or the table is broken from here on. */
bool gopclntab_values_next(struct gopclntab_values *values, struct gopclntab_cursor *cursor);

/*
 * How to find the callers of Go functions, as rows like those of cfi_read. Returns 0 (no rows
 * without a table) or a negative errno. See gopclntab_rows.c.
 */
int gopclntab_rows(struct cfi_table *ret, const struct object *object);
