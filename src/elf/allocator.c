// SPDX-License-Identifier: Apache-2.0
/*
 * By the names of functions: those of the C library, which others (jemalloc, tcmalloc, mimalloc) define
 * in its place, and those with a prefix, where an allocator is built into a program beside it.
 *
 * A function that does its work by calling another one of them must not be counted twice. Which one
 * does is read from its code. Taking a block back twice does no harm: of those functions each is probed.
 */
#include "elf/allocator.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "elf/function_starts.h"
#include "elf/instruction.h"
#include "elf/probe_site.h"
#include "elf/section_data.h"
#include "elf/sections.h"

enum {
	MAX_POINTERS = 4096,	    /* that relocations set */
	MAX_FUNCTION_BYTES = 65536, /* of code that is looked through */
	HELPER_BYTES = 768,
	MAX_HELPERS = 64, /* that one function calls */
};

enum { ARGUMENT_NONE = REGISTER_NONE };

enum known_flags {
	ONLY_PREFIXED = 1, /* without it the name may be anything's */
	MAY_THROW = 2,
};

static const struct known_function {
	const char *name;
	enum allocation_function function;
	uint8_t size, other, result; /* registers at the entry, see struct allocation_site */
	uint8_t flags;		     /* enum known_flags */
} known_functions[] = {
#define ALLOCATES(name, function, ...)                                                             \
	{                                                                                          \
		name, ALLOCATION_##function, __VA_ARGS__                                           \
	}
#define RELEASES(name, function, flags)                                                            \
	ALLOCATES(name, function, REGISTER_DI, ARGUMENT_NONE, ARGUMENT_NONE, flags)
#define CREATES(name, flags) RELEASES(name, NEW, flags)
	ALLOCATES("malloc", MALLOC, REGISTER_DI, ARGUMENT_NONE, ARGUMENT_NONE, 0),
	ALLOCATES("calloc", CALLOC, REGISTER_SI, REGISTER_DI, ARGUMENT_NONE, 0),
	ALLOCATES("realloc", REALLOC, REGISTER_SI, REGISTER_DI, ARGUMENT_NONE, 0),
	ALLOCATES("memalign", MEMALIGN, REGISTER_SI, REGISTER_DI, ARGUMENT_NONE, 0),
	ALLOCATES("aligned_alloc", ALIGNED_ALLOC, REGISTER_SI, REGISTER_DI, ARGUMENT_NONE, 0),
	ALLOCATES("posix_memalign", POSIX_MEMALIGN, REGISTER_DX, REGISTER_SI, REGISTER_DI, 0),
	ALLOCATES("valloc", VALLOC, REGISTER_DI, ARGUMENT_NONE, ARGUMENT_NONE, 0),
	ALLOCATES("mallocx", MALLOCX, REGISTER_DI, ARGUMENT_NONE, ARGUMENT_NONE, 0),
	ALLOCATES("rallocx", RALLOCX, REGISTER_SI, REGISTER_DI, ARGUMENT_NONE, 0),
	CREATES("_Znwm", MAY_THROW),
	CREATES("_Znam", MAY_THROW),
	CREATES("_ZnwmRKSt9nothrow_t", 0),
	CREATES("_ZnamRKSt9nothrow_t", 0),
	CREATES("_ZnwmSt11align_val_t", MAY_THROW),
	CREATES("_ZnamSt11align_val_t", MAY_THROW),
	CREATES("_ZnwmSt11align_val_tRKSt9nothrow_t", 0),
	CREATES("_ZnamSt11align_val_tRKSt9nothrow_t", 0),
	RELEASES("free", FREE, 0),
	RELEASES("cfree", FREE, 0),
	RELEASES("free_sized", FREE, 0),
	RELEASES("free_aligned_sized", FREE, 0),
	RELEASES("dallocx", FREE, 0),
	RELEASES("sdallocx", FREE, 0),
	RELEASES("free_size", FREE, ONLY_PREFIXED),
	RELEASES("free_size_aligned", FREE, ONLY_PREFIXED),
	RELEASES("free_aligned", FREE, ONLY_PREFIXED),
	RELEASES("_ZdlPv", DELETE, 0),
	RELEASES("_ZdaPv", DELETE, 0),
	RELEASES("_ZdlPvm", DELETE, 0),
	RELEASES("_ZdaPvm", DELETE, 0),
	RELEASES("_ZdlPvRKSt9nothrow_t", DELETE, 0),
	RELEASES("_ZdaPvRKSt9nothrow_t", DELETE, 0),
	RELEASES("_ZdlPvSt11align_val_t", DELETE, 0),
	RELEASES("_ZdaPvSt11align_val_t", DELETE, 0),
	RELEASES("_ZdlPvmSt11align_val_t", DELETE, 0),
	RELEASES("_ZdaPvmSt11align_val_t", DELETE, 0),
	RELEASES("_ZdlPvSt11align_val_tRKSt9nothrow_t", DELETE, 0),
	RELEASES("_ZdaPvSt11align_val_tRKSt9nothrow_t", DELETE, 0),
	RELEASES("delete", DELETE, ONLY_PREFIXED),
	RELEASES("deletearray", DELETE, ONLY_PREFIXED),
	RELEASES("delete_sized", DELETE, ONLY_PREFIXED),
	RELEASES("deletearray_sized", DELETE, ONLY_PREFIXED),
	RELEASES("delete_nothrow", DELETE, ONLY_PREFIXED),
	RELEASES("deletearray_nothrow", DELETE, ONLY_PREFIXED),
	RELEASES("delete_aligned", DELETE, ONLY_PREFIXED),
	RELEASES("deletearray_aligned", DELETE, ONLY_PREFIXED),
	RELEASES("delete_sized_aligned", DELETE, ONLY_PREFIXED),
	RELEASES("deletearray_sized_aligned", DELETE, ONLY_PREFIXED),
#undef CREATES
#undef RELEASES
#undef ALLOCATES
};

