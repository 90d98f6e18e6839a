// SPDX-License-Identifier: Apache-2.0
#include "input/perf_stacks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "input/frame_kind.h"

int perf_stacks_init(struct perf_stacks *stacks, struct profile *profile)
{
	int r = strtab_init(&stacks->texts);

	stacks->profile = profile;
	return r ? r : perf_stacks_note(stacks, &stacks->deep_location, INPUT_DEEP_NAME);
}

void perf_stacks_fini(struct perf_stacks *stacks)
{
	strtab_fini(&stacks->texts);
	array_fini(&stacks->known);
	array_fini(&stacks->mapping_kinds);
	array_fini(&stacks->modules);
	hash_index_fini(&stacks->locations);
}

static int find_mapping(struct perf_stacks *stacks, uint32_t *ret, struct perf_text module)
{
	struct profile *profile = stacks->profile;
	struct profile_mapping mapping = {};
	uint32_t *found;
	int r = profile_string_of(profile, &mapping.file, module.at, module.size);

	if (r != 0)
		return r;
	while (stacks->modules.count <= mapping.file)
		if (!array_push(&stacks->modules))
			return -ENOMEM;
	found = &stacks->modules.at[mapping.file];
	if (!*found) {
		signed char *kind;

		r = profile_mapping_add(profile, ret, &mapping);
		if (r != 0)
			return r;
		kind = array_push(&stacks->mapping_kinds);
		if (!kind)
			return -ENOMEM;
		*kind = (signed char)frame_kind_of_mapping(profile_text(profile, mapping.file));
		*found = *ret + 1;
	}
	*ret = *found - 1;
	return 0;
}

/* A name for a frame that has none: its module's. */
static int name_by_module(struct perf_stacks *stacks, uint32_t *ret, struct perf_text module)
{
	const char *name = module.at;
	char text[256];

	for (size_t i = 0; i < module.size; i++)
		if (module.at[i] == '/' && i + 1 < module.size)
			name = module.at + i + 1;
	if (!module.size)
		return profile_string(stacks->profile, ret, "[unknown]");
	module.size -= (size_t)(name - module.at);
	if (*name == '[')
		return profile_string_of(stacks->profile, ret, name, module.size);
	snprintf(text, sizeof(text), "[%.*s]", module.size < 250 ? (int)module.size : 250, name);
	return profile_string(stacks->profile, ret, text);
}

static int make_known(struct perf_stacks *stacks, struct perf_known *ret,
		      const struct perf_frame *frame)
{
	struct profile *profile = stacks->profile;
	struct profile_function function = {};
	int r = frame->name.size ? profile_string_of(profile, &function.name, frame->name.at,
						     frame->name.size)
				 : name_by_module(stacks, &function.name, frame->module);

	function.system_name = function.name;
	if (r == 0)
		r = find_mapping(stacks, &ret->mapping, frame->module);
	if (r == 0)
		r = profile_function_add(profile, &ret->function, &function);
	ret->address = frame->address;
	ret->inlined = frame->inlined;
	return r;
}

static int find_known(struct perf_stacks *stacks, uint32_t *ret, const char *line, size_t size)
{
	struct perf_frame frame;
	struct perf_known known = {}, *added;
	int r;

	if (strtab_find(&stacks->texts, ret, line, size))
		return 0;
	/* Anything may stand behind a tab, but without an address it must be there. */
	if (!perf_read_frame(&frame, line, size) || (!frame.has_address && *line != '\t'))
		return PERF_NO_FRAME;
	if (stacks->profile->closed)
		return PROFILE_FULL;
	r = make_known(stacks, &known, &frame);
	if (r == 0)
		r = strtab_add(&stacks->texts, ret, line, size);
	if (r != 0)
		return r;
	while (stacks->known.count <= *ret)
		if (!array_push(&stacks->known))
			return -ENOMEM;
	added = &stacks->known.at[*ret];
	*added = known;
	return 0;
}

struct place {
	const struct profile *profile;
	const struct perf_known *at;
	const struct profile_line *lines;
	uint32_t line_count;
};

static bool is_place(const void *context, uint32_t position, const void *key)
{
	const struct profile *profile = context;
	const struct profile_location *location = &profile->locations.at[position];
	const struct place *place = key;

	if (location->mapping != place->at->mapping || location->address != place->at->address ||
	    location->line_count != place->line_count)
		return false;
	for (uint32_t i = 0; i < place->line_count; i++) {
		const struct profile_line *line = &profile->lines.at[location->first_line + i];

		if (line->function != place->lines[i].function ||
		    line->line != place->lines[i].line)
			return false;
	}
	return true;
}

static enum location_kind kind_of(const struct perf_stacks *stacks, const struct place *place)
{
	const struct profile *profile = stacks->profile;
	const struct profile_function *functions = profile->functions.at;
	const struct profile_function *inner = &functions[place->lines[0].function];
	const struct profile_function *outer =
		&functions[place->lines[place->line_count - 1].function];
	const char *name = profile_text(profile, inner->name);

	if (frame_kind_is_note(name, strlen(name)))
		return LOCATION_NOTE;
	return frame_kind(stacks->mapping_kinds.at[place->at->mapping],
			  frame_kind_of_source(profile_text(profile, outer->file)),
			  place->at->address);
}

