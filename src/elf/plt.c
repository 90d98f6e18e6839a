// SPDX-License-Identifier: Apache-2.0
/*
 * System V ABI, AMD64 supplement, sections 5.2 "Procedure Linkage Table" and 11 "Intel CET": an entry
 * jumps through a pointer, which a relocation sets to the address of a symbol.
 */
#include "elf/plt.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "elf/section_data.h"

enum { ENTRY_BYTES = 16, MAX_NAME_BYTES = 4096 };

static bool is_linkage_table(const struct section_table *sections, const Elf64_Shdr *section)
{
	static const char *const names[] = { ".plt", ".plt.sec", ".plt.got", ".iplt" };

	if (section->sh_type != SHT_PROGBITS || !(section->sh_flags & SHF_EXECINSTR) ||
	    section->sh_name >= sections->names_size)
		return false;
	for (uint32_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(sections->names + section->sh_name, names[i]) == 0)
			return true;
	return false;
}

/* The pointer that an entry jumps through; 0: it does not. */
static uint64_t pointer_of(const struct object *object, const Elf64_Shdr *section, uint64_t entry,
			   uint64_t size)
{
	unsigned char bytes[ENTRY_BYTES] = {};
	int32_t relative;

	if (fs_read_at(object->fd, bytes, size,
		       (off_t)(section->sh_offset + (entry - section->sh_addr))) < 0)
		return 0;
	/* "jmp *relative(%rip)", behind an endbr64, a bnd prefix, or both. */
	for (unsigned at = 0; at <= 5 && at + 6 <= size; at++) {
		if (bytes[at] != 0xff || bytes[at + 1] != 0x25)
			continue;
		memcpy(&relative, bytes + at + 2, sizeof(relative));
		return entry + at + 6 + (uint64_t)(int64_t)relative;
	}
	return 0;
}

struct search {
	uint64_t pointer;
	uint32_t symbol; /* 0: not found */
};

/* What section_for_each returns when it is ended. */
enum { FOUND = -EEXIST };

static int take_relocations(void *context, const void *elements, size_t count, uint64_t address)
{
	struct search *search = context;

	(void)address;
	for (size_t i = 0; i < count; i++) {
		const Elf64_Rela *relocation = (const Elf64_Rela *)elements + i;
		uint32_t type = (uint32_t)ELF64_R_TYPE(relocation->r_info);

		if (relocation->r_offset != search->pointer ||
		    (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT))
			continue;
		search->symbol = (uint32_t)ELF64_R_SYM(relocation->r_info);
		return FOUND;
	}
	return 0;
}

/* The number in .dynsym of the function that an address in a linkage table leads to; 0: none. */
static int find_function(const struct object *object, const struct section_table *sections,
			 uint64_t address, uint64_t *ret_start, uint32_t *ret_symbol)
{
	struct search search = {};
	int r = 0;

	for (uint32_t i = 0; i < sections->count; i++) {
		const Elf64_Shdr *section = &sections->at[i];
		uint64_t size = section->sh_entsize == 8 ? 8 : ENTRY_BYTES;

		if (address < section->sh_addr || address - section->sh_addr >= section->sh_size ||
		    !is_linkage_table(sections, section))
			continue;
		*ret_start = address - (address - section->sh_addr) % size;
		search.pointer = pointer_of(object, section, *ret_start, size);
	}
	for (uint32_t i = 0; i < sections->count && search.pointer && r == 0; i++) {
		const Elf64_Shdr *section = &sections->at[i];

		if (section->sh_type == SHT_RELA && section->sh_flags & SHF_ALLOC &&
		    section->sh_entsize == sizeof(Elf64_Rela))
			r = section_for_each(object->fd, section, sizeof(Elf64_Rela),
					     take_relocations, &search);
	}
	*ret_symbol = search.symbol;
	return r == FOUND ? 0 : r;
}

static int read_name(const struct object *object, const struct section_table *sections,
		     uint32_t number, struct bytes *ret)
{
	const Elf64_Shdr *symbols = section_table_find(sections, SHT_DYNSYM, NULL);
	const Elf64_Shdr *names = symbols ? section_table_at(sections, symbols->sh_link) : NULL;
	char name[MAX_NAME_BYTES + 1];
	Elf64_Sym symbol;
	uint64_t left;
	int r;

	if (!names || names->sh_type != SHT_STRTAB || number >= symbols->sh_size / sizeof(symbol))
		return -ENOENT;
	r = fs_read_at(object->fd, &symbol, sizeof(symbol),
		       (off_t)(symbols->sh_offset + number * sizeof(symbol)));
	if (r < 0)
		return r;
	if (symbol.st_name == 0 || symbol.st_name >= names->sh_size)
		return -ENOENT;
	left = names->sh_size - symbol.st_name;
	if (left > MAX_NAME_BYTES)
		left = MAX_NAME_BYTES;
	r = fs_read_at(object->fd, name, left, (off_t)(names->sh_offset + symbol.st_name));
	if (r < 0)
		return r;
	name[left] = '\0';
	if (!name[0])
		return -ENOENT;
	bytes_add_str(ret, name);
	bytes_add_str(ret, "@plt");
	return ret->failed ? -ENOMEM : 0;
}

int plt_find(const struct object *object, uint64_t address, uint64_t *ret_start)
{
	cleanup(section_table_fini) struct section_table sections = {};
	uint32_t symbol = 0;
	int r = object->machine == EM_X86_64 ? section_table_read(&sections, object->fd) : -ENOENT;

	if (r == 0)
		r = find_function(object, &sections, address, ret_start, &symbol);
	return r < 0 ? r : symbol ? 0 : -ENOENT;
}

int plt_name(const struct object *object, uint64_t start, struct bytes *ret)
{
	cleanup(section_table_fini) struct section_table sections = {};
	uint32_t symbol = 0;
	int r = section_table_read(&sections, object->fd);

	if (r == 0)
		r = find_function(object, &sections, start, &start, &symbol);
	if (r < 0)
		return r;
	return symbol ? read_name(object, &sections, symbol, ret) : -ENOENT;
}
