// SPDX-License-Identifier: Apache-2.0
/*
 * speedscope's own format: https://www.speedscope.app/file-format-schema.json, of speedscope, py-spy,
 * rbspy and many others; "sampled" profiles and "evented" ones.
 *
 * Frames may stand behind the profiles that name them: the file is in memory as a whole and gone over
 * twice, for its frames and then for its profiles. Of a profile its unit may come last, so weights
 * are kept until its end. Several profiles are threads, called by their names. What
 * output/speedscope.c adds is taken back.
 *
 * What speedscope refuses is refused here: frames that there are not, more weights than samples, ends
 * of frames that are not open, time that goes back. Names of other things are passed over.
 */
#include "input/speedscope_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "input/type_name.h"

static const struct {
	enum place in, place;
	const char *key;
	enum json_event_type type;
} parts[] = {
	{ WHOLE, SHARED, "shared", JSON_BEGIN_OBJECT },
	{ SHARED, FRAMES, "frames", JSON_BEGIN_ARRAY },
	{ FRAMES, FRAME, "", JSON_BEGIN_OBJECT },
	{ WHOLE, PROFILES, "profiles", JSON_BEGIN_ARRAY },
	{ PROFILES, PROFILE, "", JSON_BEGIN_OBJECT },
	{ PROFILE, SAMPLES, "samples", JSON_BEGIN_ARRAY },
	{ SAMPLES, STACK, "", JSON_BEGIN_ARRAY },
	{ PROFILE, WEIGHTS, "weights", JSON_BEGIN_ARRAY },
	{ PROFILE, EVENTS, "events", JSON_BEGIN_ARRAY },
	{ EVENTS, EVENT, "", JSON_BEGIN_OBJECT },
	{ WHOLE, NOTES_OF_FILE, "profd", JSON_BEGIN_OBJECT },
	{ PROFILE, NOTES_OF_PROFILE, "profd", JSON_BEGIN_OBJECT },
};

static void speedscope_free(struct speedscope *speedscope)
{
	if (!speedscope)
		return;
	unpacked_fini(&speedscope->file);
	array_fini(&speedscope->frames);
	array_fini(&speedscope->modules);
	array_fini(&speedscope->profile_types);
	array_fini(&speedscope->stacks);
	array_fini(&speedscope->weights);
	hash_index_fini(&speedscope->inlined);
	counted_fini(&speedscope->counted);
	free(speedscope);
}
DEFINE_CLEANUP(struct speedscope, speedscope_free);

static enum place place_of(const struct speedscope *speedscope)
{
	return speedscope->depth ? speedscope->places[speedscope->depth - 1] : NOTHING;
}

int speedscope_refuse(struct speedscope *speedscope, const char *format, ...)
{
	char *reason = speedscope->report->reason;
	size_t size = sizeof(speedscope->report->reason), used = 0;
	va_list list;

	if (speedscope->profiles)
		used = (size_t)snprintf(reason, size, ": profile %" PRIu64, speedscope->profiles);
	if (speedscope->profiles && speedscope->items)
		used += (size_t)snprintf(reason + used, size - used, ", %s %" PRIu64,
					 speedscope->has_events ? "event" : "sample",
					 speedscope->items);
	used += (size_t)snprintf(reason + used, size - used, ": ");
	va_start(list, format);
	vsnprintf(reason + used, size - used, format, list);
	va_end(list);
	return REFUSED;
}

uint64_t speedscope_bytes_of(const struct speedscope *speedscope)
{
	return speedscope->file.size + profile_bytes(speedscope->profile) +
	       counted_bytes(&speedscope->counted) +
	       speedscope->frames.count * (uint64_t)sizeof(struct frame) +
	       speedscope->modules.count * (uint64_t)sizeof(uint32_t) +
	       speedscope->stacks.count * (uint64_t)sizeof(uint32_t) +
	       speedscope->weights.count * (uint64_t)sizeof(double) +
	       2ULL * speedscope->inlined.count * sizeof(struct hash_slot);
}

/* Without these there is no going on. */
int speedscope_check_memory(struct speedscope *speedscope, uint64_t number)
{
	if (number % CHECK_ITEMS || speedscope_bytes_of(speedscope) < speedscope->limit_bytes)
		return 0;
	speedscope->profiles = 0;
	return speedscope_refuse(speedscope,
				 "the file takes more memory than it may, %" PRIu64 " MiB",
				 speedscope->limit_bytes >> 20);
}

