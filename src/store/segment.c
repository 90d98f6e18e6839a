// SPDX-License-Identifier: Apache-2.0
#include "store/segment.h"

#include <errno.h>

#define HOUR_NS 3600000000000LL

static int64_t hour_of(int64_t ns)
{
	return ns / HOUR_NS - (ns % HOUR_NS < 0);
}

int segment_begin(struct segment *segment, int64_t id, int64_t begin_ns)
{
	segment_fini(segment);
	segment->id = id;
	segment->hour = hour_of(begin_ns);
	segment->last_begin_ns = begin_ns;
	segment->node_count = 1; /* the root */
	return strtab_init(&segment->binaries.keys) < 0 || !array_push(&segment->binaries.rows) ||
			       strtab_init(&segment->programs.keys) < 0 ||
			       !array_push(&segment->programs.rows)
		       ? -ENOMEM
		       : 0;
}

void segment_fini(struct segment *segment)
{
	hash_index_fini(&segment->nodes);
	hash_index_fini(&segment->frame_index);
	hash_index_fini(&segment->processes);
	array_fini(&segment->frames);
	strtab_fini(&segment->binaries.keys);
	array_fini(&segment->binaries.rows);
	strtab_fini(&segment->programs.keys);
	array_fini(&segment->programs.rows);
	*segment = (struct segment){};
}

bool segment_is_over(const struct segment *segment, int64_t begin_ns)
{
	/* After a jump of the clock, too: times of a segment ascend. */
	return !segment->id || begin_ns < segment->last_begin_ns ||
	       hour_of(begin_ns) != segment->hour || segment->node_count > SEGMENT_MAX_NODES ||
	       segment->frames.count > SEGMENT_MAX_FRAMES ||
	       segment->process_count > SEGMENT_MAX_PROCESSES ||
	       segment->programs.keys.bytes.count > SEGMENT_MAX_PROGRAM_BYTES ||
	       segment->binaries.keys.bytes.count > SEGMENT_MAX_PROGRAM_BYTES ||
	       segment->slices >= SEGMENT_MAX_SLICES;
}

/* The position of a number in an index that gives out dense ones. */
static int take_number(struct hash_index *index, uint64_t hash, uint32_t *count, uint32_t *ret,
		       bool *ret_new)
{
	*ret = hash_index_find(index, hash, NULL, NULL, NULL);
	*ret_new = *ret == HASH_ABSENT;
	if (!*ret_new)
		return 0;
	if (hash_index_add(index, hash, *count) < 0)
		return -ENOMEM;
	*ret = (*count)++;
	return 0;
}

int segment_node(struct segment *segment, uint32_t parent, uint32_t frame, uint32_t *ret,
		 bool *ret_new)
{
	return take_number(&segment->nodes, hash_u64((uint64_t)parent << 32 | frame),
			   &segment->node_count, ret, ret_new);
}

int segment_process(struct segment *segment, int64_t pid, uint32_t program, uint32_t *ret,
		    bool *ret_new)
{
	/* Pids end far below 2^32 - 1 (proc(5)), which stands for none. */
	return take_number(&segment->processes, hash_u64((uint64_t)(uint32_t)pid << 32 | program),
			   &segment->process_count, ret, ret_new);
}

struct place {
	uint32_t binary;
	uint64_t address;
};

static bool is_at(const void *context, uint32_t position, const void *key)
{
	const struct segment *segment = context;
	const struct segment_frame *frame = &segment->frames.at[position];
	const struct place *place = key;

	return frame->binary == place->binary && frame->address == place->address;
}

uint32_t segment_find_frame(const struct segment *segment, uint32_t binary, uint64_t address)
{
	struct place place = { binary, address };

	return hash_index_find(&segment->frame_index, hash_pair(binary, address), is_at, segment,
			       &place);
}

int segment_add_frame(struct segment *segment, const struct segment_frame *frame, uint32_t instead,
		      uint32_t *ret)
{
	uint64_t hash = hash_pair(frame->binary, frame->address);
	struct segment_frame *added = array_push(&segment->frames);

	if (!added)
		return -ENOMEM;
	*added = *frame;
	*ret = segment->frames.count - 1;
	if (instead != HASH_ABSENT)
		hash_index_remove(&segment->frame_index, hash, instead);
	return hash_index_add(&segment->frame_index, hash, *ret);
}
