// SPDX-License-Identifier: Apache-2.0
#include "elf/row_marks.h"

#include <errno.h>
#include <string.h>

#include "base/fs.h"
#include "elf/needed.h"

/* Makes a row begin at the address, which lies in row `at`: the same rule, so nothing changes. */
static int split_row(struct cfi_table *table, uint32_t at, uint64_t address)
{
	struct cfi_row *rows;

	if (!array_push(&table->rows))
		return -ENOMEM;
	rows = table->rows.at;
	memmove(rows + at + 2, rows + at + 1, (table->rows.count - at - 2) * sizeof(*rows));
	rows[at + 1] = (struct cfi_row){ address, rows[at].rule };
	return 0;
}

/* ---- functions that leave by __builtin_eh_return ---- */

/*
 * How far before its last instructions such a function may have called the code that changes its
 * frame: 131 bytes in libgcc 12 with code for shadow stacks.
 */
enum { UNWINDER_BYTES = 256 };

static bool is_rule(const struct cfi_row *row, uint8_t kind, int32_t words)
{
	return row->rule.kind_and_step == kind && row->rule.cfa_words == words;
}

/*
 * gcc's epilogue "mov rcx, rsp; pop rcx; jmp *rcx", rcx being where it put the landing pad's
 * address (ix86_expand_epilogue, gcc/config/i386/i386.cc), behind the function's body.
 */
static bool is_eh_return(const struct cfi_row *rows)
{
	return is_rule(&rows[0], RULE_BP, 2) && is_rule(&rows[1], RULE_TEMPORARY, 1) &&
	       rows[1].rule.steps == TEMPORARY_CX && is_rule(&rows[2], RULE_SP, 1) &&
	       is_rule(&rows[3], RULE_LINK, 0) && rows[3].rule.steps == TEMPORARY_CX;
}

static int mark_unwinders(struct cfi_table *table)
{
	for (uint32_t i = 0; i + 3 < table->rows.count; i++) {
		uint64_t end;
		int r;

		if (!is_eh_return(&table->rows.at[i]))
			continue;
		end = table->rows.at[i + 1].address;
		if (end - table->rows.at[i].address > UNWINDER_BYTES) {
			r = split_row(table, i, end - UNWINDER_BYTES);
			if (r < 0)
				return r;
			i++;
		}
		table->rows.at[i].rule.kind_and_step = RULE_UNWINDER;
		for (uint32_t k = 1; k <= 3; k++)
			table->rows.at[i + k].rule.kind_and_step |= RULE_NEXT_EXACT;
	}
	return 0;
}

/* ---- __start_context ---- */

enum {
	/* It has 26 bytes in glibc 2.36, 100 with code for shadow stacks. */
	MIN_ROOT_BYTES = 20,
	MAX_ROOT_BYTES = 160,
	ALIGNMENT = 16,
	BLOCK_BYTES = 16384,
	HEAD_BYTES = 14,
};

struct code_block {
	uint64_t file_offset;
	size_t size;
	unsigned char bytes[BLOCK_BYTES];
};

/* The first HEAD_BYTES of the function, or NULL. One read for many neighbours. */
static const unsigned char *function_head(struct code_block *block, const struct object *object,
					  uint64_t address)
{
	const struct object_segment *segment = object_segment_of(object, address);
	uint64_t offset, left;

	if (!segment)
		return NULL;
	offset = address - segment->address;
	if (offset >= segment->file_size || segment->file_size - offset < HEAD_BYTES)
		return NULL;
	left = segment->file_size - offset;
	offset += segment->file_offset;
	if (offset < block->file_offset || offset - block->file_offset > block->size ||
	    block->size - (offset - block->file_offset) < HEAD_BYTES) {
		block->file_offset = offset;
		block->size = left < BLOCK_BYTES ? left : BLOCK_BYTES;
		if (fs_read_at(object->fd, block->bytes, block->size, (off_t)offset) < 0) {
			block->size = 0;
			return NULL;
		}
	}
	return block->bytes + (offset - block->file_offset);
}

