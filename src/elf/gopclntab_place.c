// SPDX-License-Identifier: Apache-2.0
/*
 * The Go linker puts the table into a section of its own. An external linker that makes a position
 * independent program merges it with other constant data (GNU ld's default script: .data.rel.ro.*),
 * and section headers may be gone altogether. Then the segments are searched for it.
 *
 * Searching costs a read of all data, so it is done only in files that carry another mark of Go's
 * linker, or no section headers.
 */
#include "elf/gopclntab_place.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"

enum {
	/* Of all segments together; the data of the largest Go programs is a tenth of it. */
	MAX_SEARCHED_BYTES = 1 << 30,
	/* What looks like a header by its first eight bytes; each costs a few reads. */
	MAX_CANDIDATES = 64,
	HEADER_ALIGNMENT = 8,
	/* Words of runtime.moduledata, the same since Go 1.16 (runtime/symtab.go). */
	MODULE_HEADER = 0, /* pcHeader */
	MODULE_NAMES = 1,  /* funcnametab, a slice: where and how long */
	MODULE_TEXT = 22,
	RELOCATION_CHUNK = 512,
	MAX_MODULES = 8,
};

/* ---- the table ---- */

static const Elf64_Shdr *find_section(const struct section_table *sections)
{
	const Elf64_Shdr *section = section_table_find(sections, SHT_PROGBITS, ".gopclntab");

	return section ? section
		       : section_table_find(sections, SHT_PROGBITS, ".data.rel.ro.gopclntab");
}

static bool may_be_go(const struct section_table *sections)
{
	return sections->count == 0 ||
	       section_table_find(sections, SHT_PROGBITS, ".go.buildinfo") ||
	       section_table_find(sections, SHT_NOTE, ".note.go.buildid");
}

/* A magic number, two zeros, instructions of one byte, pointers of eight. */
static bool begins_like_header(const unsigned char *at)
{
	static const unsigned char rest[] = { 0xff, 0xff, 0xff, 0, 0, 1, 8 };

	return memcmp(at + 1, rest, sizeof(rest)) == 0;
}

/*
 * Calls `visit` for every HEADER_ALIGNMENT bytes of the segment's file contents, until it returns
 * something else than 0. *budget: bytes that may still be read.
 */
static int visit_segment(const struct object *object, const struct object_segment *segment,
			 uint64_t *budget,
			 int (*visit)(void *context, uint64_t address, uint64_t offset,
				      const unsigned char *bytes),
			 void *context)
{
	enum { CHUNK = 65536 };
	/* The address is what is aligned. */
	uint64_t done = -segment->address & (HEADER_ALIGNMENT - 1);
	cleanup(free) unsigned char *chunk = malloc(CHUNK);

	if (!chunk)
		return -ENOMEM;
	while (done<segment->file_size && * budget> 0) {
		uint64_t some = segment->file_size - done;
		int r;

		if (some > CHUNK)
			some = CHUNK;
		if (some > *budget)
			some = *budget;
		*budget -= some;
		r = fs_read_at(object->fd, chunk, some, (off_t)(segment->file_offset + done));
		if (r < 0)
			return r == -ENODATA ? 0 : r;
		for (uint64_t i = 0; i + HEADER_ALIGNMENT <= some; i += HEADER_ALIGNMENT) {
			r = visit(context, segment->address + done + i,
				  segment->file_offset + done + i, chunk + i);
			if (r != 0)
				return r;
		}
		done += some;
	}
	return 0;
}

struct search {
	const struct object_segment *segment;
	uint32_t candidates;
	int (*accept)(void *context, const struct gopclntab_place *place);
	void *context;
};

static int try_header(void *search_, uint64_t address, uint64_t offset, const unsigned char *bytes)
{
	struct search *search = search_;
	struct gopclntab_place place = {
		address, offset, search->segment->file_size - (address - search->segment->address)
	};

	if (!begins_like_header(bytes) || search->candidates >= MAX_CANDIDATES)
		return 0;
	search->candidates++;
	return search->accept(search->context, &place);
}

int gopclntab_places(const struct object *object, const struct section_table *sections,
		     int (*accept)(void *context, const struct gopclntab_place *place),
		     void *context)
{
	const Elf64_Shdr *section = find_section(sections);
	struct search search = { .accept = accept, .context = context };
	uint64_t budget = MAX_SEARCHED_BYTES;
	int r = 0;

	if (section) {
		struct gopclntab_place place = { section->sh_addr, section->sh_offset,
						 section->sh_size };

		return accept(context, &place);
	}
	if (!may_be_go(sections))
		return 0;
	for (uint32_t i = 0; i < object->segments.count && r == 0; i++) {
		search.segment = &object->segments.at[i];
		if (!search.segment->executable)
			r = visit_segment(object, search.segment, &budget, try_header, &search);
	}
	return r;
}

/* ---- what the program says of itself ---- */

struct module_search {
	const struct gopclntab *table;
	uint64_t *words;
};

/* Positive result of a search. */
enum { FOUND = 1 };

static int try_module(void *search_, uint64_t address, uint64_t offset, const unsigned char *bytes)
{
	struct module_search *search = search_;
	const struct gopclntab *table = search->table;
	uint64_t words[GOPCLNTAB_MODULE_WORDS];
	int r;

	(void)address;
	memcpy(words, bytes, sizeof(words[0]));
	if (words[MODULE_HEADER] != table->address)
		return 0;
	r = fs_read_at(table->object->fd, words, sizeof(words), (off_t)offset);
	if (r < 0)
		return r == -ENODATA ? 0 : r;
	if (words[MODULE_NAMES] != table->address + table->names.offset)
		return 0;
	memcpy(search->words, words, sizeof(words));
	return FOUND;
}

