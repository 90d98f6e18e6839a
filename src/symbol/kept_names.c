// SPDX-License-Identifier: Apache-2.0
#include "symbol/kept_names.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fs.h"

/* ---- reading ---- */

/* Texts of the file → those of the table. texts: text_bytes of them, the last one a NUL. */
static int take_texts(struct kept_names *kept, uint32_t *ids, const char *texts,
		      const struct kept_head *head)
{
	size_t at = 0;

	for (uint32_t i = 0; i < head->text_count; i++) {
		size_t size;
		int r;

		if (at >= head->text_bytes)
			return -EBADMSG;
		size = strlen(texts + at);
		r = strtab_add(kept->texts, &ids[i], texts + at, size);
		if (r < 0)
			return r;
		at += size + 1;
	}
	return at == head->text_bytes ? 0 : -EBADMSG;
}

static int take_nodes(struct kept_names *kept, const uint32_t *ids, const struct kept_node *nodes,
		      const struct kept_head *head)
{
	if (!array_reserve(&kept->nodes, head->node_count))
		return -ENOMEM;
	for (uint32_t i = 0; i < head->node_count; i++) {
		struct kept_node node = nodes[i];

		if ((node.parent != KEPT_NODE_NONE && node.parent >= i) ||
		    node.name >= head->text_count || node.file >= head->text_count ||
		    node.kind > UINT8_MAX)
			return -EBADMSG;
		node.name = ids[node.name];
		node.file = ids[node.file];
		kept->nodes.at[kept->nodes.count++] = node;
	}
	return 0;
}

static int take_extents(struct kept_names *kept, const struct kept_extent *extents,
			const struct kept_head *head)
{
	uint64_t end = 0;

	if (!array_reserve(&kept->extents, head->extent_count))
		return -ENOMEM;
	for (uint32_t i = 0; i < head->extent_count; i++) {
		const struct kept_extent *extent = &extents[i];

		if (extent->start < end || extent->size == 0 ||
		    extent->size > UINT64_MAX - extent->start || extent->node >= head->node_count)
			return -EBADMSG;
		end = extent->start + extent->size;
		kept->extents.at[kept->extents.count++] = *extent;
	}
	return 0;
}

static int take_all(struct kept_names *kept, const unsigned char *bytes, size_t size)
{
	const struct kept_head *head = (const void *)bytes;
	const struct kept_extent *extents = (const void *)(head + 1);
	const struct kept_node *nodes;
	cleanup(free) uint32_t *ids = NULL;
	const char *texts;
	int r;

	if (size < sizeof(*head) ||
	    size - sizeof(*head) != head->extent_count * (uint64_t)sizeof(*extents) +
					    head->node_count * (uint64_t)sizeof(*nodes) +
					    head->text_bytes ||
	    head->text_count == 0 || head->text_count > head->text_bytes)
		return -EBADMSG;
	nodes = (const void *)(extents + head->extent_count);
	texts = (const char *)(nodes + head->node_count);
	if (texts[0] || texts[head->text_bytes - 1])
		return -EBADMSG;
	ids = calloc(head->text_count, sizeof(*ids));
	if (!ids)
		return -ENOMEM;
	r = take_texts(kept, ids, texts, head);
	if (r == 0)
		r = take_nodes(kept, ids, nodes, head);
	return r == 0 ? take_extents(kept, extents, head) : r;
}

int kept_names_read(struct kept_names *ret, int fd, uint64_t offset, struct strtab *texts)
{
	cleanup(free) unsigned char *bytes = NULL;
	struct stat st;
	size_t size;
	int r;

	*ret = (struct kept_names){ .texts = texts };
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || offset > INT64_MAX || st.st_size < (off_t)offset ||
	    st.st_size - (off_t)offset > KEPT_BYTES_MAX)
		return -EBADMSG;
	size = (size_t)(st.st_size - (off_t)offset);
	bytes = malloc(size + 1);
	if (!bytes)
		return -ENOMEM;
	ret->bytes = size;
	r = fs_read_at(fd, bytes, size, (off_t)offset);
	if (r == 0)
		r = take_all(ret, bytes, size);
	if (r < 0) {
		kept_names_fini(ret);
		ret->texts = texts;
	}
	return r;
}

void kept_names_fini(struct kept_names *kept)
{
	array_fini(&kept->extents);
	array_fini(&kept->nodes);
	hash_index_fini(&kept->index);
}

/* ---- finding ---- */

int kept_names_find(const struct kept_names *kept, uint64_t address, struct source_frames *ret,
		    const struct kept_node **root)
{
	const struct kept_node *node = NULL;
	uint32_t count = array_count_up_to(&kept->extents, start, address);
	const struct kept_extent *extent = count ? &kept->extents.at[count - 1] : NULL;

	if (!extent || address - extent->start >= extent->size)
		return -ENOENT;
	ret->count = 0;
	for (uint32_t at = extent->node; at != KEPT_NODE_NONE; at = node->parent) {
		if (ret->count == SOURCE_MAX_FRAMES)
			return -ENOENT;
		node = &kept->nodes.at[at];
		ret->at[ret->count++] = (struct source_frame){ .name = node->name,
							       .file = node->file,
							       .line = node->line,
							       .start_line = node->start_line };
	}
	*root = node;
	return 0;
}

/* ---- adding ---- */

static uint64_t hash_of(const struct kept_node *node)
{
	return hash_pair(hash_pair((uint64_t)node->name << 32 | node->file,
				   (uint64_t)node->line << 32 | node->start_line),
			 hash_pair((uint64_t)node->parent << 32 | node->kind, node->start));
}

