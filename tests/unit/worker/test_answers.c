// SPDX-License-Identifier: Apache-2.0
/*
 * The parsers of the reader's answers: honest ones come out as they went in; of those that are cut
 * short, lengthened, or changed anywhere, nothing that is accepted points outside or is what no
 * honest reader says. Every answer lies in a block of its very size, so that a sanitizer sees who
 * reads past it.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf/table.h"
#include "elf/elf_image.h"
#include "elf/object_file.h"
#include "elf/rows.h"
#include "reader/reader.h"
#include "worker/answers.h"
#include "worker/code_listing.h"

enum { OBJECT = 1, ADDRESSES = 200, ROUNDS = 2000, LARGE_BYTES = 4096 };

static const uint32_t edges[] = { 0,	 1,	2,	    63,		64,	    65,
				  127,	 128,	129,	    256,	257,	    4095,
				  4096,	 4097,	8192,	    8193,	8194,	    65535,
				  65536, 65537, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff };

static uint64_t random_u64(void)
{
	return (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random();
}

/* ---- honest answers ---- */

static struct object *self; /* as profd itself reads it */
static uint64_t addresses[ADDRESSES];

static struct bytes ask_reader(uint32_t what, const void *payload, size_t size)
{
	struct reader_state *reader = reader_state_new();
	const struct question question = { .what = what, .object = OBJECT, .has_object = 1 };
	struct reply reply = {};
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_non_null(reader);
	assert_ok(reader_answer(reader, &question, payload, size, &fd, 1, &reply));
	assert_int_equal(fd, -1);
	assert_int_equal(reply.fd_count, 0);
	reader_state_free(reader);
	return reply.bytes;
}

static struct bytes honest_names(void)
{
	struct {
		struct wire_names_question question;
		uint64_t addresses[ADDRESSES];
	} payload = { .question = { ADDRESSES, 1 } };

	memcpy(payload.addresses, addresses, sizeof(addresses));
	return ask_reader(READER_NAMES, &payload, sizeof(payload));
}

static int open_self(void **state)
{
	const struct object_segment *code = NULL;

	(void)state;
	if (object_open(&self, open("/proc/self/exe", O_RDONLY | O_CLOEXEC), "") != 0)
		return -1;
	for (uint32_t i = 0; i < self->segments.count; i++)
		if (self->segments.at[i].executable)
			code = &self->segments.at[i];
	if (!code)
		return -1;
	for (unsigned i = 0; i < ADDRESSES; i++)
		addresses[i] = code->address + code->memory_size * i / ADDRESSES;
	return 0;
}

static int close_self(void **state)
{
	(void)state;
	object_unref(self);
	return 0;
}

/* ---- taking answers ---- */

/* Parses an answer of some kind and checks whatever it accepts. */
typedef int (*parser)(const unsigned char *data, size_t size);

static int parse_object(const unsigned char *data, size_t size)
{
	struct object *object = object_new(-1, "/object");
	int r;

	object->identity.size = self->identity.size;
	r = answer_object(object, data, size);
	if (r != 0) {
		/* Whoever asks again begins with nothing. */
		assert_int_equal(object->segments.count, 0);
		assert_null(object->debug_link);
		assert_int_equal(object->build_id_size, 0);
		object_unref(object);
		return r;
	}
	assert_true(object->segments.count > 0 && object->segments.count <= 128);
	assert_true(object->build_id_size <= OBJECT_BUILD_ID_MAX);
	assert_true(!object->debug_link ||
		    (object->debug_link[0] && !strchr(object->debug_link, '/')));
	for (uint32_t i = 0; i < object->segments.count; i++) {
		const struct object_segment *segment = &object->segments.at[i];

		assert_true(segment->memory_size > 0);
		assert_true(segment->address <= INT64_MAX);
		assert_true(segment->address + segment->memory_size > segment->address);
		assert_true(segment->file_size <= segment->memory_size);
		assert_true(segment->file_offset <= object->identity.size);
		assert_true(segment->file_size <= object->identity.size - segment->file_offset);
	}
	object_unref(object);
	return 0;
}

