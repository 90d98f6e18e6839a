// SPDX-License-Identifier: Apache-2.0
#include "proc/process_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>

#include "base/budget.h"
#include "base/cleanup.h"
#include "base/clock.h"

/* Of files that nobody maps: a machine has some thousand programs and libraries in use. */
enum { OBJECTS_KEPT = 4096, PATHS_KEPT = 16384 };

/* Whoever renames a file between two mappings has as many paths of it, each of 4 KiB, as he likes. */
enum {
	PATH_BYTES_MAX = 64 << 20,
	SHORT_PATH_MAX = 64, /* for these there is as much again */
};

static uint32_t most_open_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		limit.rlim_cur = 1024;
	if (limit.rlim_cur > UINT32_MAX)
		limit.rlim_cur = UINT32_MAX;
	return (uint32_t)(limit.rlim_cur - limit.rlim_cur / 8);
}

int process_table_init(struct process_table *table, struct workers *workers)
{
	int r;

	*table = (struct process_table){ .workers = workers,
					 .open_files_max = most_open_files(),
					 .paths_limit = PATHS_KEPT,
					 .path_bytes_limit = PATH_BYTES_MAX / 4 };
	r = strtab_init(&table->paths);
	if (r < 0)
		return r;
	table->objects = object_cache_new(workers);
	return table->objects ? 0 : -ENOMEM;
}

static void process_free(struct process *process)
{
	if (!process)
		return;
	process_fini(process);
	free(process);
}

void process_table_fini(struct process_table *table)
{
	for (uint32_t i = 0; i < table->processes.count; i++)
		process_free(table->processes.at[i]);
	array_fini(&table->processes);
	known_files_fini(&table->files);
	hash_index_fini(&table->index);
	object_cache_free(table->objects);
	strtab_fini(&table->paths);
}

struct process *process_table_find(const struct process_table *table, pid_t pid)
{
	uint32_t at = hash_index_find(&table->index, hash_u64((uint64_t)pid), NULL, NULL, NULL);

	return at == HASH_ABSENT ? NULL : table->processes.at[at];
}

int process_table_get(struct process_table *table, struct process **ret, pid_t pid)
{
	struct process *process = process_table_find(table, pid), **slot;

	if (!process) {
		process = malloc(sizeof(*process));
		slot = process ? array_push(&table->processes) : NULL;
		if (!slot) {
			free(process);
			return -ENOMEM;
		}
		if (hash_index_add(&table->index, hash_u64((uint64_t)pid),
				   table->processes.count - 1) < 0) {
			table->processes.count--;
			free(process);
			return -ENOMEM;
		}
		process_init(process, pid, table->generation);
		*slot = process;
	}
	*ret = process;
	return 0;
}

void process_table_remove(struct process_table *table, pid_t pid)
{
	uint64_t hash = hash_u64((uint64_t)pid);
	uint32_t at = hash_index_find(&table->index, hash, NULL, NULL, NULL), last;

	if (at == HASH_ABSENT)
		return;
	hash_index_remove(&table->index, hash, at);
	process_free(table->processes.at[at]);
	last = --table->processes.count;
	if (at != last) {
		uint64_t moved = hash_u64((uint64_t)table->processes.at[last]->pid);

		table->processes.at[at] = table->processes.at[last];
		hash_index_remove(&table->index, moved, last);
		(void)hash_index_add(&table->index, moved, at); /* a slot was just freed */
	}
}

void process_table_number(struct process_table *table, struct process *process)
{
	if (++table->generation == 0) /* stands for "none" in samples */
		table->generation++;
	process->generation = table->generation;
}

int process_table_path(struct process_table *table, uint32_t *ret, const char *path, size_t size)
{
	const char *slash;

	if (table->paths.bytes.count + size < PATH_BYTES_MAX)
		return strtab_add(&table->paths, ret, path, size);
	if (strtab_find(&table->paths, ret, path, size))
		return 0;
	slash = memrchr(path, '/', size);
	if (slash) {
		size -= (size_t)(slash + 1 - path);
		path = slash + 1;
	}
	if (size > SHORT_PATH_MAX || table->paths.bytes.count + size > 2 * PATH_BYTES_MAX)
		size = 0;
	return strtab_add(&table->paths, ret, path, size);
}

