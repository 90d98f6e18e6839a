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
#include "input/input.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "input/counted.h"
#include "input/frame_kind.h"
#include "input/json_events.h"
#include "input/type_name.h"
#include "input/unpack.h"

enum {
	MAX_DEPTH = INPUT_MAX_DEPTH,
	MAX_INLINED = 64,   /* functions of a location */
	CHECK_ITEMS = 1024, /* between two looks at the memory taken */
};

/* Outcomes of the handlers, behind JSON_DAMAGED. */
enum { REFUSED = JSON_DAMAGED + 1, FRAMES_READ };

/* What is open, from the outside in. */
enum place {
	NOTHING, /* also what is passed over */
	WHOLE,
	SHARED,
	FRAMES,
	FRAME,
	PROFILES,
	PROFILE,
	SAMPLES,
	STACK,
	WEIGHTS,
	EVENTS,
	EVENT,
	NOTES_OF_FILE,
	NOTES_OF_PROFILE,
};

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

struct frame {
	uint32_t name, file, module; /* strings, until it has a function */
	uint32_t function, line, mapping;
	enum location_kind kind;
	bool inlined, has_name, has_module;
	uint32_t location; /* + 1, of itself alone; 0: not made yet */
};

/* A frame that is open. */
struct open_frame {
	uint32_t frame, count; /* locations up to it */
	uint32_t location;     /* of which this is the last */
};

/* The values of a profile. */
struct value_type {
	uint32_t type; /* of the profile read into, or PROFILE_NO_TYPE: one too many */
	bool even;     /* all weights are this one, and each is one sample: */
	double weight;
	uint64_t count;
};

struct speedscope {
	struct profile *profile;
	struct input_report *report;
	struct unpacked file;
	uint64_t limit_bytes;
	enum place places[JSON_EVENTS_DEPTH + 1];
	unsigned depth; /* of places */

	ARRAY_OF(struct frame) frames;
	struct frame frame; /* at hand */
	bool has_frames;
	ARRAY_OF(uint32_t) modules; /* by string: mapping + 1 */
	struct hash_index inlined;  /* caller's location and frame → location */
	struct counted counted;	    /* by type */
	struct value_type types[PROFILE_MAX_TYPES];
	uint32_t full_stack, deep_location;
	uint32_t first_labels;		  /* of the only profile that is not called a thread */
	ARRAY_OF(uint32_t) profile_types; /* by profile */
	double active;			  /* the one that is shown first */
	uint32_t period_type, count_type; /* strings; 0: not told */

