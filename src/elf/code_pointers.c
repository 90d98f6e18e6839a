// SPDX-License-Identifier: Apache-2.0
/* ELF gABI, "Relocation"; System V ABI, AMD64 supplement, table 4.9 "Relocation Types". */
#include "elf/code_pointers.h"

#include <elf.h>
#include <string.h>

#include "elf/section_data.h"

enum { MAX_POINTERS_BYTES = 64 << 20 };

struct pointers {
	struct function_list *list;
	struct code *code;
	enum function_trust trust;
};

static int take_words(void *context, const void *elements, size_t count, uint64_t address)
{
	const struct pointers *pointers = context;
	int r = 0;

	(void)address;
	for (size_t i = 0; i < count && r == 0; i++) {
		uint64_t word;

		memcpy(&word, (const unsigned char *)elements + i * sizeof(word), sizeof(word));
		if (code_range_of(pointers->code, word))
			r = function_list_add(pointers->list, word, 0, pointers->trust);
	}
	return r;
}

static int take_relative(void *context, const void *elements, size_t count, uint64_t address)
{
	const struct pointers *pointers = context;
	int r = 0;

	(void)address;
	for (size_t i = 0; i < count && r == 0; i++) {
		const Elf64_Rela *relocation = (const Elf64_Rela *)elements + i;
		uint32_t type = (uint32_t)ELF64_R_TYPE(relocation->r_info);
		uint64_t to = (uint64_t)relocation->r_addend;

		if ((type != R_X86_64_RELATIVE && type != R_X86_64_IRELATIVE) ||
		    !code_range_of(pointers->code, to))
			continue;
		r = function_list_add(pointers->list, to, 0,
				      type == R_X86_64_IRELATIVE ? FUNCTION_CERTAIN
								 : FUNCTION_POINTER);
	}
	return r;
}

enum pointer_section { NO_POINTERS, RELOCATED_POINTERS, POINTERS, CALLED_POINTERS };

static enum pointer_section pointer_section(const struct object *object, const Elf64_Shdr *section)
{
	uint64_t flags = section->sh_flags;

	if (!(flags & SHF_ALLOC) || section->sh_size > MAX_POINTERS_BYTES)
		return NO_POINTERS;
	switch (section->sh_type) {
	case SHT_RELA:
		return section->sh_entsize == sizeof(Elf64_Rela) ? RELOCATED_POINTERS : NO_POINTERS;
	case SHT_PROGBITS:
		/* Constants of what is moved when loaded lie in writable sections, too. */
		if (flags & SHF_EXECINSTR || (!(flags & SHF_WRITE) && object->type != ET_EXEC))
			return NO_POINTERS;
		return POINTERS;
	case SHT_INIT_ARRAY:
	case SHT_FINI_ARRAY:
	case SHT_PREINIT_ARRAY:
		return CALLED_POINTERS;
	default:
		return NO_POINTERS;
	}
}

uint64_t code_pointers_bytes(const struct code *code, const struct section_table *sections)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < sections->count; i++)
		if (pointer_section(code->object, &sections->at[i]) != NO_POINTERS)
			bytes += sections->at[i].sh_size;
	return bytes;
}

int code_pointers_list(struct function_list *ret, struct code *code,
		       const struct section_table *sections)
{
	struct pointers pointers = { .list = ret, .code = code };
	int fd = code->object->fd, r = 0;

	for (uint32_t i = 0; i < sections->count && r == 0; i++) {
		const Elf64_Shdr *section = &sections->at[i];
		enum pointer_section what = pointer_section(code->object, section);

		pointers.trust = what == CALLED_POINTERS ? FUNCTION_CERTAIN : FUNCTION_POINTER;
		if (what == RELOCATED_POINTERS)
			r = section_for_each(fd, section, sizeof(Elf64_Rela), take_relative,
					     &pointers);
		else if (what != NO_POINTERS)
			r = section_for_each(fd, section, sizeof(uint64_t), take_words, &pointers);
	}
	return r;
}
