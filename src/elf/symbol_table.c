// SPDX-License-Identifier: Apache-2.0
/*
 * `entries` is sorted by address, `ranges` says for every address which group of entries (same
 * address, same size: aliases) is the smallest that covers it. Both count addresses from `base`,
 * so that 32 bits do: executable segments that span more than 4 GiB do not exist on any of our
 * architectures' code models. Every entry lies inside an executable segment of the object.
 */
#include "elf/symbol_table.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "elf/debug_file.h"
#include "elf/sections.h"
#include "elf/spans.h"
#include "elf/symbol_name.h"

enum {
	CHUNK_SYMBOLS = 2048,
	/* 40 MB; the largest browsers have 1.5 million functions. */
	MAX_ENTRIES = 2 << 20,
	/* Functions and others. A file of zeros costs nothing and may be as large as it likes. */
	MAX_SYMBOLS = 16 << 20,
	SIZE_BITS = 27,
	MAX_SIZE = (1 << SIZE_BITS) - 1,
	/* C++ names of 4 KiB exist; what is longer is cut. */
	MAX_NAME_BYTES = 16384,
	/* Identical functions that the linker folded can be thousands; any few of them will do. */
	MAX_ALIASES = 64,
};

/* In order of preference: full tables first. */
enum source { SOURCE_SYMTAB, SOURCE_DYNSYM, SOURCE_DEBUGDATA, SOURCE_COUNT };

/* A string table in a file that stays open. */
struct names {
	int fd; /* borrowed from the object, or one of table->own_fds */
	uint64_t offset, size;
};

struct entry {
	uint32_t address; /* from base */
	uint32_t name;	  /* offset in its source's string table */
	uint32_t size : SIZE_BITS;
	uint32_t open : 1; /* no size of its own: `size` is what is left of the section */
	uint32_t source : 2;
	uint32_t binding : 2; /* enum symbol_binding */
};
_Static_assert(sizeof(struct entry) == 12, "hundreds of thousands of them stay in memory");

struct range {
	uint32_t address; /* from base */
	uint32_t first;	  /* entry that begins the group, or SPAN_NONE */
};

struct symbol_table {
	uint64_t base;
	ARRAY_OF(struct entry) entries;
	ARRAY_OF(struct range) ranges;
	struct names names[SOURCE_COUNT];
	struct object *object;
	int own_fds[SOURCE_COUNT]; /* debug file, unpacked .gnu_debugdata; -1: none */
};

static enum symbol_binding binding_of(const Elf64_Sym *symbol)
{
	switch (ELF64_ST_BIND(symbol->st_info)) {
	case STB_LOCAL:
		return SYMBOL_LOCAL;
	case STB_WEAK:
		return SYMBOL_WEAK;
	default:
		return SYMBOL_GLOBAL; /* STB_GNU_UNIQUE too */
	}
}

/*
 * Whether a symbol names code. section: the one it is defined in, NULL when unknown. Symbols
 * without a type are what assembly leaves behind: functions when they have a size or are exported
 * (musl's _start), else mere labels.
 */
static bool names_code(const Elf64_Sym *symbol, const Elf64_Shdr *section)
{
	unsigned type = ELF64_ST_TYPE(symbol->st_info);

	if (symbol->st_shndx == SHN_UNDEF || symbol->st_name == 0)
		return false;
	if (type == STT_FUNC || type == STT_GNU_IFUNC)
		return true;
	return type == STT_NOTYPE && section && (section->sh_flags & SHF_EXECINSTR) &&
	       (symbol->st_size > 0 || binding_of(symbol) != SYMBOL_LOCAL);
}

static int add_symbol(struct symbol_table *table, const Elf64_Sym *symbol, enum source source,
		      const struct section_table *sections)
{
	const Elf64_Shdr *section = section_table_at(sections, symbol->st_shndx);
	const struct object_segment *segment;
	uint64_t end, size = symbol->st_size;
	struct entry *entry;

	if (!names_code(symbol, section))
		return 0;
	segment = object_segment_of(table->object, symbol->st_value);
	if (!segment || symbol->st_value - table->base > UINT32_MAX - MAX_SIZE)
		return 0;
	end = segment->address + segment->memory_size;
	if (size == 0 && section && symbol->st_value >= section->sh_addr &&
	    symbol->st_value - section->sh_addr <= section->sh_size) {
		uint64_t left = section->sh_size - (symbol->st_value - section->sh_addr);

		if (left < end - symbol->st_value)
			end = symbol->st_value + left;
	}
	/* A label at the very end of a section (_etext) covers nothing. */
	if (end == symbol->st_value)
		return 0;
	if (size == 0 || size > end - symbol->st_value)
		size = end - symbol->st_value;
	if (table->entries.count >= MAX_ENTRIES)
		return -E2BIG;
	entry = array_push(&table->entries);
	if (!entry)
		return -ENOMEM;
	*entry = (struct entry){
		.address = (uint32_t)(symbol->st_value - table->base),
		.name = symbol->st_name,
		.size = size < MAX_SIZE ? (uint32_t)size : MAX_SIZE,
		.open = symbol->st_size == 0,
		.source = source,
		.binding = binding_of(symbol),
	};
	return 0;
}

