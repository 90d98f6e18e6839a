// SPDX-License-Identifier: Apache-2.0
#include "unwind/table_store.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/hash.h"
#include "bpf/table.h"
#include "unwind/chunks.h"
#include "unwind/extents.h"
#include "unwind/rule_dictionary.h"
#include "unwind/rule_origins.h"

/* A walk takes microseconds; this also covers a CPU whose host took it away for a while. */
#define QUARANTINE_NS 200000000ULL
/*
 * Rules that no other table has wait less long, for somebody waits for them: who still reads them
 * walks through the table that gave way.
 */
#define RULES_QUARANTINE_NS (TABLE_STORE_SOON_MS * 1000000ULL)

/* For `chunk` of a run: not of units, but of entries of the kernel half's `mappings` or `rules`. */
#define MAPPINGS UINT32_MAX
#define RULES (UINT32_MAX - 1)

struct quarantined {
	struct chunk_run run;
	uint64_t free_at_ns;
};

struct stored_table {
	struct wire_table wire; /* page_count 0: the id is unused */
	ARRAY_OF(struct chunk_run) runs;
	ARRAY_OF(uint16_t) rules; /* of the dictionary, by the number in the table; it uses them */
	uint64_t origin;	  /* struct unwind_table */
	uint64_t used_ns;
	uint64_t serial;     /* of all tables there ever were */
	uint64_t free_at_ns; /* evicted: when the id may serve another one */
	bool published;
};

struct stored_process {
	pid_t pid;
	struct chunk_run run;
};

struct table_store {
	struct table_store_maps maps;
	struct chunks chunks;
	ARRAY_OF(struct stored_table) tables; /* index = id, 0 unused */
	struct rule_dictionary dictionary;
	struct extents mapping_entries;
	ARRAY_OF(struct stored_process) processes;
	struct hash_index process_index;
	ARRAY_OF(struct quarantined) quarantine;
	struct wire_rule *rule_memory;	      /* mapped from maps.rules, or NULL */
	struct wire_mapping *mapping_memory;  /* mapped from maps.mappings, or NULL */
	struct wire_table *table_memory;      /* mapped from maps.tables, or NULL */
	struct wire_rule_cache *cache_memory; /* mapped from maps.rule_caches, or NULL */
	uint64_t last_serial;
	uint32_t next_id; /* once all ids were used: where to look for a free one */
	uint32_t evictions, processes_refused, rules_refused;
};

static size_t page_align(size_t size)
{
	return (size + 4095) & ~(size_t)4095;
}

