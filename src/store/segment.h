/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the writer remembers of the segment that it is writing: which frame, process and node of
 * the tree has which number. Pure. A full one takes about 4 MiB; then the next one is begun.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/hash.h"
#include "base/strtab.h"
#include "store/codec.h"
#include "store/symbols.h"

enum {
	SEGMENT_MAX_NODES = 60000,
	SEGMENT_MAX_FRAMES = 30000,
	SEGMENT_MAX_PROCESSES = 30000,
	SEGMENT_MAX_PROGRAM_BYTES = 512 << 10,
	SEGMENT_MAX_SLICES = 4000,
};

struct segment_frame {
	uint64_t address;
	uint32_t binary;
	struct frame_knowledge known;
};

/* Rows by what is written of them. */
struct segment_rows {
	struct strtab keys;
	ARRAY_OF(uint32_t) rows; /* by key */
};

struct segment {
	int64_t id; /* 0: none is begun */
	uint32_t slices;
	int64_t hour, last_begin_ns;
	struct hash_index nodes; /* (parent, frame) */
	uint32_t node_count;
	struct hash_index frame_index; /* (binary, address) */
	ARRAY_OF(struct segment_frame) frames;
	struct segment_rows binaries, programs;
	struct hash_index processes; /* (pid, program) */
	uint32_t process_count;
};

/* Begins another one, whose row is `id`. Returns 0 or -ENOMEM. */
int segment_begin(struct segment *segment, int64_t id, int64_t begin_ns);
/* Forgets everything: no segment is begun. */
void segment_fini(struct segment *segment);
/* Whether a window that begins then belongs into another one. */
bool segment_is_over(const struct segment *segment, int64_t begin_ns);

/* The number of the child of a node, which is new when *ret_new. Returns 0 or -ENOMEM. */
int segment_node(struct segment *segment, uint32_t parent, uint32_t frame, uint32_t *ret,
		 bool *ret_new);
/* The same for a process; pid: -1: none. */
int segment_process(struct segment *segment, int64_t pid, uint32_t program, uint32_t *ret,
		    bool *ret_new);
/* The number of the frame at this place, or HASH_ABSENT. */
uint32_t segment_find_frame(const struct segment *segment, uint32_t binary, uint64_t address);
/*
 * Adds one, in the place of `instead`, which is HASH_ABSENT when there is none. Returns 0 or
 * -ENOMEM.
 */
int segment_add_frame(struct segment *segment, const struct segment_frame *frame, uint32_t instead,
		      uint32_t *ret);
