/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an object's files call its code: resolvers asked in order, the first answer wins; and from
 * where in the sources it comes, as Go's own table tells it, or else DWARF.
 *
 * Order: separate debug file or own .symtab, .dynsym, .gnu_debugdata; linkage tables; Go's own table;
 * the entry point; the start of the function as the exception tables tell, or as decoding the code has
 * found it. A symbol covers its size and no more.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "dwarf/dwarf.h"
#include "elf/object.h"
#include "elf/source_frames.h"

struct object_names;

enum found_kind {
	FOUND_NOTHING,
	FOUND_START,  /* the function begins at `start`, and has no name */
	FOUND_ENTRY,  /* the entry point, without a name */
	FOUND_SYMBOL, /* it has a name */
};

/* Two addresses of one function have the same answer. */
struct found_function {
	enum found_kind kind;
	uint32_t resolver; /* which one knows its name */
	uint64_t start;	   /* FOUND_SYMBOL: whatever tells it apart from others of that resolver */
};

/*
 * debug_files: descriptors of what may be its debug file, the best first; those that are needed are
 * taken (and become -1). What cannot be read has no names, and that is all.
 * Returns 0 or -ENOMEM.
 */
int object_names_new(struct object_names **ret, struct object *object, int *debug_files,
		     unsigned debug_file_count);
/*
 * The same with what an earlier recording has found out: object_names_keep's bytes, from an offset of a
 * file on. For its frames nothing else is opened.
 */
int object_names_new_kept(struct object_names **ret, struct object *object, int *debug_files,
			  unsigned debug_file_count, int kept_file, uint64_t offset);
void object_names_free(struct object_names *names);
DEFINE_CLEANUP(struct object_names, object_names_free);
/*
 * Are lines asked for from now on? Then code is not decoded for long where there are none: somebody else is to
 * be asked for names alone.
 */
void object_names_ask_for_lines(struct object_names *names, bool lines);
/* The function that holds an ELF address. Returns 0, -EOPNOTSUPP (see above) or -ENOMEM. */
int object_names_find(struct object_names *names, uint64_t address, struct found_function *ret);
/*
 * Appends the name of a FOUND_SYMBOL as it is in the file. Returns 0, -ENOENT when it cannot be
 * read, or another negative errno.
 */
int object_names_text(struct object_names *names, const struct found_function *found,
		      struct bytes *ret);
/*
 * Where the function that holds an ELF address begins and ends, as its symbol says, or else Go's table, the
 * exception tables, or what decoding the code has found. Returns 0, -ENOENT or -ENOMEM.
 */
int object_names_extent(struct object_names *names, uint64_t address, uint64_t *ret_start,
			uint64_t *ret_end);
/*
 * The functions and lines that an ELF address comes from, and the function that all its code belongs to:
 * unless *function is a FOUND_SYMBOL, it is called as the last frame is. Returns 0, DWARF_WANTS (see
 * dwarf_find), -ENOENT when no lines are known, or -ENOMEM.
 */
int object_names_frames(struct object_names *names, uint64_t address, struct source_frames *ret,
			struct found_function *function);
/* A text of such a frame, by its number; borrowed until frames are asked for again. */
const char *object_names_frame_text(const struct object_names *names, uint32_t id);
/*
 * Has none of its files debug information, nor a table of Go's that tells the same? Returns 0 or
 * -ENOMEM.
 */
int object_names_lack_debug_info(struct object_names *names, bool *ret);
/* See dwarf_wanted, dwarf_want_no_more and dwarf_offer; for who has asked for frames. */
unsigned object_names_wanted(struct object_names *names, struct bytes *ret);
void object_names_want_no_more(struct object_names *names);
int object_names_offer(struct object_names *names, int fd);
/*
 * Appends what is worth keeping for object_names_new_kept: whole functions of which frames were asked for,
 * and what was kept before. least_ns: what took less CPU time to find out is not worth it. budget_ns: about
 * so much it takes itself, and leaves out what would take longer.
 * Returns 0, -ENOENT when there is nothing (new), or -ENOMEM.
 */
int object_names_keep(struct object_names *names, struct bytes *ret, uint64_t least_ns,
		      uint64_t budget_ns);
