// SPDX-License-Identifier: Apache-2.0
/*
 * pprof: google/pprof proto/profile.proto, as gzip or without, from whoever wrote it.
 *
 * A file names things by numbers of its own, and may do so before it tells what they are: samples
 * mostly come first, strings last. It is therefore in memory as a whole, and gone over once for each
 * kind of thing, those that others name first. Strings are taken when they are named.
 *
 * What the format forbids is refused where it would change what is shown: a number that nothing has,
 * or two things have, a sample with more or fewer values than there are types. What profd does not
 * know is passed over, for the format may grow.
 */
#include "input/pprof_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "input/pprof_meaning.h"
#include "profile/pprof_fields.h"

static void pprof_free(struct pprof *pprof)
{
	if (!pprof)
		return;
	unpacked_fini(&pprof->file);
	array_fini(&pprof->texts);
	array_fini(&pprof->types);
	array_fini(&pprof->comments);
	array_fini(&pprof->mapping_kinds);
	array_fini(&pprof->source_kinds);
	array_fini(&pprof->flags);
	id_table_fini(&pprof->mapping_ids);
	id_table_fini(&pprof->location_ids);
	id_table_fini(&pprof->function_ids);
	free(pprof);
}
DEFINE_CLEANUP(struct pprof, pprof_free);

/* Calls `read` for each message of the file with this number. what: its name. */
static int for_each(struct pprof *pprof, unsigned number, const char *what,
		    int (*read)(struct pprof *pprof, struct reader message))
{
	struct reader all = reader_of(pprof->file.bytes, pprof->file.size);
	struct protobuf_field field;
	int r = 0;

	pprof->what = what;
	pprof->number = 0;
	/* The fields were read once: they are whole, and of the right kind. */
	while (r == 0 && protobuf_next(&all, &field) == 0) {
		if (field.number != number)
			continue;
		pprof->number++;
		r = read(pprof, field.bytes);
		if (pprof->number % CHECK_ITEMS == 0)
			input_progress_tell(pprof->progress, INPUT_TAKING,
					    pprof->file.size - reader_left(&all),
					    pprof->file.size);
	}
	if (r == 0)
		pprof->what = NULL;
	return r;
}

static int read_types(struct pprof *pprof)
{
	struct profile *profile = pprof->profile;
	struct profile_meta *meta = &profile->meta;
	uint32_t default_name = 0;
	int r = pprof_string(pprof, &default_name, pprof->default_type);

	if (r == 0)
		r = pprof_string(pprof, &meta->drop_frames, pprof->drop_frames);
	for (uint32_t i = 0; r == 0 && i < pprof->types.count; i++) {
		struct profile_type type;
		uint32_t added;

		r = pprof_string(pprof, &type.name, pprof->types.at[i].name);
		if (r == 0)
			r = pprof_string(pprof, &type.unit, pprof->types.at[i].unit);
		if (r != 0)
			return r;
		r = profile_type_add(profile, &added, profile_text(profile, type.name),
				     profile_text(profile, type.unit));
		if (r == 0 && added != i)
			return pprof_refuse(pprof, "two sample types are the same");
	}
	if (r == 0)
		r = pprof_string(pprof, &meta->period_of.name, pprof->period_of.name);
	if (r == 0)
		r = pprof_string(pprof, &meta->period_of.unit, pprof->period_of.unit);
	if (r != 0)
		return r;
	if (!profile->types.count)
		return pprof_refuse(pprof, "no pprof: it has no sample types");
	/* The last one is the default where the file names none; of two with a name it is the first. */
	meta->main_type = profile->types.count - 1;
	for (uint32_t i = profile->types.count; default_name && i-- > 0;)
		if (profile->types.at[i].name == default_name)
			meta->main_type = i;
	return 0;
}

static int read_comments(struct pprof *pprof)
{
	struct profile *profile = pprof->profile;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < pprof->comments.count; i++) {
		uint32_t string;

		r = pprof_string(pprof, &string, pprof->comments.at[i]);
		if (r == 0 && !array_push(&profile->comments))
			return -ENOMEM;
		if (r == 0)
			profile->comments.at[i] = string;
	}
	return r ? r : pprof_meaning_of_comments(profile);
}

/* A note: what stands for frames that are left out. */
static int add_note(struct pprof *pprof, uint32_t *ret, const char *name)
{
	struct profile *profile = pprof->profile;
	struct profile_mapping mapping = {};
	uint32_t in;
	int r = profile_string(profile, &mapping.file, name);

	if (r == 0)
		r = pprof_add_mapping(pprof, &in, &mapping);
	/* Without lines: profile_freeze names it like its mapping. */
	return r ? r : profile_location_append(profile, ret, in, 0, LOCATION_NOTE);
}

static int set_up(struct pprof *pprof)
{
	struct profile_mapping nothing = {};
	uint32_t location;
	int r = id_table_init(&pprof->mapping_ids, pprof->mapping_count);

	if (r == 0)
		r = id_table_init(&pprof->function_ids, pprof->function_count);
	if (r == 0)
		r = id_table_init(&pprof->location_ids, pprof->location_count);
	if (r == 0)
		r = pprof_add_mapping(pprof, &pprof->no_mapping, &nothing);
	if (r == 0)
		r = add_note(pprof, &pprof->deep_location, INPUT_DEEP_NAME);
	if (r == 0)
		r = add_note(pprof, &location, INPUT_FULL_NAME);
	if (r == 0)
		r = profile_stack_add(pprof->profile, &pprof->full_stack, &location, 1);
	return r;
}

