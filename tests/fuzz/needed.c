// SPDX-License-Identifier: Apache-2.0
/*
 * A dynamic segment: how many entries, four bytes for each, an interpreter and the string table.
 * What is read is what the entries say, and is believed when the reader tells it.
 */
#include "elf/needed.h"

#include "elf_builder.h"
#include "reader/state.h"
#include "worker/answers.h"

enum { MAX_ENTRIES = 320, INTERPRETER_BYTES = 32, NAMES_BYTES = 65536 };

struct entries {
	Elf64_Dyn at[MAX_ENTRIES + 2];
	uint32_t count;
};

static void take_entries(struct entries *ret, struct reader *reader)
{
	static const int64_t tags[] = { DT_NEEDED,  DT_NEEDED, DT_NEEDED, DT_SONAME, DT_RPATH,
					DT_RUNPATH, DT_STRTAB, DT_STRSZ,  DT_FLAGS,  DT_NULL };
	uint32_t count = reader_u16(reader) % (MAX_ENTRIES + 1);

	ret->count = 2; /* the string table's */
	for (uint32_t i = 0; i < count && reader_left(reader); i++) {
		uint8_t tag = reader_u8(reader), shift = reader_u8(reader);
		uint64_t value = (uint64_t)reader_u16(reader) << shift % 64;

		ret->at[ret->count++] = (Elf64_Dyn){ tags[tag % ARRAY_SIZE(tags)], { value } };
	}
}

static struct object *make_object(struct entries *entries, struct reader *reader,
				  const unsigned char **ret_strings, size_t *ret_size)
{
	static struct elf_builder b;
	const unsigned char *interpreter;
	size_t size = INTERPRETER_BYTES;
	uint64_t at;

	elf_builder_begin(&b);
	if (size > reader_left(reader))
		size = reader_left(reader);
	interpreter = reader_take(reader, size);
	at = elf_builder_add(&b, interpreter, &size);
	elf_builder_segment(&b, PT_INTERP, at, size);
	size = entries->count * sizeof(Elf64_Dyn);
	/* Behind it the string table, which ends the file. */
	*ret_size = reader_left(reader);
	entries->at[0].d_tag = DT_STRTAB;
	entries->at[0].d_un.d_val = ELF_BUILDER_BASE + ((b.size + 7) & ~(size_t)7) + size;
	entries->at[1] = (Elf64_Dyn){ DT_STRSZ, { *ret_size } };
	at = elf_builder_add(&b, entries->at, &size);
	elf_builder_segment(&b, PT_DYNAMIC, at, size);
	at = elf_builder_add(&b, reader->at, ret_size);
	*ret_strings = b.data + (at - sizeof(b.head));
	return elf_builder_object(&b);
}

/* The text at an offset of the string table; "" when there is none. limit: of its bytes. */
static const char *text_at(const unsigned char *strings, size_t size, uint64_t at, size_t limit)
{
	if (at == 0 || at >= size)
		return "";
	return memchr(strings + at, '\0', size - at < limit ? size - at : limit)
		       ? (const char *)strings + at
		       : "";
}

static uint64_t value_of(const struct entries *entries, int64_t tag)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < entries->count && entries->at[i].d_tag != DT_NULL; i++)
		if (entries->at[i].d_tag == tag)
			value = entries->at[i].d_un.d_val;
	return value;
}

/* With the string table as it was made; entries may also say that it is another one. */
static void check_texts(const struct needed *needed, const struct entries *entries,
			const unsigned char *strings, size_t size)
{
	uint32_t found = 0, asked = 0;

	for (uint32_t i = 0; i < entries->count && entries->at[i].d_tag != DT_NULL; i++) {
		const char *text;

		if (entries->at[i].d_tag != DT_NEEDED || asked++ >= NEEDED_MAX_NAMES)
			continue;
		text = text_at(strings, size, entries->at[i].d_un.d_val, 4096);
		if (!*text)
			continue;
		if (found == needed->names.count && needed->texts.size > NAMES_BYTES)
			break;
		FUZZ_CHECK(found < needed->names.count &&
			   strcmp(needed_text(needed, needed->names.at[found]), text) == 0);
		found++;
	}
	FUZZ_CHECK(found == needed->names.count);
	FUZZ_CHECK(strcmp(needed_text(needed, needed->runpath),
			  text_at(strings, size, value_of(entries, DT_RUNPATH), 32768)) == 0);
	FUZZ_CHECK(strcmp(needed_text(needed, needed->soname),
			  text_at(strings, size, value_of(entries, DT_SONAME), 4096)) == 0);
}

static bool same_bytes(const struct bytes *a, const struct bytes *b)
{
	return a->size == b->size && memcmp(a->at, b->at, a->size) == 0;
}

static void check_answer(const struct needed *needed, struct object *object)
{
	struct known_object known = { .object = object };
	struct reply reply = {};
	struct needed told = {};

	FUZZ_CHECK(reader_answer_needed(&known, &reply) == 0);
	FUZZ_CHECK(answer_needed(&told, (unsigned char *)reply.bytes.at, reply.bytes.size) == 0);
	FUZZ_CHECK(same_bytes(&told.texts, &needed->texts));
	FUZZ_CHECK(told.names.count == needed->names.count && told.soname == needed->soname &&
		   told.rpath == needed->rpath && told.runpath == needed->runpath &&
		   told.interpreter == needed->interpreter);
	needed_fini(&told);
	bytes_fini(&reply.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader reader = reader_of(data, size);
	const unsigned char *strings;
	struct entries entries;
	struct needed needed;
	struct object *object;
	size_t strings_size;

	take_entries(&entries, &reader);
	object = make_object(&entries, &reader, &strings, &strings_size);
	FUZZ_CHECK(needed_read(&needed, object) == 0);
	FUZZ_CHECK(needed.texts.size && !needed.texts.at[0] &&
		   !needed.texts.at[needed.texts.size - 1]);
	FUZZ_CHECK(needed.names.count <= NEEDED_MAX_NAMES);
	if (value_of(&entries, DT_STRTAB) == entries.at[0].d_un.d_val &&
	    value_of(&entries, DT_STRSZ) == entries.at[1].d_un.d_val)
		check_texts(&needed, &entries, strings, strings_size);
	check_answer(&needed, object);
	needed_fini(&needed);
	object_unref(object);
	return 0;
}
