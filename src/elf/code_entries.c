// SPDX-License-Identifier: Apache-2.0
/*
 * ELF gABI, "Symbol Table", "Relocation", "Program Header"; System V ABI, AMD64 supplement, table
 * 4.9 "Relocation Types" and section 5.2 "Procedure Linkage Table".
 */
#include "elf/code_entries.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "elf/instruction.h"

enum {
	CHUNK_BYTES = 48 * 1024, /* a multiple of the size of everything that is read in chunks */
	MAX_NAMES_BYTES = 32 << 20,
	MAX_PROGRAM_HEADERS = 1024,
	MAX_POINTERS_BYTES = 64 << 20,
	MAX_LINKAGE_ENTRIES = 1 << 16,
	/* Of symbols or relocations; a browser's are 100 MB. Zeros take no room on a disk. */
	MAX_LIST_BYTES = 512 << 20,
};

/*
 * Calls `take` with each whole element of the section, in chunks, as far as MAX_LIST_BYTES. A short
 * file ends it early.
 */
static int for_each(int fd, const Elf64_Shdr *section, size_t element,
		    int (*take)(void *context, const void *elements, size_t count,
				uint64_t address),
		    void *context)
{
	cleanup(free) unsigned char *chunk = malloc(CHUNK_BYTES);
	uint64_t all = section->sh_size < MAX_LIST_BYTES ? section->sh_size : MAX_LIST_BYTES;

	if (!chunk)
		return -ENOMEM;
	for (uint64_t done = 0; all - done >= element;) {
		uint64_t left = all - done;
		size_t size = left < CHUNK_BYTES ? left / element * element : CHUNK_BYTES;
		int r = fs_read_at(fd, chunk, size, (off_t)(section->sh_offset + done));

		if (r < 0)
			return r == -ENODATA ? 0 : r;
		r = take(context, chunk, size / element, section->sh_addr + done);
		if (r < 0)
			return r;
		done += size;
	}
	return 0;
}

/* The strings of the section with this number, NUL-terminated; *ret NULL: none. */
static int read_names(char **ret, uint64_t *ret_size, int fd, const struct section_table *sections,
		      uint32_t number)
{
	const Elf64_Shdr *section = section_table_at(sections, number);
	cleanup(free) char *names = NULL;
	int r;

	if (!section || section->sh_type != SHT_STRTAB || section->sh_size > MAX_NAMES_BYTES)
		return 0;
	names = malloc(section->sh_size + 1);
	if (!names)
		return -ENOMEM;
	r = fs_read_at(fd, names, section->sh_size, (off_t)section->sh_offset);
	if (r < 0)
		return r == -ENODATA ? 0 : r;
	names[section->sh_size] = '\0';
	*ret_size = section->sh_size;
	*ret = TAKE_PTR(names);
	return 0;
}

/* ---- symbols ---- */

struct symbols {
	struct function_list *list;
	struct code *code;
	const struct section_table *sections;
	uint32_t names_number; /* of their section */
	char *names;	       /* read when the first one is asked for; may stay NULL */
	uint64_t names_size;
	bool names_read;
};

/*
 * What gcc has moved out of a function because it hardly ever runs ("f.cold") is jumped to with the
 * frame in place. Returns 1, 0 or -ENOMEM.
 */
static int is_moved_part(struct symbols *symbols, const Elf64_Sym *symbol)
{
	int r;

	if (ELF64_ST_BIND(symbol->st_info) != STB_LOCAL)
		return 0;
	if (!symbols->names_read) {
		symbols->names_read = true;
		r = read_names(&symbols->names, &symbols->names_size, symbols->code->object->fd,
			       symbols->sections, symbols->names_number);
		if (r < 0)
			return r;
	}
	return symbols->names && symbol->st_name < symbols->names_size &&
	       strstr(symbols->names + symbol->st_name, ".cold");
}