/* ---- files behind mappings ---- */

bool process_table_knows(const struct process_table *table, const struct mapping *mapping)
{
	return known_files_has(&table->files, mapping);
}

/* Files that may block are asked about at most so often: each costs a question. */
#define CHECK_NS 150000000ULL

/* Asks about all of the process's files that are due at once. */
static void ask_about_files(const struct process_table *table, const struct process *process,
			    uint32_t round)
{
	uint64_t due_ns = clock_ns(CLOCK_MONOTONIC) - CHECK_NS;
	ARRAY_OF(struct object *) due = {};

	for (uint32_t i = 0; i < process->mappings.count; i++) {
		struct object *object = process->mappings.at[i].object, **slot;

		if (!object || !object->may_block || object->checked == round ||
		    object->state_ns > due_ns)
			continue;
		slot = array_push(&due);
		if (slot)
			*slot = object;
	}
	ask_about_changes(table->workers, due.at, due.count);
	array_fini(&due);
}

void process_table_check(const struct process_table *table, struct process *process,
			 uint32_t round)
{
	if (process->checked == round)
		return;
	process->checked = round;
	ask_about_files(table, process, round);
	for (uint32_t i = 0; i < process->mappings.count; i++) {
		struct object *object = process->mappings.at[i].object;

		if (!object)
			continue;
		if (object->checked != round) {
			object->checked = round;
			object->changed = !object_is_unchanged(object);
		}
		if (object->changed)
			process_write_over(process, &process->mappings.at[i]);
	}
}

static void add_ancestors(struct file_mapping *ret, const struct process_table *table,
			  const struct process *process)
{
	for (unsigned i = 0; i < WIRE_ANCESTORS && process && process->parent > 0; i++) {
		ret->ancestors[i] = process->parent;
		process = process_table_find(table, process->parent);
	}
}

/* As ask_mapping. */
static int open_file(const struct process_table *table, const struct process *process,
		     const struct mapping *mapping, bool still_there, struct opened *ret,
		     int *root_fd)
{
	struct file_mapping file = {
		.start = mapping->start,
		.end = mapping->end,
		.inode = mapping->inode,
		.device = makedev(mapping->device_major, mapping->device_minor),
		.inode_generation = mapping->inode_generation,
		.mapped_ns = mapping->mapped_ns,
		.still_there = still_there,
		.path = strtab_get(&table->paths, mapping->path),
	};
	int fd;

	add_ancestors(&file, table, process);
	fd = ask_mapping(table->workers, ret, root_fd, process->thread, &file);
	if (fd >= 0)
		ret->whose = process->pid;
	return fd;
}

/*
 * Numbers of inodes are given again, unless their generation is told, or somebody has had the file open
 * since before it was mapped.
 */
static bool is_same_inode(const struct object *object, const struct mapping *mapping)
{
	return mapping->inode_generation ||
	       (!object->overlay && mapping->mapped_ns > object->opened_ns);
}

struct object *process_table_find_object(struct process_table *table, const struct process *process,
				  const struct mapping *mapping, bool still_there)
{
	struct object *object = known_files_find(&table->files, mapping);
	struct opened opened;
	int fd, root_fd;

	if (object && object->fd >= 0 && is_same_inode(object, mapping)) {
		/* Of others that was looked at just now. */
		if (!object->may_block ||
		    ask_is_unchanged(table->workers, object, mapping->mapped_ns))
			return object;
		object_unref(object);
		object = NULL;
	}
	fd = open_file(table, process, mapping, still_there, &opened, &root_fd);
	if (fd < 0)
		return object;
	object_unref(object);
	object = NULL;
	return object_cache_get(table->objects, &object, fd, root_fd, &opened,
				strtab_get(&table->paths, mapping->path)) == 0
		       ? object
		       : NULL;
}