	/* The profile at hand. */
	uint64_t profiles, items;  /* which one; which sample or event of it */
	uint32_t name, unit, kind; /* strings */
	uint32_t note_type, note_unit, comm, thread_name;
	int64_t pid, tid;
	bool has_notes, has_samples, has_weights, has_events;
	double end;
	ARRAY_OF(uint32_t) stacks;
	ARRAY_OF(double) weights;
	/* The event at hand, and the time of the last one. */
	char event_type;
	double event_frame, event_at, last_at;
	bool has_frame, has_at;
	/* The stack at hand, from its root; frames below MAX_DEPTH are counted only. */
	uint32_t open_count, deeper;
	bool has_no_room;
	struct open_frame open[MAX_DEPTH];
	uint32_t locations[MAX_DEPTH + 1], leaf_first[MAX_DEPTH + 1];
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

__attribute__((format(printf, 2, 3))) static int refuse(struct speedscope *speedscope,
							const char *format, ...)
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

static uint64_t bytes_of(const struct speedscope *speedscope)
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
static int check_memory(struct speedscope *speedscope, uint64_t number)
{
	if (number % CHECK_ITEMS || bytes_of(speedscope) < speedscope->limit_bytes)
		return 0;
	speedscope->profiles = 0;
	return refuse(speedscope, "the file takes more memory than it may, %" PRIu64 " MiB",
		      speedscope->limit_bytes >> 20);
}

/* Returns 0, REFUSED or -ENOMEM. */
static int take_string(struct speedscope *speedscope, uint32_t *ret, const struct json_event *event)
{
	int r = profile_string_of(speedscope->profile, ret, event->text,
				  strnlen(event->text, event->size));

	return r == PROFILE_FULL ? check_memory(speedscope, 0) : r;
}

/* ---- frames ---- */

static int find_mapping(struct speedscope *speedscope, uint32_t *ret, uint32_t module)
{
	struct profile_mapping mapping = { .file = module, .only_names = true };
	int r;

	while (speedscope->modules.count <= module)
		if (!array_push(&speedscope->modules))
			return -ENOMEM;
	if (!speedscope->modules.at[module]) {
		r = profile_mapping_add(speedscope->profile, ret, &mapping);
		if (r != 0)
			return r;
		speedscope->modules.at[module] = *ret + 1;
	}
	*ret = speedscope->modules.at[module] - 1;
	return 0;
}

/* Where no module is told, a file may be one: of a library, of the kernel. */
static bool is_module(const char *file)
{
	int kind = frame_kind_of_mapping(file);

	return kind == LOCATION_LIBRARY || kind == LOCATION_KERNEL || kind == LOCATION_JIT;
}

static int end_frame(struct speedscope *speedscope)
{
	struct profile *profile = speedscope->profile;
	struct frame *frame = &speedscope->frame, *added;
	struct profile_function function = {};
	int mapping_kind, source_kind, r;

	if (!frame->has_name)
		return refuse(speedscope, "frame %" PRIu32 " has no name",
			      speedscope->frames.count);
	if (!frame->has_module && !frame->line && is_module(profile_text(profile, frame->file))) {
		frame->module = frame->file;
		frame->file = 0;
	} else if (frame->has_module && frame->file == frame->module) {
		frame->file = 0;
	}
	function.name = function.system_name = frame->name;
	function.file = frame->file;
	mapping_kind = frame_kind_of_mapping(profile_text(profile, frame->module));
	source_kind = frame_kind_of_source(profile_text(profile, frame->file));
	frame->kind = frame_kind(mapping_kind, source_kind, 0);
	if (frame_kind_is_note(profile_text(profile, frame->name),
			       strlen(profile_text(profile, frame->name))))
		frame->kind = LOCATION_NOTE;
	r = profile_function_add(profile, &frame->function, &function);
	if (r == 0)
		r = find_mapping(speedscope, &frame->mapping, frame->module);
	if (r != 0)
		return r;
	added = array_push(&speedscope->frames);
	if (!added)
		return -ENOMEM;
	*added = *frame;
	return check_memory(speedscope, speedscope->frames.count);
}

static uint32_t line_of(double number)
{
	return number >= 1 && number <= INT32_MAX ? (uint32_t)number : 0;
}

static int read_frame_part(struct speedscope *speedscope, const struct json_event *event)
{
	struct frame *frame = &speedscope->frame;

	if (event->type == JSON_STRING && strcmp(event->key, "name") == 0) {
		frame->has_name = true;
		return take_string(speedscope, &frame->name, event);
	}
	if (event->type == JSON_STRING && strcmp(event->key, "file") == 0)
		return take_string(speedscope, &frame->file, event);
	if (event->type == JSON_STRING && strcmp(event->key, "module") == 0) {
		frame->has_module = true;
		return take_string(speedscope, &frame->module, event);
	}
	if (event->type == JSON_NUMBER && strcmp(event->key, "line") == 0)
		frame->line = line_of(event->number);
	else if (event->type == JSON_TRUE && strcmp(event->key, "inlined") == 0)
		frame->inlined = true;
	return 0;
}

/* ---- stacks; as profile_string returns ---- */

/* A new location. What tells it apart from others is its number, until the profile is frozen. */
static int add_location(struct speedscope *speedscope, uint32_t *ret, uint32_t mapping,
			enum location_kind kind, const struct profile_line *lines, uint32_t count)
{
	struct profile *profile = speedscope->profile;
	int r = profile_location_append(profile, ret, mapping, profile->locations.count, kind);

