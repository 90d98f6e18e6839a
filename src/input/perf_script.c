// SPDX-License-Identifier: Apache-2.0
/*
 * What `perf script` prints: see perf_lines.h. A sample is a line with its comm, ids, time, period and
 * event, then a line for each frame (perf_stacks.h), the innermost first, and an empty line; or,
 * recorded without stacks, all of it in one line.
 *
 * Each event becomes a type of values, which counts samples, and one of what its periods sum up to:
 * perf chooses them so that samples with longer ones stand for more, and what is shown is those of
 * the first event. How many there are is known at the end only, so samples are counted here until
 * then. A thread's id is the label "thread_id": as "tid" it would split pictures.
 */
#include "input/input.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "input/counted.h"
#include "input/perf_lines.h"
#include "input/perf_stacks.h"
#include "input/type_name.h"

enum {
	CHECK_LINES = 1024, /* between two looks at the memory taken */
	MAX_EVENTS = PROFILE_MAX_TYPES,
	EVENT_BYTES = TYPE_NAME_BYTES - 8, /* of a name; the rest is cut off */
};

struct event {
	uint32_t name;	 /* string */
	bool has_period; /* of all samples */
	bool is_even;	 /* and it is always the same */
	int64_t period;
};

struct script {
	struct profile *profile;
	struct input_report *report;
	const struct lines *lines;
	struct perf_stacks stacks;
	ARRAY_OF(struct event) events;
	struct counted counted;	       /* by event: how many, and the sum of their periods */
	uint32_t comm, pid, thread_id; /* strings */
	uint32_t full_stack;

	/* The sample at hand. */
	bool in_header; /* of --header, whose lines may be anything: commands are told as they were */
	bool in_sample;
	bool in_head;	  /* its only frame stood in its first line */
	bool is_left_out; /* instead of in_sample: its event is one too many */
	bool has_no_room;
	uint32_t labels, event;
	int64_t period;
};

static void script_free(struct script *script)
{
	if (!script)
		return;
	perf_stacks_fini(&script->stacks);
	array_fini(&script->events);
	counted_fini(&script->counted);
	free(script);
}
DEFINE_CLEANUP(struct script, script_free);

static int refuse(struct script *script, const char *reason)
{
	snprintf(script->report->reason, sizeof(script->report->reason), ":%llu: %s",
		 (unsigned long long)script->lines->number, reason);
	return INPUT_REFUSED;
}

/* ---- samples ---- */

static int find_event(struct script *script, uint32_t *ret, const struct perf_head *head)
{
	char name[TYPE_NAME_BYTES + 1];
	struct event *event;
	int r;

	/* "_sample" must fit behind it. */
	type_name_clean(name, head->event.at,
			head->event.size < EVENT_BYTES ? head->event.size : EVENT_BYTES);
	for (uint32_t i = 0; i < script->events.count; i++) {
		event = &script->events.at[i];
		if (!type_name_equal(profile_text(script->profile, event->name), name))
			continue;
		event->is_even &= event->period == head->period;
		event->has_period &= head->has_period;
		*ret = i;
		return 0;
	}
	*ret = MAX_EVENTS;
	if (script->events.count == MAX_EVENTS)
		return 0;
	event = array_push(&script->events);
	if (!event)
		return -ENOMEM;
	*event = (struct event){ 0, head->has_period, head->has_period, head->period };
	r = profile_string(script->profile, &event->name, name);
	if (r == 0)
		*ret = script->events.count - 1;
	else
		script->events.count--;
	return r;
}

static int find_labels(struct script *script, const struct perf_head *head)
{
	struct profile_label labels[3] = {};
	uint32_t count = 0;
	int r = 0;

	if (head->comm.size) {
		labels[count].key = script->comm;
		r = profile_string_of(script->profile, &labels[count++].text, head->comm.at,
				      head->comm.size);
	}
	if (head->has_pid)
		labels[count++] = (struct profile_label){ .key = script->pid,
							  .is_number = true,
							  .number = head->pid };
	if (head->has_tid)
		labels[count++] = (struct profile_label){ .key = script->thread_id,
							  .is_number = true,
							  .number = head->tid };
	return r ? r : profile_labels_add(script->profile, &script->labels, labels, count);
}

static int end_sample(struct script *script)
{
	uint32_t stack, labels = script->labels;
	bool is_cut = false;
	int r;

	script->is_left_out = false;
	if (!script->in_sample)
		return 0;
	script->in_sample = false;
	r = script->has_no_room ? PROFILE_FULL : perf_stacks_end(&script->stacks, &stack, &is_cut);
	script->report->cut_stacks += is_cut;
	if (r == PROFILE_FULL) {
		script->report->left_out++;
		stack = script->full_stack;
		labels = 0;
		r = 0;
	}
	return r ? r
		 : counted_add(&script->counted, script->profile,
			       (struct counted_key){ stack, labels, script->event },
			       (int64_t[]){ 1, script->period });
}

