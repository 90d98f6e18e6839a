/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the addresses of an object come from, as object_names has found it out, in a form that can be
 * kept in a file for the next recording.
 *
 * In the file, all numbers as the machine has them: struct kept_head, extents, nodes, texts. An extent
 * is code whose addresses all come from the same; it names the innermost function of a chain of nodes.
 * Texts are counted from 0 on, each ends with a NUL, the first one is empty and no two are equal.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/strtab.h"
#include "elf/source_frames.h"

#define KEPT_NODE_NONE UINT32_MAX
/* Of a file; hot functions of a large program take a tenth of it. */
enum { KEPT_BYTES_MAX = 16 << 20 };

struct kept_head {
	uint32_t extent_count, node_count, text_count, text_bytes;
};

struct kept_extent {
	uint64_t start; /* ELF address */
	uint32_t size;	/* in bytes, at least 1 */
	uint32_t node;
};

struct kept_node {
	uint64_t start;	 /* of a root without a name: where its function begins */
	uint32_t parent; /* into which it was inlined, a smaller number; KEPT_NODE_NONE: a root */
	uint32_t name, file, line, start_line; /* see struct source_frame */
	uint32_t kind;			       /* of a root: whoever adds it says so, below 256 */
};

struct kept_names {
	ARRAY_OF(struct kept_extent) extents; /* ascending and disjoint, once settled */
	ARRAY_OF(struct kept_node) nodes;
	struct hash_index index; /* of nodes, when something was added */
	struct strtab *texts;	 /* borrowed: of names and files */
	size_t bytes;		 /* that it took in the file that it was read from */
};

/*
 * Reads what was kept, from an offset of the file to its end. texts: takes its texts, and has to outlive
 * *ret. Returns 0, -EBADMSG for what kept_names_write does not write, or another negative errno; *ret is
 * empty then. Free with kept_names_fini.
 */
int kept_names_read(struct kept_names *ret, int fd, uint64_t offset, struct strtab *texts);
void kept_names_fini(struct kept_names *kept);
/*
 * What an ELF address comes from; *root: the node of the outermost function. Returns 0, or -ENOENT when
 * that was not kept.
 */
int kept_names_find(const struct kept_names *kept, uint64_t address, struct source_frames *ret,
		    const struct kept_node **root);
/*
 * Adds code of which nothing was kept so far, [start, end), and where it comes from; kind, function_start:
 * of its outermost function. Not to be found before kept_names_settle. Returns 0, -EFBIG when it would be more
 * than a file may have, or -ENOMEM.
 */
int kept_names_add(struct kept_names *kept, uint64_t start, uint64_t end,
		   const struct source_frames *frames, uint32_t kind, uint64_t function_start);
/* Would there soon be no room for more? */
bool kept_names_is_large(const struct kept_names *kept);
/* Puts what was added in its place; of what overlaps, the part that begins first stays whole. */
void kept_names_settle(struct kept_names *kept);
/* Appends what kept_names_read reads. Returns 0, -EFBIG (it would not read so much) or -ENOMEM. */
int kept_names_write(const struct kept_names *kept, struct bytes *ret);
