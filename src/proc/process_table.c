// SPDX-License-Identifier: Apache-2.0
#include "proc/process_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>

#include "base/budget.h"
#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "proc/maps.h"
#include "proc/stat.h"

/* Of files that nobody maps: a machine has some thousand programs and libraries in use. */
enum { OBJECTS_KEPT = 4096, PATHS_KEPT = 16384, FILES_KEPT = 16384 };

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
	for (uint32_t i = 0; i < table->files.count; i++)
		object_unref(table->files.at[i].object);
	array_fini(&table->processes);
	array_fini(&table->files);
	hash_index_fini(&table->index);
	hash_index_fini(&table->known_files);
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

static uint64_t file_hash(const struct mapping *m)
{
	return hash_pair(hash_pair(m->inode, m->inode_generation),
			 hash_pair((uint64_t)m->device_major << 32 | m->device_minor, m->path));
}

static bool file_equal(const void *context, uint32_t position, const void *key)
{
	const struct process_table *table = context;
	const struct known_file *file = &table->files.at[position];
	const struct mapping *m = key;

	return file->inode == m->inode && file->inode_generation == m->inode_generation &&
	       file->device_major == m->device_major && file->device_minor == m->device_minor &&
	       file->path == m->path;
}

bool process_table_knows(const struct process_table *table, const struct mapping *mapping)
{
	return hash_index_find(&table->known_files, file_hash(mapping), file_equal, table,
			       mapping) != HASH_ABSENT;
}

static uint64_t hash_of(const struct known_file *file)
{
	const struct mapping key = { .inode = file->inode,
				     .inode_generation = file->inode_generation,
				     .device_major = file->device_major,
				     .device_minor = file->device_minor,
				     .path = file->path };

	return file_hash(&key);
}

/* After positions or ids of paths have changed. */
static void index_files(struct process_table *table)
{
	hash_index_fini(&table->known_files);
	for (uint32_t i = 0; i < table->files.count; i++) {
		if (hash_index_add(&table->known_files, hash_of(&table->files.at[i]), i) == 0)
			continue;
		/* Out of memory: the others are found anew. */
		while (table->files.count > i)
			object_unref(table->files.at[--table->files.count].object);
	}
}

static int by_number(const void *a_, const void *b_)
{
	uint64_t a = *(const uint64_t *)a_, b = *(const uint64_t *)b_;

	return (a > b) - (a < b);
}

/* Of too many, half are forgotten: those that were not used for the longest time. */
static void limit_files(struct process_table *table)
{
	cleanup(free) uint64_t *uses = NULL;
	uint32_t kept = 0;
	uint64_t limit;

	if (table->files.count < 2 * FILES_KEPT)
		return;
	uses = malloc(table->files.count * sizeof(*uses));
	if (!uses)
		return; /* the next time */
	for (uint32_t i = 0; i < table->files.count; i++)
		uses[i] = table->files.at[i].used;
	qsort(uses, table->files.count, sizeof(*uses), by_number);
	limit = uses[table->files.count - FILES_KEPT];
	for (uint32_t i = 0; i < table->files.count; i++) {
		if (table->files.at[i].used < limit)
			object_unref(table->files.at[i].object);
		else
			table->files.at[kept++] = table->files.at[i];
	}
	table->files.count = kept;
	index_files(table);
}

static void remember_file(struct process_table *table, const struct mapping *mapping)
{
	uint64_t hash = file_hash(mapping);
	uint32_t at = hash_index_find(&table->known_files, hash, file_equal, table, mapping);
	struct known_file *file;

	if (at != HASH_ABSENT) {
		/* The newest object under this name wins: a file may have been rewritten in place. */
		file = &table->files.at[at];
		file->used = ++table->file_uses;
		if (file->object == mapping->object)
			return;
		object_unref(file->object);
		file->object = object_ref(mapping->object);
		return;
	}
	limit_files(table);
	file = array_push(&table->files);
	if (!file)
		return;
	if (hash_index_add(&table->known_files, hash, table->files.count - 1) < 0) {
		table->files.count--;
		return;
	}
	*file = (struct known_file){ mapping->inode,        mapping->inode_generation,
				     mapping->device_major, mapping->device_minor,
				     mapping->path,         object_ref(mapping->object),
				     ++table->file_uses };
}

/* What was mapped under this name, unless it was written to since. NULL: nothing is known. */
static struct object *known_object(struct process_table *table, const struct mapping *mapping)
{
	uint32_t at = hash_index_find(&table->known_files, file_hash(mapping), file_equal, table,
				      mapping);
	struct object *object = at == HASH_ABSENT ? NULL : table->files.at[at].object;

