/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What profd and its worker processes say to each other, over a socket that keeps messages apart
 * (SOCK_SEQPACKET, unix(7)).
 *
 * A question is a struct question with its payload behind it. Beside it come memory for the
 * answer's bytes (base/sealed.h) and further descriptors: open files, or parcels with one
 * (base/parcel.h), which are as good. An answer is a struct answer_head, with its bytes behind it where
 * they are few, else they are in the memory; with descriptors beside it only from who opens files; from who parses them none is ever taken. One question at a time.
 * Both ends are the same program, so the layout is that of the machine. Nothing that a worker says
 * is believed: every count and offset is checked by who asked.
 */
#pragma once

#include <stdint.h>

#include "base/bytes.h"
#include "bpf/wire.h"

enum {
	QUESTION_BYTES_MAX = 80 * 1024, /* with its payload; a whole copied stack is the largest */
	MESSAGE_MAX_FDS = 16, /* without the memory */
	ANSWER_BEHIND_MAX = 16 * 1024, /* bytes of an answer behind its head: most have a few hundred */
	ANSWER_BYTES_MAX = 128 << 20, /* the largest tables and 4096 of the longest names are less */
	WORKER_SOCKET = 3, /* in a worker process */
};

/* Beside a worker's socket and the standard descriptors nothing is open when it begins. */

struct question {
	uint64_t sequence; /* the answer repeats it */
	uint32_t what;     /* enum reader_question, enum opener_question */
	uint32_t object;   /* object.id that it is about; 0: none */
	uint32_t has_object; /* the first descriptor is that object's file */
	uint32_t reserved;
};

struct answer_head {
	uint64_t sequence;
	uint64_t cpu_ns; /* CPU time that the worker has used so far, all in all */
	int32_t result;  /* what the function would have returned: 0, below 0, or a named outcome */
	uint32_t fd_count;
	uint64_t size; /* of what is behind this, or was written into the memory */
};

/* What an answer is put together in. */
struct reply {
	struct bytes bytes;
	int fds[MESSAGE_MAX_FDS]; /* owned */
	uint32_t fd_count;
};

/*
 * Answers one question. payload: `size` bytes, 8-aligned; fds: owned by the caller, a descriptor
 * that is kept is replaced by -1. Returns answer_head.result.
 */
typedef int (*answer_fn)(void *state, const struct question *question, const void *payload,
			 size_t size, int *fds, unsigned fd_count, struct reply *reply);

enum { WORKER_PING = UINT32_MAX }; /* any worker: it is there, and has what it needs */

/* ---- the reader: parses what targets' files hold, without any privilege ---- */

/*
 * Questions about an object carry its file when the reader may not know it: -ENOENT asks for that.
 */
enum reader_question {
	READER_OBJECT,   /* → struct wire_object, its segments, the name of its debug link */
	/*
	 * With nothing or a file of the symbol cache → struct wire_table_head and what it counts;
	 * result WIRE_TABLE_KEPT: that is what was in the file.
	 */
	READER_TABLE,
	/*
	 * struct wire_names_question, addresses → struct wire_names_head, ...; or WIRE_NAMES_WANT and
	 * up to WIRE_WANTED_MAX paths with a NUL each, shorter than PATH_MAX, relative ones from the
	 * object's folder, DEBUG_PACKAGE_SUFFIX alone for where packages are: whatever is there of those is to come with the question, once more.
	 * Result -EOPNOTSUPP: names alone are to be asked for, there are no lines.
	 */
	READER_NAMES,
	/*
	 * What object_names_keep (symbol/object_names.h) makes of the names so far, or WIRE_NAMES_NO_MORE
	 * than were kept before.
	 */
	READER_KEEP,
	READER_NEEDED,   /* → struct wire_needed, ids of names, texts */
	READER_CALLS,    /* addresses → for each what call_ends_at (elf/call_sites.h) says */
	/* An address → struct wire_code_head, instructions, texts: the function that holds it, decoded. */
	READER_CODE,
	READER_ALLOCATOR, /* → struct wire_allocator, sites, pointers (elf/allocator.h) */
	/*
	 * struct wire_walk, mappings, a copied stack → struct wire_walked, addresses; or WIRE_WALK_WANT and
	 * ids (uint32_t) of objects that are not known: whoever asked introduces them and asks again.
	 */
	READER_WALK,
	READER_STATES,   /* ids of objects (uint32_t) → a struct wire_state for each */
	READER_DEMANGLE, /* names, each with its NUL → readable ones in their order, "" for "is not" */
	READER_FORGET,   /* the object is not needed any more */
};

