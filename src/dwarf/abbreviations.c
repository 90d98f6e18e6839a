// SPDX-License-Identifier: Apache-2.0
#include "dwarf/abbreviations.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

enum {
	MAX_ABBREVIATIONS = 1 << 16,
	MAX_PARTS = 1 << 20,
	MAX_ATTRIBUTES = 4096, /* of one declaration */
};

int form_fixed_size(uint16_t form, const struct unit_format *format)
{
	switch (form) {
	case DW_FORM_flag_present:
	case DW_FORM_implicit_const:
		return 0;
	case DW_FORM_data1:
	case DW_FORM_flag:
	case DW_FORM_ref1:
	case DW_FORM_strx1:
	case DW_FORM_addrx1:
		return 1;
	case DW_FORM_data2:
	case DW_FORM_ref2:
	case DW_FORM_strx2:
	case DW_FORM_addrx2:
		return 2;
	case DW_FORM_strx3:
	case DW_FORM_addrx3:
		return 3;
	case DW_FORM_data4:
	case DW_FORM_ref4:
	case DW_FORM_strx4:
	case DW_FORM_addrx4:
	case DW_FORM_ref_sup4:
		return 4;
	case DW_FORM_data8:
	case DW_FORM_ref8:
	case DW_FORM_ref_sig8:
	case DW_FORM_ref_sup8:
		return 8;
	case DW_FORM_data16:
		return 16;
	case DW_FORM_addr:
		return format->address_size;
	case DW_FORM_ref_addr:
		return format->version == 2 ? format->address_size : format->offset_size;
	case DW_FORM_strp:
	case DW_FORM_line_strp:
	case DW_FORM_strp_sup:
	case DW_FORM_sec_offset:
	case DW_FORM_GNU_ref_alt:
	case DW_FORM_GNU_strp_alt:
		return format->offset_size;
	default:
		return -1;
	}
}

static enum entry_attribute attribute_of(uint64_t name)
{
	switch (name) {
	case DW_AT_sibling:
		return ENTRY_SIBLING;
	case DW_AT_name:
		return ENTRY_NAME;
	case DW_AT_linkage_name:
	case DW_AT_MIPS_linkage_name:
		return ENTRY_LINKAGE_NAME;
	case DW_AT_abstract_origin:
		return ENTRY_ABSTRACT_ORIGIN;
	case DW_AT_specification:
		return ENTRY_SPECIFICATION;
	case DW_AT_low_pc:
		return ENTRY_LOW_PC;
	case DW_AT_high_pc:
		return ENTRY_HIGH_PC;
	case DW_AT_ranges:
		return ENTRY_RANGES;
	case DW_AT_call_file:
		return ENTRY_CALL_FILE;
	case DW_AT_call_line:
		return ENTRY_CALL_LINE;
	case DW_AT_decl_line:
		return ENTRY_DECL_LINE;
	case DW_AT_stmt_list:
		return ENTRY_STMT_LIST;
	case DW_AT_comp_dir:
		return ENTRY_COMP_DIR;
	case DW_AT_language:
		return ENTRY_LANGUAGE;
	case DW_AT_str_offsets_base:
		return ENTRY_STR_OFFSETS_BASE;
	case DW_AT_addr_base:
	case DW_AT_GNU_addr_base:
		return ENTRY_ADDR_BASE;
	case DW_AT_rnglists_base:
		return ENTRY_RNGLISTS_BASE;
	case DW_AT_GNU_ranges_base:
		return ENTRY_GNU_RANGES_BASE;
	case DW_AT_dwo_name:
	case DW_AT_GNU_dwo_name:
		return ENTRY_DWO_NAME;
	case DW_AT_GNU_dwo_id:
		return ENTRY_GNU_DWO_ID;
	default:
		return ENTRY_SKIP;
	}
}