static int parse_table(const unsigned char *data, size_t size)
{
	struct unwind_table table = {};
	struct table_figures figures;
	uint64_t bytes = 0;
	int r = answer_table(&table, &figures, data, size);

	if (r != 0) {
		assert_null(table.blocks.at);
		return r;
	}
	assert_true(table.rules.count > 0 || table.block_offset.count == 0);
	assert_int_equal(table.block_offset.count, table.block_size.count);
	for (uint32_t i = 0; i < table.block_offset.count; i++) {
		if (table.block_offset.at[i] == UINT32_MAX)
			continue;
		bytes += table.block_size.at[i];
		assert_true(table.block_size.at[i] <= WIRE_CHUNK_BYTES);
		for (unsigned k = 0; k < 4; k++) {
			uint32_t found =
				table_block_search(table.blocks.at, table.blocks.count,
						   table.block_offset.at[i], (uint16_t)random());

			assert_true(found >> 16 < table.rules.count);
		}
	}
	assert_int_equal(bytes, table.blocks.count);
	for (uint32_t i = 0; i < table.rules.count; i++)
		assert_true((table.rules.at[i].kind_and_step & RULE_KIND_MASK) < RULE_KIND_COUNT);
	unwind_table_fini(&table);
	return 0;
}

struct naming {
	const unsigned char *data;
	size_t size;
	uint32_t count;
};

static void check_text(const struct naming *naming, const char *text, bool inside)
{
	const unsigned char *at = (const unsigned char *)text;

	assert_true(inside ? at >= naming->data && at < naming->data + naming->size : !*text);
	assert_non_null(
		memchr(text, '\0', inside ? naming->size - (size_t)(at - naming->data) : 1));
}

static int check_name(void *context, uint32_t number, const struct name_line *lines,
		      uint32_t line_count)
{
	struct naming *naming = context;

	assert_int_equal(number, naming->count++);
	assert_true(line_count > 0);
	for (uint32_t i = 0; i < line_count; i++) {
		bool named = lines[i].kind == WIRE_NAME_SYMBOL;

		assert_true(lines[i].kind < WIRE_NAME_KINDS);
		check_text(naming, lines[i].name, named);
		check_text(naming, lines[i].system_name, named);
		check_text(naming, lines[i].file, named);
		assert_int_equal(named, lines[i].name[0] != '\0');
	}
	return 0;
}

static int parse_names(const unsigned char *data, size_t size)
{
	struct naming naming = { data, size, 0 };
	uint32_t answered = 0;
	int r = answer_names(data, size, ADDRESSES, &answered, check_name, &naming);

	/* As many as it says, or none. */
	assert_int_equal(naming.count, r == 0 ? answered : 0);
	assert_true(r != 0 || (answered > 0 && answered <= ADDRESSES));
	return r;
}

static int parse_needed(const unsigned char *data, size_t size)
{
	struct needed needed = {};
	int r = answer_needed(&needed, data, size);

	if (r != 0) {
		assert_null(needed.texts.at);
		return r;
	}
	assert_true(needed.names.count <= NEEDED_MAX_NAMES);
	for (uint32_t i = 0; i < needed.names.count; i++)
		assert_true(strlen(needed_text(&needed, needed.names.at[i])) < needed.texts.size);
	assert_true(strlen(needed_text(&needed, needed.soname)) <= needed.texts.size);
	assert_true(strlen(needed_text(&needed, needed.rpath)) <= needed.texts.size);
	assert_true(strlen(needed_text(&needed, needed.runpath)) <= needed.texts.size);
	assert_true(strlen(needed_text(&needed, needed.interpreter)) <= needed.texts.size);
	assert_string_equal(needed_text(&needed, 0), "");
	needed_fini(&needed);
	return 0;
}

static int parse_code(const unsigned char *data, size_t size)
{
	struct code_listing code = {};
	int r = answer_code(&code, self->entry, data, size);

	if (r != 0) {
		assert_null(code.instructions.at);
		return r;
	}
	assert_true(code.start <= self->entry && self->entry < code.end);
	for (uint32_t i = 0; i < code.instructions.count; i++) {
		const struct code_instruction *instruction = &code.instructions.at[i];

		assert_true(instruction->address >= code.start &&
			    instruction->address + instruction->length <= code.end);
		assert_true(strlen(code_text(&code, instruction->text)) < code.texts.size);
	}
	code_listing_fini(&code);
	return 0;
}

