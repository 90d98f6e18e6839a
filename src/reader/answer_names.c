// SPDX-License-Identifier: Apache-2.0
#include "reader/state.h"

#include <errno.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/parcel.h"
#include "symbol/demangle.h"
#include "symbol/object_names.h"
#include "worker/symbol_cache.h"

/* Of CPU time, for one question about lines. */
#define SLICE_NS 200000000ULL
/* What takes less to find out is not worth a file. */
#define KEEP_LEAST_NS 5000000ULL
/* For one object: somebody may wait for profd to end. */
#define KEEP_BUDGET_NS 100000000ULL

/*
 * One line of an answer, and what tells it apart from others. Numbers of texts are those of the
 * object's names.
 */
struct named_line {
	struct found_function function; /* by its symbol; FOUND_NOTHING: by `name` */
	uint32_t name;			/* as the frame has it; 0: none */
	uint32_t file, line, start_line;
};

/* An answer under way. Each line is in it once. */
struct naming_answer {
	struct object_names *names;
	ARRAY_OF(struct wire_name) lines;
	ARRAY_OF(struct named_line) named; /* parallel to lines */
	ARRAY_OF(struct wire_names) runs;  /* for each address */
	ARRAY_OF(uint32_t) order;	   /* numbers of lines, address after address */
	struct hash_index index;
	/* Lines of one function have its name once, those of one file its path: the first such line. */
	struct hash_index by_name, by_file;
	struct bytes texts;
	bool has_lines;
	bool about_debug_info; /* it is to be told whether there is any */
	bool is_wanting; /* some address needs another file */
};

static void naming_answer_fini_cleanup(struct naming_answer *answer)
{
	array_fini(&answer->lines);
	array_fini(&answer->named);
	array_fini(&answer->runs);
	array_fini(&answer->order);
	hash_index_fini(&answer->index);
	hash_index_fini(&answer->by_name);
	hash_index_fini(&answer->by_file);
	bytes_fini(&answer->texts);
}

static bool same_name(const void *context, uint32_t position, const void *key)
{
	const struct naming_answer *answer = context;
	const struct named_line *a = &answer->named.at[position], *b = key;

	return a->function.kind == b->function.kind &&
	       a->function.resolver == b->function.resolver &&
	       a->function.start == b->function.start && a->name == b->name;
}

static bool same_line(const void *context, uint32_t position, const void *key)
{
	const struct naming_answer *answer = context;
	const struct named_line *a = &answer->named.at[position], *b = key;

	return same_name(context, position, key) && a->file == b->file && a->line == b->line &&
	       a->start_line == b->start_line;
}

static uint64_t hash_of_name(const struct named_line *line)
{
	return hash_pair((uint64_t)line->function.kind << 32 | line->function.resolver,
			 hash_pair(line->function.start, line->name));
}

static uint32_t add_text(struct naming_answer *answer, const char *text)
{
	uint32_t at = (uint32_t)answer->texts.size;

	bytes_add(&answer->texts, text, strlen(text) + 1);
	return at;
}

/* The name of a line, as it is in the files. Returns 0 or -ENOMEM. */
static int read_name(struct naming_answer *answer, struct bytes *ret, const struct named_line *line)
{
	int r = object_names_text(answer->names, &line->function, ret);

	if (r == -ENOMEM)
		return r;
	if (r < 0 || ret->size == 0)
		bytes_add_str(ret,
			      line->name ? object_names_frame_text(answer->names, line->name) : "");
	return bytes_str(ret) ? 0 : -ENOMEM;
}