static int find_location(struct perf_stacks *stacks, uint32_t *ret, const struct place *place)
{
	struct profile *profile = stacks->profile;
	uint64_t hash =
		hash_pair(hash_bytes(place->lines, place->line_count * sizeof(*place->lines)),
			  hash_pair(place->at->mapping, place->at->address));
	int r;

	*ret = hash_index_find(&stacks->locations, hash, is_place, profile, place);
	if (*ret != HASH_ABSENT)
		return 0;
	r = profile_location_append(profile, ret, place->at->mapping, place->at->address,
				    kind_of(stacks, place));
	if (r == 0)
		r = profile_location_name(profile, *ret, place->lines, place->line_count, true);
	return r ? r : hash_index_add(&stacks->locations, hash, *ret);
}

static void push_location(struct perf_stacks *stacks, uint32_t location)
{
	/* The innermost ones are what a stack too deep goes without. */
	if (stacks->depth == ARRAY_SIZE(stacks->stack)) {
		memmove(stacks->stack, stacks->stack + INPUT_MAX_DEPTH,
			INPUT_MAX_DEPTH * sizeof(*stacks->stack));
		stacks->depth = INPUT_MAX_DEPTH;
		stacks->is_cut = true;
	}
	stacks->stack[stacks->depth++] = location;
}

/* The location at hand is complete. */
static int end_location(struct perf_stacks *stacks)
{
	uint32_t count = stacks->line_count, location;
	struct perf_known *known;
	int r = 0;

	if (!count)
		return 0;
	stacks->line_count = 0;
	known = &stacks->known.at[stacks->lines_known[count - 1]];
	if (count == 1 && !stacks->has_source && known->location) {
		location = known->location - 1;
	} else {
		struct place place = { stacks->profile, known, stacks->frame_lines, count };

		r = find_location(stacks, &location, &place);
		if (r == 0 && count == 1 && !stacks->has_source)
			known->location = location + 1;
	}
	stacks->has_source = false;
	if (r == 0)
		push_location(stacks, location);
	return r;
}

int perf_stacks_frame(struct perf_stacks *stacks, const char *line, size_t size)
{
	uint32_t id;
	int r = find_known(stacks, &id, line, size);

	if (r != 0)
		return r;
	/* What is inlined stands before what it was inlined into. */
	if (stacks->line_count &&
	    (!stacks->known.at[stacks->lines_known[stacks->line_count - 1]].inlined ||
	     stacks->line_count == PERF_MAX_INLINED))
		r = end_location(stacks);
	if (r != 0)
		return r;
	stacks->lines_known[stacks->line_count] = id;
	stacks->frame_lines[stacks->line_count++] =
		(struct profile_line){ .function = stacks->known.at[id].function };
	return 0;
}

int perf_stacks_source(struct perf_stacks *stacks, struct perf_text file, uint32_t number)
{
	struct profile *profile = stacks->profile;
	struct profile_line *line = &stacks->frame_lines[stacks->line_count - 1];
	struct profile_function function = profile->functions.at[line->function];
	int r;

	if (file.size == 2 && memcmp(file.at, "??", 2) == 0)
		return 0;
	r = profile_string_of(profile, &function.file, file.at, file.size);
	if (r == 0)
		r = profile_function_add(profile, &line->function, &function);
	if (r == 0)
		line->line = number;
	stacks->has_source |= r == 0;
	return r;
}

int perf_stacks_note(struct perf_stacks *stacks, uint32_t *ret, const char *name)
{
	struct profile *profile = stacks->profile;
	struct profile_function function = {};
	struct profile_line line = {};
	uint32_t mapping;
	int r = find_mapping(stacks, &mapping, (struct perf_text){ "", 0 });

	if (r == 0)
		r = profile_string(profile, &function.name, name);
	function.system_name = function.name;
	if (r == 0)
		r = profile_function_add(profile, &line.function, &function);
	if (r == 0)
		r = profile_location_append(profile, ret, mapping, 0, LOCATION_NOTE);
	return r ? r : profile_location_name(profile, *ret, &line, 1, true);
}

void perf_stacks_begin(struct perf_stacks *stacks)
{
	stacks->depth = stacks->line_count = 0;
	stacks->is_cut = stacks->has_source = false;
}

int perf_stacks_end(struct perf_stacks *stacks, uint32_t *ret, bool *ret_cut)
{
	int r = end_location(stacks);
	const uint32_t *locations = stacks->stack;
	uint32_t depth = stacks->depth;

	*ret_cut = r == 0 && (stacks->is_cut || depth > INPUT_MAX_DEPTH);
	if (*ret_cut) {
		locations += depth - INPUT_MAX_DEPTH - 1;
		stacks->stack[depth - INPUT_MAX_DEPTH - 1] = stacks->deep_location;
		depth = INPUT_MAX_DEPTH + 1;
	}
	return r ? r : profile_stack_add(stacks->profile, ret, locations, depth);
}

uint64_t perf_stacks_bytes(const struct perf_stacks *stacks)
{
	return stacks->texts.bytes.count + 4ULL * stacks->texts.offsets.count +
	       2ULL * sizeof(struct hash_slot) *
		       (stacks->texts.index.count + (uint64_t)stacks->locations.count) +
	       stacks->known.count * (uint64_t)sizeof(*stacks->known.at) +
	       stacks->modules.count * (uint64_t)sizeof(*stacks->modules.at);
}