/* jemalloc, the same as Rust's crates build it, tcmalloc, mimalloc. */
static const char *const prefixes[] = { "je_", "_rjem_", "tc_", "mi_" };

/* Returns whether it is one; *ret_prefixed: with a prefix. */
static const struct known_function *find_function(const char *name, bool *ret_prefixed)
{
	*ret_prefixed = false;
	for (unsigned i = 0; i < ARRAY_SIZE(prefixes); i++) {
		size_t length = strlen(prefixes[i]);

		if (strncmp(name, prefixes[i], length) == 0) {
			name += length;
			*ret_prefixed = true;
			break;
		}
	}
	for (unsigned i = 0; i < ARRAY_SIZE(known_functions); i++)
		if (strcmp(name, known_functions[i].name) == 0)
			return *ret_prefixed || !(known_functions[i].flags & ONLY_PREFIXED)
				       ? &known_functions[i]
				       : NULL;
	return NULL;
}

struct defined_function {
	const struct known_function *known;
	uint64_t entry, size;
	bool prefixed;
};

/* A pointer that a relocation sets to one of the functions. */
struct function_pointer {
	uint64_t address;
	const struct known_function *known;
	bool prefixed;
};

/* A symbol of the dynamic table with one of the names, here or elsewhere. */
struct dynamic_symbol {
	uint32_t number;
	const struct known_function *known;
	bool prefixed;
};

struct scan {
	const struct object *object;
	ARRAY_OF(struct defined_function) functions;
	ARRAY_OF(struct dynamic_symbol) symbols;
	ARRAY_OF(struct function_pointer) pointers;
	/* The symbol table that is read right now. */
	const char *names;
	uint64_t names_size;
	uint32_t next_number;
	bool prefixed; /* the functions that count are those with a prefix */
	bool calls_new;
};

static void scan_fini_cleanup(struct scan *scan)
{
	array_fini(&scan->functions);
	array_fini(&scan->symbols);
	array_fini(&scan->pointers);
}

/* ---- symbols ---- */

static int add_function(struct scan *scan, const struct known_function *known, bool prefixed,
			const Elf64_Sym *symbol)
{
	struct defined_function *function;

	if (symbol->st_shndx == SHN_UNDEF || ELF64_ST_TYPE(symbol->st_info) != STT_FUNC ||
	    ELF64_ST_BIND(symbol->st_info) == STB_LOCAL ||
	    scan->functions.count >= ALLOCATION_SITES_MAX)
		return 0;
	for (uint32_t i = 0; i < scan->functions.count; i++) {
		function = &scan->functions.at[i];
		/* Of two names for the same code one counts, the plain one. */
		if (function->entry != symbol->st_value)
			continue;
		if (function->prefixed && !prefixed) {
			function->known = known;
			function->prefixed = false;
		}
		return 0;
	}
	function = array_push(&scan->functions);
	if (!function)
		return -ENOMEM;
	*function = (struct defined_function){ known, symbol->st_value, symbol->st_size, prefixed };
	return 0;
}

