/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose a sample is: the user, the control group with the unit, container and pod that its path names,
 * and the executable. What the kernel half tells (ids) is looked up once and kept, so that a process
 * that has ended meanwhile has its labels, too.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/hash.h"
#include "proc/process.h"

/* All texts are "" where not known or not so. */
struct group_identity {
	uint64_t id;
	char *path, *unit, *container, *pod;
	uint64_t read_ns; /* CLOCK_MONOTONIC */
};

struct user_identity {
	uint32_t uid;
	char *name;
};

struct identities {
	int root; /* folder of the hierarchy of control groups; -1: there is none to be had */
	bool only_version_2; /* no hierarchy of version 1 is in use */
	ARRAY_OF(struct group_identity) groups;
	struct hash_index group_index;
	ARRAY_OF(struct user_identity) users;
	uint64_t users_ns; /* when they were read, CLOCK_MONOTONIC; 0: never */
};

void identities_init(struct identities *identities);
void identities_fini(struct identities *identities);

/*
 * The group with this id of the version 2 hierarchy, which a process (0: none) was in; NULL: not
 * known. Where that hierarchy is not used, the process says by itself. Borrowed until the next call.
 */
const struct group_identity *identities_group(struct identities *identities, uint64_t id, pid_t pid);
/* The user's name in /etc/passwd (no directory service is asked), or NULL. Borrowed until the next call. */
const char *identities_user(struct identities *identities, uint32_t uid);
/*
 * The path of the program that the process runs, without " (deleted)"; "" when not known. *object: of
 * it, borrowed from the mappings; NULL: not known. Borrowed until the process execs or ends.
 */
const char *identities_executable(struct process *process, const struct object **object);
