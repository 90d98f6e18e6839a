// SPDX-License-Identifier: Apache-2.0
#include "oracle/tables.h"

#include <errno.h>

#include "reader/opener.h"
#include "reader/reader.h"

enum { BUDGET_BYTES = 256 << 20 };

int tables_init(struct tables *tables, pid_t pid, bool without, bool in_process)
{
	static const struct table_store_maps no_kernel = { -1, -1, -1, -1, -1, -1, 0, 0 };
	int r;

	workers_init(&tables->workers);
	if (in_process) {
		/* What the reader and the opener would do is done here: one process, easy to debug. */
		tables->reader = reader_state_new();
		if (!tables->reader)
			return -ENOMEM;
		tables->workers.reader.direct = reader_answer;
		tables->workers.reader.direct_state = tables->reader;
		tables->workers.liner.direct = reader_answer;
		tables->workers.liner.direct_state = tables->reader;
		tables->workers.opener.direct = opener_answer;
	}
	tables->without = without;
	r = process_table_init(&tables->processes, &tables->workers);
	if (r == 0)
		r = table_store_new(&tables->store, &no_kernel, BUDGET_BYTES);
	if (r == 0)
		r = process_table_get(&tables->processes, &tables->process, pid);
	tables->objects.store = tables->store;
	tables->objects.workers = &tables->workers;
	return r;
}

/* As process_wire_update of session/sample_stack.c, with every table built. */
int tables_refresh(struct tables *tables, pid_t tid)
{
	struct process *process = tables->process;
	int r;

	process->thread = tid;
	r = process_table_read(&tables->processes, process);
	if (r < 0)
		return r;
	process->wire.count = 0;
	if (!array_reserve(&process->wire, process->mappings.count))
		return -ENOMEM;
	for (uint32_t i = 0; i < process->mappings.count; i++) {
		struct mapping *mapping = &process->mappings.at[i];
		struct wire_mapping *wire = array_push(&process->wire);

		process_table_resolve(&tables->processes, process, mapping, true);
		*wire = (struct wire_mapping){ mapping->start, mapping->end, mapping->bias, 0,
					       MAPPING_NO_CFI };
		if (mapping->object && !tables->without)
			wire->table = object_tables_get(&tables->objects, mapping->object, true, 1,
							&wire->flags);
	}
	return table_store_publish(tables->store);
}

struct object *tables_object(const struct tables *tables, uint64_t address, uint64_t *ret_elf)
{
	const struct mapping *mapping = process_mapping(tables->process, address);

	if (!mapping || !mapping->object)
		return NULL;
	*ret_elf = address - mapping->bias;
	return mapping->object;
}

bool tables_is_code(const struct tables *tables, uint64_t address)
{
	return process_mapping(tables->process, address);
}

void tables_fini(struct tables *tables)
{
	object_tables_fini(&tables->objects);
	table_store_free(tables->store);
	process_table_fini(&tables->processes);
	workers_fini(&tables->workers);
	reader_state_free(tables->reader);
}
