// SPDX-License-Identifier: Apache-2.0
/* Overlapping ranges, four bytes each: every address has the best of those that cover it. */
#include "elf/spans.h"

#include "base/bytes.h"
#include "fuzz.h"

enum { MAX_SPANS = 24 };

struct flat {
	struct span spans[MAX_SPANS];
	uint32_t count;
	/* What was emitted. */
	uint64_t starts[2 * MAX_SPANS + 1];
	uint32_t values[2 * MAX_SPANS + 1], calls;
};

static void get(void *context, uint32_t number, struct span *ret)
{
	*ret = ((struct flat *)context)->spans[number];
}

static int emit(void *context, uint64_t start, uint32_t value)
{
	struct flat *flat = context;

	FUZZ_CHECK(flat->calls <= 2 * flat->count);
	FUZZ_CHECK(flat->calls == 0 || (start > flat->starts[flat->calls - 1] &&
					value != flat->values[flat->calls - 1]));
	flat->starts[flat->calls] = start;
	flat->values[flat->calls++] = value;
	return 0;
}

static uint32_t emitted_at(const struct flat *flat, uint64_t address)
{
	uint32_t value = SPAN_NONE;

	for (uint32_t i = 0; i < flat->calls && flat->starts[i] <= address; i++)
		value = flat->values[i];
	return value;
}

static uint32_t best_at(const struct flat *flat, uint64_t address)
{
	const struct span *best = NULL;

	for (uint32_t i = 0; i < flat->count; i++) {
		const struct span *span = &flat->spans[i];

		if (address < span->start || address >= span->end)
			continue;
		if (!best || span->priority < best->priority ||
		    (span->priority == best->priority && span->value < best->value))
			best = span;
	}
	return best ? best->value : SPAN_NONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader reader = reader_of(data, size);
	struct flat flat = {};
	uint64_t start = 0;

	while (reader_left(&reader) >= 4 && flat.count < MAX_SPANS) {
		uint8_t delta = reader_u8(&reader), length = reader_u8(&reader);
		uint8_t priority = reader_u8(&reader), value = reader_u8(&reader);

		start += delta % 8;
		flat.spans[flat.count++] = (struct span){
			.start = start,
			.end = length == UINT8_MAX ? UINT64_MAX - priority : start + length,
			.priority = priority % 8,
			.value = value,
		};
	}
	FUZZ_CHECK(spans_flatten(flat.count, get, emit, &flat) == 0);
	for (uint32_t i = 0; i < flat.count; i++) {
		const uint64_t addresses[] = { flat.spans[i].start - 1, flat.spans[i].start,
					       flat.spans[i].end - 1, flat.spans[i].end };

		for (unsigned k = 0; k < 4; k++)
			FUZZ_CHECK(emitted_at(&flat, addresses[k]) == best_at(&flat, addresses[k]));
	}
	return 0;
}
