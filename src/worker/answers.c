// SPDX-License-Identifier: Apache-2.0
#include "worker/answers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "elf/instruction.h"

enum {
	/* As object_file.c makes them. */
	MAX_SEGMENTS = 128,
	MAX_LINK_BYTES = 4096,
	/* Of one address: inlined functions. */
	MAX_LINES = 64,
	/* Of one text: parsers read 16 KiB of a name, and to the end of a step. */
	MAX_TEXT_BYTES = 20 << 10,
	/*
	 * Of the texts of all addresses, each time that they are told: whoever takes names reads
	 * them all. Four thousand addresses of the longest honest names have a fifth.
	 */
	MAX_TOLD_BYTES = 512 << 20,
};

/* Takes the next `count` elements into an empty array. Gives 0, -EBADMSG or -ENOMEM. */
#define TAKE_ARRAY(array, reader, wanted)                                                          \
	({                                                                                         \
		uint32_t wanted_ = (wanted);                                                       \
		const unsigned char *from_ =                                                       \
			reader_take((reader), wanted_ * sizeof(*(array)->at));                     \
		int r_ = !from_ ? -EBADMSG : array_reserve((array), wanted_) ? 0 : -ENOMEM;        \
                                                                                                   \
		if (r_ == 0 && wanted_)                                                            \
			memcpy((array)->at, from_, wanted_ * sizeof(*(array)->at));                \
		if (r_ == 0)                                                                       \
			(array)->count = wanted_;                                                  \
		r_;                                                                                \
	})

/* ---- objects ---- */

/* What users of `segments` rely on, see object_file.c. size: of the file. */
static bool are_segments(const struct wire_segment *wire, uint32_t count, uint64_t size)
{
	for (uint32_t i = 0; i < count; i++)
		if (wire[i].memory_size == 0 || wire[i].file_size > wire[i].memory_size ||
		    wire[i].address >> 63 || wire[i].memory_size >> 62 ||
		    wire[i].file_offset > size || wire[i].file_size > size - wire[i].file_offset)
			return false;
	return true;
}

static int take_segments(struct object *object, const struct wire_segment *wire, uint32_t count)
{
	if (!array_reserve(&object->segments, count))
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		object->segments.at[object->segments.count++] = (struct object_segment){
			.address = wire[i].address,
			.file_offset = wire[i].file_offset,
			.file_size = wire[i].file_size,
			.memory_size = wire[i].memory_size,
			.executable = wire[i].executable,
		};
	return 0;
}

int answer_object(struct object *object, const unsigned char *data, size_t size)
{
	struct reader reader = reader_of(data, size);
	const struct wire_object *wire = (const void *)reader_take(&reader, sizeof(*wire));
	const struct wire_segment *segments;
	const char *link;

	if (!wire || wire->segment_count == 0 || wire->segment_count > MAX_SEGMENTS ||
	    wire->build_id_size > OBJECT_BUILD_ID_MAX || wire->debug_link_size > MAX_LINK_BYTES)
		return -EBADMSG;
	/* It has changed since it was opened. */
	if (wire->file_size != object->identity.size)
		return -ESTALE;
	segments = (const void *)reader_take(&reader, wire->segment_count * sizeof(*segments));
	link = (const char *)reader_take(&reader, wire->debug_link_size);
	if (reader.overrun || reader_left(&reader) ||
	    !are_segments(segments, wire->segment_count, object->identity.size))
		return -EBADMSG;
	if (wire->debug_link_size) {
		if (wire->debug_link_size == 1 ||
		    strnlen(link, wire->debug_link_size) + 1 != wire->debug_link_size ||
		    strchr(link, '/'))
			return -EBADMSG;
		object->debug_link = strdup(link);
		if (!object->debug_link)
			return -ENOMEM;
	}
	object->entry = wire->entry;
	object->type = wire->type;
	object->machine = wire->machine;
	object->debug_checksum = wire->debug_checksum;
	object->build_id_size = wire->build_id_size;
	memcpy(object->build_id, wire->build_id, wire->build_id_size);
	return take_segments(object, segments, wire->segment_count);
}

/* ---- tables ---- */

int answer_table(struct unwind_table *ret, struct table_figures *figures, const unsigned char *data,
		 size_t size)
{
	struct reader reader = reader_of(data, size);
	const struct wire_table_head *head = (const void *)reader_take(&reader, sizeof(*head));
	struct unwind_table table = {};
	int r;

	if (!head)
		return -EBADMSG;
	*figures = (struct table_figures){ head->unsupported, head->broken };
	if (head->no_rows)
		return ANSWER_NO_ROWS;
	if (head->rule_count > 1 + RULES_PER_TABLE || head->page_count > PAGES_PER_TABLE)
		return -EBADMSG;
	table.first_page = head->first_page;
	table.row_count = head->row_count;
	table.dropped_rules = head->dropped_rules;
	r = TAKE_ARRAY(&table.rules, &reader, head->rule_count);
	if (r == 0)
		r = TAKE_ARRAY(&table.block_offset, &reader, head->page_count);
	if (r == 0)
		r = TAKE_ARRAY(&table.block_size, &reader, head->page_count);
	if (r == 0)
		r = TAKE_ARRAY(&table.blocks, &reader, head->block_bytes);
	if (r == 0 && reader_left(&reader))
		r = -EBADMSG;
	if (r == 0)
		r = unwind_table_check(&table);
	if (r < 0) {
		unwind_table_fini(&table);
		return r;
	}
	*ret = table;
	return 0;
}

