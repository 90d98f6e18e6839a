// SPDX-License-Identifier: Apache-2.0
/* What /proc tells of a process's mappings, and code that was copied out of its file. */
#include "proc/process_table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "proc/maps.h"
#include "proc/stat.h"

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
	enum {
		MAX_OPENED = 64
	}; /* whoever puts memory beside many files is up to something else */

	if (!line->opened && lines->opened < MAX_OPENED) {
		line->opened = true;
		lines->opened++;
		line->object =
			process_table_find_object(lines->table, process, &line->mapping, true);
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
