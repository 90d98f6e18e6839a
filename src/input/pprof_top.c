// SPDX-License-Identifier: Apache-2.0
/* What a pprof file says as a whole: strings, types of values, single numbers. */
#include "input/pprof_parts.h"

#include <errno.h>

#include "profile/pprof_fields.h"

static int read_value_type(struct pprof *pprof, struct reader message, struct value_type *ret)
{
	struct protobuf_field field;
	int r = 0;

	*ret = (struct value_type){};
	while (r == 0) {
		r = pprof_next(pprof, &message, &field);
		if (r != 0)
			return pprof_ended(r);
		if (field.number == VALUE_TYPE_TYPE)
			r = pprof_number(pprof, &field, &ret->name);
		else if (field.number == VALUE_TYPE_UNIT)
			r = pprof_number(pprof, &field, &ret->unit);
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
		return pprof_wrong_wire(pprof, field);
	while (r == 0 && reader_left(&field->bytes))
		r = protobuf_varint(&field->bytes, &text)
			    ? add_comment(pprof, text)
			    : pprof_refuse(pprof, "a comment is damaged");
	return r;
}

static int add_text(struct pprof *pprof, struct reader bytes)
{
	struct text *text = array_push(&pprof->texts);

	if (!text)
		return -ENOMEM;
	if (reader_left(&bytes) > INT32_MAX)
		return pprof_refuse(pprof, "a string of more than 2 GiB");
	*text = (struct text){ .at = bytes.at, .size = (uint32_t)reader_left(&bytes) };
	if (pprof->texts.count == 1 && text->size)
		return pprof_refuse(pprof, "no pprof: the first of its strings is not empty");
	return 0;
}

static int add_type(struct pprof *pprof, struct reader bytes)
{
	struct value_type *type;

	if (pprof->types.count == PROFILE_MAX_TYPES)
		return pprof_refuse(pprof, "more than %d sample types", PROFILE_MAX_TYPES);
	type = array_push(&pprof->types);
	return type ? read_value_type(pprof, bytes, type) : -ENOMEM;
}

static int take_time(struct pprof *pprof, const struct protobuf_field *field)
{
	uint64_t time = 0;
	int r = pprof_number(pprof, field, &time);

	if (r == 0 && pprof->profile->meta.time_ns)
		return pprof_refuse(pprof, "several profiles, one behind the other");
	pprof->profile->meta.time_ns = (int64_t)time;
	return r;
}

/* Everything but what samples are made of, which is only counted. */
int pprof_read_top(struct pprof *pprof, struct protobuf_field *field)
{
	struct profile_meta *meta = &pprof->profile->meta;
	bool is_message =
		field->number <= PROFILE_STRING_TABLE || field->number == PROFILE_PERIOD_TYPE;

	if (is_message && field->wire != PROTOBUF_BYTES)
		return pprof_wrong_wire(pprof, field);
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
	case PROFILE_DROP_FRAMES:
		return pprof_number(pprof, field, &pprof->drop_frames);
	case PROFILE_TIME_NANOS:
		return take_time(pprof, field);
	case PROFILE_DURATION_NANOS:
		return pprof_number(pprof, field, (uint64_t *)&meta->duration_ns);
	case PROFILE_PERIOD_TYPE:
		return read_value_type(pprof, field->bytes, &pprof->period_of);
	case PROFILE_PERIOD:
		return pprof_number(pprof, field, (uint64_t *)&meta->period);
	case PROFILE_COMMENT:
		return add_comments(pprof, field);
	case PROFILE_DEFAULT_SAMPLE_TYPE:
		return pprof_number(pprof, field, &pprof->default_type);
	}
	return 0;
}
