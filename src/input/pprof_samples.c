// SPDX-License-Identifier: Apache-2.0
/* Samples of pprof: most of a file. */
#include "input/pprof_parts.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "profile/pprof_fields.h"

static int add_frame(struct pprof *pprof, uint64_t id)
{
	uint32_t location = id_table_find(&pprof->location_ids, id);

	if (location == HASH_ABSENT)
		return pprof_refuse(pprof, "it names location %" PRIu64 ", which there is not", id);
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
		return pprof_wrong_wire(pprof, field);
	while (r == 0 && reader_left(&field->bytes)) {
		if (!protobuf_varint(&field->bytes, &number))
			return pprof_refuse(pprof, "it is cut off or damaged");
		r = add(pprof, number);
	}
	return r;
}

/* The same for locations, which are most of what there is: without a call for each. */
static int add_frames(struct pprof *pprof, struct protobuf_field *field)
{
	struct reader *packed = &field->bytes;
	uint64_t id = 0;

	if (field->wire != PROTOBUF_BYTES ||
	    reader_left(packed) > ARRAY_SIZE(pprof->locations) - pprof->depth)
		return add_each(pprof, field, add_frame);
	while (reader_left(packed)) {
		uint32_t location;

		if (!protobuf_varint(packed, &id))
			return pprof_refuse(pprof, "it is cut off or damaged");
		location = id_table_find(&pprof->location_ids, id);
		if (location == HASH_ABSENT)
			return add_frame(pprof, id); /* says so */
		pprof->locations[pprof->depth++] = location;
	}
	return 0;
}

static int add_label(struct pprof *pprof, struct reader message)
{
	struct profile_label label = {};
	struct protobuf_field field;
	int r = 0;

	while ((r = pprof_next(pprof, &message, &field)) == 0) {
		switch (field.number) {
		case LABEL_KEY:
			r = pprof_take_string(pprof, &field, &label.key);
			break;
		case LABEL_STR:
			r = pprof_take_string(pprof, &field, &label.text);
			break;
		case LABEL_NUM:
			r = pprof_number(pprof, &field, (uint64_t *)&label.number);
			break;
		case LABEL_NUM_UNIT:
			r = pprof_take_string(pprof, &field, &label.unit);
			break;
		}
		if (r != 0)
			return r;
	}
	/* Without a text, a number or a unit it says nothing: Go's tool has none, either. */
	if (r != MESSAGE_END || (!label.text && !label.number && !label.unit))
		return pprof_ended(r);
	label.is_number = !label.text;
	if (pprof->label_count == MAX_LABELS)
		return pprof_refuse(pprof, "more than %d labels", MAX_LABELS);
	pprof->labels[pprof->label_count++] = label;
	return 0;
}

static int read_parts(struct pprof *pprof, struct reader message)
{
	struct protobuf_field field;
	int r = 0;

	pprof->depth = pprof->value_count = pprof->label_count = 0;
	pprof->is_cut = pprof->has_no_room = false;
	while ((r = pprof_next(pprof, &message, &field)) == 0) {
		switch (field.number) {
		case SAMPLE_LOCATION_ID:
			r = add_frames(pprof, &field);
			break;
		case SAMPLE_VALUE:
			r = add_each(pprof, &field, add_value);
			break;
		case SAMPLE_LABEL:
			r = field.wire == PROTOBUF_BYTES ? add_label(pprof, field.bytes)
							 : pprof_wrong_wire(pprof, &field);
			if (r == NO_ROOM) { /* its values may follow */
				pprof->has_no_room = true;
				r = 0;
			}
			break;
		}
		if (r != 0)
			return r;
	}
	return pprof_ended(r);
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

int pprof_read_sample(struct pprof *pprof, struct reader message)
{
	struct profile *profile = pprof->profile;
	int r = read_parts(pprof, message);

	if (r == 0 && pprof->value_count != profile->types.count)
		return pprof_refuse(pprof,
				    "it has %" PRIu32 " value%s, and there are %" PRIu32 " types",
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
	if (pprof->number % CHECK_ITEMS == 0 ||
	    pprof->inlined_frames - pprof->checked_frames >= CHECK_FRAMES) {
		profile->closed = pprof_bytes(pprof) >= pprof->limit_bytes;
		pprof->checked_frames = pprof->inlined_frames;
	}
	return r;
}
