// SPDX-License-Identifier: Apache-2.0
#include "store/window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void slice_fini(struct slice *slice)
{
	bytes_fini(&slice->frames);
	bytes_fini(&slice->processes);
	bytes_fini(&slice->paths);
	bytes_fini(&slice->entries);
}

struct cutter {
	struct segment *segment;
	struct symbols *symbols;
	const struct profile *window;
	struct slice *slice;
	struct frames_encoder frames;
	struct paths_encoder paths;
	/* By ids of the window: number + 1; 0: not asked for yet. */
	uint32_t *mappings, *locations, *processes;
	ARRAY_OF(struct entry) entries;
};

static void cutter_fini(struct cutter *cutter)
{
	free(cutter->mappings);
	free(cutter->locations);
	free(cutter->processes);
	array_fini(&cutter->entries);
}

static void cutter_fini_cleanup(struct cutter *cutter)
{
	cutter_fini(cutter);
}

/* A text within a key of several: which bytes are whose must be clear whatever they are. */
static void add_key(struct bytes *key, const char *text)
{
	bytes_add_format(key, "%zu:%s", strlen(text), text);
}

/* Finds the position of a key; *ret_new when it was added, with no row yet. */
static int find_key(struct segment_rows *rows, struct bytes *key, uint32_t *ret, bool *ret_new)
{
	const char *text = bytes_str(key);

	if (!text || strtab_add(&rows->keys, ret, text, key->size) < 0)
		return -ENOMEM;
	*ret_new = *ret == rows->rows.count;
	return *ret_new && !array_push(&rows->rows) ? -ENOMEM : 0;
}

static int take_mapping(struct cutter *c, uint32_t id, uint32_t *ret)
{
	const struct profile_mapping *mapping = &c->window->mappings.at[id];
	struct segment_rows *rows = &c->segment->binaries;
	cleanup(bytes_fini) struct bytes key = {};
	uint32_t position;
	bool is_new;
	int r;

	if (c->mappings[id]) {
		*ret = c->mappings[id] - 1;
		return 0;
	}
	add_key(&key, profile_text(c->window, mapping->file));
	add_key(&key, profile_text(c->window, mapping->build_id));
	bytes_add_format(&key, "%u %llx %llx %llx", mapping->identity,
			 (unsigned long long)mapping->start, (unsigned long long)mapping->limit,
			 (unsigned long long)mapping->file_offset);
	r = find_key(rows, &key, &position, &is_new);
	if (r == 0 && is_new)
		r = symbols_binary(c->symbols, c->window, mapping, &rows->rows.at[position]);
	if (r != 0)
		return r;
	*ret = rows->rows.at[position];
	c->mappings[id] = *ret + 1;
	return 0;
}

static int take_location(struct cutter *c, uint32_t id, uint32_t *ret)
{
	uint64_t address = c->window->locations.at[id].address;
	struct segment_frame frame = { .address = address };
	uint32_t known_row = 0;
	int r;

	if (c->locations[id]) {
		*ret = c->locations[id] - 1;
		return 0;
	}
	r = take_mapping(c, c->window->locations.at[id].mapping, &frame.binary);
	if (r != 0)
		return r;
	*ret = segment_find_frame(c->segment, frame.binary, address);
	if (*ret != HASH_ABSENT) {
		frame = c->segment->frames.at[*ret];
		known_row = frame.known.id;
	}
	if (!known_row || frame_is_news(c->window, id, &frame.known))
		r = symbols_frame(c->symbols, c->window, id, frame.binary, &frame.known);
	if (r == 0 && frame.known.id != known_row) {
		r = segment_add_frame(c->segment, &frame, *ret, ret);
		frames_encode(&c->frames, frame.known.id);
	} else if (r == 0) {
		c->segment->frames.at[*ret].known = frame.known;
	}
	c->locations[id] = *ret + 1;
	return r;
}

static const char *label_text(const struct cutter *c, uint32_t set, const char *key)
{
	const struct profile_label *label = profile_label_find(c->window, set, key);

	return label && !label->is_number ? profile_text(c->window, label->text) : "";
}

static int64_t label_number(const struct cutter *c, uint32_t set, const char *key)
{
	const struct profile_label *label = profile_label_find(c->window, set, key);

	return label && label->is_number && label->number >= 0 && label->number < UINT32_MAX
		       ? label->number
		       : -1;
}

