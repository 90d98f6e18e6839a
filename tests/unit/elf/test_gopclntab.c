// SPDX-License-Identifier: Apache-2.0
/* Go's own tables: found, read and refused, in the layout of every version. */
#include "test.h"

#include <errno.h>

#include "elf/go_image.h"
#include "elf/rows.h"

static const uint32_t magics[] = { GOPCLNTAB_1_16, GOPCLNTAB_1_18, GOPCLNTAB_1_20 };

#define LEAF "\x90\xc3"

/* ---- finding and naming ---- */

static const struct go_image_function plain[] = {
	GO_FUNCTION("main.main", 0, LEAF, { 2, 0 }),
	GO_FUNCTION("net/http.(*conn).serve", 0, LEAF, { 2, 0 }),
	GO_FUNCTION("main.main.func1", 0, LEAF, { 2, 0 }),
	GO_FUNCTION("main.init", 0, LEAF, { 2, 0 }),
};

static void assert_named(const struct gopclntab *table, uint64_t address, unsigned number,
			 const char *name)
{
	cleanup(bytes_fini) struct bytes text = {};
	uint64_t start, size;
	uint32_t found;

	assert_ok(gopclntab_find(table, address, &start, &size, &found));
	assert_int_equal(found, number);
	assert_int_equal(start, GO_TEXT + GO_FUNCTION_BYTES * number);
	assert_int_equal(size, GO_FUNCTION_BYTES);
	assert_ok(gopclntab_name(table, found, &text));
	assert_string_equal(bytes_str(&text), name);
}

/* Opens the table of an image. Returns how many functions it has. */
static uint32_t count_functions(const struct go_image *image)
{
	cleanup(object_unref) struct object *object = go_image_open(image);
	struct gopclntab table;

	assert_non_null(object);
	assert_ok(gopclntab_open(&table, object));
	return table.count;
}

static void every_version_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
		cleanup(object_unref) struct object *object = NULL;
		struct gopclntab table;
		struct go_image image;
		uint64_t start, size;
		uint32_t number;

		go_image_make(&image, magics[i], plain, 3);
		object = go_image_open(&image);
		assert_ok(gopclntab_open(&table, object));
		assert_int_equal(table.count, 3);
		assert_named(&table, GO_TEXT, 0, "main.main");
		assert_named(&table, GO_TEXT + 63, 0, "main.main");
		assert_named(&table, GO_TEXT + 64, 1, "net/http.(*conn).serve");
		assert_named(&table, GO_TEXT + 191, 2, "main.main.func1");
		assert_errno(gopclntab_find(&table, GO_TEXT - 1, &start, &size, &number), ENOENT);
		assert_errno(gopclntab_find(&table, GO_TEXT + 192, &start, &size, &number), ENOENT);
		assert_errno(gopclntab_find(&table, UINT64_MAX, &start, &size, &number), ENOENT);
	}
}

static void many_functions_are_searched(void **state)
{
	static struct go_image_function many[200];
	cleanup(object_unref) struct object *object = NULL;
	static char names[200][16];
	struct gopclntab table;
	struct go_image image;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		snprintf(names[i], sizeof(names[i]), "main.f%u", i);
		many[i] = plain[0];
		many[i].name = names[i];
	}
	go_image_make(&image, GOPCLNTAB_1_18, many, 200);
	object = go_image_open(&image);
	assert_ok(gopclntab_open(&table, object));
	for (unsigned i = 0; i < 200; i++)
		assert_named(&table, GO_TEXT + 64 * i + i % 64, i, names[i]);
}

