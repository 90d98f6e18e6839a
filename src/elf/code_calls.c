// SPDX-License-Identifier: Apache-2.0
#include "elf/code_calls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "elf/instruction.h"

/*
 * What may be an instruction with an address in it: its length, the address being its last four
 * bytes, relative to its end. 0: it is none. 7 bytes are there to be looked at.
 */
static unsigned relative_length(const unsigned char *bytes)
{
	if (bytes[0] == 0xe8 || bytes[0] == 0xe9) /* call, jmp */
		return 5;
	/* REX.W lea reg, [rip + address] */
	return (bytes[0] & 0xf8) == 0x48 && bytes[1] == 0x8d && (bytes[2] & 0xc7) == 0x05 ? 7 : 0;
}

/*
 * Whether an instruction begins at `site`, by decoding from the row before it: rows begin with
 * instructions. bytes: the code from `from` on.
 */
static bool is_instruction(uint64_t site, uint64_t row, uint64_t from, const unsigned char *bytes,
			   size_t size)
{
	uint64_t at = row < from ? from : row;
	struct instruction i;

	/* The row began in the piece before: where instructions are there, is not known. */
	if (row < from)
		return false;
	while (at < site && instruction_decode(&i, bytes + (at - from), size - (at - from), at))
		at += i.length;
	return at == site;
}

struct scan {
	struct function_list *list;
	struct code *code;
	const struct cfi_table *covered;
	uint64_t lowest, highest; /* of the code that is looked for */
	uint32_t row;		  /* the first row behind where the scan stands */
};

/* The address of the row that holds there, or UINT64_MAX where there is a gap. */
static uint64_t row_before(struct scan *scan, uint64_t address)
{
	const struct cfi_table *covered = scan->covered;
	const struct cfi_row *row;

	while (scan->row < covered->rows.count && covered->rows.at[scan->row].address <= address)
		scan->row++;
	if (scan->row == 0)
		return UINT64_MAX;
	row = &covered->rows.at[scan->row - 1];
	return row->rule.kind_and_step == RULE_NONE && row->rule.cfa_words == CFI_GAP
		       ? UINT64_MAX
		       : row->address;
}

/* Scans `size` bytes of code, of which the first `new` ones are not another piece's. */
static int scan_piece(struct scan *scan, uint64_t from, const unsigned char *bytes, size_t size,
		      size_t new)
{
	for (size_t k = 0; k + 7 <= size && k < new; k++) {
		unsigned length = relative_length(bytes + k);
		uint64_t site = from + k, to, row;
		int32_t relative;
		int r;

		if (!length)
			continue;
		memcpy(&relative, bytes + k + length - 4, sizeof(relative));
		to = site + length + (uint64_t)(int64_t)relative;
		if (to < scan->lowest || to >= scan->highest || !code_range_of(scan->code, to))
			continue;
		row = row_before(scan, site);
		if (row == UINT64_MAX || !is_instruction(site, row, from, bytes, size))
			continue;
		r = function_list_add(scan->list, to, 0,
				      bytes[k] == 0xe8 ? FUNCTION_CERTAIN : FUNCTION_TAKEN);
		if (r < 0)
			return r;
	}
	return 0;
}

int code_calls_list(struct function_list *ret, struct code *code, const struct cfi_table *covered)
{
	enum { PIECE = 1 << 20, OVERLAP = 4096 };
	cleanup(free) unsigned char *bytes = malloc(PIECE);
	struct scan scan = { .list = ret, .code = code, .covered = covered };
	int r = 0;

	if (!bytes)
		return -ENOMEM;
	if (code->ranges.count == 0)
		return 0;
	scan.lowest = code->ranges.at[0].start;
	scan.highest = code->ranges.at[code->ranges.count - 1].end;
	for (uint32_t i = 0; i < code->extents.count && r == 0; i++) {
		const struct code_extent *extent = &code->extents.at[i];

		/* Pieces overlap, so that the row before an instruction mostly is in the same. */
		for (uint64_t at = extent->start; at < extent->end && r == 0;) {
			uint64_t left = extent->end - at;
			size_t size = left < PIECE ? left : PIECE;
			size_t new = left > PIECE ? PIECE - OVERLAP : size;

			r = fs_read_at(code->object->fd, bytes, size,
				       (off_t)(extent->file_offset + (at - extent->start)));
			if (r == 0)
				r = scan_piece(&scan, at, bytes, size, new);
			at += new;
		}
	}
	return r == -ENODATA ? 0 : r;
}