	if (object)
		table->files.at[at].used = ++table->file_uses;
	return object && object_is_unchanged(object) ? object_ref(object) : NULL;
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

static struct object *find_object(struct process_table *table, const struct process *process,
				  const struct mapping *mapping, bool still_there)
{
	struct object *object = known_object(table, mapping);
	struct opened opened;
	int fd, root_fd;

	/* Without the generation it might be the inode of another file by now. */
	if (object && object->fd >= 0 && mapping->inode_generation) {
		if (ask_is_unchanged(table->workers, object, mapping->mapped_ns))
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
		object = find_object(table, process, mapping, still_there);
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
		remember_file(table, mapping);
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

static void forget_files(struct process_table *table)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < table->files.count; i++) {
		if (table->files.at[i].object->forgotten)
			object_unref(table->files.at[i].object);
		else
			table->files.at[kept++] = table->files.at[i];
	}
	table->files.count = kept;
}

/* The id that a path has in the new table, which it is put into. Returns 0 or -ENOMEM. */
static int move_path(struct strtab *to, const struct strtab *from, uint32_t *path)
{
	return strtab_add_str(to, path, strtab_get(from, *path));
}

static int move_paths(struct process_table *table, struct strtab *to, bool done)
{
	int r = 0;

	for (uint32_t i = 0; i < table->files.count && r == 0; i++) {
		uint32_t path = table->files.at[i].path;

		r = move_path(to, &table->paths, &path);
		if (done)
			table->files.at[i].path = path;
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
		forget_files(table);
	if (table->paths.offsets.count > table->paths_limit ||
	    table->paths.bytes.count > table->path_bytes_limit) {
		drop_paths(table);
		changed = true;
	}
	if (changed)
		index_files(table);
}

/* ---- reading /proc ---- */

/* A line of /proc/PID/maps, and whether it is of code. */
struct line {
	struct mapping mapping;
	bool executable;
	bool opened;	       /* the file was looked for, to see what lies beside it */
	struct object *object; /* then: a reference, or NULL */
};

struct lines {
	struct process_table *table;
	char root[4096]; /* of the process, as we see it, without a '/' at its end */
	uint32_t opened;
	ARRAY_OF(struct line) list;
};

static void lines_fini_cleanup(struct lines *lines)
{
	for (uint32_t i = 0; i < lines->list.count; i++)
		object_unref(lines->list.at[i].object);
	array_fini(&lines->list);
}

/* /proc tells paths as we see them; the process, and events that tell of it, as it does. */
static void skip_root(const char *root, const char **path, size_t *size)
{
	size_t length = strlen(root);

	if (*size > length && memcmp(*path, root, length) == 0 && (*path)[length] == '/') {
		*path += length;
		*size -= length;
	}
}

static void read_root(struct lines *lines, pid_t thread)
{
	char path[32];
	ssize_t size;

	snprintf(path, sizeof(path), "/proc/%d/root", (int)thread);
	size = readlink(path, lines->root, sizeof(lines->root) - 1);
	if (size < 2 || size == sizeof(lines->root) - 1)
		size = 0; /* "/", or nobody knows */
	lines->root[size] = '\0';
}

static int add_line(void *context, const struct maps_line *line)
{
	struct lines *lines = context;
	struct mapping mapping = { .start = line->start,
				   .end = line->end,
				   .file_offset = line->file_offset,
				   .inode = line->inode,
				   .device_major = line->device_major,
				   .device_minor = line->device_minor };
	const char *path = line->path;
	size_t size = line->path_size;
	struct line *added;
	int r;

	/* The vsyscall page is the kernel's; nothing there can be walked through. */
	if (line->start >> 63)
		return 0;
	if (line->path_size == 6 && memcmp(line->path, "[vdso]", 6) == 0)
		mapping.kind = MAPPING_VDSO;
	else if (line->path_size == 0 || line->path[0] != '/' || line->inode == 0)
		mapping.kind = MAPPING_ANONYMOUS;
	if (mapping.kind == MAPPING_FILE)
		skip_root(lines->root, &path, &size);
	r = process_table_path(lines->table, &mapping.path, path, size);
	if (r < 0)
		return r;
	added = array_push(&lines->list);
	if (!added)
		return -ENOMEM;
	*added = (struct line){ .mapping = mapping, .executable = line->executable };
	return 0;
}

static int read_lines(struct lines *ret, const struct process *process)
{
	cleanup(bytes_fini) struct bytes text = {};
	int r = ask_maps(ret->table->workers, &text, process->thread);

	if (r < 0)
		return r;
	read_root(ret, process->thread);
	r = maps_parse(text.at, text.size, add_line, ret);
	return r < 0 ? r : 0;
}

/* ---- code that was copied ---- */

static bool same_file(const struct mapping *a, const struct mapping *b)
{
	return a->inode == b->inode && a->device_major == b->device_major &&
	       a->device_minor == b->device_minor && a->path == b->path;
}

/* A file that is gone, or has never had a name: shared memory, huge pages. */
static bool is_deleted(const struct process_table *table, const struct mapping *mapping)
{
	static const char mark[] = " (deleted)";
	const char *path = strtab_get(&table->paths, mapping->path);
	size_t size = strlen(path), mark_size = sizeof(mark) - 1;

	return size > mark_size && strcmp(path + size - mark_size, mark) == 0;
}

bool process_table_may_be_copy(const struct process_table *table, const struct mapping *mapping)
{
	return mapping->kind == MAPPING_ANONYMOUS ||
	       (mapping->kind == MAPPING_FILE && is_deleted(table, mapping));
}

/* The nearest line with a file before (step -1) or behind (1) line `at`, or NULL. */
static struct line *file_beside(const struct lines *lines, uint32_t at, int step)
{
	enum { MAX_BETWEEN = 4 };

	for (int i = 1; i <= MAX_BETWEEN; i++) {
		int64_t beside = (int64_t)at + step * i;

		if (beside < 0 || beside >= lines->list.count)
			return NULL;
		if (lines->list.at[beside].mapping.kind == MAPPING_FILE)
			return &lines->list.at[beside];
	}
	return NULL;
}

/* The object of a line's file (borrowed), or NULL. Opening costs a question to another process. */
static struct object *object_of(struct lines *lines, const struct process *process,
				struct line *line)
{
	enum { MAX_OPENED = 64 }; /* whoever puts memory beside many files is up to something else */

	if (!line->opened && lines->opened < MAX_OPENED) {
		line->opened = true;
		lines->opened++;
		line->object = find_object(lines->table, process, &line->mapping, true);
	}
	return line->object;
}

/*
 * Programs that want huge pages for their code copy it, and put the copy where it was: its line
 * tells of memory without a file, but lies where by the lines beside it a file's code belongs. No
 * other code comes to lie there: ld.so and the kernel keep the whole of a file's place for it. Then
 * sets the mapping's object and bias.
 */
static void find_copied(struct lines *lines, uint32_t at, const struct process *process,
			struct mapping *mapping)
{
	if (!process_table_may_be_copy(lines->table, mapping))
		return;
	for (int step = -1; step <= 1 && !mapping->object; step += 2) {
		struct line *beside = file_beside(lines, at, step);
		struct object *object;
		uint64_t bias;

		if (!beside || same_file(&beside->mapping, mapping))
			continue;
		object = object_of(lines, process, beside);
		if (!object || object_bias(object, &bias, beside->mapping.start,
					   beside->mapping.file_offset, beside->executable) < 0)
			continue;
		if (!object_has_code(object, mapping->start - bias) ||
		    !object_has_code(object, mapping->end - 1 - bias))
			continue;
		mapping->object = object_ref(object);
		mapping->bias = bias;
		mapping->resolved = true;
	}
}

/* ---- processes ---- */

/*
 * Takes over all executable mappings. again: those of which no event has told all: copies, and what
 * lies where nothing is known.
 */
static int take_lines(struct process *process, struct lines *lines, bool again)
{
	for (uint32_t i = 0; i < lines->list.count; i++) {
		struct mapping mapping = lines->list.at[i].mapping;
		int r;

		if (!lines->list.at[i].executable)
			continue;
		find_copied(lines, i, process, &mapping);
		if (again && !mapping.object && process_mapping(process, mapping.start))
			continue;
		r = process_map(process, &mapping);
		if (r < 0)
			return r;
	}
	return 0;
}

int process_table_read(struct process_table *table, struct process *process)
{
	cleanup(lines_fini) struct lines lines = { .table = table };
	struct proc_stat stat;
	pid_t thread = process->thread;
	int r;

	r = proc_stat_read(&stat, process->pid);
	if (r == 0 && thread == process->pid && stat.state == 'Z') {
		thread = proc_living_thread(process->pid);
		r = thread < 0 ? thread : 0;
	}
	if (r < 0)
		return r;
	process->thread = thread;
	process->parent = stat.parent;
	process->start_time = stat.start_time;
	memcpy(process->comm, stat.comm, sizeof(process->comm));
	r = read_lines(&lines, process);
	if (r < 0)
		return r;
	process_clear(process);
	return take_lines(process, &lines, false);
}

int process_table_look_again(struct process_table *table, struct process *process)
{
	cleanup(lines_fini) struct lines lines = { .table = table };
	int r = read_lines(&lines, process);

	return r < 0 ? r : take_lines(process, &lines, true);
}

int process_table_find_copied(struct process_table *table, const struct process *process,
			      struct mapping *mapping, const struct object *object)
{
	cleanup(lines_fini) struct lines lines = { table, "" };
	int r = read_lines(&lines, process);

	for (uint32_t i = 0; r == 0 && i < lines.list.count; i++) {
		const struct mapping *line = &lines.list.at[i].mapping;

		if (mapping->start >= line->start && mapping->start < line->end &&
		    process_table_may_be_copy(table, line))
			find_copied(&lines, i, process, mapping);
	}
	/* Or another file has come there since. */
	if (mapping->object && mapping->object != object) {
		object_unref(mapping->object);
		mapping->object = NULL;
		mapping->resolved = false;
	}
	return r;
}
