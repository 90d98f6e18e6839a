/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small Go programs made in memory: code at GO_TEXT, 64 bytes for each function, and data at GO_DATA
 * that begins with a table of these functions in the layout of any version.
 */
#pragma once

#include "elf/elf_image.h"
#include "elf/gopclntab.h"
#include "elf/object_file.h"

enum {
	GO_TEXT = 0x10000,
	GO_TEXT_OFFSET = 0x1000,
	GO_TEXT_BYTES = 0x4000,
	GO_DATA = 0x25000,
	GO_DATA_OFFSET = 0x5000,
	GO_DATA_BYTES = 0x7000,
	GO_MODULE = GO_DATA + 0x6000, /* runtime.moduledata */
	GO_RELOCATIONS = GO_DATA + 0x6800,
	GO_CALLS = GO_DATA + 0x6900, /* inlined ones, GO_CALLS_BYTES for each function */
	GO_BYTES = 0xc000,
	GO_FUNCTION_BYTES = 64,
	GO_CALLS_BYTES = 128,
	GO_MAX_STEPS = 6,
	GO_MAX_CALLS = 4,
	/* From the beginning of the table. */
	GO_NAMES = 0x100,
	GO_UNITS = 0x1000,
	GO_FILES = 0x1010,
	GO_VALUES = 0x1060,
	GO_FUNCTIONS = 0x2000,
	GO_LINES = 0x5000, /* functions with lines are described here, GO_LINES_BYTES for each */
	GO_LINES_BYTES = 256,
	GO_TABLE_BYTES = 0x6000,
};

/* So many bytes with this value. The last one of a table has 0 bytes. */
struct go_image_step {
	uint8_t bytes;
	int32_t value;
};

struct go_image_function {
	const char *name;
	const char *code;
	uint8_t code_bytes; /* the rest of the 64 is int3 */
	uint8_t flags;
	struct go_image_step steps[GO_MAX_STEPS]; /* bytes on the stack; none: no table */
};

/* Where a function comes from; files count from the second one of the table. */
struct go_image_lines {
	struct go_image_step files[GO_MAX_STEPS], lines[GO_MAX_STEPS];
	struct go_image_step inlined[GO_MAX_STEPS]; /* the call's number; -1: none */
	uint32_t start_line;
	struct {
		const char *name;
		uint32_t place, start_line;
	} calls[GO_MAX_CALLS];
};