/* The first `size` bytes in a block of that size. */
static int parse_copy(parser parse, const void *data, size_t size)
{
	unsigned char *copy = malloc(size);
	int r;

	assert_true(copy || size == 0);
	if (size)
		memcpy(copy, data, size);
	r = parse(copy, size);
	assert_true(r == 0 || r == -EBADMSG || r == -ESTALE || r == ANSWER_NO_ROWS);
	free(copy);
	return r;
}

/* head: how much of it counts and places fill. */
static void spoil(parser parse, const struct bytes *honest, size_t head)
{
	unsigned char *data = malloc(honest->size + 8);
	size_t step = honest->size < LARGE_BYTES ? 1 : honest->size / LARGE_BYTES;
	unsigned accepted = 0;

	assert_non_null(data);
	memset(data, 0, honest->size + 8);
	memcpy(data, honest->at, honest->size);
	assert_ok(parse_copy(parse, data, honest->size));
	for (size_t size = 0; size < honest->size; size += size < 256 ? 1 : step)
		assert_errno(parse_copy(parse, data, size), EBADMSG);
	assert_errno(parse_copy(parse, data, honest->size - 1), EBADMSG);
	assert_errno(parse_copy(parse, data, honest->size + 1), EBADMSG);
	assert_errno(parse_copy(parse, data, honest->size + 8), EBADMSG);
	/* Every number of the beginning at its edges, and near what it was. */
	for (size_t at = 0; at + 4 <= honest->size && at < head; at += 4) {
		uint32_t was, near;

		memcpy(&was, data + at, 4);
		for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
			memcpy(data + at, &edges[i], 4);
			(void)parse_copy(parse, data, honest->size);
		}
		for (int change = -2; change <= 2; change++) {
			near = was + (uint32_t)change;
			memcpy(data + at, &near, 4);
			(void)parse_copy(parse, data, honest->size);
		}
		memcpy(data + at, &was, 4);
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		size_t places[8], count = 1 + (size_t)random() % 8, size = honest->size;

		for (size_t i = 0; i < count; i++) {
			places[i] = (size_t)random_u64() % size;
			if (random() % 2 && head < size)
				places[i] %= head;
			data[places[i]] = (unsigned char)(random() % 2	 ? random()
							  : random() % 2 ? 0xff
									 : 0);
		}
		accepted += parse_copy(parse, data, size) == 0;
		for (size_t i = 0; i < count; i++)
			data[places[i]] = (unsigned char)honest->at[places[i]];
	}
	assert_true(accepted < ROUNDS);
	/* Nothing but noise. */
	for (unsigned round = 0; round < ROUNDS; round++) {
		size_t size = (size_t)random() % 300;

		size = size < honest->size ? size : honest->size;
		for (size_t i = 0; i < size; i++)
			data[i] = (unsigned char)(random() % 3 ? 0 : random());
		(void)parse_copy(parse, data, size);
	}
	free(data);
}

/* ---- the tests ---- */

static void test_object(void **state)
{
	struct bytes honest = ask_reader(READER_OBJECT, NULL, 0);
	struct object *object = object_new(-1, "/object");

	(void)state;
	srandom(41);
	object->identity.size = self->identity.size;
	assert_ok(answer_object(object, (const unsigned char *)honest.at, honest.size));
	assert_int_equal(object->segments.count, self->segments.count);
	for (uint32_t i = 0; i < self->segments.count; i++) {
		const struct object_segment *got = &object->segments.at[i];
		const struct object_segment *want = &self->segments.at[i];

		assert_int_equal(got->address, want->address);
		assert_int_equal(got->file_offset, want->file_offset);
		assert_int_equal(got->file_size, want->file_size);
		assert_int_equal(got->memory_size, want->memory_size);
		assert_int_equal(got->executable, want->executable);
	}
	assert_int_equal(object->entry, self->entry);
	assert_int_equal(object->type, self->type);
	assert_int_equal(object->machine, self->machine);
	assert_int_equal(object->build_id_size, self->build_id_size);
	assert_memory_equal(object->build_id, self->build_id, self->build_id_size);
	object_unref(object);
	spoil(parse_object, &honest, 400);
	bytes_fini(&honest);
}