struct wire_object {
	uint64_t file_size; /* when it was read */
	uint64_t entry;
	uint16_t type, machine;
	uint32_t segment_count, build_id_size;
	uint32_t debug_checksum, debug_link_size; /* with its NUL; 0: no link */
	uint8_t build_id[64];
};

struct wire_segment {
	uint64_t address, file_offset, file_size, memory_size;
	uint32_t executable, reserved;
};

/* Behind it: rules, block offsets, block sizes, blocks (unwind/table.h). */
struct wire_table_head {
	uint64_t first_page;
	uint32_t page_count, rule_count, block_bytes, row_count;
	uint32_t dropped_rules, unsupported, broken;
	uint32_t no_rows; /* there is no unwind information at all */
};

enum { WIRE_TABLE_KEPT = 1 };

struct wire_names_question {
	uint32_t address_count; /* uint64_t each, behind this */
	uint32_t files;		/* enum wire_names_files: what all other descriptors are */
	uint32_t lines;		/* 1: with files, lines and what was inlined; else names only */
	uint32_t kept; /* 1: the first of all other descriptors is a file of the symbol cache */
	uint32_t about_debug_info; /* 1: the answer is to tell whether it is lacking */
	uint32_t reserved;
};

enum wire_names_files {
	WIRE_NO_FILES,
	WIRE_DEBUG_FILES,  /* what may be its debug file, the best first; -ESTALE asks for it */
	WIRE_WANTED_FILES, /* what was wanted */
	WIRE_NO_MORE_FILES, /* nothing of that: no more is to be asked for, from now on */
};

/* A result; at most so many paths are asked for at once, each below two roots. */
enum { WIRE_NAMES_WANT = 1, WIRE_WANTED_MAX = 6 };
enum { WIRE_NAMES_NO_MORE = 1 };

/*
 * Behind it: for each address a struct wire_names; names; numbers of names (uint32_t), in runs as the
 * addresses have them, the innermost function first; texts.
 */
struct wire_names_head {
	uint32_t address_count; /* at least 1: the others have to be asked for again */
	uint32_t name_count, order_count, text_bytes;
	uint32_t lacks_debug_info; /* 1: neither the object nor its debug file has any; if asked for */
	uint32_t reserved;
};

struct wire_names {
	uint32_t first, count; /* in the numbers */
};

enum wire_name_kind {
	WIRE_NAME_NONE,   /* nothing is known */
	WIRE_NAME_START,  /* the function begins at `start` and has no name */
	WIRE_NAME_ENTRY,  /* the entry point, without a name */
	WIRE_NAME_SYMBOL, /* it has a name */
	WIRE_NAME_KINDS
};

struct wire_name {
	uint64_t start;
	uint32_t kind;
	uint32_t name, system_name, file; /* offsets of texts with their NUL; WIRE_NAME_SYMBOL only */
	uint32_t line, start_line; /* 0: not known */
};

struct wire_state {
	uint64_t size; /* of the file, now */
	int64_t mtime_ns;
	uint64_t known; /* 0: the reader does not have it */
};

struct wire_needed {
	uint32_t name_count, text_bytes;
	uint32_t soname, rpath, runpath, interpreter;
};

/* Results of READER_CODE; at most so many bytes are decoded at once. */
enum wire_code_outcome {
	WIRE_CODE_UNKNOWN = 1, /* where the function begins or ends */
	WIRE_CODE_TOO_LONG,
	WIRE_CODE_NO_DECODER, /* for this machine, or profd was built without */
};
enum { WIRE_CODE_BYTES_MAX = 1 << 20 };

/* Behind it: instructions, texts with their NUL, of which the first one is the function's name. */
struct wire_code_head {
	uint64_t start, end; /* ELF addresses */
	uint32_t instruction_count, text_bytes;
};

struct wire_instruction {
	uint64_t address;
	uint32_t text; /* in texts */
	uint32_t length;
};

