// SPDX-License-Identifier: Apache-2.0
/*
 * libdw tells the entries apart and checks their lengths (dwarf_next_cfi); a common entry (CIE) is
 * decoded once, when the first entry asks for it. Entries that make no sense are passed over, so
 * that one bad entry does not cost the others.
 */
#include "elf/cfi_entry.h"

#include <dwarf.h>
#include <elf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <string.h>

#include "elf/cfi_section.h"

enum {
	/* Linkers merge equal ones: real files have a dozen. */
	MAX_CIES = 65536,
};

static const unsigned char ident[EI_NIDENT] = {
	ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT,
};

/* As dwarf_next_cfi; only looks at d_buf and d_size. */
static int next_entry(const struct cfi_entries *entries, uint64_t offset, uint64_t *ret_next,
		      Dwarf_CFI_Entry *ret)
{
	Elf_Data data = { .d_buf = entries->section.data, .d_size = entries->section.size };
	Dwarf_Off next = 0;
	int r = dwarf_next_cfi(ident, &data, entries->section.eh_frame, offset, &next, ret);

	*ret_next = next;
	return r;
}

/* Reads what of the augmentation matters here; LSB, "Augmentation String Format". */
static int read_augmentation(struct cfi_cie *cie, const Dwarf_CIE *raw,
			     const struct cfi_section *section)
{
	struct reader reader;
	const char *letter = raw->augmentation;
	uint64_t personality;
	uint8_t encoding;

	if (*letter == '\0')
		return 0;
	/* Without 'z' the extent of unknown augmentations is unknown too. */
	if (*letter != 'z')
		return -EBADMSG;
	cie->sized_augmentation = true;
	reader = reader_of(raw->augmentation_data, raw->augmentation_data_size);
	while (*++letter) {
		switch (*letter) {
		case 'R':
			cie->pointer_encoding = reader_u8(&reader);
			break;
		case 'S':
			cie->signal_frame = true;
			break;
		case 'L':
			reader_u8(&reader);
			break;
		case 'P':
			encoding = reader_u8(&reader);
			/* Only its length is of interest. */
			if (cfi_pointer_read(&personality, &reader, encoding & 0x0f, section) < 0)
				return -EBADMSG;
			break;
		case 'B': /* aarch64: return addresses are signed with the B key */
		case 'G': /* aarch64: memory tagging */
			break;
		default:
			return -EBADMSG;
		}
	}
	return reader.overrun ? -EBADMSG : 0;
}

static void decode_cie(struct cfi_cie *ret, const struct cfi_entries *entries, uint64_t offset)
{
	struct cfi_cie cie = { .machine = entries->machine, .pointer_encoding = DW_EH_PE_absptr };
	Dwarf_CFI_Entry entry = {};
	uint64_t next;

	*ret = cie;
	if (offset >= entries->section.size || next_entry(entries, offset, &next, &entry) != 0 ||
	    !dwarf_cfi_cie_p(&entry))
		return;
	cie.code_align = entry.cie.code_alignment_factor;
	cie.data_align = entry.cie.data_alignment_factor;
	if (entry.cie.return_address_register != entries->machine->return_address ||
	    read_augmentation(&cie, &entry.cie, &entries->section) < 0)
		return;
	if (cfi_program_begin(&entries->section, &cie,
			      reader_of(entry.cie.initial_instructions,
					(size_t)(entry.cie.initial_instructions_end -
						 entry.cie.initial_instructions))) < 0)
		return;
	cie.usable = true;
	*ret = cie;
}