static int take_symbol(struct symbols *symbols, const Elf64_Sym *symbol)
{
	unsigned type = ELF64_ST_TYPE(symbol->st_info);
	enum function_trust trust = FUNCTION_CERTAIN;
	int r;

	if (symbol->st_shndx == SHN_UNDEF ||
	    (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE) ||
	    !code_range_of(symbols->code, symbol->st_value))
		return 0;
	if (type == STT_NOTYPE) {
		if (ELF64_ST_BIND(symbol->st_info) == STB_LOCAL && symbol->st_size == 0)
			return 0;
		trust = FUNCTION_LABEL;
	} else {
		r = is_moved_part(symbols, symbol);
		if (r)
			return r < 0 ? r : 0;
	}
	return function_list_add(symbols->list, symbol->st_value, symbol->st_size, trust);
}

static int take_symbols(void *context, const void *elements, size_t count, uint64_t address)
{
	int r = 0;

	(void)address;
	for (size_t i = 0; i < count && r == 0; i++)
		r = take_symbol(context, (const Elf64_Sym *)elements + i);
	return r;
}

static int add_symbols(struct function_list *ret, struct code *code,
		       const struct section_table *sections, uint32_t type)
{
	const Elf64_Shdr *section = section_table_find(sections, type, NULL);
	struct symbols symbols = { .list = ret, .code = code, .sections = sections };
	int r;

	if (!section || section->sh_entsize != sizeof(Elf64_Sym))
		return 0;
	symbols.names_number = section->sh_link;
	r = for_each(code->object->fd, section, sizeof(Elf64_Sym), take_symbols, &symbols);
	free(symbols.names);
	return r;
}

/* ---- what the loader calls ---- */

static int add_if_code(struct function_list *ret, struct code *code, uint64_t address)
{
	return code_range_of(code, address) ? function_list_add(ret, address, 0, FUNCTION_CERTAIN)
					    : 0;
}

static int add_dynamic(struct function_list *ret, struct code *code, const Elf64_Phdr *header)
{
	Elf64_Dyn entry;
	int r = 0;

	for (uint64_t at = 0; r == 0 && at + sizeof(entry) <= header->p_filesz && at < CHUNK_BYTES;
	     at += sizeof(entry)) {
		r = fs_read_at(code->object->fd, &entry, sizeof(entry),
			       (off_t)(header->p_offset + at));
		if (r < 0)
			return r == -ENODATA ? 0 : r;
		if (entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == DT_INIT || entry.d_tag == DT_FINI)
			r = add_if_code(ret, code, entry.d_un.d_ptr);
	}
	return r;
}

/*
 * Is the address of a library's header that of a program? The kernel enters with the arguments on
 * the stack: a program's first instructions take the stack pointer, or mark the end of the stack.
 * Linkers put the beginning of the text there for libraries that cannot be started.
 */
static bool looks_like_entry(struct code *code, uint64_t address)
{
	enum { FIRST_INSTRUCTIONS = 4 };

	for (unsigned n = 0; n < FIRST_INSTRUCTIONS; n++) {
		struct instruction i;
		size_t size;
		const unsigned char *bytes = code_bytes(code, address, &size);

		if (!bytes || !instruction_decode(&i, bytes, size, address))
			return false;
		if (i.kind == INSTRUCTION_CLEAR && i.a == REGISTER_BP)
			return true;
		if (i.kind == INSTRUCTION_MOVE && i.b == REGISTER_SP)
			return true;
		if (i.kind != INSTRUCTION_OTHER && i.kind != INSTRUCTION_NOP &&
		    i.kind != INSTRUCTION_ENTRY)
			return false;
		address += i.length;
	}
	return false;
}

static int add_entry(struct function_list *ret, struct code *code, bool has_interpreter)
{
	const struct object *object = code->object;
	uint32_t number;
	int r;

	if (!code_range_of(code, object->entry))
		return 0;
	if (object->type != ET_EXEC && !has_interpreter && !looks_like_entry(code, object->entry))
		return 0;
	r = function_list_add(ret, object->entry, 0, FUNCTION_CERTAIN);
	number = function_list_find(ret, object->entry);
	if (number != HASH_ABSENT)
		ret->functions.at[number].outermost = true;
	return r;
}