/* Returns 0, REFUSED or -ENOMEM. */
int speedscope_take_string(struct speedscope *speedscope, uint32_t *ret,
			   const struct json_event *event)
{
	int r = profile_string_of(speedscope->profile, ret, event->text,
				  strnlen(event->text, event->size));

	return r == PROFILE_FULL ? speedscope_check_memory(speedscope, 0) : r;
}

static int take_line(char **ret, const struct json_event *event)
{
	free(*ret);
	*ret = strndup(event->text, event->size);
	return *ret ? 0 : -ENOMEM;
}

static int read_file_note(struct speedscope *speedscope, const struct json_event *event)
{
	struct profile_meta *meta = &speedscope->profile->meta;

	if (event->type == JSON_STRING) {
		if (strcmp(event->key, "subtitle") == 0)
			return take_line(&meta->subtitle, event);
		if (strcmp(event->key, "quality") == 0)
			return take_line(&meta->quality, event);
		if (strcmp(event->key, "period_type") == 0)
			return speedscope_take_string(speedscope, &speedscope->period_type, event);
		if (strcmp(event->key, "count_type") == 0)
			return speedscope_take_string(speedscope, &speedscope->count_type, event);
	} else if (event->type == JSON_NUMBER) {
		if (strcmp(event->key, "period") == 0)
			meta->period = event->whole;
		else if (strcmp(event->key, "time_ns") == 0)
			meta->time_ns = event->whole;
		else if (strcmp(event->key, "duration_ns") == 0)
			meta->duration_ns = event->whole;
	}
	return 0;
}

static int read_file_part(struct speedscope *speedscope, const struct json_event *event)
{
	if (event->type == JSON_STRING && strcmp(event->key, "name") == 0)
		return take_line(&speedscope->profile->meta.title, event);
	if (event->type == JSON_NUMBER && strcmp(event->key, "activeProfileIndex") == 0 &&
	    event->number >= 0 && event->number < INT32_MAX)
		speedscope->active = event->number;
	return 0;
}

/*
 * What is no element of what is open: those that others name by their numbers, or whose weights stand
 * elsewhere, cannot be passed over.
 */
static int refuse_element(struct speedscope *speedscope)
{
	switch (place_of(speedscope)) {
	case FRAMES:
		return speedscope_refuse(speedscope, "frame %" PRIu32 " is no object",
					 speedscope->frames.count);
	case PROFILES:
		speedscope->profiles++;
		return speedscope_refuse(speedscope, "it is no object");
	case SAMPLES:
		speedscope->items++;
		return speedscope_refuse(speedscope, "it is no array");
	case STACK:
		return speedscope_refuse(speedscope, "what it names is no frame");
	case WEIGHTS:
		return speedscope_refuse(speedscope, "one of its weights is no number");
	case EVENTS:
		speedscope->items++;
		return speedscope_refuse(speedscope, "it is no object");
	default:
		return 0;
	}
}

static int open_place(struct speedscope *speedscope, const struct json_event *event)
{
	enum place in = place_of(speedscope), place = NOTHING;

	if (!speedscope->depth && event->type == JSON_BEGIN_OBJECT)
		place = WHOLE;
	for (size_t i = 0; speedscope->depth && i < ARRAY_SIZE(parts); i++)
		if (parts[i].in == in && parts[i].type == event->type &&
		    strcmp(parts[i].key, event->key) == 0)
			place = parts[i].place;
	if (place == NOTHING) {
		int r = refuse_element(speedscope);

		if (r != 0)
			return r;
	}
	/* One pass is for frames, the other for the rest. */
	if (speedscope->has_frames ? place == SHARED : place == PROFILES || place == NOTES_OF_FILE)
		place = NOTHING;
	speedscope->places[speedscope->depth++] = place;
	switch (place) {
	case FRAME:
		speedscope->frame = (struct frame){};
		break;
	case PROFILE:
		speedscope_begin_profile(speedscope);
		break;
	case SAMPLES:
		speedscope->has_samples = true;
		break;
	case EVENTS:
		speedscope->has_events = true;
		break;
	case STACK:
		speedscope->items++;
		speedscope->open_count = speedscope->deeper = 0;
		speedscope->has_no_room = false;
		break;
	case EVENT:
		speedscope->items++;
		speedscope->event_type = 0;
		speedscope->has_frame = speedscope->has_at = false;
		break;
	default:
		break;
	}
	return 0;
}