/* Puts the index of the CIE at `offset` into *ret, decoding it if need be. Returns 0 or -errno. */
static int find_cie(uint32_t *ret, struct cfi_entries *entries, uint64_t offset)
{
	struct cfi_cie *cie;
	uint64_t *known;
	uint32_t at = entries->last_cie;
	int r;

	if (at < entries->cies.count && entries->cie_offsets.at[at] == offset) {
		*ret = at;
		return 0;
	}
	/* The offset is its own hash: distinct, and spread enough. */
	at = hash_index_find(&entries->cie_index, offset, NULL, NULL, NULL);
	if (at == HASH_ABSENT) {
		at = entries->cies.count;
		if (at >= MAX_CIES)
			return -EFBIG;
		cie = array_push(&entries->cies);
		known = array_push(&entries->cie_offsets);
		if (!cie || !known)
			return -ENOMEM;
		*known = offset;
		r = hash_index_add(&entries->cie_index, offset, at);
		if (r < 0)
			return r;
		decode_cie(cie, entries, offset);
	}
	*ret = entries->last_cie = at;
	return 0;
}

/* Returns 0, or -EBADMSG: no use for it. */
static int decode_fde(struct cfi_fde *ret, const struct cfi_section *section,
		      const struct cfi_cie *cie, const uint8_t *at, const uint8_t *end)
{
	struct reader reader = reader_of(at, (size_t)(end - at));
	uint64_t start, size;

	if (!cie->usable || cfi_pointer_read(&start, &reader, cie->pointer_encoding, section) < 0 ||
	    cfi_pointer_read(&size, &reader, cie->pointer_encoding & 0x0f, section) < 0)
		return -EBADMSG;
	if (cie->sized_augmentation)
		reader_take(&reader, reader_uleb(&reader));
	if (reader.overrun || size > UINT32_MAX || start + size < start)
		return -EBADMSG;
	ret->start = start;
	ret->size = (uint32_t)size;
	ret->program = (uint32_t)(reader.at - section->data);
	ret->program_size = (uint32_t)reader_left(&reader);
	return 0;
}

/*
 * Past an entry that libdw refuses, or past the mark that ends a list. Linked files may hold
 * several lists, one behind another, of which run-time unwinders find all by .eh_frame_hdr.
 */
static bool skip_entry(struct cfi_entries *entries)
{
	const struct cfi_section *section = &entries->section;
	struct reader reader;
	uint64_t length;

	if (section->open_ended || entries->offset >= section->size)
		return false;
	reader = reader_of(section->data + entries->offset, section->size - entries->offset);
	length = reader_u32(&reader);
	if (length == UINT32_MAX)
		length = reader_u64(&reader);
	if (length != 0)
		entries->broken++;
	reader_take(&reader, length);
	entries->offset = (uint64_t)(reader.at - section->data);
	return !reader.overrun && reader_left(&reader) > 0;
}

int cfi_entries_next(struct cfi_fde *ret, struct cfi_entries *entries)
{
	while (entries->offset < entries->section.size) {
		Dwarf_CFI_Entry entry = {};
		struct cfi_fde fde = {};
		uint64_t next;
		int r;

		if (next_entry(entries, entries->offset, &next, &entry) != 0) {
			if (!skip_entry(entries))
				return 0;
			continue;
		}
		entries->offset = next;
		if (dwarf_cfi_cie_p(&entry))
			continue;
		r = find_cie(&fde.cie, entries, entry.fde.CIE_pointer);
		if (r < 0)
			return r;
		if (decode_fde(&fde, &entries->section, &entries->cies.at[fde.cie], entry.fde.start,
			       entry.fde.end) < 0) {
			entries->broken++;
			continue;
		}
		*ret = fde;
		return 1;
	}
	return 0;
}

const struct cfi_cie *cfi_entries_cie(const struct cfi_entries *entries, const struct cfi_fde *fde)
{
	return &entries->cies.at[fde->cie];
}

struct reader cfi_entries_program(const struct cfi_entries *entries, const struct cfi_fde *fde)
{
	return reader_of(entries->section.data + fde->program, fde->program_size);
}

void cfi_entries_fini(struct cfi_entries *entries)
{
	cfi_section_fini(&entries->section);
	array_fini(&entries->cies);
	array_fini(&entries->cie_offsets);
	hash_index_fini(&entries->cie_index);
	*entries = (struct cfi_entries){};
}
