// SPDX-License-Identifier: Apache-2.0
/* One profile of a file: its unit, what it counts, and whose it is. */
#include "input/speedscope_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "input/type_name.h"

void speedscope_begin_profile(struct speedscope *speedscope)
{
	speedscope->profiles++;
	speedscope->items = 0;
	speedscope->name = speedscope->unit = speedscope->kind = 0;
	speedscope->note_type = speedscope->note_unit = speedscope->comm = 0;
	speedscope->thread_name = 0;
	speedscope->pid = speedscope->tid = 0;
	speedscope->has_notes = speedscope->has_samples = speedscope->has_weights = false;
	speedscope->has_events = speedscope->has_no_room = false;
	speedscope->end = speedscope->last_at = 0;
	speedscope->stacks.count = speedscope->weights.count = 0;
	speedscope->open_count = speedscope->deeper = 0;
}

/* How many of what is kept are one of a unit; 0: it is no time. */
static double nanoseconds_of(const char *unit)
{
	static const struct {
		const char *name;
		double nanoseconds;
	} units[] = {
		{ "nanoseconds", 1 },
		{ "microseconds", 1e3 },
		{ "milliseconds", 1e6 },
		{ "seconds", 1e9 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strcmp(unit, units[i].name) == 0)
			return units[i].nanoseconds;
	return 0;
}

/* Adds the type unless it is there; PROFILE_NO_TYPE: it is one too many. */
static int add_type(struct speedscope *speedscope, uint32_t *ret, const char *name,
		    const char *unit)
{
	struct profile *profile = speedscope->profile;
	char clean_name[TYPE_NAME_BYTES + 1], clean_unit[TYPE_NAME_BYTES + 1];
	bool was_closed = profile->closed;
	int r;

	type_name_clean(clean_name, name, strlen(name));
	type_name_clean(clean_unit, *unit ? unit : "count", *unit ? strlen(unit) : 5);
	for (uint32_t i = 0; i < profile->types.count; i++)
		if (type_name_equal(profile_text(profile, profile->types.at[i].name), clean_name) &&
		    strcmp(profile_text(profile, profile->types.at[i].unit), clean_unit) == 0) {
			*ret = i;
			return 0;
		}
	*ret = PROFILE_NO_TYPE;
	if (profile->types.count == PROFILE_MAX_TYPES)
		return 0;
	profile->closed = false;
	r = profile_type_add(profile, ret, clean_name, clean_unit);
	profile->closed = was_closed;
	return r;
}

/* Finds the type of the profile's values, and what they are to be multiplied with. */
static int find_type(struct speedscope *speedscope, uint32_t *ret, double *ret_scale)
{
	const struct profile *profile = speedscope->profile;
	const char *unit = profile_text(profile, speedscope->unit);
	double nanoseconds = nanoseconds_of(unit);

	*ret_scale = 1;
	if (speedscope->has_notes)
		return add_type(speedscope, ret, profile_text(profile, speedscope->note_type),
				profile_text(profile, speedscope->note_unit));
	if (nanoseconds > 0) {
		*ret_scale = nanoseconds;
		return add_type(speedscope, ret, "time", "nanoseconds");
	}
	if (strcmp(unit, "bytes") == 0)
		return add_type(speedscope, ret, "space", "bytes");
	if (!*unit || strcmp(unit, "none") == 0)
		return add_type(speedscope, ret, "samples", "count");
	return speedscope_refuse(speedscope, "its unit is none that the format knows");
}

static int add_text_label(struct speedscope *speedscope, struct profile_label *label,
			  const char *key, uint32_t text)
{
	*label = (struct profile_label){ .text = text };
	return profile_string(speedscope->profile, &label->key, key);
}

static int add_number_label(struct speedscope *speedscope, struct profile_label *label,
			    const char *key, int64_t number)
{
	*label = (struct profile_label){ .is_number = true, .number = number };
	return profile_string(speedscope->profile, &label->key, key);
}

static int find_labels(struct speedscope *speedscope, uint32_t *ret)
{
	struct profile_label labels[4];
	uint32_t count = 0;
	int r = 0;

	if (!speedscope->has_notes && speedscope->name)
		speedscope->thread_name = speedscope->name;
	if (speedscope->comm)
		r = add_text_label(speedscope, &labels[count++], "comm", speedscope->comm);
	if (r == 0 && speedscope->pid)
		r = add_number_label(speedscope, &labels[count++], "pid", speedscope->pid);
	if (r == 0 && speedscope->thread_name)
		r = add_text_label(speedscope, &labels[count++], "thread_name",
				   speedscope->thread_name);
	if (r == 0 && speedscope->tid)
		r = add_number_label(speedscope, &labels[count++], "tid", speedscope->tid);
	return r ? r : profile_labels_add(speedscope->profile, ret, labels, count);
}

/* The weight as it is counted; what has a fraction where there should be none is rounded. */
static int read_weight(struct speedscope *speedscope, int64_t *ret, double weight, double scale)
{
	double value = round(weight * scale);

	if (weight < 0)
		return speedscope_refuse(speedscope, "its weight is below 0");
	if (value >= 0x1p63)
		return speedscope_refuse(speedscope, "its weight is larger than 2^63");
	if (scale == 1 && value != weight)
		speedscope->report->rounded++;
	*ret = (int64_t)value;
	return 0;
}

static void note_weight(struct speedscope *speedscope, uint32_t type, double weight)
{
	struct value_type *values = &speedscope->types[type];

	if (!values->count++) {
		values->weight = weight;
		values->even = true;
	}
	values->even &= values->weight == weight && speedscope->has_samples;
}

/* Counts what the profile holds, now that everything is known of it. */
int speedscope_end_profile(struct speedscope *speedscope)
{
	uint32_t type, labels;
	double scale;
	int r;

	speedscope->items = 0;
	if (speedscope->has_events == speedscope->has_samples)
		return speedscope_refuse(speedscope, "it has neither samples nor events, or both");
	if (speedscope->has_events && speedscope->open_count &&
	    speedscope->end > speedscope->last_at) {
		r = speedscope_keep_stack(speedscope);
		if (r == 0)
			r = speedscope_keep_weight(speedscope,
						   speedscope->end - speedscope->last_at);
		if (r != 0)
			return r;
	}
	if (speedscope->stacks.count != speedscope->weights.count)
		return speedscope_refuse(speedscope,
					 "it has %" PRIu32 " samples and %" PRIu32 " weights",
					 speedscope->stacks.count, speedscope->weights.count);
	r = find_type(speedscope, &type, &scale);
	if (r != 0)
		return r;
	r = find_labels(speedscope, &labels);
	if (r == PROFILE_FULL)
		labels = r = 0;
	if (speedscope->profiles == 1)
		speedscope->first_labels = speedscope->has_notes ? 0 : labels;
	if (r == 0 && !array_push(&speedscope->profile_types))
		return -ENOMEM;
	if (r == 0)
		speedscope->profile_types.at[speedscope->profile_types.count - 1] = type;
	for (uint32_t i = 0; r == 0 && i < speedscope->stacks.count; i++) {
		int64_t values[2] = {};

		speedscope->items = i + 1;
		r = read_weight(speedscope, &values[0], speedscope->weights.at[i], scale);
		if (r != 0 || !values[0])
			continue;
		if (type == PROFILE_NO_TYPE) {
			speedscope->report->other_values++;
			continue;
		}
		note_weight(speedscope, type, speedscope->weights.at[i] * scale);
		r = counted_add(&speedscope->counted, speedscope->profile,
				(struct counted_key){ speedscope->stacks.at[i], labels, type },
				values);
	}
	speedscope->items = 0;
	return r;
}

int speedscope_read_profile_part(struct speedscope *speedscope, const struct json_event *event)
{
	if (event->type == JSON_STRING && strcmp(event->key, "name") == 0)
		return speedscope_take_string(speedscope, &speedscope->name, event);
	if (event->type == JSON_STRING && strcmp(event->key, "unit") == 0)
		return speedscope_take_string(speedscope, &speedscope->unit, event);
	if (event->type == JSON_NUMBER && strcmp(event->key, "endValue") == 0)
		speedscope->end = event->number;
	return 0;
}

int speedscope_read_profile_note(struct speedscope *speedscope, const struct json_event *event)
{
	speedscope->has_notes = true;
	if (event->type == JSON_NUMBER && strcmp(event->key, "pid") == 0)
		speedscope->pid = event->whole;
	else if (event->type == JSON_NUMBER && strcmp(event->key, "tid") == 0)
		speedscope->tid = event->whole;
	if (event->type != JSON_STRING)
		return 0;
	if (strcmp(event->key, "type") == 0)
		return speedscope_take_string(speedscope, &speedscope->note_type, event);
	if (strcmp(event->key, "unit") == 0)
		return speedscope_take_string(speedscope, &speedscope->note_unit, event);
	if (strcmp(event->key, "comm") == 0)
		return speedscope_take_string(speedscope, &speedscope->comm, event);
	if (strcmp(event->key, "thread_name") == 0)
		return speedscope_take_string(speedscope, &speedscope->thread_name, event);
	return 0;
}