static int close_place(struct speedscope *speedscope)
{
	switch (speedscope->places[--speedscope->depth]) {
	case FRAME:
		return speedscope_end_frame(speedscope);
	case FRAMES:
		return FRAMES_READ;
	case PROFILE:
		return speedscope_end_profile(speedscope);
	case STACK:
		return speedscope_keep_stack(speedscope);
	case EVENT:
		return speedscope_end_event(speedscope);
	default:
		return 0;
	}
}

static int read_stack_part(struct speedscope *speedscope, const struct json_event *event)
{
	uint32_t index = 0;
	int r;

	if (event->type != JSON_NUMBER)
		return refuse_element(speedscope);
	r = speedscope_read_index(speedscope, &index, event->number);
	if (r != 0 || speedscope->has_no_room)
		return r;
	r = speedscope_push_frame(speedscope, index);
	if (r != PROFILE_FULL)
		return r;
	speedscope->has_no_room = true;
	return 0;
}

static int on_event(void *context, const struct json_event *event)
{
	struct speedscope *speedscope = context;

	if (event->type == JSON_BEGIN_OBJECT || event->type == JSON_BEGIN_ARRAY)
		return open_place(speedscope, event);
	if (event->type == JSON_END)
		return close_place(speedscope);
	switch (place_of(speedscope)) {
	case WHOLE:
		return speedscope->has_frames ? read_file_part(speedscope, event) : 0;
	case FRAME:
		return speedscope_read_frame_part(speedscope, event);
	case PROFILE:
		return speedscope_read_profile_part(speedscope, event);
	case STACK:
		return read_stack_part(speedscope, event);
	case WEIGHTS:
		return event->type == JSON_NUMBER
			       ? speedscope_keep_weight(speedscope, event->number)
			       : refuse_element(speedscope);
	case EVENT:
		speedscope_read_event_part(speedscope, event);
		return 0;
	case NOTES_OF_FILE:
		return read_file_note(speedscope, event);
	case NOTES_OF_PROFILE:
		return speedscope_read_profile_note(speedscope, event);
	default:
		return refuse_element(speedscope);
	}
}

