// SPDX-License-Identifier: Apache-2.0
/*
 * Folded text, as output/folded.c and the stackcollapse scripts write it: "root;...;leaf COUNT".
 *
 * The suffixes of stackcollapse-perf.pl --all are understood: _[k] kernel, _[j] generated code, _[i]
 * inlined into the frame before, whose location it then shares. A line that begins with "# " is a
 * comment.
 *
 * Neighbours mostly have their first frames in common, so a line is compared with the one before it,
 * and only what follows is looked at. There each frame is compared with the one that followed its
 * caller last time; only where that is another one, its name is looked up.
 */
#include "input/input.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "input/frame_kind.h"

enum {
	MAX_DEPTH = INPUT_MAX_DEPTH,
	MAX_INLINED = 64,   /* functions of a location */
	CHECK_LINES = 1024, /* between two looks at the memory taken */
	FIRST_BYTES = 4096, /* that must be text */
};

/* Kinds of frames that need no caller; also the mappings. */
enum plain { PLAIN_USER, PLAIN_KERNEL, PLAIN_GENERATED, PLAIN_COUNT };

/* A string that is a name. All are + 1; 0: not made yet. */
struct name {
	uint32_t function, plain[PLAIN_COUNT];
};

/* A frame of the line before. */
struct place {
	size_t end;	   /* where its text ends */
	uint32_t count;	   /* locations up to it, */
	uint32_t location; /* of which this is the last */
};

/* A frame that followed another one when that was met last. */
struct guess {
	uint32_t start, size; /* of its name, in the strings' bytes */
	uint32_t location;    /* + 1; 0: none yet */
	char suffix;	      /* of the text, 0: none */
	bool inlined;	      /* its location takes the place of its caller's */
};

/* The last frame, and the last one that was another. */
struct guesses {
	struct guess last, other;
};

struct folded {
	struct profile *profile;
	struct input_report *report;
	const struct lines *lines;
	uint32_t mappings[PLAIN_COUNT];
	ARRAY_OF(struct name) names;	  /* by string */
	ARRAY_OF(struct guesses) guesses; /* by the caller's location + 1; 0: of roots */
	struct hash_index inlined;	  /* caller's location and function → location */
	uint64_t inlined_frames;	  /* of all samples: what profile_bytes does not know of */
	uint32_t full_stack;
	/* The line before: its stack's text, and what it became. */
	char *text;
	size_t text_size, text_capacity;
	uint32_t depth;
	struct place places[MAX_DEPTH];
	uint32_t locations[MAX_DEPTH + 1], leaf_first[MAX_DEPTH + 1];
};

static void folded_free(struct folded *folded)
{
	if (!folded)
		return;
	array_fini(&folded->names);
	array_fini(&folded->guesses);
	hash_index_fini(&folded->inlined);
	free(folded->text);
	free(folded);
}
DEFINE_CLEANUP(struct folded, folded_free);