static bool same_node(const void *context, uint32_t position, const void *key)
{
	const struct kept_names *kept = context;
	const struct kept_node *a = &kept->nodes.at[position], *b = key;

	return a->start == b->start && a->parent == b->parent && a->name == b->name &&
	       a->file == b->file && a->line == b->line && a->start_line == b->start_line &&
	       a->kind == b->kind;
}

static int index_nodes(struct kept_names *kept)
{
	for (uint32_t i = kept->index.count; i < kept->nodes.count; i++)
		if (hash_index_add(&kept->index, hash_of(&kept->nodes.at[i]), i) < 0)
			return -ENOMEM;
	return 0;
}

static int find_node(struct kept_names *kept, uint32_t *ret, const struct kept_node *node)
{
	struct kept_node *slot;

	*ret = hash_index_find(&kept->index, hash_of(node), same_node, kept, node);
	if (*ret != HASH_ABSENT)
		return 0;
	slot = array_push(&kept->nodes);
	if (!slot)
		return -ENOMEM;
	*slot = *node;
	*ret = kept->nodes.count - 1;
	return index_nodes(kept);
}

/* Without its texts, which are about as much again. */
static size_t count_bytes(const struct kept_names *kept)
{
	return kept->extents.count * sizeof(struct kept_extent) +
	       kept->nodes.count * sizeof(struct kept_node);
}

bool kept_names_is_large(const struct kept_names *kept)
{
	return kept->bytes > KEPT_BYTES_MAX / 4 * 3 || count_bytes(kept) > KEPT_BYTES_MAX / 8 * 3;
}

int kept_names_add(struct kept_names *kept, uint64_t start, uint64_t end,
		   const struct source_frames *frames, uint32_t kind, uint64_t function_start)
{
	uint32_t parent = KEPT_NODE_NONE;
	struct kept_extent *extent;
	int r = index_nodes(kept);

	if (count_bytes(kept) > KEPT_BYTES_MAX / 2 || end - start > UINT32_MAX)
		return -EFBIG;
	for (uint32_t i = frames->count; i-- > 0 && r == 0;) {
		const struct source_frame *frame = &frames->at[i];
		struct kept_node node = { .parent = parent,
					  .name = frame->name,
					  .file = frame->file,
					  .line = frame->line,
					  .start_line = frame->start_line };

		if (parent == KEPT_NODE_NONE) {
			node.kind = kind;
			node.start = function_start;
		}
		r = find_node(kept, &parent, &node);
	}
	if (r < 0)
		return r;
	extent = array_push(&kept->extents);
	if (!extent)
		return -ENOMEM;
	*extent = (struct kept_extent){ start, (uint32_t)(end - start), parent };
	return 0;
}

static int compare_extents(const void *a_, const void *b_)
{
	const struct kept_extent *a = a_, *b = b_;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return (a->node > b->node) - (a->node < b->node);
}

void kept_names_settle(struct kept_names *kept)
{
	uint32_t count = 0;
	uint64_t end = 0;

	if (kept->extents.count)
		qsort(kept->extents.at, kept->extents.count, sizeof(*kept->extents.at),
		      compare_extents);
	for (uint32_t i = 0; i < kept->extents.count; i++) {
		struct kept_extent extent = kept->extents.at[i];
		uint64_t extent_end = extent.start + extent.size;

		if (extent_end <= end)
			continue;
		if (extent.start < end) {
			extent.start = end;
			extent.size = (uint32_t)(extent_end - end);
		}
		end = extent_end;
		kept->extents.at[count++] = extent;
	}
	kept->extents.count = count;
}

/* ---- writing ---- */

/* The number that a text has in the file; it gets the next one when it has none. */
static uint32_t number_text(const struct kept_names *kept, uint32_t *numbers, uint32_t id,
			    struct kept_head *head, struct bytes *texts)
{
	if (id && !numbers[id]) {
		const char *text = strtab_get(kept->texts, id);

		numbers[id] = head->text_count++;
		bytes_add(texts, text, strlen(text) + 1);
	}
	return numbers[id];
}

int kept_names_write(const struct kept_names *kept, struct bytes *ret)
{
	cleanup(free) uint32_t *numbers = calloc(kept->texts->offsets.count, sizeof(*numbers));
	cleanup(bytes_fini) struct bytes nodes = {}, texts = {};
	struct kept_head head = { kept->extents.count, kept->nodes.count, 1, 0 };

	if (!numbers)
		return -ENOMEM;
	bytes_add_char(&texts, '\0');
	for (uint32_t i = 0; i < kept->nodes.count; i++) {
		struct kept_node node = kept->nodes.at[i];

		node.name = number_text(kept, numbers, node.name, &head, &texts);
		node.file = number_text(kept, numbers, node.file, &head, &texts);
		bytes_add(&nodes, &node, sizeof(node));
	}
	head.text_bytes = (uint32_t)texts.size;
	bytes_add(ret, &head, sizeof(head));
	bytes_add(ret, kept->extents.at, kept->extents.count * sizeof(*kept->extents.at));
	bytes_add(ret, nodes.at, nodes.size);
	bytes_add(ret, texts.at, texts.size);
	if (ret->failed || nodes.failed || texts.failed)
		return -ENOMEM;
	return ret->size > KEPT_BYTES_MAX ? -EFBIG : 0;
}
