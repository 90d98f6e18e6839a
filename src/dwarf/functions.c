// SPDX-License-Identifier: Apache-2.0
#include "dwarf/functions.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "dwarf/ranges.h"
#include "elf/spans.h"

enum {
	/* How deep entries lie in each other: inlined functions do not get beyond some hundreds. */
	MAX_DEPTH = 4096,
	MAX_PLACES = 4 << 20,
	MAX_SPANS = 4 << 20,
};

/* Link-time optimisation keeps units apart; the largest that people have is some 50 MB. */
#define MAX_UNIT_BYTES (128ULL << 20)

struct place_span {
	uint64_t low, high;
	uint32_t place, depth;
};

struct walk {
	struct functions *functions;
	struct dwarf_file *file;
	const struct dwarf_unit *unit;
	const struct object *object;
	ARRAY_OF(struct place_span) spans;
	ARRAY_OF(uint32_t) places; /* at each depth: the function there */
};

/* What range_fn needs to know of the entry. */
struct place_ranges {
	struct walk *walk;
	uint32_t place, depth;
	bool found;
};

static int add_span(void *context, uint64_t low, uint64_t high)
{
	struct place_ranges *ranges = context;
	struct walk *walk = ranges->walk;
	struct place_span *span;

	/* What the linker has left out is at 0, or outside of all code. */
	if (low == 0 || !object_segment_of(walk->object, low))
		return 0;
	if (walk->spans.count >= MAX_SPANS)
		return -EFBIG;
	span = array_push(&walk->spans);
	if (!span)
		return -ENOMEM;
	*span = (struct place_span){ low, high, ranges->place, ranges->depth };
	ranges->found = true;
	return 0;
}

static uint32_t small(const struct entry *entry, enum entry_attribute attribute)
{
	uint64_t number = entry_has(entry, attribute) ? entry->values[attribute].number : 0;

	return number <= UINT32_MAX ? (uint32_t)number : 0;
}

/*
 * The entry that tells what the entry's function is called: the places where a function was inlined share
 * it, and have no name of their own.
 */
static uint64_t named_by(const struct entry *entry)
{
	struct entry_value origin = entry_get(entry, ENTRY_ABSTRACT_ORIGIN);

	return entry->tag == DW_TAG_inlined_subroutine && origin.class == ENTRY_REFERENCE
		       ? origin.number
		       : entry->offset;
}

/* *place: the function around the entry; becomes the one inside of it. */
static int take_entry(struct walk *walk, const struct entry *entry, uint32_t depth, uint32_t *place)
{
	bool inlined = entry->tag == DW_TAG_inlined_subroutine;
	struct place_ranges ranges = { walk, walk->functions->places.count, depth, false };
	struct function_place *added;
	int r;

	if (!inlined && entry->tag != DW_TAG_subprogram)
		return 0;
	/* Only a pattern for others, or a declaration. */
	if (!inlined)
		*place = FUNCTION_NONE;
	if (!entry_has(entry, ENTRY_LOW_PC) && !entry_has(entry, ENTRY_RANGES))
		return 0;
	r = ranges_each(walk->file, walk->unit, entry, add_span, &ranges);
	if (r < 0 || !ranges.found)
		return r;
	if (walk->functions->places.count >= MAX_PLACES)
		return -EFBIG;
	added = array_push(&walk->functions->places);
	if (!added)
		return -ENOMEM;
	*added = (struct function_place){ named_by(entry), inlined ? *place : FUNCTION_NONE,
					  small(entry, ENTRY_CALL_FILE),
					  small(entry, ENTRY_CALL_LINE) };
	*place = ranges.place;
	return 0;
}

/* Do the children of such an entry never hold code? C and C++ define methods elsewhere. */
static bool is_type(const struct walk *walk, uint16_t tag)
{
	switch (walk->unit->language) {
	case DW_LANG_C:
	case DW_LANG_C89:
	case DW_LANG_C99:
	case DW_LANG_C11:
	case DW_LANG_C_plus_plus:
	case DW_LANG_C_plus_plus_03:
	case DW_LANG_C_plus_plus_11:
	case DW_LANG_C_plus_plus_14:
		break;
	default:
		return tag == DW_TAG_enumeration_type || tag == DW_TAG_subroutine_type;
	}
	return tag == DW_TAG_structure_type || tag == DW_TAG_class_type ||
	       tag == DW_TAG_union_type || tag == DW_TAG_enumeration_type ||
	       tag == DW_TAG_subroutine_type;
}

