// SPDX-License-Identifier: Apache-2.0
/* Frames, and the stacks and events that name them. */
#include "input/speedscope_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "input/frame_kind.h"

enum { MAX_INLINED = 64 }; /* functions of a location */

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

int speedscope_end_frame(struct speedscope *speedscope)
{
	struct profile *profile = speedscope->profile;
	struct frame *frame = &speedscope->frame, *added;
	struct profile_function function = {};
	int mapping_kind, source_kind, r;

	if (!frame->has_name)
		return speedscope_refuse(speedscope, "frame %" PRIu32 " has no name",
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
	return speedscope_check_memory(speedscope, speedscope->frames.count);
}

static uint32_t line_of(double number)
{
	return number >= 1 && number <= INT32_MAX ? (uint32_t)number : 0;
}

int speedscope_read_frame_part(struct speedscope *speedscope, const struct json_event *event)
{
	struct frame *frame = &speedscope->frame;

	if (event->type == JSON_STRING && strcmp(event->key, "name") == 0) {
		frame->has_name = true;
		return speedscope_take_string(speedscope, &frame->name, event);
	}
	if (event->type == JSON_STRING && strcmp(event->key, "file") == 0)
		return speedscope_take_string(speedscope, &frame->file, event);
	if (event->type == JSON_STRING && strcmp(event->key, "module") == 0) {
		frame->has_module = true;
		return speedscope_take_string(speedscope, &frame->module, event);
	}
	if (event->type == JSON_NUMBER && strcmp(event->key, "line") == 0)
		frame->line = line_of(event->number);
	else if (event->type == JSON_TRUE && strcmp(event->key, "inlined") == 0)
		frame->inlined = true;
	return 0;
}

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
int speedscope_push_frame(struct speedscope *speedscope, uint32_t index)
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
int speedscope_keep_stack(struct speedscope *speedscope)
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
		speedscope->profile->closed =
			speedscope_bytes_of(speedscope) >= speedscope->limit_bytes;
	return 0;
}

int speedscope_keep_weight(struct speedscope *speedscope, double weight)
{
	double *kept = array_push(&speedscope->weights);

	if (!kept)
		return -ENOMEM;
	*kept = weight;
	return 0;
}

/* Puts the number of a frame into *ret. */
int speedscope_read_index(struct speedscope *speedscope, uint32_t *ret, double number)
{
	if (!(number >= 0 && number < speedscope->frames.count) || number != floor(number))
		return speedscope_refuse(speedscope, "it names frame %.15g, of %" PRIu32, number,
					 speedscope->frames.count);
	*ret = (uint32_t)number;
	return 0;
}

/* Time goes on to where the event is. */
static int pass_time(struct speedscope *speedscope)
{
	double passed = speedscope->event_at - speedscope->last_at;
	int r = 0;

	if (speedscope->items == 1)
		passed = 0;
	if (passed < 0)
		return speedscope_refuse(speedscope, "it comes before the one before it");
	if (passed > 0 && speedscope->open_count)
		r = speedscope_keep_stack(speedscope);
	if (r == 0 && passed > 0 && speedscope->open_count)
		r = speedscope_keep_weight(speedscope, passed);
	speedscope->last_at = speedscope->event_at;
	return r;
}

int speedscope_end_event(struct speedscope *speedscope)
{
	uint32_t index = 0;
	int r;

	if (!speedscope->has_frame || !speedscope->has_at || !speedscope->event_type)
		return speedscope_refuse(speedscope, "it has no type, frame or time");
	r = speedscope_read_index(speedscope, &index, speedscope->event_frame);
	if (r == 0)
		r = pass_time(speedscope);
	if (r != 0)
		return r;
	if (speedscope->event_type == 'O') {
		r = speedscope_push_frame(speedscope, index);
		return r == PROFILE_FULL ? speedscope_check_memory(speedscope, 0) : r;
	}
	if (speedscope->deeper) {
		speedscope->deeper--;
		return 0;
	}
	if (!speedscope->open_count || speedscope->open[speedscope->open_count - 1].frame != index)
		return speedscope_refuse(speedscope,
					 "it ends frame %" PRIu32
					 ", which is not the last one open",
					 index);
	speedscope->open_count--;
	return 0;
}

void speedscope_read_event_part(struct speedscope *speedscope, const struct json_event *event)
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

int speedscope_add_note(struct speedscope *speedscope, uint32_t *ret, const char *name)
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