/* Puts kind, start and name into a line. Returns 0 or -ENOMEM. */
static int make_name(struct naming_answer *answer, struct wire_name *ret,
		     const struct named_line *line)
{
	static const enum wire_name_kind kinds[] = { [FOUND_NOTHING] = WIRE_NAME_NONE,
						     [FOUND_START] = WIRE_NAME_START,
						     [FOUND_ENTRY] = WIRE_NAME_ENTRY,
						     [FOUND_SYMBOL] = WIRE_NAME_NONE };
	cleanup(bytes_fini) struct bytes name = {}, readable = {};
	int r = read_name(answer, &name, line);

	ret->kind = kinds[line->function.kind];
	ret->start = line->function.start;
	if (r < 0)
		return r;
	if (!name.at[0])
		return 0;
	ret->kind = WIRE_NAME_SYMBOL;
	ret->system_name = ret->name = add_text(answer, name.at);
	r = demangle(&readable, name.at);
	if (r == 0 && readable.size)
		ret->name = add_text(answer, bytes_str(&readable) ? readable.at : "");
	return r == -ENOMEM || readable.failed || answer->texts.failed ? -ENOMEM : 0;
}

/* position: that the line will have. */
static int make_line(struct naming_answer *answer, struct wire_name *ret, uint32_t position,
		     const struct named_line *line)
{
	uint64_t hash = hash_of_name(line), file = hash_u64(line->file);
	uint32_t same = hash_index_find(&answer->by_name, hash, same_name, answer, line);
	int r = 0;

	*ret = (struct wire_name){ .line = line->line, .start_line = line->start_line };
	if (same == HASH_ABSENT) {
		r = make_name(answer, ret, line);
		if (r == 0)
			r = hash_index_add(&answer->by_name, hash, position);
	} else {
		ret->kind = answer->lines.at[same].kind;
		ret->start = answer->lines.at[same].start;
		ret->name = answer->lines.at[same].name;
		ret->system_name = answer->lines.at[same].system_name;
	}
	if (r < 0)
		return r;
	same = hash_index_find(&answer->by_file, file, NULL, NULL, NULL);
	if (same != HASH_ABSENT) {
		ret->file = answer->lines.at[same].file;
		return 0;
	}
	ret->file = add_text(answer,
			     line->file ? object_names_frame_text(answer->names, line->file) : "");
	r = hash_index_add(&answer->by_file, file, position);
	return answer->texts.failed ? -ENOMEM : r;
}

/* The number of a line, which is made if need be. */
static int find_line(struct naming_answer *answer, uint32_t *ret, const struct named_line *line)
{
	uint64_t hash = hash_pair(hash_pair(hash_of_name(line), line->file),
				  (uint64_t)line->line << 32 | line->start_line);
	uint32_t position = hash_index_find(&answer->index, hash, same_line, answer, line);
	struct named_line *named;
	struct wire_name wire, *slot;
	int r;

	if (position != HASH_ABSENT) {
		*ret = position;
		return 0;
	}
	position = answer->lines.count;
	r = make_line(answer, &wire, position, line);
	if (r < 0)
		return r;
	slot = array_push(&answer->lines);
	named = slot ? array_push(&answer->named) : NULL;
	if (!named)
		return -ENOMEM;
	*slot = wire;
	*named = *line;
	*ret = position;
	return hash_index_add(&answer->index, hash, position);
}

static int add_line(struct naming_answer *answer, const struct named_line *line)
{
	uint32_t *number = array_push(&answer->order);

	return number ? find_line(answer, number, line) : -ENOMEM;
}

/*
 * The lines of an address: functions that were inlined there, and last the one
 * that all of the code belongs to, which its symbol names best.
 */
static int name_address(struct naming_answer *answer, uint64_t address)
{
	struct wire_names *run = array_push(&answer->runs);
	struct found_function function;
	struct named_line line = {};
	struct source_frames frames;
	int r;

	if (!run)
		return -ENOMEM;
	run->first = answer->order.count;
	r = answer->has_lines
		    ? object_names_frames(answer->names, address, &frames, &function)
		    : -ENOENT;
	if (r == DWARF_WANTS)
		answer->is_wanting = true;
	if (r == DWARF_WANTS || r == -ENOENT) {
		frames = (struct source_frames){ .count = 1 };
		r = object_names_find(answer->names, address, &function);
	}
	if (r < 0)
		return r;
	run->count = frames.count;
	for (uint32_t i = 0; i < frames.count; i++) {
		const struct source_frame *frame = &frames.at[i];

		line = (struct named_line){ .name = frame->name,
					    .file = frame->file,
					    .line = frame->line,
					    .start_line = frame->start_line };
		if (i == frames.count - 1)
			line.function = function;
		r = add_line(answer, &line);
		if (r < 0)
			return r;
	}
	return 0;
}

