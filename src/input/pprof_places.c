// SPDX-License-Identifier: Apache-2.0
/* Mappings, functions and locations of pprof. */
#include "input/pprof_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "input/frame_kind.h"
#include "profile/pprof_fields.h"

static int add_id(struct pprof *pprof, struct id_table *table, uint64_t id, uint32_t position)
{
	int r;

	if (!id)
		return pprof_refuse(pprof, "it has no number");
	r = id_table_add(table, id, position);
	return r == ID_TABLE_TAKEN
		       ? pprof_refuse(pprof, "its number, %" PRIu64 ", is another one's", id)
		       : r;
}

int pprof_add_mapping(struct pprof *pprof, uint32_t *ret, const struct profile_mapping *mapping)
{
	struct profile *profile = pprof->profile;
	int r = profile_mapping_add(profile, ret, mapping);
	signed char *kind;
	struct profile_mapping *flags;

	if (r != 0 || *ret < pprof->mapping_kinds.count)
		return r;
	kind = array_push(&pprof->mapping_kinds);
	flags = array_push(&pprof->flags);
	if (!kind || !flags)
		return -ENOMEM;
	*kind = (signed char)frame_kind_of_mapping(profile_text(profile, mapping->file));
	*flags = *mapping;
	return 0;
}

int pprof_read_mapping(struct pprof *pprof, struct reader message)
{
	struct profile_mapping mapping = {};
	struct protobuf_field field;
	uint64_t id = 0, number = 0;
	uint32_t added;
	int r = 0;

	while ((r = pprof_next(pprof, &message, &field)) == 0) {
		switch (field.number) {
		case MAPPING_ID:
			r = pprof_number(pprof, &field, &id);
			break;
		case MAPPING_START:
			r = pprof_number(pprof, &field, &mapping.start);
			break;
		case MAPPING_LIMIT:
			r = pprof_number(pprof, &field, &mapping.limit);
			break;
		case MAPPING_OFFSET:
			r = pprof_number(pprof, &field, &mapping.file_offset);
			break;
		case MAPPING_FILENAME:
			r = pprof_take_string(pprof, &field, &mapping.file);
			break;
		case MAPPING_BUILD_ID:
			r = pprof_take_string(pprof, &field, &mapping.build_id);
			break;
		case MAPPING_HAS_FUNCTIONS:
		case MAPPING_HAS_FILENAMES:
		case MAPPING_HAS_LINE_NUMBERS:
		case MAPPING_HAS_INLINE_FRAMES:
			r = pprof_number(pprof, &field, &number);
			if (r != 0)
				break;
			*(field.number == MAPPING_HAS_FUNCTIONS	     ? &mapping.has_functions
			  : field.number == MAPPING_HAS_FILENAMES    ? &mapping.has_files
			  : field.number == MAPPING_HAS_LINE_NUMBERS ? &mapping.has_lines
								     : &mapping.has_inlines) =
				number != 0;
			break;
		}
		if (r != 0)
			return r;
	}
	r = pprof_ended(r);
	if (r == 0)
		r = pprof_check_memory(pprof, pprof->number);
	if (r == 0)
		r = pprof_add_mapping(pprof, &added, &mapping);
	return r ? r : add_id(pprof, &pprof->mapping_ids, id, added);
}

int pprof_read_function(struct pprof *pprof, struct reader message)
{
	struct profile_function function = {};
	struct profile *profile = pprof->profile;
	struct protobuf_field field;
	signed char *kind;
	uint64_t id = 0;
	uint32_t added;
	int r = 0;

	while ((r = pprof_next(pprof, &message, &field)) == 0) {
		switch (field.number) {
		case FUNCTION_ID:
			r = pprof_number(pprof, &field, &id);
			break;
		case FUNCTION_NAME:
			r = pprof_take_string(pprof, &field, &function.name);
			break;
		case FUNCTION_SYSTEM_NAME:
			r = pprof_take_string(pprof, &field, &function.system_name);
			break;
		case FUNCTION_FILENAME:
			r = pprof_take_string(pprof, &field, &function.file);
			break;
		case FUNCTION_START_LINE:
			r = pprof_small(pprof, &field, &function.start_line);
			break;
		}
		if (r != 0)
			return r;
	}
	r = pprof_ended(r);
	if (r == 0)
		r = pprof_check_memory(pprof, pprof->number);
	/* Some have only what the system calls it. */
	if (!function.name)
		function.name = function.system_name;
	if (r == 0)
		r = profile_function_append(profile, &added, &function);
	if (r != 0)
		return r;
	kind = array_push(&pprof->source_kinds);
	if (!kind)
		return -ENOMEM;
	*kind = (signed char)frame_kind_of_source(profile_text(profile, function.file));
	return add_id(pprof, &pprof->function_ids, id, added);
}

