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
#include "input/input.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "input/frame_kind.h"
#include "input/id_table.h"
#include "input/pprof_meaning.h"
#include "input/protobuf.h"
#include "input/unpack.h"
#include "profile/pprof_fields.h"

enum {
	MAX_DEPTH = INPUT_MAX_DEPTH,
	MAX_LINES = 1024,   /* functions of a location, of which all but one are inlined */
	MAX_LABELS = 1024,  /* of a sample */
	CHECK_ITEMS = 1024, /* between two looks at the memory taken */
};

/* Named outcomes of the functions here, besides INPUT_REFUSED: what they return as 1 is always that. */
enum {
	MESSAGE_END = INPUT_REFUSED + 1,
	NO_ROOM, /* the profile is full: PROFILE_FULL */
};

/* A string of the file. */
struct text {
	const unsigned char *at;
	uint32_t size;
	uint32_t id; /* of the profile's strings, + 1; 0: nothing has named it yet */
};

struct value_type {
	uint64_t name, unit; /* strings of the file */
};

struct pprof {
	struct profile *profile;
	struct input_report *report;
	struct unpacked file;
	uint64_t limit_bytes;
	/* For messages: what is read, and which of its kind, from 1. */
	const char *what;
	uint64_t number;

	ARRAY_OF(struct text) texts;
	ARRAY_OF(struct value_type) types;
	ARRAY_OF(uint64_t) comments; /* strings of the file */
	struct value_type period_of;
	uint64_t default_type; /* a string of the file */
	uint64_t mapping_count, location_count, function_count;

	struct id_table mapping_ids, location_ids, function_ids; /* to those of the profile */
	ARRAY_OF(signed char)
	mapping_kinds, source_kinds;		/* by mapping and function: frame_kind.h */
	ARRAY_OF(struct profile_mapping) flags; /* by mapping: what the file says that it has */
	uint32_t no_mapping;			/* of locations without one */
	uint32_t full_stack, deep_location;
	bool has_inlined;
	uint64_t inlined_frames; /* of all samples: what profile_bytes does not know of */

	/* The sample or location at hand. */
	uint32_t depth, value_count, label_count, line_count;
	bool is_cut;
	bool has_no_room; /* for a label */
	uint32_t locations[2 * MAX_DEPTH];
	int64_t values[PROFILE_MAX_TYPES];
	struct profile_label labels[MAX_LABELS];
	struct profile_line lines[MAX_LINES];
};

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

__attribute__((format(printf, 2, 3))) static int refuse(struct pprof *pprof, const char *format,
							...)
{
	char *reason = pprof->report->reason;
	size_t size = sizeof(pprof->report->reason), used = 0;
	va_list list;

	if (pprof->what)
		used = (size_t)snprintf(reason, size, ": %s %" PRIu64, pprof->what, pprof->number);
	used += (size_t)snprintf(reason + used, size - used, ": ");
	va_start(list, format);
	vsnprintf(reason + used, size - used, format, list);
	va_end(list);
	return INPUT_REFUSED;
}

/* ---- fields ---- */

/* The next field of a message. Returns 0, MESSAGE_END or INPUT_REFUSED. */
static int next_field(struct pprof *pprof, struct reader *message, struct protobuf_field *ret)
{
	int r = protobuf_next(message, ret);

	if (r == 0)
		return 0;
	return r == PROTOBUF_END ? MESSAGE_END : refuse(pprof, "it is cut off or damaged");
}

/* What next_field returned last, as what became of the message. */
static int ended(int r)
{
	return r == MESSAGE_END ? 0 : r;
}

static int wrong_wire(struct pprof *pprof, const struct protobuf_field *field)
{
	return refuse(pprof, "field %" PRIu32 " is stored in a way (%d) that pprof does not know",
		      field->number, (int)field->wire);
}

/* A field that is a number. */
static int take_number(struct pprof *pprof, const struct protobuf_field *field, uint64_t *ret)
{
	if (field->wire != PROTOBUF_VARINT)
		return wrong_wire(pprof, field);
	*ret = field->value;
	return 0;
}