static int begin_sample(struct script *script, const struct perf_head *head)
{
	int r = end_sample(script);

	if (r == 0)
		r = find_event(script, &script->event, head);
	if (r == PROFILE_FULL) {
		script->event = MAX_EVENTS;
		r = 0;
	}
	if (r != 0)
		return r;
	script->in_sample = true;
	script->in_head = script->has_no_room = false;
	perf_stacks_begin(&script->stacks);
	script->period = head->period;
	if (script->event == MAX_EVENTS) {
		script->in_sample = false;
		script->is_left_out = true;
		script->in_head = head->rest.size != 0;
		script->report->other_values++;
		return 0;
	}
	r = find_labels(script, head);
	/* Of a tracepoint, what it tells stands there. */
	if (r == 0 && head->rest.size) {
		r = perf_stacks_frame(&script->stacks, head->rest.at, head->rest.size);
		script->in_head = r == 0;
		if (r == PERF_NO_FRAME)
			r = 0;
	}
	if (r == PROFILE_FULL) {
		script->has_no_room = true;
		r = 0;
	}
	return r;
}

/* A line below the first one of a sample. */
static int read_below(struct script *script, const char *line, size_t size)
{
	struct perf_text file;
	uint32_t number;
	int r;

	if (script->has_no_room)
		return 0;
	if (script->in_head) { /* it was something else, as there are frames */
		script->in_head = false;
		perf_stacks_begin(&script->stacks);
	}
	if (*line != '\t' && perf_stacks_has_frame(&script->stacks) &&
	    perf_read_source(&file, &number, line, size))
		r = number ? perf_stacks_source(&script->stacks, file, number) : 0;
	else
		r = perf_stacks_frame(&script->stacks, line, size);
	if (r == PERF_NO_FRAME) {
		script->report->passed_over++;
		r = 0;
	}
	if (r == PROFILE_FULL) {
		script->has_no_room = true;
		r = 0;
	}
	return r;
}

/* What stands above and below the header. */
static bool is_rule(const char *line, size_t size)
{
	static const char rule[] = "# ========";

	return size == strlen(rule) && memcmp(line, rule, size) == 0;
}

static int read_line(struct script *script, const char *line, size_t size)
{
	struct perf_head head;

	while (size && (line[size - 1] == ' ' || line[size - 1] == '\t'))
		size--;
	if (!size)
		return end_sample(script);
	if (memchr(line, '\0', size))
		return refuse(script, "a zero byte, which text has not");
	if (is_rule(line, size))
		script->in_header = !script->in_header;
	if (*line == '#' || script->in_header)
		return 0;
	if (*line == '\t' ||
	    (*line == ' ' && !script->in_head && (script->in_sample || script->is_left_out))) {
		/* Without stacks, comms stand in a column of their own, behind blanks. */
		if (*line == '\t' || !perf_read_head(&head, line, size) || !head.has_time) {
			if (script->in_sample)
				return read_below(script, line, size);
			script->report->passed_over += !script->is_left_out;
			return 0;
		}
	} else if (!perf_read_head(&head, line, size)) {
		script->report->passed_over++;
		return end_sample(script);
	}
	return begin_sample(script, &head);
}

/* ---- the whole ---- */

static int set_up(struct script *script)
{
	struct profile *profile = script->profile;
	uint32_t location;
	int r = profile_string(profile, &script->comm, "comm");

	if (r == 0)
		r = profile_string(profile, &script->pid, "pid");
	if (r == 0)
		r = profile_string(profile, &script->thread_id, "thread_id");
	if (r == 0)
		r = perf_stacks_init(&script->stacks, profile);
	if (r == 0)
		r = perf_stacks_note(&script->stacks, &location, INPUT_FULL_NAME);
	return r ? r : profile_stack_add(profile, &script->full_stack, &location, 1);
}

/* Periods of clocks are nanoseconds. */
static const char *unit_of(const char *event)
{
	static const char *const clocks[] = { "cpu-clock", "task-clock" };

	for (size_t i = 0; i < ARRAY_SIZE(clocks); i++) {
		size_t size = strlen(clocks[i]);

		if (strncmp(event, clocks[i], size) == 0 && (!event[size] || event[size] == ':'))
			return "nanoseconds";
	}
	return "count";
}

/* The types of an event: of its samples, and of its periods where there is room; else NO_TYPE. */
static int add_types(struct script *script, const struct event *event, uint32_t types[2])
{
	struct profile *profile = script->profile;
	const char *text = profile_text(profile, event->name);
	cleanup(free) char *name = strdup(text), *samples = NULL;
	bool is_only = script->events.count == 1;
	int r;

	if (!name || asprintf(&samples, "%s_sample", name) < 0)
		return -ENOMEM;
	types[1] = PROFILE_NO_TYPE;
	r = profile_type_add(profile, &types[0], is_only ? "samples" : samples, "count");
	if (r == 0 && event->has_period && script->events.count <= PROFILE_MAX_TYPES / 2)
		r = profile_type_add(profile, &types[1], name, unit_of(name));
	return r;
}