static void the_table_is_found_without_its_section(void **state)
{
	struct go_image image;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
		/* Position independent. */
		go_image_make(&image, magics[i], plain, 3);
		go_image_name_section(&image, GO_SECTION_TABLE, ".data.rel.ro.gopclntab");
		assert_int_equal(count_functions(&image), 3);
		/* Merged with other data; what only begins like a header is passed over. */
		go_image_name_section(&image, GO_SECTION_TABLE, ".data.rel.ro");
		memcpy(image.bytes + GO_DATA_OFFSET + GO_TABLE_BYTES - 0x100,
		       go_image_table(&image), 8);
		memmove(image.bytes + GO_DATA_OFFSET + 0x40, image.bytes + GO_DATA_OFFSET,
			GO_TABLE_BYTES - 0x200);
		assert_int_equal(count_functions(&image), 3);
		/* No section headers. */
		go_image_header(&image)->e_shoff = 0;
		go_image_header(&image)->e_shnum = 0;
		assert_int_equal(count_functions(&image), 3);
		/* Section headers that tell nothing of Go: no search. */
		go_image_make(&image, magics[i], plain, 3);
		go_image_name_section(&image, GO_SECTION_TABLE, ".data.rel.ro");
		go_image_name_section(&image, GO_SECTION_MARK, ".comment");
		assert_int_equal(count_functions(&image), 0);
	}
}

static void put_module(struct go_image *image, uint64_t text)
{
	unsigned char *module = image->bytes + GO_DATA_OFFSET + (GO_MODULE - GO_DATA) + 0x40;

	go_image_put(module, GO_DATA, 8);
	go_image_put(module + 8, GO_DATA + GO_NAMES, 8);
	go_image_put(module + 22 * 8, text, 8);
}

static void put_relocation(struct go_image *image, unsigned number, uint64_t place,
			   uint64_t address)
{
	Elf64_Rela relocation = { place, ELF64_R_INFO(0, R_X86_64_RELATIVE), (int64_t)address };

	memcpy(image->bytes + GO_DATA_OFFSET + (GO_RELOCATIONS - GO_DATA) +
		       number * sizeof(relocation),
	       &relocation, sizeof(relocation));
}

static void the_code_is_found_where_the_header_does_not_tell(void **state)
{
	struct go_image image;

	(void)state;
	/* Go 1.26: the program's description of itself. */
	go_image_make(&image, GOPCLNTAB_1_20, plain, 3);
	go_image_put_word(&image, 2, 0);
	assert_int_equal(count_functions(&image), 0);
	put_module(&image, GO_TEXT);
	assert_int_equal(count_functions(&image), 3);
	go_image_name_section(&image, GO_SECTION_MODULE, ".data");
	assert_int_equal(count_functions(&image), 3);
	put_module(&image, GO_TEXT + GO_TEXT_BYTES);
	assert_int_equal(count_functions(&image), 0);

	/* The same before the loader has put it in place. */
	go_image_make(&image, GOPCLNTAB_1_20, plain, 3);
	go_image_put_word(&image, 2, 0);
	put_relocation(&image, 0, GO_MODULE + 0x200, GO_DATA); /* another pointer to the table */
	put_relocation(&image, 1, GO_MODULE + 0x200 + 22 * 8, GO_TEXT + 64);
	put_relocation(&image, 2, GO_MODULE, GO_DATA);
	put_relocation(&image, 3, GO_MODULE + 8, GO_DATA + GO_NAMES);
	assert_int_equal(count_functions(&image), 0);
	put_relocation(&image, 4, GO_MODULE + 22 * 8, GO_TEXT);
	assert_int_equal(count_functions(&image), 3);

	/* Go 1.18 to 1.25: the header's own field. */
	go_image_make(&image, GOPCLNTAB_1_18, plain, 3);
	go_image_put_word(&image, 2, 0);
	put_relocation(&image, 1, GO_DATA + 24, GO_TEXT);
	assert_int_equal(count_functions(&image), 3);
	/* A field that cannot be right does not stand in the way. */
	go_image_put_word(&image, 2, GO_DATA);
	assert_int_equal(count_functions(&image), 3);
}

