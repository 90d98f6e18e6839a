/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Call frame information written by hand, in an ELF file made in memory. Code lies at CFI_TEXT, in
 * one executable segment that also holds the tables.
 */
#pragma once

#include <dwarf.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "elf/object.h"

enum {
	CFI_BASE = 0x10000, /* ELF address of the file's first byte */
	CFI_EH_HEADER = 0x400,
	CFI_EH_FRAME = 0x800, /* offsets in the file */
	CFI_DEBUG_FRAME = 0x4000,
	CFI_FILE_SIZE = 0x8000,
	CFI_TEXT = 0x20000,
	CFI_TEXT_END = 0x30000,
};

struct cfi_list {
	struct bytes bytes;
	bool eh_frame;
	uint8_t encoding;
	size_t entry; /* offset of the one being written */
};

static inline void cfi_add(struct cfi_list *list, uint64_t value, size_t size)
{
	bytes_add(&list->bytes, &value, size);
}

static inline void cfi_begin(struct cfi_list *list)
{
	list->entry = list->bytes.size;
	cfi_add(list, 0, 4);
}

static inline void cfi_end(struct cfi_list *list)
{
	uint32_t length;

	while (list->bytes.size % 8)
		cfi_add(list, DW_CFA_nop, 1);
	length = (uint32_t)(list->bytes.size - list->entry - 4);
	memcpy(list->bytes.at + list->entry, &length, 4);
}

/*
 * A common entry: code alignment 1, data alignment -8, return address in register 16; at a
 * function's start the CFA is rsp + 8 and the return address is at CFA - 8. Returns its offset.
 */
static inline size_t cfi_cie(struct cfi_list *list, const char *augmentation)
{
	static const unsigned char program[] = { DW_CFA_def_cfa, 7, 8, DW_CFA_offset | 16, 1 };
	size_t start = list->bytes.size;

	cfi_begin(list);
	cfi_add(list, list->eh_frame ? 0 : UINT32_MAX, 4);
	cfi_add(list, 1, 1);
	bytes_add(&list->bytes, augmentation, strlen(augmentation) + 1);
	cfi_add(list, 1, 1);
	cfi_add(list, 0x78, 1);
	cfi_add(list, 16, 1);
	if (augmentation[0] == 'z') {
		bool pointer = strchr(augmentation, 'R');

		cfi_add(list, pointer, 1);
		if (pointer)
			cfi_add(list, list->encoding, 1);
	}
	bytes_add(&list->bytes, program, sizeof(program));
	cfi_end(list);
	return start;
}

/* start: as it is encoded, when the encoding is relative. */
static inline void cfi_fde(struct cfi_list *list, size_t cie, uint64_t start, uint64_t size,
			   const void *program, size_t program_size)
{
	/* A test may also give something that is no common entry. */
	bool sized = cie + 9 >= list->bytes.size || list->bytes.at[cie + 9] == 'z';
	size_t width = (list->encoding & 7) == DW_EH_PE_udata4	 ? 4
		       : (list->encoding & 7) == DW_EH_PE_udata2 ? 2
								 : 8;

	cfi_begin(list);
	cfi_add(list, list->eh_frame ? list->bytes.size - cie : cie, 4);
	cfi_add(list, start, width);
	cfi_add(list, size, width);
	if (sized)
		cfi_add(list, 0, 1);
	bytes_add(&list->bytes, program, program_size);
	cfi_end(list);
}

#define CFI_FDE(list, cie, start, size, ...)                                                       \
	do {                                                                                       \
		const unsigned char program_[] = { __VA_ARGS__ };                                  \
		cfi_fde(list, cie, start, size, program_, sizeof(program_));                       \
	} while (0)

struct cfi_image {
	Elf64_Ehdr header;
	Elf64_Phdr segments[2];
	Elf64_Shdr sections[4];
	char names[64];
};
_Static_assert(sizeof(struct cfi_image) <= CFI_EH_HEADER, "nothing overlaps");

