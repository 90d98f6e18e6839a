/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind dwarf.h know of each other. */
#pragma once

#include "base/array.h"
#include "dwarf/dwarf.h"
#include "dwarf/functions.h"
#include "dwarf/line_table.h"
#include "dwarf/package.h"

struct unit_range {
	uint64_t address;
	uint32_t unit; /* in main.units; SPAN_NONE: no unit */
};

/* A name that was read: of an entry. */
struct known_name {
	uint64_t file; /* dwarf_file.number */
	uint64_t entry;
	uint32_t name; /* in dwarf.texts */
	uint32_t start_line;
};

/* A .dwo file or what a package has instead of it, and the unit in it. */
struct split_file {
	int fd; /* -1: it is a part of the package */
	struct dwarf_file file;
	const struct dwarf_unit *unit;
};

/* What is known of a unit once it was read. */
struct read_unit {
	bool is_read;
	bool is_asked_for;	  /* its .dwo file */
	struct split_file *split; /* NULL: none */
	/* Where its functions are: in main, or in the .dwo file. */
	struct dwarf_file *file;
	const struct dwarf_unit *unit;
	struct functions functions;
	struct line_table lines;
	struct line_table call_files; /* those of the .dwo file, if it has its own */
	uint32_t *call_paths;	      /* of call_files.files */
	uint32_t *paths; /* of lines.files, in dwarf.texts; 0: not read so far, or none */
	uint64_t bytes;	 /* that all this takes */
	uint64_t used;	 /* the larger, the later */
};

struct dwarf {
	struct object *object; /* a reference */
	int fd;
	struct dwarf_file main;
	struct read_unit *units;	    /* parallel to main.units */
	ARRAY_OF(struct unit_range) ranges; /* ascending */
	struct strtab *texts;		    /* of whoever asks */
	ARRAY_OF(struct known_name) names;
	struct hash_index name_index; /* by file and entry */
	struct dwarf *next;	      /* see dwarf_join */
	/* The supplementary file. */
	struct dwarf_file supplement;
	int supplement_fd;     /* -1: it is not there */
	char *supplement_path; /* NULL: it needs none, or has asked for it */
	uint8_t supplement_id[OBJECT_BUILD_ID_MAX];
	uint32_t supplement_id_size;
	struct bytes wanted; /* paths */
	unsigned wanted_count;
	bool wants_no_more;
	struct dwarf_package *package;	       /* NULL: none */
	bool asked_for_package, wants_package; /* the latter: until dwarf_wanted has told */
	uint32_t split_count;		       /* .dwo files that are open */
};

/* unit_ranges.c */
int dwarf_list_ranges(struct dwarf *dwarf);
/* The number of the unit whose code an address is, or SPAN_NONE. */
uint32_t dwarf_unit_at(const struct dwarf *dwarf, uint64_t address);
/* Where the next unit's code, or none, begins above an address; UINT64_MAX: nowhere. */
uint64_t dwarf_next_unit(const struct dwarf *dwarf, uint64_t address);

/* read_units.c */
/* Units of who has joined are forgotten when all together take too much. */
void dwarf_join(struct dwarf *dwarf);
void dwarf_part(struct dwarf *dwarf);
/* The unit with this number, read if it was not. Returns 0, or -ENOENT: there is no memory for it. */
int dwarf_get_unit(struct dwarf *dwarf, struct read_unit **ret, uint32_t number);
/* All but which files it needs; a package's part is taken out of that again. */
void dwarf_forget_unit(struct read_unit *unit);

/* further_files.c */
/* Finds out whether there is a supplementary file. Returns 0 or -ENOMEM. */
int dwarf_read_supplement_link(struct dwarf *dwarf);
/* Does the unit with this number need files that were not asked for so far? */
bool dwarf_needs_files(struct dwarf *dwarf, uint32_t number);
/* A skeleton's unit, out of the package if there it is. Returns 0 or -ENOMEM. */
int dwarf_unpack_unit(struct dwarf *dwarf, struct read_unit *unit,
		      const struct dwarf_unit *skeleton);
void split_file_free(struct split_file *split);
DEFINE_CLEANUP(struct split_file, split_file_free);
