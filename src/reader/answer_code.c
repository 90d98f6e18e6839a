// SPDX-License-Identifier: Apache-2.0
/* The instructions of a function. */
#include "reader/state.h"

#include <elf.h>
#include <errno.h>

#include "base/array.h"
#include "base/fs.h"
#include "elf/disassembly.h"
#include "symbol/demangle.h"
#include "symbol/object_names.h"

struct code_answer {
	struct object_names *names;
	ARRAY_OF(struct wire_instruction) instructions;
	struct bytes texts;
	uint64_t start, end;
};

static void code_answer_fini_cleanup(struct code_answer *answer)
{
	array_fini(&answer->instructions);
	bytes_fini(&answer->texts);
}

/* Appends the readable name of what is at an address, or nothing. Returns 0 or -ENOMEM. */
static int add_name(struct code_answer *answer, uint64_t address)
{
	cleanup(bytes_fini) struct bytes name = {}, readable = {};
	struct found_function found;
	int r = object_names_find(answer->names, address, &found);

	if (r == 0)
		r = object_names_text(answer->names, &found, &name);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (!bytes_str(&name))
		return -ENOMEM;
	r = demangle(&readable, name.at);
	if (r == -ENOMEM)
		return r;
	bytes_add_str(&answer->texts,
		      readable.size && bytes_str(&readable) ? readable.at : name.at);
	return 0;
}

static int add_instruction(struct code_answer *answer, const unsigned char *code, size_t size,
			   uint64_t address, uint32_t *ret_length)
{
	struct wire_instruction *instruction = array_push(&answer->instructions);
	char text[DISASSEMBLY_TEXT_BYTES];
	uint64_t target;
	int r = disassemble(text, &target, code, size, address);

	if (!instruction)
		return -ENOMEM;
	if (r < 0)
		return r;
	*ret_length = (size_t)r < size ? (uint32_t)r : (uint32_t)size;
	*instruction = (struct wire_instruction){ .address = address,
						  .text = (uint32_t)answer->texts.size,
						  .length = *ret_length };
	bytes_add_str(&answer->texts, text);
	r = 0;
	if (target && (target < answer->start || target >= answer->end)) {
		size_t before = answer->texts.size;

		bytes_add_str(&answer->texts, " <");
		r = add_name(answer, target);
		if (answer->texts.size == before + 2)
			answer->texts.size = before;
		else
			bytes_add_char(&answer->texts, '>');
	}
	bytes_add_char(&answer->texts, '\0');
	return answer->texts.failed ? -ENOMEM : r;
}

static int decode_all(struct code_answer *answer, const struct object *object)
{
	size_t size = (size_t)(answer->end - answer->start);
	const struct object_segment *segment = object_segment_of(object, answer->start);
	cleanup(free) unsigned char *code = malloc(size + 1);
	int r;

	if (!code)
		return -ENOMEM;
	if (!segment || answer->start - segment->address + size > segment->file_size)
		return WIRE_CODE_UNKNOWN;
	r = fs_read_at(object->fd, code, size,
		       (off_t)(segment->file_offset + (answer->start - segment->address)));
	for (size_t at = 0; r == 0 && at < size;) {
		uint32_t length = 1;

		r = add_instruction(answer, code + at, size - at, answer->start + at, &length);
		at += length;
	}
	return r == -EOPNOTSUPP ? WIRE_CODE_NO_DECODER : r;
}

int reader_answer_code(struct known_object *known, const void *payload, size_t size,
		       struct reply *reply)
{
	const uint64_t *address = payload;
	cleanup(code_answer_fini) struct code_answer answer = {};
	struct wire_code_head head = {};
	int r;

	if (size != sizeof(*address))
		return -EBADMSG;
	if (known->object->machine != EM_X86_64)
		return WIRE_CODE_NO_DECODER;
	/* Debug files come with questions about names, which are asked first. */
	if (!known->names && object_names_new(&known->names, known->object, NULL, 0) < 0)
		return -ENOMEM;
	answer.names = known->names;
	r = object_names_extent(known->names, *address, &answer.start, &answer.end);
	if (r < 0)
		return r == -ENOMEM ? r : WIRE_CODE_UNKNOWN;
	if (answer.end - answer.start > WIRE_CODE_BYTES_MAX)
		return WIRE_CODE_TOO_LONG;
	r = add_name(&answer, *address);
	bytes_add_char(&answer.texts, '\0');
	if (r == 0)
		r = decode_all(&answer, known->object);
	if (r != 0)
		return r;
	head = (struct wire_code_head){ .start = answer.start,
					.end = answer.end,
					.instruction_count = answer.instructions.count,
					.text_bytes = (uint32_t)answer.texts.size };
	bytes_add(&reply->bytes, &head, sizeof(head));
	bytes_add(&reply->bytes, answer.instructions.at,
		  answer.instructions.count * sizeof(*answer.instructions.at));
	bytes_add(&reply->bytes, answer.texts.at, answer.texts.size);
	return reply->bytes.failed ? -ENOMEM : 0;
}
