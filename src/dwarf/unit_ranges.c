// SPDX-License-Identifier: Apache-2.0
#include "dwarf/dwarf_parts.h"

#include <errno.h>
#include <stdlib.h>

#include "dwarf/ranges.h"
#include "elf/spans.h"

enum { MAX_UNIT_RANGES = 4 << 20 };

struct unit_span {
	uint64_t low, high;
	uint32_t unit;
};

struct unit_spans {
	struct dwarf *dwarf;
	ARRAY_OF(struct unit_span) list;
	uint32_t unit;
};

static int add_unit_span(void *context, uint64_t low, uint64_t high)
{
	struct unit_spans *spans = context;
	struct unit_span *span;

	if (low == 0 || !object_segment_of(spans->dwarf->object, low))
		return 0;
	if (spans->list.count >= MAX_UNIT_RANGES)
		return -EFBIG;
	span = array_push(&spans->list);
	if (!span)
		return -ENOMEM;
	*span = (struct unit_span){ low, high, spans->unit };
	return 0;
}

static int compare_unit_spans(const void *a, const void *b)
{
	const struct unit_span *x = a, *y = b;

	return x->low < y->low ? -1 : x->low > y->low;
}

static void get_unit_span(void *context, uint32_t number, struct span *ret)
{
	const struct unit_spans *spans = context;
	const struct unit_span *span = &spans->list.at[number];

	*ret = (struct span){ span->low, span->high, span->high - span->low, span->unit };
}

static int add_unit_range(void *context, uint64_t start, uint32_t unit)
{
	struct unit_spans *spans = context;
	struct unit_range *range = array_push(&spans->dwarf->ranges);

	if (!range)
		return -ENOMEM;
	*range = (struct unit_range){ start, unit };
	return 0;
}

int dwarf_list_ranges(struct dwarf *dwarf)
{
	struct unit_spans spans = { .dwarf = dwarf };
	struct entry entry;
	int r = 0;

	for (uint32_t i = 0; i < dwarf->main.units.count && r != -ENOMEM && r != -EFBIG; i++) {
		const struct dwarf_unit *unit = &dwarf->main.units.at[i];

		if (!unit->has_ranges)
			continue;
		spans.unit = i;
		r = dwarf_file_entry(&dwarf->main, unit, unit->offset + unit->header_size, &entry);
		if (r == 0)
			r = ranges_each(&dwarf->main, unit, &entry, add_unit_span, &spans);
	}
	if (spans.list.count)
		qsort(spans.list.at, spans.list.count, sizeof(*spans.list.at), compare_unit_spans);
	if (r != -ENOMEM)
		r = spans_flatten(spans.list.count, get_unit_span, add_unit_range, &spans);
	array_fini(&spans.list);
	return r;
}

uint32_t dwarf_unit_at(const struct dwarf *dwarf, uint64_t address)
{
	uint32_t count = array_count_up_to(&dwarf->ranges, address, address);

	return count ? dwarf->ranges.at[count - 1].unit : SPAN_NONE;
}

uint64_t dwarf_next_unit(const struct dwarf *dwarf, uint64_t address)
{
	uint32_t count = array_count_up_to(&dwarf->ranges, address, address);

	return count < dwarf->ranges.count ? dwarf->ranges.at[count].address : UINT64_MAX;
}