/* The function that a symbol stands for: by its name, or by where it is. */
static const struct known_function *function_of(const struct scan *scan, const Elf64_Sym *symbol,
						bool *ret_prefixed)
{
	if (symbol->st_shndx != SHN_UNDEF) {
		for (uint32_t i = 0; i < scan->functions.count; i++) {
			if (scan->functions.at[i].entry != symbol->st_value)
				continue;
			*ret_prefixed = scan->functions.at[i].prefixed;
			return scan->functions.at[i].known;
		}
	}
	return find_function(scan->names + symbol->st_name, ret_prefixed);
}

static int take_functions(void *context, const void *elements, size_t count, uint64_t address)
{
	struct scan *scan = context;
	int r = 0;

	(void)address;
	for (size_t i = 0; i < count && r == 0; i++) {
		const Elf64_Sym *symbol = (const Elf64_Sym *)elements + i;
		const struct known_function *known;
		bool prefixed;

		if (symbol->st_name >= scan->names_size)
			continue;
		known = find_function(scan->names + symbol->st_name, &prefixed);
		if (known)
			r = add_function(scan, known, prefixed, symbol);
	}
	return r;
}

/* When all functions are known: which numbers relocations mean them by. */
static int take_numbers(void *context, const void *elements, size_t count, uint64_t address)
{
	struct scan *scan = context;

	(void)address;
	for (size_t i = 0; i < count; i++) {
		const Elf64_Sym *symbol = (const Elf64_Sym *)elements + i;
		uint32_t number = scan->next_number++;
		const struct known_function *known;
		struct dynamic_symbol *slot;
		bool prefixed;

		if (symbol->st_name >= scan->names_size)
			continue;
		known = function_of(scan, symbol, &prefixed);
		if (!known)
			continue;
		scan->calls_new |=
			symbol->st_shndx == SHN_UNDEF && known->function == ALLOCATION_NEW;
		if (scan->symbols.count >= ALLOCATION_SLOTS_MAX)
			continue;
		slot = array_push(&scan->symbols);
		if (!slot)
			return -ENOMEM;
		*slot = (struct dynamic_symbol){ number, known, prefixed };
	}
	return 0;
}

static int read_symbols(struct scan *scan, const struct section_table *sections, uint32_t type,
			int (*take)(void *, const void *, size_t, uint64_t))
{
	const Elf64_Shdr *section = section_table_find(sections, type, NULL);
	cleanup(free) char *names = NULL;
	int r;

	if (!section || section->sh_entsize != sizeof(Elf64_Sym))
		return 0;
	r = section_read_names(&names, &scan->names_size, scan->object->fd, sections,
			       section->sh_link);
	if (r < 0 || !names)
		return r;
	scan->names = names;
	r = section_for_each(scan->object->fd, section, sizeof(Elf64_Sym), take, scan);
	scan->names = NULL;
	return r;
}

/* ---- relocations ---- */

static int take_relocations(void *context, const void *elements, size_t count, uint64_t address)
{
	struct scan *scan = context;

	(void)address;
	for (size_t i = 0; i < count; i++) {
		const Elf64_Rela *relocation = (const Elf64_Rela *)elements + i;
		uint32_t type = (uint32_t)ELF64_R_TYPE(relocation->r_info);
		uint32_t number = (uint32_t)ELF64_R_SYM(relocation->r_info);

		if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT)
			continue;
		for (uint32_t k = 0; k < scan->symbols.count; k++) {
			struct function_pointer *pointer;

			if (scan->symbols.at[k].number != number)
				continue;
			if (scan->pointers.count >= MAX_POINTERS)
				return 0;
			pointer = array_push(&scan->pointers);
			if (!pointer)
				return -ENOMEM;
			*pointer = (struct function_pointer){ relocation->r_offset,
							      scan->symbols.at[k].known,
							      scan->symbols.at[k].prefixed };
		}
	}
	return 0;
}

