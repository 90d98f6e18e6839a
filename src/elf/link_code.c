// SPDX-License-Identifier: Apache-2.0
#include "elf/link_code.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "elf/cfi.h"
#include "elf/sections.h"

enum {
	INSTRUCTION_BYTES = 4,
	BLOCK_WORDS = 16384,
	MAX_TRAMPOLINES = 64,
	UNWINDER_WORDS = 128, /* two descriptions of frames, each larger than half of that */
	UNWINDER_BYTES = 96,  /* from the call that changes the frame to the epilogue, at most */
	EPILOGUE_ROWS = 4,
	MAX_UNWINDERS = 64, /* libgcc has four */
	/* ELF for the Arm 64-bit Architecture: the first entry, and those of functions. */
	PLT_HEADER_BYTES = 32,
};

#define MOV_X8_RT_SIGRETURN 0xd2801168u /* mov x8, #139 */
#define SVC_0 0xd4000001u
#define BTI_C 0xd503245fu
#define ADD_SP_SP_X4 0x8b2463ffu /* add sp, sp, x4: gcc's epilogue behind __builtin_eh_return */
#define STP_X16_X30 0xa9bf7bf0u	 /* stp x16, x30, [sp, #-16]! */

/* Nothing was saved, and there is no frame. */
static const struct wire_rule bare = { .kind_and_step = RULE_SP };
static const struct wire_rule pushed = { .cfa_words = 2, .steps = 1, .kind_and_step = RULE_SP };
static const struct wire_rule trampoline = { .kind_and_step = RULE_SIGNAL };
static const struct wire_rule gap = { .cfa_words = CFI_GAP, .kind_and_step = RULE_NONE };

struct range {
	uint64_t start, end;
	uint64_t pushed_from, pushed_to; /* where the first entry of a linkage table has a frame */
	bool is_trampoline;
};

struct ranges {
	ARRAY_OF(struct range) list;
};

static void ranges_fini_cleanup(struct ranges *ranges)
{
	array_fini(&ranges->list);
}

/*
 * What lies right before the rows of the epilogue, of which this is an instruction: there the frame may have
 * been changed. And what the compiler has put behind it, for it is seldom run, and leads back there.
 */