static int read_file(struct pprof *pprof)
{
	struct reader all = reader_of(pprof->file.bytes, pprof->file.size);
	struct protobuf_field field;
	uint64_t fields = 0;
	int r;

	while ((r = pprof_next(pprof, &all, &field)) == 0) {
		r = pprof_read_top(pprof, &field);
		if (r == 0)
			r = pprof_check_memory(pprof, ++fields);
		if (r != 0)
			return r;
	}
	r = pprof_ended(r);
	if (r == 0)
		r = pprof_check_memory(pprof, 0);
	if (r == 0)
		r = set_up(pprof);
	if (r == 0)
		r = read_types(pprof);
	if (r == 0)
		r = read_comments(pprof);
	if (r == 0)
		r = for_each(pprof, PROFILE_MAPPING, "mapping", pprof_read_mapping);
	if (r == 0)
		r = for_each(pprof, PROFILE_FUNCTION, "function", pprof_read_function);
	if (r == 0)
		r = for_each(pprof, PROFILE_LOCATION, "location", pprof_read_location);
	if (r == 0)
		r = for_each(pprof, PROFILE_SAMPLE, "sample", pprof_read_sample);
	return r;
}

/* What the file says of its mappings, instead of what was found in it. */
static void restore_flags(struct pprof *pprof)
{
	for (uint32_t i = 0; i < pprof->flags.count; i++) {
		struct profile_mapping *mapping = &pprof->profile->mappings.at[i];
		const struct profile_mapping *flags = &pprof->flags.at[i];

		mapping->has_functions = flags->has_functions;
		mapping->has_files = flags->has_files;
		mapping->has_lines = flags->has_lines;
		mapping->has_inlines = flags->has_inlines;
	}
}

/* Whether a message of one level, as all but samples and locations are, has known fields only. */
static bool looks_like_message(struct reader message)
{
	struct protobuf_field field;
	int r;

	while ((r = protobuf_next(&message, &field)) == 0)
		if (field.number > MAPPING_HAS_INLINE_FRAMES)
			return false;
	return r == PROTOBUF_END;
}

/* Whether a file begins like this: fields that are known, stored as they should be. */
static bool looks_like_pprof(const void *begin, size_t size)
{
	struct reader reader = reader_of(begin, size);
	struct protobuf_field field;
	unsigned messages = 0;
	bool has_strings = false;

	for (unsigned i = 0; i < 16 && protobuf_next(&reader, &field) == 0; i++) {
		bool is_message =
			field.number <= PROFILE_STRING_TABLE || field.number == PROFILE_PERIOD_TYPE;
		bool is_bytes = field.wire == PROTOBUF_BYTES;

		if (field.number > PROFILE_DOC_URL ||
		    (field.wire != PROTOBUF_VARINT && !is_bytes) ||
		    (is_message != is_bytes && field.number != PROFILE_COMMENT))
			return false;
		if (field.number == PROFILE_STRING_TABLE) {
			/* The first one is always empty. */
			if (!has_strings && reader_left(&field.bytes))
				return false;
			has_strings = true;
		} else if (is_message && !looks_like_message(field.bytes)) {
			return false;
		}
		messages += is_message;
	}
	return messages > 0;
}

static int refuse_unpacked(struct pprof *pprof, int outcome)
{
	if (outcome == UNPACK_TOO_LARGE)
		return pprof_refuse(pprof, "%s, %" PRIu64 " MiB", unpack_reason(outcome),
				    pprof->limit_bytes >> 20);
	return pprof_refuse(pprof, "%s", unpack_reason(outcome));
}

static int unpack(struct pprof *pprof, struct lines *lines)
{
	const struct unpacked *file = &pprof->file;
	bool packed;
	const char *begin;
	size_t size;
	int r = lines_peek(lines, &begin, &size, 2);

	if (r < 0)
		return r;
	packed = unpack_is_gzip(begin, size);
	r = unpack_all(&pprof->file, lines, pprof->limit_bytes);
	if (r > 0)
		return refuse_unpacked(pprof, r);
	if (r < 0 || !packed)
		return r;
	if (!file->size)
		return pprof_refuse(pprof, "nothing is in it");
	if (unpack_is_gzip((const char *)file->bytes, file->size))
		return pprof_refuse(pprof, "it is compressed twice: unpack it once, with gunzip");
	if (!looks_like_pprof(file->bytes, file->size))
		return pprof_refuse(pprof, "compressed, but no profile that can be read");
	return 0;
}

static int pprof_read(struct profile *profile, struct lines *lines, uint64_t limit_bytes,
		      struct input_report *report)
{
	cleanup(pprof_free) struct pprof *pprof = calloc(1, sizeof(*pprof));
	int r;

	if (!pprof)
		return -ENOMEM;
	pprof->profile = profile;
	pprof->report = report;
	pprof->limit_bytes = limit_bytes;
	pprof->progress = lines->progress;
	r = unpack(pprof, lines);
	if (r == 0)
		r = read_file(pprof);
	if (r != 0)
		return r;
	restore_flags(pprof);
	pprof_meaning_of_values(profile);
	profile->meta.verbatim = true;
	return 0;
}

/* Text has no other control characters; messages have hardly anything else. */
static bool is_text(const char *begin, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)begin[i] < ' ' && !memchr("\t\n\r", begin[i], 3))
			return false;
	return true;
}

static bool pprof_recognises(const char *begin, size_t size)
{
	return unpack_is_gzip(begin, size) ||
	       (!is_text(begin, size) && looks_like_pprof(begin, size));
}

const struct input input_pprof = {
	.name = "pprof",
	.items = "samples",
	.description = "of profd, Go, perf's converters and most other profilers",
	.recognises = pprof_recognises,
	.read = pprof_read,
};
