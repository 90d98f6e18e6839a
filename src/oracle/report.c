// SPDX-License-Identifier: Apache-2.0
#include "oracle/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "oracle/code.h"
#include "elf/function_starts.h"
#include "unwind/outcome.h"

enum {
	SHOWN_FRAMES = 12, /* of a stack, around the first frame that differs */
	SHOWN_BEFORE = 4,  /* instructions */
	SHOWN_AFTER = 3,
	MAX_CODE_BYTES = 64 << 10, /* from a symbol's start to the instruction */
};

struct group {
	uint64_t count;
	const char *why; /* NULL: unexplained */
	char *text;
};

static const char *const kind_texts[] = {
	[DISAGREE_STOPPED] = "stopped",
	[DISAGREE_ENDED] = "took it for the outermost frame",
	[DISAGREE_OTHER] = "another caller",
	[DISAGREE_WENT_ON] = "went on behind the outermost frame",
};

/* ---- names ---- */

static const char *module_of(const struct object *object)
{
	const char *slash = object ? strrchr(object->path, '/') : NULL;

	return slash ? slash + 1 : object ? object->path : "";
}

struct place {
	struct bytes name; /* "" when it has none */
	uint64_t start;	   /* of its function, 0: not known */
};

static void place_fini_cleanup(struct place *place)
{
	bytes_fini(&place->name);
}

static int take_name(void *context, uint32_t number, const struct name_line *lines, uint32_t count)
{
	const struct name_line *real = &lines[count - 1]; /* behind what was inlined into it */
	struct place *place = context;

	(void)number;
	bytes_add_str(&place->name, real->system_name);
	return 0;
}

static void find_place(struct report *report, struct object *object, uint64_t elf,
		       struct place *ret)
{
	uint32_t answered;
	struct function_starts starts;
	uint64_t size;

	if (!object)
		return;
	if (ask_names(&report->tables->workers, object, &elf, 1, &answered, take_name, ret) < 0)
		abort();
	if (function_starts_init(&starts, object) < 0 ||
	    function_starts_find(&starts, elf, &ret->start, &size) < 0)
		ret->start = 0;
}

static void write_place(struct report *report, FILE *to, uint64_t address)
{
	cleanup(place_fini) struct place place = {};
	uint64_t elf = 0;
	struct object *object = tables_object(report->tables, address, &elf);

	find_place(report, object, elf, &place);
	fprintf(to, "%#llx", (unsigned long long)address);
	if (place.name.size)
		fprintf(to, " %s", bytes_str(&place.name));
	if (place.start)
		fprintf(to, "+%#llx", (unsigned long long)(elf - place.start));
	if (object)
		fprintf(to, " (%s %#llx)", module_of(object), (unsigned long long)elf);
	fprintf(to, "\n");
}

/* ---- code ---- */

/* Reads the file's code [from, to); returns how much of it there is. */
static size_t read_code(const struct object *object, uint64_t from, uint64_t to, unsigned char *ret)
{
	const struct object_segment *segment = object_segment_of(object, from);
	size_t size = to - from;

	if (!segment || from - segment->address >= segment->file_size)
		return 0;
	if (size > segment->file_size - (from - segment->address))
		size = segment->file_size - (from - segment->address);
	return fs_read_at(object->fd, ret, size,
			  (off_t)(segment->file_offset + (from - segment->address))) < 0
		       ? 0
		       : size;
}

/*
 * The instructions around the one that holds the ELF address, which is marked. start: of its function, 0:
 * not known, then from the address on.
 */