static int add_samples(struct script *script)
{
	struct profile *profile = script->profile;
	uint32_t types[MAX_EVENTS][2];
	int r = 0;

	profile->closed = false;
	profile->meta.period = 1;
	for (uint32_t i = 0; r == 0 && i < script->events.count; i++) {
		const struct event *event = &script->events.at[i];

		r = add_types(script, event, types[i]);
		if (r != 0 || i || types[i][1] == PROFILE_NO_TYPE)
			continue;
		profile->meta.main_type = types[i][1];
		if (event->is_even && event->period) {
			profile->meta.period = event->period;
			profile->meta.period_type = types[i][1];
		}
	}
	for (uint32_t i = 0; r == 0 && i < script->counted.entries.count; i++) {
		const struct counted_entry *entry = &script->counted.entries.at[i];
		const uint32_t *of_event = types[entry->key.group];
		int64_t values[PROFILE_MAX_TYPES] = {};

		values[of_event[0]] = entry->sums[0];
		if (of_event[1] != PROFILE_NO_TYPE)
			values[of_event[1]] = entry->sums[1];
		r = profile_sample_add(profile, entry->key.stack, entry->key.labels, values);
	}
	return r;
}

static uint64_t bytes_of(const struct script *script)
{
	return profile_bytes(script->profile) + counted_bytes(&script->counted) +
	       perf_stacks_bytes(&script->stacks);
}

static int perf_script_read(struct profile *profile, struct lines *lines, uint64_t limit_bytes,
			    struct input_report *report)
{
	cleanup(script_free) struct script *script = calloc(1, sizeof(*script));
	const char *line;
	size_t size;
	int r;

	if (!script)
		return -ENOMEM;
	script->profile = profile;
	script->report = report;
	script->lines = lines;
	r = set_up(script);
	while (r == 0) {
		int outcome = lines_next(lines, &line, &size);

		if (outcome == LINES_END) {
			r = end_sample(script);
			return r ? r : add_samples(script);
		}
		if (outcome == LINES_TOO_LONG)
			return refuse(script, "longer than 16 MiB");
		if (outcome < 0)
			return outcome;
		r = read_line(script, line, size);
		if (lines->number % CHECK_LINES == 0 || size > CHECK_LINES * 64)
			profile->closed = bytes_of(script) >= limit_bytes;
	}
	return r;
}

/* ---- telling it from other texts ---- */

/* A frame below, or all in one line. */
static bool is_sample(const char *line, size_t size, const char *below, size_t below_size)
{
	struct perf_head head;
	struct perf_frame frame;

	if (!perf_read_head(&head, line, size))
		return false;
	if (below_size && *below == '\t')
		return perf_read_frame(&frame, below, below_size) &&
		       (frame.has_address || (head.has_time && head.event.size));
	/* Tabs may have become blanks. */
	if (head.has_time && head.event.size && !head.rest.size && below_size && *below == ' ' &&
	    perf_read_frame(&frame, below, below_size) && frame.has_address)
		return true;
	return head.has_time && (head.event.size || head.has_tid) &&
	       perf_read_frame(&frame, head.rest.at, head.rest.size) && frame.has_address;
}

static bool is_empty(const char *line, size_t size)
{
	while (size && (line[size - 1] == ' ' || line[size - 1] == '\t' || line[size - 1] == '\r'))
		size--;
	return !size;
}

static bool perf_script_recognises(const char *begin, size_t size)
{
	static const char other[] = "PERF_RECORD_";
	bool in_header = false;

	while (size) {
		const char *newline = memchr(begin, '\n', size);
		size_t length = newline ? (size_t)(newline - begin) : size;
		const char *below = newline ? newline + 1 : begin + size;
		size_t left = (size_t)(begin + size - below), below_length;
		const char *end = memchr(below, '\n', left);

		below_length = end ? (size_t)(end - below) : left;
		if (memchr(begin, '\0', length))
			return false;
		if (is_rule(begin, length - (length && begin[length - 1] == '\r')))
			in_header = !in_header;
		if (!in_header && !is_empty(begin, length) && *begin != '#' &&
		    !memmem(begin, length, other, strlen(other)))
			return is_sample(begin, length, below, below_length);
		begin = below;
		size = left;
	}
	return false;
}

const struct input input_perf_script = {
	.name = "perf-script",
	.items = "samples",
	.description = "the text that perf script prints",
	.recognises = perf_script_recognises,
	.read = perf_script_read,
};