static int add_part(struct abbreviations *ret, struct abbreviation *abbreviation, uint64_t name,
		    uint16_t form, int64_t implicit)
{
	enum entry_attribute attribute = attribute_of(name);
	int size = form_fixed_size(form, &ret->format);
	struct abbreviation_part *part =
		abbreviation->count ? &ret->parts.at[ret->parts.count - 1] : NULL;

	if (attribute == ENTRY_SKIP && size >= 0) {
		if (part && part->attribute == ENTRY_STEP) {
			part->step += (uint32_t)size;
			return 0;
		}
		attribute = ENTRY_STEP;
	}
	if (ret->parts.count >= MAX_PARTS)
		return -EFBIG;
	part = array_push(&ret->parts);
	if (!part)
		return -ENOMEM;
	*part = (struct abbreviation_part){ (uint8_t)attribute, form,
					    attribute == ENTRY_STEP ? (uint32_t)size : 0,
					    implicit };
	abbreviation->count++;
	return 0;
}

/* The attributes of a declaration; kept: it is one that is wanted. */
static int read_attributes(struct abbreviations *ret, struct abbreviation *abbreviation, bool kept,
			   struct section_cursor *cursor)
{
	for (unsigned i = 0; i < MAX_ATTRIBUTES; i++) {
		uint64_t name, form;
		int64_t implicit = 0;
		int r;

		if (!section_cursor_refill(cursor))
			return -EBADMSG;
		name = reader_uleb(&cursor->reader);
		form = reader_uleb(&cursor->reader);
		if (form == DW_FORM_implicit_const)
			implicit = reader_sleb(&cursor->reader);
		if (cursor->reader.overrun || form > UINT16_MAX)
			return -EBADMSG;
		if (name == 0 && form == 0)
			return 0;
		r = kept ? add_part(ret, abbreviation, name, (uint16_t)form, implicit) : 0;
		if (r < 0)
			return r;
	}
	return -EBADMSG;
}

static int compare_codes(const void *a, const void *b)
{
	const struct abbreviation *x = a, *y = b;

	return x->code < y->code ? -1 : x->code > y->code;
}

static int read_all(struct abbreviations *ret, struct section_cursor *cursor, uint64_t only)
{
	bool sorted = true;

	for (uint32_t count = 0; count < MAX_ABBREVIATIONS; count++) {
		struct abbreviation abbreviation = { .first = ret->parts.count }, *added;
		int r;

		if (!section_cursor_refill(cursor))
			return count ? 0 : -EBADMSG;
		abbreviation.code = reader_uleb(&cursor->reader);
		if (abbreviation.code == 0)
			break;
		abbreviation.tag = (uint16_t)reader_uleb(&cursor->reader);
		abbreviation.has_children = reader_u8(&cursor->reader) != 0;
		r = read_attributes(ret, &abbreviation, !only || only == abbreviation.code, cursor);
		if (r < 0)
			return r;
		if (only && only != abbreviation.code)
			continue;
		sorted = sorted && (ret->list.count == 0 ||
				    ret->list.at[ret->list.count - 1].code < abbreviation.code);
		added = array_push(&ret->list);
		if (!added)
			return -ENOMEM;
		*added = abbreviation;
		if (only)
			break;
	}
	if (!sorted)
		qsort(ret->list.at, ret->list.count, sizeof(*ret->list.at), compare_codes);
	return 0;
}

int abbreviations_read(struct abbreviations *ret, struct debug_section *section, uint64_t offset,
		       const struct unit_format *format, uint64_t only)
{
	struct section_cursor cursor = { .section = section, .offset = offset };
	struct abbreviations read = { .offset = offset, .format = *format };
	int r = read_all(&read, &cursor, only);

	if (r < 0)
		abbreviations_fini(&read);
	else
		*ret = read;
	return r;
}

void abbreviations_fini(struct abbreviations *abbreviations)
{
	array_fini(&abbreviations->list);
	array_fini(&abbreviations->parts);
}

const struct abbreviation *abbreviations_find(const struct abbreviations *abbreviations,
					      uint64_t code)
{
	uint32_t low = 0, high = abbreviations->list.count;

	/* Compilers number them from 1. */
	if (code && code <= high && abbreviations->list.at[code - 1].code == code)
		return &abbreviations->list.at[code - 1];
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (abbreviations->list.at[middle].code < code)
			low = middle + 1;
		else
			high = middle;
	}
	return low < abbreviations->list.count && abbreviations->list.at[low].code == code
		       ? &abbreviations->list.at[low]
		       : NULL;
}