/* In the section that Go 1.26 has for it, or that others put it into; else in all data. */
static int find_module(struct module_search *search, const struct section_table *sections)
{
	static const char *const names[] = { ".go.module", ".noptrdata" };
	const struct object *object = search->table->object;
	uint64_t budget = MAX_SEARCHED_BYTES;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names) && r == 0; i++) {
		const Elf64_Shdr *section = section_table_find(sections, SHT_PROGBITS, names[i]);
		struct object_segment part = {};

		if (!section)
			continue;
		part.address = section->sh_addr;
		part.file_offset = section->sh_offset;
		part.file_size = section->sh_size;
		r = visit_segment(object, &part, &budget, try_module, search);
	}
	for (uint32_t i = 0; i < object->segments.count && r == 0; i++)
		if (!object->segments.at[i].executable)
			r = visit_segment(object, &object->segments.at[i], &budget, try_module,
					  search);
	return r;
}

/*
 * Calls `visit` for the relative relocations (a place, and the address that will be there) until it
 * returns something else than 0. ELF gABI, "Relocation".
 */
static int visit_relocations(const struct object *object, const struct section_table *sections,
			     int (*visit)(void *context, uint64_t place, uint64_t address),
			     void *context)
{
	cleanup(free) Elf64_Rela *chunk = malloc(RELOCATION_CHUNK * sizeof(*chunk));
	uint64_t budget = MAX_SEARCHED_BYTES / sizeof(*chunk);

	if (!chunk)
		return -ENOMEM;
	for (uint32_t i = 0; i < sections->count; i++) {
		const Elf64_Shdr *section = section_table_at(sections, i);
		uint64_t count = section->sh_size / sizeof(*chunk);

		if (section->sh_type != SHT_RELA || !(section->sh_flags & SHF_ALLOC))
			continue;
		for (uint64_t done = 0; done < count && budget > 0;) {
			uint64_t some =
				count - done < RELOCATION_CHUNK ? count - done : RELOCATION_CHUNK;
			int r;

			if (some > budget)
				some = budget;
			budget -= some;
			r = fs_read_at(object->fd, chunk, some * sizeof(*chunk),
				       (off_t)(section->sh_offset + done * sizeof(*chunk)));
			if (r < 0)
				return r == -ENODATA ? 0 : r;
			for (uint64_t k = 0; k < some; k++) {
				if (ELF64_R_TYPE(chunk[k].r_info) != R_X86_64_RELATIVE)
					continue;
				r = visit(context, chunk[k].r_offset, (uint64_t)chunk[k].r_addend);
				if (r != 0)
					return r;
			}
			done += some;
		}
	}
	return 0;
}

struct relocation_search {
	const struct gopclntab *table;
	uint64_t candidates[MAX_MODULES]; /* where there is a pointer to the header */
	uint32_t count;
	uint64_t module; /* the one of them that a pointer to the names follows; 0: none */
	uint64_t *words;
};

static int note_header(void *search_, uint64_t place, uint64_t address)
{
	struct relocation_search *search = search_;

	if (address == search->table->address && search->count < MAX_MODULES)
		search->candidates[search->count++] = place;
	return 0;
}

static int try_names(void *search_, uint64_t place, uint64_t address)
{
	struct relocation_search *search = search_;

	if (address != search->table->address + search->table->names.offset)
		return 0;
	for (uint32_t i = 0; i < search->count; i++) {
		if (place == search->candidates[i] + 8 * MODULE_NAMES) {
			search->module = search->candidates[i];
			return FOUND;
		}
	}
	return 0;
}

static int take_word(void *search_, uint64_t place, uint64_t address)
{
	struct relocation_search *search = search_;
	uint64_t offset = place - search->module;

	if (place >= search->module && offset < 8 * GOPCLNTAB_MODULE_WORDS && offset % 8 == 0)
		search->words[offset / 8] = address;
	return 0;
}

int gopclntab_module(const struct gopclntab *table, const struct section_table *sections,
		     uint64_t ret[GOPCLNTAB_MODULE_WORDS])
{
	struct module_search in_place = { table, ret };
	struct relocation_search relocations = { .table = table, .words = ret };
	int r = find_module(&in_place, sections);

	if (r != 0)
		return r < 0 ? r : 0;
	r = visit_relocations(table->object, sections, note_header, &relocations);
	if (r == 0 && relocations.count)
		r = visit_relocations(table->object, sections, try_names, &relocations);
	if (r != FOUND)
		return r < 0 ? r : -ENOENT;
	memset(ret, 0, GOPCLNTAB_MODULE_WORDS * sizeof(ret[0]));
	return visit_relocations(table->object, sections, take_word, &relocations);
}

/* ---- the beginning of the code ---- */

struct field_search {
	uint64_t field, text; /* addresses */
};

static int try_header_field(void *search_, uint64_t place, uint64_t address)
{
	struct field_search *search = search_;

	if (place != search->field)
		return 0;
	search->text = address;
	return FOUND;
}

int gopclntab_text(const struct gopclntab *table, const struct section_table *sections,
		   uint64_t *ret)
{
	/* The header's own field, of Go 1.18 to 1.25. */
	struct field_search search = { .field = table->address + 8 + 2 * 8 };
	uint64_t words[GOPCLNTAB_MODULE_WORDS];
	int r = visit_relocations(table->object, sections, try_header_field, &search);

	if (r == FOUND) {
		*ret = search.text;
		return 0;
	}
	if (r == 0)
		r = gopclntab_module(table, sections, words);
	if (r < 0)
		return r;
	*ret = words[MODULE_TEXT];
	return 0;
}