static void nonsense_is_no_table(void **state)
{
	static const uint64_t bad[] = { 0,	    1,		0x3f,	   GO_TABLE_BYTES,
					UINT32_MAX, 1ULL << 32, INT64_MAX, UINT64_MAX };
	struct go_image image;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
		unsigned words = magics[i] == GOPCLNTAB_1_16 ? 7 : 8;

		/* Offsets: names, units, files, values, functions; out of order or outside. */
		for (unsigned word = words - 5; word < words; word++) {
			for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
				go_image_make(&image, magics[i], plain, 3);
				go_image_put_word(&image, word, bad[k]);
				assert_int_equal(count_functions(&image), 0);
			}
		}
		/* The number of functions. */
		for (size_t k = 3; k < ARRAY_SIZE(bad); k++) {
			go_image_make(&image, magics[i], plain, 3);
			go_image_put_word(&image, 0, bad[k]);
			assert_int_equal(count_functions(&image), 0);
		}
		/* The first eight bytes: an unknown version, other instructions and pointers. */
		for (unsigned byte = 0; byte < 8; byte++) {
			go_image_make(&image, magics[i], plain, 3);
			go_image_table(&image)[byte] ^= 4;
			assert_int_equal(count_functions(&image), 0);
		}
		/* Code that is not there. */
		go_image_make(&image, magics[i], plain, 3);
		go_image_put(go_image_table(&image) + GO_FUNCTIONS +
				     (magics[i] == GOPCLNTAB_1_16 ? 48 : 24),
			     GO_TEXT + 0x10000, 4);
		assert_int_equal(count_functions(&image), 0);
		/* Another machine's. */
		go_image_make(&image, magics[i], plain, 3);
		go_image_header(&image)->e_machine = EM_AARCH64;
		assert_int_equal(count_functions(&image), 0);
		/* A table that the file cuts off. */
		go_image_make(&image, magics[i], plain, 3);
		go_image_section(&image, GO_SECTION_TABLE)->sh_size = GO_FUNCTIONS + 8;
		assert_int_equal(count_functions(&image), 0);
		go_image_section(&image, GO_SECTION_TABLE)->sh_offset = GO_BYTES - 8;
		go_image_section(&image, GO_SECTION_TABLE)->sh_size = 8;
		assert_int_equal(count_functions(&image), 0);
	}
}

static void a_name_that_is_not_there(void **state)
{
	cleanup(bytes_fini) struct bytes text = {};
	cleanup(object_unref) struct object *object = NULL;
	struct gopclntab table;
	struct go_image image;

	(void)state;
	go_image_make(&image, GOPCLNTAB_1_20, plain, 3);
	go_image_put(go_image_table(&image) + go_image_description(3, 1) + 4, GO_UNITS, 4);
	object = go_image_open(&image);
	assert_ok(gopclntab_open(&table, object));
	assert_errno(gopclntab_name(&table, 1, &text), ENOENT);
	assert_errno(gopclntab_name(&table, 3, &text), ENOENT);
	/* One without an end ends with the names. */
	memset(go_image_table(&image) + GO_NAMES + 1, 'x', GO_UNITS - GO_NAMES - 1);
	object_unref(object);
	object = go_image_open(&image);
	assert_ok(gopclntab_open(&table, object));
	assert_ok(gopclntab_name(&table, 0, &text));
	assert_int_equal(text.size, GO_UNITS - GO_NAMES - 1);
}

/* ---- rows ---- */

enum { TRAP = RULE_SP | RULE_NEXT_EXACT };

/* What a row says, in short. */
struct row {
	uint32_t at; /* from the beginning of the code */
	uint8_t kind;
	int32_t words; /* RULE_NONE: enum cfi_none */
	uint8_t slot;
	uint16_t steps;
};

#define ASSERT_ROWS(magic, functions, ...)                                                         \
	do {                                                                                       \
		const struct row expected_[] = { __VA_ARGS__ };                                    \
		assert_rows(magic, functions, ARRAY_SIZE(functions), expected_,                    \
			    ARRAY_SIZE(expected_));                                                \
	} while (0)

static struct cfi_table read_rows(const struct go_image *image)
{
	cleanup(object_unref) struct object *object = go_image_open(image);
	struct cfi_table rows = {};

