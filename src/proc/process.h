/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One process and its executable mappings, as they are at the moment up to which the stream of
 * lifecycle events has been followed.
 *
 * Changes are numbered: `generation` is the number of the last state that was handed to the kernel
 * half; what changed since then carries generation + 1. So a stack that was walked with an older
 * state can be checked against just what changed after it. Numbers are never given twice, not even
 * to different processes: a state of the process that had the pid before is an older one, too.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "bpf/wire.h"
#include "elf/object.h"

enum mapping_kind {
	MAPPING_FILE,
	MAPPING_ANONYMOUS, /* generated code */
	MAPPING_VDSO,
};

struct mapping {
	uint64_t start, end, file_offset;
	uint64_t inode, inode_generation; /* as the kernel says; generation 0: not known */
	uint64_t mapped_ns; /* when; 0: not known */
	uint32_t device_major, device_minor;
	uint32_t path; /* id in process_table.paths */
	enum mapping_kind kind;
	bool resolved;         /* the file was looked for; object NULL: without success */
	bool written_over;     /* its file was, while it was mapped */
	struct object *object; /* a reference */
	uint64_t bias;         /* runtime address - ELF address, when object is set */
};

struct mapping_change {
	uint64_t start, end;
	uint32_t generation;
};

struct process {
	pid_t pid;
	pid_t parent;	     /* that forked it; 0: not known */
	uint64_t start_time; /* clock ticks since boot; 0: not known */
	char comm[16];       /* of the first thread; "" when not known */
	bool mappings_known; /* else read them from /proc when they are first needed */
	bool dirty;          /* mappings differ from what the kernel half was told */
	bool dead;    /* its first thread has ended */
	bool goes_on; /* though dead: other threads live */
	bool single;  /* it has never had other threads, as far as events tell; false: not known */
	pid_t thread; /* a living one, as far as is known: by its id /proc tells of the process */
	uint32_t files; /* about how many of its mappings have an object */
	bool target;         /* named by the user: its tables are built ahead */
	bool sampled;        /* at least one sample: the kernel half should know it */
	uint64_t exit_ns;
	/* It was looked at in /proc from read_ns to looked_ns (0: never); older events say nothing new. */
	uint64_t read_ns, looked_ns;
	uint64_t known_since_ns; /* but not what it had mapped before this */
	uint64_t exec_ns;        /* of the last exec that an event told of; 0: of none */
	uint64_t sure_ns;        /* its events are known from here on, if none were lost since */
	bool look_again;         /* something was mapped over code: it may hold the same code */
	uint64_t looked_again_ns;
	uint64_t copied_ns; /* when it was last looked at for that at once */
	uint32_t checked;    /* see process_table_check */
	bool written_over;   /* one of the mappings is */
	uint32_t generation;
	bool unreadable; /* we were not allowed to read what it had mapped when it was met */
	bool reuses_addresses; /* code was mapped where other code had been, since the last look */
	uint64_t reused_ns;    /* when that was seen last; 0: never */
	uint64_t profile_bytes; /* that its samples have taken, of session/sample_stack.c */
	uint64_t cgroup;	/* id, of its last sample; 0: not known */
	char *executable;	/* path, see session/identity.h; NULL: not known */
	bool executable_known;	/* or it cannot be */
	uint32_t forgotten_generation; /* changes up to this one are no longer listed */
	ARRAY_OF(struct mapping) mappings; /* ascending, not overlapping */
	ARRAY_OF(struct mapping_change) changes;
	ARRAY_OF(struct wire_mapping) wire; /* what the walkers use; parallel to mappings */
};

/* generation: the last one that any process has had. */
void process_init(struct process *process, pid_t pid, uint32_t generation);
void process_fini(struct process *process);

/* Forgets every mapping: exec. From now on they come from the stream of events. */
void process_clear(struct process *process);
/* Takes over the mappings of the process it was forked from. Returns 0 or -ENOMEM. */
int process_inherit(struct process *process, const struct process *parent);
/*
 * Adds a mapping (object reference taken over), cutting away what lies below it, unless that is the
 * same already. Returns 0 or -ENOMEM.
 */
int process_map(struct process *process, const struct mapping *mapping);
/* Does some of the code of known files lie below it? */
bool process_has_code_below(const struct process *process, const struct mapping *mapping);
/*
 * The mapping's code is other code by now, though it was not mapped anew: it has no object until
 * process_take_contents says that what the file holds at that moment (CLOCK_MONOTONIC) is what runs
 * from then on. On an overlay that cannot be said.
 */
void process_write_over(struct process *process, struct mapping *mapping);
void process_take_contents(struct process *process, uint64_t now_ns);
struct mapping *process_mapping(const struct process *process, uint64_t address);
/* Did the mapping at this address change after the state `generation`? */
bool process_changed(const struct process *process, uint32_t generation, uint64_t address);