static int add_by_program_headers(struct function_list *ret, struct code *code)
{
	int fd = code->object->fd, r;
	bool has_interpreter = false;
	Elf64_Ehdr header;
	Elf64_Phdr segment;

	r = fs_read_at(fd, &header, sizeof(header), 0);
	if (r < 0)
		return r == -ENODATA ? 0 : r;
	if (header.e_phentsize != sizeof(segment) || header.e_phoff > INT64_MAX / 2)
		return 0;
	for (unsigned i = 0; i < header.e_phnum && i < MAX_PROGRAM_HEADERS; i++) {
		r = fs_read_at(fd, &segment, sizeof(segment),
			       (off_t)(header.e_phoff + i * sizeof(segment)));
		if (r < 0)
			return r == -ENODATA ? 0 : r;
		has_interpreter = has_interpreter || segment.p_type == PT_INTERP;
		if (segment.p_type == PT_DYNAMIC && segment.p_offset <= INT64_MAX / 2)
			r = add_dynamic(ret, code, &segment);
		if (r < 0)
			return r;
	}
	return add_entry(ret, code, has_interpreter);
}

/* ---- sections that are known by name ---- */

static bool is_named(const struct section_table *sections, const Elf64_Shdr *section,
		     const char *name)
{
	return section->sh_name < sections->names_size &&
	       strcmp(sections->names + section->sh_name, name) == 0;
}

/*
 * An entry; where it jumps through a pointer at once, that leads back to the instruction behind the
 * jump until the symbol is bound.
 */
static int add_linkage(struct function_list *ret, struct code *code, uint64_t address)
{
	struct instruction i;
	size_t size;
	const unsigned char *bytes = code_bytes(code, address, &size);
	int r = add_if_code(ret, code, address);

	if (r < 0 || !bytes || !instruction_decode(&i, bytes, size, address) ||
	    i.kind != INSTRUCTION_JUMP_INDIRECT)
		return r;
	address += i.length;
	bytes = code_bytes(code, address, &size);
	if (!bytes || !instruction_decode(&i, bytes, size, address) || i.kind != INSTRUCTION_PUSH)
		return 0;
	return add_if_code(ret, code, address);
}

/* first: the first entry is not called, but jumped to by the others. */
static int add_linkage_table(struct function_list *ret, struct code *code,
			     const Elf64_Shdr *section, bool first)
{
	uint64_t size = section->sh_entsize == 8 ? 8 : 16;
	uint64_t count = section->sh_size / size;
	int r = 0;

	for (uint64_t n = first; n < count && n < MAX_LINKAGE_ENTRIES && r == 0; n++)
		r = add_linkage(ret, code, section->sh_addr + n * size);
	return r;
}

static int add_by_sections(struct function_list *ret, struct code *code,
			   const struct section_table *sections)
{
	int r = 0;

	for (uint32_t i = 0; i < sections->count && r == 0; i++) {
		const Elf64_Shdr *section = &sections->at[i];

		if (section->sh_type != SHT_PROGBITS || !(section->sh_flags & SHF_EXECINSTR) ||
		    section->sh_size == 0)
			continue;
		if (is_named(sections, section, ".init") || is_named(sections, section, ".fini"))
			r = add_if_code(ret, code, section->sh_addr);
		else if (is_named(sections, section, ".plt"))
			r = add_linkage_table(ret, code, section, true);
		else if (is_named(sections, section, ".plt.sec") ||
			 is_named(sections, section, ".plt.got") ||
			 is_named(sections, section, ".iplt"))
			r = add_linkage_table(ret, code, section, false);
	}
	return r;
}

int code_entries_list(struct function_list *ret, struct code *code,
		      const struct section_table *sections)
{
	int r = add_by_program_headers(ret, code);

	if (r == 0)
		r = add_symbols(ret, code, sections, SHT_SYMTAB);
	if (r == 0)
		r = add_symbols(ret, code, sections, SHT_DYNSYM);
	return r < 0 ? r : add_by_sections(ret, code, sections);
}

/* ---- pointers in data ---- */

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

