/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The abbreviation declarations of a unit (DWARF 5 section 7.5.3): what its entries look like. Each is
 * kept as what to do with the bytes of an entry: attributes that nobody asks for are stepped over,
 * all at once where their sizes are known.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "dwarf/debug_section.h"

/* The attributes that are read. */
enum entry_attribute {
	ENTRY_SIBLING,
	ENTRY_NAME,
	ENTRY_LINKAGE_NAME,
	ENTRY_ABSTRACT_ORIGIN,
	ENTRY_SPECIFICATION,
	ENTRY_LOW_PC,
	ENTRY_HIGH_PC,
	ENTRY_RANGES,
	ENTRY_CALL_FILE,
	ENTRY_CALL_LINE,
	ENTRY_DECL_LINE,
	ENTRY_STMT_LIST,
	ENTRY_COMP_DIR,
	ENTRY_LANGUAGE,
	ENTRY_STR_OFFSETS_BASE,
	ENTRY_ADDR_BASE,
	ENTRY_RNGLISTS_BASE,
	ENTRY_GNU_RANGES_BASE,
	ENTRY_DWO_NAME,
	ENTRY_GNU_DWO_ID,
	ENTRY_ATTRIBUTES,
	ENTRY_STEP = ENTRY_ATTRIBUTES, /* `step` bytes that nobody asks for */
	ENTRY_SKIP, /* an attribute that nobody asks for, of a size to be found out */
};

struct abbreviation_part {
	uint8_t attribute; /* enum entry_attribute */
	uint16_t form;	   /* DW_FORM_*; not of ENTRY_STEP */
	uint32_t step;
	int64_t implicit; /* DW_FORM_implicit_const */
};

struct abbreviation {
	uint64_t code;
	uint16_t tag; /* DW_TAG_* */
	bool has_children;
	uint32_t first, count; /* in abbreviations.parts */
};

/* Sizes that a unit's header decides. */
struct unit_format {
	uint8_t version, address_size, offset_size;
};

struct abbreviations {
	uint64_t offset; /* in .debug_abbrev */
	struct unit_format format;
	ARRAY_OF(struct abbreviation) list; /* codes ascending */
	ARRAY_OF(struct abbreviation_part) parts;
};

/*
 * Reads the declarations at an offset of .debug_abbrev; only: the code of the one that is wanted, 0:
 * all. Returns 0, -EBADMSG for what makes no sense, -EFBIG or -ENOMEM.
 */
int abbreviations_read(struct abbreviations *ret, struct debug_section *section, uint64_t offset,
		       const struct unit_format *format, uint64_t only);
void abbreviations_fini(struct abbreviations *abbreviations);
static inline void abbreviations_fini_cleanup(struct abbreviations *abbreviations)
{
	abbreviations_fini(abbreviations);
}
/* NULL: there is none with this code. */
const struct abbreviation *abbreviations_find(const struct abbreviations *abbreviations,
					      uint64_t code);
/* The size of a form's value where it is always the same, else -1. */
int form_fixed_size(uint16_t form, const struct unit_format *format);