	assert_non_null(object);
	assert_ok(rows_read(&rows, object));
	return rows;
}

static void assert_rows(uint32_t magic, const struct go_image_function *functions, unsigned count,
			const struct row *expected, unsigned expected_count)
{
	struct go_image image;
	struct cfi_table rows;

	go_image_make(&image, magic, functions, count);
	rows = read_rows(&image);
	for (unsigned i = 0; i < expected_count && i < rows.rows.count; i++) {
		const struct wire_rule *rule = &rows.rows.at[i].rule;

		assert_int_equal(rows.rows.at[i].address - GO_TEXT, expected[i].at);
		assert_int_equal(rule->kind_and_step, expected[i].kind);
		assert_int_equal(rule->cfa_words, expected[i].words);
		assert_int_equal(rule->bp_slot, expected[i].slot);
		assert_int_equal(rule->steps, expected[i].steps);
		if (rule->kind_and_step == RULE_SP)
			assert_int_equal(rule->bx_slot, RULE_BX_LOST);
	}
	assert_int_equal(rows.rows.count, expected_count);
	assert_int_equal(rows.broken, 0);
	cfi_table_fini(&rows);
}

/* push %rbp; mov %rsp,%rbp; sub $16,%rsp; nop; add $16,%rsp; pop %rbp; ret */
#define NEW_FRAME "\x55\x48\x89\xe5\x48\x83\xec\x10\x90\x48\x83\xc4\x10\x5d\xc3"
#define NEW_STEPS                                                                                  \
	{ 1, 0 }, { 7, 8 }, { 5, 24 }, { 1, 8 },                                                   \
	{                                                                                          \
		1, 0                                                                               \
	}
/* sub $24,%rsp; mov %rbp,16(%rsp); lea 16(%rsp),%rbp; nop; mov 16(%rsp),%rbp; add $24,%rsp; ret */
#define OLD_FRAME                                                                                  \
	"\x48\x83\xec\x18\x48\x89\x6c\x24\x10\x48\x8d\x6c\x24\x10\x90\x48\x8b\x6c\x24\x10"         \
	"\x48\x83\xc4\x18\xc3"
#define OLD_STEPS                                                                                  \
	{ 4, 0 }, { 20, 24 },                                                                      \
	{                                                                                          \
		1, 0                                                                               \
	}