uint64_t code_entries_pointer_bytes(const struct code *code, const struct section_table *sections)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < sections->count; i++)
		if (pointer_section(code->object, &sections->at[i]) != NO_POINTERS)
			bytes += sections->at[i].sh_size;
	return bytes;
}

int code_entries_list_pointers(struct function_list *ret, struct code *code,
			       const struct section_table *sections)
{
	struct pointers pointers = { .list = ret, .code = code };
	int fd = code->object->fd, r = 0;

	for (uint32_t i = 0; i < sections->count && r == 0; i++) {
		const Elf64_Shdr *section = &sections->at[i];
		enum pointer_section what = pointer_section(code->object, section);

		pointers.trust = what == CALLED_POINTERS ? FUNCTION_CERTAIN : FUNCTION_POINTER;
		if (what == RELOCATED_POINTERS)
			r = for_each(fd, section, sizeof(Elf64_Rela), take_relative, &pointers);
		else if (what != NO_POINTERS)
			r = for_each(fd, section, sizeof(uint64_t), take_words, &pointers);
	}
	return r;
}

/* ---- calls from code that has rows ---- */

/*
 * What may be an instruction with an address in it: its length, the address being its last four
 * bytes, relative to its end. 0: it is none. 7 bytes are there to be looked at.
 */
static unsigned relative_length(const unsigned char *bytes)
{
	if (bytes[0] == 0xe8 || bytes[0] == 0xe9) /* call, jmp */
		return 5;
	/* REX.W lea reg, [rip + address] */
	return (bytes[0] & 0xf8) == 0x48 && bytes[1] == 0x8d && (bytes[2] & 0xc7) == 0x05 ? 7 : 0;
}

/*
 * Whether an instruction begins at `site`, by decoding from the row before it: rows begin with
 * instructions. bytes: the code from `from` on.
 */
static bool is_instruction(uint64_t site, uint64_t row, uint64_t from, const unsigned char *bytes,
			   size_t size)
{
	uint64_t at = row < from ? from : row;
	struct instruction i;

	/* The row began in the piece before: where instructions are there, is not known. */
	if (row < from)
		return false;
	while (at < site && instruction_decode(&i, bytes + (at - from), size - (at - from), at))
		at += i.length;
	return at == site;
}

struct scan {
	struct function_list *list;
	struct code *code;
	const struct cfi_table *covered;
	uint64_t lowest, highest; /* of the code that is looked for */
	uint32_t row;		  /* the first row behind where the scan stands */
};

/* The address of the row that holds there, or UINT64_MAX where there is a gap. */
static uint64_t row_before(struct scan *scan, uint64_t address)
{
	const struct cfi_table *covered = scan->covered;
	const struct cfi_row *row;

	while (scan->row < covered->rows.count && covered->rows.at[scan->row].address <= address)
		scan->row++;
	if (scan->row == 0)
		return UINT64_MAX;
	row = &covered->rows.at[scan->row - 1];
	return row->rule.kind_and_step == RULE_NONE && row->rule.cfa_words == CFI_GAP
		       ? UINT64_MAX
		       : row->address;
}

/* Scans `size` bytes of code, of which the first `new` ones are not another piece's. */
static int scan_piece(struct scan *scan, uint64_t from, const unsigned char *bytes, size_t size,
		      size_t new)
{
	for (size_t k = 0; k + 7 <= size && k < new; k++) {
		unsigned length = relative_length(bytes + k);
		uint64_t site = from + k, to, row;
		int32_t relative;
		int r;

		if (!length)
			continue;
		memcpy(&relative, bytes + k + length - 4, sizeof(relative));
		to = site + length + (uint64_t)(int64_t)relative;
		if (to < scan->lowest || to >= scan->highest || !code_range_of(scan->code, to))
			continue;
		row = row_before(scan, site);
		if (row == UINT64_MAX || !is_instruction(site, row, from, bytes, size))
			continue;
		r = function_list_add(scan->list, to, 0,
				      bytes[k] == 0xe8 ? FUNCTION_CERTAIN : FUNCTION_TAKEN);
		if (r < 0)
			return r;
	}
	return 0;
}

