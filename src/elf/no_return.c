// SPDX-License-Identifier: Apache-2.0
/* System V ABI, AMD64 supplement, table 4.9 "Relocation Types". */
#include "elf/no_return.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "elf/section_data.h"

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, *(const char *const *)b);
}

static bool never_returns(const char *name)
{
	/* C and POSIX, and what compilers call by themselves; sorted. */
	static const char *const names[] = {
		"_Exit",
		"_Unwind_Resume",
		"_ZSt10unexpectedv",
		"_ZSt9terminatev",
		"__assert",
		"__assert_fail",
		"__assert_perror_fail",
		"__assert_rtn",
		"__chk_fail",
		"__cxa_bad_cast",
		"__cxa_bad_typeid",
		"__cxa_call_unexpected",
		"__cxa_pure_virtual",
		"__cxa_rethrow",
		"__cxa_throw",
		"__cxa_throw_bad_array_new_length",
		"__fortify_fail",
		"__libc_fatal",
		"__libc_start_main",
		"__longjmp_chk",
		"__stack_chk_fail",
		"_exit",
		"_longjmp",
		"abort",
		"err",
		"errx",
		"exit",
		"longjmp",
		"pthread_exit",
		"quick_exit",
		"siglongjmp",
		"thrd_exit",
		"verr",
		"verrx",
	};

	if (bsearch(name, names, ARRAY_SIZE(names), sizeof(names[0]), compare_names))
		return true;
	/* std::__throw_length_error(char const*) and the like */
	return strncmp(name, "_ZSt", 4) == 0 && strstr(name, "__throw_");
}

struct imports {
	struct no_return_pointers *ret;
	unsigned char *no_return; /* one byte a symbol */
	uint64_t symbol_count;
	const char *names;
	uint64_t names_size;
	uint64_t next; /* the symbol that comes next */
};

static int take_imported(void *context, const void *elements, size_t count, uint64_t address)
{
	struct imports *imports = context;

	(void)address;
	for (size_t i = 0; i < count && imports->next < imports->symbol_count; i++) {
		const Elf64_Sym *symbol = (const Elf64_Sym *)elements + i;

		imports->no_return[imports->next++] =
			symbol->st_shndx == SHN_UNDEF && symbol->st_name < imports->names_size &&
			never_returns(imports->names + symbol->st_name);
	}
	return 0;
}

static int take_binding(void *context, const void *elements, size_t count, uint64_t address)
{
	struct imports *imports = context;
	int r = 0;

	(void)address;
	for (size_t i = 0; i < count && r == 0; i++) {
		const Elf64_Rela *relocation = (const Elf64_Rela *)elements + i;
		uint32_t type = (uint32_t)ELF64_R_TYPE(relocation->r_info);
		uint64_t symbol = ELF64_R_SYM(relocation->r_info);

		if ((type != R_X86_64_GLOB_DAT && type != R_X86_64_JUMP_SLOT) ||
		    symbol >= imports->symbol_count || !imports->no_return[symbol] ||
		    no_return_pointers_have(imports->ret, relocation->r_offset))
			continue;
		r = hash_index_add(&imports->ret->index, hash_u64(relocation->r_offset),
				   imports->ret->count++);
	}
	return r;
}

int no_return_pointers_read(struct no_return_pointers *ret, const struct object *object,
			    const struct section_table *sections)
{
	const Elf64_Shdr *section = section_table_find(sections, SHT_DYNSYM, NULL);
	cleanup(no_return_pointers_fini) struct no_return_pointers found = {};
	cleanup(free) unsigned char *no_return = NULL;
	cleanup(free) char *names = NULL;
	struct imports imports = { .ret = &found };
	int r;

	*ret = found;
	if (!section || section->sh_entsize != sizeof(Elf64_Sym))
		return 0;
	r = section_read_names(&names, &imports.names_size, object->fd, sections, section->sh_link);
	if (r < 0 || !names)
		return r;
	imports.names = names;
	imports.symbol_count = section->sh_size / sizeof(Elf64_Sym);
	imports.no_return = no_return = calloc(1, imports.symbol_count + 1);
	if (!no_return)
		return -ENOMEM;
	r = section_for_each(object->fd, section, sizeof(Elf64_Sym), take_imported, &imports);
	for (uint32_t i = 0; i < sections->count && r == 0; i++)
		if (sections->at[i].sh_type == SHT_RELA && sections->at[i].sh_flags & SHF_ALLOC &&
		    sections->at[i].sh_entsize == sizeof(Elf64_Rela))
			r = section_for_each(object->fd, &sections->at[i], sizeof(Elf64_Rela),
					     take_binding, &imports);
	if (r < 0)
		return r;
	*ret = found;
	found = (struct no_return_pointers){};
	return 0;
}

void no_return_pointers_fini(struct no_return_pointers *pointers)
{
	hash_index_fini(&pointers->index);
}

bool no_return_pointers_have(const struct no_return_pointers *pointers, uint64_t address)
{
	return hash_index_find(&pointers->index, hash_u64(address), NULL, NULL, NULL) !=
	       HASH_ABSENT;
}
