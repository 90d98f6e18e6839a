// SPDX-License-Identifier: Apache-2.0
#include "session/alloc_targets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "elf/allocator.h"
#include "elf/instruction.h"
#include "proc/memory.h"
#include "proc/stat.h"
#include "worker/ask_reader.h"

struct known_allocator {
	uint32_t object; /* its id */
	struct allocator allocator;
	bool place_asked;
	int place; /* of a file that is not open here; -1: none */
};

struct alloc_targets {
	ARRAY_OF(struct known_allocator) known;
	struct hash_index index; /* of `known` by object */
	struct process_memory memory;
	uint64_t fingerprint; /* of the probes found last; 0: none yet */
	char trouble[256];
};

int alloc_targets_new(struct alloc_targets **ret)
{
	struct alloc_targets *targets = calloc(1, sizeof(*targets));

	if (!targets)
		return -ENOMEM;
	*ret = targets;
	return 0;
}

void alloc_targets_free(struct alloc_targets *targets)
{
	if (!targets)
		return;
	for (uint32_t i = 0; i < targets->known.count; i++) {
		allocator_fini(&targets->known.at[i].allocator);
		if (targets->known.at[i].place >= 0)
			(void)close(targets->known.at[i].place);
	}
	array_fini(&targets->known);
	hash_index_fini(&targets->index);
	free(targets);
}

const char *alloc_targets_trouble(const struct alloc_targets *targets)
{
	return targets->trouble;
}

/* What an object has; NULL with 0: nothing, or it cannot be read. */
static int find_allocator(struct alloc_targets *targets, struct pipeline *p, struct object *object,
			  const struct allocator **ret)
{
	uint64_t hash = hash_u64(object->id);
	uint32_t at = hash_index_find(&targets->index, hash, NULL, NULL, NULL);
	struct known_allocator *known;
	struct allocator found = {};
	int r;

	if (at != HASH_ABSENT) {
		*ret = &targets->known.at[at].allocator;
		return 0;
	}
	r = ask_allocator(p->workers, &found, object);
	if (r == -ENOMEM)
		return r;
	at = targets->known.count;
	known = array_push(&targets->known);
	if (!known) {
		allocator_fini(&found);
		return -ENOMEM;
	}
	*known = (struct known_allocator){ .object = object->id, .allocator = found, .place = -1 };
	*ret = &known->allocator;
	return hash_index_add(&targets->index, hash, at);
}

/* An object of a process that has functions of an allocator, or pointers to malloc. */
struct candidate {
	const struct mapping *mapping;
	uint32_t known; /* in targets.known */
	bool has_malloc;
	uint32_t votes; /* pointers of the process that lead here */
};

struct candidates {
	ARRAY_OF(struct candidate) of;
};

static int list_candidates(struct alloc_targets *targets, struct pipeline *p,
			   const struct process *process, struct candidates *ret)
{
	for (uint32_t i = 0; i < process->mappings.count; i++) {
		const struct mapping *mapping = &process->mappings.at[i];
		const struct allocator *allocator;
		struct candidate *candidate;
		bool again = false;
		int r;

		if (!mapping->object || mapping->kind != MAPPING_FILE || mapping->written_over)
			continue;
		for (uint32_t k = 0; k < ret->of.count; k++)
			again |= ret->of.at[k].mapping->object == mapping->object &&
				 ret->of.at[k].mapping->bias == mapping->bias;
		if (again)
			continue;
		r = find_allocator(targets, p, mapping->object, &allocator);
		if (r < 0)
			return r;
		if (!allocator->sites.count && !allocator->slots.count && !allocator->calls_new)
			continue;
		candidate = array_push(&ret->of);
		if (!candidate)
			return -ENOMEM;
		candidate->mapping = mapping;
		candidate->known = hash_index_find(&targets->index, hash_u64(mapping->object->id),
						   NULL, NULL, NULL);
		candidate->has_malloc = allocator->sites.count && !allocator->prefixed;
	}
	return 0;
}

