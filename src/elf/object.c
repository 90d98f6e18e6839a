// SPDX-License-Identifier: Apache-2.0
/*
 * An object's segments come from its program headers alone, because those are what the kernel and
 * ld.so load by; section headers may be absent, stripped or nonsense. Once opened, every segment
 * lies inside the file and no address range wraps around, so that users of `segments` need no
 * overflow checks of their own.
 */
#include "elf/object.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "elf/build_id.h"

enum {
	/* load_elf_phdrs of the kernel refuses more; real files have fewer than 30 headers. */
	MAX_PROGRAM_HEADERS_BYTES = 65536,
	/* Linkers make two to six; every look-up of a symbol asks all of them. */
	MAX_SEGMENTS = 128,
	/* The vdso is two or three pages; the limit only keeps a bad header from running away. */
	MAX_VDSO_BYTES = 1 << 20,
};

static uint32_t last_id;

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
	*ret = (struct object_identity){
		.device = st.st_dev,
		.inode = st.st_ino,
		.size = (uint64_t)st.st_size,
		.mtime_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec,
		.ctime_ns = st.st_ctim.tv_sec * INT64_C(1000000000) + st.st_ctim.tv_nsec,
	};
	return 0;
}

int object_open(struct object **ret, int fd, const char *path, const char *root)
{
	cleanup(close) int owned_fd = fd;
	cleanup(object_unref) struct object *object = calloc(1, sizeof(*object));
	Elf64_Ehdr header;
	int r;

	if (!object)
		return -ENOMEM;
	object->references = 1;
	object->fd = TAKE_FD(owned_fd);
	object->path = strdup(path);
	object->root = strdup(root ? root : "");
	if (!object->path || !object->root)
		return -ENOMEM;
	r = object_identify(&object->identity, object->fd);
	if (r == 0)
		r = read_header(object, &header);
	if (r == 0)
		r = read_program_headers(object, &header);
	if (r != 0)
		return r;
	object->type = header.e_type;
	object->entry = header.e_entry;
	object->machine = header.e_machine;
	object->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
	*ret = TAKE_PTR(object);
	return 0;
}

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

int object_open_vdso(struct object **ret)
{
	const char *image = (const char *)getauxval(AT_SYSINFO_EHDR);
	cleanup(close) int fd = -1;
	uint64_t size;
	int r;

	if (!image)
		return -ENOENT;
	size = vdso_size(image);
	if (size > MAX_VDSO_BYTES)
		return -EFBIG;
	fd = memfd_create("profd-vdso", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	r = fs_write_all(fd, image, size);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -errno;
	return object_open(ret, TAKE_FD(fd), "[vdso]", NULL);
}

struct object *object_ref(struct object *object)
{
	__atomic_add_fetch(&object->references, 1, __ATOMIC_RELAXED);
	return object;
}

void object_unref(struct object *object)
{
	if (!object || __atomic_sub_fetch(&object->references, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	if (object->fd >= 0)
		(void)close(object->fd);
	array_fini(&object->segments);
	free(object->path);
	free(object->root);
	free(object);
}

/*
 * Mappings begin at whole pages, so one page of the file can belong to two segments and be mapped
 * twice: text and data where they meet (the traditional layout), or headers and text (lld). Ranks
 * how well a segment explains a mapping at `file_offset`; 0: not at all.
 */
static unsigned rank_segment(const struct object *object, const struct object_segment *segment,
			     uint64_t file_offset, uint64_t bias)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t first = segment->file_offset & ~(page - 1);
	unsigned rank = 1;

	if (segment->file_size == 0 || file_offset < first ||
	    file_offset >= segment->file_offset + segment->file_size)
		return 0;
	rank += segment->executable;
	/* A mapping that begins with the segment says more than one that begins inside of it. */
	rank += first == file_offset ? 2 : 0;
	/* Programs at fixed addresses are never moved. */
	rank += object->type == ET_EXEC && bias == 0 ? 4 : 0;
	return rank;
}

int object_bias(const struct object *object, uint64_t *ret, uint64_t start, uint64_t file_offset)
{
	unsigned best = 0;

	for (uint32_t i = 0; i < object->segments.count; i++) {
		const struct object_segment *segment = &object->segments.at[i];
		uint64_t bias = start - (segment->address + (file_offset - segment->file_offset));
		unsigned rank = rank_segment(object, segment, file_offset, bias);

		if (rank > best) {
			best = rank;
			*ret = bias;
		}
	}
	return best ? 0 : -ENOENT;
}

const struct object_segment *object_segment_of(const struct object *object, uint64_t address)
{
	for (uint32_t i = 0; i < object->segments.count; i++) {
		const struct object_segment *segment = &object->segments.at[i];

		if (segment->executable && address >= segment->address &&
		    address - segment->address < segment->memory_size)
			return segment;
	}
	return NULL;
}

void object_build_id_hex(const struct object *object, char ret[2 * OBJECT_BUILD_ID_MAX + 1])
{
	static const char digits[] = "0123456789abcdef";

	for (uint32_t i = 0; i < object->build_id_size; i++) {
		*ret++ = digits[object->build_id[i] >> 4];
		*ret++ = digits[object->build_id[i] & 15];
	}
	*ret = '\0';
}
