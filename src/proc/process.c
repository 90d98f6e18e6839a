// SPDX-License-Identifier: Apache-2.0
#include "proc/process.h"

#include <errno.h>
#include <string.h>

enum {
	MAX_CHANGES = 256,
	MAX_MAPPINGS = 65536, /* what is mapped behind so many is not known */
};

/* Numbers that wrap around: which of two near ones is the later one? */
static bool is_after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

void process_init(struct process *process, pid_t pid, uint32_t generation)
{
	*process = (struct process){ .pid = pid,
				     .thread = pid,
				     .generation = generation,
				     .forgotten_generation = generation };
}

static void mappings_fini(struct process *process)
{
	for (uint32_t i = 0; i < process->mappings.count; i++)
		object_unref(process->mappings.at[i].object);
	process->mappings.count = 0;
}

void process_fini(struct process *process)
{
	mappings_fini(process);
	array_fini(&process->mappings);
	array_fini(&process->changes);
	array_fini(&process->wire);
	free(process->executable);
}

static void note_change(struct process *process, uint64_t start, uint64_t end)
{
	struct mapping_change *change;

	process->dirty = true;
	if (process->changes.count >= MAX_CHANGES) {
		process->forgotten_generation = process->generation + 1;
		process->changes.count = 0;
		return;
	}
	change = array_push(&process->changes);
	if (change)
		*change = (struct mapping_change){ start, end, process->generation + 1 };
	else
		process->forgotten_generation = process->generation + 1;
}

void process_clear(struct process *process)
{
	mappings_fini(process);
	free(process->executable);
	process->executable = NULL;
	process->executable_known = false;
	process->files = 0;
	process->unreadable = false;
	process->mappings_known = true;
	note_change(process, 0, UINT64_MAX);
}

int process_inherit(struct process *process, const struct process *parent)
{
	process_clear(process);
	process->mappings_known = parent->mappings_known;
	memcpy(process->comm, parent->comm, sizeof(process->comm));
	if (!array_reserve(&process->mappings, parent->mappings.count))
		return -ENOMEM;
	for (uint32_t i = 0; i < parent->mappings.count; i++) {
		struct mapping *copy = array_push(&process->mappings);

		*copy = parent->mappings.at[i];
		if (copy->object)
			object_ref(copy->object);
	}
	return 0;
}