	return r ? r : profile_location_name(profile, *ret, lines, count, true);
}

static int find_plain(struct speedscope *speedscope, uint32_t *ret, uint32_t index)
{
	struct frame *frame = &speedscope->frames.at[index];
	struct profile_line line = { frame->function, frame->line };
	int r;

	if (!frame->location) {
		r = add_location(speedscope, ret, frame->mapping, frame->kind, &line, 1);
		if (r != 0)
			return r;
		frame->location = *ret + 1;
	}
	*ret = frame->location - 1;
	return 0;
}

static int find_inlined(struct speedscope *speedscope, uint32_t *ret, uint32_t index,
			uint32_t caller)
{
	struct profile *profile = speedscope->profile;
	const struct frame *frame = &speedscope->frames.at[index];
	struct profile_location outer = profile->locations.at[caller];
	struct profile_line lines[MAX_INLINED];
	/* Different pairs have different hashes. */
	uint64_t hash = hash_u64((uint64_t)caller << 32 | index);
	int r;

	*ret = hash_index_find(&speedscope->inlined, hash, NULL, NULL, NULL);
	if (*ret != HASH_ABSENT)
		return 0;
	lines[0] = (struct profile_line){ frame->function, frame->line };
	memcpy(lines + 1, &profile->lines.at[outer.first_line], outer.line_count * sizeof(*lines));
	r = add_location(speedscope, ret, outer.mapping, outer.kind, lines, outer.line_count + 1);
	return r ? r : hash_index_add(&speedscope->inlined, hash, *ret);
}

/* Opens a frame, which is there. */
static int push_frame(struct speedscope *speedscope, uint32_t index)
{
	const struct open_frame *caller =
		speedscope->open_count ? &speedscope->open[speedscope->open_count - 1] : NULL;
	struct open_frame *added;
	uint32_t location, count = caller ? caller->count : 0;
	int r;

	if (speedscope->open_count == MAX_DEPTH) {
		speedscope->deeper++;
		return 0;
	}
	if (caller && speedscope->frames.at[index].inlined &&
	    speedscope->profile->locations.at[caller->location].line_count < MAX_INLINED) {
		r = find_inlined(speedscope, &location, index, caller->location);
		count--;
	} else {
		r = find_plain(speedscope, &location, index);
	}
	if (r != 0)
		return r;
	added = &speedscope->open[speedscope->open_count++];
	*added = (struct open_frame){ index, count + 1, location };
	return 0;
}

static int make_stack(struct speedscope *speedscope, uint32_t *ret)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < speedscope->open_count; i++) {
		count = speedscope->open[i].count;
		speedscope->locations[count - 1] = speedscope->open[i].location;
	}
	if (speedscope->deeper) {
		speedscope->locations[count++] = speedscope->deep_location;
		speedscope->report->cut_stacks++;
	}
	for (uint32_t i = 0; i < count; i++)
		speedscope->leaf_first[i] = speedscope->locations[count - 1 - i];
	return profile_stack_add(speedscope->profile, ret, speedscope->leaf_first, count);
}

/* Puts the stack at hand behind the others. */
static int keep_stack(struct speedscope *speedscope)
{
	uint32_t stack, *kept;
	int r = speedscope->has_no_room ? PROFILE_FULL : make_stack(speedscope, &stack);

	if (r == PROFILE_FULL) {
		speedscope->report->left_out++;
		stack = speedscope->full_stack;
		r = 0;
	}
	if (r != 0)
		return r;
	kept = array_push(&speedscope->stacks);
	if (!kept)
		return -ENOMEM;
	*kept = stack;
	if (speedscope->stacks.count % CHECK_ITEMS == 0)
		speedscope->profile->closed = bytes_of(speedscope) >= speedscope->limit_bytes;
	return 0;
}

static int keep_weight(struct speedscope *speedscope, double weight)
{
	double *kept = array_push(&speedscope->weights);

	if (!kept)
		return -ENOMEM;
	*kept = weight;
	return 0;
}

/* Puts the number of a frame into *ret. */
static int read_index(struct speedscope *speedscope, uint32_t *ret, double number)
{
	if (!(number >= 0 && number < speedscope->frames.count) || number != floor(number))
		return refuse(speedscope, "it names frame %.15g, of %" PRIu32, number,
			      speedscope->frames.count);
	*ret = (uint32_t)number;
	return 0;
}

