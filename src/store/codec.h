/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lists of a slice as JSON, so that SQL can read them, in as few bytes as that allows. Pure.
 *
 * frames     [id, difference, ...]: rows of `frame`, each as the difference to the one before
 * processes  [pid, program, ...]: pid null where there is none
 * paths      [frame, ..., -distance, frame, ...]: nodes of the tree in order, each the segment's
 *            number of its frame; the parent is the node before, or, after a negative number, the
 *            one so far before. Node 0 is the root, which has no frame.
 * entries    [[process, difference, ..., -samples, [samples, ns], ...], ...]: for each process the
 *            nodes in which its stacks end, ascending, each as the difference to the one before;
 *            one sample each, unless a negative number (that many) or a list (that many, of that
 *            weight in all) follows.
 *
 * The decoders believe nothing: whatever does not fit is -EBADMSG.
 */
#pragma once

#include <stdint.h>

#include "base/array.h"
#include "base/bytes.h"

/* Frames of a stack, far more than are ever recorded. */
enum { STORE_MAX_DEPTH = 8192 };

struct tree_node {
	uint32_t parent, frame;
};

struct tree_process {
	int64_t pid; /* -1: none */
	uint32_t program;
};

/* What the slices of a segment share, as read so far. */
struct tree {
	ARRAY_OF(struct tree_node) nodes; /* the root first */
	ARRAY_OF(uint16_t) depths;	  /* by node */
	ARRAY_OF(uint32_t) frames;	  /* rows of `frame` */
	ARRAY_OF(struct tree_process) processes;
};

int tree_init(struct tree *tree);
void tree_fini(struct tree *tree);
static inline void tree_fini_cleanup(struct tree *tree)
{
	tree_fini(tree);
}

/* One value of a slice. */
struct entry {
	uint32_t process, path;
	int64_t samples, ns;
};

/* What is written. Starts with everything 0; *_end closes the list, if one was begun. */
struct frames_encoder {
	struct bytes *bytes;
	int64_t last;
	bool begun;
};
void frames_encode(struct frames_encoder *encoder, uint32_t id);
void frames_end(struct frames_encoder *encoder);

struct paths_encoder {
	struct bytes *bytes;
	uint32_t next; /* the number that the next node gets */
	bool begun;
};
void paths_encode(struct paths_encoder *encoder, uint32_t parent, uint32_t frame);
void paths_end(struct paths_encoder *encoder);

void process_encode(struct bytes *bytes, int64_t pid, uint32_t program);
void processes_end(struct bytes *bytes);

/* entries: by process, then path, each pair once. weight_ns: of one sample. */
void entries_encode(struct bytes *bytes, const struct entry *entries, uint32_t count,
		    int64_t weight_ns);

/* Each adds what is in the text to the tree. Returns 0, -EBADMSG or -ENOMEM. */
int frames_decode(struct tree *tree, const char *text, size_t size);
int processes_decode(struct tree *tree, const char *text, size_t size);
/* After the frames. */
int paths_decode(struct tree *tree, const char *text, size_t size);

/* Returns 0 or what ends the reading. */
typedef int (*entry_fn)(void *context, const struct entry *entry);
/*
 * Values of processes and nodes that the tree has. Returns 0, -EBADMSG or what `take` has returned.
 */
int entries_decode(const struct tree *tree, const char *text, size_t size, int64_t weight_ns,
		   entry_fn take, void *context);
/* Functions that are inlined at one place: far more than are ever recorded. */
enum { INLINED_MAX = 1024 };
/* Pairs of numbers that are not below 0: [function, line, ...]. `numbers` gets both of each. */
struct inlined {
	ARRAY_OF(uint32_t) numbers;
};
int inlined_decode(struct inlined *ret, const char *text, size_t size);