/* ---- names ---- */

/* The text at an offset. texts: its last byte is a NUL. */
static bool find_text(const char **ret, const char *texts, uint32_t size, uint32_t offset)
{
	if (offset >= size)
		return false;
	*ret = texts + offset;
	return true;
}

static bool take_line(struct name_line *ret, const struct wire_name *wire, const char *texts,
		      uint32_t size)
{
	*ret = (struct name_line){ .kind = (enum wire_name_kind)wire->kind,
				   .start = wire->start,
				   .name = "",
				   .system_name = "",
				   .file = "",
				   .line = wire->line,
				   .start_line = wire->start_line };
	if (wire->kind >= WIRE_NAME_KINDS)
		return false;
	if (wire->kind != WIRE_NAME_SYMBOL)
		return true;
	return find_text(&ret->name, texts, size, wire->name) && ret->name[0] &&
	       find_text(&ret->system_name, texts, size, wire->system_name) &&
	       ret->system_name[0] && find_text(&ret->file, texts, size, wire->file);
}

/* Adds the size of one of a line's texts. Returns whether it is not too long. */
static bool add_size(uint32_t *size, const char *text)
{
	size_t length = strnlen(text, MAX_TEXT_BYTES + 1);

	*size += (uint32_t)length;
	return length <= MAX_TEXT_BYTES;
}

/*
 * How long the texts of each line are, all three. They may overlap, so that a small answer would stand
 * for terabytes of names to keep. Returns false for what no honest reader says.
 */
static bool measure_lines(uint32_t *ret, const struct wire_name *lines, uint32_t count,
			  const char *texts, uint32_t size)
{
	struct name_line line;
	size_t all = 0;

	for (uint32_t i = 0; i < count; i++) {
		ret[i] = 0;
		if (!take_line(&line, &lines[i], texts, size) || !add_size(&ret[i], line.name) ||
		    !add_size(&ret[i], line.system_name) || !add_size(&ret[i], line.file))
			return false;
		all += ret[i];
		if (all > ANSWER_BYTES_MAX)
			return false;
	}
	return true;
}

/* The lines of an answer, and which of them each address has. */
struct names_answer {
	const struct wire_names *names;
	const struct wire_name *lines;
	const uint32_t *order;
	const char *texts;
};

static int check_names(const struct names_answer *answer, const struct wire_names_head *head)
{
	cleanup(free) uint32_t *sizes = malloc(head->name_count * sizeof(*sizes) + 1);
	size_t told = 0;

	if (!sizes)
		return -ENOMEM;
	if (!measure_lines(sizes, answer->lines, head->name_count, answer->texts, head->text_bytes))
		return -EBADMSG;
	for (uint32_t i = 0; i < head->order_count; i++)
		if (answer->order[i] >= head->name_count)
			return -EBADMSG;
	for (uint32_t i = 0; i < head->address_count; i++) {
		const struct wire_names *names = &answer->names[i];

		if (names->count == 0 || names->count > MAX_LINES ||
		    names->first > head->order_count ||
		    names->count > head->order_count - names->first)
			return -EBADMSG;
		for (uint32_t k = 0; k < names->count; k++)
			told += sizes[answer->order[names->first + k]];
	}
	return told <= MAX_TOLD_BYTES ? 0 : -EBADMSG;
}

int answer_names(const unsigned char *data, size_t size, uint32_t address_count,
		 uint32_t *ret_answered, name_fn name, void *context)
{
	struct reader reader = reader_of(data, size);
	const struct wire_names_head *head = (const void *)reader_take(&reader, sizeof(*head));
	struct name_line found[MAX_LINES];
	struct names_answer answer;
	int r;

	if (!head || head->address_count > address_count ||
	    (head->address_count == 0 && address_count > 0))
		return -EBADMSG;
	address_count = head->address_count;
	answer.names =
		(const void *)reader_take(&reader, head->address_count * sizeof(*answer.names));
	answer.lines = (const void *)reader_take(&reader, head->name_count * sizeof(*answer.lines));
	answer.order =
		(const void *)reader_take(&reader, head->order_count * sizeof(*answer.order));
	answer.texts = (const char *)reader_take(&reader, head->text_bytes);
	if (reader.overrun || reader_left(&reader) ||
	    (head->text_bytes && answer.texts[head->text_bytes - 1]))
		return -EBADMSG;
	r = check_names(&answer, head);
	*ret_answered = address_count;
	for (uint32_t i = 0; i < address_count && r >= 0; i++) {
		const struct wire_names *names = &answer.names[i];

		for (uint32_t k = 0; k < names->count; k++)
			(void)take_line(&found[k], &answer.lines[answer.order[names->first + k]],
					answer.texts, head->text_bytes);
		r = name(context, i, found, names->count);
	}
	return r < 0 ? r : 0;
}

