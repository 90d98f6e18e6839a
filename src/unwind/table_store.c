// SPDX-License-Identifier: Apache-2.0
#include "unwind/table_store.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/hash.h"
#include "bpf/table.h"
#include "unwind/extents.h"

/* A walk takes microseconds; this also covers a CPU whose host took it away for a while. */
#define QUARANTINE_NS 200000000ULL

enum { UNITS_PER_CHUNK = WIRE_CHUNK_BYTES / 4 };

struct chunk {
	unsigned char *memory;
	int map_fd; /* -1: plain memory */
	bool published;
	struct extents units; /* of 4 bytes */
};

/* A run of units of a chunk, or of entries of `mappings` when chunk is MAPPINGS. */
struct run {
	uint32_t chunk, first, count;
};

#define MAPPINGS UINT32_MAX

struct quarantined {
	struct run run;
	uint64_t free_at_ns;
};

struct stored_table {
	struct wire_table wire; /* page_count 0: the id is unused */
	ARRAY_OF(struct run) runs;
	uint64_t used_ns;
	bool published;
};

struct stored_process {
	pid_t pid;
	struct run run;
};

struct table_store {
	struct table_store_maps maps;
	uint32_t chunk_limit;
	ARRAY_OF(struct chunk) chunks;
	ARRAY_OF(struct stored_table) tables; /* index = id, 0 unused */
	struct rule_dictionary dictionary;
	uint32_t rules_published;
	struct extents mapping_entries;
	ARRAY_OF(struct stored_process) processes;
	struct hash_index process_index;
	ARRAY_OF(struct quarantined) quarantine;
	struct wire_rule *rule_memory;       /* mapped from maps.rules, or NULL */
	struct wire_mapping *mapping_memory; /* mapped from maps.mappings, or NULL */
	struct wire_table *table_memory;     /* mapped from maps.tables, or NULL */
	struct wire_rule_cache *cache_memory; /* mapped from maps.rule_caches, or NULL */
	uint32_t next_id; /* once all ids were used: where to look for a free one */
	uint32_t evictions, processes_refused;
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
	store->chunk_limit = (uint32_t)(budget_bytes / WIRE_CHUNK_BYTES);
	if (store->chunk_limit == 0)
		store->chunk_limit = 1;
	if (store->chunk_limit > WIRE_MAX_CHUNKS)
		store->chunk_limit = WIRE_MAX_CHUNKS;
	if (!array_push(&store->tables))
		return -ENOMEM;
	r = rule_dictionary_init(&store->dictionary);
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

static void chunk_fini(struct chunk *chunk)
{
	if (chunk->memory)
		munmap(chunk->memory, WIRE_CHUNK_BYTES);
	if (chunk->map_fd >= 0)
		close(chunk->map_fd);
	extents_fini(&chunk->units);
}

void table_store_free(struct table_store *store)
{
	if (!store)
		return;
	for (uint32_t i = 0; i < store->chunks.count; i++)
		chunk_fini(&store->chunks.at[i]);
	for (uint32_t i = 0; i < store->tables.count; i++)
		array_fini(&store->tables.at[i].runs);
	if (store->rule_memory)
		munmap(store->rule_memory, page_align(WIRE_MAX_RULES * sizeof(struct wire_rule)));
	if (store->mapping_memory)
		munmap(store->mapping_memory,
		       page_align(store->maps.mapping_capacity * sizeof(struct wire_mapping)));
	if (store->table_memory)
		munmap(store->table_memory,
		       page_align(WIRE_MAX_TABLES * sizeof(struct wire_table)));
	if (store->cache_memory)
		munmap(store->cache_memory, page_align(store->maps.rule_cache_count *
						       sizeof(struct wire_rule_cache)));
	rule_dictionary_fini(&store->dictionary);
	extents_fini(&store->mapping_entries);
	array_fini(&store->chunks);
	array_fini(&store->tables);
	array_fini(&store->processes);
	array_fini(&store->quarantine);
	hash_index_fini(&store->process_index);
	free(store);
}

struct rule_dictionary *table_store_dictionary(struct table_store *store)
{
	return &store->dictionary;
}

/* ---- runs ---- */

static void give_back(struct table_store *store, const struct run *run)
{
	if (run->count == 0)
		return; /* its chunk may not exist */
	if (run->chunk == MAPPINGS)
		extents_give(&store->mapping_entries, run->first, run->count);
	else
		extents_give(&store->chunks.at[run->chunk].units, run->first, run->count);
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

static void quarantine(struct table_store *store, const struct run *run, uint64_t now_ns)
{
	struct quarantined *q;

	if (run->count == 0)
		return;
	q = array_push(&store->quarantine);
	if (q) /* else the run is lost until the end: safe, and memory is short anyway */
		*q = (struct quarantined){ *run, now_ns + QUARANTINE_NS };
}

/* Room for tables that is on its way back. */
static uint64_t quarantined_table_bytes(const struct table_store *store)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < store->quarantine.count; i++)
		if (store->quarantine.at[i].run.chunk != MAPPINGS)
			bytes += store->quarantine.at[i].run.count * 4ULL;
	return bytes;
}