/* Maps `size` bytes of a map's values. Returns 0 or a negative errno. */
static int map_memory(void *ret, int fd, size_t size)
{
	void *memory = mmap(NULL, page_align(size), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	*(void **)ret = memory;
	return 0;
}

int table_store_new(struct table_store **ret, const struct table_store_maps *maps,
		    uint64_t budget_bytes)
{
	cleanup(table_store_free) struct table_store *store = calloc(1, sizeof(*store));
	int r;

	if (!store)
		return -ENOMEM;
	store->maps = *maps;
	chunks_init(&store->chunks, maps->chunks, budget_bytes);
	if (!array_push(&store->tables))
		return -ENOMEM;
	r = rule_dictionary_init(&store->dictionary, WIRE_MAX_RULES);
	if (r == 0)
		r = extents_init(&store->mapping_entries, 0, maps->mapping_capacity);
	if (r == 0 && maps->rules >= 0)
		r = map_memory(&store->rule_memory, maps->rules,
			       WIRE_MAX_RULES * sizeof(struct wire_rule));
	if (r == 0 && maps->mappings >= 0)
		r = map_memory(&store->mapping_memory, maps->mappings,
			       maps->mapping_capacity * sizeof(struct wire_mapping));
	if (r == 0 && maps->tables >= 0)
		r = map_memory(&store->table_memory, maps->tables,
			       WIRE_MAX_TABLES * sizeof(struct wire_table));
	if (r == 0 && maps->rule_caches >= 0)
		r = map_memory(&store->cache_memory, maps->rule_caches,
			       maps->rule_cache_count * sizeof(struct wire_rule_cache));
	if (r < 0)
		return r;
	*ret = TAKE_PTR(store);
	return 0;
}

static void stored_table_fini(struct stored_table *table)
{
	array_fini(&table->runs);
	array_fini(&table->rules);
	*table = (struct stored_table){};
}

void table_store_free(struct table_store *store)
{
	if (!store)
		return;
	chunks_fini(&store->chunks);
	for (uint32_t i = 0; i < store->tables.count; i++)
		stored_table_fini(&store->tables.at[i]);
	if (store->rule_memory)
		munmap(store->rule_memory, page_align(WIRE_MAX_RULES * sizeof(struct wire_rule)));
	if (store->mapping_memory)
		munmap(store->mapping_memory,
		       page_align(store->maps.mapping_capacity * sizeof(struct wire_mapping)));
	if (store->table_memory)
		munmap(store->table_memory,
		       page_align(WIRE_MAX_TABLES * sizeof(struct wire_table)));
	if (store->cache_memory)
		munmap(store->cache_memory,
		       page_align(store->maps.rule_cache_count * sizeof(struct wire_rule_cache)));
	rule_dictionary_fini(&store->dictionary);
	extents_fini(&store->mapping_entries);
	array_fini(&store->tables);
	array_fini(&store->processes);
	array_fini(&store->quarantine);
	hash_index_fini(&store->process_index);
	free(store);
}

/* ---- runs ---- */

static void give_back(struct table_store *store, const struct chunk_run *run)
{
	if (run->count == 0)
		return; /* its chunk may not exist */
	if (run->chunk == MAPPINGS)
		extents_give(&store->mapping_entries, run->first, run->count);
	else if (run->chunk == RULES)
		rule_dictionary_reclaim(&store->dictionary, run->first);
	else
		chunks_give(&store->chunks, run);
}

static void release_quarantine(struct table_store *store, uint64_t now_ns)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < store->quarantine.count; i++) {
		struct quarantined *q = &store->quarantine.at[i];

		if (q->free_at_ns <= now_ns)
			give_back(store, &q->run);
		else
			store->quarantine.at[kept++] = *q;
	}
	store->quarantine.count = kept;
}

static void quarantine(struct table_store *store, const struct chunk_run *run, uint64_t now_ns)
{
	struct quarantined *q;

	if (run->count == 0)
		return;
	q = array_push(&store->quarantine);
	if (q) /* else the run is lost until the end: safe, and memory is short anyway */
		*q = (struct quarantined){ *run, now_ns + (run->chunk == RULES ? RULES_QUARANTINE_NS
									       : QUARANTINE_NS) };
}

/* Room for tables that is on its way back. */
static uint64_t quarantined_table_bytes(const struct table_store *store)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < store->quarantine.count; i++)
		if (store->quarantine.at[i].run.chunk < RULES)
			bytes += store->quarantine.at[i].run.count * 4ULL;
	return bytes;
}

/* Gives back what a table took that nobody has seen: no quarantine needed. */
static void abandon(struct table_store *store, struct stored_table *stored)
{
	for (uint32_t i = 0; i < stored->runs.count; i++)
		give_back(store, &stored->runs.at[i]);
	for (uint32_t i = 0; i < stored->rules.count; i++)
		if (rule_dictionary_release(&store->dictionary, stored->rules.at[i]))
			rule_dictionary_reclaim(&store->dictionary, stored->rules.at[i]);
	stored_table_fini(stored);
}

static void table_evict(struct table_store *store, uint32_t id, uint64_t now_ns)
{
	struct stored_table *table = &store->tables.at[id];

	if (store->table_memory)
		__atomic_store_n(&store->table_memory[id].page_count, 0, __ATOMIC_RELEASE);
	/* The id serves another table one day. */
	if (store->cache_memory)
		memset(store->cache_memory, 0,
		       store->maps.rule_cache_count * sizeof(struct wire_rule_cache));
	if (table->published) {
		for (uint32_t i = 0; i < table->runs.count; i++)
			quarantine(store, &table->runs.at[i], now_ns);
		for (uint32_t i = 0; i < table->rules.count; i++)
			if (rule_dictionary_release(&store->dictionary, table->rules.at[i]))
				quarantine(store,
					   &(struct chunk_run){ RULES, table->rules.at[i], 1 },
					   now_ns);
		stored_table_fini(table);
	} else {
		abandon(store, table);
	}
	table->free_at_ns = now_ns + QUARANTINE_NS;
	store->evictions++;
}

