// SPDX-License-Identifier: Apache-2.0
#include "elf/code.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fs.h"
#include "elf/instruction.h"

enum {
	BLOCK_BYTES = 65536,
	/* The text of the largest programs without any unwind information that are worth it. */
	MAX_LOADED_BYTES = 64 << 20,
	/* Shorter gaps between rows are padding, and given to the row before (unwind/table.c). */
	MIN_GAP_BYTES = 16,
};

static int add_range(struct code *code, uint64_t start, uint64_t end, uint64_t file_offset)
{
	struct code_range *range = array_push(&code->ranges);

	if (!range)
		return -ENOMEM;
	/* More than any file of code has; the others cannot be counted. */
	if (code->bytes + (end - start) > UINT32_MAX) {
		code->ranges.count--;
		return 0;
	}
	*range = (struct code_range){ start, end, file_offset, code->blocks.count,
				      (uint32_t)code->bytes };
	code->bytes += end - start;
	for (uint64_t at = start; at < end; at += BLOCK_BYTES)
		if (!array_push(&code->blocks))
			return -ENOMEM;
	return 0;
}

/* The first row at or behind the address. */
static uint32_t first_row_from(const struct cfi_table *table, uint64_t address)
{
	uint32_t low = 0, high = table->rows.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (table->rows.at[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_gap(const struct cfi_table *table, uint32_t row)
{
	const struct wire_rule *rule = &table->rows.at[row].rule;

	return rule->kind_and_step == RULE_NONE && rule->cfa_words == CFI_GAP;
}

/* Adds the gaps that lie in [start, end). */
static int add_gaps(struct code *code, uint64_t start, uint64_t end, uint64_t file_offset,
		    const struct cfi_table *covered)
{
	uint32_t row = first_row_from(covered, start);
	bool gap = row == 0 || is_gap(covered, row - 1);
	uint64_t from = start;
	int r = 0;

	for (; r == 0 && row < covered->rows.count && covered->rows.at[row].address < end; row++) {
		uint64_t address = covered->rows.at[row].address;

		if (gap && address > from && (from == start || address - from >= MIN_GAP_BYTES))
			r = add_range(code, from, address, file_offset + (from - start));
		from = address;
		gap = is_gap(covered, row);
	}
	if (r == 0 && gap && end > from)
		r = add_range(code, from, end, file_offset + (from - start));
	return r;
}

/* Cuts [start, end) down to what an executable segment loads of it from the file. */
static int add_extent(struct code *code, uint64_t start, uint64_t end)
{
	const struct object_segment *segment = object_segment_of(code->object, start);
	struct code_extent *extent;

	if (!segment || start - segment->address >= segment->file_size)
		return 0;
	if (end < start || end - segment->address > segment->file_size)
		end = segment->address + segment->file_size;
	extent = array_push(&code->extents);
	if (!extent)
		return -ENOMEM;
	*extent = (struct code_extent){ start, end,
					segment->file_offset + (start - segment->address) };
	return 0;
}

static int compare_extents(const void *a, const void *b)
{
	const struct code_extent *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->end < y->end ? -1 : x->end > y->end;
}

static int list_extents(struct code *code, const struct section_table *sections)
{
	const struct object *object = code->object;
	uint64_t end = 0;
	uint32_t kept = 0;
	int r = 0;

	for (uint32_t i = 0; i < sections->count && r == 0; i++) {
		const Elf64_Shdr *section = &sections->at[i];

		if (section->sh_type == SHT_PROGBITS && section->sh_flags & SHF_EXECINSTR &&
		    section->sh_flags & SHF_ALLOC && section->sh_size > 0)
			r = add_extent(code, section->sh_addr, section->sh_addr + section->sh_size);
	}
	for (uint32_t i = 0; i < object->segments.count && sections->count == 0 && r == 0; i++) {
		const struct object_segment *segment = &object->segments.at[i];

		if (segment->executable && segment->file_size > 0)
			r = add_extent(code, segment->address,
				       segment->address + segment->file_size);
	}
	if (r == 0 && code->extents.count)
		qsort(code->extents.at, code->extents.count, sizeof(*code->extents.at),
		      compare_extents);
	/* Sections that overlap are nonsense: the first one has what they share. */
	for (uint32_t i = 0; i < code->extents.count; i++) {
		struct code_extent extent = code->extents.at[i];

		if (extent.end <= end)
			continue;
		if (extent.start < end) {
			extent.file_offset += end - extent.start;
			extent.start = end;
		}
		end = extent.end;
		code->extents.at[kept++] = extent;
	}
	code->extents.count = kept;
	return r;
}

int code_init(struct code *ret, const struct object *object, const struct section_table *sections,
	      const struct cfi_table *covered)
{
	cleanup(code_fini) struct code code = { .object = object };
	int r = list_extents(&code, sections);

	for (uint32_t i = 0; i < code.extents.count && r == 0; i++) {
		const struct code_extent *extent = &code.extents.at[i];

		r = add_gaps(&code, extent->start, extent->end, extent->file_offset, covered);
	}
	if (r < 0)
		return r;
	*ret = code;
	code = (struct code){};
	return 0;
}

void code_fini(struct code *code)
{
	for (uint32_t i = 0; i < code->blocks.count; i++)
		free(code->blocks.at[i]);
	array_fini(&code->blocks);
	array_fini(&code->ranges);
	array_fini(&code->extents);
}

const struct code_range *code_range_of(struct code *code, uint64_t address)
{
	uint32_t low = 0, high = code->ranges.count;

	if (high) {
		const struct code_range *last = &code->ranges.at[code->last_range];

		if (address >= last->start && address < last->end)
			return last;
	}
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (code->ranges.at[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || address >= code->ranges.at[low - 1].end)
		return NULL;
	code->last_range = low - 1;
	return &code->ranges.at[low - 1];
}

/* A block has the beginning of the next one, too: no instruction is cut. */
static size_t block_size(const struct code_range *range, uint64_t offset)
{
	uint64_t left = range->end - range->start - offset;

	return left < BLOCK_BYTES + INSTRUCTION_MAX_BYTES ? left
							  : BLOCK_BYTES + INSTRUCTION_MAX_BYTES;
}

const unsigned char *code_bytes(struct code *code, uint64_t address, size_t *size)
{
	const struct code_range *range = code_range_of(code, address);
	uint64_t offset, begin;
	unsigned char **block;
	size_t bytes;

	if (!range)
		return NULL;
	offset = address - range->start;
	begin = offset / BLOCK_BYTES * BLOCK_BYTES;
	bytes = block_size(range, begin);
	block = &code->blocks.at[range->first_block + offset / BLOCK_BYTES];
	if (!*block) {
		if (code->loaded_bytes + bytes > MAX_LOADED_BYTES)
			return NULL;
		*block = malloc(bytes);
		if (!*block)
			return NULL;
		if (fs_read_at(code->object->fd, *block, bytes,
			       (off_t)(range->file_offset + begin)) < 0) {
			free(*block);
			*block = NULL;
			return NULL;
		}
		code->loaded_bytes += bytes;
	}
	*size = bytes - (offset - begin);
	return *block + (offset - begin);
}