/*
 * "mov rbx, rsp; mov (rsp), rdi; test rdi, rdi", maybe behind an endbr64: the next context lies
 * where rbx points, which makecontext has set (sysdeps/unix/sysv/linux/x86_64/__start_context.S).
 */
static bool is_start_context(const unsigned char *head)
{
	static const unsigned char endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	static const unsigned char code[] = { 0x48, 0x89, 0xdc, 0x48, 0x8b,
					      0x3c, 0x24, 0x48, 0x85, 0xff };

	_Static_assert(sizeof(endbr64) + sizeof(code) == HEAD_BYTES, "all of it is read");
	if (memcmp(head, endbr64, sizeof(endbr64)) == 0)
		head += sizeof(endbr64);
	return memcmp(head, code, sizeof(code)) == 0;
}

/* Makes the function, to which the rule of row `at` belongs, and the byte before it RULE_END. */
static int mark_root(struct cfi_table *table, uint32_t at, uint64_t start, uint64_t end)
{
	const struct wire_rule root = { .kind_and_step = RULE_END };
	struct cfi_row *row = &table->rows.at[at];
	int r;

	if (at + 1 == table->rows.count || table->rows.at[at + 1].address != end) {
		r = split_row(table, at, end);
		if (r < 0)
			return r;
	}
	row = &table->rows.at[at];
	if (row->address == start) {
		/* A row of a single byte would be left without any. */
		if (at > 0 && row[-1].address == start - 1)
			return 0;
		row->address--;
	} else {
		r = split_row(table, at, start - 1);
		if (r < 0)
			return r;
		row = &table->rows.at[at + 1];
	}
	row->rule = root;
	return 0;
}

/* 1 when the object is a C library or has one in it, as it needs none; 0 if not; or -errno. */
static int has_c_library(const struct object *object)
{
	static const char name[] = "libc.so.";
	cleanup(needed_fini) struct needed needed = {};
	int r = needed_read(&needed, object);

	for (uint32_t i = 0; i < needed.names.count && r == 0; i++)
		if (strncmp(needed_text(&needed, needed.names.at[i]), name, strlen(name)) == 0)
			return 0;
	return r < 0 ? r : 1;
}

static int mark_coroutine_roots(struct cfi_table *table, const struct object *object)
{
	struct code_block block = { .size = 0 };
	int r = has_c_library(object);

	if (r <= 0)
		return r;
	for (uint32_t i = 0, at = 0; i < table->functions.count; i++) {
		uint64_t start = table->functions.at[i], end = UINT64_MAX;
		const unsigned char *head;

		/* The row in force there. */
		while (at + 1 < table->rows.count && table->rows.at[at + 1].address <= start)
			at++;
		if (start % ALIGNMENT != 0 || start == 0 || at >= table->rows.count ||
		    table->rows.at[at].address > start ||
		    !is_rule(&table->rows.at[at], RULE_SP, 1) || table->rows.at[at].rule.bp_slot ||
		    table->rows.at[at].rule.bx_slot)
			continue;
		if (at + 1 < table->rows.count)
			end = table->rows.at[at + 1].address;
		if (i + 1 < table->functions.count && table->functions.at[i + 1] < end)
			end = table->functions.at[i + 1];
		if (end - start < MIN_ROOT_BYTES || end - start > MAX_ROOT_BYTES)
			continue;
		head = function_head(&block, object, start);
		if (!head || !is_start_context(head))
			continue;
		r = mark_root(table, at, start, end);
		if (r < 0)
			return r;
	}
	return 0;
}

int row_marks_add(struct cfi_table *table, const struct object *object)
{
	int r = mark_unwinders(table);

	return r < 0 ? r : mark_coroutine_roots(table, object);
}
