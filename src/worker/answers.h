/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader's answers, checked: whatever a hostile file made of the process that read it, nothing
 * that comes out of here points outside of itself.
 *
 * data: 8-aligned. All return 0, -EBADMSG for what no honest reader says, or -ENOMEM.
 */
#pragma once

#include "elf/allocator.h"
#include "elf/needed.h"
#include "elf/object.h"
#include "unwind/table.h"
#include "worker/protocol.h"

/*
 * Fills in what is in the file; object->identity.size is known. Returns also -ESTALE: the file has
 * another size by now.
 */
int answer_object(struct object *object, const unsigned char *data, size_t size);

struct table_figures {
	uint32_t unsupported, broken; /* rows and entries of the file's CFI, see struct cfi_table */
};

enum { ANSWER_NO_ROWS = 1 };

/* Returns also ANSWER_NO_ROWS. Free with unwind_table_fini. */
int answer_table(struct unwind_table *ret, struct table_figures *figures,
		 const unsigned char *data, size_t size);

/* What an address is called. Strings are borrowed. */
struct name_line {
	enum wire_name_kind kind;
	uint64_t start;
	const char *name, *system_name, *file; /* "" when there is none */
	uint32_t line, start_line; /* 0: not known */
};

/* Returns 0 or a negative errno, which ends it. */
typedef int (*name_fn)(void *context, uint32_t number, const struct name_line *lines,
		       uint32_t line_count);

/*
 * Calls `name` for each address in their order, as far as they are answered: *ret_answered, at least 1
 * of address_count. Also returns what `name` returned.
 */
int answer_names(const unsigned char *data, size_t size, uint32_t address_count,
		 uint32_t *ret_answered, name_fn name, void *context);
/* ret[count]: see ask_calls. */
int answer_calls(uint64_t *ret, uint32_t count, const unsigned char *data, size_t size);
/* Free with needed_fini. */
int answer_needed(struct needed *ret, const unsigned char *data, size_t size);
/* Free with allocator_fini. */
int answer_allocator(struct allocator *ret, const unsigned char *data, size_t size);
