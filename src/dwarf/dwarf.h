/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which functions and lines an address of an object comes from, inlined ones included, by its DWARF.
 *
 * The units are listed when it is opened; each is read when an address of it is asked for the first
 * time, and forgotten when those that were read take too much memory.
 */
#pragma once

#include <stdint.h>

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
/*
 * What an ELF address comes from. Returns 0, -ENOENT (nothing is known) or -ENOMEM.
 */
int dwarf_find(struct dwarf *dwarf, uint64_t address, struct dwarf_frames *ret);
/* A text by its number, the same for equal texts; borrowed until the next dwarf_find. */
const char *dwarf_text(const struct dwarf *dwarf, uint32_t id);