static int name_all(struct naming_answer *answer, const uint64_t *addresses, uint32_t count,
		    struct reply *reply)
{
	uint64_t begin = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	struct wire_names_head head = { .address_count = count };
	bool lacks = false;

	for (uint32_t i = 0; i < count; i++) {
		int r = name_address(answer, addresses[i]);

		if (r < 0)
			return r;
		/* Whoever asks has other things to do, too. */
		if (answer->has_lines && clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin > SLICE_NS)
			count = head.address_count = i + 1;
	}
	if (answer->about_debug_info && object_names_lack_debug_info(answer->names, &lacks) < 0)
		return -ENOMEM;
	_Static_assert((int)DWARF_WANTED_MAX == (int)WIRE_WANTED_MAX, "the same paths");
	if (answer->is_wanting && object_names_wanted(answer->names, &reply->bytes) > 0)
		return WIRE_NAMES_WANT;
	head.order_count = answer->order.count;
	head.name_count = answer->lines.count;
	head.text_bytes = (uint32_t)answer->texts.size;
	head.lacks_debug_info = lacks;
	bytes_add(&reply->bytes, &head, sizeof(head));
	bytes_add(&reply->bytes, answer->runs.at, count * sizeof(*answer->runs.at));
	bytes_add(&reply->bytes, answer->lines.at, answer->lines.count * sizeof(*answer->lines.at));
	bytes_add(&reply->bytes, answer->order.at, answer->order.count * sizeof(*answer->order.at));
	bytes_add(&reply->bytes, answer->texts.at, answer->texts.size);
	return reply->bytes.failed ? -ENOMEM : 0;
}

/* fds: debug files, behind a file of the symbol cache if there is one. Returns 0 or -ENOMEM. */
static int set_up(struct known_object *known, const struct wire_names_question *question, int *fds,
		  unsigned fd_count)
{
	if (!question->kept || fd_count == 0)
		return object_names_new(&known->names, known->object, fds, fd_count);
	return object_names_new_kept(&known->names, known->object, fds + 1, fd_count - 1, fds[0],
				     SYMBOL_CACHE_HEAD_BYTES);
}

int reader_answer_names(struct known_object *known, const void *payload, size_t size, int *fds,
			unsigned fd_count, struct reply *reply)
{
	const struct wire_names_question *question = payload;
	cleanup(naming_answer_fini) struct naming_answer answer = {};
	int r;

	if (size < sizeof(*question) ||
	    size != sizeof(*question) + question->address_count * sizeof(uint64_t))
		return -EBADMSG;
	for (unsigned i = 0; i < fd_count; i++)
		fds[i] = parcel_open(fds[i]);
	if (!known->names) {
		if (question->files != WIRE_DEBUG_FILES)
			return -ESTALE;
		r = set_up(known, question, fds, fd_count);
		if (r < 0)
			return r;
	}
	for (unsigned i = 0; i < fd_count && question->files == WIRE_WANTED_FILES; i++) {
		r = fds[i] < 0 ? 0 : object_names_offer(known->names, TAKE_FD(fds[i]));
		if (r < 0)
			return r;
	}
	if (question->files == WIRE_NO_MORE_FILES)
		object_names_want_no_more(known->names);
	object_names_ask_for_lines(known->names, question->lines != 0);
	answer.names = known->names;
	answer.has_lines = question->lines != 0;
	answer.about_debug_info = question->about_debug_info != 0;
	return name_all(&answer, (const uint64_t *)(question + 1), question->address_count, reply);
}

int reader_answer_keep(struct known_object *known, struct reply *reply)
{
	int r = known->names ? object_names_keep(known->names, &reply->bytes, KEEP_LEAST_NS,
						 KEEP_BUDGET_NS)
			     : -ENOENT;

	return r == -ENOENT ? WIRE_NAMES_NO_MORE : r;
}
