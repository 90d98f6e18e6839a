// SPDX-License-Identifier: Apache-2.0
/*
 * A whole object file, asked about as the reader process is: what the reader says of any file is
 * believed by who asked.
 */
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "elf/call_sites.h"
#include "memory_file.h"
#include "reader/reader.h"
#include "worker/answers.h"
#include "worker/code_listing.h"

enum { MAX_ADDRESSES = 96, ADDRESSES_OF_SEGMENT = 24 };

static int ask(struct reader_state *state, int file, uint32_t what, const void *payload,
	       size_t size, struct reply *reply)
{
	const struct question question = { .what = what, .object = 1, .has_object = 1 };
	/* Its own debug file, too: it has the build ID. */
	int fds[] = { memory_file_again(file), memory_file_again(file) }, r;

	*reply = (struct reply){};
	r = reader_answer(state, &question, payload, size, fds, ARRAY_SIZE(fds), reply);
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	FUZZ_CHECK(!reply->bytes.failed && reply->fd_count == 0);
	return r;
}

static const unsigned char *bytes_of(const struct reply *reply)
{
	return (const unsigned char *)reply->bytes.at;
}

/* NULL: the reader does not take it for an object. */
static struct object *ask_object(struct reader_state *state, int file)
{
	struct object *object;
	struct reply reply;
	struct stat st;

	if (ask(state, file, READER_OBJECT, NULL, 0, &reply) != 0)
		return NULL;
	object = object_new(-1, "/folder/file");
	FUZZ_CHECK(object && fstat(file, &st) == 0);
	object->identity = object_identity_of(&st);
	FUZZ_CHECK(answer_object(object, bytes_of(&reply), reply.bytes.size) == 0);
	bytes_fini(&reply.bytes);
	return object;
}

static void ask_table(struct reader_state *state, int file)
{
	struct unwind_table table = {};
	struct table_figures figures;
	struct reply reply;

	if (ask(state, file, READER_TABLE, NULL, 0, &reply) == 0)
		FUZZ_CHECK(answer_table(&table, &figures, bytes_of(&reply), reply.bytes.size) >= 0);
	unwind_table_fini(&table);
	bytes_fini(&reply.bytes);
}

static int check_name(void *context, uint32_t number, const struct name_line *lines,
		      uint32_t line_count)
{
	(void)context;
	(void)number;
	for (uint32_t i = 0; i < line_count; i++)
		FUZZ_CHECK(strlen(lines[i].name) <= 16384 && strlen(lines[i].system_name) <= 16384);
	return 0;
}

static void ask_names(struct reader_state *state, int file, const struct object *object)
{
	uint32_t answered;
	struct {
		struct wire_names_question head;
		uint64_t addresses[MAX_ADDRESSES];
	} question = { .head.files = WIRE_DEBUG_FILES, .head.lines = 1 };
	struct reply reply;
	uint32_t count = 0;

	question.addresses[count++] = object->entry;
	for (uint32_t i = 0; i < object->segments.count; i++) {
		const struct object_segment *segment = &object->segments.at[i];

		for (uint64_t k = 0; k < ADDRESSES_OF_SEGMENT && segment->executable; k++)
			if (count < MAX_ADDRESSES)
				question.addresses[count++] =
					segment->address +
					k * (segment->memory_size / ADDRESSES_OF_SEGMENT + 1);
	}
	question.head.address_count = count;
	if (ask(state, file, READER_NAMES, &question,
		sizeof(question.head) + count * sizeof(uint64_t), &reply) == 0)
		FUZZ_CHECK(answer_names(bytes_of(&reply), reply.bytes.size, count, &answered, check_name,
					NULL) == 0);
	bytes_fini(&reply.bytes);
}

static void ask_calls(struct reader_state *state, int file, const struct object *object)
{
	uint64_t addresses[ADDRESSES_OF_SEGMENT], calls[ADDRESSES_OF_SEGMENT];
	struct reply reply;

	for (uint32_t i = 0; i < ARRAY_SIZE(addresses); i++)
		addresses[i] = object->segments.at[0].address + 5 * i + i % 3;
	if (ask(state, file, READER_CALLS, addresses, sizeof(addresses), &reply) == 0) {
		FUZZ_CHECK(answer_calls(calls, ARRAY_SIZE(calls), bytes_of(&reply),
					reply.bytes.size) == 0);
		for (uint32_t i = 0; i < ARRAY_SIZE(calls); i++)
			FUZZ_CHECK(calls[i] == CALL_NONE || calls[i] == CALL_INDIRECT ||
				   object_segment_of(object, calls[i]));
	}
	bytes_fini(&reply.bytes);
}

static void ask_code(struct reader_state *state, int file, const struct object *object)
{
	uint64_t addresses[] = { object->entry, object->segments.at[0].address,
				 object->segments.at[object->segments.count - 1].address + 64 };

	for (uint32_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct code_listing code = {};
		struct reply reply;

		if (ask(state, file, READER_CODE, &addresses[i], sizeof(addresses[i]), &reply) == 0)
			FUZZ_CHECK(answer_code(&code, addresses[i], bytes_of(&reply),
					       reply.bytes.size) == 0);
		code_listing_fini(&code);
		bytes_fini(&reply.bytes);
	}
}

static void ask_needed(struct reader_state *state, int file)
{
	struct needed needed = {};
	struct reply reply;

	if (ask(state, file, READER_NEEDED, NULL, 0, &reply) == 0)
		FUZZ_CHECK(answer_needed(&needed, bytes_of(&reply), reply.bytes.size) == 0);
	needed_fini(&needed);
	bytes_fini(&reply.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader_state *state = reader_state_new();
	int file = memory_file(data, size);
	struct object *object;

	FUZZ_CHECK(state);
	object = ask_object(state, file);
	if (object) {
		ask_table(state, file);
		ask_names(state, file, object);
		ask_calls(state, file, object);
		ask_code(state, file, object);
		ask_needed(state, file);
	}
	object_unref(object);
	reader_state_free(state);
	return 0;
}
