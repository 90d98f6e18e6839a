// SPDX-License-Identifier: Apache-2.0
/*
 * An object's segments come from its program headers alone, because those are what the kernel and
 * ld.so load by; section headers may be absent, stripped or nonsense. Once opened, every segment
 * lies inside the file and no address range wraps around, so that users of `segments` need no
 * overflow checks of their own.
 */
#include "elf/object_file.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "elf/build_id.h"
#include "elf/debug_file.h"
#include "elf/vdso.h"

enum {
	/* load_elf_phdrs of the kernel refuses more; real files have fewer than 30 headers. */
	MAX_PROGRAM_HEADERS_BYTES = 65536,
	/* Linkers make two to six; every look-up of a symbol asks all of them. */
	MAX_SEGMENTS = 128,
};

static int read_header(const struct object *object, Elf64_Ehdr *header)
{
	int r = fs_read_at(object->fd, header, sizeof(*header), 0);

	if (r < 0)
		return r == -ENODATA ? OBJECT_NOT_ELF : r;
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
	    header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
	    (header->e_type != ET_EXEC && header->e_type != ET_DYN))
		return OBJECT_NOT_ELF;
	if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0 ||
	    header->e_phnum > MAX_PROGRAM_HEADERS_BYTES / sizeof(Elf64_Phdr))
		return OBJECT_BROKEN;
	return 0;
}

static int add_segment(struct object *object, const Elf64_Phdr *header)
{
	uint64_t size = object->identity.size;
	struct object_segment *segment;

	/* 2^63 on both: sums of two such values never wrap, and no user address is that high. */
	if (header->p_filesz > header->p_memsz || header->p_vaddr >> 63 || header->p_memsz >> 62 ||
	    header->p_offset > size || header->p_filesz > size - header->p_offset)
		return OBJECT_BROKEN;
	if (header->p_memsz == 0)
		return 0;
	if (object->segments.count == MAX_SEGMENTS)
		return OBJECT_BROKEN;
	segment = array_push(&object->segments);
	if (!segment)
		return -ENOMEM;
	*segment = (struct object_segment){
		.address = header->p_vaddr,
		.file_offset = header->p_offset,
		.file_size = header->p_filesz,
		.memory_size = header->p_memsz,
		.executable = header->p_flags & PF_X,
	};
	return 0;
}

static int read_program_headers(struct object *object, const Elf64_Ehdr *header)
{
	size_t size = header->e_phnum * sizeof(Elf64_Phdr);
	cleanup(free) Elf64_Phdr *headers = malloc(size);
	int r;

	if (!headers)
		return -ENOMEM;
	if (header->e_phoff > object->identity.size)
		return OBJECT_BROKEN;
	r = fs_read_at(object->fd, headers, size, (off_t)header->e_phoff);
	if (r < 0)
		return r == -ENODATA ? OBJECT_BROKEN : r;
	for (unsigned i = 0; i < header->e_phnum && r == 0; i++) {
		if (headers[i].p_type == PT_LOAD)
			r = add_segment(object, &headers[i]);
		else if (headers[i].p_type == PT_NOTE && object->build_id_size == 0)
			r = build_id_read(object->build_id, &object->build_id_size,
					  OBJECT_BUILD_ID_MAX, object->fd, headers[i].p_offset,
					  headers[i].p_filesz, headers[i].p_align);
	}
	if (r == 0 && object->segments.count == 0)
		r = OBJECT_BROKEN;
	/* Go's linker leaves it out of the program header of its notes. */
	if (r == 0 && object->build_id_size == 0)
		r = build_id_read_sections(object->build_id, &object->build_id_size,
					   OBJECT_BUILD_ID_MAX, object->fd);
	return r;
}

int object_identify(struct object_identity *ret, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	/* Reading a pipe or a device could block or change it; only files can be mapped anyway. */
	if (!S_ISREG(st.st_mode))
		return OBJECT_NOT_ELF;
	*ret = object_identity_of(&st);
	return 0;
}

int object_open(struct object **ret, int fd, const char *path)
{
	cleanup(object_unref) struct object *object = object_new(fd, path);
	Elf64_Ehdr header;
	int r;

	if (!object)
		return -ENOMEM;
	r = object_identify(&object->identity, object->fd);
	if (r == 0)
		r = read_header(object, &header);
	if (r == 0)
		r = read_program_headers(object, &header);
	if (r == 0)
		r = debug_link_read(object);
	if (r != 0)
		return r;
	object->type = header.e_type;
	object->entry = header.e_entry;
	object->machine = header.e_machine;
	*ret = TAKE_PTR(object);
	return 0;
}

int object_open_vdso(struct object **ret)
{
	int fd = vdso_open();

	return fd < 0 ? fd : object_open(ret, fd, "[vdso]");
}