/* A number that does not fit, as that of a line, says nothing. */
static int take_small(struct pprof *pprof, const struct protobuf_field *field, uint32_t *ret)
{
	uint64_t number = 0;
	int r = take_number(pprof, field, &number);

	if (r == 0)
		*ret = number <= INT32_MAX ? (uint32_t)number : 0;
	return r;
}

/* The profile's string for one of the file. Returns 0, INPUT_REFUSED, NO_ROOM or -ENOMEM. */
static int find_string(struct pprof *pprof, uint32_t *ret, uint64_t text)
{
	struct text *found;
	uint32_t id;
	int r;

	/* A file without strings has the empty one. */
	if (!text) {
		*ret = 0;
		return 0;
	}
	if (text >= pprof->texts.count)
		return refuse(pprof, "it names string %" PRIu64 ", of %" PRIu32, text,
			      pprof->texts.count);
	found = &pprof->texts.at[text];
	if (!found->id) {
		r = profile_string_of(pprof->profile, &id, (const char *)found->at, found->size);
		if (r != 0)
			return r == PROFILE_FULL ? NO_ROOM : r;
		found->id = id + 1;
	}
	*ret = found->id - 1;
	return 0;
}

static int take_string(struct pprof *pprof, const struct protobuf_field *field, uint32_t *ret)
{
	uint64_t text = 0;
	int r = take_number(pprof, field, &text);

	return r ? r : find_string(pprof, ret, text);
}

/* Memory of the file and the profile. */
static uint64_t bytes_of(const struct pprof *pprof)
{
	uint64_t numbered = pprof->mapping_count + pprof->function_count + pprof->location_count;

	return pprof->file.size + pprof->texts.capacity * (uint64_t)sizeof(*pprof->texts.at) +
	       pprof->comments.capacity * (uint64_t)sizeof(*pprof->comments.at) +
	       numbered * ID_TABLE_BYTES + profile_bytes(pprof->profile) +
	       pprof->inlined_frames * PROFILE_FRAME_BYTES;
}

/* For what all samples may need: there is no going on without it. number: of things read. */
static int check_memory(struct pprof *pprof, uint64_t number)
{
	if (number % CHECK_ITEMS || bytes_of(pprof) < pprof->limit_bytes)
		return 0;
	pprof->what = NULL;
	return refuse(pprof, "the file takes more memory than it may, %" PRIu64 " MiB",
		      pprof->limit_bytes >> 20);
}

/* ---- what the file is made of: strings, types and single numbers ---- */

static int read_value_type(struct pprof *pprof, struct reader message, struct value_type *ret)
{
	struct protobuf_field field;
	int r = 0;

	*ret = (struct value_type){};
	while (r == 0) {
		r = next_field(pprof, &message, &field);
		if (r != 0)
			return ended(r);
		if (field.number == VALUE_TYPE_TYPE)
			r = take_number(pprof, &field, &ret->name);
		else if (field.number == VALUE_TYPE_UNIT)
			r = take_number(pprof, &field, &ret->unit);
	}
	return r;
}

static int add_comment(struct pprof *pprof, uint64_t text)
{
	uint64_t *added = array_push(&pprof->comments);

	if (!added)
		return -ENOMEM;
	*added = text;
	return 0;
}

/* Numbers that are repeated: one, or a run of them. */
static int add_comments(struct pprof *pprof, struct protobuf_field *field)
{
	uint64_t text = 0;
	int r = 0;

	if (field->wire == PROTOBUF_VARINT)
		return add_comment(pprof, field->value);
	if (field->wire != PROTOBUF_BYTES)
		return wrong_wire(pprof, field);
	while (r == 0 && reader_left(&field->bytes))
		r = protobuf_varint(&field->bytes, &text) ? add_comment(pprof, text)
							  : refuse(pprof, "a comment is damaged");
	return r;
}

static int add_text(struct pprof *pprof, struct reader bytes)
{
	struct text *text = array_push(&pprof->texts);

	if (!text)
		return -ENOMEM;
	if (reader_left(&bytes) > INT32_MAX)
		return refuse(pprof, "a string of more than 2 GiB");
	*text = (struct text){ .at = bytes.at, .size = (uint32_t)reader_left(&bytes) };
	if (pprof->texts.count == 1 && text->size)
		return refuse(pprof, "no pprof: the first of its strings is not empty");
	return 0;
}