static int walk_unit(struct walk *walk, const struct abbreviations *abbreviations,
		     const unsigned char *bytes, uint64_t first, size_t size)
{
	struct reader reader = reader_of(bytes, size);
	uint32_t place = FUNCTION_NONE;
	struct entry entry;
	int r = 0;

	while (r == 0 && reader_left(&reader)) {
		uint32_t inside = place, *kept;

		r = entry_read(&entry, &reader, first + (uint64_t)(reader.at - bytes),
			       walk->unit->offset, abbreviations);
		if (r < 0)
			break;
		if (entry.tag == 0) {
			if (walk->places.count == 0)
				break;
			place = walk->places.at[--walk->places.count];
			if (walk->places.count == 0)
				break; /* the unit's own list of children ends: padding follows */
			continue;
		}
		r = take_entry(walk, &entry, walk->places.count, &inside);
		if (r < 0 || !entry.has_children)
			continue;
		if (is_type(walk, entry.tag) &&
		    entry_get(&entry, ENTRY_SIBLING).class == ENTRY_REFERENCE) {
			uint64_t sibling = entry.values[ENTRY_SIBLING].number - first;

			if (sibling > size || bytes + sibling < reader.at)
				return -EBADMSG;
			reader.at = bytes + sibling;
			continue;
		}
		if (walk->places.count >= MAX_DEPTH)
			return -EBADMSG;
		kept = array_push(&walk->places);
		if (!kept)
			return -ENOMEM;
		*kept = place;
		place = inside;
	}
	return r;
}

static int compare_spans(const void *a, const void *b)
{
	const struct place_span *x = a, *y = b;

	return x->low < y->low ? -1 : x->low > y->low;
}

static void get_span(void *context, uint32_t number, struct span *ret)
{
	const struct walk *walk = context;
	const struct place_span *span = &walk->spans.at[number];

	*ret = (struct span){ span->low, span->high, MAX_DEPTH - span->depth, span->place };
}

static int add_range(void *context, uint64_t start, uint32_t place)
{
	struct walk *walk = context;
	struct function_range *range = array_push(&walk->functions->ranges);

	if (!range)
		return -ENOMEM;
	*range = (struct function_range){ start, place };
	return 0;
}

int functions_read(struct functions *ret, struct dwarf_file *file, const struct dwarf_unit *unit,
		   const struct object *object)
{
	struct walk walk = { ret, file, unit, object, {}, {} };
	cleanup(abbreviations_fini) struct abbreviations abbreviations = {};
	cleanup(free) unsigned char *bytes = NULL;
	uint64_t first = unit->offset + unit->header_size, size = unit->end - first;
	int r, flat;

	*ret = (struct functions){};
	if (size > MAX_UNIT_BYTES)
		return -EFBIG;
	bytes = malloc(size + 1);
	if (!bytes)
		return -ENOMEM;
	r = debug_section_read(&file->sections[DWARF_INFO], bytes, first, size);
	if (r == 0)
		r = abbreviations_read(&abbreviations, &file->sections[DWARF_ABBREV],
				       unit->abbreviations, &unit->format, 0);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	r = walk_unit(&walk, &abbreviations, bytes, first, size);
	if (walk.spans.count)
		qsort(walk.spans.at, walk.spans.count, sizeof(*walk.spans.at), compare_spans);
	flat = spans_flatten(walk.spans.count, get_span, add_range, &walk);
	array_fini(&walk.spans);
	array_fini(&walk.places);
	return flat < 0 ? flat : r;
}

void functions_fini(struct functions *functions)
{
	array_fini(&functions->places);
	array_fini(&functions->ranges);
}

uint32_t functions_find(const struct functions *functions, uint64_t address)
{
	uint32_t count = array_count_up_to(&functions->ranges, address, address);

	return count ? functions->ranges.at[count - 1].place : FUNCTION_NONE;
}

uint64_t functions_next(const struct functions *functions, uint64_t address)
{
	uint32_t count = array_count_up_to(&functions->ranges, address, address);

	return count < functions->ranges.count ? functions->ranges.at[count].address : UINT64_MAX;
}

/* The function that stands by itself, of the place of a range. */
static uint32_t outermost_of(const struct functions *functions, uint32_t range)
{
	uint32_t place = functions->ranges.at[range].place;

	while (place != FUNCTION_NONE && functions->places.at[place].parent != FUNCTION_NONE)
		place = functions->places.at[place].parent;
	return place;
}

bool functions_around(const struct functions *functions, uint64_t address, uint64_t *ret_start,
		      uint64_t *ret_end)
{
	uint32_t count = array_count_up_to(&functions->ranges, address, address), first = count - 1, end = count;
	uint32_t function = count ? outermost_of(functions, first) : FUNCTION_NONE;

	if (function == FUNCTION_NONE)
		return false;
	while (first > 0 && outermost_of(functions, first - 1) == function)
		first--;
	while (end < functions->ranges.count && outermost_of(functions, end) == function)
		end++;
	*ret_start = functions->ranges.at[first].address;
	*ret_end = end < functions->ranges.count ? functions->ranges.at[end].address : address + 1;
	return true;
}