/* Files of a process that maps ever more of them must not keep us from those of others. */
static bool may_open(struct process_table *table, const struct process *process,
		     const struct mapping *mapping)
{
	const struct budget files = { table->open_files_max,
				      object_cache_open_files(table->objects) };

	if (budget_allows(&files, process->files, 1, 1))
		return true;
	workers_give_up(table->workers, strtab_get(&table->paths, mapping->path),
			"its process has too many files mapped");
	return false;
}

void process_table_resolve(struct process_table *table, struct process *process,
			   struct mapping *mapping, bool still_there)
{
	struct object *object = NULL;
	int r;

	if (mapping->resolved)
		return;
	if (mapping->kind == MAPPING_FILE && !may_open(table, process, mapping))
		return;
	mapping->resolved = true;
	if (mapping->kind == MAPPING_VDSO && object_cache_get_vdso(table->objects, &object) != 0)
		return;
	if (mapping->kind == MAPPING_FILE)
		object = process_table_find_object(table, process, mapping, still_there);
	if (!object)
		return;
	r = object_bias(object, &mapping->bias, mapping->start, mapping->file_offset, true);
	if (r < 0) {
		object_unref(object);
		return;
	}
	mapping->object = object;
	process->files++;
	if (mapping->kind == MAPPING_FILE)
		known_files_add(&table->files, mapping);
}

int process_table_reopen(struct process_table *table, const struct process *process,
			 const struct mapping *mapping, bool still_there)
{
	struct opened opened;
	int root_fd, fd = open_file(table, process, mapping, still_there, &opened, &root_fd);

	return fd < 0 ? fd
		      : object_cache_reopen(table->objects, mapping->object, fd, root_fd, &opened);
}

/* ---- what is kept of files that nobody maps ---- */

/* The id that a path has in the new table, which it is put into. Returns 0 or -ENOMEM. */
static int move_path(struct strtab *to, const struct strtab *from, uint32_t *path)
{
	return strtab_add_str(to, path, strtab_get(from, *path));
}

static int move_paths(struct process_table *table, struct strtab *to, bool done)
{
	int r = 0;

	for (uint32_t i = 0; i < table->files.list.count && r == 0; i++) {
		uint32_t path = table->files.list.at[i].path;

		r = move_path(to, &table->paths, &path);
		if (done)
			table->files.list.at[i].path = path;
	}
	for (uint32_t i = 0; i < table->processes.count && r == 0; i++) {
		struct process *process = table->processes.at[i];

		for (uint32_t k = 0; k < process->mappings.count && r == 0; k++) {
			uint32_t path = process->mappings.at[k].path;

			r = move_path(to, &table->paths, &path);
			if (done)
				process->mappings.at[k].path = path;
		}
	}
	return r;
}

static void drop_paths(struct process_table *table)
{
	struct strtab paths;

	/* Once to have room for all; then nothing can fail half way. */
	if (strtab_init(&paths) < 0)
		return;
	if (move_paths(table, &paths, false) < 0) {
		strtab_fini(&paths);
		return;
	}
	(void)move_paths(table, &paths, true);
	strtab_fini(&table->paths);
	table->paths = paths;
	table->paths_limit = 2 * paths.offsets.count;
	if (table->paths_limit < PATHS_KEPT)
		table->paths_limit = PATHS_KEPT;
	/* Else all that is in use would be looked through at every turn. */
	table->path_bytes_limit = paths.bytes.count + PATH_BYTES_MAX / 4;
}

void process_table_forget_unused(struct process_table *table, uint64_t since_ns,
				 void (*forget)(void *context, const struct object *object),
				 void *context)
{
	bool changed = object_cache_forget(table->objects, OBJECTS_KEPT, since_ns, forget, context);

	if (changed)
		known_files_forget(&table->files);
	if (table->paths.offsets.count > table->paths_limit ||
	    table->paths.bytes.count > table->path_bytes_limit) {
		drop_paths(table);
		changed = true;
	}
	if (changed)
		known_files_index(&table->files);
}