static void write_code(FILE *to, const struct object *object, uint64_t start, uint64_t elf)
{
	cleanup(free) unsigned char *bytes = malloc(MAX_CODE_BYTES);
	char lines[SHOWN_BEFORE + 1][128];
	uint64_t at = start && elf - start < MAX_CODE_BYTES / 2 ? start : elf;
	size_t have = bytes ? read_code(object, at, at + MAX_CODE_BYTES, bytes) : 0, done = 0, size;
	unsigned count = 0, after = 0;

	while (done < have && after <= SHOWN_AFTER) {
		char *line = lines[count % (SHOWN_BEFORE + 1)];

		size = code_text(line, sizeof(lines[0]), at + done, bytes + done, have - done);
		if (!size)
			break;
		count++;
		if (after)
			after++;
		if (at + done <= elf && elf < at + done + size) {
			unsigned first = count > SHOWN_BEFORE ? count - SHOWN_BEFORE : 1;

			for (unsigned i = first; i < count; i++)
				fprintf(to, "      | %s\n", lines[(i - 1) % (SHOWN_BEFORE + 1)]);
			fprintf(to, "    > | %s\n", line);
			after = 1;
		} else if (after) {
			fprintf(to, "      | %s\n", line);
		}
		done += size;
	}
}

static void write_stack(struct report *report, FILE *to, const char *title,
			const uint64_t *addresses, uint32_t count, uint32_t equal)
{
	uint32_t from = equal > SHOWN_FRAMES / 2 ? equal - SHOWN_FRAMES / 2 : 0;

	fprintf(to, "    %s, %u frames\n", title, count);
	if (from)
		fprintf(to, "       ...\n");
	for (uint32_t i = from; i < count && i < from + SHOWN_FRAMES; i++) {
		fprintf(to, "     %s%2u ", i == equal ? "*" : " ", i);
		write_place(report, to, addresses[i]);
	}
	if (count > from + SHOWN_FRAMES)
		fprintf(to, "       ...\n");
}

/* ---- cases ---- */

/* Has the unwinder overwritten its own frame, among the overwritten ones? */
static bool has_unwinder(struct report *report, const struct disagreement *d)
{
	for (uint32_t i = 0; i < d->equal && i < 64; i++) {
		cleanup(place_fini) struct place place = {};
		uint64_t elf = 0;
		struct object *object = tables_object(report->tables, d->truth[i], &elf);

		if (!(d->overwritten >> i & 1))
			continue;
		find_place(report, object, elf, &place);
		if (strncmp(bytes_str(&place.name), "_Unwind_", 8) == 0)
			return true;
	}
	return false;
}

/* What `ask` says of the disagreement. */
static const char *ask_about(struct report *report, const struct disagreement *d,
			     const char *(*ask)(const struct disagreement *d,
						const struct culprit *culprit))
{
	uint64_t address = d->truth[d->equal - 1], elf = 0;
	struct object *object = tables_object(report->tables, address, &elf);
	cleanup(place_fini) struct place place = {};
	struct culprit culprit = { .module = module_of(object), .text = "" };
	unsigned char bytes[CODE_MAX_BYTES];
	char text[128] = "";

	find_place(report, object, elf, &place);
	culprit.symbol = bytes_str(&place.name);
	culprit.unwinder = has_unwinder(report, d);
	if (object && d->exact &&
	    code_text(text, sizeof(text), elf, bytes,
		      read_code(object, elf, elf + sizeof(bytes), bytes)))
		culprit.text = text;
	return ask(d, &culprit);
}

static char *describe(struct report *report, const struct disagreement *d)
{
	uint64_t address = d->truth[d->equal - 1], elf = 0;
	struct object *object = tables_object(report->tables, address, &elf);
	cleanup(place_fini) struct place place = {};
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		abort();
	fprintf(to, "  %s (%s)%s%s, first after %llu instructions\n    ", kind_texts[d->kind],
		walk_outcome_text(d->outcome),
		d->equal == 1 ? ", leaf"
		: d->exact    ? ", interrupted"
			      : ", caller of a call",
		d->in_syscall ? ", in a system call" : "", (unsigned long long)d->instructions);
	write_place(report, to, address);
	find_place(report, object, elf, &place);
	if (object)
		write_code(to, object, place.start, elf);
	write_stack(report, to, "true", d->truth, d->truth_count, d->equal);
	write_stack(report, to, "walked", d->walked, d->walked_count, d->equal);
	if (fclose(to) != 0)
		abort();
	return text;
}

static bool is_limit(const void *context, uint32_t position, const void *key)
{
	const struct report *report = context;
	const struct known_limit *known = &report->limits.at[position], *asked = key;

	return known->address == asked->address && known->kind == asked->kind &&
	       known->at_switch == asked->at_switch && known->left_out == asked->left_out;
}