static int read_line(struct pprof *pprof, struct reader message)
{
	struct profile_line line = {};
	struct protobuf_field field;
	uint64_t id = 0;
	int r = 0;

	while ((r = pprof_next(pprof, &message, &field)) == 0) {
		if (field.number == LINE_FUNCTION_ID)
			r = pprof_number(pprof, &field, &id);
		else if (field.number == LINE_LINE)
			r = pprof_small(pprof, &field, &line.line);
		if (r != 0)
			return r;
	}
	/* A line alone is of no function that could be shown. */
	if (r != MESSAGE_END || !id)
		return pprof_ended(r);
	line.function = id_table_find(&pprof->function_ids, id);
	if (line.function == HASH_ABSENT)
		return pprof_refuse(pprof, "it names function %" PRIu64 ", which there is not", id);
	if (pprof->line_count == MAX_LINES)
		return pprof_refuse(pprof, "more than %d functions in one place", MAX_LINES);
	pprof->lines[pprof->line_count++] = line;
	return 0;
}

static enum location_kind kind_of(const struct pprof *pprof, uint32_t mapping, uint64_t address)
{
	const struct profile *profile = pprof->profile;
	int source = FRAME_KIND_UNKNOWN;

	if (pprof->line_count) {
		uint32_t function = pprof->lines[0].function;
		const char *name = profile_text(profile, profile->functions.at[function].name);

		if (frame_kind_is_note(name, strlen(name)))
			return LOCATION_NOTE;
		source = pprof->source_kinds.at[pprof->lines[pprof->line_count - 1].function];
	}
	return frame_kind(pprof->mapping_kinds.at[mapping], source, address);
}

/*
 * Where a mapping lies in memory says nothing: a location without a name gets the place in the file.
 * All others get theirs from profile_freeze.
 */
static int name_by_place(struct pprof *pprof, uint32_t location)
{
	struct profile *profile = pprof->profile;
	const struct profile_location *at = &profile->locations.at[location];
	const struct profile_mapping *mapping = &profile->mappings.at[at->mapping];
	const char *file = profile_text(profile, mapping->file), *slash = strrchr(file, '/');
	struct profile_function function = {};
	struct profile_line line = {};
	cleanup(free) char *name = NULL;
	signed char *kind;
	int r;

	if (!*file || at->kind == LOCATION_NOTE || at->kind == LOCATION_KERNEL ||
	    at->address < mapping->start || at->address >= mapping->limit)
		return 0;
	if (asprintf(&name, "%s+0x%" PRIx64, slash && slash[1] ? slash + 1 : file,
		     at->address - mapping->start + mapping->file_offset) < 0) {
		name = NULL;
		return -ENOMEM;
	}
	r = profile_string(profile, &function.name, name);
	function.system_name = function.name;
	if (r == 0)
		r = profile_function_append(profile, &line.function, &function);
	if (r != 0)
		return r;
	kind = array_push(&pprof->source_kinds);
	if (!kind)
		return -ENOMEM;
	*kind = FRAME_KIND_UNKNOWN;
	return profile_location_name(profile, location, &line, 1, false);
}

static int add_location(struct pprof *pprof, uint64_t id, uint32_t mapping, uint64_t address)
{
	struct profile *profile = pprof->profile;
	uint32_t added;
	int r = profile_location_append(profile, &added, mapping, address,
					kind_of(pprof, mapping, address));

	if (r == 0 && pprof->line_count)
		r = profile_location_name(profile, added, pprof->lines, pprof->line_count, true);
	else if (r == 0)
		r = name_by_place(pprof, added);
	pprof->has_inlined |= pprof->line_count > 1;
	return r ? r : add_id(pprof, &pprof->location_ids, id, added);
}

int pprof_read_location(struct pprof *pprof, struct reader message)
{
	uint64_t id = 0, mapping_id = 0, address = 0;
	uint32_t mapping = pprof->no_mapping;
	struct protobuf_field field;
	int r = 0;

	pprof->line_count = 0;
	while ((r = pprof_next(pprof, &message, &field)) == 0) {
		switch (field.number) {
		case LOCATION_ID:
			r = pprof_number(pprof, &field, &id);
			break;
		case LOCATION_MAPPING_ID:
			r = pprof_number(pprof, &field, &mapping_id);
			break;
		case LOCATION_ADDRESS:
			r = pprof_number(pprof, &field, &address);
			break;
		case LOCATION_LINE:
			r = field.wire == PROTOBUF_BYTES ? read_line(pprof, field.bytes)
							 : pprof_wrong_wire(pprof, &field);
			break;
		}
		if (r != 0)
			return r;
	}
	r = pprof_ended(r);
	if (r == 0)
		r = pprof_check_memory(pprof, pprof->number);
	if (r != 0)
		return r;
	if (mapping_id) {
		mapping = id_table_find(&pprof->mapping_ids, mapping_id);
		if (mapping == HASH_ABSENT)
			return pprof_refuse(pprof,
					    "it names mapping %" PRIu64 ", which there is not",
					    mapping_id);
	}
	return add_location(pprof, id, mapping, address);
}
