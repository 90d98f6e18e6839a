// SPDX-License-Identifier: Apache-2.0
/*
 * Every string is matched once, then every location; samples only look up what their locations came
 * to. The tables that samples refer to are copied whole: freezing drops what is not used any more.
 */
#include "profile/filter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/* What a location came to. */
enum {
	MARK_FOCUS = 1, /* focus matches, and ignore does not */
	MARK_IGNORE = 2,
	MARK_HIDDEN = 4, /* nothing of it is left */
	MARK_FROM = 8,	 /* show-from matches */
};

struct sieve {
	const struct profile *from;
	struct profile *to;
	const struct filter *filter;
	bool *matched;
	unsigned char *texts[FILTER_KINDS]; /* by string: whether it matches; 0: not tried */
	unsigned char *marks;		    /* by location */
	bool *labels;			    /* by label set: it stays */
	ARRAY_OF(uint32_t) stack;
};

static void sieve_fini_cleanup(struct sieve *sieve)
{
	for (unsigned i = 0; i < FILTER_KINDS; i++)
		free(sieve->texts[i]);
	free(sieve->marks);
	free(sieve->labels);
	array_fini(&sieve->stack);
	profile_free(sieve->to);
}

void filter_fini(struct filter *filter)
{
	for (unsigned i = 0; i < FILTER_KINDS; i++) {
		pattern_free(filter->patterns[i]);
		free(filter->keys[i]);
	}
	*filter = (struct filter){};
}

static bool is_of_labels(enum filter_kind kind)
{
	return kind == FILTER_TAG_FOCUS || kind == FILTER_TAG_IGNORE;
}

int filter_set(struct filter *filter, enum filter_kind kind, const char *expression,
	       struct pattern_reason *reason)
{
	const char *equals = is_of_labels(kind) ? strchr(expression, '=') : NULL;
	cleanup(pattern_free) struct pattern *pattern = NULL;
	cleanup(free) char *key = NULL;
	char *end;
	int r;

	if (equals) {
		key = strndup(expression, (size_t)(equals - expression));
		if (!key)
			return -ENOMEM;
		expression = equals + 1;
	}
	r = pattern_new(&pattern, expression, false, reason);
	if (r < 0)
		return r;
	pattern_free(filter->patterns[kind]);
	filter->patterns[kind] = TAKE_PTR(pattern);
	free(filter->keys[kind]);
	filter->keys[kind] = TAKE_PTR(key);
	errno = 0;
	filter->numbers[kind] = strtoll(expression, &end, 10);
	filter->has_number[kind] = end > expression && !*end && !errno;
	return 0;
}

bool filter_is_empty(const struct filter *filter)
{
	for (unsigned i = 0; i < FILTER_KINDS; i++)
		if (filter->patterns[i])
			return false;
	return true;
}

static bool text_matches(struct sieve *sieve, enum filter_kind kind, uint32_t text)
{
	unsigned char *known = &sieve->texts[kind][text];

	if (!*known)
		*known = pattern_matches(sieve->filter->patterns[kind],
					 profile_text(sieve->from, text))
				 ? 1
				 : 2;
	return *known == 1;
}

static bool module_matches(struct sieve *sieve, enum filter_kind kind,
			   const struct profile_location *location)
{
	return text_matches(sieve, kind, sieve->from->mappings.at[location->mapping].file);
}

static bool function_matches(struct sieve *sieve, enum filter_kind kind, uint32_t id)
{
	const struct profile_function *function = &sieve->from->functions.at[id];

	return text_matches(sieve, kind, function->name) ||
	       text_matches(sieve, kind, function->file);
}

static bool line_matches(struct sieve *sieve, enum filter_kind kind, uint32_t line)
{
	return function_matches(sieve, kind, sieve->from->lines.at[line].function);
}

static bool location_matches(struct sieve *sieve, enum filter_kind kind,
			     const struct profile_location *location)
{
	for (uint32_t i = 0; i < location->line_count; i++)
		if (line_matches(sieve, kind, location->first_line + i))
			return true;
	return module_matches(sieve, kind, location);
}

/* line: in the profile's lines; NULL: the location has none, and its module alone is the frame. */
static bool frame_matches(struct sieve *sieve, enum filter_kind kind,
			  const struct profile_location *location, const uint32_t *line)
{
	bool matches =
		module_matches(sieve, kind, location) || (line && line_matches(sieve, kind, *line));

	sieve->matched[kind] |= matches;
	return matches;
}

static bool frame_stays(struct sieve *sieve, const struct profile_location *location,
			const uint32_t *line)
{
	struct pattern *const *patterns = sieve->filter->patterns;

	if (patterns[FILTER_HIDE] && frame_matches(sieve, FILTER_HIDE, location, line))
		return false;
	return !patterns[FILTER_SHOW] || frame_matches(sieve, FILTER_SHOW, location, line);
}

/*
 * How many of the frames that are left, from the innermost one, are below the outermost one that
 * matches, with it.
 */
