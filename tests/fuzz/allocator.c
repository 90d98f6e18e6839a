// SPDX-License-Identifier: Apache-2.0
/*
 * The functions of an allocator: how many symbols and relocations, six and three bytes for each, and the
 * code. What is found is cheap, lies behind instructions of its function, and is believed when the
 * reader tells it.
 */
#include "elf/allocator.h"

#include "base/bytes.h"
#include "elf/instruction.h"
#include "elf/probe_site.h"
#include "elf_builder.h"
#include "reader/state.h"
#include "worker/answers.h"

enum { MAX_FUNCTIONS = 80, MAX_RELOCATIONS = 40 };

static const char names[] =
	"\0malloc\0calloc\0realloc\0memalign\0aligned_alloc\0posix_memalign\0valloc\0"
	"mallocx\0rallocx\0_Znwm\0_Znam\0je_malloc\0_rjem_calloc\0mi_malloc\0free";

/* The offset of the name with a number; from 20 on those with a prefix. */
static uint32_t name_at(uint8_t number)
{
	uint32_t at = 1;

	for (unsigned i = 0; i < (number < 20 ? number : number - 9u) % 15u; i++)
		at += (uint32_t)strlen(names + at) + 1;
	return at;
}

struct input {
	Elf64_Sym symbols[1 + MAX_FUNCTIONS];
	Elf64_Rela relocations[MAX_RELOCATIONS];
	uint32_t symbol_count, relocation_count;
	const unsigned char *code;
	size_t size;
};

/* code: the ELF address that it will have. */
static void take_input(struct input *ret, struct reader *reader, uint64_t code)
{
	uint8_t functions = reader_u8(reader) % (MAX_FUNCTIONS + 1);

	ret->relocation_count = reader_u8(reader) % (MAX_RELOCATIONS + 1);
	ret->symbol_count = 1;
	for (uint8_t i = 0; i < functions; i++) {
		Elf64_Sym *symbol = &ret->symbols[ret->symbol_count++];
		uint8_t flags;

		symbol->st_name = name_at(reader_u8(reader));
		symbol->st_value = code + reader_u16(reader);
		symbol->st_size = reader_u16(reader);
		flags = reader_u8(reader);
		symbol->st_shndx = flags & 1;
		symbol->st_info = ELF64_ST_INFO(flags & 4 ? STB_LOCAL : STB_GLOBAL,
						flags & 2 ? STT_OBJECT : STT_FUNC);
	}
	for (uint32_t i = 0; i < ret->relocation_count; i++) {
		ret->relocations[i].r_offset = code + reader_u16(reader);
		ret->relocations[i].r_info =
			ELF64_R_INFO(1 + reader_u8(reader) % (MAX_FUNCTIONS + 1u),
				     R_X86_64_JUMP_SLOT);
	}
	ret->size = reader_left(reader);
	ret->code = reader_take(reader, ret->size);
}

static struct object *make_object(struct reader *reader, struct input *input)
{
	static struct elf_builder b;
	Elf64_Shdr *section;
	size_t size;

	elf_builder_begin(&b);
	take_input(input, reader, ELF_BUILDER_BASE + b.size);
	size = input->size;
	(void)elf_builder_add(&b, input->code, &size);
	input->size = size;
	section = elf_builder_section(&b, ".dynsym", SHT_DYNSYM, input->symbols,
				      input->symbol_count * sizeof(Elf64_Sym));
	section->sh_entsize = sizeof(Elf64_Sym);
	section->sh_link = 3;
	section = elf_builder_section(&b, ".rela.plt", SHT_RELA, input->relocations,
				      input->relocation_count * sizeof(Elf64_Rela));
	section->sh_entsize = sizeof(Elf64_Rela);
	section->sh_flags = SHF_ALLOC;
	elf_builder_section(&b, ".dynstr", SHT_STRTAB, names, sizeof(names));
	return elf_builder_object(&b);
}

/* Each instruction up to the site is one, and the last one is emulated. */
static void check_site(const struct allocation_site *site, const struct input *input)
{
	uint64_t base = ELF_BUILDER_BASE + sizeof(struct elf_builder_head);
	struct instruction in;
	uint64_t at = site->entry;

	FUZZ_CHECK(site->address >= site->entry &&
		   site->address - site->entry < ALLOCATION_PROLOGUE_BYTES);
	if (site->outcome != ALLOCATION_SITE)
		return;
	FUZZ_CHECK(site->size_register < REGISTERS);
	if (site->address - base + INSTRUCTION_MAX_BYTES > input->size)
		return; /* what the sections hold is no code of ours */
	while (at < site->address) {
		FUZZ_CHECK(instruction_decode(&in, input->code + (at - base),
					      input->size - (size_t)(at - base), at));
		FUZZ_CHECK(!is_emulated_instruction(input->code + (at - base), in.length) ||
			   at == site->address);
		at += in.length;
	}
	FUZZ_CHECK(at == site->address);
	FUZZ_CHECK(instruction_decode(&in, input->code + (at - base),
				      input->size - (size_t)(at - base), at));
	FUZZ_CHECK(is_emulated_instruction(input->code + (at - base), in.length));
}

static void check_answer(const struct allocator *allocator, struct object *object)
{
	struct known_object known = { .object = object };
	struct allocator told = {};
	struct reply reply = {};

	FUZZ_CHECK(reader_answer_allocator(&known, &reply) == 0);
	FUZZ_CHECK(answer_allocator(&told, (unsigned char *)reply.bytes.at, reply.bytes.size) == 0);
	FUZZ_CHECK(told.sites.count == allocator->sites.count &&
		   told.slots.count == allocator->slots.count);
	for (uint32_t i = 0; i < told.sites.count; i++)
		FUZZ_CHECK(told.sites.at[i].address == allocator->sites.at[i].address &&
			   told.sites.at[i].outcome == allocator->sites.at[i].outcome &&
			   told.sites.at[i].flags == allocator->sites.at[i].flags);
	allocator_fini(&told);
	bytes_fini(&reply.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader reader = reader_of(data, size);
	struct allocator allocator = {};
	struct input input = {};
	struct object *object = make_object(&reader, &input);

	FUZZ_CHECK(allocator_read(&allocator, object) == 0);
	FUZZ_CHECK(allocator.sites.count <= ALLOCATION_SITES_MAX &&
		   allocator.slots.count <= ALLOCATION_SLOTS_MAX);
	for (uint32_t i = 0; i < allocator.sites.count; i++)
		check_site(&allocator.sites.at[i], &input);
	check_answer(&allocator, object);
	allocator_fini(&allocator);
	object_unref(object);
	return 0;
}
