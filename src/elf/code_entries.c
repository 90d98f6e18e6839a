// SPDX-License-Identifier: Apache-2.0
/* ELF gABI, "Symbol Table", "Program Header"; System V ABI, AMD64 supplement, section 5.2. */
#include "elf/code_entries.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "elf/instruction.h"
#include "elf/section_data.h"

enum {
	MAX_PROGRAM_HEADERS = 1024,
	MAX_DYNAMIC_BYTES = 48 * 1024,
	MAX_LINKAGE_ENTRIES = 1 << 16,
};

/* ---- symbols ---- */

struct symbols {
	struct function_list *list;
	struct code *code;
	const struct section_table *sections;
	uint32_t names_number; /* of their section */
	char *names;	       /* read when the first one is asked for; may stay NULL */
	uint64_t names_size;
	bool names_read;
};

/*
 * What gcc has moved out of a function because it hardly ever runs ("f.cold") is jumped to with the
 * frame in place. Returns 1, 0 or -ENOMEM.
 */
static int is_moved_part(struct symbols *symbols, const Elf64_Sym *symbol)
{
	int r;

	if (ELF64_ST_BIND(symbol->st_info) != STB_LOCAL)
		return 0;
	if (!symbols->names_read) {
		symbols->names_read = true;
		r = section_read_names(&symbols->names, &symbols->names_size,
				       symbols->code->object->fd, symbols->sections,
				       symbols->names_number);
		if (r < 0)
			return r;
	}
	return symbols->names && symbol->st_name < symbols->names_size &&
	       strstr(symbols->names + symbol->st_name, ".cold");
}

static int take_symbol(struct symbols *symbols, const Elf64_Sym *symbol)
{
	unsigned type = ELF64_ST_TYPE(symbol->st_info);
	enum function_trust trust = FUNCTION_CERTAIN;
	int r;

	if (symbol->st_shndx == SHN_UNDEF ||
	    (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE) ||
	    !code_range_of(symbols->code, symbol->st_value))
		return 0;
	if (type == STT_NOTYPE) {
		if (ELF64_ST_BIND(symbol->st_info) == STB_LOCAL && symbol->st_size == 0)
			return 0;
		trust = FUNCTION_LABEL;
	} else {
		r = is_moved_part(symbols, symbol);
		if (r)
			return r < 0 ? r : 0;
	}
	return function_list_add(symbols->list, symbol->st_value, symbol->st_size, trust);
}

static int take_symbols(void *context, const void *elements, size_t count, uint64_t address)
{
	int r = 0;

	(void)address;
	for (size_t i = 0; i < count && r == 0; i++)
		r = take_symbol(context, (const Elf64_Sym *)elements + i);
	return r;
}

static int add_symbols(struct function_list *ret, struct code *code,
		       const struct section_table *sections, uint32_t type)
{
	const Elf64_Shdr *section = section_table_find(sections, type, NULL);
	struct symbols symbols = { .list = ret, .code = code, .sections = sections };
	int r;

	if (!section || section->sh_entsize != sizeof(Elf64_Sym))
		return 0;
	symbols.names_number = section->sh_link;
	r = section_for_each(code->object->fd, section, sizeof(Elf64_Sym), take_symbols, &symbols);
	free(symbols.names);
	return r;
}

/* ---- what the loader calls ---- */

static int add_if_code(struct function_list *ret, struct code *code, uint64_t address)
{
	return code_range_of(code, address) ? function_list_add(ret, address, 0, FUNCTION_CERTAIN)
					    : 0;
}

static int add_dynamic(struct function_list *ret, struct code *code, const Elf64_Phdr *header)
{
	Elf64_Dyn entry;
	int r = 0;

	for (uint64_t at = 0;
	     r == 0 && at + sizeof(entry) <= header->p_filesz && at < MAX_DYNAMIC_BYTES;
	     at += sizeof(entry)) {
		r = fs_read_at(code->object->fd, &entry, sizeof(entry),
			       (off_t)(header->p_offset + at));
		if (r < 0)
			return r == -ENODATA ? 0 : r;
		if (entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == DT_INIT || entry.d_tag == DT_FINI)
			r = add_if_code(ret, code, entry.d_un.d_ptr);
	}
	return r;
}

/*
 * Is the address of a library's header that of a program? The kernel enters with the arguments on
 * the stack: a program's first instructions take the stack pointer, or mark the end of the stack.
 * Linkers put the beginning of the text there for libraries that cannot be started.
 */
static bool looks_like_entry(struct code *code, uint64_t address)
{
	enum { FIRST_INSTRUCTIONS = 4 };

	for (unsigned n = 0; n < FIRST_INSTRUCTIONS; n++) {
		struct instruction i;
		size_t size;
		const unsigned char *bytes = code_bytes(code, address, &size);

		if (!bytes || !instruction_decode(&i, bytes, size, address))
			return false;
		if (i.kind == INSTRUCTION_CLEAR && i.a == REGISTER_BP)
			return true;
		if (i.kind == INSTRUCTION_MOVE && i.b == REGISTER_SP)
			return true;
		if (i.kind != INSTRUCTION_OTHER && i.kind != INSTRUCTION_NOP &&
		    i.kind != INSTRUCTION_ENTRY)
			return false;
		address += i.length;
	}
	return false;
}