/* Adds the functions of the section of this type. Returns how many there were, or -errno. */
static int64_t add_symbols(struct symbol_table *table, enum source source, int fd,
			   const struct section_table *sections, uint32_t section_type)
{
	const Elf64_Shdr *section = section_table_find(sections, section_type, NULL);
	const Elf64_Shdr *names = section ? section_table_at(sections, section->sh_link) : NULL;
	cleanup(free) Elf64_Sym *chunk = NULL;
	uint32_t before = table->entries.count;
	uint64_t count;

	if (!names || names->sh_type != SHT_STRTAB || section->sh_entsize != sizeof(Elf64_Sym))
		return 0;
	chunk = malloc(CHUNK_SYMBOLS * sizeof(*chunk));
	if (!chunk)
		return -ENOMEM;
	table->names[source] = (struct names){ fd, names->sh_offset, names->sh_size };
	count = section->sh_size / sizeof(Elf64_Sym);
	if (count > MAX_SYMBOLS)
		count = MAX_SYMBOLS;
	for (uint64_t done = 0; done < count;) {
		uint64_t some = count - done < CHUNK_SYMBOLS ? count - done : CHUNK_SYMBOLS;
		int r = fs_read_at(fd, chunk, some * sizeof(*chunk),
				   (off_t)(section->sh_offset + done * sizeof(*chunk)));

		for (uint64_t i = 0; i < some && r == 0; i++)
			r = add_symbol(table, &chunk[i], source, sections);
		if (r == -E2BIG || r == -ENODATA)
			break; /* what is there is still good */
		if (r < 0)
			return r;
		done += some;
	}
	return table->entries.count - before;
}

/* The same from another file, which the table keeps open. Returns as add_symbols. */
static int64_t add_file(struct symbol_table *table, enum source source, int fd)
{
	cleanup(section_table_fini) struct section_table sections = {};
	int r = section_table_read(&sections, fd);

	table->own_fds[source] = fd;
	return r < 0 ? r : add_symbols(table, source, fd, &sections, SHT_SYMTAB);
}

/* debug_file: consumed; -1: none */
static int read_symbols(struct symbol_table *table, int debug_file)
{
	cleanup(section_table_fini) struct section_table sections = {};
	cleanup(close) int debug_fd = debug_file;
	int fd = table->object->fd, other = section_table_read(&sections, fd);
	int64_t count;

	if (other < 0)
		return other;
	count = add_symbols(table, SOURCE_SYMTAB, fd, &sections, SHT_SYMTAB);
	if (count == 0) {
		other = TAKE_FD(debug_fd);
		count = other >= 0 ? add_file(table, SOURCE_SYMTAB, other) : 0;
	}
	/* What is wrong with a file that only adds names does not take the others away. */
	if (count == 0 && other != -ENOMEM) {
		other = debug_file_unpack(table->object, &sections);
		if (other >= 0)
			count = add_file(table, SOURCE_DEBUGDATA, other);
	}
	if (count >= 0 && other != -ENOMEM)
		count = add_symbols(table, SOURCE_DYNSYM, fd, &sections, SHT_DYNSYM);
	if (other == -ENOMEM)
		return other;
	return count < 0 ? (int)count : 0;
}

static int compare_entries(const void *a_, const void *b_)
{
	const struct entry *a = a_, *b = b_;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	if (a->open != b->open)
		return a->open ? 1 : -1;
	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	if (a->source != b->source)
		return a->source < b->source ? -1 : 1;
	/* So that an alias which the search for the best name leaves out is a worse one. */
	if (a->binding != b->binding)
		return a->binding > b->binding ? -1 : 1;
	return (a->name > b->name) - (a->name < b->name);
}

static bool same_extent(const struct entry *a, const struct entry *b)
{
	return a->address == b->address && a->size == b->size && a->open == b->open;
}

/*
 * Sorts by radix on the address, then each run of equal addresses by comparison: most runs are one
 * or two long, and a plain qsort of node's 160 000 symbols takes longer than all the rest.
 */