static void test_debug_link(void **state)
{
	static const struct {
		char text[8];
		uint32_t size;
		bool good;
	} links[] = { { "a.debug", 8, true }, { "a", 2, true },	    { "", 1, false },
		      { "a/b", 4, false },    { "a\0b", 4, false }, { "abcdefg", 7, false },
		      { "ab", 8, false },     { "..", 3, true },    { "/", 2, false } };
	struct bytes honest = ask_reader(READER_OBJECT, NULL, 0);

	(void)state;
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		struct wire_object *wire = (void *)honest.at;
		size_t without = sizeof(*wire) + wire->segment_count * sizeof(struct wire_segment);
		struct bytes answer = {};

		wire->debug_link_size = links[i].size;
		bytes_add(&answer, honest.at, without);
		bytes_add(&answer, links[i].text, links[i].size);
		if (parse_copy(parse_object, answer.at, answer.size) !=
		    (links[i].good ? 0 : -EBADMSG))
			fail_msg("link %zu", i);
		bytes_fini(&answer);
	}
	bytes_fini(&honest);
}

/* The file has grown, or shrunk, between opening and reading: no sign of a bad reader. */
static void test_changed_file(void **state)
{
	struct bytes honest = ask_reader(READER_OBJECT, NULL, 0);

	(void)state;
	((struct wire_object *)(void *)honest.at)->file_size++;
	assert_errno(parse_copy(parse_object, honest.at, honest.size), ESTALE);
	bytes_fini(&honest);
}

static void test_table(void **state)
{
	struct bytes honest = ask_reader(READER_TABLE, NULL, 0);
	struct wire_table_head *head = (void *)honest.at;
	struct unwind_table built = {}, table;
	struct table_figures figures;
	struct cfi_table rows;

	(void)state;
	srandom(42);
	assert_ok(rows_read(&rows, self));
	assert_ok(unwind_table_build(&built, &rows));
	assert_ok(answer_table(&table, &figures, (const unsigned char *)honest.at, honest.size));
	assert_int_equal(figures.broken, rows.broken);
	assert_int_equal(figures.unsupported, rows.unsupported);
	assert_int_equal(table.first_page, built.first_page);
	assert_int_equal(table.row_count, built.row_count);
	assert_int_equal(table.rules.count, built.rules.count);
	assert_memory_equal(table.rules.at, built.rules.at,
			    built.rules.count * sizeof(*built.rules.at));
	assert_int_equal(table.blocks.count, built.blocks.count);
	assert_memory_equal(table.blocks.at, built.blocks.at, built.blocks.count);
	assert_memory_equal(table.block_offset.at, built.block_offset.at,
			    built.block_offset.count * sizeof(*built.block_offset.at));
	unwind_table_fini(&table);
	unwind_table_fini(&built);
	cfi_table_fini(&rows);
	spoil(parse_table, &honest, sizeof(*head) + 64);
	head->no_rows = 1;
	assert_int_equal(parse_copy(parse_table, honest.at, honest.size), ANSWER_NO_ROWS);
	bytes_fini(&honest);
}

/* One block that stands for every page of 4 GiB would be 17 GB in the kernel. */
static void test_shared_blocks(void **state)
{
	struct bytes honest = ask_reader(READER_TABLE, NULL, 0), answer = {};
	struct wire_table_head head;
	struct unwind_table table;
	struct table_figures figures;
	uint32_t zero = 0, size;

	(void)state;
	assert_ok(answer_table(&table, &figures, (const unsigned char *)honest.at, honest.size));
	memcpy(&head, honest.at, sizeof(head));
	size = table.block_size.at[0];
	head.page_count = PAGES_PER_TABLE;
	head.block_bytes = size;
	bytes_add(&answer, &head, sizeof(head));
	bytes_add(&answer, table.rules.at, table.rules.count * sizeof(*table.rules.at));
	for (unsigned i = 0; i < PAGES_PER_TABLE; i++)
		bytes_add(&answer, &zero, sizeof(zero));
	for (unsigned i = 0; i < PAGES_PER_TABLE; i++)
		bytes_add(&answer, &size, sizeof(size));
	bytes_add(&answer, table.blocks.at, size);
	assert_errno(parse_copy(parse_table, answer.at, answer.size), EBADMSG);
	bytes_fini(&answer);
	unwind_table_fini(&table);
	bytes_fini(&honest);
}