static int read_relocations(struct scan *scan, const struct section_table *sections)
{
	int r = 0;

	for (uint32_t i = 0; i < sections->count && scan->symbols.count && r == 0; i++) {
		const Elf64_Shdr *section = &sections->at[i];

		if (section->sh_type == SHT_RELA && section->sh_flags & SHF_ALLOC &&
		    section->sh_entsize == sizeof(Elf64_Rela))
			r = section_for_each(scan->object->fd, section, sizeof(Elf64_Rela),
					     take_relocations, scan);
	}
	return r;
}

/* ---- code ---- */

/* The code of `size` bytes at an ELF address, as far as the file has it: *ret_size, 0 for none. */
static int read_code(const struct object *object, uint64_t address, uint64_t size,
		     unsigned char **ret, size_t *ret_size)
{
	const struct object_segment *segment = object_segment_of(object, address);
	cleanup(free) unsigned char *code = NULL;
	uint64_t skipped;
	int r;

	*ret_size = 0;
	if (!segment)
		return 0;
	skipped = address - segment->address;
	if (skipped >= segment->file_size)
		return 0;
	if (size > segment->file_size - skipped)
		size = segment->file_size - skipped;
	if (size > MAX_FUNCTION_BYTES)
		size = MAX_FUNCTION_BYTES;
	code = malloc(size + 1);
	if (!code)
		return -ENOMEM;
	r = fs_read_at(object->fd, code, size, (off_t)(segment->file_offset + skipped));
	if (r < 0)
		return r == -ENODATA ? 0 : r;
	*ret_size = (size_t)size;
	*ret = TAKE_PTR(code);
	return 0;
}

static bool releases(const struct known_function *known)
{
	return allocation_function_releases(known->function);
}

static const struct defined_function *function_at(const struct scan *scan, uint64_t address)
{
	for (uint32_t i = 0; i < scan->functions.count; i++)
		if (scan->functions.at[i].entry == address)
			return &scan->functions.at[i];
	return NULL;
}

static const struct known_function *pointer_at(const struct scan *scan, uint64_t address)
{
	for (uint32_t i = 0; i < scan->pointers.count; i++)
		if (scan->pointers.at[i].address == address &&
		    scan->pointers.at[i].prefixed == scan->prefixed)
			return scan->pointers.at[i].known;
	return NULL;
}

/* Which of the functions is called by calling an address: itself, or through a linkage table. */
static const struct known_function *called_at(const struct scan *scan, uint64_t address)
{
	const struct defined_function *function = function_at(scan, address);
	cleanup(free) unsigned char *code = NULL;
	struct instruction in;
	size_t size = 0;

	if (function)
		return function->known;
	if (read_code(scan->object, address, 2 * INSTRUCTION_MAX_BYTES, &code, &size) < 0 || !code)
		return NULL;
	for (size_t at = 0, count = 0; count < 2; at += in.length, count++) {
		if (at >= size || !instruction_decode(&in, code + at, size - at, address + at))
			return NULL;
		if (in.kind == INSTRUCTION_JUMP_INDIRECT)
			return pointer_at(scan, (uint64_t)in.value);
		if (in.kind != INSTRUCTION_ENTRY)
			return NULL;
	}
	return NULL;
}

/* What the code of a function leads to. */
struct leads {
	bool calls, jumps; /* to another of the functions */
	bool turns;	   /* back to behind its entry, up to `turn_limit` */
	uint64_t turn_limit;
	uint64_t helpers[MAX_HELPERS];
	uint32_t helper_count;
};

static void note_target(struct leads *leads, const struct scan *scan, uint64_t start, uint64_t end,
			const struct instruction *in)
{
	bool is_call = in->kind == INSTRUCTION_CALL || in->kind == INSTRUCTION_CALL_INDIRECT;
	bool indirect =
		in->kind == INSTRUCTION_CALL_INDIRECT || in->kind == INSTRUCTION_JUMP_INDIRECT;
	uint64_t target = (uint64_t)in->value;
	const struct known_function *known;

	if (!indirect && target >= start && target < end) {
		leads->turns |= target > start && target <= leads->turn_limit;
		return;
	}
	known = indirect ? pointer_at(scan, target) : called_at(scan, target);
	if (known && releases(known))
		return;
	if (known) {
		leads->calls |= is_call;
		leads->jumps |= !is_call;
	} else if (!indirect && leads->helper_count < MAX_HELPERS) {
		leads->helpers[leads->helper_count++] = target;
	}
}