static int add_type(struct pprof *pprof, struct reader bytes)
{
	struct value_type *type;

	if (pprof->types.count == PROFILE_MAX_TYPES)
		return refuse(pprof, "more than %d sample types", PROFILE_MAX_TYPES);
	type = array_push(&pprof->types);
	return type ? read_value_type(pprof, bytes, type) : -ENOMEM;
}

static int take_time(struct pprof *pprof, const struct protobuf_field *field)
{
	uint64_t time = 0;
	int r = take_number(pprof, field, &time);

	if (r == 0 && pprof->profile->meta.time_ns)
		return refuse(pprof, "several profiles, one behind the other");
	pprof->profile->meta.time_ns = (int64_t)time;
	return r;
}

/* Everything but what samples are made of, which is only counted. */
static int read_top(struct pprof *pprof, struct protobuf_field *field)
{
	struct profile_meta *meta = &pprof->profile->meta;
	bool is_message =
		field->number <= PROFILE_STRING_TABLE || field->number == PROFILE_PERIOD_TYPE;

	if (is_message && field->wire != PROTOBUF_BYTES)
		return wrong_wire(pprof, field);
	switch (field->number) {
	case PROFILE_SAMPLE_TYPE:
		return add_type(pprof, field->bytes);
	case PROFILE_MAPPING:
		pprof->mapping_count++;
		return 0;
	case PROFILE_LOCATION:
		pprof->location_count++;
		return 0;
	case PROFILE_FUNCTION:
		pprof->function_count++;
		return 0;
	case PROFILE_STRING_TABLE:
		return add_text(pprof, field->bytes);
	case PROFILE_TIME_NANOS:
		return take_time(pprof, field);
	case PROFILE_DURATION_NANOS:
		return take_number(pprof, field, (uint64_t *)&meta->duration_ns);
	case PROFILE_PERIOD_TYPE:
		return read_value_type(pprof, field->bytes, &pprof->period_of);
	case PROFILE_PERIOD:
		return take_number(pprof, field, (uint64_t *)&meta->period);
	case PROFILE_COMMENT:
		return add_comments(pprof, field);
	case PROFILE_DEFAULT_SAMPLE_TYPE:
		return take_number(pprof, field, &pprof->default_type);
	}
	return 0;
}

/* Calls `read` for each message of the file with one of two numbers. */
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
	}
	if (r == 0)
		pprof->what = NULL;
	return r;
}

/* ---- mappings, functions, locations ---- */

static int add_id(struct pprof *pprof, struct id_table *table, uint64_t id, uint32_t position)
{
	int r;

	if (!id)
		return refuse(pprof, "it has no number");
	r = id_table_add(table, id, position);
	return r == ID_TABLE_TAKEN ? refuse(pprof, "its number, %" PRIu64 ", is another one's", id)
				   : r;
}

/* Adds a mapping, and what its name tells. */
static int add_mapping(struct pprof *pprof, uint32_t *ret, const struct profile_mapping *mapping)
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

