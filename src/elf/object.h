/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ELF file that processes map: its identity, its loadable segments and an open descriptor.
 *
 * The noun only: who reads files is elf/object_file.h and its neighbours, in the reader process.
 * The identity is what the opened file says of itself (fstat), never its build ID alone.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/cleanup.h"

struct object_identity {
	uint64_t device, inode, size;
	int64_t mtime_ns, ctime_ns;
	uint32_t owner; /* user id */
};

/* A PT_LOAD program header (ELF gABI, "Program Header"). */
struct object_segment {
	uint64_t address, file_offset, file_size, memory_size;
	bool executable;
};

struct stat;
struct object_identity object_identity_of(const struct stat *st);

enum { OBJECT_BUILD_ID_MAX = 64 };

struct object {
	uint32_t references;
	uint32_t id;   /* dense, 1..n in order of discovery, for the life of the process */
	int fd;        /* kept open while the object is in use: late naming survives unlink; or -1 */
	bool overlay;  /* writing to it may make another file, of the same name, and what runs stays */
	bool may_block; /* its file system may never answer; fd is a parcel (base/parcel.h) then */
	bool honest;   /* no user can make up its identity; see struct opened */
	char *path;    /* as the target sees it, "[vdso]" for the vdso; for people */
	int root_fd;   /* folder below which the target's paths lie, for finding separate debug
			  files when the target is gone, too (O_PATH); -1: our own root */
	struct object_identity identity;
	uint64_t entry; /* e_entry, an ELF address; 0: none */
	uint16_t type; /* ET_EXEC, ET_DYN */
	uint16_t machine;
	uint8_t build_id[OBJECT_BUILD_ID_MAX];
	uint32_t build_id_size; /* 0: none */
	char *debug_link; /* .gnu_debuglink: the name of its debug file; NULL: none */
	uint32_t debug_checksum;
	ARRAY_OF(struct object_segment) segments;
	/* Of those who ask the reader process about it: */
	uint32_t known_by; /* the generation of the process that knows it; 0: none */
	bool given_up;     /* it cannot be read; never to be asked about again */
	/* The same of the process that reads source lines. */
	uint32_t lines_known_by;
	bool lines_given_up;
	uint32_t walk_known_by; /* of the process that walks copied stacks */
	uint32_t walks_failed;	/* of stacks, by libunwind; see session/copy_walk.c */
	bool walk_declined;	/* that one could not take it */
	bool lines_declined; /* there are none, and naming it takes more than that process has */
	void *cache_key; /* struct symbol_cache_key of what its names were made from; NULL: none */
	/*
	 * Of its debug information, which may be looked for elsewhere: none of its files has any; the
	 * build ID (lower-case hex, owned) of a supplementary file (dwz) that is missing, or NULL; how
	 * many files are awaited, so that its own stays open; and parcels (base/parcel.h) with what
	 * came, its debug file and the supplementary one, or -1.
	 */
	bool lacks_debug_info;
	char *lacks_supplement;
	uint32_t awaited_files;
	int debug_parcel, supplement_parcel;
	uint32_t wanted;   /* paths of further files that were asked for to name its addresses */
	uint64_t used_ns;  /* when a process had it mapped last */
	/*
	 * The process in whose mount namespace its file was opened, and when that had it mapped
	 * last; who else has had it for the longest time, and since when. 0: nobody. Of
	 * session/open_files.c.
	 */
	pid_t opened_by, heir;
	uint64_t there_ns, heir_ns;
	uint64_t opened_ns; /* since when its file is open, CLOCK_MONOTONIC */
	uint64_t name_bytes; /* that its names take, of symbol/symbolizer.c */
	bool forgotten;    /* by the object cache: the file is a new object when it comes again */
	/* Of process_table_check: the last round in which it was looked at, and what was seen. */
	uint32_t checked;
	bool changed;
	uint64_t state_ns; /* when ask_is_unchanged has asked last */
};

/* What opening a file as an object comes to, other than success. */
enum object_outcome {
	OBJECT_NOT_ELF = 1,  /* not a 64-bit little-endian ELF program or library */
	OBJECT_BROKEN,       /* ELF, but its headers contradict each other or the file's size */
};

/*
 * An object of which nothing but its file is known so far. fd: owned from now on, closed on failure;
 * path: copied, see struct object. Returns NULL when out of memory.
 */
struct object *object_new(int fd, const char *path);
/*
 * Has the file not been written to since it was opened? Also true when that cannot be found out: it
 * is closed. Of one whose file system might never answer: as it was seen last (ask_is_unchanged).
 */
bool object_is_unchanged(const struct object *object);
/* Closes the file and the root, for now. */
void object_close(struct object *object);
struct object *object_ref(struct object *object);
void object_unref(struct object *object);
DEFINE_CLEANUP(struct object, object_unref);

/*
 * The load bias of a mapping of this object: runtime address - ELF address.
 * start: runtime address of the mapping, file_offset: its offset in the file; executable: whether it
 * is, which tells two segments apart that begin with the same page of the file (lld puts headers
 * and text so). Returns 0, or -ENOENT when no segment covers the offset.
 */
int object_bias(const struct object *object, uint64_t *ret, uint64_t start, uint64_t file_offset,
		bool executable);
/* Does the ELF address lie in a page that has a part of an executable segment? */
bool object_has_code(const struct object *object, uint64_t address);
/* The executable segment that holds the ELF address, or NULL. */
const struct object_segment *object_segment_of(const struct object *object, uint64_t address);
/* Lower-case hex, NUL-terminated; "" when there is none. */
void object_build_id_hex(const struct object *object, char ret[2 * OBJECT_BUILD_ID_MAX + 1]);
