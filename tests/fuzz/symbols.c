// SPDX-License-Identifier: Apache-2.0
/*
 * Symbol tables alone: how many symbols .symtab and .dynsym have, twelve bytes for each, and the
 * string table. What is found for an address is the smallest of the symbols that cover it.
 */
#include "elf/symbol_table.h"

#include "base/bytes.h"
#include "elf_builder.h"

enum { MAX_SYMBOLS = 24 };

struct symbols {
	Elf64_Sym at[MAX_SYMBOLS];
	uint32_t count;
};

static void take_symbols(struct symbols *ret, struct reader *reader, uint32_t count)
{
	ret->count = count % (MAX_SYMBOLS + 1);
	for (uint32_t i = 0; i < ret->count; i++) {
		uint64_t value = reader_u32(reader), size = reader_u16(reader);
		uint64_t name = reader_u16(reader);
		uint8_t type = reader_u8(reader), section = reader_u8(reader);
		uint8_t value_shift = reader_u8(reader), size_shift = reader_u8(reader);

		/* Near the beginning of the code most of the time, or anywhere. */
		ret->at[i] = (Elf64_Sym){
			.st_value = value_shift < 64 ? value << value_shift
						     : ELF_BUILDER_TEXT + value % 0x10100,
			.st_size = size_shift < 64 ? size << size_shift : size,
			.st_name = (uint32_t)name,
			.st_info = type,
			.st_shndx = section < 128 ? section % 4 : section << 8 | section,
		};
	}
}

static struct object *make_object(struct symbols tables[2], const void *names, size_t names_size)
{
	static struct elf_builder b;
	Elf64_Shdr *section;

	elf_builder_begin(&b);
	elf_builder_text(&b);
	section = elf_builder_text(&b); /* ends before it */
	section->sh_size = 0x800;
	for (unsigned i = 0; i < 2; i++) {
		section = elf_builder_section(&b, i ? ".dynsym" : ".symtab",
					      i ? SHT_DYNSYM : SHT_SYMTAB, tables[i].at,
					      tables[i].count * sizeof(Elf64_Sym));
		section->sh_entsize = sizeof(Elf64_Sym);
		section->sh_link = 5;
	}
	elf_builder_section(&b, ".strtab", SHT_STRTAB, names, names_size);
	return elf_builder_object(&b);
}

/* The part of a function's symbol that is code; size 0: it is none, or does not tell its size. */
static uint64_t function_size(const Elf64_Sym *symbol)
{
	uint64_t end = ELF_BUILDER_TEXT + ELF_BUILDER_TEXT_SIZE, size = symbol->st_size;
	unsigned type = ELF64_ST_TYPE(symbol->st_info);

	if ((type != STT_FUNC && type != STT_GNU_IFUNC) || symbol->st_shndx == SHN_UNDEF ||
	    symbol->st_name == 0 || symbol->st_value < ELF_BUILDER_BASE || symbol->st_value >= end)
		return 0;
	return size < end - symbol->st_value ? size : end - symbol->st_value;
}

static bool covers(const Elf64_Sym *symbol, uint64_t address)
{
	return address >= symbol->st_value && address - symbol->st_value < function_size(symbol);
}

static void check_name(const struct symbol_table *table, const struct symbol_extent *extent,
		       const struct symbols tables[2], const char *names, size_t names_size)
{
	struct bytes name = {};
	bool known = false;

	if (symbol_table_name(table, extent->number, &name) == 0) {
		FUZZ_CHECK(name.size > 0 && !memchr(name.at, '\0', name.size));
		for (unsigned i = 0; i < 2; i++) {
			for (uint32_t k = 0; k < tables[i].count; k++) {
				const Elf64_Sym *symbol = &tables[i].at[k];

				known = known ||
					(symbol->st_value == extent->start &&
					 symbol->st_name + name.size <= names_size &&
					 memcmp(names + symbol->st_name, name.at, name.size) == 0);
			}
		}
		FUZZ_CHECK(known);
	}
	bytes_fini(&name);
}

static void check_address(const struct symbol_table *table, const struct symbols tables[2],
			  const char *names, size_t names_size, uint64_t address)
{
	struct symbol_extent extent = {};
	bool found = symbol_table_find(table, address, &extent) == 0;

	for (unsigned i = 0; i < 2; i++) {
		for (uint32_t k = 0; k < tables[i].count; k++)
			if (covers(&tables[i].at[k], address))
				FUZZ_CHECK(found && extent.size != 0 &&
					   extent.size <= function_size(&tables[i].at[k]));
	}
	if (!found)
		return;
	FUZZ_CHECK(extent.start <= address && extent.number < symbol_table_count(table));
	if (extent.size)
		FUZZ_CHECK(address - extent.start < extent.size);
	/* Names are read from the file, which takes its time. */
	if (address == extent.start)
		check_name(table, &extent, tables, names, names_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader reader = reader_of(data, size);
	uint8_t count = reader_u8(&reader), dynamic_count = reader_u8(&reader);
	struct symbols tables[2];
	struct symbol_table *table;
	struct object *object;

	take_symbols(&tables[0], &reader, count);
	take_symbols(&tables[1], &reader, dynamic_count);
	object = make_object(tables, reader.at, reader_left(&reader));
	FUZZ_CHECK(symbol_table_new(&table, object, -1) == 0);
	for (unsigned i = 0; i < 2; i++) {
		for (uint32_t k = 0; k < tables[i].count; k++) {
			const Elf64_Sym *symbol = &tables[i].at[k];

			check_address(table, tables, (const char *)reader.at, reader_left(&reader),
				      symbol->st_value);
			check_address(table, tables, (const char *)reader.at, reader_left(&reader),
				      symbol->st_value + symbol->st_size - 1);
		}
	}
	symbol_table_free(table);
	object_unref(object);
	return 0;
}