/* An initialiser: the code as a string, its flags, its name. */
#define GO_FUNCTION(name_, flags_, code_, ...)                                                     \
	{                                                                                          \
		.name = name_, .code = code_, .code_bytes = sizeof(code_) - 1, .flags = flags_,    \
		.steps = {                                                                         \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

struct go_image {
	_Alignas(8) unsigned char bytes[GO_BYTES];
	uint32_t names_end, values_end; /* from the beginning of the table */
};

enum go_image_section {
	GO_NULL,
	GO_SECTION_TEXT,
	GO_SECTION_TABLE,
	GO_SECTION_MARK,
	GO_SECTION_MODULE,
	GO_SECTION_RELOCATIONS,
	GO_SECTION_NAMES,
	GO_SECTIONS
};

static inline Elf64_Ehdr *go_image_header(struct go_image *image)
{
	return (Elf64_Ehdr *)image->bytes;
}

static inline Elf64_Shdr *go_image_section(struct go_image *image, enum go_image_section number)
{
	return (Elf64_Shdr *)(image->bytes + 0x200) + number;
}

static inline unsigned char *go_image_table(struct go_image *image)
{
	return image->bytes + GO_DATA_OFFSET;
}

/* A word of the table's header behind its first eight bytes. */
static inline void go_image_put_word(struct go_image *image, unsigned number, uint64_t value)
{
	memcpy(go_image_table(image) + 8 + 8 * number, &value, sizeof(value));
}

static inline void go_image_put(unsigned char *at, uint64_t value, size_t size)
{
	memcpy(at, &value, size);
}

static inline void go_image_name_section(struct go_image *image, enum go_image_section number,
					 const char *name)
{
	char *names = (char *)image->bytes + 0x800 + 32 * number;

	strcpy(names, name);
	go_image_section(image, number)->sh_name = 32 * (uint32_t)number;
}

/* Seven bits a byte, low ones first. */
static inline size_t go_image_put_number(unsigned char *at, uint32_t number)
{
	size_t size = 0;

	for (; number >= 0x80; number >>= 7)
		at[size++] = (unsigned char)(number | 0x80);
	at[size++] = (unsigned char)number;
	return size;
}

static inline void go_image_make_elf(struct go_image *image)
{
	Elf64_Ehdr *header = go_image_header(image);
	Elf64_Phdr *segments = (Elf64_Phdr *)(image->bytes + sizeof(*header));
	static const struct {
		const char *name;
		uint32_t type;
		uint64_t address, size;
	} sections[GO_SECTIONS] = {
		[GO_SECTION_TEXT] = { ".text", SHT_PROGBITS, GO_TEXT, GO_TEXT_BYTES },
		[GO_SECTION_TABLE] = { ".gopclntab", SHT_PROGBITS, GO_DATA, GO_TABLE_BYTES },
		[GO_SECTION_MARK] = { ".go.buildinfo", SHT_PROGBITS, GO_MODULE + 0x400, 32 },
		[GO_SECTION_MODULE] = { ".go.module", SHT_PROGBITS, GO_MODULE, 0x400 },
		[GO_SECTION_RELOCATIONS] = { ".rela.dyn", SHT_RELA, GO_RELOCATIONS, 0x100 },
		[GO_SECTION_NAMES] = { ".shstrtab", SHT_STRTAB, 0, 0 },
	};

	memcpy(header->e_ident, ELFMAG, SELFMAG);
	header->e_ident[EI_CLASS] = ELFCLASS64;
	header->e_ident[EI_DATA] = ELFDATA2LSB;
	header->e_ident[EI_VERSION] = EV_CURRENT;
	header->e_type = ET_DYN;
	header->e_machine = EM_X86_64;
	header->e_phoff = sizeof(*header);
	header->e_phentsize = sizeof(Elf64_Phdr);
	header->e_phnum = 2;
	header->e_shoff = 0x200;
	header->e_shentsize = sizeof(Elf64_Shdr);
	header->e_shnum = GO_SECTIONS;
	header->e_shstrndx = GO_SECTION_NAMES;
	segments[0] = (Elf64_Phdr){ .p_type = PT_LOAD,
				    .p_flags = PF_R | PF_X,
				    .p_offset = GO_TEXT_OFFSET,
				    .p_vaddr = GO_TEXT,
				    .p_filesz = GO_TEXT_BYTES,
				    .p_memsz = GO_TEXT_BYTES };
	segments[1] = (Elf64_Phdr){ .p_type = PT_LOAD,
				    .p_flags = PF_R | PF_W,
				    .p_offset = GO_DATA_OFFSET,
				    .p_vaddr = GO_DATA,
				    .p_filesz = GO_DATA_BYTES,
				    .p_memsz = GO_DATA_BYTES };
	for (unsigned i = 1; i < GO_SECTIONS; i++) {
		*go_image_section(image, i) = (Elf64_Shdr){
			.sh_type = sections[i].type,
			.sh_flags = SHF_ALLOC,
			.sh_addr = sections[i].address,
			.sh_offset = i == GO_SECTION_TEXT
					     ? GO_TEXT_OFFSET
					     : sections[i].address - GO_DATA + GO_DATA_OFFSET,
			.sh_size = sections[i].size,
		};
		go_image_name_section(image, i, sections[i].name);
	}
	go_image_section(image, GO_SECTION_NAMES)->sh_offset = 0x800;
	go_image_section(image, GO_SECTION_NAMES)->sh_size = 32 * GO_SECTIONS;
}

static inline uint32_t go_image_add_values(struct go_image *image,
					   const struct go_image_step steps[GO_MAX_STEPS])
{
	unsigned char *table = go_image_table(image);
	uint32_t begin = image->values_end, value = (uint32_t)-1;

	for (unsigned i = 0; i < GO_MAX_STEPS && steps[i].bytes; i++) {
		int32_t change = (int32_t)((uint32_t)steps[i].value - value);
		uint32_t coded = change < 0 ? ~((uint32_t)change << 1) : (uint32_t)change << 1;

		value = (uint32_t)steps[i].value;
		image->values_end += go_image_put_number(table + image->values_end, coded);
		image->values_end += go_image_put_number(table + image->values_end, steps[i].bytes);
	}
	image->values_end++;
	return steps[0].bytes ? begin : GO_VALUES;
}

/* Where a function is described, from the beginning of the table. */
static inline uint32_t go_image_description(unsigned count, unsigned number)
{
	return GO_FUNCTIONS + 16 * (count + 1) + 48 * number;
}

/* With the place of the code in the header, where the version has a field for it. */
static inline void go_image_make(struct go_image *image, uint32_t magic,
				 const struct go_image_function *functions, unsigned count)
{
	unsigned char *table = go_image_table(image);
	bool old = magic == GOPCLNTAB_1_16;
	unsigned width = old ? 8 : 4, word = 0;
	static const unsigned char rest[] = { 0, 0, 1, 8 };

	*image = (struct go_image){ .names_end = GO_NAMES + 1, .values_end = GO_VALUES + 1 };
	go_image_make_elf(image);
	memset(image->bytes + GO_TEXT_OFFSET, 0xcc, GO_TEXT_BYTES);
	memcpy(table, &magic, sizeof(magic));
	memcpy(table + 4, rest, sizeof(rest));
	go_image_put_word(image, word++, count);
	go_image_put_word(image, word++, 0);
	if (!old)
		go_image_put_word(image, word++, GO_TEXT);
	go_image_put_word(image, word++, GO_NAMES);
	go_image_put_word(image, word++, GO_UNITS);
	go_image_put_word(image, word++, GO_FILES);
	go_image_put_word(image, word++, GO_VALUES);
	go_image_put_word(image, word++, GO_FUNCTIONS);
	for (unsigned i = 0; i <= count; i++) {
		unsigned char *entry = table + GO_FUNCTIONS + 2 * width * i;

		go_image_put(entry, GO_FUNCTION_BYTES * i + (old ? GO_TEXT : 0), width);
		if (i < count)
			go_image_put(entry + width, go_image_description(count, i) - GO_FUNCTIONS,
				     width);
	}
	for (unsigned i = 0; i < count; i++) {
		unsigned char *at = table + go_image_description(count, i);

		memcpy(image->bytes + GO_TEXT_OFFSET + GO_FUNCTION_BYTES * i, functions[i].code,
		       functions[i].code_bytes);
		go_image_put(at, GO_FUNCTION_BYTES * i + (old ? GO_TEXT : 0), width);
		at += width;
		go_image_put(at, image->names_end - GO_NAMES, 4);
		go_image_put(at + 12, go_image_add_values(image, functions[i].steps) - GO_VALUES,
			     4);
		/* funcID, flag, padding, count of funcdata */
		at += magic == GOPCLNTAB_1_20 ? 36 : 32;
		at[1] = functions[i].flags;
		strcpy((char *)table + image->names_end, functions[i].name);
		image->names_end += (uint32_t)strlen(functions[i].name) + 1;
	}
}

/* Words of runtime.moduledata that tell where GO_CALLS is. */
static inline void go_image_put_module(struct go_image *image, unsigned data_word)
{
	unsigned char *module = image->bytes + GO_DATA_OFFSET + (GO_MODULE - GO_DATA);

	go_image_put(module, GO_DATA, 8);
	go_image_put(module + 8, GO_DATA + GO_NAMES, 8);
	go_image_put(module + 22 * 8, GO_TEXT, 8);
	/* Types; in Go 1.27 where they end, else read-only data. */
	go_image_put(module + 37 * 8, GO_DATA, 8);
	go_image_put(module + 39 * 8, data_word == 43 ? GO_DATA + 1 : GO_DATA, 8);
	go_image_put(module + data_word * 8, GO_CALLS, 8);
}

/* Gives one of `count` functions its lines. Two files: "/src/main.go", "/src/other.go". */
static inline void go_image_add_lines(struct go_image *image, uint32_t magic, unsigned count,
				      unsigned number, const struct go_image_lines *lines)
{
	static const char files[] = "\0/src/main.go\0/src/other.go";
	unsigned char *table = go_image_table(image);
	unsigned char *calls =
		image->bytes + GO_DATA_OFFSET + (GO_CALLS - GO_DATA) + GO_CALLS_BYTES * number;
	bool old = magic == GOPCLNTAB_1_16, is_new = magic == GOPCLNTAB_1_20;
	unsigned width = old ? 8 : 4, description = GO_LINES + GO_LINES_BYTES * number;
	unsigned char *at = table + description, *fields = at + width, *behind;

	memcpy(table + GO_FILES, files, sizeof(files));
	go_image_put(table + GO_UNITS, UINT32_MAX, 4);
	go_image_put(table + GO_UNITS + 4, 1, 4);
	go_image_put(table + GO_UNITS + 8, 14, 4);
	go_image_put(table + GO_UNITS + 12, UINT32_MAX, 4);
	memcpy(at, table + go_image_description(count, number), 48);
	go_image_put(table + GO_FUNCTIONS + 2 * width * number + width, description - GO_FUNCTIONS,
		     width);
	go_image_put(fields + 16, go_image_add_values(image, lines->files) - GO_VALUES, 4);
	go_image_put(fields + 20, go_image_add_values(image, lines->lines) - GO_VALUES, 4);
	go_image_put(fields + 24, 3, 4);
	go_image_put(fields + 28, 1, 4);
	if (is_new)
		go_image_put(fields + 32, lines->start_line, 4);
	behind = fields + (is_new ? 40 : 36);
	behind[-1] = 4;
	go_image_put(behind + 8, go_image_add_values(image, lines->inlined) - GO_VALUES, 4);
	behind += 12;
	if (old && (behind - table) % 8)
		behind += 4;
	if (old)
		go_image_put(behind + 24, GO_CALLS + GO_CALLS_BYTES * number, 8);
	else
		go_image_put(behind + 12, GO_CALLS_BYTES * number, 4);
	for (unsigned i = 0; i < GO_MAX_CALLS && lines->calls[i].name;
	     i++, calls += is_new ? 16 : 20) {
		go_image_put(calls + (is_new ? 4 : 12), image->names_end - GO_NAMES, 4);
		go_image_put(calls + (is_new ? 8 : 16), lines->calls[i].place, 4);
		if (is_new)
			go_image_put(calls + 12, lines->calls[i].start_line, 4);
		strcpy((char *)table + image->names_end, lines->calls[i].name);
		image->names_end += (uint32_t)strlen(lines->calls[i].name) + 1;
	}
}

/* The object, or NULL when it is none. To be freed by object_unref. */
static inline struct object *go_image_open(const struct go_image *image)
{
	struct object *object = NULL;

	return object_open(&object, image_file(image, sizeof(image->bytes)), "/go") == 0 ? object
											 : NULL;
}