static int refuse(struct folded *folded, const char *reason)
{
	snprintf(folded->report->reason, sizeof(folded->report->reason), ":%llu: %s",
		 (unsigned long long)folded->lines->number, reason);
	return INPUT_REFUSED;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* ---- names and locations; all return as profile_string does ---- */

static int find_name(struct folded *folded, struct name **ret, uint32_t *ret_string,
		     const char *text, size_t size)
{
	int r = profile_string_of(folded->profile, ret_string, text, size);

	if (r != 0)
		return r;
	while (folded->names.count <= *ret_string)
		if (!array_push(&folded->names))
			return -ENOMEM;
	*ret = &folded->names.at[*ret_string];
	return 0;
}

static int find_function(struct folded *folded, struct name *name, uint32_t string)
{
	struct profile_function function = { .name = string, .system_name = string };
	uint32_t id;
	int r;

	if (name->function)
		return 0;
	r = profile_function_append(folded->profile, &id, &function);
	if (r == 0)
		name->function = id + 1;
	return r;
}

/* A new location. What tells it apart from others is its number, until the profile is frozen. */
static int add_location(struct folded *folded, uint32_t *ret, uint32_t mapping,
			enum location_kind kind, const struct profile_line *lines, uint32_t count)
{
	struct profile *profile = folded->profile;
	int r = profile_location_append(profile, ret, mapping, profile->locations.count, kind);

	return r ? r : profile_location_name(profile, *ret, lines, count, true);
}

static int find_plain(struct folded *folded, uint32_t *ret, uint32_t *ret_string, const char *text,
		      size_t size, enum plain plain)
{
	static const enum location_kind kinds[] = { LOCATION_USER, LOCATION_KERNEL, LOCATION_JIT };
	struct profile_line line = {};
	enum location_kind kind;
	struct name *name;
	uint32_t id;
	int r = find_name(folded, &name, ret_string, text, size);

	if (r != 0)
		return r;
	if (name->plain[plain]) {
		*ret = name->plain[plain] - 1;
		return 0;
	}
	r = find_function(folded, name, *ret_string);
	if (r != 0)
		return r;
	line.function = name->function - 1;
	kind = plain == PLAIN_USER && frame_kind_is_note(text, size) ? LOCATION_NOTE : kinds[plain];
	r = add_location(folded, &id, folded->mappings[plain], kind, &line, 1);
	if (r != 0)
		return r;
	name->plain[plain] = id + 1;
	*ret = id;
	return 0;
}

/* The location of `caller` with one more function inlined into it. */
static int find_inlined(struct folded *folded, uint32_t *ret, uint32_t *ret_string,
			const char *text, size_t size, uint32_t caller)
{
	struct profile_line lines[MAX_INLINED];
	struct profile *profile = folded->profile;
	struct profile_location outer;
	struct name *name;
	uint32_t found;
	uint64_t hash;
	int r = find_name(folded, &name, ret_string, text, size);

	if (r == 0)
		r = find_function(folded, name, *ret_string);
	if (r != 0)
		return r;
	/* Different pairs have different hashes. */
	hash = hash_u64((uint64_t)caller << 32 | (name->function - 1));
	found = hash_index_find(&folded->inlined, hash, NULL, NULL, NULL);
	if (found != HASH_ABSENT) {
		*ret = found;
		return 0;
	}
	outer = profile->locations.at[caller];
	lines[0] = (struct profile_line){ .function = name->function - 1 };
	memcpy(lines + 1, &profile->lines.at[outer.first_line], outer.line_count * sizeof(*lines));
	r = add_location(folded, &found, outer.mapping, outer.kind, lines, outer.line_count + 1);
	if (r == 0)
		r = hash_index_add(&folded->inlined, hash, found);
	if (r == 0)
		*ret = found;
	return r;
}

/* What stands behind "_[" and before the last bracket, 0: no suffix; and takes it off. */
static char take_suffix(const char *text, size_t *size)
{
	const char *end = text + *size;

	if (*size <= 4 || end[-1] != ']' || end[-3] != '[' || end[-4] != '_')
		return 0;
	if (end[-2] != 'k' && end[-2] != 'i' && end[-2] != 'j')
		return 0;
	*size -= 4;
	return end[-2];
}

/* Whether a frame stands there. Returns the size of its text, or 0. */
static size_t try_guess(const struct folded *folded, const struct guess *guess, const char *text,
			size_t size)
{
	const char suffix[] = { '_', '[', guess->suffix, ']' };
	size_t length = guess->size, whole = length + (guess->suffix ? sizeof(suffix) : 0);

	/* Of another frame mostly the end is elsewhere, too; names are far away in memory. */
	if (!guess->location || whole > size || (whole < size && text[whole] != ';'))
		return 0;
	if (guess->suffix && memcmp(text + length, suffix, sizeof(suffix)) != 0)
		return 0;
	return memcmp(text, folded->profile->strings.bytes.at + guess->start, length) == 0 ? whole
											   : 0;
}

/* Finds a frame's location, and what it is to be guessed by next time. size: of the frame. */
static int find_frame(struct folded *folded, struct guess *ret, const char *text, size_t size)
{
	struct place *before = folded->depth ? &folded->places[folded->depth - 1] : NULL;
	char suffix = take_suffix(text, &size);
	uint32_t location, string;
	int r;

	while (size && is_blank(*text))
		text++, size--;
	if (!size) { /* a box must show something */
		text = "[unknown]";
		size = strlen(text);
	}
	*ret = (struct guess){ .suffix = suffix };
	if (suffix == 'i' && before &&
	    folded->profile->locations.at[before->location].line_count < MAX_INLINED) {
		r = find_inlined(folded, &location, &string, text, size, before->location);
		ret->inlined = true;
	} else {
		r = find_plain(folded, &location, &string, text, size,
			       suffix == 'k'   ? PLAIN_KERNEL
			       : suffix == 'j' ? PLAIN_GENERATED
					       : PLAIN_USER);
	}
	if (r != 0)
		return r;
	ret->start = folded->profile->strings.offsets.at[string];
	ret->size = (uint32_t)strtab_size(&folded->profile->strings, string);
	ret->location = location + 1;
	return 0;
}

/* Adds the first frame of the text to the locations. Puts its size into *ret_size. */
static int add_frame(struct folded *folded, size_t *ret_size, const char *text, size_t size)
{
	struct place *before = folded->depth ? &folded->places[folded->depth - 1] : NULL;
	uint32_t caller = before ? before->location + 1 : 0, count = before ? before->count : 0;
	struct guesses *guesses;
	struct guess guess;
	int r;

	while (folded->guesses.count <= caller)
		if (!array_push(&folded->guesses))
			return -ENOMEM;
	guesses = &folded->guesses.at[caller];
	guess = guesses->last;
	*ret_size = try_guess(folded, &guess, text, size);
	if (!*ret_size) {
		guess = guesses->other;
		*ret_size = try_guess(folded, &guess, text, size);
		guesses->other = guesses->last;
	}
	if (!*ret_size) {
		const char *semicolon = memchr(text, ';', size);

		*ret_size = semicolon ? (size_t)(semicolon - text) : size;
		r = find_frame(folded, &guess, text, *ret_size);
		if (r != 0)
			return r;
	}
	guesses->last = guess;
	count -= guess.inlined;
	folded->locations[count] = guess.location - 1;
	folded->places[folded->depth++] =
		(struct place){ .count = count + 1, .location = guess.location - 1 };
	return 0;
}

/* ---- lines ---- */

/* How many bytes two texts have in common. */
static size_t common_size(const char *a, const char *b, size_t size)
{
	size_t at = 0;
	uint64_t x, y;

	for (; size - at >= sizeof(x); at += sizeof(x)) {
		memcpy(&x, a + at, sizeof(x));
		memcpy(&y, b + at, sizeof(y));
		if (x != y)
			break;
	}
	while (at < size && a[at] == b[at])
		at++;
	return at;
}

/* Keeps the text for the next line; its first `same` bytes are there. */
static int keep_text(struct folded *folded, const char *text, size_t size, size_t same)
{
	if (size >= folded->text_capacity) {
		size_t capacity = size + size / 2 + 1;
		char *grown = realloc(folded->text, capacity);

		if (!grown)
			return -ENOMEM;
		folded->text = grown;
		folded->text_capacity = capacity;
	}
	memcpy(folded->text + same, text + same, size - same);
	folded->text_size = size;
	return 0;
}

/* Turns the text into locations: as many frames as it shares with the one before are there. */
static int read_stack(struct folded *folded, const char *text, size_t size)
{
	size_t shorter = size < folded->text_size ? size : folded->text_size;
	size_t same = common_size(text, folded->text, shorter), at = 0;
	int r = keep_text(folded, text, size, same);

	if (r < 0)
		return r;
	while (folded->depth) {
		size_t end = folded->places[folded->depth - 1].end;

		if (end < same || (end == same && (end == size || text[end] == ';')))
			break;
		folded->depth--;
	}
	if (folded->depth) {
		const struct place *place = &folded->places[folded->depth - 1];

		folded->locations[place->count - 1] = place->location;
		at = place->end + 1;
	}
	while (at <= size && folded->depth < MAX_DEPTH) {
		size_t length;

		r = add_frame(folded, &length, text + at, size - at);
		if (r != 0)
			return r;
		at += length;
		folded->places[folded->depth - 1].end = at++;
	}
	return 0;
}

static int add_sample(struct folded *folded, int64_t value, bool cut)
{
	struct profile *profile = folded->profile;
	uint32_t count = folded->places[folded->depth - 1].count, stack;
	uint32_t samples = profile->samples.count;
	int r;

	if (cut) {
		static const char name[] = INPUT_DEEP_NAME;
		uint32_t string;

		r = find_plain(folded, &folded->locations[count++], &string, name, strlen(name),
			       PLAIN_USER);
		if (r != 0)
			return r;
		folded->report->cut_stacks++;
	}
	for (uint32_t i = 0; i < count; i++)
		folded->leaf_first[i] = folded->locations[count - 1 - i];
	r = profile_stack_add(profile, &stack, folded->leaf_first, count);
	if (r == 0)
		r = profile_sample_add(profile, stack, 0, &value);
	if (profile->samples.count != samples)
		folded->inlined_frames += folded->depth - folded->places[folded->depth - 1].count;
	return r;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The count at the end of a line; what stands before it is left of *size. */
static int take_count(struct folded *folded, int64_t *ret, const char *line, size_t *size)
{
	size_t end = *size, begin, at;
	uint64_t value = 0;
	bool point = false;

	while (end && is_blank(line[end - 1]))
		end--;
	for (begin = end; begin && !is_blank(line[begin - 1]);)
		begin--;
	for (at = begin; at < end && is_digit(line[at]); at++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(line[at] - '0'), &value) ||
		    value > INT64_MAX)
			return refuse(folded, "the count is larger than 2^63");
	if (at < end && at > begin && line[at] == '.') {
		point = true;
		value += at + 1 < end && line[at + 1] >= '5' && line[at + 1] <= '9';
		for (at++; at < end && is_digit(line[at]);)
			at++;
	}
	if (at < end || at == begin)
		return refuse(folded, "no count at its end, which folded stacks have");
	if (!begin)
		return refuse(folded, "no stack before the count");
	if (value > INT64_MAX)
		return refuse(folded, "the count is larger than 2^63");
	folded->report->rounded += point;
	for (*size = begin; *size && is_blank(line[*size - 1]);)
		--*size;
	*ret = (int64_t)value;
	return 0;
}

static int read_line(struct folded *folded, const char *line, size_t size)
{
	int64_t value;
	int r;

	while (size && is_blank(line[size - 1]))
		size--;
	if (!size || (size >= 2 && line[0] == '#' && line[1] == ' '))
		return 0;
	if (memchr(line, '\0', size))
		return refuse(folded, "a zero byte, which text has not");
	r = take_count(folded, &value, line, &size);
	if (r != 0 || !value)
		return r;
	r = read_stack(folded, line, size);
	if (r == 0)
		r = add_sample(folded, value,
			       folded->depth == MAX_DEPTH &&
				       folded->places[MAX_DEPTH - 1].end < size);
	if (r != PROFILE_FULL)
		return r;
	/* The frames that are known stay; the rest of the line was not read. */
	folded->report->left_out++;
	folded->text_size = folded->depth ? folded->places[folded->depth - 1].end : 0;
	folded->profile->closed = false;
	r = profile_sample_add(folded->profile, folded->full_stack, 0, &value);
	folded->profile->closed = true;
	return r;
}

static uint64_t bytes_of(const struct folded *folded)
{
	return profile_bytes(folded->profile) +
	       folded->names.count * (uint64_t)sizeof(*folded->names.at) +
	       folded->guesses.count * (uint64_t)sizeof(*folded->guesses.at) +
	       folded->inlined_frames * PROFILE_FRAME_BYTES +
	       2ULL * folded->inlined.count * sizeof(struct hash_slot);
}

static int set_up(struct folded *folded)
{
	static const char *const files[] = { "", "[kernel.kallsyms]", "[jit]" };
	struct profile *profile = folded->profile;
	uint32_t type, location, string;
	int r = profile_type_add(profile, &type, "samples", "count");

	for (unsigned i = 0; r == 0 && i < PLAIN_COUNT; i++) {
		struct profile_mapping mapping = { .only_names = true };

		r = profile_string(profile, &mapping.file, files[i]);
		if (r == 0)
			r = profile_mapping_add(profile, &folded->mappings[i], &mapping);
	}
	if (r == 0)
		r = find_plain(folded, &location, &string, INPUT_FULL_NAME, strlen(INPUT_FULL_NAME),
			       PLAIN_USER);
	if (r == 0)
		r = profile_stack_add(profile, &folded->full_stack, &location, 1);
	profile->meta.period = 1;
	return r;
}

static int folded_read(struct profile *profile, struct lines *lines, uint64_t limit_bytes,
		       struct input_report *report)
{
	cleanup(folded_free) struct folded *folded = calloc(1, sizeof(*folded));
	static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8, as Windows sets it */
	const char *line;
	size_t size;
	int r;

	if (!folded)
		return -ENOMEM;
	folded->profile = profile;
	folded->report = report;
	folded->lines = lines;
	r = set_up(folded);
	while (r == 0) {
		r = lines_next(lines, &line, &size);
		if (r == LINES_END)
			return 0;
		if (r == LINES_TOO_LONG)
			return refuse(folded, "longer than 16 MiB");
		if (r < 0)
			return r;
		if (lines->number == 1 && size >= 3 && memcmp(line, mark, 3) == 0)
			line += 3, size -= 3;
		r = read_line(folded, line, size);
		if (lines->number % CHECK_LINES == 0 || size > CHECK_LINES * 64)
			profile->closed = bytes_of(folded) >= limit_bytes;
	}
	return r;
}

/* JSON: an object, or an array of them. Functions may begin with a brace, too: "{main}". */
static bool is_json(const char *begin, size_t size)
{
	size_t at = 1;

	while (at < size && (is_blank(begin[at]) || begin[at] == '\r' || begin[at] == '\n'))
		at++;
	return at < size && ((begin[0] == '{' && begin[at] == '"') ||
			     (begin[0] == '[' && begin[at] == '{'));
}

/* Whatever is text and no JSON. */
static bool folded_recognises(const char *begin, size_t size)
{
	/* What comes later has a line that can be named. */
	if (size > FIRST_BYTES)
		size = FIRST_BYTES;
	return size && !is_json(begin, size) && !memchr(begin, '\0', size) &&
	       !(size >= 2 && begin[0] == '\x1f' && begin[1] == '\x8b');
}

const struct input input_folded = {
	.name = "folded",
	.items = "lines",
	.description = "one line for each stack, as flamegraph.pl reads them",
	.recognises = folded_recognises,
	.read = folded_read,
};