static const struct allocator *allocator_of(const struct alloc_targets *targets,
					    const struct candidate *candidate)
{
	return &targets->known.at[candidate->known].allocator;
}

/*
 * By which descriptor the kernel finds the object's file, to probe it; -1: by none. An overlay is no more likely
 * to make it wait than what runs the program, unless some user has mounted it over a FUSE of his.
 */
static int file_of(struct alloc_targets *targets, struct pipeline *p,
		   const struct candidate *candidate)
{
	struct known_allocator *known = &targets->known.at[candidate->known];
	const struct object *object = candidate->mapping->object;

	if (object->fd < 0 || !object->may_block)
		return object->fd;
	if (!known->place_asked && object->overlay && object->honest) {
		known->place = ask_place(p->workers, object->fd);
		known->place_asked = true;
	}
	return known->place < 0 ? -1 : known->place;
}

static void vote(const struct alloc_targets *targets, struct candidates *candidates,
		 uint64_t address)
{
	for (uint32_t i = 0; i < candidates->of.count; i++) {
		struct candidate *candidate = &candidates->of.at[i];
		const struct allocator *allocator = allocator_of(targets, candidate);

		if (!candidate->has_malloc)
			continue;
		for (uint32_t k = 0; k < allocator->sites.count; k++)
			if (allocator->sites.at[k].function == ALLOCATION_MALLOC &&
			    allocator->sites.at[k].entry + candidate->mapping->bias == address)
				candidate->votes++;
	}
}

static bool is_c_library(const struct candidate *candidate)
{
	const char *path = candidate->mapping->object->path;
	const char *name = path ? strrchr(path, '/') : NULL;

	name = name ? name + 1 : path ? path : "";
	return strncmp(name, "libc.so", 7) == 0 || strncmp(name, "libc-", 5) == 0 ||
	       strncmp(name, "ld-musl", 7) == 0;
}

/* By the process's pointers; before any of them is set, anybody's rather than the C library's. */
static void choose(struct alloc_targets *targets, const struct process *process,
		   struct candidates *candidates)
{
	uint32_t with_malloc = 0, chosen = 0;

	for (uint32_t i = 0; i < candidates->of.count; i++)
		with_malloc += candidates->of.at[i].has_malloc;
	if (with_malloc > 1) {
		process_memory_init(&targets->memory,
				    process->thread ? process->thread : process->pid);
		for (uint32_t i = 0; i < candidates->of.count; i++) {
			const struct candidate *candidate = &candidates->of.at[i];
			const struct allocator *allocator = allocator_of(targets, candidate);

			for (uint32_t k = 0; k < allocator->slots.count; k++) {
				uint64_t address;

				if (process_memory_word(&targets->memory, &address,
							allocator->slots.at[k] +
								candidate->mapping->bias) == 0)
					vote(targets, candidates, address);
			}
		}
		process_memory_fini(&targets->memory);
	}
	for (uint32_t i = 0; i < candidates->of.count; i++)
		chosen += candidates->of.at[i].votes > 0;
	for (uint32_t i = 0; i < candidates->of.count && !chosen; i++)
		if (candidates->of.at[i].has_malloc &&
		    (with_malloc == 1 || !is_c_library(&candidates->of.at[i])))
			chosen = candidates->of.at[i].votes = 1;
}

static enum wire_alloc_rule rule_of(const struct allocation_site *site)
{
	if (site->function == ALLOCATION_CALLOC)
		return ALLOC_COUNTED;
	if (site->flags & ALLOCATION_NULL_LEADS_ON)
		return ALLOC_UNLESS_NULL;
	return site->flags & ALLOCATION_SMALL_LEADS_ON ? ALLOC_UNLESS_SMALL : ALLOC_PLAIN;
}