bool report_accepts(struct report *report, const struct disagreement *d)
{
	struct known_limit limit = { d->truth[d->equal - 1], d->kind, d->at_switch, d->left_out };
	uint64_t hash = hash_u64(limit.address);
	uint32_t at = hash_index_find(&report->limit_index, hash, is_limit, report, &limit);
	struct known_limit *known;

	if (at == HASH_ABSENT) {
		at = report->limits.count;
		known = array_push(&report->limits);
		if (!known || hash_index_add(&report->limit_index, hash, at) < 0)
			abort();
		*known = limit;
		known->why = ask_about(report, d, accept);
	}
	known = &report->limits.at[at];
	if (!known->why)
		return false;
	known->count++;
	return true;
}

void report_add(struct report *report, const struct disagreement *d)
{
	const char *why = ask_about(report, d, explain);
	uint64_t hash =
		hash_pair(hash_pair(d->truth[d->equal - 1], d->kind),
			  hash_pair(d->outcome, (uint64_t)d->in_syscall << 2 |
							(uint64_t)d->exact << 1 | (d->equal == 1)));
	uint32_t at;
	struct group *group;

	hash = hash_pair(hash, (uintptr_t)why);
	at = hash_index_find(&report->index, hash, NULL, NULL, NULL);
	if (at == HASH_ABSENT) {
		at = report->groups.count;
		group = array_push(&report->groups);
		if (!group || hash_index_add(&report->index, hash, at) < 0)
			abort();
		*group = (struct group){ .why = why, .text = describe(report, d) };
	}
	report->groups.at[at].count++;
	*(why ? &report->explained : &report->unexplained) += 1;
}

static int by_count(const void *a, const void *b)
{
	const struct group *left = a, *right = b;

	return left->count < right->count ? 1 : left->count > right->count ? -1 : 0;
}

/* All cases that are explained alike: how many, and where. */
static void print_explained(const struct report *report, uint32_t first)
{
	const char *why = report->groups.at[first].why;
	uint64_t count = 0;
	uint32_t places = 0;

	for (uint32_t i = 0; i < report->groups.count; i++) {
		if (report->groups.at[i].why != why)
			continue;
		if (i < first)
			return; /* done already */
		count += report->groups.at[i].count;
		places++;
	}
	printf("%llu times in %u places, explained: %s\n", (unsigned long long)count, places, why);
}

/* All of one reason, when `first` is the first of them. */
static void print_limit(const struct report *report, uint32_t first)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < report->limits.count; i++) {
		if (report->limits.at[i].why != report->limits.at[first].why)
			continue;
		if (i < first)
			return;
		count += report->limits.at[i].count;
	}
	printf("%llu times, as meant: %s\n", (unsigned long long)count,
	       report->limits.at[first].why);
}

void report_print(struct report *report, uint32_t limit)
{
	uint32_t shown = 0, left = 0;

	if (report->groups.count)
		qsort(report->groups.at, report->groups.count, sizeof(*report->groups.at),
		      by_count);
	for (uint32_t i = 0; i < report->groups.count; i++) {
		const struct group *group = &report->groups.at[i];

		if (group->why && report->verbose)
			printf("%llu times, explained: %s\n%s", (unsigned long long)group->count,
			       group->why, group->text);
		else if (group->why)
			print_explained(report, i);
		else if (shown++ < limit)
			printf("%llu times, NOT EXPLAINED\n%s", (unsigned long long)group->count,
			       group->text);
		else
			left++;
	}
	if (left)
		printf("... and %u unexplained cases more\n", left);
	for (uint32_t i = 0; i < report->limits.count; i++)
		if (report->limits.at[i].why)
			print_limit(report, i);
}

void report_fini(struct report *report)
{
	for (uint32_t i = 0; i < report->groups.count; i++)
		free(report->groups.at[i].text);
	array_fini(&report->groups);
	array_fini(&report->limits);
	hash_index_fini(&report->limit_index);
	hash_index_fini(&report->index);
}