static int look_through(struct leads *ret, const struct scan *scan, uint64_t start, uint64_t size)
{
	cleanup(free) unsigned char *code = NULL;
	struct instruction in;
	size_t got = 0;
	int r = read_code(scan->object, start, size, &code, &got);

	if (r < 0)
		return r;
	for (size_t at = 0; at < got; at += in.length) {
		if (!instruction_decode(&in, code + at, got - at, start + at))
			break;
		switch (in.kind) {
		case INSTRUCTION_CALL:
		case INSTRUCTION_CALL_INDIRECT:
		case INSTRUCTION_JUMP:
		case INSTRUCTION_JUMP_INDIRECT:
		case INSTRUCTION_BRANCH:
			note_target(ret, scan, start, start + size, &in);
			break;
		default:
			break;
		}
	}
	return 0;
}

/* Where nothing tells how long a helper is, which a static program's exception tables often do not. */
static uint64_t size_before_next(const struct scan *scan, uint64_t start)
{
	uint64_t size = HELPER_BYTES;

	for (uint32_t i = 0; i < scan->functions.count; i++) {
		uint64_t entry = scan->functions.at[i].entry;

		if (entry > start && entry - start < size)
			size = entry - start;
	}
	return size;
}

/* Do helpers of a function, which have no names, lead to one of the functions? */
static int helpers_lead_on(bool *ret, const struct scan *scan, const struct leads *leads,
			   const struct function_starts *starts)
{
	*ret = false;
	for (uint32_t i = 0; i < leads->helper_count && !*ret; i++) {
		struct leads beyond = {};
		uint64_t start, size;
		int r = function_starts_find(starts, leads->helpers[i], &start, &size);

		if (r == -ENOENT) {
			start = leads->helpers[i];
			size = size_before_next(scan, start);
		} else if (r == 0 && start != leads->helpers[i]) {
			continue;
		}
		r = r == 0 || r == -ENOENT ? look_through(&beyond, scan, start, size) : r;
		if (r < 0)
			return r;
		*ret = beyond.calls || beyond.jumps;
	}
	return 0;
}

static bool is_aligning(enum allocation_function function)
{
	return function == ALLOCATION_MEMALIGN || function == ALLOCATION_ALIGNED_ALLOC ||
	       function == ALLOCATION_POSIX_MEMALIGN;
}

/*
 * In which cases a function leaves its work to another one. realloc has its own work for all but what
 * is malloc's; the others that name one use it always; glibc's ways to ask for an alignment share a
 * helper, which leaves to malloc what malloc aligns anyway.
 */
static int find_forwarding(struct allocation_site *site, const struct scan *scan,
			   const struct leads *leads, const struct function_starts *starts)
{
	bool lead_on;
	int r;

	if (site->function == ALLOCATION_REALLOC) {
		if (leads->jumps || leads->calls)
			site->flags |= ALLOCATION_NULL_LEADS_ON;
		return 0;
	}
	if (leads->jumps || leads->calls) {
		site->outcome = ALLOCATION_FORWARDS;
		return 0;
	}
	if (!is_aligning(site->function))
		return 0;
	r = helpers_lead_on(&lead_on, scan, leads, starts);
	if (r == 0 && lead_on)
		site->flags |= ALLOCATION_SMALL_LEADS_ON;
	return r;
}

