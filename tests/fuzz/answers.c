// SPDX-License-Identifier: Apache-2.0
/*
 * The reader's answers, as a reader that somebody has taken over might give them: which one, a
 * number that it needs to know, and the answer. What is believed points nowhere outside of itself.
 */
#include "worker/answers.h"

#include <string.h>

#include "base/bytes.h"
#include "elf/instruction.h"
#include "fuzz.h"
#include "tests/unit/unwind/packed_rule.h"
#include "unwind/table_store.h"
#include "worker/code_listing.h"

enum { ANSWER_OBJECT, ANSWER_TABLE, ANSWER_NAMES, ANSWER_NEEDED, ANSWER_CODE, ANSWER_ALLOCATOR, ANSWERS };

static void check_object(const unsigned char *data, size_t size, uint32_t file_size)
{
	struct object *object = object_new(-1, "/folder/file");

	FUZZ_CHECK(object);
	object->identity.size = file_size;
	if (answer_object(object, data, size) == 0) {
		FUZZ_CHECK(object->segments.count > 0 &&
			   object->build_id_size <= OBJECT_BUILD_ID_MAX);
		for (uint32_t i = 0; i < object->segments.count; i++) {
			const struct object_segment *segment = &object->segments.at[i];

			FUZZ_CHECK(segment->file_offset <= file_size &&
				   segment->file_size <= file_size - segment->file_offset);
			FUZZ_CHECK(segment->memory_size > 0 &&
				   segment->file_size <= segment->memory_size);
			FUZZ_CHECK(segment->address + segment->memory_size >= segment->address);
		}
		if (object->debug_link)
			FUZZ_CHECK(object->debug_link[0] && !strchr(object->debug_link, '/'));
	}
	object_unref(object);
}

/* As the walkers read it: where the store has put it, and where it came from. */
static void check_searches(const struct unwind_table *table)
{
	static const struct table_store_maps no_kernel = { -1, -1, -1, -1, -1, -1, 0, 0 };
	struct table_store *store;
	uint32_t id;

	FUZZ_CHECK(table_store_new(&store, &no_kernel, 2 << 20) == 0);
	if (table_store_add(store, &id, table, 1) == 0) {
		for (uint32_t page = 0; page < table->block_offset.count && page < 8; page++) {
			for (uint32_t at = 0; at < 1 << WIRE_PAGE_SHIFT; at += 4093) {
				uint64_t address =
					(table->first_page + page) << WIRE_PAGE_SHIFT | at;
				uint64_t found = table_store_find_rule(store, id, address);
				struct wire_rule rule;

				FUZZ_CHECK(packed_rule(&rule, table, address));
				if (found != WALK_FIND_NO_ROW && found != WALK_FIND_NO_TABLE)
					FUZZ_CHECK(
						table_store_rule(store, (uint32_t)(found >> 16)));
			}
		}
		(void)table_store_find_rule(store, id, 0);
		(void)table_store_find_rule(store, id, UINT64_MAX);
	}
	table_store_free(store);
}

static void check_table(const unsigned char *data, size_t size)
{
	struct table_figures figures;
	struct unwind_table table;

	if (answer_table(&table, &figures, data, size) != 0)
		return;
	check_searches(&table);
	unwind_table_fini(&table);
}

static int check_lines(void *context, uint32_t number, const struct name_line *lines,
		       uint32_t line_count)
{
	uint32_t *next = context;

	FUZZ_CHECK(number == (*next)++ && line_count > 0);
	for (uint32_t i = 0; i < line_count; i++) {
		FUZZ_CHECK(lines[i].kind < WIRE_NAME_KINDS);
		FUZZ_CHECK((lines[i].kind == WIRE_NAME_SYMBOL) == (lines[i].name[0] != '\0'));
		FUZZ_CHECK(!lines[i].name[0] == !lines[i].system_name[0]);
		FUZZ_CHECK(strlen(lines[i].file) < UINT32_MAX);
	}
	return 0;
}

static void check_names(const unsigned char *data, size_t size, uint32_t count)
{
	uint32_t answered = 0;
	uint32_t next = 0;

	if (answer_names(data, size, count, &answered, check_lines, &next) == 0)
		FUZZ_CHECK(next == answered && answered <= count);
	else
		FUZZ_CHECK(next == 0);
}

static void check_needed(const unsigned char *data, size_t size)
{
	struct needed needed;
	size_t texts = 0;

	if (answer_needed(&needed, data, size) != 0)
		return;
	for (uint32_t i = 0; i < needed.names.count; i++)
		texts += strlen(needed_text(&needed, needed.names.at[i]));
	FUZZ_CHECK(texts <= size * NEEDED_MAX_NAMES && needed.names.count <= NEEDED_MAX_NAMES);
	FUZZ_CHECK(strlen(needed_text(&needed, needed.soname)) <= size);
	FUZZ_CHECK(strlen(needed_text(&needed, needed.rpath)) <= size);
	FUZZ_CHECK(strlen(needed_text(&needed, needed.runpath)) <= size);
	FUZZ_CHECK(strlen(needed_text(&needed, needed.interpreter)) <= size);
	needed_fini(&needed);
}

static void check_code(const unsigned char *data, size_t size, uint64_t address)
{
	struct code_listing code = {};
	uint64_t next;

	if (answer_code(&code, address, data, size) != 0)
		return;
	FUZZ_CHECK(code.start <= address && address < code.end);
	next = code.start;
	for (uint32_t i = 0; i < code.instructions.count; i++) {
		FUZZ_CHECK(code.instructions.at[i].address == next);
		next += code.instructions.at[i].length;
		FUZZ_CHECK(strlen(code_text(&code, code.instructions.at[i].text)) <
			   code.texts.size);
	}
	FUZZ_CHECK(next == code.end);
	code_listing_fini(&code);
}

static void check_allocator(const unsigned char *data, size_t size)
{
	struct allocator allocator = {};

	if (answer_allocator(&allocator, data, size) != 0)
		return;
	FUZZ_CHECK(allocator.sites.count <= ALLOCATION_SITES_MAX &&
		   allocator.slots.count <= ALLOCATION_SLOTS_MAX);
	for (uint32_t i = 0; i < allocator.sites.count; i++) {
		const struct allocation_site *site = &allocator.sites.at[i];

		FUZZ_CHECK(allocation_function_name(site->function));
		FUZZ_CHECK(site->address - site->entry < ALLOCATION_PROLOGUE_BYTES);
		FUZZ_CHECK(site->outcome != ALLOCATION_SITE || site->size_register < REGISTERS);
		FUZZ_CHECK(site->other_register < REGISTERS || site->other_register == REGISTER_NONE);
	}
	allocator_fini(&allocator);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader reader = reader_of(data, size);
	uint8_t which = reader_u8(&reader) % ANSWERS;
	uint32_t number = reader_u16(&reader);
	unsigned char *answer;

	/* A block of its own: 8-aligned, and its end is watched. */
	size = reader_left(&reader);
	answer = malloc(size ? size : 1);
	FUZZ_CHECK(answer);
	if (size)
		memcpy(answer, reader.at, size);
	switch (which) {
	case ANSWER_OBJECT:
		check_object(answer, size, number);
		break;
	case ANSWER_TABLE:
		check_table(answer, size);
		break;
	case ANSWER_NAMES:
		check_names(answer, size, number);
		break;
	case ANSWER_NEEDED:
		check_needed(answer, size);
		break;
	case ANSWER_CODE:
		check_code(answer, size, number);
		break;
	case ANSWER_ALLOCATOR:
		check_allocator(answer, size);
		break;
	}
	free(answer);
	return 0;
}