static uint32_t quarantined_rules(const struct table_store *store)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < store->quarantine.count; i++)
		count += store->quarantine.at[i].run.chunk == RULES;
	return count;
}

/* How many of its rules no other table has. */
static uint32_t sole_rules(const struct table_store *store, const struct stored_table *table)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < table->rules.count; i++)
		count += table->rules.at[i] != 0 &&
			 store->dictionary.users.at[table->rules.at[i]] == 1;
	return count;
}

/*
 * Evicts the table with the most rules of its own, if these are more than `need`, what the new one
 * is in want of: a file that was made to fill the dictionary gives way to others, never the other way
 * round, and two of them do not take turns. False: there is none.
 */
static bool evict_greediest(struct table_store *store, uint32_t need, uint64_t now_ns)
{
	uint32_t greediest = 0, most = need;

	for (uint32_t i = 1; i < store->tables.count; i++) {
		const struct stored_table *table = &store->tables.at[i];
		uint32_t sole = sole_rules(store, table);

		if (sole > most) {
			greediest = i;
			most = sole;
		}
	}
	if (!greediest)
		return false;
	table_evict(store, greediest, now_ns);
	return true;
}

static uint32_t coming_rules(const struct table_store *store)
{
	return rule_dictionary_room(&store->dictionary) + quarantined_rules(store);
}

/* Evicts tables of one origin, the larger ones first, until there will be room for `need` rules. */
static void evict_origin(struct table_store *store, uint64_t origin, uint32_t need, uint64_t now_ns)
{
	for (uint32_t size = RULES_PER_TABLE; size > 0; size /= 2)
		for (uint32_t i = 1; i < store->tables.count && coming_rules(store) < need; i++)
			if (store->tables.at[i].origin == origin &&
			    store->tables.at[i].rules.count > size)
				table_evict(store, i, now_ns);
}

/*
 * The origin that has the most rules for itself gives way, if that is more than the newcomer's own
 * would have then. Returns 0, 1 when there is none, or -ENOMEM.
 */
static int evict_greediest_origin(struct table_store *store, uint64_t newcomer, uint32_t need,
				  uint64_t now_ns)
{
	cleanup(rule_origins_fini) struct rule_origins origins = {};
	const struct rule_origin *greediest;
	int r = rule_origins_init(&origins, WIRE_MAX_RULES);

	for (uint32_t i = 1; i < store->tables.count && r == 0; i++)
		r = rule_origins_add(&origins, store->tables.at[i].origin,
				     store->tables.at[i].rules.at, store->tables.at[i].rules.count);
	if (r < 0)
		return r;
	greediest = rule_origins_greediest(&origins, newcomer);
	if (!greediest || greediest->rules <= rule_origins_of(&origins, newcomer) + need)
		return 1;
	evict_origin(store, greediest->origin, need, now_ns);
	return 0;
}

/* Evicts the published table that was not used for the longest time. False: there is none. */
static bool evict_coldest(struct table_store *store, uint64_t now_ns)
{
	uint32_t coldest = 0;

	for (uint32_t i = 1; i < store->tables.count; i++) {
		const struct stored_table *table = &store->tables.at[i];

		if (table->wire.page_count && table->published &&
		    (!coldest || table->used_ns < store->tables.at[coldest].used_ns))
			coldest = i;
	}
	if (!coldest)
		return false;
	table_evict(store, coldest, now_ns);
	return true;
}

/* ---- tables ---- */

/* An unused id, the one that was used longest ago, or 0. */
static uint32_t free_id(struct table_store *store, uint64_t now_ns)
{
	if (store->tables.count < WIRE_MAX_TABLES)
		return array_push(&store->tables) ? store->tables.count - 1 : 0;
	for (uint32_t i = 0; i < WIRE_MAX_TABLES - 1; i++) {
		store->next_id = store->next_id % (WIRE_MAX_TABLES - 1) + 1;
		if (store->tables.at[store->next_id].wire.page_count == 0 &&
		    store->tables.at[store->next_id].free_at_ns <= now_ns)
			return store->next_id;
	}
	return 0;
}

