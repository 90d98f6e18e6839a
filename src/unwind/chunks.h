/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of unwind tables: chunks of WIRE_CHUNK_BYTES (bpf/wire.h), each a BPF map that is also
 * mapped here, or plain memory when there is no kernel half. Handed out in runs of 4-byte units that
 * lie in one chunk. Place 0 is never handed out: it stands for "none".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "bpf/wire.h"
#include "unwind/extents.h"

struct chunk {
	unsigned char *memory;
	int map_fd; /* -1: plain memory */
	bool published;
	struct extents units;
};

struct chunks {
	ARRAY_OF(struct chunk) all;
	uint32_t limit;
	int outer_fd; /* the kernel half's array of chunks, borrowed; -1: none */
};

/* Units of one chunk. */
struct chunk_run {
	uint32_t chunk, first, count;
};

/* budget_bytes: of all chunks together, at least one chunk. */
void chunks_init(struct chunks *chunks, int outer_fd, uint64_t budget_bytes);
void chunks_fini(struct chunks *chunks);
/* What fits at most, in bytes. */
uint64_t chunks_capacity(const struct chunks *chunks);
/* Returns 0, -E2BIG (larger than a chunk), -ENOSPC (the budget is used up) or a negative errno. */
int chunks_take(struct chunks *chunks, struct chunk_run *ret, uint32_t bytes);
void chunks_give(struct chunks *chunks, const struct chunk_run *run);
/* Shows the kernel half every chunk that it has not seen. Returns 0 or a negative errno. */
int chunks_publish(struct chunks *chunks);
/* Where a run lies, for the wire; and its memory. */
uint32_t chunks_place(const struct chunk_run *run);
void *chunks_memory(const struct chunks *chunks, const struct chunk_run *run);
/* The chunk that holds a place, WIRE_CHUNK_BYTES of it; NULL: there is none. */
const unsigned char *chunks_at(const struct chunks *chunks, uint32_t place);
