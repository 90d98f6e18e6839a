// SPDX-License-Identifier: Apache-2.0
/*
 * pprof: google/pprof proto/profile.proto as gzip.
 *
 * Written so that the strictest of its readers is content: ids are 1..n in table order (Parca), all
 * strings valid UTF-8 and no '-' in the names of sample types (Pyroscope), every location has a
 * mapping (Pyroscope drops the others without a word) and a line, and no label is a bare 0, which
 * Go's tool cannot tell from no label at all.
 *
 * A profile that was read from pprof is written as it was (meta.verbatim), whoever can read it.
 *
 * A name equal to its system_name would be demangled again by Go's tool; where the two differ it
 * is left as it is.
 */
#include "output/formats.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "output/escape.h"
#include "profile/pprof_fields.h"

struct encoder {
	const struct profile *profile;
	struct strtab strings; /* clean; the order of the string table */
	uint32_t *clean;       /* id in the profile → id in `strings` + 1, 0: not yet */
	uint32_t *mapping_ids; /* mapping → its id in the file, 0: it is left out */
	struct bytes out;
	struct bytes message, nested, scratch;
	int error;
};

static void encoder_fini_cleanup(struct encoder *encoder)
{
	strtab_fini(&encoder->strings);
	free(encoder->clean);
	free(encoder->mapping_ids);
	bytes_fini(&encoder->out);
	bytes_fini(&encoder->message);
	bytes_fini(&encoder->nested);
	bytes_fini(&encoder->scratch);
}

static void add_varint(struct bytes *bytes, uint64_t value)
{
	char out[10];
	size_t size = 0;

	for (; value >= 0x80; value >>= 7)
		out[size++] = (char)(value | 0x80);
	out[size++] = (char)value;
	bytes_add(bytes, out, size);
}

enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

/* A number of 0 is the default, which proto3 does not write. */
static void add_number(struct bytes *bytes, unsigned field, uint64_t value)
{
	if (!value)
		return;
	add_varint(bytes, field << 3 | WIRE_VARINT);
	add_varint(bytes, value);
}

static void add_bytes(struct bytes *bytes, unsigned field, const void *data, size_t size)
{
	add_varint(bytes, field << 3 | WIRE_BYTES);
	add_varint(bytes, size);
	bytes_add(bytes, data, size);
}

/* Puts what was collected in `message` into the profile, and empties it. */
static void end_message(struct encoder *encoder, unsigned field)
{
	add_bytes(&encoder->out, field, encoder->message.at, encoder->message.size);
	encoder->message.size = 0;
}

static uint64_t add_text(struct encoder *encoder, const char *text)
{
	uint32_t id = 0;

	encoder->scratch.size = 0;
	escape_clean(&encoder->scratch, text);
	text = bytes_str(&encoder->scratch);
	if (!text || strtab_add_str(&encoder->strings, &id, text) < 0)
		encoder->error = -ENOMEM;
	return id;
}

static uint64_t string_of(struct encoder *encoder, uint32_t id)
{
	if (!encoder->clean[id])
		encoder->clean[id] =
			(uint32_t)add_text(encoder, profile_text(encoder->profile, id)) + 1;
	return encoder->clean[id] - 1;
}

/* Adds it with everything but letters, digits and what `also` holds as '_'. */
static uint64_t add_word(struct encoder *encoder, const char *text, const char *also)
{
	char word[128];
	size_t size = 0;

	for (; *text && size + 1 < sizeof(word); text++)
		word[size++] = isalnum((unsigned char)*text) || strchr(also, *text) ? *text : '_';
	word[size] = '\0';
	return add_text(encoder, word);
}

/* A name by which readers know something, as the strictest of them wants it. */
static uint64_t word_of(struct encoder *encoder, uint32_t id, const char *also)
{
	if (encoder->profile->meta.verbatim)
		return string_of(encoder, id);
	return add_word(encoder, profile_text(encoder->profile, id), also);
}

static void add_type(struct encoder *encoder, unsigned field, const struct profile_type *type)
{
	add_number(&encoder->message, VALUE_TYPE_TYPE, word_of(encoder, type->name, "_.:@"));
	add_number(&encoder->message, VALUE_TYPE_UNIT, string_of(encoder, type->unit));
	end_message(encoder, field);
}

