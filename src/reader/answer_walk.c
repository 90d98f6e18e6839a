// SPDX-License-Identifier: Apache-2.0
/*
 * Stacks that libunwind walks. It reads a word at a time, at places far apart: pieces of files are kept.
 */
#include "reader/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "elf/function_starts.h"
#include "unwind/remote.h"

enum {
	PIECE_BITS = 12,
	PIECE_BYTES = 1 << PIECE_BITS,
	PIECES = 4096,		/* 16 MiB of them */
	STARTS_HEAD_BYTES = 12, /* of .eh_frame_hdr, before its table: see function_starts.c */
};

/* A part of an object's file. */
struct piece {
	uint32_t object; /* its id; 0: there is nothing here */
	uint32_t size;	 /* of what the file has there */
	uint64_t number;
	unsigned char bytes[PIECE_BYTES];
};

struct stack_walks {
	struct remote_walker *walker;
	struct piece pieces[PIECES];
};

/* An object as the process has mapped it. */
struct walked_mapping {
	struct wire_walk_mapping wire;
	struct known_object known; /* a copy; whose pointers hold while nothing is learnt */
};

struct walk_context {
	struct stack_walks *walks;
	struct walked_mapping mappings[WIRE_WALK_MAPPINGS_MAX];
	uint32_t count;
};

/*
 * Code appears at its ELF address, with its object's number above that, where no address of user space is.
 * Numbers are never used again.
 */
enum { ELF_BITS = 38 };
#define APPEARANCE (1ULL << 63)
#define ELF_MASK ((1ULL << ELF_BITS) - 1)

static uint64_t appearance_of(const struct known_object *known, uint64_t elf_address)
{
	return APPEARANCE | (uint64_t)known->id << ELF_BITS | (elf_address & ELF_MASK);
}

static uint32_t id_of(uint64_t appearance)
{
	return (uint32_t)((appearance & ~APPEARANCE) >> ELF_BITS);
}

