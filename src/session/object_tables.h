/* SPDX-License-Identifier: Apache-2.0 */
/* Which unwind table an object has: compiled once, when a walk needs it or ahead of sampling. */
#pragma once

#include "base/hash.h"
#include "worker/ask_reader.h"
#include "unwind/table_store.h"

struct object_tables {
	struct table_store *store; /* borrowed */
	struct workers *workers;   /* borrowed */
	ARRAY_OF(struct object_table) objects;
	struct hash_index index; /* object id → position in objects */
	uint64_t cost_ns;          /* CPU time spent compiling, here and in the reader */
	uint32_t compiled, failed; /* objects */
	uint32_t cfi_broken, cfi_unsupported;
};

struct object_table {
	uint32_t object; /* its id */
	uint64_t serial; /* of the table: its id may serve another one since */
	uint32_t table; /* 0: none */
	uint64_t retry_ns; /* UNTRIED: not before, while room is made for it */
	enum object_table_state {
		OBJECT_TABLE_UNTRIED,
		OBJECT_TABLE_NO_CFI,
		OBJECT_TABLE_PLACED,
		OBJECT_TABLE_FAILED,
	} state;
};

/*
 * The table's id for wire_mapping.table, or 0; *flags: for wire_mapping.flags, when there is none to
 * be had. build: compile it if that was not tried (or it was evicted); now_ns: CLOCK_MONOTONIC.
 */
uint32_t object_tables_get(struct object_tables *tables, struct object *object, bool build,
			   uint64_t now_ns, uint32_t *flags);
/* A sample went through the object's code: its table is kept rather than others. */
void object_tables_touch(struct object_tables *tables, const struct object *object,
			 uint64_t now_ns);
/* Nobody will ask for the object's table any more. */
void object_tables_forget(struct object_tables *tables, const struct object *object);
void object_tables_fini(struct object_tables *tables);