static void add_label(struct encoder *encoder, const struct profile_label *label)
{
	struct bytes *nested = &encoder->nested;

	if (!label->is_number && !label->text) /* says nothing, and readers differ about it */
		return;
	nested->size = 0;
	add_number(nested, LABEL_KEY, word_of(encoder, label->key, "_."));
	if (!label->is_number) {
		add_number(nested, LABEL_STR, string_of(encoder, label->text));
	} else if (!label->number && !label->unit) {
		/* Neither a number nor a unit would be left of it: see the head of this file. */
		add_number(nested, LABEL_STR, add_text(encoder, "0"));
	} else {
		add_number(nested, LABEL_NUM, (uint64_t)label->number);
		add_number(nested, LABEL_NUM_UNIT, string_of(encoder, label->unit));
	}
	add_bytes(&encoder->message, SAMPLE_LABEL, nested->at, nested->size);
}

static void add_sample(struct encoder *encoder, uint32_t index)
{
	const struct profile *profile = encoder->profile;
	const struct profile_sample *sample = &profile->samples.at[index];
	struct profile_run stack = profile->stacks.at[sample->stack];
	struct profile_run labels = profile->label_sets.at[sample->labels];
	struct bytes *nested = &encoder->nested;

	/* Repeated numbers are packed. */
	nested->size = 0;
	for (uint32_t i = 0; i < stack.count; i++)
		add_varint(nested, profile->stack_locations.at[stack.first + i] + 1ULL);
	if (nested->size)
		add_bytes(&encoder->message, SAMPLE_LOCATION_ID, nested->at, nested->size);
	nested->size = 0;
	for (uint32_t i = 0; i < profile->types.count; i++)
		add_varint(nested, (uint64_t)profile_value(profile, index, i));
	add_bytes(&encoder->message, SAMPLE_VALUE, nested->at, nested->size);
	for (uint32_t i = 0; i < labels.count; i++)
		add_label(encoder, &profile->label_items.at[labels.first + i]);
	end_message(encoder, PROFILE_SAMPLE);
}

static void add_mapping(struct encoder *encoder, uint32_t index)
{
	const struct profile_mapping *mapping = &encoder->profile->mappings.at[index];
	struct bytes *message = &encoder->message;

	if (!encoder->mapping_ids[index])
		return;
	add_number(message, MAPPING_ID, encoder->mapping_ids[index]);
	add_number(message, MAPPING_START, mapping->start);
	add_number(message, MAPPING_LIMIT, mapping->limit);
	add_number(message, MAPPING_OFFSET, mapping->file_offset);
	add_number(message, MAPPING_FILENAME, string_of(encoder, mapping->file));
	add_number(message, MAPPING_BUILD_ID, string_of(encoder, mapping->build_id));
	add_number(message, MAPPING_HAS_FUNCTIONS, mapping->has_functions);
	add_number(message, MAPPING_HAS_FILENAMES, mapping->has_files);
	add_number(message, MAPPING_HAS_LINE_NUMBERS, mapping->has_lines);
	add_number(message, MAPPING_HAS_INLINE_FRAMES, mapping->has_inlines);
	end_message(encoder, PROFILE_MAPPING);
}

static void add_location(struct encoder *encoder, uint32_t index)
{
	const struct profile_location *location = &encoder->profile->locations.at[index];
	struct bytes *message = &encoder->message, *nested = &encoder->nested;
	/* Where there was no name, others may find one. */
	bool is_nameless = encoder->profile->meta.verbatim && !location->named &&
			   location->kind != LOCATION_NOTE;
	uint32_t line_count = is_nameless ? 0 : location->line_count;

	add_number(message, LOCATION_ID, index + 1ULL);
	add_number(message, LOCATION_MAPPING_ID, encoder->mapping_ids[location->mapping]);
	add_number(message, LOCATION_ADDRESS, location->address);
	for (uint32_t i = 0; i < line_count; i++) {
		const struct profile_line *line =
			&encoder->profile->lines.at[location->first_line + i];

		nested->size = 0;
		add_number(nested, LINE_FUNCTION_ID, line->function + 1ULL);
		add_number(nested, LINE_LINE, line->line);
		add_bytes(message, LOCATION_LINE, nested->at, nested->size);
	}
	end_message(encoder, PROFILE_LOCATION);
}

static void add_function(struct encoder *encoder, uint32_t index)
{
	const struct profile_function *function = &encoder->profile->functions.at[index];
	struct bytes *message = &encoder->message;

	add_number(message, FUNCTION_ID, index + 1ULL);
	add_number(message, FUNCTION_NAME, string_of(encoder, function->name));
	add_number(message, FUNCTION_SYSTEM_NAME, string_of(encoder, function->system_name));
	add_number(message, FUNCTION_FILENAME, string_of(encoder, function->file));
	add_number(message, FUNCTION_START_LINE, function->start_line);
	end_message(encoder, PROFILE_FUNCTION);
}