/* Behind it: sites, ELF addresses of pointers. Result -EOPNOTSUPP: there is no decoder. */
struct wire_allocator {
	uint32_t site_count, slot_count, prefixed, calls_new;
};

struct wire_allocation_site {
	uint64_t entry, address;
	uint32_t function, outcome, flags, stack_moved;
	uint32_t size_register, other_register, result_register, may_throw;
};

enum { WIRE_WALK_WANT = 1, WIRE_WALK_MAPPINGS_MAX = 128 };

/* A stack to be walked by libunwind, see unwind/remote.h. */
struct wire_walk {
	uint64_t ip, sp, bp, bx;
	uint64_t temporaries[WIRE_TEMPORARIES];
	uint64_t stack_address;
	uint32_t stack_bytes, mapping_count;
	uint32_t limit; /* of frames, WIRE_MAX_FRAMES at most */
	uint32_t exact; /* 1: ip is the frame's own address */
};

/* Executable code, ascending. */
struct wire_walk_mapping {
	uint64_t start, end, bias;
	uint32_t object, reserved;
};

/* count: of addresses; the rest as walk_outcome and struct remote_end say. */
struct wire_walked {
	uint64_t ip, sp, bp, bx;
	uint32_t count, outcome, exact, reserved;
};

/* ---- the opener: opens files that may never answer ---- */

enum opener_question {
	/*
	 * struct wire_open_mapping, path → struct wire_opened, a descriptor, and one of the root of
	 * the process where that is another than ours.
	 */
	OPENER_MAPPING,
	/*
	 * struct wire_open_files, paths with a NUL each, and where to look for them → a descriptor for
	 * each that is there and belongs to the owner, or to root for all below /usr/lib/debug.
	 */
	OPENER_FILES,
	OPENER_MAPS,	 /* struct wire_named_process → the text of /proc/TID/maps */
	/*
	 * struct wire_resident, ranges, and /proc/PID/pagemap, maybe with /proc/kpageflags → struct wire_run
	 * for each run of pages that is there (proc/resident.h), ascending.
	 */
	OPENER_RESIDENT,
	OPENER_CMDLINE,	 /* the same → the beginning of /proc/TID/cmdline */
	OPENER_PERF_MAP, /* struct wire_named_process → struct wire_opened and a descriptor */
	OPENER_READ,	 /* struct wire_read and a descriptor → its bytes from there on */
	OPENER_PLACE,	 /* one byte and a descriptor or parcel → a descriptor of where it lies (O_PATH) */
	/*
	 * A path of ours with its NUL → struct wire_opened, the path without links and its NUL, the
	 * beginning of the file, and a descriptor.
	 */
	OPENER_PROGRAM,
};

enum { WIRE_BEGINNING = 256 }; /* bytes of a program that tell whether it is a script */

struct wire_named_process {
	int32_t pid, tid;
	uint64_t start_time; /* clock ticks since boot; 0: not known */
};

enum { WIRE_ANCESTORS = 4 };

struct wire_open_mapping {
	/* As the kernel says; device: as st_dev; generation 0: not known. */
	uint64_t start, end, inode, device, inode_generation;
	uint64_t mapped_ns; /* CLOCK_MONOTONIC; 0: not known */
	int32_t thread;     /* a living one of the process, by whose id to look in /proc */
	uint32_t still_there; /* 0: by now something else is mapped there */
	int32_t ancestors[WIRE_ANCESTORS]; /* see struct file_mapping */
};

struct wire_open_files {
	uint32_t owner, reserved;
};

struct wire_opened {
	uint64_t device, inode, size;
	int64_t mtime_ns, ctime_ns;
	uint32_t may_block; /* its file system asks somebody else: the descriptor is a parcel */
	uint32_t overlay;   /* it is one, which shows files of others */
	uint32_t owner;	    /* user id */
	uint32_t executable; /* by somebody */
	uint32_t honest;    /* what it says of files, no user can make it say; see struct opened */
	uint32_t reserved;
};

enum { WIRE_RANGES_MAX = 4096 };

struct wire_resident {
	uint32_t words, reserved; /* words: see struct resident */
};

/* Of user memory, in whole pages. */
struct wire_range {
	uint64_t start, end;
};

struct wire_run {
	uint64_t start, end;
	uint32_t flags, reserved; /* RESIDENT_* */
};

struct wire_read {
	uint64_t offset, limit;
};