static void test_names(void **state)
{
	uint32_t answered;
	struct bytes honest = honest_names();
	struct naming naming = { (const unsigned char *)honest.at, honest.size, 0 };

	(void)state;
	srandom(43);
	assert_ok(
		answer_names(naming.data, naming.size, ADDRESSES, &answered, check_name, &naming));
	assert_errno(answer_names(naming.data, naming.size, ADDRESSES - 1, &answered, check_name,
				  &naming),
		     EBADMSG);
	/* The last one is to be asked for again. */
	naming.count = 0;
	assert_ok(answer_names(naming.data, naming.size, ADDRESSES + 1, &answered, check_name,
			       &naming));
	assert_int_equal(answered, ADDRESSES);
	spoil(parse_names, &honest, sizeof(struct wire_names_head) + 256);
	bytes_fini(&honest);
}

static int take_first(void *context, uint32_t number, const struct name_line *lines,
		      uint32_t line_count)
{
	(void)context;
	(void)lines;
	(void)line_count;
	return number == 1 ? -ENOSPC : 0;
}

static void test_names_ended(void **state)
{
	uint32_t answered;
	struct bytes honest = honest_names();

	(void)state;
	assert_errno(answer_names((const unsigned char *)honest.at, honest.size, ADDRESSES,
				  &answered, take_first, NULL),
		     ENOSPC);
	bytes_fini(&honest);
}

/* Names that are all the same text, from one letter or the next on: gigabytes to keep. */
static void test_overlapping_names(void **state)
{
	uint32_t answered;
	enum { LINES = 20000, TEXT_BYTES = 24000 };
	const struct wire_names_head head = { 1, LINES, TEXT_BYTES, 0 };
	const struct wire_names names = { 0, 1 };
	static char text[TEXT_BYTES];
	struct bytes answer = {};

	(void)state;
	bytes_add(&answer, &head, sizeof(head));
	bytes_add(&answer, &names, sizeof(names));
	for (uint32_t i = 0; i < LINES; i++) {
		struct wire_name line = { .kind = WIRE_NAME_SYMBOL,
					  .name = i % 10000,
					  .system_name = i % 10000,
					  .file = TEXT_BYTES - 1 };

		bytes_add(&answer, &line, sizeof(line));
	}
	memset(text, 'a', TEXT_BYTES - 1);
	bytes_add(&answer, text, TEXT_BYTES);
	assert_errno(answer_names((const unsigned char *)answer.at, answer.size, 1, &answered,
				  take_first, NULL),
		     EBADMSG);
	bytes_fini(&answer);
}

static int count_one(void *context, uint32_t number, const struct name_line *lines,
		     uint32_t line_count)
{
	(void)number;
	(void)lines;
	(void)line_count;
	++*(uint32_t *)context;
	return 0;
}

/* One name of `bytes`, which each of some addresses tells so many times, out of one run of numbers. */
static int take_one_name(uint32_t bytes, uint32_t address_count, uint32_t times)
{
	uint32_t answered;
	const struct wire_names_head head = { address_count, 1, times, bytes + 2 };
	const struct wire_names run = { 0, times };
	const struct wire_name line = { .kind = WIRE_NAME_SYMBOL, .file = bytes };
	const uint32_t number = 0;
	struct bytes answer = {};
	uint32_t told = 0;
	int r;

	bytes_add(&answer, &head, sizeof(head));
	for (uint32_t i = 0; i < address_count; i++)
		bytes_add(&answer, &run, sizeof(run));
	bytes_add(&answer, &line, sizeof(line));
	for (uint32_t i = 0; i < times; i++)
		bytes_add(&answer, &number, sizeof(number));
	for (uint32_t i = 0; i < bytes; i++)
		bytes_add_char(&answer, 'a');
	bytes_add(&answer, "", 1);
	bytes_add(&answer, "", 1);
	assert_false(answer.failed);
	r = answer_names((const unsigned char *)answer.at, answer.size, address_count, &answered,
			 count_one, &told);
	assert_int_equal(told, r == 0 ? address_count : 0);
	bytes_fini(&answer);
	return r;
}