static bool is_called_often(const struct allocation_site *site)
{
	return site->function == ALLOCATION_MALLOC || site->function == ALLOCATION_NEW;
}

bool alloc_site_place(const struct allocation_site *site, const struct object *object,
		      uint64_t *ret_offset, uint64_t *ret_cookie)
{
	const struct object_segment *segment = object_segment_of(object, site->address);
	uint8_t other = site->other_register == REGISTER_NONE ? 0 : site->other_register;

	if (!segment || site->address - segment->address >= segment->file_size)
		return false;
	*ret_offset = segment->file_offset + (site->address - segment->address);
	*ret_cookie = WIRE_ALLOC_COOKIE(rule_of(site), site->size_register, other);
	return true;
}

static int add_place(struct alloc_probe *probe, const struct object *object,
		     const struct allocation_site *site)
{
	uint64_t offset, cookie, *slot;

	if (!alloc_site_place(site, object, &offset, &cookie))
		return 0;
	slot = array_push(&probe->offsets);
	if (!slot)
		return -ENOMEM;
	*slot = offset;
	slot = array_push(&probe->cookies);
	if (!slot)
		return -ENOMEM;
	*slot = cookie;
	return 0;
}

static int add_probe(const struct allocator *allocator, const struct process *process,
		     const struct candidate *candidate, int file, struct alloc_probes *ret)
{
	struct object *object = candidate->mapping->object;
	struct alloc_probe *probe;
	int r = 0;

	if (file < 0)
		return 0;
	probe = array_push(&ret->of);
	if (!probe)
		return -ENOMEM;
	probe->pid = process->pid;
	probe->file = fcntl(file, F_DUPFD_CLOEXEC, 3);
	/* What is called most is probed last: the kernel sets one after another. */
	for (unsigned often = 0; often < 2; often++)
		for (uint32_t i = 0; i < allocator->sites.count && r == 0; i++)
			if (allocator->sites.at[i].outcome == ALLOCATION_SITE &&
			    !allocation_function_releases(allocator->sites.at[i].function) &&
			    is_called_often(&allocator->sites.at[i]) == often)
				r = add_place(probe, object, &allocator->sites.at[i]);
	if (r == 0 && (probe->file < 0 || !probe->offsets.count)) {
		if (probe->file >= 0)
			(void)close(probe->file);
		array_fini(&probe->offsets);
		array_fini(&probe->cookies);
		ret->of.count--;
	}
	return r;
}

/* Which functions of the one that was chosen go unseen. */
static void note_trouble(struct alloc_targets *targets, struct pipeline *p,
			 const struct process *process, const struct candidates *candidates,
			 uint32_t probes)
{
	bool has_any = false, unreachable = false;

	for (uint32_t i = 0; i < candidates->of.count; i++) {
		const struct candidate *candidate = &candidates->of.at[i];
		const struct allocator *allocator = allocator_of(targets, candidate);

		unreachable |= candidate->votes && file_of(targets, p, candidate) < 0;
		for (uint32_t k = 0; candidate->votes && k < allocator->sites.count; k++)
			has_any |= allocator->sites.at[k].outcome == ALLOCATION_NO_SITE &&
				   !allocation_function_releases(allocator->sites.at[k].function);
	}
	if (probes)
		targets->trouble[0] = '\0';
	else if (unreachable)
		snprintf(
			targets->trouble, sizeof(targets->trouble),
			"process %d: the file that its allocator is in lies on a file system that may "
			"not answer (FUSE, NFS); '-e growth' measures any",
			(int)process->pid);
	else if (has_any)
		snprintf(
			targets->trouble, sizeof(targets->trouble),
			"process %d: its allocator begins with no instruction that could be probed "
			"cheaply",
			(int)process->pid);
	else
		snprintf(
			targets->trouble, sizeof(targets->trouble),
			"process %d: no malloc is found in it: it is static without symbols, or its "
			"language gives out memory by itself, as Go does; '-e growth' measures any",
			(int)process->pid);
}