static uint32_t count_from(struct sieve *sieve, const struct profile_location *location,
			   const struct profile_line *lines)
{
	if (module_matches(sieve, FILTER_SHOW_FROM, location))
		return location->line_count;
	for (uint32_t i = location->line_count; i-- > 0;)
		if (function_matches(sieve, FILTER_SHOW_FROM, lines[i].function))
			return i + 1;
	return 0;
}

/* What stays of a location moves to the front of its lines in the copy. */
static void sieve_location(struct sieve *sieve, uint32_t id)
{
	struct pattern *const *patterns = sieve->filter->patterns;
	const struct profile_location *before = &sieve->from->locations.at[id];
	struct profile_location *location = &sieve->to->locations.at[id];
	struct profile_line *lines = sieve->to->lines.at + location->first_line;
	unsigned char *mark = &sieve->marks[id];
	uint32_t kept = 0, count;

	if (patterns[FILTER_IGNORE] && location_matches(sieve, FILTER_IGNORE, before))
		*mark |= MARK_IGNORE;
	else if (!patterns[FILTER_FOCUS] || location_matches(sieve, FILTER_FOCUS, before))
		*mark |= MARK_FOCUS;
	sieve->matched[FILTER_IGNORE] |= *mark & MARK_IGNORE;
	sieve->matched[FILTER_FOCUS] |= *mark & MARK_FOCUS;
	for (uint32_t i = 0; i < before->line_count; i++) {
		uint32_t line = before->first_line + i;

		if (frame_stays(sieve, before, &line))
			lines[kept++] = sieve->from->lines.at[line];
	}
	location->line_count = kept;
	if (before->line_count ? !kept : !frame_stays(sieve, before, NULL)) {
		*mark |= MARK_HIDDEN;
		return;
	}
	if (!patterns[FILTER_SHOW_FROM])
		return;
	count = count_from(sieve, location, lines);
	if (!count && (kept || !module_matches(sieve, FILTER_SHOW_FROM, before)))
		return; /* it may stand below one that matches */
	location->line_count = count;
	*mark |= MARK_FROM;
	sieve->matched[FILTER_SHOW_FROM] = true;
}

static bool label_matches(struct sieve *sieve, enum filter_kind kind,
			  const struct profile_label *label, struct bytes *scratch)
{
	const struct filter *filter = sieve->filter;
	const char *key = profile_text(sieve->from, label->key);

	if (filter->keys[kind] && strcmp(filter->keys[kind], key) != 0)
		return false;
	if (filter->has_number[kind] && label->is_number)
		return label->number == filter->numbers[kind];
	scratch->size = 0;
	if (!filter->keys[kind])
		bytes_add_format(scratch, "%s:", key);
	if (label->is_number)
		bytes_add_format(scratch, "%" PRId64, label->number);
	else
		bytes_add_str(scratch, profile_text(sieve->from, label->text));
	return bytes_str(scratch) && pattern_matches(filter->patterns[kind], scratch->at);
}

static bool labels_match(struct sieve *sieve, enum filter_kind kind, uint32_t set,
			 struct bytes *scratch)
{
	struct profile_run run = sieve->from->label_sets.at[set];

	for (uint32_t i = 0; i < run.count; i++)
		if (label_matches(sieve, kind, &sieve->from->label_items.at[run.first + i],
				  scratch))
			return true;
	return false;
}

static int sieve_labels(struct sieve *sieve)
{
	struct pattern *const *patterns = sieve->filter->patterns;
	cleanup(bytes_fini) struct bytes scratch = {};

	for (uint32_t i = 0; i < sieve->from->label_sets.count; i++) {
		bool focused = !patterns[FILTER_TAG_FOCUS] ||
			       labels_match(sieve, FILTER_TAG_FOCUS, i, &scratch);
		bool ignored = patterns[FILTER_TAG_IGNORE] &&
			       labels_match(sieve, FILTER_TAG_IGNORE, i, &scratch);

		sieve->matched[FILTER_TAG_FOCUS] |= focused;
		sieve->matched[FILTER_TAG_IGNORE] |= ignored;
		sieve->labels[i] = focused && !ignored;
	}
	return scratch.failed ? -ENOMEM : 0;
}

/* Puts what is left of a stack into sieve->stack: nothing where its samples are not wanted. */
static int sieve_stack(struct sieve *sieve, struct profile_run run)
{
	const uint32_t *ids = sieve->from->stack_locations.at + run.first;
	bool by_name = false, focused = false;
	uint32_t count = run.count;

	sieve->stack.count = 0;
	if (!array_reserve(&sieve->stack, run.count))
		return -ENOMEM;
	for (unsigned kind = FILTER_FOCUS; kind <= FILTER_SHOW; kind++)
		by_name |= sieve->filter->patterns[kind] != NULL;
	for (uint32_t i = 0; by_name && i < run.count; i++) {
		if (sieve->marks[ids[i]] & MARK_IGNORE)
			return 0;
		focused |= sieve->marks[ids[i]] & MARK_FOCUS;
	}
	if (by_name && !focused)
		return 0;
	if (sieve->filter->patterns[FILTER_SHOW_FROM])
		while (count && !(sieve->marks[ids[count - 1]] & MARK_FROM))
			count--;
	for (uint32_t i = 0; i < count; i++)
		if (!(sieve->marks[ids[i]] & MARK_HIDDEN))
			sieve->stack.at[sieve->stack.count++] = ids[i];
	return 0;
}