/* Until then the kernel half may still look the old table up by it. 0 or a negative errno. */
static int make_id_room(struct table_store *store, uint64_t now_ns)
{
	enum { IDS_AT_ONCE = 64 };
	uint32_t waiting = 0;

	for (uint32_t i = 1; i < store->tables.count; i++)
		waiting += store->tables.at[i].wire.page_count == 0;
	while (waiting < IDS_AT_ONCE && evict_coldest(store, now_ns))
		waiting++;
	return waiting ? -EAGAIN : -ENOSPC;
}

/*
 * Makes room for the rules that are new. Returns 0, also when there is not enough to be had, or
 * TABLE_STORE_SOON: room is in quarantine.
 */
static int make_rule_room(struct table_store *store, const struct unwind_table *table,
			  uint64_t now_ns)
{
	enum { ORIGINS_AT_ONCE = 8 };
	uint32_t need = 0;
	int r = 0;

	for (uint32_t i = 1; i < table->rules.count; i++)
		need += rule_dictionary_find(&store->dictionary, &table->rules.at[i]) ==
			RULE_ABSENT;
	for (unsigned i = 0; i < ORIGINS_AT_ONCE && coming_rules(store) < need && r == 0; i++)
		r = evict_greediest_origin(store, table->origin, need, now_ns);
	if (r < 0)
		return r;
	while (coming_rules(store) < need && evict_greediest(store, need, now_ns))
		;
	return need > rule_dictionary_room(&store->dictionary) && quarantined_rules(store)
		       ? TABLE_STORE_SOON
		       : 0;
}

/* Fills stored->rules; what finds no room becomes RULE_NONE. Returns 0 or -ENOMEM. */
static int use_rules(struct table_store *store, struct stored_table *stored,
		     const struct unwind_table *table)
{
	if (!array_reserve(&stored->rules, table->rules.count))
		return -ENOMEM;
	for (uint32_t i = 0; i < table->rules.count; i++) {
		uint32_t number = 0;
		int r = rule_dictionary_add(&store->dictionary, &number, &table->rules.at[i]);

		if (r == -ENOSPC) {
			store->rules_refused++;
			r = rule_dictionary_add(&store->dictionary, &number, &table->rules.at[0]);
		}
		if (r < 0)
			return r;
		/* No row names it before its table is published. */
		if (store->rule_memory)
			store->rule_memory[number] = store->dictionary.rules.at[number];
		stored->rules.at[stored->rules.count++] = (uint16_t)number;
	}
	return 0;
}

/* Copies a page's block; its rows name the dictionary's rules from then on. */
static void place_block(unsigned char *to, const unsigned char *block, uint32_t size,
			const struct stored_table *stored)
{
	struct wire_row *rows = (void *)(to + WIRE_BLOCK_HEADER_BYTES);
	uint32_t count = (size - WIRE_BLOCK_HEADER_BYTES) / sizeof(*rows);

	memcpy(to, block, size);
	for (uint32_t i = 0; i < count; i++)
		rows[i].rule = stored->rules.at[rows[i].rule];
}

/* Places every block and the directory. On failure `stored` keeps what was taken. */
static int place_table(struct table_store *store, struct stored_table *stored,
		       const struct unwind_table *table)
{
	uint32_t pages = table->block_offset.count;
	struct chunk_run *run = array_push(&stored->runs);
	uint32_t *directory;
	int r;

	if (!run)
		return -ENOMEM;
	r = chunks_take(&store->chunks, run, pages * 4);
	if (r < 0)
		return r;
	stored->wire = (struct wire_table){ table->first_page, chunks_place(run), pages };
	directory = chunks_memory(&store->chunks, run);
	memset(directory, 0, pages * 4);
	for (uint32_t i = 0; i < pages; i++) {
		if (table->block_offset.at[i] == UINT32_MAX)
			continue;
		run = array_push(&stored->runs);
		if (!run)
			return -ENOMEM;
		r = chunks_take(&store->chunks, run, table->block_size.at[i]);
		if (r < 0)
			return r;
		place_block(chunks_memory(&store->chunks, run),
			    table->blocks.at + table->block_offset.at[i], table->block_size.at[i],
			    stored);
		directory[i] = chunks_place(run);
	}
	return 0;
}

