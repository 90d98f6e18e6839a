/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names for the locations of a profile, each once, in pieces while the recording goes on: at its
 * end little is left to do, and processes are still there to be asked for their JIT maps.
 */
#pragma once

#include <sys/types.h>

#include "elf/object.h"
#include "profile/profile.h"
#include "symbol/symbolizer.h"

/* Where a location's name comes from. */
struct naming_item {
	enum naming_source {
		NAMING_FIXED, /* it has its name already */
		NAMING_OBJECT,
		NAMING_KERNEL,
		NAMING_JIT,
	} source;
	struct object *object; /* NAMING_OBJECT: a reference */
	uint64_t address;      /* ELF address, kernel address or runtime address */
	pid_t pid;             /* NAMING_JIT */
	uint64_t start_time;
	uint32_t fallback;     /* string id of the name when nothing better is known; 0: none */
	bool named;
	bool was_named; /* once already: what comes later may only better it */
	uint64_t key;	/* see naming_key; of what was asked about */
};

struct naming {
	struct profile *profile;        /* borrowed */
	struct symbolizer *symbolizer;  /* borrowed */
	struct fetches *fetches;        /* borrowed; NULL: debug files are not downloaded */
	bool no_inline;                 /* leave inlined functions out */
	/*
	 * Not NULL: whether whoever takes the profile knows the location's name already, so that it needs
	 * none; key: of its code, the same for equal code, see naming_key.
	 */
	bool (*knows)(void *context, uint64_t key);
	void *knows_context;
	ARRAY_OF(struct naming_item) items; /* by location id */
	uint32_t next;                  /* the first location that is not named yet */
};

/*
 * Tells code apart for as long as the process runs; 0: what stands there may change (generated code).
 */
uint64_t naming_key(const struct naming_item *item);

/* The location has just been added to the profile, with the next id. item->object: taken over. */
int naming_add(struct naming *naming, uint32_t location, const struct naming_item *item);
/* A location that is not code, with a name that stands for itself. */
int naming_fixed(struct naming *naming, uint32_t location, const char *name);
/*
 * Names locations for about budget_ns (at least one, and all that wait of its object, process or kernel); UINT64_MAX:
 * all. Returns 0 or a negative errno.
 */
int naming_advance(struct naming *naming, uint64_t budget_ns);
/* Names what is waiting of an object whose file is about to be closed. Returns 0 or -errno. */
int naming_finish_object(struct naming *naming, struct object *object);
/*
 * Names what is waiting of the generated code of a process that has ended, and forgets what its JIT
 * told. Returns 0 or a negative errno.
 */
int naming_finish_process(struct naming *naming, pid_t pid, uint64_t start_time);
/* What has a name of this object is asked about again: there may be better ones now. */
void naming_again(struct naming *naming, const struct object *object);
/* Begins anew: the profile is another one, and holds nothing yet. */
void naming_forget(struct naming *naming);
void naming_fini(struct naming *naming);