static int make_site(struct allocation_site *ret, const struct scan *scan,
		     const struct defined_function *function, const struct function_starts *starts)
{
	const uint8_t registers[PROBE_ARGUMENTS_MAX] = { function->known->size,
							 function->known->other,
							 function->known->result };
	unsigned count = registers[1] == ARGUMENT_NONE ? 1 : 2;
	uint64_t size = function->size, start;
	cleanup(free) unsigned char *code = NULL;
	struct probe_site found = {};
	struct leads leads = {};
	size_t got = 0;
	int r;

	*ret = (struct allocation_site){ .entry = function->entry,
					 .address = function->entry,
					 .function = function->known->function,
					 .outcome = ALLOCATION_NO_SITE,
					 .size_register = REGISTER_NONE,
					 .other_register = REGISTER_NONE,
					 .result_register = REGISTER_NONE,
					 .may_throw = function->known->flags & MAY_THROW };
	r = read_code(scan->object, function->entry, ALLOCATION_PROLOGUE_BYTES, &code, &got);
	if (r < 0)
		return r;
	if (got && probe_site_find(&found, code, got, function->entry, registers, count)) {
		ret->outcome = ALLOCATION_SITE;
		ret->address = function->entry + found.offset;
		ret->size_register = found.registers[0];
		ret->other_register = count == 2 ? found.registers[1] : REGISTER_NONE;
		ret->result_register = found.registers[2];
		ret->stack_moved = found.stack_moved;
	}
	if (!size && function_starts_find(starts, function->entry, &start, &size) < 0)
		size = 0;
	leads.turn_limit = ret->address;
	r = look_through(&leads, scan, function->entry, size);
	if (r < 0)
		return r;
	/* A loop would be counted at each turn. */
	if (leads.turns)
		ret->outcome = ALLOCATION_NO_SITE;
	if (releases(function->known))
		return 0;
	return find_forwarding(ret, scan, &leads, starts);
}

/* ---- all of it ---- */

/* What has both kinds of names means the same by them: the plain ones count then. */
static void drop_other_names(struct scan *scan)
{
	uint32_t kept = 0;

	scan->prefixed = true;
	for (uint32_t i = 0; i < scan->functions.count; i++)
		if (!scan->functions.at[i].prefixed &&
		    scan->functions.at[i].known->function == ALLOCATION_MALLOC)
			scan->prefixed = false;
	for (uint32_t i = 0; i < scan->functions.count; i++)
		if (scan->functions.at[i].prefixed == scan->prefixed ||
		    releases(scan->functions.at[i].known))
			scan->functions.at[kept++] = scan->functions.at[i];
	scan->functions.count = kept;
}

static int make_sites(struct allocator *ret, const struct scan *scan)
{
	struct function_starts starts = {};
	int r = function_starts_init(&starts, scan->object);

	ret->prefixed = scan->prefixed;
	ret->calls_new = scan->calls_new;
	for (uint32_t i = 0; i < scan->functions.count && r == 0; i++) {
		struct allocation_site *site = array_push(&ret->sites);

		r = site ? make_site(site, scan, &scan->functions.at[i], &starts) : -ENOMEM;
	}
	return r;
}

static int make_slots(struct allocator *ret, const struct scan *scan)
{
	for (uint32_t i = 0; i < scan->pointers.count; i++) {
		const struct function_pointer *pointer = &scan->pointers.at[i];
		uint64_t *slot;

		if (pointer->prefixed || pointer->known->function != ALLOCATION_MALLOC ||
		    ret->slots.count >= ALLOCATION_SLOTS_MAX)
			continue;
		slot = array_push(&ret->slots);
		if (!slot)
			return -ENOMEM;
		*slot = pointer->address;
	}
	return 0;
}

int allocator_read(struct allocator *ret, const struct object *object)
{
	cleanup(section_table_fini) struct section_table sections = {};
	cleanup(allocator_fini) struct allocator allocator = {};
	cleanup(scan_fini) struct scan scan = { .object = object };
	int r;

	if (object->machine != EM_X86_64)
		return -EOPNOTSUPP;
	r = section_table_read(&sections, object->fd);
	if (r == 0)
		r = read_symbols(&scan, &sections, SHT_SYMTAB, take_functions);
	if (r == 0)
		r = read_symbols(&scan, &sections, SHT_DYNSYM, take_functions);
	if (r == 0)
		r = read_symbols(&scan, &sections, SHT_DYNSYM, take_numbers);
	if (r == 0)
		r = read_relocations(&scan, &sections);
	drop_other_names(&scan);
	if (r == 0)
		r = make_sites(&allocator, &scan);
	if (r == 0)
		r = make_slots(&allocator, &scan);
	if (r < 0)
		return r;
	*ret = allocator;
	allocator = (struct allocator){};
	return 0;
}