bool alloc_targets_out_of_reach(const struct process *process)
{
	pid_t thread = proc_living_thread(process->pid);

	return thread > 0 && thread != process->pid;
}

int alloc_targets_of(struct alloc_targets *targets, struct pipeline *p,
		     const struct process *process, struct alloc_used *ret)
{
	struct candidates candidates = {};
	int r = list_candidates(targets, p, process, &candidates);

	*ret = (struct alloc_used){};
	if (r == 0)
		choose(targets, process, &candidates);
	for (uint32_t i = 0; i < candidates.of.count && r == 0; i++) {
		const struct candidate *candidate = &candidates.of.at[i];
		const struct allocator *allocator = allocator_of(targets, candidate);
		struct alloc_use *use;

		ret->calls_new |= allocator->calls_new;
		if (!candidate->votes && (!allocator->prefixed || !allocator->sites.count))
			continue;
		use = array_push(&ret->of);
		if (!use) {
			r = -ENOMEM;
			break;
		}
		*use = (struct alloc_use){ candidate->mapping->object, allocator,
					   file_of(targets, p, candidate) };
	}
	array_fini(&candidates.of);
	if (r < 0)
		array_fini(&ret->of);
	return r;
}

static int find_in(struct alloc_targets *targets, struct pipeline *p, const struct process *process,
		   struct alloc_probes *ret)
{
	struct candidates candidates = {};
	uint32_t before = ret->of.count;
	int r;

	if (alloc_targets_out_of_reach(process)) {
		snprintf(
			targets->trouble, sizeof(targets->trouble),
			"process %d: its first thread has ended, and the kernel probes no process without "
			"it; '-e growth' measures any",
			(int)process->pid);
		return 0;
	}
	r = list_candidates(targets, p, process, &candidates);
	if (r == 0)
		choose(targets, process, &candidates);
	for (uint32_t i = 0; i < candidates.of.count && r == 0; i++) {
		const struct candidate *candidate = &candidates.of.at[i];
		const struct allocator *allocator = allocator_of(targets, candidate);

		if (candidate->votes || (allocator->prefixed && allocator->sites.count))
			r = add_probe(allocator, process, candidate, file_of(targets, p, candidate),
				      ret);
	}
	if (r == 0)
		note_trouble(targets, p, process, &candidates, ret->of.count - before);
	array_fini(&candidates.of);
	return r;
}

static uint64_t fingerprint_of(const struct alloc_probes *probes, const struct pipeline *p)
{
	uint64_t hash = 1;

	for (uint32_t i = 0; i < probes->of.count; i++) {
		const struct alloc_probe *probe = &probes->of.at[i];
		const struct process *process = process_table_find(&p->processes, probe->pid);

		hash = hash_pair(hash, hash_pair((uint64_t)probe->pid,
						 process ? process->start_time : 0));
		for (uint32_t k = 0; k < probe->offsets.count; k++)
			hash = hash_pair(hash,
					 hash_pair(probe->offsets.at[k], probe->cookies.at[k]));
	}
	return hash ? hash : 1;
}

int alloc_targets_find(struct alloc_targets *targets, struct pipeline *p, struct alloc_probes *ret,
		       bool *ret_changed)
{
	struct alloc_probes found = {};
	uint64_t fingerprint;
	int r = 0;

	*ret_changed = false;
	for (uint32_t i = 0; i < p->processes.processes.count && r == 0; i++) {
		const struct process *process = p->processes.processes.at[i];

		if (process->mappings_known && (!process->dead || process->goes_on))
			r = find_in(targets, p, process, &found);
	}
	fingerprint = fingerprint_of(&found, p);
	if (r < 0 || fingerprint == targets->fingerprint) {
		alloc_probes_fini(&found);
		return r;
	}
	targets->fingerprint = fingerprint;
	*ret = found;
	*ret_changed = true;
	return 0;
}