static int take_process(struct cutter *c, uint32_t set, uint32_t *ret)
{
	struct segment_rows *rows = &c->segment->programs;
	cleanup(bytes_fini) struct bytes key = {};
	struct program program = { .uid = label_number(c, set, "uid") };
	int64_t pid = label_number(c, set, "pid");
	uint32_t position;
	bool is_new;
	int r;

	if (c->processes[set]) {
		*ret = c->processes[set] - 1;
		return 0;
	}
	for (size_t i = 0; i < PROGRAM_TEXTS; i++) {
		program.texts[i] = label_text(c, set, program_keys[i]);
		add_key(&key, program.texts[i]);
	}
	bytes_add_format(&key, "%lld", (long long)program.uid);
	r = find_key(rows, &key, &position, &is_new);
	if (r == 0 && is_new)
		r = symbols_program(c->symbols, &program, &rows->rows.at[position]);
	if (r == 0)
		r = segment_process(c->segment, pid, rows->rows.at[position], ret, &is_new);
	if (r == 0 && is_new)
		process_encode(&c->slice->processes, pid, rows->rows.at[position]);
	c->processes[set] = *ret + 1;
	return r;
}

/* From the outermost frame; of stacks too deep the innermost frames are left out. */
static int take_stack(struct cutter *c, uint32_t stack, uint32_t *ret)
{
	struct profile_run run = c->window->stacks.at[stack];
	uint32_t last = run.count > STORE_MAX_DEPTH ? run.count - STORE_MAX_DEPTH : 0;

	*ret = 0;
	for (uint32_t i = run.count; i-- > last;) {
		uint32_t frame, parent = *ret;
		bool is_new;
		int r = take_location(c, c->window->stack_locations.at[run.first + i], &frame);

		if (r == 0)
			r = segment_node(c->segment, parent, frame, ret, &is_new);
		if (r != 0)
			return r;
		if (is_new)
			paths_encode(&c->paths, parent, frame);
	}
	return 0;
}

static int compare_entries(const void *a_, const void *b_)
{
	const struct entry *a = a_, *b = b_;

	if (a->process != b->process)
		return a->process < b->process ? -1 : 1;
	return a->path < b->path ? -1 : a->path > b->path;
}

/* Sorts, and makes one of those that became equal, as their other labels are not kept. */
static void merge_entries(struct cutter *c)
{
	struct entry *at = c->entries.at;
	uint32_t kept = 0;

	if (!c->entries.count)
		return;
	qsort(at, c->entries.count, sizeof(*at), compare_entries);
	for (uint32_t i = 1; i < c->entries.count; i++) {
		if (compare_entries(&at[kept], &at[i]) != 0) {
			at[++kept] = at[i];
			continue;
		}
		at[kept].samples = profile_sum(at[kept].samples, at[i].samples);
		at[kept].ns = profile_sum(at[kept].ns, at[i].ns);
	}
	c->entries.count = kept + 1;
}

static int take_samples(struct cutter *c)
{
	const struct profile *window = c->window;

	for (uint32_t i = 0; i < window->samples.count; i++) {
		struct entry entry = { .samples = profile_value(window, i, 0),
				       .ns = profile_value(window, i, 1) };
		struct entry *added;
		int r;

		/* What has been taken back as never happened. */
		if (entry.samples <= 0 && entry.ns <= 0)
			continue;
		if (entry.samples < 0 || entry.ns < 0)
			return -EINVAL;
		r = take_process(c, window->samples.at[i].labels, &entry.process);
		if (r == 0)
			r = take_stack(c, window->samples.at[i].stack, &entry.path);
		if (r != 0)
			return r;
		added = array_push(&c->entries);
		if (!added)
			return -ENOMEM;
		*added = entry;
		c->slice->samples = profile_sum(c->slice->samples, entry.samples);
		c->slice->cpu_ns = profile_sum(c->slice->cpu_ns, entry.ns);
	}
	return 0;
}

int window_to_slice(struct slice *ret, struct segment *segment, struct symbols *symbols,
		    const struct profile *window)
{
	cleanup(cutter_fini) struct cutter cutter = {
		.segment = segment,
		.symbols = symbols,
		.window = window,
		.slice = ret,
		.frames = { .bytes = &ret->frames },
		.paths = { .bytes = &ret->paths, .next = segment->node_count },
		.mappings = calloc(window->mappings.count + 1ULL, sizeof(uint32_t)),
		.locations = calloc(window->locations.count + 1ULL, sizeof(uint32_t)),
		.processes = calloc(window->label_sets.count + 1ULL, sizeof(uint32_t)),
	};
	int r;

	if (!cutter.mappings || !cutter.locations || !cutter.processes)
		return -ENOMEM;
	ret->first_frame = segment->frames.count;
	ret->first_process = segment->process_count;
	ret->first_path = segment->node_count;
	r = take_samples(&cutter);
	if (r != 0)
		return r;
	merge_entries(&cutter);
	frames_end(&cutter.frames);
	paths_end(&cutter.paths);
	processes_end(&ret->processes);
	entries_encode(&ret->entries, cutter.entries.at, cutter.entries.count, window->meta.period);
	return ret->frames.failed || ret->paths.failed || ret->processes.failed ||
			       ret->entries.failed
		       ? -ENOMEM
		       : 0;
}
