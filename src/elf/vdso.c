// SPDX-License-Identifier: Apache-2.0
#include "elf/vdso.h"

#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <sys/auxv.h>

#include "base/sealed.h"

/* It is two or three pages; the limit only keeps a bad header from running away. */
enum { MAX_VDSO_BYTES = 1 << 20 };

/*
 * How far the vdso's image goes in our memory. The kernel maps it whole, sections too, but tells
 * its size nowhere: it ends with whatever part its headers put last.
 */
static uint64_t vdso_size(const char *image)
{
	const Elf64_Ehdr *header = (const void *)image;
	const Elf64_Phdr *segments = (const void *)(image + header->e_phoff);
	uint64_t size = header->e_shoff + (uint64_t)header->e_shnum * sizeof(Elf64_Shdr);

	for (unsigned i = 0; i < header->e_phnum; i++) {
		uint64_t end = segments[i].p_offset + segments[i].p_filesz;

		if (segments[i].p_type == PT_LOAD && end > size)
			size = end;
	}
	return size;
}

int vdso_open(void)
{
	const char *image = (const char *)getauxval(AT_SYSINFO_EHDR);
	uint64_t size;

	if (!image)
		return -ENOENT;
	size = vdso_size(image);
	return size > MAX_VDSO_BYTES ? -EFBIG : sealed_make(image, size);
}
