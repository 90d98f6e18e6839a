// SPDX-License-Identifier: Apache-2.0
#include "session/object_tables.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "elf/rows.h"
#include "unwind/table.h"

/* About the time after which evicted tables have made room; compiling in vain costs as much. */
#define RETRY_NS 200000000ULL

/* Compiles and places. Returns the new state. */
static enum object_table_state compile(struct object_tables *tables, const struct object *object,
				       uint64_t now_ns, uint32_t *ret)
{
	struct cfi_table cfi = {};
	struct unwind_table table = {};
	enum object_table_state state = OBJECT_TABLE_FAILED;
	int r = rows_read(&cfi, object);

	if (r == 0 && cfi.rows.count == 0) {
		state = OBJECT_TABLE_NO_CFI;
		goto end;
	}
	tables->cfi_broken += cfi.broken;
	tables->cfi_unsupported += cfi.unsupported;
	if (r == 0)
		r = unwind_table_build(&table, &cfi);
	if (r == 0) {
		tables->rules_dropped += table.dropped_rules;
		r = table_store_add(tables->store, ret, &table, now_ns);
	}
	if (r == 0)
		state = OBJECT_TABLE_PLACED;
	else if (r == -EAGAIN)
		state = OBJECT_TABLE_UNTRIED;
	else
		log_debug("no unwind table for %s: %s", object->path, strerror(-r));
end:
	unwind_table_fini(&table);
	cfi_table_fini(&cfi);
	return state;
}

uint32_t object_tables_get(struct object_tables *tables, const struct object *object, bool build,
			   uint64_t now_ns, bool *no_cfi)
{
	struct object_table *entry;

	*no_cfi = false;
	while (tables->objects.count <= object->id)
		if (!array_push(&tables->objects))
			return 0;
	entry = &tables->objects.at[object->id];
	if (entry->state == OBJECT_TABLE_PLACED && !table_store_has(tables->store, entry->table))
		*entry = (struct object_table){}; /* evicted */
	if (entry->state == OBJECT_TABLE_UNTRIED && build && now_ns >= entry->retry_ns) {
		uint64_t begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);

		entry->state = compile(tables, object, now_ns, &entry->table);
		entry->retry_ns = now_ns + RETRY_NS;
		tables->compiled += entry->state == OBJECT_TABLE_PLACED;
		tables->failed += entry->state == OBJECT_TABLE_FAILED;
		tables->cost_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
	}
	/* Without a table that could ever come, a frame pointer is better than nothing. */
	*no_cfi = entry->state == OBJECT_TABLE_NO_CFI || entry->state == OBJECT_TABLE_FAILED;
	return entry->table;
}

void object_tables_touch(struct object_tables *tables, const struct object *object,
			 uint64_t now_ns)
{
	if (object->id < tables->objects.count)
		table_store_touch(tables->store, tables->objects.at[object->id].table, now_ns);
}

void object_tables_fini(struct object_tables *tables)
{
	array_fini(&tables->objects);
}
