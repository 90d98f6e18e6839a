// SPDX-License-Identifier: Apache-2.0
/* What was asked about a program, with the code around it, made ready for the next recording. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "symbol/object_names_parts.h"

/* Without debug information, only a symbol tells how large its function is. */
enum { KEPT_SYMBOL_BYTES_MAX = 1 << 20 };

static int compare_addresses(const void *a_, const void *b_)
{
	const uint64_t *a = a_, *b = b_;

	return (*a > *b) - (*a < *b);
}

/* Its last frame is called as the function's symbol is. Returns 0 or -ENOMEM. */
static int call_by_symbol(struct object_names *names, struct source_frame *frame,
			  const struct found_function *function)
{
	cleanup(bytes_fini) struct bytes name = {};
	int r;

	/* Most addresses are of the same function as the one before. */
	if (names->last_text && function->resolver == names->last.resolver &&
	    function->start == names->last.start) {
		frame->name = names->last_text;
		return 0;
	}
	r = object_names_text(names, function, &name);
	if (r < 0 || name.size == 0)
		return r == -ENOMEM ? r : 0;
	r = strtab_add(&names->texts, &frame->name, name.at, name.size);
	names->last = *function;
	names->last_text = r == 0 ? frame->name : 0;
	return r;
}

/*
 * What an address comes from. Returns 0, -ENOENT when that cannot be told, or -ENOMEM.
 */
static int find_to_keep(struct object_names *names, uint64_t address, struct source_frames *ret,
			struct found_function *function)
{
	int r = object_names_lines(names, address, ret);

	if (r == -ENOENT)
		*ret = (struct source_frames){ .count = 1 };
	else if (r != 0)
		return r == -ENOMEM ? r : -ENOENT;
	r = object_names_function(names, address, function);
	if (r == -EOPNOTSUPP)
		return -ENOENT;
	if (r < 0 || function->kind != FOUND_SYMBOL)
		return r;
	r = call_by_symbol(names, &ret->at[ret->count - 1], function);
	*function = (struct found_function){ .kind = FOUND_NOTHING };
	return r;
}

/* All of [start, end), which begins with an address. Returns 0, -EFBIG or -ENOMEM. */
static int keep_code(struct object_names *names, uint64_t start, uint64_t end)
{
	for (uint64_t at = start, next; at < end; at = next) {
		struct found_function function;
		struct source_frames frames;
		int r = find_to_keep(names, at, &frames, &function);

		next = end;
		if (end - start > 1) {
			uint64_t lines = names->dwarf ? dwarf_same_until(names->dwarf, at) : end,
				 symbol = symbol_table_same_until(names->symbols, at);

			next = lines < next ? lines : next;
			next = symbol < next ? symbol : next;
		}
		if (r == 0)
			r = kept_names_add(&names->kept, at, next, &frames, function.kind,
					   function.start);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

/*
 * The code around an address that is worth keeping with it: its function, as far as one symbol says where
 * that is. Else the address alone.
 */
static void find_around(struct object_names *names, uint64_t address, uint64_t *ret_start,
			uint64_t *ret_end)
{
	struct symbol_extent extent;
	bool is_known = names->symbols &&
			symbol_table_find(names->symbols, address, &extent) == 0 && extent.size > 0;

	if (is_known && names->dwarf &&
	    dwarf_function_around(names->dwarf, address, ret_start, ret_end) == 0) {
		if (*ret_start < extent.start)
			*ret_start = extent.start;
		if (*ret_end > extent.start + extent.size)
			*ret_end = extent.start + extent.size;
		return;
	}
	/* As far as no other symbol begins or ends: about the rest nobody has asked. */
	if (is_known && !names->dwarf && extent.size <= KEPT_SYMBOL_BYTES_MAX) {
		uint64_t end = extent.start;

		do {
			*ret_start = end;
			end = symbol_table_same_until(names->symbols, end);
		} while (end <= address);
		*ret_end = end < extent.start + extent.size ? end : extent.start + extent.size;
		return;
	}
	*ret_start = address;
	*ret_end = address + 1;
}

int object_names_keep(struct object_names *names, struct bytes *ret, uint64_t least_ns,
		      uint64_t budget_ns)
{
	uint64_t begin = clock_ns(CLOCK_THREAD_CPUTIME_ID), start, end = 0;
	int r = 0;

	/* Go's own table tells at once. */
	if (names->asked.count == 0 || names->go.count || names->cost_ns < least_ns)
		return -ENOENT;
	/* What is in use comes back, and what is not does not. */
	if (kept_names_is_large(&names->kept)) {
		kept_names_fini(&names->kept);
		names->kept.bytes = 0;
	}
	qsort(names->asked.at, names->asked.count, sizeof(*names->asked.at), compare_addresses);
	for (uint32_t i = 0; i < names->asked.count && r == 0; i++) {
		if (names->asked.at[i] < end)
			continue;
		if (clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin > budget_ns)
			break;
		find_around(names, names->asked.at[i], &start, &end);
		r = keep_code(names, start, end);
	}
	names->asked.count = 0;
	if (r == -ENOMEM)
		return r;
	kept_names_settle(&names->kept);
	r = kept_names_write(&names->kept, ret);
	return r == -EFBIG ? -ENOENT : r;
}
