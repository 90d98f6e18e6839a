// SPDX-License-Identifier: Apache-2.0
#include "session/object_tables.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* About the time after which evicted tables have made room; compiling in vain costs as much. */
#define RETRY_NS 200000000ULL

/*
 * Places a table. Those with rules of very many kinds give way; to wait for that here costs less than
 * the stacks that come in meanwhile. Returns as table_store_add.
 */
static int place(struct object_tables *tables, const struct object *object,
		 const struct unwind_table *table, uint32_t *ret)
{
	uint32_t refused = table_store_rules_refused(tables->store);
	int r = table_store_add(tables->store, ret, table, clock_ns(CLOCK_MONOTONIC));

	if (r == TABLE_STORE_SOON) {
		usleep(TABLE_STORE_SOON_MS * 1000);
		r = table_store_add(tables->store, ret, table, clock_ns(CLOCK_MONOTONIC));
	}
	if (table->dropped_rules || table_store_rules_refused(tables->store) != refused)
		workers_give_up(tables->workers, object->path,
				"it has more kinds of unwind rules than profd keeps");
	return r == TABLE_STORE_SOON ? -EAGAIN : r;
}

/* Compiles and places. Returns the new state. */
static enum object_table_state compile(struct object_tables *tables, struct object *object,
				       uint32_t *ret)
{
	struct table_figures figures = {};
	struct unwind_table table = {};
	int r = ask_table(tables->workers, &table, &figures, object);

	/* What was read may belong to two versions of it, neither of them the one that runs. */
	if (r >= 0 && !ask_is_unchanged(tables->workers, object, UINT64_MAX))
		r = -ETXTBSY;
	if (r == ANSWER_NO_ROWS)
		return OBJECT_TABLE_NO_CFI;
	tables->cfi_broken += figures.broken;
	tables->cfi_unsupported += figures.unsupported;
	/* Of an overlay each container has one of its own. */
	table.origin = hash_pair(object->identity.device, object->identity.owner);
	if (r == 0)
		r = place(tables, object, &table, ret);
	unwind_table_fini(&table);
	if (r == 0)
		return OBJECT_TABLE_PLACED;
	/* Room is being made; or its file is closed until somebody maps it again. */
	if (r == -EAGAIN || r == -ESTALE)
		return OBJECT_TABLE_UNTRIED;
	log_debug("no unwind table for %s: %s", object->path, strerror(-r));
	return OBJECT_TABLE_FAILED;
}

static uint64_t cost_now(const struct object_tables *tables)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID) + workers_cpu_ns(tables->workers);
}

static struct object_table *find(const struct object_tables *tables, const struct object *object)
{
	uint32_t at = hash_index_find(&tables->index, hash_u64(object->id), NULL, NULL, NULL);

	return at == HASH_ABSENT ? NULL : &tables->objects.at[at];
}

/* NULL: out of memory. */
static struct object_table *get(struct object_tables *tables, const struct object *object)
{
	struct object_table *entry = find(tables, object);

	if (entry)
		return entry;
	entry = array_push(&tables->objects);
	if (!entry)
		return NULL;
	if (hash_index_add(&tables->index, hash_u64(object->id), tables->objects.count - 1) < 0) {
		tables->objects.count--;
		return NULL;
	}
	entry->object = object->id;
	return entry;
}

uint32_t object_tables_get(struct object_tables *tables, struct object *object, bool build,
			   uint64_t now_ns, uint32_t *flags)
{
	struct object_table *entry;

	*flags = 0;
	entry = get(tables, object);
	if (!entry)
		return 0;
	if (entry->state == OBJECT_TABLE_PLACED &&
	    table_store_serial(tables->store, entry->table) != entry->serial)
		*entry = (struct object_table){ .object = object->id }; /* evicted */
	if (entry->state == OBJECT_TABLE_UNTRIED && build && now_ns >= entry->retry_ns) {
		uint64_t begin = cost_now(tables);

		entry->state = compile(tables, object, &entry->table);
		entry->serial = table_store_serial(tables->store, entry->table);
		entry->retry_ns = now_ns + RETRY_NS;
		tables->compiled += entry->state == OBJECT_TABLE_PLACED;
		tables->failed += entry->state == OBJECT_TABLE_FAILED;
		tables->cost_ns += cost_now(tables) - begin;
	}
	/* Without a table that could ever come, a frame pointer is better than nothing. */
	if (entry->state == OBJECT_TABLE_NO_CFI)
		*flags = MAPPING_NO_CFI;
	else if (entry->state == OBJECT_TABLE_FAILED) /* nobody could look at it */
		*flags = MAPPING_NO_CFI | MAPPING_UNKNOWN;
	return entry->table;
}

void object_tables_touch(struct object_tables *tables, const struct object *object, uint64_t now_ns)
{
	const struct object_table *entry = find(tables, object);

	if (entry)
		table_store_touch(tables->store, entry->table, now_ns);
}

void object_tables_forget(struct object_tables *tables, const struct object *object)
{
	struct object_table *entry = find(tables, object), *last;
	uint32_t at;

	if (!entry)
		return;
	at = (uint32_t)(entry - tables->objects.at);
	hash_index_remove(&tables->index, hash_u64(object->id), at);
	last = &tables->objects.at[--tables->objects.count];
	if (last != entry) {
		*entry = *last;
		hash_index_remove(&tables->index, hash_u64(entry->object), tables->objects.count);
		/* A slot was just freed. */
		(void)hash_index_add(&tables->index, hash_u64(entry->object), at);
	}
}

void object_tables_fini(struct object_tables *tables)
{
	array_fini(&tables->objects);
	hash_index_fini(&tables->index);
}