/* What people read about the recording, unless its comments say it already or are all there is. */
static void add_comments(struct encoder *encoder)
{
	const struct profile *profile = encoder->profile;
	const char *texts[] = { profile->meta.title, profile->meta.subtitle,
				profile->meta.quality };
	struct bytes *nested = &encoder->nested;

	nested->size = 0;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		bool said = profile->meta.verbatim || !texts[i] || !*texts[i];

		for (uint32_t k = 0; !said && k < profile->comments.count; k++)
			said = strcmp(profile_text(profile, profile->comments.at[k]),
				      texts[i]) == 0;
		if (!said)
			add_varint(nested, add_text(encoder, texts[i]));
	}
	for (uint32_t i = 0; i < profile->comments.count; i++)
		add_varint(nested, string_of(encoder, profile->comments.at[i]));
	if (nested->size)
		add_bytes(&encoder->out, PROFILE_COMMENT, nested->at, nested->size);
}

static void add_meta(struct encoder *encoder)
{
	const struct profile *profile = encoder->profile;
	const struct profile_meta *meta = &profile->meta;

	if (meta->drop_frames)
		add_number(&encoder->out, PROFILE_DROP_FRAMES, string_of(encoder, meta->drop_frames));
	add_number(&encoder->out, PROFILE_TIME_NANOS, (uint64_t)meta->time_ns);
	add_number(&encoder->out, PROFILE_DURATION_NANOS, (uint64_t)meta->duration_ns);
	if (meta->period_type < profile->types.count)
		add_type(encoder, PROFILE_PERIOD_TYPE, &profile->types.at[meta->period_type]);
	else if (meta->period_of.name || meta->period_of.unit)
		add_type(encoder, PROFILE_PERIOD_TYPE, &meta->period_of);
	add_number(&encoder->out, PROFILE_PERIOD, (uint64_t)meta->period);
	add_comments(encoder);
	if (meta->main_type < profile->types.count)
		add_number(&encoder->out, PROFILE_DEFAULT_SAMPLE_TYPE,
			   word_of(encoder, profile->types.at[meta->main_type].name, "_.:@"));
}

/* Numbers the mappings from 1 on, but for what stands for none in a profile that had locations so. */
static int number_mappings(struct encoder *encoder)
{
	const struct profile *profile = encoder->profile;
	uint32_t count = 0;

	encoder->mapping_ids = calloc(profile->mappings.count + 1ULL, sizeof(uint32_t));
	if (!encoder->mapping_ids)
		return -ENOMEM;
	for (uint32_t i = 0; i < profile->mappings.count; i++) {
		const struct profile_mapping *mapping = &profile->mappings.at[i];

		if (!profile->meta.verbatim || mapping->file || mapping->build_id ||
		    mapping->start || mapping->limit || mapping->file_offset)
			encoder->mapping_ids[i] = ++count;
	}
	return 0;
}

static int pprof_write(const struct profile *profile, struct stream *stream)
{
	cleanup(encoder_fini) struct encoder encoder = { .profile = profile };

	encoder.clean = calloc(profile->strings.offsets.count + 1ULL, sizeof(*encoder.clean));
	if (!encoder.clean || strtab_init(&encoder.strings) < 0 || number_mappings(&encoder) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < profile->types.count; i++)
		add_type(&encoder, PROFILE_SAMPLE_TYPE, &profile->types.at[i]);
	for (uint32_t i = 0; i < profile->samples.count; i++)
		add_sample(&encoder, i);
	for (uint32_t i = 0; i < profile->mappings.count; i++)
		add_mapping(&encoder, i);
	for (uint32_t i = 0; i < profile->locations.count; i++)
		add_location(&encoder, i);
	for (uint32_t i = 0; i < profile->functions.count; i++)
		add_function(&encoder, i);
	add_meta(&encoder);
	for (uint32_t i = 0; i < encoder.strings.offsets.count; i++) {
		const char *text = strtab_get(&encoder.strings, i);

		add_bytes(&encoder.out, PROFILE_STRING_TABLE, text, strlen(text));
	}
	if (encoder.error || encoder.out.failed || encoder.message.failed ||
	    encoder.nested.failed || encoder.scratch.failed)
		return -ENOMEM;
	stream_gzip(stream, encoder.out.at, encoder.out.size);
	return stream->error;
}

const struct writer writer_pprof = {
	.name = "pprof",
	.aliases = { "pb" },
	.extensions = { ".pb.gz", ".pprof" },
	.description = "for go tool pprof, Pyroscope, Parca, speedscope and most others",
	.write = pprof_write,
};
