/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ELF file around a few sections made of the input, so that the input need not guess headers.
 * Offsets in the file and ELF addresses differ by ELF_BUILDER_BASE.
 */
#pragma once

#include <elf.h>
#include <string.h>

#include "elf/object_file.h"
#include "memory_file.h"

enum {
	ELF_BUILDER_BASE = 0x10000,
	ELF_BUILDER_TEXT = 0x20000, /* 64 KiB of code that is not in the file */
	ELF_BUILDER_TEXT_SIZE = 0x10000,
	ELF_BUILDER_BYTES = 0x10000,
	ELF_BUILDER_SECTIONS = 12,
};

struct elf_builder {
	struct elf_builder_head {
		Elf64_Ehdr header;
		Elf64_Phdr segments[4];
		Elf64_Shdr sections[ELF_BUILDER_SECTIONS];
		char names[256];
	} head;
	unsigned char data[ELF_BUILDER_BYTES + 8];
	size_t size; /* of the file so far; data[0] is its byte sizeof(head) */
	size_t names_size;
};

/* With one segment for everything, executable. */
static inline void elf_builder_begin(struct elf_builder *b)
{
	Elf64_Ehdr *header = &b->head.header;

	b->head = (struct elf_builder_head){};
	b->size = sizeof(b->head);
	b->names_size = 1;
	memcpy(header->e_ident, ELFMAG, SELFMAG);
	header->e_ident[EI_CLASS] = ELFCLASS64;
	header->e_ident[EI_DATA] = ELFDATA2LSB;
	header->e_ident[EI_VERSION] = EV_CURRENT;
	header->e_version = EV_CURRENT;
	header->e_type = ET_DYN;
	header->e_machine = EM_X86_64;
	header->e_ehsize = sizeof(*header);
	header->e_phoff = offsetof(struct elf_builder_head, segments);
	header->e_phentsize = sizeof(Elf64_Phdr);
	header->e_phnum = 1;
	header->e_shoff = offsetof(struct elf_builder_head, sections);
	header->e_shentsize = sizeof(Elf64_Shdr);
	header->e_shnum = 1;
	b->head.segments[0] = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_vaddr = ELF_BUILDER_BASE,
		.p_memsz = ELF_BUILDER_TEXT + ELF_BUILDER_TEXT_SIZE - ELF_BUILDER_BASE,
	};
}

/* Copies bytes to the end of the file, 8-aligned; what does not fit is left out. The offset. */
_Static_assert(sizeof(struct elf_builder_head) % 8 == 0, "data is aligned in the file");

static inline uint64_t elf_builder_add(struct elf_builder *b, const void *data, size_t *size)
{
	uint64_t offset;

	while (b->size % 8)
		b->data[b->size++ - sizeof(b->head)] = 0;
	offset = b->size;
	if (*size > ELF_BUILDER_BYTES - (offset - sizeof(b->head)))
		*size = ELF_BUILDER_BYTES - (offset - sizeof(b->head));
	if (data && *size)
		memcpy(b->data + (offset - sizeof(b->head)), data, *size);
	b->size += *size;
	return offset;
}

/* Adds a section of these bytes. The number of the first one is 1. */
static inline Elf64_Shdr *elf_builder_section(struct elf_builder *b, const char *name,
					      uint32_t type, const void *data, size_t size)
{
	Elf64_Shdr *section = &b->head.sections[b->head.header.e_shnum++];

	FUZZ_CHECK(b->head.header.e_shnum < ELF_BUILDER_SECTIONS &&
		   b->names_size + strlen(name) + 1 < sizeof(b->head.names));
	section->sh_name = (uint32_t)b->names_size;
	memcpy(b->head.names + b->names_size, name, strlen(name));
	b->names_size += strlen(name) + 1;
	section->sh_type = type;
	section->sh_offset = elf_builder_add(b, data, &size);
	section->sh_size = size;
	section->sh_addr = ELF_BUILDER_BASE + section->sh_offset;
	section->sh_addralign = 8;
	return section;
}

/* Describes what is not in the file: the code. */
static inline Elf64_Shdr *elf_builder_text(struct elf_builder *b)
{
	Elf64_Shdr *text = elf_builder_section(b, ".text", SHT_NOBITS, NULL, 0);

	text->sh_flags = SHF_ALLOC | SHF_EXECINSTR;
	text->sh_addr = ELF_BUILDER_TEXT;
	text->sh_size = ELF_BUILDER_TEXT_SIZE;
	return text;
}

/* Adds a program header for bytes of the file. */
static inline Elf64_Phdr *elf_builder_segment(struct elf_builder *b, uint32_t type, uint64_t offset,
					      uint64_t size)
{
	Elf64_Phdr *segment = &b->head.segments[b->head.header.e_phnum++];

	FUZZ_CHECK(b->head.header.e_phnum <= 4);
	*segment = (Elf64_Phdr){ .p_type = type,
				 .p_flags = PF_R,
				 .p_offset = offset,
				 .p_vaddr = ELF_BUILDER_BASE + offset,
				 .p_filesz = size,
				 .p_memsz = size,
				 .p_align = 4 };
	return segment;
}

/* The file, borrowed until the next one is made. */
static inline int elf_builder_file(struct elf_builder *b)
{
	Elf64_Shdr *names = elf_builder_section(b, ".shstrtab", SHT_STRTAB, NULL, 0);

	names->sh_offset = offsetof(struct elf_builder_head, names);
	names->sh_size = sizeof(b->head.names);
	b->head.header.e_shstrndx = b->head.header.e_shnum - 1;
	b->head.segments[0].p_filesz = b->size;
	return memory_file(&b->head, b->size);
}

/* The object that the file is. Owned. */
static inline struct object *elf_builder_object(struct elf_builder *b)
{
	struct object *object;

	FUZZ_CHECK(object_open(&object, memory_file_again(elf_builder_file(b)), "/folder/file") ==
		   0);
	return object;
}