/*
 * The file as a descriptor. debug_frame may be NULL. sections: with section headers.
 * debug_flags: SHF_COMPRESSED when debug_frame is so already.
 */
static inline int cfi_image_file(const struct cfi_list *eh_frame, const struct bytes *debug_frame,
				 uint64_t debug_flags, bool sections)
{
	static const char names[] = "\0.eh_frame\0.debug_frame\0.shstrtab";
	const int32_t pointer = CFI_EH_FRAME - (CFI_EH_HEADER + 4);
	unsigned char header[12] = { 1, DW_EH_PE_pcrel | DW_EH_PE_sdata4, DW_EH_PE_omit,
				     DW_EH_PE_omit };
	struct cfi_image image = {};
	int fd = memfd_create("cfi", MFD_CLOEXEC);

	memcpy(image.header.e_ident, ELFMAG, SELFMAG);
	image.header.e_ident[EI_CLASS] = ELFCLASS64;
	image.header.e_ident[EI_DATA] = ELFDATA2LSB;
	image.header.e_ident[EI_VERSION] = EV_CURRENT;
	image.header.e_version = EV_CURRENT;
	image.header.e_type = ET_DYN;
	image.header.e_machine = EM_X86_64;
	image.header.e_ehsize = sizeof(Elf64_Ehdr);
	image.header.e_phoff = offsetof(struct cfi_image, segments);
	image.header.e_phentsize = sizeof(Elf64_Phdr);
	image.header.e_phnum = 2;
	image.segments[0] = (Elf64_Phdr){ .p_type = PT_LOAD,
					  .p_flags = PF_R | PF_X,
					  .p_vaddr = CFI_BASE,
					  .p_filesz = CFI_FILE_SIZE,
					  .p_memsz = CFI_TEXT_END - CFI_BASE };
	image.segments[1] = (Elf64_Phdr){ .p_type = PT_GNU_EH_FRAME,
					  .p_offset = CFI_EH_HEADER,
					  .p_vaddr = CFI_BASE + CFI_EH_HEADER,
					  .p_filesz = sizeof(header),
					  .p_memsz = sizeof(header) };
	if (sections) {
		image.header.e_shoff = offsetof(struct cfi_image, sections);
		image.header.e_shentsize = sizeof(Elf64_Shdr);
		image.header.e_shnum = 4;
		image.header.e_shstrndx = 3;
	}
	image.sections[1] = (Elf64_Shdr){ .sh_name = 1,
					  .sh_type = SHT_PROGBITS,
					  .sh_addr = CFI_BASE + CFI_EH_FRAME,
					  .sh_offset = CFI_EH_FRAME,
					  .sh_size = eh_frame->bytes.size,
					  .sh_addralign = 8 };
	image.sections[2] = (Elf64_Shdr){ .sh_name = 11,
					  .sh_type = SHT_PROGBITS,
					  .sh_flags = debug_flags,
					  .sh_offset = CFI_DEBUG_FRAME,
					  .sh_size = debug_frame ? debug_frame->size : 0,
					  .sh_addralign = 8 };
	image.sections[3] = (Elf64_Shdr){ .sh_name = 24,
					  .sh_type = SHT_STRTAB,
					  .sh_offset = offsetof(struct cfi_image, names),
					  .sh_size = sizeof(names) };
	memcpy(image.names, names, sizeof(names));
	memcpy(header + 4, &pointer, 4);
	if (fd < 0 || ftruncate(fd, CFI_FILE_SIZE) < 0 ||
	    eh_frame->bytes.size > CFI_DEBUG_FRAME - CFI_EH_FRAME ||
	    pwrite(fd, &image, sizeof(image), 0) < 0 ||
	    pwrite(fd, header, sizeof(header), CFI_EH_HEADER) < 0 ||
	    pwrite(fd, eh_frame->bytes.at, eh_frame->bytes.size, CFI_EH_FRAME) < 0 ||
	    (debug_frame && pwrite(fd, debug_frame->at, debug_frame->size, CFI_DEBUG_FRAME) < 0))
		abort();
	return fd;
}
