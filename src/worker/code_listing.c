// SPDX-License-Identifier: Apache-2.0
#include "worker/code_listing.h"

#include <errno.h>

#include "base/cleanup.h"

enum { INSTRUCTION_BYTES_MAX = 15 };

void code_listing_fini(struct code_listing *listing)
{
	array_fini(&listing->instructions);
	bytes_fini(&listing->texts);
	*listing = (struct code_listing){};
}

/* Instructions fill the function, one behind the other, and their texts lie within `text_bytes`. */
static int take_instructions(struct code_listing *listing, const struct wire_instruction *wire,
			     const struct wire_code_head *head)
{
	uint64_t next = head->start;

	if (!array_reserve(&listing->instructions, head->instruction_count))
		return -ENOMEM;
	for (uint32_t i = 0; i < head->instruction_count; i++) {
		if (wire[i].address != next || !wire[i].length ||
		    wire[i].length > INSTRUCTION_BYTES_MAX || wire[i].text >= head->text_bytes)
			return -EBADMSG;
		next += wire[i].length;
		*array_push(&listing->instructions) =
			(struct code_instruction){ wire[i].address, wire[i].length, wire[i].text };
	}
	return next == head->end ? 0 : -EBADMSG;
}

int answer_code(struct code_listing *ret, uint64_t address, const unsigned char *data, size_t size)
{
	struct reader reader = reader_of(data, size);
	const struct wire_code_head *head = (const void *)reader_take(&reader, sizeof(*head));
	cleanup(code_listing_fini) struct code_listing listing = {};
	const struct wire_instruction *wire;
	const char *texts;
	int r;

	if (!head || head->start > address || head->end <= address ||
	    head->end - head->start > WIRE_CODE_BYTES_MAX)
		return -EBADMSG;
	wire = (const void *)reader_take(&reader, head->instruction_count * sizeof(*wire));
	texts = (const char *)reader_take(&reader, head->text_bytes);
	if (reader.overrun || reader_left(&reader) || !head->text_bytes ||
	    texts[head->text_bytes - 1])
		return -EBADMSG;
	r = take_instructions(&listing, wire, head);
	if (r < 0)
		return r;
	bytes_add(&listing.texts, texts, head->text_bytes);
	if (listing.texts.failed)
		return -ENOMEM;
	listing.start = head->start;
	listing.end = head->end;
	*ret = listing;
	listing = (struct code_listing){};
	return 0;
}