/* ---- profiles ---- */

static void begin_profile(struct speedscope *speedscope)
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
	return refuse(speedscope, "its unit is none that the format knows");
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
		return refuse(speedscope, "its weight is below 0");
	if (value >= 0x1p63)
		return refuse(speedscope, "its weight is larger than 2^63");
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
static int end_profile(struct speedscope *speedscope)
{
	uint32_t type, labels;
	double scale;
	int r;

	speedscope->items = 0;
	if (speedscope->has_events == speedscope->has_samples)
		return refuse(speedscope, "it has neither samples nor events, or both");
	if (speedscope->has_events && speedscope->open_count &&
	    speedscope->end > speedscope->last_at) {
		r = keep_stack(speedscope);
		if (r == 0)
			r = keep_weight(speedscope, speedscope->end - speedscope->last_at);
		if (r != 0)
			return r;
	}
	if (speedscope->stacks.count != speedscope->weights.count)
		return refuse(speedscope, "it has %" PRIu32 " samples and %" PRIu32 " weights",
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

/* Time goes on to where the event is. */
static int pass_time(struct speedscope *speedscope)
{
	double passed = speedscope->event_at - speedscope->last_at;
	int r = 0;

	if (speedscope->items == 1)
		passed = 0;
	if (passed < 0)
		return refuse(speedscope, "it comes before the one before it");
	if (passed > 0 && speedscope->open_count)
		r = keep_stack(speedscope);
	if (r == 0 && passed > 0 && speedscope->open_count)
		r = keep_weight(speedscope, passed);
	speedscope->last_at = speedscope->event_at;
	return r;
}

static int end_event(struct speedscope *speedscope)
{
	uint32_t index = 0;
	int r;

	if (!speedscope->has_frame || !speedscope->has_at || !speedscope->event_type)
		return refuse(speedscope, "it has no type, frame or time");
	r = read_index(speedscope, &index, speedscope->event_frame);
	if (r == 0)
		r = pass_time(speedscope);
	if (r != 0)
		return r;
	if (speedscope->event_type == 'O') {
		r = push_frame(speedscope, index);
		return r == PROFILE_FULL ? check_memory(speedscope, 0) : r;
	}
	if (speedscope->deeper) {
		speedscope->deeper--;
		return 0;
	}
	if (!speedscope->open_count || speedscope->open[speedscope->open_count - 1].frame != index)
		return refuse(speedscope,
			      "it ends frame %" PRIu32 ", which is not the last one open", index);
	speedscope->open_count--;
	return 0;
}

static void read_event_part(struct speedscope *speedscope, const struct json_event *event)
{
	if (event->type == JSON_STRING && strcmp(event->key, "type") == 0) {
		if (event->size == 1 && (event->text[0] == 'O' || event->text[0] == 'C'))
			speedscope->event_type = event->text[0];
	} else if (event->type == JSON_NUMBER && strcmp(event->key, "frame") == 0) {
		speedscope->event_frame = event->number;
		speedscope->has_frame = true;
	} else if (event->type == JSON_NUMBER && strcmp(event->key, "at") == 0) {
		speedscope->event_at = event->number;
		speedscope->has_at = true;
	}
}

static int read_profile_part(struct speedscope *speedscope, const struct json_event *event)
{
	if (event->type == JSON_STRING && strcmp(event->key, "name") == 0)
		return take_string(speedscope, &speedscope->name, event);
	if (event->type == JSON_STRING && strcmp(event->key, "unit") == 0)
		return take_string(speedscope, &speedscope->unit, event);
	if (event->type == JSON_NUMBER && strcmp(event->key, "endValue") == 0)
		speedscope->end = event->number;
	return 0;
}

static int read_profile_note(struct speedscope *speedscope, const struct json_event *event)
{
	speedscope->has_notes = true;
	if (event->type == JSON_NUMBER && strcmp(event->key, "pid") == 0)
		speedscope->pid = event->whole;
	else if (event->type == JSON_NUMBER && strcmp(event->key, "tid") == 0)
		speedscope->tid = event->whole;
	if (event->type != JSON_STRING)
		return 0;
	if (strcmp(event->key, "type") == 0)
		return take_string(speedscope, &speedscope->note_type, event);
	if (strcmp(event->key, "unit") == 0)
		return take_string(speedscope, &speedscope->note_unit, event);
	if (strcmp(event->key, "comm") == 0)
		return take_string(speedscope, &speedscope->comm, event);
	if (strcmp(event->key, "thread_name") == 0)
		return take_string(speedscope, &speedscope->thread_name, event);
	return 0;
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
			return take_string(speedscope, &speedscope->period_type, event);
		if (strcmp(event->key, "count_type") == 0)
			return take_string(speedscope, &speedscope->count_type, event);
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

/* ---- the whole ---- */

/*
 * What is no element of what is open: those that others name by their numbers, or whose weights stand
 * elsewhere, cannot be passed over.
 */
static int refuse_element(struct speedscope *speedscope)
{
	switch (place_of(speedscope)) {
	case FRAMES:
		return refuse(speedscope, "frame %" PRIu32 " is no object",
			      speedscope->frames.count);
	case PROFILES:
		speedscope->profiles++;
		return refuse(speedscope, "it is no object");
	case SAMPLES:
		speedscope->items++;
		return refuse(speedscope, "it is no array");
	case STACK:
		return refuse(speedscope, "what it names is no frame");
	case WEIGHTS:
		return refuse(speedscope, "one of its weights is no number");
	case EVENTS:
		speedscope->items++;
		return refuse(speedscope, "it is no object");
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
		begin_profile(speedscope);
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
		return end_frame(speedscope);
	case FRAMES:
		return FRAMES_READ;
	case PROFILE:
		return end_profile(speedscope);
	case STACK:
		return keep_stack(speedscope);
	case EVENT:
		return end_event(speedscope);
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
	r = read_index(speedscope, &index, event->number);
	if (r != 0 || speedscope->has_no_room)
		return r;
	r = push_frame(speedscope, index);
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
		return read_frame_part(speedscope, event);
	case PROFILE:
		return read_profile_part(speedscope, event);
	case STACK:
		return read_stack_part(speedscope, event);
	case WEIGHTS:
		return event->type == JSON_NUMBER ? keep_weight(speedscope, event->number)
						  : refuse_element(speedscope);
	case EVENT:
		read_event_part(speedscope, event);
		return 0;
	case NOTES_OF_FILE:
		return read_file_note(speedscope, event);
	case NOTES_OF_PROFILE:
		return read_profile_note(speedscope, event);
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
	return refuse(speedscope, "no JSON from byte %zu on: %s", place.offset + skip,
		      place.reason);
}

static int add_note(struct speedscope *speedscope, uint32_t *ret, const char *name)
{
	struct profile *profile = speedscope->profile;
	struct profile_function function = {};
	struct profile_line line = {};
	uint32_t mapping;
	int r = find_mapping(speedscope, &mapping, 0);

	if (r == 0)
		r = profile_string(profile, &function.name, name);
	function.system_name = function.name;
	if (r == 0)
		r = profile_function_add(profile, &line.function, &function);
	return r ? r : add_location(speedscope, ret, mapping, LOCATION_NOTE, &line, 1);
}

static int set_up(struct speedscope *speedscope)
{
	uint32_t location;
	int r = add_note(speedscope, &speedscope->deep_location, INPUT_DEEP_NAME);

	if (r == 0)
		r = add_note(speedscope, &location, INPUT_FULL_NAME);
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
		return refuse(speedscope, "JSON, but no profile of speedscope: it has no frames");
	if (r != FRAMES_READ)
		return r;
	speedscope->has_frames = true;
	r = pass(speedscope);
	if (r == 0 && !speedscope->profiles)
		return refuse(speedscope, "JSON, but no profile of speedscope: it has no profiles");
	return r ? r : add_samples(speedscope);
}

static int refuse_unpacked(struct speedscope *speedscope, int outcome)
{
	if (outcome == UNPACK_TOO_LARGE)
		return refuse(speedscope, "it is larger than it may be, %" PRIu64 " MiB",
			      speedscope->limit_bytes >> 20);
	return refuse(speedscope, "the compressed data is damaged");
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