static int sort_entries(struct symbol_table *table)
{
	enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };
	uint32_t count = table->entries.count;
	struct entry *from = table->entries.at;
	cleanup(free) struct entry *spare = malloc((count + 1ULL) * sizeof(*spare));
	struct entry *to = spare;

	if (!spare)
		return -ENOMEM;
	for (unsigned shift = 0; shift < 32; shift += DIGIT_BITS) {
		uint32_t places[DIGITS] = {}, place = 0;
		struct entry *swap = from;

		for (uint32_t i = 0; i < count; i++)
			places[from[i].address >> shift & (DIGITS - 1)]++;
		for (unsigned digit = 0; digit < DIGITS; digit++) {
			uint32_t size = places[digit];

			places[digit] = place;
			place += size;
		}
		for (uint32_t i = 0; i < count; i++)
			to[places[from[i].address >> shift & (DIGITS - 1)]++] = from[i];
		from = to;
		to = swap;
	}
	/* Three passes: the result is in the spare array. */
	if (count)
		memcpy(to, from, count * sizeof(*to));
	for (uint32_t i = 0, end; i < count; i = end) {
		for (end = i + 1; end < count && to[end].address == to[i].address;)
			end++;
		if (end - i > 1)
			qsort(&to[i], end - i, sizeof(*to), compare_entries);
	}
	return 0;
}

/* Of entries with the same extent, keeps those of the best source: .symtab repeats .dynsym. */
static void drop_repeated(struct symbol_table *table)
{
	struct entry *entries = table->entries.at;
	uint32_t kept = 0, first = 0;

	for (uint32_t i = 0; i < table->entries.count; i++) {
		if (kept && same_extent(&entries[first], &entries[i])) {
			if (entries[first].source != entries[i].source)
				continue;
		} else {
			first = kept;
		}
		entries[kept++] = entries[i];
	}
	table->entries.count = kept;
}

struct flattening {
	struct symbol_table *table;
	uint64_t covered; /* end of the furthest symbol with a size, among those seen */
};

static void get_span(void *context, uint32_t number, struct span *ret)
{
	struct flattening *flattening = context;
	const struct symbol_table *table = flattening->table;
	const struct entry *entry = &table->entries.at[number];
	uint64_t end = (uint64_t)entry->address + entry->size;

	*ret = (struct span){
		.start = entry->address, .end = end, .priority = entry->size, .value = number
	};
	if (number > 0 && entry[-1].address == entry->address &&
	    (same_extent(entry - 1, entry) || (entry[-1].open && entry->open))) {
		ret->end = ret->start; /* the group's first entry stands for it */
	} else if (entry->open) {
		uint32_t next = number + 1;

		while (next < table->entries.count &&
		       table->entries.at[next].address == entry->address)
			next++;
		if (next < table->entries.count && table->entries.at[next].address < end)
			ret->end = table->entries.at[next].address;
		/* A label inside of a function does not go on after it. */
		if (flattening->covered > entry->address)
			ret->end = ret->start;
		ret->priority += UINT64_C(1) << 32;
	} else if (end > flattening->covered) {
		flattening->covered = end;
	}
}

static int add_range(void *context, uint64_t start, uint32_t first)
{
	struct symbol_table *table = ((struct flattening *)context)->table;
	struct range *range = array_push(&table->ranges);

	if (!range)
		return -ENOMEM;
	/* No entry begins above UINT32_MAX - MAX_SIZE, so no end is above UINT32_MAX. */
	*range = (struct range){ (uint32_t)start, first };
	return 0;
}

/* Gives back what growing by doubling left over; failing to is no harm. */
static void trim(void **at, uint32_t *capacity, uint32_t count, size_t size)
{
	void *trimmed = count ? realloc(*at, count * size) : NULL;

	if (trimmed) {
		*at = trimmed;
		*capacity = count;
	}
}

int symbol_table_new(struct symbol_table **ret, struct object *object, int debug_file)
{
	cleanup(close) int debug_fd = debug_file;
	cleanup(symbol_table_free) struct symbol_table *table = calloc(1, sizeof(*table));
	struct flattening flattening = { .table = table };
	int r;

	if (!table)
		return -ENOMEM;
	for (unsigned i = 0; i < SOURCE_COUNT; i++)
		table->own_fds[i] = -1;
	table->object = object_ref(object);
	table->base = UINT64_MAX;
	for (uint32_t i = 0; i < object->segments.count; i++) {
		const struct object_segment *segment = &object->segments.at[i];

		if (segment->executable && segment->address < table->base)
			table->base = segment->address;
	}
	r = read_symbols(table, TAKE_FD(debug_fd));
	if (r < 0)
		return r;
	r = sort_entries(table);
	if (r < 0)
		return r;
	drop_repeated(table);
	r = spans_flatten(table->entries.count, get_span, add_range, &flattening);
	if (r < 0)
		return r;
	trim((void **)&table->entries.at, &table->entries.capacity, table->entries.count,
	     sizeof(struct entry));
	trim((void **)&table->ranges.at, &table->ranges.capacity, table->ranges.count,
	     sizeof(struct range));
	*ret = TAKE_PTR(table);
	return 0;
}