static int mark_unwinder(struct cfi_table *table, uint64_t address)
{
	uint32_t low = 0, high = table->rows.count, behind;
	struct cfi_row *row;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (table->rows.at[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	behind = low;
	for (uint32_t looked = 0; low > 0 && looked < EPILOGUE_ROWS; looked++) {
		uint64_t end;

		row = &table->rows.at[--low];
		if (row->rule.kind_and_step != RULE_SP || !row->rule.steps ||
		    row->rule.cfa_words < UNWINDER_WORDS)
			continue;
		if (low + 1 == table->rows.count)
			return 0;
		if (behind < table->rows.count &&
		    cfi_rule_same(&table->rows.at[behind].rule, &row->rule))
			table->rows.at[behind].rule.kind_and_step = RULE_UNWINDER;
		end = row[1].address;
		if (end - row->address > UNWINDER_BYTES) {
			if (!array_push(&table->rows))
				return -ENOMEM;
			row = &table->rows.at[low];
			memmove(row + 2, row + 1, (table->rows.count - low - 2) * sizeof(*row));
			row[1] = (struct cfi_row){ end - UNWINDER_BYTES, row->rule };
			row++;
		}
		row->rule.kind_and_step = RULE_UNWINDER;
		return 0;
	}
	return 0;
}

int link_code_mark_unwinders(struct cfi_table *table, const struct object *object)
{
	cleanup(free) uint32_t *block = NULL;
	uint32_t found = 0;
	int r = 0;

	if (object->machine != EM_AARCH64 || !table->rows.count)
		return 0;
	block = malloc(BLOCK_WORDS * sizeof(*block));
	if (!block)
		return -ENOMEM;
	for (uint32_t i = 0; i < object->segments.count; i++) {
		const struct object_segment *segment = &object->segments.at[i];
		uint64_t words = segment->file_size / INSTRUCTION_BYTES;

		for (uint64_t at = 0; segment->executable && at < words && r == 0;
		     at += BLOCK_WORDS) {
			uint64_t count = words - at < BLOCK_WORDS ? words - at : BLOCK_WORDS;

			if (fs_read_at(object->fd, block, count * INSTRUCTION_BYTES,
				       (off_t)(segment->file_offset + at * INSTRUCTION_BYTES)) < 0)
				break;
			for (uint64_t k = 0; k < count && r == 0; k++)
				if (block[k] == ADD_SP_SP_X4 && found++ < MAX_UNWINDERS)
					r = mark_unwinder(table,
							  segment->address +
								  (at + k) * INSTRUCTION_BYTES);
		}
	}
	return r;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct range *left = a, *right = b;

	return left->start < right->start ? -1 : left->start > right->start;
}

static int add_trampoline(struct ranges *ranges, uint64_t address)
{
	struct range *range;

	if (ranges->list.count >= MAX_TRAMPOLINES)
		return 0;
	range = array_push(&ranges->list);
	if (!range)
		return -ENOMEM;
	/*
	 * From the byte before, which is looked up for a handler that returns there, to past the next
	 * instruction: there the kernel's entry is, until it has found out that it is a system call.
	 */
	*range = (struct range){ .start = address - 1,
				 .end = address + 3 * INSTRUCTION_BYTES,
				 .is_trampoline = true };
	return 0;
}

/* What cannot be read has none. */
static int find_trampolines(struct ranges *ranges, const struct object *object,
			    const struct object_segment *segment, uint32_t *block)
{
	uint64_t words = segment->file_size / INSTRUCTION_BYTES, at = 0;

	while (at < words) {
		uint64_t count = words - at < BLOCK_WORDS ? words - at : BLOCK_WORDS;

		if (fs_read_at(object->fd, block, count * INSTRUCTION_BYTES,
			       (off_t)(segment->file_offset + at * INSTRUCTION_BYTES)) < 0)
			return 0;
		for (uint64_t i = 0; i + 1 < count; i++)
			if (block[i] == MOV_X8_RT_SIGRETURN && block[i + 1] == SVC_0) {
				int r = add_trampoline(ranges,
						       segment->address +
							       (at + i) * INSTRUCTION_BYTES);

				if (r < 0)
					return r;
			}
		/* The last word comes again with the block that follows. */
		at += count > 1 ? count - 1 : 1;
		if (count < BLOCK_WORDS)
			break;
	}
	return 0;
}

static int add_linkage_table(struct ranges *ranges, const struct object *object,
			     const Elf64_Shdr *section)
{
	uint32_t head[2] = {};
	struct range *range = array_push(&ranges->list);

	if (!range)
		return -ENOMEM;
	*range = (struct range){ .start = section->sh_addr,
				 .end = section->sh_addr + section->sh_size };
	if (section->sh_size < PLT_HEADER_BYTES ||
	    fs_read_at(object->fd, head, sizeof(head), (off_t)section->sh_offset) < 0)
		return 0;
	for (uint32_t i = 0; i < 2; i++)
		if (head[i] == STP_X16_X30 && (i == 0 || head[0] == BTI_C)) {
			range->pushed_from = range->start + (i + 1) * INSTRUCTION_BYTES;
			range->pushed_to = range->start + PLT_HEADER_BYTES;
		}
	return 0;
}

static int find_linkage_tables(struct ranges *ranges, const struct object *object)
{
	static const char *const names[] = { ".plt", ".iplt" };
	cleanup(section_table_fini) struct section_table sections = {};
	int r = section_table_read(&sections, object->fd);

	for (size_t i = 0; i < ARRAY_SIZE(names) && r == 0; i++) {
		const Elf64_Shdr *section = section_table_find(&sections, SHT_PROGBITS, names[i]);

		if (section && section->sh_size && section->sh_flags & SHF_EXECINSTR &&
		    section->sh_addr + section->sh_size > section->sh_addr)
			r = add_linkage_table(ranges, object, section);
	}
	return r == -ENOMEM ? r : 0;
}

static int add_range(struct cfi_table *table, const struct range *range)
{
	int r = cfi_table_add(table, range->start, range->is_trampoline ? &trampoline : &bare);

	if (r == 0 && range->pushed_from) {
		r = cfi_table_add(table, range->pushed_from, &pushed);
		if (r == 0 && range->pushed_to < range->end)
			r = cfi_table_add(table, range->pushed_to, &bare);
	}
	return r < 0 ? r : cfi_table_add(table, range->end, &gap);
}

int link_code_rows(struct cfi_table *ret, const struct object *object)
{
	cleanup(cfi_table_fini) struct cfi_table table = {};
	cleanup(ranges_fini) struct ranges ranges = {};
	cleanup(free) uint32_t *block = NULL;
	uint64_t end = 0;
	int r = 0;

	if (object->machine == EM_AARCH64) {
		block = malloc(BLOCK_WORDS * sizeof(*block));
		r = block ? find_linkage_tables(&ranges, object) : -ENOMEM;
		for (uint32_t i = 0; i < object->segments.count && r == 0; i++)
			if (object->segments.at[i].executable)
				r = find_trampolines(&ranges, object, &object->segments.at[i],
						     block);
	}
	if (ranges.list.count)
		qsort(ranges.list.at, ranges.list.count, sizeof(*ranges.list.at), compare_ranges);
	for (uint32_t i = 0; i < ranges.list.count && r == 0; i++) {
		if (ranges.list.at[i].start < end)
			continue; /* a file that contradicts itself */
		end = ranges.list.at[i].end;
		r = add_range(&table, &ranges.list.at[i]);
	}
	if (r < 0)
		return r;
	*ret = table;
	table = (struct cfi_table){};
	return 0;
}