int table_store_add(struct table_store *store, uint32_t *ret, const struct unwind_table *table,
		    uint64_t now_ns)
{
	struct stored_table stored = { .used_ns = now_ns, .origin = table->origin };
	uint32_t id = free_id(store, now_ns);
	uint64_t need;
	int r;

	if (id == 0)
		return store->tables.count < WIRE_MAX_TABLES ? -ENOMEM
							     : make_id_room(store, now_ns);
	if (table->block_offset.count == 0 || table->rules.count == 0)
		return -EINVAL;
	release_quarantine(store, now_ns);
	r = make_rule_room(store, table, now_ns);
	if (r != 0)
		return r;
	r = use_rules(store, &stored, table);
	if (r == 0)
		r = place_table(store, &stored, table);
	if (r < 0) {
		abandon(store, &stored);
		if (r != -ENOSPC)
			return r;
		/* Colder tables make room, but only after their quarantine. */
		need = table->blocks.count + 4ULL * table->block_offset.count;
		if (need > chunks_capacity(&store->chunks))
			return -ENOSPC;
		while (quarantined_table_bytes(store) < need && evict_coldest(store, now_ns))
			;
		return quarantined_table_bytes(store) ? -EAGAIN : -ENOSPC;
	}
	stored.serial = ++store->last_serial;
	store->tables.at[id] = stored;
	*ret = id;
	return 0;
}

int table_store_publish(struct table_store *store)
{
	int r;

	r = chunks_publish(&store->chunks);
	if (r < 0)
		return r;
	for (uint32_t i = 1; i < store->tables.count; i++) {
		struct stored_table *table = &store->tables.at[i];

		if (table->wire.page_count == 0 || table->published)
			continue;
		table->published = true;
		if (!store->table_memory)
			continue;
		store->table_memory[i].first_page = table->wire.first_page;
		store->table_memory[i].directory = table->wire.directory;
		__atomic_store_n(&store->table_memory[i].page_count, table->wire.page_count,
				 __ATOMIC_RELEASE);
	}
	return 0;
}

void table_store_touch(struct table_store *store, uint32_t table, uint64_t now_ns)
{
	if (table_store_has(store, table))
		store->tables.at[table].used_ns = now_ns;
}

uint64_t table_store_serial(const struct table_store *store, uint32_t table)
{
	return table_store_has(store, table) ? store->tables.at[table].serial : 0;
}

bool table_store_has(const struct table_store *store, uint32_t table)
{
	return table && table < store->tables.count && store->tables.at[table].wire.page_count;
}

uint32_t table_store_evictions(const struct table_store *store)
{
	return store->evictions;
}

uint32_t table_store_rules_refused(const struct table_store *store)
{
	return store->rules_refused;
}

/* ---- processes ---- */

static struct stored_process *process_find(struct table_store *store, pid_t pid)
{
	uint32_t at =
		hash_index_find(&store->process_index, hash_u64((uint64_t)pid), NULL, NULL, NULL);

	return at == HASH_ABSENT ? NULL : &store->processes.at[at];
}

/* What the kernel half knew of the process is not true any more, and there is no room for more. */
static int refuse_process(struct table_store *store, pid_t pid, uint64_t now_ns)
{
	store->processes_refused++;
	table_store_drop_process(store, pid, now_ns);
	return -ENOSPC;
}