int code_entries_list_called(struct function_list *ret, struct code *code,
			     const struct cfi_table *covered)
{
	enum { PIECE = 1 << 20, OVERLAP = 4096 };
	cleanup(free) unsigned char *bytes = malloc(PIECE);
	struct scan scan = { .list = ret, .code = code, .covered = covered };
	int r = 0;

	if (!bytes)
		return -ENOMEM;
	if (code->ranges.count == 0)
		return 0;
	scan.lowest = code->ranges.at[0].start;
	scan.highest = code->ranges.at[code->ranges.count - 1].end;
	for (uint32_t i = 0; i < code->extents.count && r == 0; i++) {
		const struct code_extent *extent = &code->extents.at[i];

		/* Pieces overlap, so that the row before an instruction mostly is in the same. */
		for (uint64_t at = extent->start; at < extent->end && r == 0;) {
			uint64_t left = extent->end - at;
			size_t size = left < PIECE ? left : PIECE;
			size_t new = left > PIECE ? PIECE - OVERLAP : size;

			r = fs_read_at(code->object->fd, bytes, size,
				       (off_t)(extent->file_offset + (at - extent->start)));
			if (r == 0)
				r = scan_piece(&scan, at, bytes, size, new);
			at += new;
		}
	}
	return r == -ENODATA ? 0 : r;
}

/* ---- functions of other objects that do not return ---- */

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
	r = read_names(&names, &imports.names_size, object->fd, sections, section->sh_link);
	if (r < 0 || !names)
		return r;
	imports.names = names;
	imports.symbol_count = section->sh_size / sizeof(Elf64_Sym);
	imports.no_return = no_return = calloc(1, imports.symbol_count + 1);
	if (!no_return)
		return -ENOMEM;
	r = for_each(object->fd, section, sizeof(Elf64_Sym), take_imported, &imports);
	for (uint32_t i = 0; i < sections->count && r == 0; i++)
		if (sections->at[i].sh_type == SHT_RELA && sections->at[i].sh_flags & SHF_ALLOC &&
		    sections->at[i].sh_entsize == sizeof(Elf64_Rela))
			r = for_each(object->fd, &sections->at[i], sizeof(Elf64_Rela), take_binding,
				     &imports);
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

/* ---- signal trampolines ---- */

/* "mov $15, %rax" (or %eax); "syscall": rt_sigreturn, as C libraries write it. */
static size_t sigreturn_length(const unsigned char *bytes, size_t size)
{
	static const unsigned char wide[] = { 0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05 };
	static const unsigned char narrow[] = { 0xb8, 15, 0, 0, 0, 0x0f, 0x05 };

	if (size >= sizeof(wide) && memcmp(bytes, wide, sizeof(wide)) == 0)
		return sizeof(wide);
	return size >= sizeof(narrow) && memcmp(bytes, narrow, sizeof(narrow)) == 0 ? sizeof(narrow)
										    : 0;
}

int code_entries_find_sigreturn(struct code *code,
				int (*found)(void *context, uint64_t start, uint64_t end),
				void *context)
{
	for (uint32_t i = 0; i < code->ranges.count; i++) {
		uint64_t at = code->ranges.at[i].start, end = code->ranges.at[i].end;

		while (at < end) {
			size_t size = 0, offset;
			const unsigned char *bytes = code_bytes(code, at, &size), *next;
			size_t length;
			int r;

			if (!bytes)
				break;
			next = memmem(bytes, size, "\x0f\x00\x00\x00\x0f\x05", 6);
			if (!next) {
				/* The last bytes come again with the block that follows. */
				if (size <= INSTRUCTION_MAX_BYTES)
					break;
				at += size - INSTRUCTION_MAX_BYTES;
				continue;
			}
			offset = (size_t)(next - bytes);
			at += offset + 1;
			for (size_t before = 1; before <= 3 && before <= offset; before += 2) {
				length = sigreturn_length(bytes + offset - before,
							  size - offset + before);
				r = length ? found(context, at - 1 - before,
						   at - 1 - before + length)
					   : 0;
				if (r < 0)
					return r;
			}
		}
	}
	return 0;
}