void symbol_table_free(struct symbol_table *table)
{
	if (!table)
		return;
	for (unsigned i = 0; i < SOURCE_COUNT; i++) {
		if (i == SOURCE_DEBUGDATA)
			debug_file_close_unpacked(table->own_fds[i]);
		else if (table->own_fds[i] >= 0)
			(void)close(table->own_fds[i]);
	}
	object_unref(table->object);
	array_fini(&table->entries);
	array_fini(&table->ranges);
	free(table);
}

uint32_t symbol_table_count(const struct symbol_table *table)
{
	return table->entries.count;
}

/* The last range at or below an address; NULL: there is none. */
static const struct range *range_at(const struct symbol_table *table, uint64_t address)
{
	uint64_t wanted = address - table->base;
	const struct range *low = table->ranges.at;
	uint32_t count = table->ranges.count;

	if (address < table->base || wanted > UINT32_MAX || count == 0 || low->address > wanted)
		return NULL;
	/* A conditional move instead of a branch that guesses wrong. */
	while (count > 1) {
		uint32_t half = count / 2;

		low = low[half].address <= wanted ? low + half : low;
		count -= half;
	}
	return low;
}

int symbol_table_find(const struct symbol_table *table, uint64_t address, struct symbol_extent *ret)
{
	const struct range *range = range_at(table, address);
	const struct entry *entry;

	if (!range || range->first == SPAN_NONE)
		return -ENOENT;
	entry = &table->entries.at[range->first];
	ret->start = table->base + entry->address;
	ret->size = entry->open ? 0 : entry->size;
	ret->number = range->first;
	return 0;
}

uint64_t symbol_table_same_until(const struct symbol_table *table, uint64_t address)
{
	const struct range *range = range_at(table, address);

	if (!range)
		return address + 1;
	range++;
	return range < table->ranges.at + table->ranges.count ? table->base + range->address
							       : address + 1;
}

/* Reads the name of one entry into buffer. Returns 0, -ENOENT when it has none, or -errno. */
static int read_name(const struct symbol_table *table, const struct entry *entry,
		     char buffer[MAX_NAME_BYTES + 1])
{
	const struct names *names = &table->names[entry->source];
	size_t size = 256, left;
	char *version;

	if (entry->name >= names->size)
		return -ENOENT;
	left = names->size - entry->name;
	for (;; size *= 4) {
		size_t some = size < left ? size : left;
		int r;

		if (some > MAX_NAME_BYTES)
			some = MAX_NAME_BYTES;
		r = fs_read_at(names->fd, buffer, some, (off_t)(names->offset + entry->name));
		if (r < 0)
			return r == -ENODATA ? -ENOENT : r;
		buffer[some] = '\0';
		if (some < size || memchr(buffer, '\0', some))
			break;
	}
	if (buffer[0] == '\0')
		return -ENOENT;
	/* Microsoft's mangling begins with a question mark and is full of these. */
	version = buffer[0] == '?' ? NULL : strchr(buffer + 1, '@');
	if (version)
		*version = '\0';
	return 0;
}

int symbol_table_name(const struct symbol_table *table, uint32_t number, struct bytes *ret)
{
	const struct entry *first = &table->entries.at[number];
	cleanup(free) char *names = malloc(2 * (MAX_NAME_BYTES + 1));
	char *best = names, *other = names + MAX_NAME_BYTES + 1;
	enum symbol_binding binding = SYMBOL_LOCAL;
	bool found = false;
	uint32_t left = table->entries.count - number;

	if (!names)
		return -ENOMEM;
	for (uint32_t i = 0; i < left && i < MAX_ALIASES && same_extent(first, first + i); i++) {
		int r = read_name(table, first + i, other);

		if (r < 0 && r != -ENOENT)
			return r;
		if (r == 0 &&
		    (!found || symbol_name_preferred(other, first[i].binding, best, binding))) {
			char *swap = best;

			best = other;
			other = swap;
			binding = first[i].binding;
			found = true;
		}
	}
	if (!found)
		return -ENOENT;
	bytes_add_str(ret, best);
	return ret->failed ? -ENOMEM : 0;
}