/* Goes over the file once. Returns 0, REFUSED or a negative errno. */
static int pass(struct speedscope *speedscope)
{
	const struct unpacked *file = &speedscope->file;
	size_t skip = file->size >= 3 && memcmp(file->bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	struct json_place place;
	int r;

	speedscope->depth = 0;
	r = json_events(file->bytes + skip, file->size - skip, on_event, speedscope, &place);
	if (r != JSON_DAMAGED)
		return r;
	speedscope->profiles = 0;
	return speedscope_refuse(speedscope, "no JSON from byte %zu on: %s", place.offset + skip,
				 place.reason);
}

static int set_up(struct speedscope *speedscope)
{
	uint32_t location;
	int r = speedscope_add_note(speedscope, &speedscope->deep_location, INPUT_DEEP_NAME);

	if (r == 0)
		r = speedscope_add_note(speedscope, &location, INPUT_FULL_NAME);
	return r ? r
		 : profile_stack_add(speedscope->profile, &speedscope->full_stack, &location, 1);
}

/* The type of this name, or PROFILE_NO_TYPE. */
static uint32_t type_of(const struct profile *profile, uint32_t name)
{
	for (uint32_t i = 0; name && i < profile->types.count; i++)
		if (type_name_equal(profile_text(profile, profile->types.at[i].name),
				    profile_text(profile, name)))
			return i;
	return PROFILE_NO_TYPE;
}

/* What counts samples, and what they are multiples of. */
static void find_meaning(struct speedscope *speedscope)
{
	struct profile *profile = speedscope->profile;
	struct profile_meta *meta = &profile->meta;

	if (speedscope->period_type || speedscope->count_type) {
		meta->period_type = type_of(profile, speedscope->period_type);
		meta->count_type = type_of(profile, speedscope->count_type);
		if (meta->period <= 0)
			meta->period_type = PROFILE_NO_TYPE;
		return;
	}
	meta->period_type = meta->count_type = PROFILE_NO_TYPE;
	for (uint32_t i = 0; i < profile->types.count; i++) {
		const struct value_type *values = &speedscope->types[i];

		if (strcmp(profile_text(profile, profile->types.at[i].unit), "count") == 0 &&
		    strcmp(profile_text(profile, profile->types.at[i].name), "samples") == 0)
			meta->count_type = i;
		/* py-spy writes each sample, with the time between two. */
		if (i == meta->main_type && values->even && values->count > 1 &&
		    values->weight >= 1 && values->weight < 0x1p62) {
			meta->period = (int64_t)round(values->weight);
			meta->period_type = i;
		}
	}
}

static int add_samples(struct speedscope *speedscope)
{
	struct profile *profile = speedscope->profile;
	bool is_thread = speedscope->profiles > 1;
	int r = 0;

	profile->closed = false;
	if (speedscope->active < speedscope->profile_types.count &&
	    speedscope->profile_types.at[(uint32_t)speedscope->active] != PROFILE_NO_TYPE)
		profile->meta.main_type =
			speedscope->profile_types.at[(uint32_t)speedscope->active];
	find_meaning(speedscope);
	for (uint32_t i = 0; r == 0 && i < speedscope->counted.entries.count; i++) {
		const struct counted_entry *entry = &speedscope->counted.entries.at[i];
		int64_t values[PROFILE_MAX_TYPES] = {};
		uint32_t labels = entry->key.labels;

		values[entry->key.group] = entry->sums[0];
		if (!is_thread && labels == speedscope->first_labels)
			labels = 0;
		r = profile_sample_add(profile, entry->key.stack, labels, values);
	}
	return r;
}

static int read_file(struct speedscope *speedscope)
{
	int r = set_up(speedscope);

	if (r == 0)
		r = pass(speedscope);
	if (r == 0)
		return speedscope_refuse(speedscope,
					 "JSON, but no profile of speedscope: it has no frames");
	if (r != FRAMES_READ)
		return r;
	speedscope->has_frames = true;
	r = pass(speedscope);
	if (r == 0 && !speedscope->profiles)
		return speedscope_refuse(speedscope,
					 "JSON, but no profile of speedscope: it has no profiles");
	return r ? r : add_samples(speedscope);
}

static int refuse_unpacked(struct speedscope *speedscope, int outcome)
{
	if (outcome == UNPACK_TOO_LARGE)
		return speedscope_refuse(speedscope, "it is larger than it may be, %" PRIu64 " MiB",
					 speedscope->limit_bytes >> 20);
	return speedscope_refuse(speedscope, "the compressed data is damaged");
}

static int speedscope_read(struct profile *profile, struct lines *lines, uint64_t limit_bytes,
			   struct input_report *report)
{
	cleanup(speedscope_free) struct speedscope *speedscope = calloc(1, sizeof(*speedscope));
	int r;

	if (!speedscope)
		return -ENOMEM;
	speedscope->profile = profile;
	speedscope->report = report;
	speedscope->limit_bytes = limit_bytes;
	r = unpack_all(&speedscope->file, lines, limit_bytes);
	if (r > 0)
		r = refuse_unpacked(speedscope, r);
	if (r == 0)
		r = read_file(speedscope);
	return r > 0 ? INPUT_REFUSED : r;
}

/* An object of JSON: a brace, blanks and a quote. Functions may begin with a brace, too: "{main}". */
static bool speedscope_recognises(const char *begin, size_t size)
{
	static const char blanks[] = " \t\r\n";
	size_t at = size >= 3 && memcmp(begin, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	while (at < size && memchr(blanks, begin[at], 4))
		at++;
	if (at == size || begin[at] != '{')
		return false;
	for (at++; at < size && memchr(blanks, begin[at], 4);)
		at++;
	return at < size && begin[at] == '"';
}

const struct input input_speedscope = {
	.name = "speedscope",
	.items = "samples",
	.description = "of speedscope, py-spy, rbspy and others",
	.recognises = speedscope_recognises,
	.read = speedscope_read,
};
