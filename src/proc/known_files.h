/* SPDX-License-Identifier: Apache-2.0 */
/* Files as mapping events name them, so that processes that are gone by now still find theirs. */
#pragma once

#include "base/hash.h"
#include "elf/object.h"
#include "proc/process.h"

struct known_file {
	uint64_t inode, inode_generation;
	uint32_t device_major, device_minor;
	uint32_t path; /* as in struct mapping */
	struct object *object; /* a reference */
	uint64_t used; /* known_files.uses when it was of use last */
};

struct known_files {
	ARRAY_OF(struct known_file) list;
	struct hash_index index;
	uint64_t uses; /* counts them */
};

void known_files_fini(struct known_files *files);
/* Was the file that the mapping names found before? */
bool known_files_has(const struct known_files *files, const struct mapping *mapping);
/* A new reference to what was mapped under this name, unless it was written to since; else NULL. */
struct object *known_files_find(struct known_files *files, const struct mapping *mapping);
/*
 * Keeps mapping->object under the names of the mapping; of too many, half are forgotten. Out of memory it
 * is not kept, and found anew.
 */
void known_files_add(struct known_files *files, const struct mapping *mapping);
/* Lets go of objects that are forgotten. known_files_index has to follow. */
void known_files_forget(struct known_files *files);
/* After ids of paths, or places in the list, have changed. */
void known_files_index(struct known_files *files);
