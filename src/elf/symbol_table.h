/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The function symbols of an object, sorted so that an address finds its name in one search.
 *
 * From .symtab (the object's own, else its separate debug file's), .dynsym, and without any
 * .symtab .gnu_debugdata. About 20 bytes a symbol stay in memory; names stay in the files, which
 * are kept open, and are read when somebody asks for one.
 *
 * A symbol covers its size and no more. One of size 0 (hand-written assembly) covers what lies
 * between it and the next symbol or the end of its section, where no other symbol does.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "elf/object.h"

struct symbol_table;

/* What covers an address. Good as long as the table. */
struct symbol_extent {
	uint64_t start;	 /* ELF address */
	uint32_t size;	 /* 0: the symbol does not say */
	uint32_t number; /* the same for all addresses that the same symbols cover */
};

/*
 * Builds the table of an object. debug_file: the descriptor of its debug file (see
 * debug_file_take), consumed, also on failure; -1: none.
 * Returns 0 (also when it is empty) or a negative errno.
 */
int symbol_table_new(struct symbol_table **ret, struct object *object, int debug_file);
void symbol_table_free(struct symbol_table *table);
DEFINE_CLEANUP(struct symbol_table, symbol_table_free);
/* The smallest symbol that covers an ELF address. Returns 0 or -ENOENT. */
int symbol_table_find(const struct symbol_table *table, uint64_t address,
		      struct symbol_extent *ret);
/* An address up to which all there are covered by the same symbols as this one, or by none; above it. */
uint64_t symbol_table_same_until(const struct symbol_table *table, uint64_t address);
/*
 * Appends the name of what symbol_table_find gave, as in the file but without a version
 * ("@GLIBC_2.34"). Of several symbols with the same extent the preferred one (elf/symbol_name.h).
 * Returns 0, -ENOENT when it has no name that can be read, or another negative errno.
 */
int symbol_table_name(const struct symbol_table *table, uint32_t number, struct bytes *ret);
/* How many symbols the table has. */
uint32_t symbol_table_count(const struct symbol_table *table);
