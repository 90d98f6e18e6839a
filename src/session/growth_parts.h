/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind growth.h know of each other. */
#pragma once

#include "memory/ledger.h"
#include "memory/memory_map.h"
#include "proc/resident.h"
#include "session/growth.h"
#include "session/recording_parts.h"
#include "source/growth.h"

struct growth_run {
	uint64_t from, to;
	unsigned flags; /* RESIDENT_* */
};

/* What was found of a process's memory when it was looked at last. */
struct growth_seen {
	uint64_t asked_ns; /* CLOCK_MONOTONIC */
	ARRAY_OF(struct wire_range) asked; /* ascending, apart */
	ARRAY_OF(struct growth_run) runs;  /* likewise */
};

struct growth_found {
	uint64_t bytes;
	unsigned flags; /* RESIDENT_*, of any of it */
};

/* One memory: a process has another one after exec. */
struct growth_process {
	pid_t pid;
	struct resident resident;
	struct growth_seen seen;
	struct memory_map map;
	uint64_t map_read_ns;
	uint64_t map_turn;     /* of the recording's loop, in which it was read */
	uint64_t start_time;   /* of the process, as in struct proc_stat */
	uint64_t before_bytes; /* resident when it was met */
	uint64_t resident_bytes;
	bool refused; /* its memory cannot be looked at */
};

/* What the sample at hand is of. */
struct growth_at_hand {
	struct ledger_page page;
	enum memory_kind kind;
	uint64_t touched; /* bytes that it stands for */
};

/* What processes that have ended held then, by stack. */
struct growth_ended {
	uint32_t stack, labels;
	uint64_t bytes, pages;
};

struct growth {
	struct recording *rec; /* borrowed */
	struct growth_source *source;
	struct ledger ledger;
	ARRAY_OF(struct growth_process *) processes; /* NULL: a free place */
	struct hash_index by_pid;
	ARRAY_OF(struct growth_ended) ended;
	struct hash_index ended_index;
	ARRAY_OF(struct wire_move) moves;
	struct growth_at_hand at_hand;
	struct trend trend;
	uint64_t turn;	    /* from 1 */
	bool moves_drained; /* in this turn */
	uint64_t looked_ns, look_cost_ns;
	uint64_t machine_before; /* in use on the machine, where all of it is recorded */
	uint64_t before, after;
	uint64_t moves_dropped, moves_lost; /* here, and by the kernel half */
	uint32_t processes_refused;
	pid_t limited; /* whose control groups limit it */
	double weights, squares;
	uint64_t touched, stayed, pages, samples, faults;
	uint32_t shift;
};

/* growth_processes.c */

/* All that runs is recorded. */
bool growth_is_machine(const struct growth *growth);
/* Who they are shows only when they touch memory: nobody knows what they had before. */
bool growth_is_filtered(const struct growth *growth);
void growth_seen_fini(struct growth_seen *seen);
/*
 * What is there of a range of the process's memory; time_ns: of the sample, after which it is to be looked
 * (CLOCK_MONOTONIC). start, end: multiples of the page size.
 */
struct growth_found growth_find(struct growth *g, struct growth_process *process, uint64_t start,
				uint64_t end, uint64_t time_ns);
/*
 * Hands over the runs of pages that are there in many ranges, ascending and apart. Returns 0 or a negative errno
 * (-ESRCH: it cannot be looked at; -EIO: not any more).
 */
int growth_scan(struct growth *g, struct growth_process *process, const struct wire_range *ranges,
		uint32_t count,
		int (*handle)(void *context, uint64_t from, uint64_t to, unsigned flags),
		void *context);
/* Where a page has been put since, by moves that are not applied yet. */
uint64_t growth_place_now(const struct growth *g, pid_t pid, uint64_t address);
/* Bytes that are resident of a process, or in use on the machine; 0: not known. */
uint64_t growth_resident_bytes(pid_t pid);
uint64_t growth_machine_bytes(void);
void growth_process_free(struct growth_process *process);
/* Its number, or HASH_ABSENT. */
uint32_t growth_find_process(const struct growth *growth, pid_t pid);
/*
 * *ret: its number. fresh: nothing was resident in it when the recording began. Returns 0, -ESRCH (too
 * many), or -ENOMEM.
 */
int growth_add_process(struct growth *growth, uint32_t *ret, pid_t pid, bool fresh);
/* The same of one that may be known, if it has the same memory still. */
int growth_get_process(struct growth *growth, uint32_t *ret, pid_t pid);
/*
 * Takes leave of processes whose memory is gone, by exec or by their end. What the ledger has of them is
 * reckoned with now, so that there is room for others. Returns 0 or -ENOMEM.
 */
int growth_lose_processes(struct growth *growth);
/* Of an address, with the stack pointer of who touches it. Asks a worker. */
enum memory_kind growth_kind_of(struct growth *growth, struct growth_process *process,
				uint64_t address, uint64_t sp);

/* growth_look.c */

/* Which of the ledger's pages are still there. Returns 0 or a negative errno. */
int growth_look(struct growth *growth);
