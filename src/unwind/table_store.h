/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where unwind tables lie while they are used: in chunks that the kernel half reads, and that user
 * space reads through the same memory (bpf/wire.h). Also what the kernel half knows of processes.
 *
 * Rules that keep a walk on another CPU safe: a table is filled before it is published; what is
 * taken away is used again only after a quarantine much longer than a walk. A walk that races with
 * an eviction may end early, it never reads outside of its maps.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "bpf/wire.h"
#include "unwind/table.h"

/* Descriptors of the kernel half's maps (borrowed), all -1 when there is no kernel half. */
struct table_store_maps {
	int processes, mappings, tables, rules, chunks, rule_caches;
	uint32_t mapping_capacity; /* entries of `mappings` */
	uint32_t rule_cache_count; /* entries of `rule_caches` */
};

struct table_store;

/*
 * budget_bytes: limit for all chunks together; at the limit the table that was not used for the
 * longest time makes room. Returns 0 or a negative errno.
 */
int table_store_new(struct table_store **ret, const struct table_store_maps *maps,
		    uint64_t budget_bytes);
void table_store_free(struct table_store *store);
DEFINE_CLEANUP(struct table_store, table_store_free);

enum table_store_outcome {
	TABLE_STORE_SOON = 1, /* room for its rules is in quarantine, for TABLE_STORE_SOON_MS */
};
enum { TABLE_STORE_SOON_MS = 10 };

/*
 * Where rules are short, whoever has many for himself gives way to others: first all tables of one
 * origin together, then single ones.
 *
 * Gives a table its place. table: well-formed (unwind_table_check). It is seen by the walkers after
 * the next table_store_publish. *ret: its id, from 1. now_ns: CLOCK_MONOTONIC.
 * Returns 0, a table_store_outcome, -ENOSPC (larger than the budget), -EAGAIN (room is in quarantine: try again later),
 * or another negative errno.
 */
int table_store_add(struct table_store *store, uint32_t *ret, const struct unwind_table *table,
		    uint64_t now_ns);
/* How many tables have been evicted so far. */
uint32_t table_store_evictions(const struct table_store *store);
/* How many rules of tables that were added found no room in the dictionary. */
uint32_t table_store_rules_refused(const struct table_store *store);
/* Shows everything added so far to the kernel half. Returns 0 or a negative errno. */
int table_store_publish(struct table_store *store);
/* The table was of use at this moment. */
void table_store_touch(struct table_store *store, uint32_t table, uint64_t now_ns);
/*
 * False once the table was evicted. Its id may serve another table later: after an add, ask for the
 * tables of every process and set those that are gone to 0 (table_store_set_process).
 */
bool table_store_has(const struct table_store *store, uint32_t table);
/* A number that no other table ever has, also not the next one with the id; 0: it was evicted. */
uint64_t table_store_serial(const struct table_store *store, uint32_t table);

/*
 * The executable mappings of a process, ascending and not overlapping (copied), for the kernel
 * half; count at most WIRE_MAX_PROCESS_MAPPINGS; flags: PROCESS_*. Returns 0 or a negative errno (-ENOSPC: the
 * kernel half has no room; it will hand such processes over to be walked here).
 */
int table_store_set_process(struct table_store *store, pid_t pid,
			    const struct wire_mapping *mappings, uint32_t count,
			    uint32_t generation, uint32_t flags, uint64_t now_ns);
void table_store_drop_process(struct table_store *store, pid_t pid, uint64_t now_ns);

/* For the walker in user space; see bpf/walk.h. */
uint64_t table_store_find_rule(const struct table_store *store, uint32_t table, uint64_t address);
const struct wire_rule *table_store_rule(const struct table_store *store, uint32_t rule);

struct table_store_figures {
	uint64_t chunk_bytes; /* kernel memory of all chunks */
	uint64_t used_bytes;  /* of it, bytes in use by tables */
	uint32_t tables, rules, evictions;
	uint32_t processes_refused;
	uint32_t rules_refused; /* of tables added: for want of room in the dictionary */
};

void table_store_figures(const struct table_store *store, struct table_store_figures *ret);
