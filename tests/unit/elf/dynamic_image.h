/* SPDX-License-Identifier: Apache-2.0 */
/* Small programs and libraries with a dynamic segment, for what ld.so reads of them. */
#pragma once

#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	DYNAMIC_IMAGE_ADDRESS = 0x40000, /* where offset 0 is loaded: addresses are no offsets */
	DYNAMIC_IMAGE_STRINGS = 16384,
	DYNAMIC_IMAGE_ENTRIES = 640,
};

struct dynamic_image {
	Elf64_Ehdr header;
	Elf64_Phdr segments[3]; /* PT_LOAD of everything, PT_DYNAMIC, PT_INTERP (or PT_NULL) */
	Elf64_Dyn dynamic[DYNAMIC_IMAGE_ENTRIES]; /* DT_STRTAB, DT_STRSZ, what is added, DT_NULL */
	char interpreter[4096];
	char strings[DYNAMIC_IMAGE_STRINGS]; /* the end of the file and of the segment */
	uint32_t entries, strings_used;	     /* not in the file */
};

enum { DYNAMIC_IMAGE_BYTES = offsetof(struct dynamic_image, entries) };

static inline void dynamic_image_make(struct dynamic_image *image)
{
	*image = (struct dynamic_image){};
	memcpy(image->header.e_ident, ELFMAG, SELFMAG);
	image->header.e_ident[EI_CLASS] = ELFCLASS64;
	image->header.e_ident[EI_DATA] = ELFDATA2LSB;
	image->header.e_ident[EI_VERSION] = EV_CURRENT;
	image->header.e_type = ET_DYN;
	image->header.e_machine = EM_X86_64;
	image->header.e_phoff = offsetof(struct dynamic_image, segments);
	image->header.e_phentsize = sizeof(Elf64_Phdr);
	image->header.e_phnum = 3;
	image->segments[0] = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_vaddr = DYNAMIC_IMAGE_ADDRESS,
		.p_filesz = DYNAMIC_IMAGE_BYTES,
		.p_memsz = DYNAMIC_IMAGE_BYTES,
	};
	image->segments[1] = (Elf64_Phdr){
		.p_type = PT_DYNAMIC,
		.p_offset = offsetof(struct dynamic_image, dynamic),
		.p_filesz = sizeof(image->dynamic),
	};
	image->dynamic[0] =
		(Elf64_Dyn){ DT_STRTAB,
			     { DYNAMIC_IMAGE_ADDRESS + offsetof(struct dynamic_image, strings) } };
	image->dynamic[1] = (Elf64_Dyn){ DT_STRSZ, { DYNAMIC_IMAGE_STRINGS } };
	image->entries = 2;
	image->strings_used = 1;
}

static inline void dynamic_image_add_value(struct dynamic_image *image, int64_t tag, uint64_t value)
{
	if (image->entries == DYNAMIC_IMAGE_ENTRIES)
		abort();
	image->dynamic[image->entries++] = (Elf64_Dyn){ tag, { value } };
}

static inline void dynamic_image_add(struct dynamic_image *image, int64_t tag, const char *text)
{
	size_t size = strlen(text) + 1;

	if (size > DYNAMIC_IMAGE_STRINGS - image->strings_used)
		abort();
	memcpy(image->strings + image->strings_used, text, size);
	dynamic_image_add_value(image, tag, image->strings_used);
	image->strings_used += (uint32_t)size;
}

static inline void dynamic_image_interpreter(struct dynamic_image *image, const char *path)
{
	image->segments[2] = (Elf64_Phdr){
		.p_type = PT_INTERP,
		.p_offset = offsetof(struct dynamic_image, interpreter),
		.p_filesz = strlen(path) + 1,
	};
	snprintf(image->interpreter, sizeof(image->interpreter), "%s", path);
}

static inline void dynamic_image_write(const struct dynamic_image *image, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	if (fd < 0 || write(fd, image, DYNAMIC_IMAGE_BYTES) != DYNAMIC_IMAGE_BYTES)
		abort();
	close(fd);
}
