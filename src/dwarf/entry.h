/* SPDX-License-Identifier: Apache-2.0 */
/* One debugging information entry (DWARF 5 section 7.5): its tag and the attributes that are read. */
#pragma once

#include "dwarf/abbreviations.h"

/* How the number of a value is to be taken. */
enum entry_class {
	ENTRY_NONE,	     /* there is no such attribute */
	ENTRY_CONSTANT,	     /* number */
	ENTRY_ADDRESS,	     /* number is an address */
	ENTRY_ADDRESS_INDEX, /* number counts in .debug_addr from the unit's base */
	ENTRY_REFERENCE,     /* number is the offset of another entry in .debug_info */
	ENTRY_REFERENCE_SUP, /* the same in the supplementary file */
	ENTRY_TEXT,	     /* number is an offset in .debug_str */
	ENTRY_TEXT_LINE,     /* .. in .debug_line_str */
	ENTRY_TEXT_SUP,	     /* .. in .debug_str of the supplementary file */
	ENTRY_TEXT_INDEX,    /* number counts in .debug_str_offsets from the unit's base */
	ENTRY_TEXT_HERE,     /* `text` */
	ENTRY_SECTION,	     /* number is an offset in some section */
	ENTRY_LIST_INDEX,    /* number counts in .debug_rnglists from the unit's base */
	ENTRY_OTHER,	     /* nothing that is read */
};

struct entry_value {
	enum entry_class class;
	uint64_t number;
	const char *text; /* with its NUL, in the bytes that the entry was read from */
};

struct entry {
	uint64_t offset; /* in .debug_info */
	uint16_t tag;	 /* 0: the end of a list of children */
	bool has_children;
	uint32_t present; /* bit i: values[i] is there; the others hold anything */
	struct entry_value values[ENTRY_ATTRIBUTES];
};

static inline bool entry_has(const struct entry *entry, enum entry_attribute attribute)
{
	return entry->present >> attribute & 1;
}

/* The value; class ENTRY_NONE when there is none. */
static inline struct entry_value entry_get(const struct entry *entry,
					   enum entry_attribute attribute)
{
	return entry_has(entry, attribute) ? entry->values[attribute] : (struct entry_value){};
}

/*
 * Reads the entry at the reader's place. offset: of that place in .debug_info; unit_offset: of the
 * header of the unit that it belongs to, to which references count. Returns 0, or -EBADMSG: it goes
 * on past the end, or makes no sense.
 */
int entry_read(struct entry *ret, struct reader *reader, uint64_t offset, uint64_t unit_offset,
	       const struct abbreviations *abbreviations);
/*
 * Reads one value as some table with forms of its own has it. Returns 0 or -EBADMSG. Its text, if it
 * has one, lies in the reader's bytes.
 */
int entry_value_read(struct entry_value *ret, struct reader *reader, uint16_t form,
		     const struct unit_format *format);