/* ---- calls ---- */

int answer_calls(uint64_t *ret, uint32_t count, const unsigned char *data, size_t size)
{
	if (size != count * sizeof(*ret))
		return -EBADMSG;
	if (size)
		memcpy(ret, data, size);
	return 0;
}

/* ---- what ld.so is asked for ---- */

int answer_needed(struct needed *ret, const unsigned char *data, size_t size)
{
	struct reader reader = reader_of(data, size);
	const struct wire_needed *wire = (const void *)reader_take(&reader, sizeof(*wire));
	cleanup(needed_fini) struct needed needed = {};
	const char *texts;
	bool good;
	int r;

	if (!wire || wire->name_count > NEEDED_MAX_NAMES)
		return -EBADMSG;
	r = TAKE_ARRAY(&needed.names, &reader, wire->name_count);
	if (r < 0)
		return r;
	texts = (const char *)reader_take(&reader, wire->text_bytes);
	/* The first text is "", which an absent one refers to. */
	good = texts && reader_left(&reader) == 0 &&
	       (wire->text_bytes == 0 || (!texts[0] && !texts[wire->text_bytes - 1]));
	needed.soname = wire->soname;
	needed.rpath = wire->rpath;
	needed.runpath = wire->runpath;
	needed.interpreter = wire->interpreter;
	for (uint32_t i = 0; i < needed.names.count; i++)
		good = good && needed.names.at[i] < wire->text_bytes;
	good = good && (!needed.soname || needed.soname < wire->text_bytes) &&
	       (!needed.rpath || needed.rpath < wire->text_bytes) &&
	       (!needed.runpath || needed.runpath < wire->text_bytes) &&
	       (!needed.interpreter || needed.interpreter < wire->text_bytes);
	if (!good)
		return -EBADMSG;
	bytes_add(&needed.texts, texts, wire->text_bytes);
	if (needed.texts.failed)
		return -ENOMEM;
	*ret = needed;
	needed = (struct needed){};
	return 0;
}

/* ---- where memory is given out ---- */

static bool is_register(uint32_t number, bool absent)
{
	return number < REGISTERS || (absent && number == REGISTER_NONE);
}

static bool is_site(const struct wire_allocation_site *wire)
{
	return wire->function < ALLOCATION_FUNCTIONS && wire->outcome < ALLOCATION_OUTCOMES &&
	       wire->flags <= (ALLOCATION_NULL_LEADS_ON | ALLOCATION_SMALL_LEADS_ON) &&
	       wire->stack_moved <= ALLOCATION_STACK_MAX && wire->address >= wire->entry &&
	       wire->address - wire->entry < ALLOCATION_PROLOGUE_BYTES &&
	       is_register(wire->size_register, wire->outcome != ALLOCATION_SITE) &&
	       is_register(wire->other_register, true) &&
	       is_register(wire->result_register, true) && wire->may_throw <= 1;
}

int answer_allocator(struct allocator *ret, const unsigned char *data, size_t size)
{
	struct reader reader = reader_of(data, size);
	const struct wire_allocator *wire = (const void *)reader_take(&reader, sizeof(*wire));
	cleanup(allocator_fini) struct allocator allocator = {};
	const struct wire_allocation_site *sites;
	int r;

	if (!wire || wire->site_count > ALLOCATION_SITES_MAX ||
	    wire->slot_count > ALLOCATION_SLOTS_MAX)
		return -EBADMSG;
	allocator.prefixed = wire->prefixed;
	allocator.calls_new = wire->calls_new;
	sites = (const void *)reader_take(&reader, wire->site_count * sizeof(*sites));
	r = TAKE_ARRAY(&allocator.slots, &reader, wire->slot_count);
	if (r == 0 && (reader.overrun || reader_left(&reader)))
		r = -EBADMSG;
	if (r == 0 && !array_reserve(&allocator.sites, wire->site_count))
		r = -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < wire->site_count; i++) {
		if (!is_site(&sites[i]))
			return -EBADMSG;
		allocator.sites.at[allocator.sites.count++] = (struct allocation_site){
			.entry = sites[i].entry,
			.address = sites[i].address,
			.function = (enum allocation_function)sites[i].function,
			.outcome = (enum allocation_outcome)sites[i].outcome,
			.flags = sites[i].flags,
			.size_register = (uint8_t)sites[i].size_register,
			.other_register = (uint8_t)sites[i].other_register,
			.result_register = (uint8_t)sites[i].result_register,
			.may_throw = sites[i].may_throw,
			.stack_moved = sites[i].stack_moved,
		};
	}
	if (r < 0)
		return r;
	*ret = allocator;
	allocator = (struct allocator){};
	return 0;
}
