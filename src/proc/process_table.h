/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All processes that matter, by pid. A pid that is used again is another process: the fork event
 * replaces what was there.
 */
#pragma once

#include "base/hash.h"
#include "base/strtab.h"
#include "proc/known_files.h"
#include "proc/object_cache.h"
#include "proc/process.h"

struct process_table {
	struct workers *workers; /* borrowed */
	struct strtab paths;
	/* When there are so many, those that are not in use are dropped. */
	uint32_t paths_limit, path_bytes_limit;
	struct object_cache *objects;
	uint32_t open_files_max; /* of which no process has more than is left for all others */
	ARRAY_OF(struct process *) processes;
	struct hash_index index;
	uint32_t generation; /* the last one that a process was given */
	struct known_files files;
};

/* workers: borrowed. Returns 0 or -ENOMEM. */
int process_table_init(struct process_table *table, struct workers *workers);
void process_table_fini(struct process_table *table);

struct process *process_table_find(const struct process_table *table, pid_t pid);
/* The process, added (with nothing known) when it is not there. Returns 0 or -ENOMEM. */
int process_table_get(struct process_table *table, struct process **ret, pid_t pid);
void process_table_remove(struct process_table *table, pid_t pid);
/*
 * The id of a file's path in `paths`, for mapping.path. When all paths together are too long, that of
 * its last part, or of "": the file can be found without. Returns 0 or -ENOMEM.
 */
int process_table_path(struct process_table *table, uint32_t *ret, const char *path, size_t size);
/* Numbers the state of the process that is handed to the kernel half now. */
void process_table_number(struct process_table *table, struct process *process);

/*
 * Reads executable mappings, name and start time from /proc, by way of process->thread, which is
 * another one afterwards if that has ended.
 * Returns 0 or a negative errno (-ESRCH: the process is gone; -EACCES: not allowed).
 */
int process_table_read(struct process_table *table, struct process *process);

/*
 * The same again, to learn of what no event told, or not all. Mappings that are gone stay: samples
 * from before may still need them, and nothing else runs there. Returns 0 or a negative errno.
 */
int process_table_look_again(struct process_table *table, struct process *process);
/*
 * Looks whether memory that was put over an object's code holds a copy of it: sets mapping->object
 * and bias then. Returns 0 or a negative errno (-ESRCH: the process is gone).
 */
int process_table_find_copied(struct process_table *table, const struct process *process,
			      struct mapping *mapping, const struct object *object);

/* Was the file that the mapping names found before, for whatever process? */
bool process_table_knows(const struct process_table *table, const struct mapping *mapping);

/*
 * What is kept of files that nobody maps any more, and of their names, is bounded: lets go of what
 * was not used for the longest time, but not since a moment (CLOCK_MONOTONIC). forget: see
 * object_cache_forget.
 */
void process_table_forget_unused(struct process_table *table, uint64_t since_ns,
				 void (*forget)(void *context, const struct object *object),
				 void *context);
/*
 * Looks once in every round (a number that is not 0) whether files that the process has mapped were
 * written to, and takes the objects of those away (process_write_over).
 */
void process_table_check(const struct process_table *table, struct process *process,
			 uint32_t round);
/* Is it memory without a file, or without one that has a name? It can hold a copy of code. */
bool process_table_may_be_copy(const struct process_table *table, const struct mapping *mapping);
/*
 * A new reference to the object of a mapping's file, which is opened if need be; NULL when it is not to be
 * had.
 */
struct object *process_table_find_object(struct process_table *table, const struct process *process,
					 const struct mapping *mapping, bool still_there);
/*
 * Finds the file behind a mapping: one that this or another process had mapped before, or see
 * ask_mapping, also for still_there.
 * Sets mapping->resolved, and object and bias if there is one. Of a process that has too many files
 * mapped the others are left alone for now, and that is noted.
 */
void process_table_resolve(struct process_table *table, struct process *process,
			   struct mapping *mapping, bool still_there);
/*
 * Opens the file of mapping->object anew, by way of this process instead of the one it was opened by.
 * Returns 0 or a negative errno; then the object keeps the descriptors it has.
 */
int process_table_reopen(struct process_table *table, const struct process *process,
			 const struct mapping *mapping, bool still_there);
