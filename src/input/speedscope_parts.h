/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that read speedscope's format know of each other. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/hash.h"
#include "input/counted.h"
#include "input/input.h"
#include "input/json_events.h"
#include "input/unpack.h"

enum {
	MAX_DEPTH = INPUT_MAX_DEPTH,
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

/* speedscope.c: the whole */

/* Fills the report's reason in: where in the file, and why. Returns REFUSED. */
int speedscope_refuse(struct speedscope *speedscope, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* About the memory that all of it takes. */
uint64_t speedscope_bytes_of(const struct speedscope *speedscope);
/* Without these there is no going on. number: of them so far; 0: look now. 0 or REFUSED. */
int speedscope_check_memory(struct speedscope *speedscope, uint64_t number);
/* Puts an event's text into the profile. Returns 0, REFUSED or -ENOMEM. */
int speedscope_take_string(struct speedscope *speedscope, uint32_t *ret,
			   const struct json_event *event);

/* speedscope_stacks.c: frames, and the stacks and events that name them */

/* A value of the frame at hand. Returns 0, REFUSED or -ENOMEM. */
int speedscope_read_frame_part(struct speedscope *speedscope, const struct json_event *event);
/* The frame at hand is whole. Returns as profile_string, or REFUSED. */
int speedscope_end_frame(struct speedscope *speedscope);
/* Puts the number of a frame into *ret. Returns 0 or REFUSED. */
int speedscope_read_index(struct speedscope *speedscope, uint32_t *ret, double number);
/* Opens a frame, which is there. Returns as profile_string. */
int speedscope_push_frame(struct speedscope *speedscope, uint32_t index);
/* Puts the stack at hand behind the others. Returns 0 or a negative errno. */
int speedscope_keep_stack(struct speedscope *speedscope);
/* The same for a weight. Returns 0 or -ENOMEM. */
int speedscope_keep_weight(struct speedscope *speedscope, double weight);
/* A value of the event at hand. */
void speedscope_read_event_part(struct speedscope *speedscope, const struct json_event *event);
/* The event at hand is whole. Returns 0, REFUSED or a negative errno. */
int speedscope_end_event(struct speedscope *speedscope);
/* A new location that is no code, with this name. Returns as profile_string. */
int speedscope_add_note(struct speedscope *speedscope, uint32_t *ret, const char *name);

/* speedscope_profile.c: one profile, with what it counts and whose it is */

/* Nothing is known of the next profile. */
void speedscope_begin_profile(struct speedscope *speedscope);
/* A value of the profile at hand. Returns 0, REFUSED or -ENOMEM. */
int speedscope_read_profile_part(struct speedscope *speedscope, const struct json_event *event);
/* The same of what output/speedscope.c adds. */
int speedscope_read_profile_note(struct speedscope *speedscope, const struct json_event *event);
/* Counts what the profile holds, now that everything is known of it. 0, REFUSED or -errno. */
int speedscope_end_profile(struct speedscope *speedscope);