static int add_entry(struct function_list *ret, struct code *code, bool has_interpreter)
{
	const struct object *object = code->object;
	uint32_t number;
	int r;

	if (!code_range_of(code, object->entry))
		return 0;
	if (object->type != ET_EXEC && !has_interpreter && !looks_like_entry(code, object->entry))
		return 0;
	r = function_list_add(ret, object->entry, 0, FUNCTION_CERTAIN);
	number = function_list_find(ret, object->entry);
	if (number != HASH_ABSENT)
		ret->functions.at[number].outermost = true;
	return r;
}

static int add_by_program_headers(struct function_list *ret, struct code *code)
{
	int fd = code->object->fd, r;
	bool has_interpreter = false;
	Elf64_Ehdr header;
	Elf64_Phdr segment;

	r = fs_read_at(fd, &header, sizeof(header), 0);
	if (r < 0)
		return r == -ENODATA ? 0 : r;
	if (header.e_phentsize != sizeof(segment) || header.e_phoff > INT64_MAX / 2)
		return 0;
	for (unsigned i = 0; i < header.e_phnum && i < MAX_PROGRAM_HEADERS; i++) {
		r = fs_read_at(fd, &segment, sizeof(segment),
			       (off_t)(header.e_phoff + i * sizeof(segment)));
		if (r < 0)
			return r == -ENODATA ? 0 : r;
		has_interpreter = has_interpreter || segment.p_type == PT_INTERP;
		if (segment.p_type == PT_DYNAMIC && segment.p_offset <= INT64_MAX / 2)
			r = add_dynamic(ret, code, &segment);
		if (r < 0)
			return r;
	}
	return add_entry(ret, code, has_interpreter);
}

/* ---- sections that are known by name ---- */

static bool is_named(const struct section_table *sections, const Elf64_Shdr *section,
		     const char *name)
{
	return section->sh_name < sections->names_size &&
	       strcmp(sections->names + section->sh_name, name) == 0;
}

/*
 * An entry; where it jumps through a pointer at once, that leads back to the instruction behind the
 * jump until the symbol is bound.
 */
static int add_linkage(struct function_list *ret, struct code *code, uint64_t address)
{
	struct instruction i;
	size_t size;
	const unsigned char *bytes = code_bytes(code, address, &size);
	int r = add_if_code(ret, code, address);

	if (r < 0 || !bytes || !instruction_decode(&i, bytes, size, address) ||
	    i.kind != INSTRUCTION_JUMP_INDIRECT)
		return r;
	address += i.length;
	bytes = code_bytes(code, address, &size);
	if (!bytes || !instruction_decode(&i, bytes, size, address) || i.kind != INSTRUCTION_PUSH)
		return 0;
	return add_if_code(ret, code, address);
}

/* first: the first entry is not called, but jumped to by the others. */
static int add_linkage_table(struct function_list *ret, struct code *code,
			     const Elf64_Shdr *section, bool first)
{
	uint64_t size = section->sh_entsize == 8 ? 8 : 16;
	uint64_t count = section->sh_size / size;
	int r = 0;

	for (uint64_t n = first; n < count && n < MAX_LINKAGE_ENTRIES && r == 0; n++)
		r = add_linkage(ret, code, section->sh_addr + n * size);
	return r;
}

static int add_by_sections(struct function_list *ret, struct code *code,
			   const struct section_table *sections)
{
	int r = 0;

	for (uint32_t i = 0; i < sections->count && r == 0; i++) {
		const Elf64_Shdr *section = &sections->at[i];

		if (section->sh_type != SHT_PROGBITS || !(section->sh_flags & SHF_EXECINSTR) ||
		    section->sh_size == 0)
			continue;
		if (is_named(sections, section, ".init") || is_named(sections, section, ".fini"))
			r = add_if_code(ret, code, section->sh_addr);
		else if (is_named(sections, section, ".plt"))
			r = add_linkage_table(ret, code, section, true);
		else if (is_named(sections, section, ".plt.sec") ||
			 is_named(sections, section, ".plt.got") ||
			 is_named(sections, section, ".iplt"))
			r = add_linkage_table(ret, code, section, false);
	}
	return r;
}

int code_entries_list(struct function_list *ret, struct code *code,
		      const struct section_table *sections)
{
	int r = add_by_program_headers(ret, code);

	if (r == 0)
		r = add_symbols(ret, code, sections, SHT_SYMTAB);
	if (r == 0)
		r = add_symbols(ret, code, sections, SHT_DYNSYM);
	return r < 0 ? r : add_by_sections(ret, code, sections);
}