static int read_mapping(struct pprof *pprof, struct reader message)
{
	struct profile_mapping mapping = {};
	struct protobuf_field field;
	uint64_t id = 0, number = 0;
	uint32_t added;
	int r = 0;

	while ((r = next_field(pprof, &message, &field)) == 0) {
		switch (field.number) {
		case MAPPING_ID:
			r = take_number(pprof, &field, &id);
			break;
		case MAPPING_START:
			r = take_number(pprof, &field, &mapping.start);
			break;
		case MAPPING_LIMIT:
			r = take_number(pprof, &field, &mapping.limit);
			break;
		case MAPPING_OFFSET:
			r = take_number(pprof, &field, &mapping.file_offset);
			break;
		case MAPPING_FILENAME:
			r = take_string(pprof, &field, &mapping.file);
			break;
		case MAPPING_BUILD_ID:
			r = take_string(pprof, &field, &mapping.build_id);
			break;
		case MAPPING_HAS_FUNCTIONS:
		case MAPPING_HAS_FILENAMES:
		case MAPPING_HAS_LINE_NUMBERS:
		case MAPPING_HAS_INLINE_FRAMES:
			r = take_number(pprof, &field, &number);
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
	r = ended(r);
	if (r == 0)
		r = check_memory(pprof, pprof->number);
	if (r == 0)
		r = add_mapping(pprof, &added, &mapping);
	return r ? r : add_id(pprof, &pprof->mapping_ids, id, added);
}

static int read_function(struct pprof *pprof, struct reader message)
{
	struct profile_function function = {};
	struct profile *profile = pprof->profile;
	struct protobuf_field field;
	signed char *kind;
	uint64_t id = 0;
	uint32_t added;
	int r = 0;

	while ((r = next_field(pprof, &message, &field)) == 0) {
		switch (field.number) {
		case FUNCTION_ID:
			r = take_number(pprof, &field, &id);
			break;
		case FUNCTION_NAME:
			r = take_string(pprof, &field, &function.name);
			break;
		case FUNCTION_SYSTEM_NAME:
			r = take_string(pprof, &field, &function.system_name);
			break;
		case FUNCTION_FILENAME:
			r = take_string(pprof, &field, &function.file);
			break;
		case FUNCTION_START_LINE:
			r = take_small(pprof, &field, &function.start_line);
			break;
		}
		if (r != 0)
			return r;
	}
	r = ended(r);
	if (r == 0)
		r = check_memory(pprof, pprof->number);
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

	while ((r = next_field(pprof, &message, &field)) == 0) {
		if (field.number == LINE_FUNCTION_ID)
			r = take_number(pprof, &field, &id);
		else if (field.number == LINE_LINE)
			r = take_small(pprof, &field, &line.line);
		if (r != 0)
			return r;
	}
	/* A line alone is of no function that could be shown. */
	if (r != MESSAGE_END || !id)
		return ended(r);
	line.function = id_table_find(&pprof->function_ids, id);
	if (line.function == HASH_ABSENT)
		return refuse(pprof, "it names function %" PRIu64 ", which there is not", id);
	if (pprof->line_count == MAX_LINES)
		return refuse(pprof, "more than %d functions in one place", MAX_LINES);
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

static int read_location(struct pprof *pprof, struct reader message)
{
	uint64_t id = 0, mapping_id = 0, address = 0;
	uint32_t mapping = pprof->no_mapping;
	struct protobuf_field field;
	int r = 0;

	pprof->line_count = 0;
	while ((r = next_field(pprof, &message, &field)) == 0) {
		switch (field.number) {
		case LOCATION_ID:
			r = take_number(pprof, &field, &id);
			break;
		case LOCATION_MAPPING_ID:
			r = take_number(pprof, &field, &mapping_id);
			break;
		case LOCATION_ADDRESS:
			r = take_number(pprof, &field, &address);
			break;
		case LOCATION_LINE:
			r = field.wire == PROTOBUF_BYTES ? read_line(pprof, field.bytes)
							 : wrong_wire(pprof, &field);
			break;
		}
		if (r != 0)
			return r;
	}
	r = ended(r);
	if (r == 0)
		r = check_memory(pprof, pprof->number);
	if (r != 0)
		return r;
	if (mapping_id) {
		mapping = id_table_find(&pprof->mapping_ids, mapping_id);
		if (mapping == HASH_ABSENT)
			return refuse(pprof, "it names mapping %" PRIu64 ", which there is not",
				      mapping_id);
	}
	return add_location(pprof, id, mapping, address);
}

/* ---- samples ---- */

static int add_frame(struct pprof *pprof, uint64_t id)
{
	uint32_t location = id_table_find(&pprof->location_ids, id);

	if (location == HASH_ABSENT)
		return refuse(pprof, "it names location %" PRIu64 ", which there is not", id);
	/* The leaf comes first, and is what a stack too deep goes without. */
	if (pprof->depth == ARRAY_SIZE(pprof->locations)) {
		memmove(pprof->locations, pprof->locations + MAX_DEPTH,
			MAX_DEPTH * sizeof(*pprof->locations));
		pprof->depth = MAX_DEPTH;
		pprof->is_cut = true;
	}
	pprof->locations[pprof->depth++] = location;
	return 0;
}

static int add_value(struct pprof *pprof, uint64_t value)
{
	if (pprof->value_count < PROFILE_MAX_TYPES)
		pprof->values[pprof->value_count] = (int64_t)value;
	pprof->value_count++;
	return 0;
}

/* Numbers that are repeated: one, or a run of them. */
static inline int add_each(struct pprof *pprof, struct protobuf_field *field,
			   int (*add)(struct pprof *pprof, uint64_t number))
{
	uint64_t number = 0;
	int r = 0;

	if (field->wire == PROTOBUF_VARINT)
		return add(pprof, field->value);
	if (field->wire != PROTOBUF_BYTES)
		return wrong_wire(pprof, field);
	while (r == 0 && reader_left(&field->bytes)) {
		if (!protobuf_varint(&field->bytes, &number))
			return refuse(pprof, "it is cut off or damaged");
		r = add(pprof, number);
	}
	return r;
}

static int add_label(struct pprof *pprof, struct reader message)
{
	struct profile_label label = {};
	struct protobuf_field field;
	int r = 0;

	while ((r = next_field(pprof, &message, &field)) == 0) {
		switch (field.number) {
		case LABEL_KEY:
			r = take_string(pprof, &field, &label.key);
			break;
		case LABEL_STR:
			r = take_string(pprof, &field, &label.text);
			break;
		case LABEL_NUM:
			r = take_number(pprof, &field, (uint64_t *)&label.number);
			break;
		case LABEL_NUM_UNIT:
			r = take_string(pprof, &field, &label.unit);
			break;
		}
		if (r != 0)
			return r;
	}
	/* Without a text, a number or a unit it says nothing: Go's tool has none, either. */
	if (r != MESSAGE_END || (!label.text && !label.number && !label.unit))
		return ended(r);
	label.is_number = !label.text;
	if (pprof->label_count == MAX_LABELS)
		return refuse(pprof, "more than %d labels", MAX_LABELS);
	pprof->labels[pprof->label_count++] = label;
	return 0;
}

static int read_parts(struct pprof *pprof, struct reader message)
{
	struct protobuf_field field;
	int r = 0;

	pprof->depth = pprof->value_count = pprof->label_count = 0;
	pprof->is_cut = pprof->has_no_room = false;
	while ((r = next_field(pprof, &message, &field)) == 0) {
		switch (field.number) {
		case SAMPLE_LOCATION_ID:
			r = add_each(pprof, &field, add_frame);
			break;
		case SAMPLE_VALUE:
			r = add_each(pprof, &field, add_value);
			break;
		case SAMPLE_LABEL:
			r = field.wire == PROTOBUF_BYTES ? add_label(pprof, field.bytes)
							 : wrong_wire(pprof, &field);
			if (r == NO_ROOM) { /* its values may follow */
				pprof->has_no_room = true;
				r = 0;
			}
			break;
		}
		if (r != 0)
			return r;
	}
	return ended(r);
}

static int add_sample(struct pprof *pprof)
{
	struct profile *profile = pprof->profile;
	const uint32_t *locations = pprof->locations;
	uint32_t stack, labels = 0, samples = profile->samples.count, depth = pprof->depth;
	int r = 0;

	if (pprof->has_no_room)
		return NO_ROOM;
	if (pprof->is_cut || depth > MAX_DEPTH) {
		depth = MAX_DEPTH + 1;
		pprof->locations[pprof->depth - depth] = pprof->deep_location;
		locations += pprof->depth - depth;
		pprof->report->cut_stacks++;
	}
	if (pprof->label_count)
		r = profile_labels_add(profile, &labels, pprof->labels, pprof->label_count);
	if (r == 0)
		r = profile_stack_add(profile, &stack, locations, depth);
	if (r == 0)
		r = profile_sample_add(profile, stack, labels, pprof->values);
	if (pprof->has_inlined && profile->samples.count != samples)
		for (uint32_t i = 0; i < depth; i++)
			pprof->inlined_frames += profile->locations.at[locations[i]].line_count;
	return r == PROFILE_FULL ? NO_ROOM : r;
}

static int read_sample(struct pprof *pprof, struct reader message)
{
	struct profile *profile = pprof->profile;
	int r = read_parts(pprof, message);

	if (r == 0 && pprof->value_count != profile->types.count)
		return refuse(pprof, "it has %" PRIu32 " value%s, and there are %" PRIu32 " types",
			      pprof->value_count, pprof->value_count == 1 ? "" : "s",
			      profile->types.count);
	if (r == 0)
		r = add_sample(pprof);
	if (r == NO_ROOM) {
		pprof->report->left_out++;
		profile->closed = false;
		r = profile_sample_add(profile, pprof->full_stack, 0, pprof->values);
		profile->closed = true;
	}
	if (pprof->number % CHECK_ITEMS == 0)
		profile->closed = bytes_of(pprof) >= pprof->limit_bytes;
	return r;
}

/* ---- all of it ---- */

static int read_types(struct pprof *pprof)
{
	struct profile *profile = pprof->profile;
	struct profile_meta *meta = &profile->meta;
	uint32_t default_name = 0;
	int r = find_string(pprof, &default_name, pprof->default_type);

	for (uint32_t i = 0; r == 0 && i < pprof->types.count; i++) {
		struct profile_type type;
		uint32_t added;

		r = find_string(pprof, &type.name, pprof->types.at[i].name);
		if (r == 0)
			r = find_string(pprof, &type.unit, pprof->types.at[i].unit);
		if (r != 0)
			return r;
		r = profile_type_add(profile, &added, profile_text(profile, type.name),
				     profile_text(profile, type.unit));
		if (r == 0 && added != i)
			return refuse(pprof, "two sample types are the same");
	}
	if (r == 0)
		r = find_string(pprof, &meta->period_of.name, pprof->period_of.name);
	if (r == 0)
		r = find_string(pprof, &meta->period_of.unit, pprof->period_of.unit);
	if (r != 0)
		return r;
	if (!profile->types.count)
		return refuse(pprof, "no pprof: it has no sample types");
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

		r = find_string(pprof, &string, pprof->comments.at[i]);
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
		r = add_mapping(pprof, &in, &mapping);
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
		r = add_mapping(pprof, &pprof->no_mapping, &nothing);
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

	while ((r = next_field(pprof, &all, &field)) == 0) {
		r = read_top(pprof, &field);
		if (r == 0)
			r = check_memory(pprof, ++fields);
		if (r != 0)
			return r;
	}
	r = ended(r);
	if (r == 0)
		r = check_memory(pprof, 0);
	if (r == 0)
		r = set_up(pprof);
	if (r == 0)
		r = read_types(pprof);
	if (r == 0)
		r = read_comments(pprof);
	if (r == 0)
		r = for_each(pprof, PROFILE_MAPPING, "mapping", read_mapping);
	if (r == 0)
		r = for_each(pprof, PROFILE_FUNCTION, "function", read_function);
	if (r == 0)
		r = for_each(pprof, PROFILE_LOCATION, "location", read_location);
	if (r == 0)
		r = for_each(pprof, PROFILE_SAMPLE, "sample", read_sample);
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
	switch (outcome) {
	case UNPACK_TOO_LARGE:
		return refuse(pprof, "unpacked it is larger than it may be, %" PRIu64 " MiB",
			      pprof->limit_bytes >> 20);
	case UNPACK_CUT_OFF:
		return refuse(pprof, "it is cut off: the end of the compressed data is missing");
	default:
		return refuse(pprof, "the compressed data is damaged");
	}
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
		return refuse(pprof, "nothing is in it");
	if (unpack_is_gzip((const char *)file->bytes, file->size))
		return refuse(pprof, "it is compressed twice: unpack it once, with gunzip");
	if (!looks_like_pprof(file->bytes, file->size))
		return refuse(
			pprof,
			"compressed, but no pprof; folded stacks must be unpacked, with zcat");
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