/* A sample without frames is not touched by what chooses by labels alone. */
static bool keeps_empty_stacks(const struct filter *filter)
{
	for (unsigned kind = FILTER_FOCUS; kind <= FILTER_SHOW_FROM; kind++)
		if (filter->patterns[kind])
			return false;
	return true;
}

static int sieve_samples(struct sieve *sieve)
{
	const struct profile *from = sieve->from;
	bool keeps_empty = keeps_empty_stacks(sieve->filter);
	uint32_t last = UINT32_MAX, stack = 0;

	for (uint32_t i = 0; i < from->samples.count; i++) {
		const struct profile_sample *sample = &from->samples.at[i];
		int r;

		if (!sieve->labels[sample->labels])
			continue;
		/* Samples of one stack are neighbours. */
		if (sample->stack != last) {
			last = sample->stack;
			r = sieve_stack(sieve, from->stacks.at[last]);
			if (r == 0 && (sieve->stack.count || keeps_empty))
				r = profile_stack_add(sieve->to, &stack, sieve->stack.at,
						      sieve->stack.count);
			if (r < 0)
				return r;
		}
		if (!sieve->stack.count && !keeps_empty)
			continue;
		r = profile_sample_add(sieve->to, stack, sample->labels,
				       from->values.at + (size_t)i * from->types.count);
		if (r < 0)
			return r;
	}
	return 0;
}

#define COPY(to_array, from_array)                                                                 \
	({                                                                                         \
		bool has_room_ = array_reserve((to_array), (from_array)->count);                   \
		if (has_room_ && (from_array)->count)                                              \
			memcpy((to_array)->at, (from_array)->at,                                   \
			       (from_array)->count * sizeof(*(from_array)->at));                   \
		if (has_room_)                                                                     \
			(to_array)->count = (from_array)->count;                                   \
		has_room_;                                                                         \
	})

static int copy_text(char **ret, const char *text)
{
	*ret = text ? strdup(text) : NULL;
	return text && !*ret ? -ENOMEM : 0;
}

/* All that samples are made of; ids stay as they are. */
static int copy_tables(struct profile *to, const struct profile *from)
{
	int r;

	if (!COPY(&to->strings.bytes, &from->strings.bytes) ||
	    !COPY(&to->strings.offsets, &from->strings.offsets) ||
	    !COPY(&to->types, &from->types) || !COPY(&to->mappings, &from->mappings) ||
	    !COPY(&to->functions, &from->functions) || !COPY(&to->lines, &from->lines) ||
	    !COPY(&to->locations, &from->locations) ||
	    !COPY(&to->label_items, &from->label_items) ||
	    !COPY(&to->label_sets, &from->label_sets) || !COPY(&to->comments, &from->comments))
		return -ENOMEM;
	to->meta = from->meta;
	to->meta.title = to->meta.subtitle = to->meta.quality = NULL;
	r = copy_text(&to->meta.title, from->meta.title);
	if (r == 0)
		r = copy_text(&to->meta.subtitle, from->meta.subtitle);
	if (r == 0)
		r = copy_text(&to->meta.quality, from->meta.quality);
	return r;
}

static int prepare(struct sieve *sieve)
{
	const struct profile *from = sieve->from;
	int r = profile_new(&sieve->to);

	if (r == 0)
		r = copy_tables(sieve->to, from);
	if (r < 0)
		return r;
	for (unsigned kind = 0; kind < FILTER_KINDS; kind++) {
		sieve->matched[kind] = !sieve->filter->patterns[kind];
		if (!sieve->filter->patterns[kind])
			continue;
		sieve->texts[kind] = calloc(from->strings.offsets.count, 1);
		if (!sieve->texts[kind])
			return -ENOMEM;
	}
	sieve->marks = calloc(from->locations.count + 1ULL, 1);
	sieve->labels = calloc(from->label_sets.count + 1ULL, sizeof(*sieve->labels));
	return sieve->marks && sieve->labels ? 0 : -ENOMEM;
}

int profile_filter(struct profile **ret, const struct profile *profile, const struct filter *filter,
		   bool ret_matched[FILTER_KINDS])
{
	cleanup(sieve_fini) struct sieve sieve = { .from = profile,
						   .filter = filter,
						   .matched = ret_matched };
	int r = profile->frozen ? prepare(&sieve) : -EINVAL;

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < profile->locations.count; i++)
		sieve_location(&sieve, i);
	r = sieve_labels(&sieve);
	if (r == 0)
		r = sieve_samples(&sieve);
	if (r == 0)
		r = profile_freeze(sieve.to);
	if (r == 0)
		*ret = TAKE_PTR(sieve.to);
	return r;
}
