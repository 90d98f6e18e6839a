/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The debug information of one file: its sections and units (DWARF 2 to 5, GNU's split DWARF 4).
 *
 * A unit in a .dwo file has its addresses in the file with its skeleton; what dwz has moved into a
 * supplementary file is looked up there.
 */
#pragma once

#include "dwarf/entry.h"

enum dwarf_section {
	DWARF_INFO,
	DWARF_ABBREV,
	DWARF_LINE,
	DWARF_STR,
	DWARF_LINE_STR,
	DWARF_STR_OFFSETS,
	DWARF_ADDR,
	DWARF_RANGES,
	DWARF_RNGLISTS,
	DWARF_CU_INDEX,
	DWARF_SECTIONS,
};

#define DWARF_NOWHERE UINT64_MAX

/* A full, partial, skeleton or split unit; type units are left out. */
struct dwarf_unit {
	uint64_t offset, end;	/* of header and end in .debug_info */
	uint64_t abbreviations; /* offset in .debug_abbrev */
	uint64_t low_pc;	/* base of its ranges; 0: none */
	uint64_t addr_base, str_offsets_base, rnglists_base, ranges_base;
	uint64_t lines; /* offset in .debug_line; DWARF_NOWHERE: none */
	uint64_t dwo_id;
	uint32_t header_size;
	struct unit_format format;
	uint16_t language; /* DW_LANG_* */
	bool is_skeleton;  /* its entries are in a .dwo file */
	bool has_ranges;
};

struct dwarf_file {
	int fd;		 /* borrowed */
	uint64_t number; /* no other one that is or was open has it */
	bool is_split;	 /* a .dwo file */
	struct debug_section sections[DWARF_SECTIONS];
	ARRAY_OF(struct dwarf_unit) units; /* offsets ascending */
	struct dwarf_file *supplement;	   /* borrowed; NULL: none */
	/* Of a .dwo file: where the addresses are; set by who opens it. */
	struct dwarf_file *skeleton_file;
	struct dwarf_unit skeleton;	/* offset DWARF_NOWHERE: none */
	struct abbreviations recent[8]; /* of entries that were read alone */
	unsigned next_recent;
};

/*
 * Finds the sections only. Returns 0, -ENOENT (there is no debug information) or -ENOMEM; fini is due
 * in any case.
 */
int dwarf_file_open_sections(struct dwarf_file *ret, int fd);
/* Where a section of one unit lies in that of many; size 0: it has none. */
struct dwarf_file_part {
	uint64_t offset, size;
};
/*
 * The first unit in parts of a file's sections, as if those were files of their own; strings are
 * everybody's. whole: borrowed as long as the file. Returns as dwarf_file_open.
 */
int dwarf_file_open_part(struct dwarf_file *ret, struct dwarf_file *whole,
			 const struct dwarf_file_part parts[static DWARF_SECTIONS]);
/*
 * Reads where everything is. Returns 0, -ENOENT (no debug information that can be read) or -ENOMEM.
 * fd: borrowed as long as the file.
 */
int dwarf_file_open(struct dwarf_file *ret, int fd);
void dwarf_file_fini(struct dwarf_file *file);
/* The unit that holds an offset of .debug_info, or NULL. */
const struct dwarf_unit *dwarf_file_unit_of(const struct dwarf_file *file, uint64_t offset);
/*
 * Reads one entry of a unit; its texts are good until the next call. offset: in .debug_info.
 * Returns 0, -EBADMSG or -ENOMEM.
 */
int dwarf_file_entry(struct dwarf_file *file, const struct dwarf_unit *unit, uint64_t offset,
		     struct entry *ret);
/* Appends a text. Returns 0, or -ENOENT when the value is none that can be read. */
int dwarf_file_text(struct dwarf_file *file, const struct dwarf_unit *unit,
		    const struct entry_value *value, struct bytes *ret);
/* Puts an address into *ret. Returns 0 or -ENOENT. */
int dwarf_file_address(struct dwarf_file *file, const struct dwarf_unit *unit,
		       const struct entry_value *value, uint64_t *ret);