/* The first mapping that ends after the address. */
static uint32_t first_after(const struct process *process, uint64_t address)
{
	uint32_t low = 0, high = process->mappings.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (process->mappings.at[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct mapping *process_mapping(const struct process *process, uint64_t address)
{
	uint32_t at = first_after(process, address);

	if (at == process->mappings.count || process->mappings.at[at].start > address)
		return NULL;
	return &process->mappings.at[at];
}

static int insert_at(struct process *process, uint32_t at, const struct mapping *mapping)
{
	if (!array_push(&process->mappings))
		return -ENOMEM;
	memmove(process->mappings.at + at + 1, process->mappings.at + at,
		(process->mappings.count - 1 - at) * sizeof(*mapping));
	process->mappings.at[at] = *mapping;
	return 0;
}

/* File systems give the inode number of a deleted file to the next one. */
static bool same_inode(const struct mapping *a, const struct mapping *b)
{
	return a->inode == b->inode &&
	       (a->inode_generation == b->inode_generation || !a->inode_generation ||
		!b->inode_generation);
}

/* Is it a part, or all, of what the older one has mapped? */
static bool same_backing(const struct mapping *old, const struct mapping *mapping)
{
	return old->kind == mapping->kind && old->path == mapping->path &&
	       same_inode(old, mapping) && old->device_major == mapping->device_major &&
	       old->device_minor == mapping->device_minor &&
	       (old->kind != MAPPING_FILE ||
		old->file_offset + (mapping->start - old->start) == mapping->file_offset);
}

/*
 * Does the older mapping say the same already? mprotect reports a mapping again, or a part of it. A
 * file may have been written over since and be mapped anew, or nothing is known of it.
 */
static bool is_known(const struct mapping *old, const struct mapping *mapping)
{
	if (mapping->start < old->start || mapping->end > old->end)
		return false;
	if (mapping->object)
		return old->object == mapping->object && old->bias == mapping->bias;
	return same_backing(old, mapping) &&
	       (old->object ? object_is_unchanged(old->object)
			    : !old->resolved || old->kind != MAPPING_FILE);
}

int process_map(struct process *process, const struct mapping *mapping)
{
	uint32_t at = first_after(process, mapping->start), last;
	int r;

	if (at < process->mappings.count && is_known(&process->mappings.at[at], mapping)) {
		if (mapping->inode_generation)
			process->mappings.at[at].inode_generation = mapping->inode_generation;
		object_unref(mapping->object);
		return 0;
	}
	process->reuses_addresses |= at < process->mappings.count &&
				     process->mappings.at[at].start < mapping->end &&
				     mapping->kind == MAPPING_FILE;
	/* An older mapping that begins before and reaches in is cut; if it reaches out behind, too. */
	if (at < process->mappings.count && process->mappings.at[at].start < mapping->start) {
		struct mapping *old = &process->mappings.at[at];
		struct mapping rest = *old;

		if (old->end > mapping->end) {
			rest.start = mapping->end;
			rest.file_offset += rest.start - old->start;
			old->end = mapping->start;
			if (rest.object)
				object_ref(rest.object);
			r = insert_at(process, at + 1, &rest);
			if (r < 0) {
				object_unref(rest.object);
				return r;
			}
		} else {
			old->end = mapping->start;
		}
		at++;
	}
	for (last = at; last < process->mappings.count; last++) {
		struct mapping *old = &process->mappings.at[last];

		if (old->start >= mapping->end)
			break;
		if (old->end > mapping->end) {
			old->file_offset += mapping->end - old->start;
			old->start = mapping->end;
			break;
		}
		object_unref(old->object);
	}
	if (last > at)
		memmove(process->mappings.at + at, process->mappings.at + last,
			(process->mappings.count - last) * sizeof(*mapping));
	process->mappings.count -= last - at;
	note_change(process, mapping->start, mapping->end);
	if (process->mappings.count >= MAX_MAPPINGS) {
		object_unref(mapping->object);
		return 0;
	}
	return insert_at(process, at, mapping);
}

bool process_has_code_below(const struct process *process, const struct mapping *mapping)
{
	for (uint32_t i = first_after(process, mapping->start);
	     i < process->mappings.count && process->mappings.at[i].start < mapping->end; i++)
		if (process->mappings.at[i].kind == MAPPING_FILE || process->mappings.at[i].object)
			return true;
	return false;
}

void process_write_over(struct process *process, struct mapping *mapping)
{
	/* On an overlay what runs may be the file below, which nobody has written to. */
	mapping->written_over = !mapping->object->overlay;
	process->written_over |= mapping->written_over;
	object_unref(mapping->object);
	mapping->object = NULL;
	mapping->resolved = true;
	process->reuses_addresses = true;
	note_change(process, mapping->start, mapping->end);
}

void process_take_contents(struct process *process, uint64_t now_ns)
{
	if (!process->written_over)
		return;
	process->written_over = false;
	process->dirty = true;
	process->known_since_ns = now_ns;
	for (uint32_t i = 0; i < process->mappings.count; i++) {
		struct mapping *mapping = &process->mappings.at[i];

		if (!mapping->written_over)
			continue;
		mapping->written_over = mapping->resolved = false;
		mapping->mapped_ns = now_ns;
	}
}

bool process_changed(const struct process *process, uint32_t generation, uint64_t address)
{
	if (is_after(process->forgotten_generation, generation))
		return true;
	for (uint32_t i = process->changes.count; i-- > 0;) {
		const struct mapping_change *change = &process->changes.at[i];

		if (!is_after(change->generation, generation))
			break;
		if (address >= change->start && address < change->end)
			return true;
	}
	return false;
}
