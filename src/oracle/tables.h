/* SPDX-License-Identifier: Apache-2.0 */
/* What profd knows of the process: its executable mappings, and the unwind tables of their files. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proc/process_table.h"
#include "session/object_tables.h"
#include "unwind/table_store.h"

struct tables {
	struct workers workers;
	struct reader_state *reader;
	struct process_table processes;
	struct process *process;
	struct object_tables objects;
	struct table_store *store;
	bool without; /* as if no file had any: a check of the oracle itself */
};

/* Returns 0 or a negative errno. */
int tables_init(struct tables *tables, pid_t pid, bool without, bool in_process);
/* Reads the mappings anew and compiles what is new among them. tid: a living thread. */
int tables_refresh(struct tables *tables, pid_t tid);
/* The file mapped at the address and the ELF address there; NULL: none. Borrowed. */
struct object *tables_object(const struct tables *tables, uint64_t address, uint64_t *ret_elf);
bool tables_is_code(const struct tables *tables, uint64_t address);
void tables_fini(struct tables *tables);
