/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small ELF files made in memory, for what no compiler here would produce: one executable segment
 * at IMAGE_TEXT, a section .text over it, and whatever symbols a test wants.
 */
#pragma once

#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	IMAGE_TEXT = 0x10000,
	IMAGE_TEXT_SIZE = 0x1000,
	IMAGE_TEXT_OFFSET = 0x1000,
};

struct image_symbol {
	const char *name;
	uint64_t address, size;
	unsigned char type, binding;
};

struct image {
	Elf64_Ehdr header;
	Elf64_Phdr segments[2];
	Elf64_Shdr sections[5]; /* null, .text, .symtab, .strtab, .shstrtab */
	char names[64];
	char strings[2048];
	Elf64_Sym symbols[64];
};
_Static_assert(sizeof(struct image) < IMAGE_TEXT_OFFSET + IMAGE_TEXT_SIZE, "the file is that long");

static inline uint32_t image_name(struct image *image, const char *name)
{
	size_t at = 1;

	while (image->names[at])
		at += strlen(image->names + at) + 1;
	strcpy(image->names + at, name);
	return (uint32_t)at;
}

/* A file with these symbols; the caller may spoil it before image_open. */
static inline void image_make(struct image *image, const struct image_symbol *symbols,
			      unsigned count)
{
	uint32_t string = 1;

	*image = (struct image){};
	memcpy(image->header.e_ident, ELFMAG, SELFMAG);
	image->header.e_ident[EI_CLASS] = ELFCLASS64;
	image->header.e_ident[EI_DATA] = ELFDATA2LSB;
	image->header.e_ident[EI_VERSION] = EV_CURRENT;
	image->header.e_type = ET_DYN;
	image->header.e_machine = EM_X86_64;
	image->header.e_phoff = offsetof(struct image, segments);
	image->header.e_phentsize = sizeof(Elf64_Phdr);
	image->header.e_phnum = 1;
	image->header.e_shoff = offsetof(struct image, sections);
	image->header.e_shentsize = sizeof(Elf64_Shdr);
	image->header.e_shnum = 5;
	image->header.e_shstrndx = 4;
	image->segments[0] = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_offset = IMAGE_TEXT_OFFSET,
		.p_vaddr = IMAGE_TEXT,
		.p_filesz = IMAGE_TEXT_SIZE,
		.p_memsz = IMAGE_TEXT_SIZE,
	};
	image->sections[1] = (Elf64_Shdr){
		.sh_name = image_name(image, ".text"),
		.sh_type = SHT_PROGBITS,
		.sh_flags = SHF_ALLOC | SHF_EXECINSTR,
		.sh_addr = IMAGE_TEXT,
		.sh_offset = IMAGE_TEXT_OFFSET,
		.sh_size = IMAGE_TEXT_SIZE,
	};
	image->sections[2] = (Elf64_Shdr){
		.sh_name = image_name(image, ".symtab"),
		.sh_type = SHT_SYMTAB,
		.sh_offset = offsetof(struct image, symbols),
		.sh_size = (count + 1) * sizeof(Elf64_Sym),
		.sh_entsize = sizeof(Elf64_Sym),
		.sh_link = 3,
	};
	image->sections[3] = (Elf64_Shdr){
		.sh_name = image_name(image, ".strtab"),
		.sh_type = SHT_STRTAB,
		.sh_offset = offsetof(struct image, strings),
		.sh_size = sizeof(image->strings),
	};
	image->sections[4] = (Elf64_Shdr){
		.sh_name = image_name(image, ".shstrtab"),
		.sh_type = SHT_STRTAB,
		.sh_offset = offsetof(struct image, names),
		.sh_size = sizeof(image->names),
	};
	for (unsigned i = 0; i < count; i++) {
		strcpy(image->strings + string, symbols[i].name);
		image->symbols[i + 1] = (Elf64_Sym){
			.st_name = string,
			.st_info = ELF64_ST_INFO(symbols[i].binding, symbols[i].type),
			.st_shndx = 1,
			.st_value = symbols[i].address,
			.st_size = symbols[i].size,
		};
		string += (uint32_t)strlen(symbols[i].name) + 1;
	}
}

/* The bytes as a file. Returns a descriptor. */
static inline int image_file(const void *data, size_t size)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	return fd;
}

static inline int image_open(const struct image *image)
{
	int fd = image_file(image, sizeof(*image));

	if (ftruncate(fd, IMAGE_TEXT_OFFSET + IMAGE_TEXT_SIZE) < 0)
		abort();
	return fd;
}
