// SPDX-License-Identifier: Apache-2.0
#include "dwarf/entry.h"

#include <dwarf.h>
#include <errno.h>

/* An unsigned number of 1 to 8 bytes. */
static uint64_t read_number(struct reader *reader, unsigned size)
{
	const unsigned char *taken = reader_take(reader, size);
	uint64_t number = 0;

	for (unsigned i = size; taken && i-- > 0;)
		number = number << 8 | taken[i];
	return number;
}

static struct entry_value of(enum entry_class class, uint64_t number)
{
	return (struct entry_value){ .class = class, .number = number };
}

static struct entry_value read_text(struct reader *reader)
{
	const unsigned char *begin = reader->at;
	const unsigned char *end = memchr(begin, 0, reader_left(reader));

	if (!end) {
		(void)reader_take(reader, reader_left(reader) + 1);
		return of(ENTRY_NONE, 0);
	}
	reader->at = end + 1;
	return (struct entry_value){ .class = ENTRY_TEXT_HERE, .text = (const char *)begin };
}

static struct entry_value skip_block(struct reader *reader, uint64_t size)
{
	(void)reader_take(reader, size <= SIZE_MAX ? (size_t)size : SIZE_MAX);
	return of(ENTRY_OTHER, 0);
}

/* DWARF 5 section 7.5.6, "Form Encodings". */
static struct entry_value read_form(struct reader *reader, uint16_t form, int64_t implicit,
				    uint64_t unit_offset, const struct unit_format *format)
{
	int fixed = form_fixed_size(form, format);
	unsigned size = fixed > 0 && fixed <= 8 ? (unsigned)fixed : 0;

	switch (form) {
	case DW_FORM_flag_present:
		return of(ENTRY_CONSTANT, 1);
	case DW_FORM_implicit_const:
		return of(ENTRY_CONSTANT, (uint64_t)implicit);
	case DW_FORM_data1:
	case DW_FORM_data2:
	case DW_FORM_flag:
		return of(ENTRY_CONSTANT, read_number(reader, size));
	case DW_FORM_data4:
	case DW_FORM_data8:
		/* Before DWARF 4 an offset in a section looks like a number. */
		return of(format->version < 4 ? ENTRY_SECTION : ENTRY_CONSTANT,
			  read_number(reader, size));
	case DW_FORM_sdata:
		return of(ENTRY_CONSTANT, (uint64_t)reader_sleb(reader));
	case DW_FORM_udata:
		return of(ENTRY_CONSTANT, reader_uleb(reader));
	case DW_FORM_data16:
		return skip_block(reader, 16);
	case DW_FORM_addr:
		return of(ENTRY_ADDRESS, read_number(reader, size));
	case DW_FORM_addrx1:
	case DW_FORM_addrx2:
	case DW_FORM_addrx3:
	case DW_FORM_addrx4:
		return of(ENTRY_ADDRESS_INDEX, read_number(reader, size));
	case DW_FORM_addrx:
	case DW_FORM_GNU_addr_index:
		return of(ENTRY_ADDRESS_INDEX, reader_uleb(reader));
	case DW_FORM_ref1:
	case DW_FORM_ref2:
	case DW_FORM_ref4:
	case DW_FORM_ref8:
		return of(ENTRY_REFERENCE, unit_offset + read_number(reader, size));
	case DW_FORM_ref_udata:
		return of(ENTRY_REFERENCE, unit_offset + reader_uleb(reader));
	case DW_FORM_ref_addr:
		return of(ENTRY_REFERENCE, read_number(reader, size));
	case DW_FORM_ref_sup4:
	case DW_FORM_ref_sup8:
	case DW_FORM_GNU_ref_alt:
		return of(ENTRY_REFERENCE_SUP, read_number(reader, size));
	case DW_FORM_ref_sig8:
		return skip_block(reader, 8);
	case DW_FORM_string:
		return read_text(reader);
	case DW_FORM_strp:
		return of(ENTRY_TEXT, read_number(reader, size));
	case DW_FORM_line_strp:
		return of(ENTRY_TEXT_LINE, read_number(reader, size));
	case DW_FORM_strp_sup:
	case DW_FORM_GNU_strp_alt:
		return of(ENTRY_TEXT_SUP, read_number(reader, size));
	case DW_FORM_strx1:
	case DW_FORM_strx2:
	case DW_FORM_strx3:
	case DW_FORM_strx4:
		return of(ENTRY_TEXT_INDEX, read_number(reader, size));
	case DW_FORM_strx:
	case DW_FORM_GNU_str_index:
		return of(ENTRY_TEXT_INDEX, reader_uleb(reader));
	case DW_FORM_sec_offset:
		return of(ENTRY_SECTION, read_number(reader, size));
	case DW_FORM_rnglistx:
		return of(ENTRY_LIST_INDEX, reader_uleb(reader));
	case DW_FORM_loclistx:
		(void)reader_uleb(reader);
		return of(ENTRY_OTHER, 0);
	case DW_FORM_block1:
		return skip_block(reader, reader_u8(reader));
	case DW_FORM_block2:
		return skip_block(reader, reader_u16(reader));
	case DW_FORM_block4:
		return skip_block(reader, reader_u32(reader));
	case DW_FORM_block:
	case DW_FORM_exprloc:
		return skip_block(reader, reader_uleb(reader));
	default:
		reader->overrun = true; /* how long it is, nobody knows */
		return of(ENTRY_NONE, 0);
	}
}

int entry_read(struct entry *ret, struct reader *reader, uint64_t offset, uint64_t unit_offset,
	       const struct abbreviations *abbreviations)
{
	const struct abbreviation *abbreviation;
	uint64_t code = reader_uleb(reader);

	ret->offset = offset;
	ret->present = 0;
	ret->tag = 0;
	ret->has_children = false;
	if (reader->overrun)
		return -EBADMSG;
	if (code == 0)
		return 0;
	abbreviation = abbreviations_find(abbreviations, code);
	if (!abbreviation)
		return -EBADMSG;
	ret->tag = abbreviation->tag;
	ret->has_children = abbreviation->has_children;
	for (uint32_t i = 0; i < abbreviation->count; i++) {
		const struct abbreviation_part *part =
			&abbreviations->parts.at[abbreviation->first + i];
		struct entry_value value;
		uint16_t form = part->form;

		if (part->attribute == ENTRY_STEP) {
			(void)reader_take(reader, part->step);
			continue;
		}
		if (form == DW_FORM_indirect) {
			form = (uint16_t)reader_uleb(reader);
			if (form == DW_FORM_indirect || form == DW_FORM_implicit_const)
				return -EBADMSG;
		}
		value = read_form(reader, form, part->implicit, unit_offset,
				  &abbreviations->format);
		/* The first of two that are alike counts. */
		if (part->attribute < ENTRY_ATTRIBUTES && !entry_has(ret, part->attribute)) {
			ret->values[part->attribute] = value;
			ret->present |= 1U << part->attribute;
		}
	}
	return reader->overrun ? -EBADMSG : 0;
}

int entry_value_read(struct entry_value *ret, struct reader *reader, uint16_t form,
		     const struct unit_format *format)
{
	*ret = read_form(reader, form, 0, 0, format);
	return reader->overrun ? -EBADMSG : 0;
}