/* Whoever takes names reads each as often as it is told: hours, of what fits into an answer. */
static void test_names_told_often(void **state)
{
	(void)state;
	assert_ok(take_one_name(16 << 10, 64, 64));
	assert_ok(take_one_name(1000, 4096, 64));
	assert_errno(take_one_name(40 << 20, 1, 1), EBADMSG); /* no parser reads it */
	assert_errno(take_one_name(40 << 20, 4096, 64), EBADMSG);
	assert_errno(take_one_name(16 << 10, 4096, 64), EBADMSG);
}

static void test_needed(void **state)
{
	struct bytes honest = ask_reader(READER_NEEDED, NULL, 0);
	struct needed needed, read;

	(void)state;
	srandom(44);
	assert_ok(needed_read(&read, self));
	assert_ok(answer_needed(&needed, (const unsigned char *)honest.at, honest.size));
	assert_int_equal(needed.names.count, read.names.count);
	assert_true(needed.names.count > 0);
	for (uint32_t i = 0; i < read.names.count; i++)
		assert_string_equal(needed_text(&needed, needed.names.at[i]),
				    needed_text(&read, read.names.at[i]));
	assert_string_equal(needed_text(&needed, needed.interpreter),
			    needed_text(&read, read.interpreter));
	needed_fini(&needed);
	needed_fini(&read);
	spoil(parse_needed, &honest, 64);
	bytes_fini(&honest);
}

static void test_calls(void **state)
{
	struct bytes honest = ask_reader(READER_CALLS, addresses, sizeof(addresses));
	const unsigned char *data = (const unsigned char *)honest.at;
	uint64_t calls[ADDRESSES];

	(void)state;
	assert_ok(answer_calls(calls, ADDRESSES, data, honest.size));
	assert_memory_equal(calls, data, sizeof(calls));
	assert_errno(answer_calls(calls, ADDRESSES, data, honest.size - 1), EBADMSG);
	assert_errno(answer_calls(calls, ADDRESSES - 1, data, honest.size), EBADMSG);
	assert_errno(answer_calls(calls, 1, NULL, 0), EBADMSG);
	assert_ok(answer_calls(calls, 0, NULL, 0));
	bytes_fini(&honest);
}

static void test_code(void **state)
{
	struct bytes honest;
	struct code_listing code = {};

	(void)state;
	srandom(45);
	if (self->machine != EM_X86_64)
		skip();
	honest = ask_reader(READER_CODE, &self->entry, sizeof(self->entry));
	assert_ok(answer_code(&code, self->entry, (const unsigned char *)honest.at, honest.size));
	assert_string_equal(code_text(&code, 0), "_start");
	assert_true(code.instructions.count > 3);
	assert_string_equal(code_text(&code,
				      code.instructions.at[code.instructions.count - 1].text),
			    "hlt");
	code_listing_fini(&code);
	assert_errno(answer_code(&code, self->entry + honest.size, (const unsigned char *)honest.at,
				 honest.size),
		     EBADMSG);
	spoil(parse_code, &honest, sizeof(struct wire_code_head) + sizeof(struct wire_instruction));
	bytes_fini(&honest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_object),
		cmocka_unit_test(test_debug_link),
		cmocka_unit_test(test_changed_file),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_shared_blocks),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_ended),
		cmocka_unit_test(test_overlapping_names),
		cmocka_unit_test(test_names_told_often),
		cmocka_unit_test(test_needed),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_code),
	};

	return cmocka_run_group_tests(tests, open_self, close_self);
}
