/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which functions and lines an address of an object comes from, inlined ones included, by its DWARF.
 *
 * The units are listed when it is opened; each is read when an address of it is asked for the first
 * time, and forgotten when those that were read take too much memory.
 *
 * Parts of it may lie in further files: .dwo files of split DWARF, and what dwz has moved out for
 * several objects. Who may open files is asked for them (dwarf_wanted), and offers them.
 */
#pragma once

#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "elf/object.h"

enum { DWARF_MAX_FRAMES = 64 };

/* Texts are numbers for dwarf_text; 0: not known. */
struct dwarf_frame {
	uint32_t name;	     /* as the linker calls it, where that is known */
	uint32_t file;	     /* path */
	uint32_t line;	     /* 0: not known */
	uint32_t start_line; /* where the function is declared; 0: not known */
};

struct dwarf_frames {
	struct dwarf_frame at[DWARF_MAX_FRAMES]; /* the innermost inlined function first */
	uint32_t count; /* at least 1; the last one is what the address's code belongs to */
};

struct dwarf;

/*
 * The debug information of an object. fd: the file that has it, which is the object's own or its debug
 * file; owned from now on, also on failure. Returns 0, -ENOENT (there is none) or -ENOMEM.
 */
int dwarf_new(struct dwarf **ret, struct object *object, int fd);
void dwarf_free(struct dwarf *dwarf);
DEFINE_CLEANUP(struct dwarf, dwarf_free);
enum { DWARF_WANTS = 1, DWARF_WANTED_MAX = 6 /* paths, at once */ };

/*
 * What an ELF address comes from. Returns 0, -ENOENT (nothing is known), -ENOMEM, or DWARF_WANTS: it
 * is told by a file that dwarf_wanted names; ask again then.
 */
int dwarf_find(struct dwarf *dwarf, uint64_t address, struct dwarf_frames *ret);
/* A text by its number, the same for equal texts; borrowed until the next dwarf_find. */
const char *dwarf_text(const struct dwarf *dwarf, uint32_t id);
/*
 * Appends the paths of files that were found to be missing, each with its NUL (relative ones count from
 * the object's folder); they are never asked for again. Returns how many paths, at most DWARF_WANTED_MAX.
 */
unsigned dwarf_wanted(struct dwarf *dwarf, struct bytes *ret);
/* Uses a file if it is one that is missing. fd: consumed. Returns 0 or -ENOMEM. */
int dwarf_offer(struct dwarf *dwarf, int fd);
