/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which functions and lines an address of an object comes from, inlined ones included, by its DWARF.
 *
 * The units are listed when it is opened; each is read when an address of it is asked for the first
 * time, and forgotten when those that were read take too much memory.
 *
 * Parts of it may lie in further files: .dwo files of split DWARF, a .dwp package of them, and what dwz
 * has moved out for several objects. Who may open files is asked for them (dwarf_wanted), and offers them.
 */
#pragma once

#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/strtab.h"
#include "elf/object.h"
#include "elf/source_frames.h"

struct dwarf;

/*
 * The debug information of an object. fd: the file that has it, which is the object's own or its
 * debug file; owned from now on, also on failure. texts: where names and paths are put; it must
 * outlive *ret. Returns 0, -ENOENT (there is none) or -ENOMEM.
 */
int dwarf_new(struct dwarf **ret, struct object *object, int fd, struct strtab *texts);
void dwarf_free(struct dwarf *dwarf);
DEFINE_CLEANUP(struct dwarf, dwarf_free);
enum { DWARF_WANTS = 1, DWARF_WANTED_MAX = 6 /* paths, at once */ };

/*
 * What an ELF address comes from. Returns 0, -ENOENT (nothing is known), -ENOMEM, or DWARF_WANTS: it
 * is told by a file that dwarf_wanted names; ask again then.
 */
int dwarf_find(struct dwarf *dwarf, uint64_t address, struct source_frames *ret);
/*
 * What lies around an address that dwarf_find has told of: the code of the same outermost function, or
 * where there is no function of the same line. Returns 0, -ENOENT when nothing is known, or -ENOMEM.
 */
int dwarf_function_around(struct dwarf *dwarf, uint64_t address, uint64_t *ret_start,
			  uint64_t *ret_end);
/* An address up to which all there come from the same as this one; above it. */
uint64_t dwarf_same_until(struct dwarf *dwarf, uint64_t address);
/*
 * Appends the paths of files that were found to be missing, each with its NUL (relative ones count from
 * the object's folder; DEBUG_PACKAGE_SUFFIX alone is any of the object's packages); they are never asked for again. Returns how many paths, at most DWARF_WANTED_MAX.
 */
unsigned dwarf_wanted(struct dwarf *dwarf, struct bytes *ret);
/* Nothing further is asked for: what is not there by now is not known. */
void dwarf_want_no_more(struct dwarf *dwarf);
/* Uses a file if it is one that is missing. fd: consumed. Returns 0 or -ENOMEM. */
int dwarf_offer(struct dwarf *dwarf, int fd);