static int chunk_add(struct table_store *store)
{
	struct chunk chunk = { .map_fd = -1 }, *slot;
	/* Place 0 stands for "none". */
	uint32_t reserved = store->chunks.count == 0 ? 1 : 0;
	int r;

	if (store->chunks.count >= store->chunk_limit)
		return -ENOSPC;
	if (store->maps.chunks >= 0) {
		LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);

		chunk.map_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "profd_chunk", sizeof(uint32_t),
					      WIRE_CHUNK_BYTES, 1, &opts);
		if (chunk.map_fd < 0)
			return chunk.map_fd;
		r = map_memory(&chunk.memory, chunk.map_fd, WIRE_CHUNK_BYTES);
	} else {
		void *memory = mmap(NULL, WIRE_CHUNK_BYTES, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		r = memory == MAP_FAILED ? -errno : 0;
		chunk.memory = memory == MAP_FAILED ? NULL : memory;
	}
	if (r == 0)
		r = extents_init(&chunk.units, reserved, UNITS_PER_CHUNK - reserved);
	slot = r == 0 ? array_push(&store->chunks) : NULL;
	if (!slot) {
		chunk_fini(&chunk);
		return r < 0 ? r : -ENOMEM;
	}
	*slot = chunk;
	return 0;
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
	for (uint32_t i = 0; i < table->runs.count; i++)
		quarantine(store, &table->runs.at[i], now_ns);
	array_fini(&table->runs);
	*table = (struct stored_table){};
	store->evictions++;
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

/* Takes `bytes` in one chunk. Returns 0 or a negative errno as table_store_add. */
static int run_take(struct table_store *store, struct run *ret, uint32_t bytes)
{
	uint32_t units = (bytes + 3) / 4;
	int r;

	if (units > UNITS_PER_CHUNK - 1)
		return -E2BIG;
	/* Newest first: older chunks are mostly full. */
	for (;;) {
		for (uint32_t i = store->chunks.count; i-- > 0;) {
			uint32_t first = extents_take(&store->chunks.at[i].units, units);

			if (first != EXTENTS_NONE) {
				*ret = (struct run){ i, first, units };
				return 0;
			}
		}
		r = chunk_add(store);
		if (r < 0)
			return r;
	}
}

static uint32_t run_place(const struct run *run)
{
	return run->chunk << WIRE_PLACE_BITS | run->first;
}

static void *run_memory(const struct table_store *store, const struct run *run)
{
	return store->chunks.at[run->chunk].memory + (size_t)run->first * 4;
}

/* ---- tables ---- */

/* An unused id, the one that was used longest ago, or 0. */
static uint32_t free_id(struct table_store *store)
{
	if (store->tables.count < WIRE_MAX_TABLES)
		return array_push(&store->tables) ? store->tables.count - 1 : 0;
	for (uint32_t i = 0; i < WIRE_MAX_TABLES - 1; i++) {
		store->next_id = store->next_id % (WIRE_MAX_TABLES - 1) + 1;
		if (store->tables.at[store->next_id].wire.page_count == 0)
			return store->next_id;
	}
	return 0;
}

/* Places every block and the directory. On failure `stored` keeps what was taken. */
static int place_table(struct table_store *store, struct stored_table *stored,
		       const struct unwind_table *table)
{
	uint32_t pages = table->block_offset.count;
	struct run *run = array_push(&stored->runs);
	uint32_t *directory;
	int r;

	if (!run)
		return -ENOMEM;
	r = run_take(store, run, pages * 4);
	if (r < 0)
		return r;
	stored->wire = (struct wire_table){ table->first_page, run_place(run), pages };
	directory = run_memory(store, run);
	memset(directory, 0, pages * 4);
	for (uint32_t i = 0; i < pages; i++) {
		if (table->block_offset.at[i] == UINT32_MAX)
			continue;
		run = array_push(&stored->runs);
		if (!run)
			return -ENOMEM;
		r = run_take(store, run, table->block_size.at[i]);
		if (r < 0)
			return r;
		memcpy(run_memory(store, run), table->blocks.at + table->block_offset.at[i],
		       table->block_size.at[i]);
		directory[i] = run_place(run);
	}
	return 0;
}

int table_store_add(struct table_store *store, uint32_t *ret, const struct unwind_table *table,
		    uint64_t now_ns)
{
	struct stored_table stored = { .used_ns = now_ns };
	uint32_t id = free_id(store);
	uint64_t need;
	int r;

	if (id == 0)
		return -ENOSPC;
	if (table->block_offset.count == 0)
		return -EINVAL;
	release_quarantine(store, now_ns);
	r = place_table(store, &stored, table);
	if (r < 0) {
		/* Nobody has seen these: no quarantine needed. */
		for (uint32_t i = 0; i < stored.runs.count; i++)
			give_back(store, &stored.runs.at[i]);
		array_fini(&stored.runs);
		if (r != -ENOSPC)
			return r;
		/* Colder tables make room, but only after their quarantine. */
		need = table->blocks.count + 4ULL * table->block_offset.count;
		if (need > (uint64_t)store->chunk_limit * (WIRE_CHUNK_BYTES - 4))
			return -ENOSPC;
		while (quarantined_table_bytes(store) < need && evict_coldest(store, now_ns))
			;
		return quarantined_table_bytes(store) ? -EAGAIN : -ENOSPC;
	}
	store->tables.at[id] = stored;
	*ret = id;
	return 0;
}

/* One update call for all new chunks: each call waits for a grace period of the kernel. */
static int publish_chunks(struct table_store *store)
{
	uint32_t keys[WIRE_MAX_CHUNKS], count = 0;
	int fds[WIRE_MAX_CHUNKS], r;

	for (uint32_t i = 0; i < store->chunks.count; i++) {
		if (store->chunks.at[i].published)
			continue;
		keys[count] = i;
		fds[count++] = store->chunks.at[i].map_fd;
	}
	if (count == 0 || store->maps.chunks < 0)
		return 0;
	if (count > 1) {
		uint32_t done = count;

		LIBBPF_OPTS(bpf_map_batch_opts, opts, .elem_flags = BPF_ANY);
		r = bpf_map_update_batch(store->maps.chunks, keys, fds, &done, &opts);
	} else {
		r = -ENOTSUP;
	}
	if (r < 0)
		for (uint32_t i = 0; i < count; i++) {
			r = bpf_map_update_elem(store->maps.chunks, &keys[i], &fds[i], BPF_ANY);
			if (r < 0)
				return r;
		}
	for (uint32_t i = 0; i < count; i++)
		store->chunks.at[keys[i]].published = true;
	return 0;
}

int table_store_publish(struct table_store *store)
{
	uint32_t rules = store->dictionary.rules.count;
	int r;

	if (store->rule_memory && rules > store->rules_published)
		memcpy(store->rule_memory + store->rules_published,
		       store->dictionary.rules.at + store->rules_published,
		       (rules - store->rules_published) * sizeof(struct wire_rule));
	store->rules_published = rules;
	r = publish_chunks(store);
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

bool table_store_has(const struct table_store *store, uint32_t table)
{
	return table && table < store->tables.count && store->tables.at[table].wire.page_count;
}

/* ---- processes ---- */

static struct stored_process *process_find(struct table_store *store, pid_t pid)
{
	uint32_t at = hash_index_find(&store->process_index, hash_u64((uint64_t)pid), NULL, NULL,
				      NULL);

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
	struct run run = { MAPPINGS, 0, count };
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
		if (!process || hash_index_add(&store->process_index, hash_u64((uint64_t)pid),
					       at) < 0) {
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
	wire = (struct wire_process){ .first_mapping = run.first, .mapping_count = count,
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

static const unsigned char *chunk_memory(const struct table_store *store, uint32_t place)
{
	uint32_t chunk = table_place_chunk(place);

	return chunk < store->chunks.count ? store->chunks.at[chunk].memory : NULL;
}

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
	place = table_load_u32(chunk_memory(store, place), WIRE_CHUNK_BYTES,
			       table_place_offset(place));
	if (!place)
		return WALK_FIND_NO_ROW;
	return table_block_search(chunk_memory(store, place), WIRE_CHUNK_BYTES,
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
					     .rules = store->dictionary.rules.count };
	ret->chunk_bytes = (uint64_t)store->chunks.count * WIRE_CHUNK_BYTES;
	for (uint32_t i = 1; i < store->tables.count; i++) {
		const struct stored_table *table = &store->tables.at[i];

		ret->tables += table->wire.page_count != 0;
		for (uint32_t k = 0; k < table->runs.count; k++)
			ret->used_bytes += table->runs.at[k].count * 4ULL;
	}
}