static void a_frame_is_told_by_the_table_and_its_rbp_by_the_code(void **state)
{
	static const struct go_image_function functions[] = {
		GO_FUNCTION("main.new", 0, NEW_FRAME, NEW_STEPS),
		GO_FUNCTION("main.old", 0, OLD_FRAME, OLD_STEPS),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
		ASSERT_ROWS(magics[i], functions, { 0, RULE_SP, 1 }, { 1, RULE_SP, 2, 2 },
			    { 8, RULE_SP, 4, 2 }, { 13, RULE_SP, 2, 2 }, { 14, RULE_SP, 1 },
			    { 68, RULE_SP, 4 }, { 73, RULE_SP, 4, 2 }, { 88, RULE_SP, 1 },
			    { 128, RULE_NONE, CFI_GAP });
}

/* Hand-written code saves rbp among others, behind other pushes, or not at all. */
static void assembly_may_save_rbp_anywhere(void **state)
{
	static const struct go_image_function functions[] = {
		/* pushf; sub $32,%rsp; mov %rdi,(%rsp); mov %rbp,16(%rsp); nop ... ret */
		GO_FUNCTION("crosscall2", GOPCLNTAB_ASSEMBLY,
			    "\x9c\x48\x83\xec\x20\x48\x89\x3c\x24\x48\x89\x6c\x24\x10\x90\xc3",
			    { 1, 0 }, { 4, 8 }, { 10, 40 }, { 1, 0 }),
		/* push %rbx; push %rbp; nop; pop %rbp; pop %rbx; ret */
		GO_FUNCTION("main.pushes", GOPCLNTAB_ASSEMBLY, "\x53\x55\x90\x5d\x5b\xc3", { 1, 0 },
			    { 1, 8 }, { 2, 16 }, { 1, 8 }, { 1, 0 }),
		/* sub $16,%rsp; nop; add $16,%rsp; ret */
		GO_FUNCTION("main.never", GOPCLNTAB_ASSEMBLY,
			    "\x48\x83\xec\x10\x90\x48\x83\xc4\x10\xc3", { 4, 0 }, { 5, 16 },
			    { 1, 0 }),
		/* The same store, but far from what a compiler writes: nobody's prologue. */
		GO_FUNCTION("main.compiled", 0,
			    "\x48\x83\xec\x18\x90\x48\x89\x6c\x24\x10\x48\x83\xc4\x18\xc3",
			    { 4, 0 }, { 10, 24 }, { 1, 0 }),
	};

	(void)state;
	ASSERT_ROWS(GOPCLNTAB_1_20, functions, { 0, RULE_SP, 1 }, { 1, RULE_SP, 2 },
		    { 5, RULE_SP, 6 }, { 14, RULE_SP, 6, 4 }, { 15, RULE_SP, 1 },
		    { 65, RULE_SP, 2 }, { 66, RULE_SP, 3, 3 }, { 68, RULE_SP, 2 },
		    { 69, RULE_SP, 1 }, { 132, RULE_SP, 3 }, { 137, RULE_SP, 1 },
		    { 196, RULE_SP, 4 }, { 206, RULE_SP, 1 }, { 256, RULE_NONE, CFI_GAP });
}

static void stacks_begin_where_go_says(void **state)
{
	static const struct go_image_function functions[] = {
		GO_FUNCTION("runtime.anything", GOPCLNTAB_TOP_FRAME, LEAF, { 2, 0 }),
		GO_FUNCTION("main.main", 0, LEAF, { 2, 0 }),
		GO_FUNCTION("runtime.goexit", 0, LEAF, { 2, 0 }), /* Go 1.16 has no flags */
		/* The flag is there, but it is called as any function, by the kernel. */
		GO_FUNCTION("runtime.sigtramp", GOPCLNTAB_TOP_FRAME, LEAF, { 2, 0 }),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
		ASSERT_ROWS(magics[i], functions, { 0, RULE_END }, { 64, RULE_SP, 1 },
			    { 128, RULE_END }, { 192, TRAP, 1 }, { 256, RULE_NONE, CFI_GAP });
}

static void the_entry_point_has_no_caller(void **state)
{
	struct go_image image;
	struct cfi_table rows;

	(void)state;
	go_image_make(&image, GOPCLNTAB_1_20, plain, 3);
	go_image_header(&image)->e_entry = GO_TEXT + 64;
	rows = read_rows(&image);
	assert_int_equal(rows.rows.count, 4);
	assert_int_equal(rows.rows.at[1].address, GO_TEXT + 64);
	assert_int_equal(rows.rows.at[1].rule.kind_and_step, RULE_END);
	assert_int_equal(rows.rows.at[2].address, GO_TEXT + 128);
	assert_int_equal(rows.functions.count, 3);
	assert_int_equal(rows.functions.at[2], GO_TEXT + 128);
	cfi_table_fini(&rows);
}

static void other_stacks_are_left_by_the_frame_pointer(void **state)
{
	static const struct go_image_function functions[] = {
		/* push; mov; sub $16; mov 56(%rdx),%rsp; nop; mov %r12,%rsp; add $16; pop; ret */
		GO_FUNCTION("runtime.nanotime1", GOPCLNTAB_SP_WRITE,
			    "\x55\x48\x89\xe5\x48\x83\xec\x10\x48\x8b\x62\x38\x90\x4c\x89\xe4"
			    "\x48\x83\xc4\x10\x5d\xc3",
			    { 1, 0 }, { 7, 8 }, { 12, 24 }, { 1, 8 }, { 1, 0 }),
		/* sub $24; mov %rbp,16(%rsp); lea; mov 56(%rdx),%rsp; mov %r12,%rsp; mov; add; ret */
		GO_FUNCTION("time.now", GOPCLNTAB_SP_WRITE,
			    "\x48\x83\xec\x18\x48\x89\x6c\x24\x10\x48\x8d\x6c\x24\x10"
			    "\x48\x8b\x62\x38\x4c\x89\xe4\x48\x8b\x6c\x24\x10\x48\x83\xc4\x18\xc3",
			    { 4, 0 }, { 26, 24 }, { 1, 0 }),
		/* mov 56(%rdx),%rbx; mov %rbx,%rsp; call *%rdi; mov 56(%rax),%rsp; ret: no frame */
		GO_FUNCTION("runtime.systemstack", GOPCLNTAB_SP_WRITE,
			    "\x48\x8b\x5a\x38\x48\x89\xdc\xff\xd7\x48\x8b\x60\x38\xc3", { 14, 0 }),
		/* The flag, and nothing that sets the stack pointer: a table like others. */
		GO_FUNCTION("main.adds", GOPCLNTAB_SP_WRITE, LEAF, { 2, 0 }),
	};

	(void)state;
	ASSERT_ROWS(GOPCLNTAB_1_18, functions, { 0, RULE_SP, 1 }, { 1, RULE_SP, 2, 2 },
		    { 4, RULE_FRAME, 2, 2 }, { 21, RULE_SP, 1 },
		    /* Only from the frame's first instruction to its last. */
		    { 68, RULE_SP, 4 }, { 73, RULE_SP, 4, 2 }, { 78, RULE_FRAME, 2, 2 },
		    { 90, RULE_SP, 4, 2 }, { 94, RULE_SP, 1 },
		    /* Between the two instructions that change stacks. */
		    { 135, RULE_FRAME, 2, 2 }, { 141, RULE_SP, 1 }, { 256, RULE_NONE, CFI_GAP });
	/* Go 1.16 does not say which ones they are. */
	ASSERT_ROWS(GOPCLNTAB_1_16, functions, { 0, RULE_SP, 1 }, { 1, RULE_SP, 2, 2 },
		    { 4, RULE_FRAME, 2, 2 }, { 21, RULE_SP, 1 }, { 68, RULE_SP, 4 },
		    { 73, RULE_SP, 4, 2 }, { 78, RULE_FRAME, 2, 2 }, { 90, RULE_SP, 4, 2 },
		    { 94, RULE_SP, 1 }, { 135, RULE_FRAME, 2, 2 }, { 141, RULE_SP, 1 },
		    { 256, RULE_NONE, CFI_GAP });
}

static void the_scheduler_leaves_the_goroutine(void **state)
{
	static const struct go_image_function functions[] = {
		/* mov 56(%r14),%rsp; push %rax; call *%r12; pop %rax; ret */
		GO_FUNCTION("runtime.mcall", GOPCLNTAB_SP_WRITE,
			    "\x49\x8b\x66\x38\x50\x41\xff\xd4\x58\xc3", { 5, 0 }, { 4, 8 },
			    { 1, 0 }),
		/* nop; mov (%rbx),%rsp; nop; mov 8(%rbx),%rbx; jmp *%rbx */
		GO_FUNCTION("gogo", GOPCLNTAB_SP_WRITE,
			    "\x90\x48\x8b\x23\x90\x48\x8b\x5b\x08\xff\xe3", { 11, 0 }),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
		ASSERT_ROWS(magics[i], functions, { 0, RULE_SP, 1 }, { 4, RULE_END },
			    { 64, RULE_SP, 1 }, { 68, RULE_RESUME, 0, 0, 1 },
			    { 73, RULE_RESUME, 0, 0, 0 }, { 128, RULE_NONE, CFI_GAP });
}

static void calls_of_c_are_left_by_their_note(void **state)
{
	static const struct go_image_function functions[] = {
		/*
		 * push; mov; mov 56(%rsi),%rsp; sub $16,%rsp; and $~15,%rsp; mov %rdi,8(%rsp);
		 * mov %rdi,(%rsp); call; mov %rsi,%rsp; pop; ret
		 */
		GO_FUNCTION("runtime.asmcgocall", GOPCLNTAB_SP_WRITE,
			    "\x55\x48\x89\xe5\x48\x8b\x66\x38\x48\x83\xec\x10\x48\x83\xe4\xf0"
			    "\x48\x89\x7c\x24\x08\x48\x89\x3c\x24\xff\xd0\x48\x89\xf4\x5d\xc3",
			    { 1, 0 }, { 30, 8 }, { 1, 0 }),
		/* No frame; its second half, with no other stack to go to. */
		GO_FUNCTION("runtime.asmcgocall", GOPCLNTAB_SP_WRITE,
			    "\x48\x83\xec\x40\x48\x83\xe4\xf0\x48\xc7\x44\x24\x30\0\0\0\0"
			    "\x48\x89\x54\x24\x28\xff\xd0\x48\x89\xf4\xc3",
			    { 28, 0 }),
		/* What is not recognised is like any that changes stacks. */
		GO_FUNCTION("runtime.asmcgocall", GOPCLNTAB_SP_WRITE,
			    "\x48\x8b\x66\x38\x90\x48\x89\xf4\xc3", { 9, 0 }),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
		ASSERT_ROWS(magics[i], functions, { 0, RULE_SP, 1 }, { 1, RULE_SP, 2, 2 },
			    { 8, RULE_FRAME, 2, 2 }, { 25, RULE_DEPTH, 2, 2, 0 },
			    { 30, RULE_SP, 2, 2 }, { 31, RULE_SP, 1 }, { 68, RULE_FRAME, 2, 2 },
			    { 86, RULE_DEPTH, 1, 0, 5 }, { 91, RULE_SP, 1 },
			    { 132, RULE_FRAME, 2, 2 }, { 136, RULE_SP, 1 },
			    { 192, RULE_NONE, CFI_GAP });
}

static void signals_are_told_by_their_code(void **state)
{
	static const struct go_image_function functions[] = {
		GO_FUNCTION("runtime.sigreturn__sigaction", GOPCLNTAB_ASSEMBLY,
			    "\x48\xc7\xc0\x0f\0\0\0\x0f\x05\xcc", { 10, 0 }),
		/* Of the same name, and something else. */
		GO_FUNCTION("runtime.sigreturn", 0, "\x48\xc7\xc0\x10\0\0\0\x0f\x05\xcc",
			    { 10, 0 }),
		/* push %rbp; mov; pop; ret, where the interrupted code did not expect it */
		GO_FUNCTION("runtime.asyncPreempt", GOPCLNTAB_ASSEMBLY, "\x55\x48\x89\xe5\x5d\xc3",
			    { 1, 0 }, { 4, 8 }, { 1, 0 }),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
		ASSERT_ROWS(magics[i], functions, { 0, RULE_SIGNAL }, { 64, RULE_SP, 1 },
			    { 128, TRAP, 1 }, { 129, TRAP, 2, 2 }, { 133, TRAP, 1 },
			    { 192, RULE_NONE, CFI_GAP });
}

static void what_has_no_table_is_left_to_others(void **state)
{
	static const struct go_image_function functions[] = {
		GO_FUNCTION("main.main", 0, LEAF, { 2, 0 }),
		{ .name = "_cgo_c", .code = LEAF, .code_bytes = 2 },
		GO_FUNCTION("main.other", 0, LEAF, { 2, 0 }),
		{ .name = "puts", .code = LEAF, .code_bytes = 2 },
	};
	cleanup(object_unref) struct object *object = NULL;
	struct cfi_table rows = {};
	struct go_image image;

	(void)state;
	go_image_make(&image, GOPCLNTAB_1_20, functions, 4);
	object = go_image_open(&image);
	assert_ok(gopclntab_rows(&rows, object));
	assert_int_equal(rows.rows.count, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(rows.rows.at[i].address, GO_TEXT + GO_FUNCTION_BYTES * i);
		assert_int_equal(rows.rows.at[i].rule.kind_and_step, i % 2 ? RULE_NONE : RULE_SP);
	}
	/* But where they begin is told. */
	assert_int_equal(rows.functions.count, 4);
	cfi_table_fini(&rows);
}

/* ---- broken ones ---- */

static void deltas_that_cannot_be_are_unknown(void **state)
{
	static const struct go_image_function functions[] = {
		GO_FUNCTION("main.a", 0, LEAF, { 1, 0 }, { 1, 12 }, { 1, -8 }, { 1, -16 },
			    { 1, 1 << 27 }, { 1, 8 }),
	};

	(void)state;
	ASSERT_ROWS(GOPCLNTAB_1_20, functions, { 0, RULE_SP, 1 }, { 1, RULE_NONE, CFI_UNKNOWN },
		    { 2, RULE_SP, 0 }, { 3, RULE_NONE, CFI_UNKNOWN }, { 5, RULE_SP, 2 },
		    { 64, RULE_NONE, CFI_GAP });
}

/* The rows of a table of four functions with something changed. */
static struct cfi_table spoil(uint32_t from_table, uint64_t value, size_t size)
{
	struct go_image image;

	go_image_make(&image, GOPCLNTAB_1_18, plain, 4);
	go_image_put(go_image_table(&image) + from_table, value, size);
	return read_rows(&image);
}

static void one_broken_function_does_not_spoil_the_others(void **state)
{
	const uint32_t description = go_image_description(4, 1), values = GO_VALUES + 1 + 3;
	const struct {
		uint32_t at;
		uint64_t value;
		size_t size;
	} changes[] = {
		{ description, 63, 4 },			  /* starts elsewhere */
		{ GO_FUNCTIONS + 12, GO_TABLE_BYTES, 4 }, /* described outside */
		{ GO_FUNCTIONS + 16, 0, 4 },		  /* index not ascending */
		{ description + 16, GO_FUNCTIONS, 4 },	  /* table outside */
		{ values, 0x80808080808080, 7 },	  /* numbers without an end */
		{ values + 1, 0, 1 },			  /* no progress */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct cfi_table rows = spoil(changes[i].at, changes[i].value, changes[i].size);

		assert_true(rows.broken >= 1);
		assert_true(rows.rows.count >= 2);
		for (uint32_t k = 1; k < rows.rows.count; k++)
			assert_true(rows.rows.at[k - 1].address < rows.rows.at[k].address);
		assert_int_equal(rows.rows.at[rows.rows.count - 1].rule.kind_and_step, RULE_NONE);
		cfi_table_fini(&rows);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_version_is_read),
		cmocka_unit_test(many_functions_are_searched),
		cmocka_unit_test(the_table_is_found_without_its_section),
		cmocka_unit_test(the_code_is_found_where_the_header_does_not_tell),
		cmocka_unit_test(nonsense_is_no_table),
		cmocka_unit_test(a_name_that_is_not_there),
		cmocka_unit_test(a_frame_is_told_by_the_table_and_its_rbp_by_the_code),
		cmocka_unit_test(assembly_may_save_rbp_anywhere),
		cmocka_unit_test(stacks_begin_where_go_says),
		cmocka_unit_test(the_entry_point_has_no_caller),
		cmocka_unit_test(other_stacks_are_left_by_the_frame_pointer),
		cmocka_unit_test(the_scheduler_leaves_the_goroutine),
		cmocka_unit_test(calls_of_c_are_left_by_their_note),
		cmocka_unit_test(signals_are_told_by_their_code),
		cmocka_unit_test(what_has_no_table_is_left_to_others),
		cmocka_unit_test(deltas_that_cannot_be_are_unknown),
		cmocka_unit_test(one_broken_function_does_not_spoil_the_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
