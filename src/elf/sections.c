// SPDX-License-Identifier: Apache-2.0
/* ELF gABI, "Sections", with its escape for more than SHN_LORESERVE sections. */
#include "elf/sections.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fs.h"

enum {
	/* Linked files have some forty sections; only relocatable ones reach tens of thousands. */
	MAX_SECTIONS = 65536,
	MAX_NAMES_BYTES = 4 << 20,
};

static int read_headers(struct section_table *table, int fd, const Elf64_Ehdr *header,
			uint64_t file_size)
{
	uint64_t count = header->e_shnum;
	Elf64_Shdr first;
	int r;

	if (header->e_shoff == 0 || header->e_shoff > file_size ||
	    header->e_shentsize != sizeof(Elf64_Shdr))
		return 0;
	r = fs_read_at(fd, &first, sizeof(first), (off_t)header->e_shoff);
	if (r < 0)
		return r == -ENODATA ? 0 : r;
	if (count == 0)
		count = first.sh_size;
	if (count == 0 || count > MAX_SECTIONS)
		return 0;
	table->at = malloc(count * sizeof(*table->at));
	if (!table->at)
		return -ENOMEM;
	r = fs_read_at(fd, table->at, count * sizeof(*table->at), (off_t)header->e_shoff);
	if (r == 0)
		table->count = (uint32_t)count;
	return r == -ENODATA ? 0 : r;
}

static int read_names(struct section_table *table, int fd, const Elf64_Ehdr *header)
{
	uint32_t number =
		header->e_shstrndx == SHN_XINDEX ? table->at[0].sh_link : header->e_shstrndx;
	const Elf64_Shdr *names = section_table_at(table, number);
	int r;

	if (!names || names->sh_type != SHT_STRTAB || names->sh_size > MAX_NAMES_BYTES)
		return 0;
	table->names = calloc(1, names->sh_size + 1);
	if (!table->names)
		return -ENOMEM;
	r = fs_read_at(fd, table->names, names->sh_size, (off_t)names->sh_offset);
	if (r == 0)
		table->names_size = names->sh_size;
	return r == -ENODATA ? 0 : r;
}

int section_table_read(struct section_table *ret, int fd)
{
	cleanup(section_table_fini) struct section_table table = {};
	Elf64_Ehdr header;
	struct stat st;
	int r = fs_read_at(fd, &header, sizeof(header), 0);

	if (r < 0 && r != -ENODATA)
		return r;
	if (r < 0 || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) {
		*ret = (struct section_table){};
		return 0;
	}
	if (fstat(fd, &st) < 0)
		return -errno;
	r = read_headers(&table, fd, &header, (uint64_t)st.st_size);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < table.count; i++) {
		Elf64_Shdr *section = &table.at[i];

		if (section->sh_type != SHT_NOBITS &&
		    (section->sh_offset > (uint64_t)st.st_size ||
		     section->sh_size > (uint64_t)st.st_size - section->sh_offset))
			section->sh_size = 0;
	}
	r = table.count ? read_names(&table, fd, &header) : 0;
	if (r < 0)
		return r;
	*ret = table;
	table = (struct section_table){};
	return 0;
}

void section_table_fini(struct section_table *table)
{
	free(table->at);
	free(table->names);
	*table = (struct section_table){};
}

const Elf64_Shdr *section_table_at(const struct section_table *table, uint32_t number)
{
	return number < table->count ? &table->at[number] : NULL;
}

const Elf64_Shdr *section_table_find(const struct section_table *table, uint32_t type,
				     const char *name)
{
	for (uint32_t i = 0; i < table->count; i++) {
		const Elf64_Shdr *section = &table->at[i];

		if (section->sh_type != type || section->sh_size == 0)
			continue;
		if (!name || (section->sh_name < table->names_size &&
			      strcmp(table->names + section->sh_name, name) == 0))
			return section;
	}
	return NULL;
}