int table_store_set_process(struct table_store *store, pid_t pid,
			    const struct wire_mapping *mappings, uint32_t count,
			    uint32_t generation, uint32_t flags, uint64_t now_ns)
{
	struct stored_process *process = process_find(store, pid);
	struct chunk_run run = { MAPPINGS, 0, count };
	struct wire_process wire;
	int r;

	if (store->maps.processes < 0)
		return 0;
	release_quarantine(store, now_ns);
	if (count > WIRE_MAX_PROCESS_MAPPINGS)
		return refuse_process(store, pid, now_ns);
	if (!process) {
		uint32_t at = store->processes.count;

		process = array_push(&store->processes);
		if (!process ||
		    hash_index_add(&store->process_index, hash_u64((uint64_t)pid), at) < 0) {
			if (process)
				store->processes.count--;
			return -ENOMEM;
		}
		*process = (struct stored_process){ pid, { MAPPINGS, 0, 0 } };
	}
	if (count) {
		run.first = extents_take(&store->mapping_entries, count);
		if (run.first == EXTENTS_NONE)
			return refuse_process(store, pid, now_ns);
		memcpy(store->mapping_memory + run.first, mappings, count * sizeof(*mappings));
		__atomic_thread_fence(__ATOMIC_RELEASE);
	}
	wire = (struct wire_process){ .first_mapping = run.first,
				      .mapping_count = count,
				      .generation = generation,
				      .flags = flags };
	r = bpf_map_update_elem(store->maps.processes, &pid, &wire, BPF_ANY);
	if (r < 0) {
		if (count)
			extents_give(&store->mapping_entries, run.first, count);
		return r == -E2BIG ? refuse_process(store, pid, now_ns) : r; /* the map is full */
	}
	quarantine(store, &process->run, now_ns);
	process->run = run;
	return 0;
}

void table_store_drop_process(struct table_store *store, pid_t pid, uint64_t now_ns)
{
	struct stored_process *process = process_find(store, pid), *last;
	uint32_t at;

	if (!process)
		return;
	/* Already gone when the kernel half saw the exit itself. */
	(void)bpf_map_delete_elem(store->maps.processes, &pid);
	quarantine(store, &process->run, now_ns);
	at = (uint32_t)(process - store->processes.at);
	hash_index_remove(&store->process_index, hash_u64((uint64_t)pid), at);
	last = &store->processes.at[store->processes.count - 1];
	if (last != process) {
		uint64_t hash = hash_u64((uint64_t)last->pid);

		hash_index_remove(&store->process_index, hash, store->processes.count - 1);
		(void)hash_index_add(&store->process_index, hash, at); /* a slot was just freed */
		*process = *last;
	}
	store->processes.count--;
}

/* ---- reading ---- */

uint64_t table_store_find_rule(const struct table_store *store, uint32_t table, uint64_t address)
{
	uint64_t page = address >> WIRE_PAGE_SHIFT;
	const struct wire_table *wire;
	uint32_t place;

	if (!table_store_has(store, table))
		return WALK_FIND_NO_TABLE;
	wire = &store->tables.at[table].wire;
	if (page < wire->first_page || page - wire->first_page >= wire->page_count)
		return WALK_FIND_NO_ROW;
	place = wire->directory + (uint32_t)(page - wire->first_page);
	place = table_load_u32(chunks_at(&store->chunks, place), WIRE_CHUNK_BYTES,
			       table_place_offset(place));
	if (!place)
		return WALK_FIND_NO_ROW;
	return table_block_search(chunks_at(&store->chunks, place), WIRE_CHUNK_BYTES,
				  table_place_offset(place), (uint16_t)address);
}

const struct wire_rule *table_store_rule(const struct table_store *store, uint32_t rule)
{
	return rule < store->dictionary.rules.count ? &store->dictionary.rules.at[rule] : NULL;
}

void table_store_figures(const struct table_store *store, struct table_store_figures *ret)
{
	*ret = (struct table_store_figures){ .evictions = store->evictions,
					     .processes_refused = store->processes_refused,
					     .rules_refused = store->rules_refused,
					     .rules = store->dictionary.rules.count -
						      store->dictionary.unused.count };
	ret->chunk_bytes = (uint64_t)store->chunks.all.count * WIRE_CHUNK_BYTES;
	for (uint32_t i = 1; i < store->tables.count; i++) {
		const struct stored_table *table = &store->tables.at[i];

		ret->tables += table->wire.page_count != 0;
		for (uint32_t k = 0; k < table->runs.count; k++)
			ret->used_bytes += table->runs.at[k].count * 4ULL;
	}
}