/* By address of the process; NULL: none. A call may be the last instruction of all. */
static const struct walked_mapping *mapping_of(const struct walk_context *context, uint64_t address)
{
	uint32_t low = 0, high = context->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (context->mappings[middle].wire.start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low && address <= context->mappings[low - 1].wire.end ? &context->mappings[low - 1]
								     : NULL;
}

/* Any mapping of the object that appears there; NULL: there is none. */
static const struct walked_mapping *appearing(const struct walk_context *context,
					      uint64_t appearance)
{
	if (!(appearance & APPEARANCE))
		return NULL;
	for (uint32_t i = 0; i < context->count; i++)
		if (context->mappings[i].known.id == id_of(appearance))
			return &context->mappings[i];
	return NULL;
}

static uint64_t appear(void *context_, uint64_t address)
{
	struct walk_context *context = context_;
	const struct walked_mapping *mapping = mapping_of(context, address);

	if (!mapping || address - mapping->wire.bias > ELF_MASK)
		return address;
	return appearance_of(&mapping->known, address - mapping->wire.bias);
}

/* Of a file that is mapped twice: where the right part of it is. */
static uint64_t real(void *context_, uint64_t appearance)
{
	struct walk_context *context = context_;

	if (!(appearance & APPEARANCE))
		return appearance;
	for (uint32_t i = 0; i < context->count; i++) {
		const struct walked_mapping *mapping = &context->mappings[i];
		uint64_t address = (appearance & ELF_MASK) + mapping->wire.bias;

		if (mapping->known.id == id_of(appearance) && address >= mapping->wire.start &&
		    address <= mapping->wire.end)
			return address;
	}
	return appearance;
}

static int find_code(void *context_, struct remote_code *ret, uint64_t appearance)
{
	struct walk_context *context = context_;
	const struct walked_mapping *mapping = appearing(context, appearance);
	const struct function_starts *starts;

	if (!mapping)
		return -ENOENT;
	starts = mapping->known.starts;
	*ret = (struct remote_code){
		.start = appearance_of(&mapping->known, 0),
		.end = appearance_of(&mapping->known, ELF_MASK),
		.header_address = appearance_of(&mapping->known, starts->header_address),
		.table_address =
			appearance_of(&mapping->known, starts->header_address) + STARTS_HEAD_BYTES,
		.entries = starts->header_address <= ELF_MASK ? starts->count : 0,
	};
	return 0;
}

static const struct piece *piece_at(struct stack_walks *walks, const struct known_object *known,
				    uint64_t offset)
{
	uint64_t number = offset >> PIECE_BITS;
	struct piece *piece = &walks->pieces[hash_pair(known->id, number) % PIECES];
	ssize_t got;

	if (piece->object == known->id && piece->number == number)
		return piece;
	piece->object = 0;
	got = pread(known->object->fd, piece->bytes, PIECE_BYTES, (off_t)(number << PIECE_BITS));
	if (got <= 0)
		return NULL;
	piece->object = known->id;
	piece->number = number;
	piece->size = (uint32_t)got;
	return piece;
}

/* offset: in the file, of `size` bytes. */
static int read_file(struct stack_walks *walks, const struct known_object *known, void *ret,
		     uint64_t offset, size_t size)
{
	while (size) {
		const struct piece *piece = piece_at(walks, known, offset);
		size_t inside = offset % PIECE_BYTES, part;

		if (!piece || inside >= piece->size)
			return -ENODATA;
		part = piece->size - inside < size ? piece->size - inside : size;
		memcpy(ret, piece->bytes + inside, part);
		ret = (char *)ret + part;
		offset += part;
		size -= part;
	}
	return 0;
}

static int read_word(void *context_, uint64_t *ret, uint64_t appearance)
{
	struct walk_context *context = context_;
	const struct walked_mapping *mapping = appearing(context, appearance);
	uint64_t address = appearance & ELF_MASK;
	const struct object *object;

	if (!mapping)
		return -ENOENT;
	object = mapping->known.object;
	for (uint32_t i = 0; i < object->segments.count; i++) {
		const struct object_segment *segment = &object->segments.at[i];
		uint64_t inside = address - segment->address;

		if (address < segment->address || segment->file_size < sizeof(*ret) ||
		    inside > segment->file_size - sizeof(*ret) ||
		    segment->file_offset > INT64_MAX / 2 || inside > INT64_MAX / 2)
			continue;
		return read_file(context->walks, &mapping->known, ret,
				 segment->file_offset + inside, sizeof(*ret));
	}
	return -ENOENT;
}

/* Fills in what the walk may need; ids of objects that are not known are appended to *lacking. */
static int take_mappings(struct reader_state *state, struct walk_context *context,
			 const struct wire_walk_mapping *wire, uint32_t count,
			 struct bytes *lacking)
{
	for (uint32_t i = 0; i < count; i++) {
		struct known_object *known = reader_find(state, wire[i].object);

		if (!known) {
			bytes_add(lacking, &wire[i].object, sizeof(wire[i].object));
			continue;
		}
		if (!known->starts) {
			known->starts = malloc(sizeof(*known->starts));
			if (!known->starts)
				return -ENOMEM;
			if (function_starts_init(known->starts, known->object) < 0)
				*known->starts = (struct function_starts){};
		}
		context->mappings[context->count++] = (struct walked_mapping){ wire[i], *known };
	}
	return 0;
}

int stack_walks_prepare(struct stack_walks **walks)
{
	if (*walks)
		return 0;
	*walks = calloc(1, sizeof(**walks));
	if (!*walks)
		return -ENOMEM;
	(*walks)->walker = remote_walker_new();
	if (!(*walks)->walker) {
		free(TAKE_PTR(*walks));
		return -ENOMEM;
	}
	return 0;
}

void stack_walks_free(struct stack_walks *walks)
{
	if (!walks)
		return;
	remote_walker_free(walks->walker);
	free(walks);
}

int reader_answer_walk(struct reader_state *state, struct stack_walks **walks, const void *payload,
		       size_t size, struct reply *reply)
{
	struct reader all = reader_of(payload, size);
	const struct wire_walk *wire = (const void *)reader_take(&all, sizeof(*wire));
	const struct wire_walk_mapping *mappings;
	static uint64_t addresses[WIRE_MAX_FRAMES];
	cleanup(free) struct walk_context *context = calloc(1, sizeof(*context));
	struct remote_objects objects = { appear, real, find_code, read_word, context };
	struct remote_input input;
	struct remote_end end;
	struct wire_walked walked = {};
	const unsigned char *stack;
	int r;

	if (!context)
		return -ENOMEM;
	if (!wire || wire->mapping_count > WIRE_WALK_MAPPINGS_MAX || wire->limit > WIRE_MAX_FRAMES)
		return -EBADMSG;
	mappings = (const void *)reader_take(&all, wire->mapping_count * sizeof(*mappings));
	stack = reader_take(&all, wire->stack_bytes);
	if (!mappings || !stack || reader_left(&all))
		return -EBADMSG;
	r = take_mappings(state, context, mappings, wire->mapping_count, &reply->bytes);
	if (r < 0 || reply->bytes.size)
		return r < 0 ? r : WIRE_WALK_WANT;
	r = stack_walks_prepare(walks);
	if (r < 0)
		return r;
	context->walks = *walks;
	input = (struct remote_input){ .leaf = { wire->ip, wire->sp, wire->bp, wire->bx },
				       .exact = wire->exact,
				       .stack = stack,
				       .stack_address = wire->stack_address,
				       .stack_bytes = wire->stack_bytes,
				       .objects = &objects };
	memcpy(input.leaf.temporaries, wire->temporaries, sizeof(wire->temporaries));
	walked.outcome =
		remote_walk((*walks)->walker, &input, addresses, wire->limit, &walked.count, &end);
	walked.ip = end.ip;
	walked.sp = end.sp;
	walked.bp = end.bp;
	walked.bx = end.bx;
	walked.exact = end.exact;
	bytes_add(&reply->bytes, &walked, sizeof(walked));
	bytes_add(&reply->bytes, addresses, walked.count * sizeof(*addresses));
	return 0;
}
