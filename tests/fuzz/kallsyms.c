// SPDX-License-Identifier: Apache-2.0
/*
 * /proc/kallsyms, in two pieces. And lines that are made of the input, three bytes each: an address
 * has the name of the function that begins at or before it.
 */
#include "symbol/kernel.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "fuzz.h"

#define BASE UINT64_C(0xffffffff81000000)

enum { MAX_LINES = 64, ADDRESSES = 0x100 };

static void check_text(const char *text, size_t size)
{
	static const uint64_t addresses[] = { 0, 1, 0xffffffff81000010, 0xffffffffc0000000,
					      UINT64_MAX };
	struct kernel_symbols *symbols = kernel_symbols_new();
	const char *name, *module;
	size_t taken = 0, more = 0;

	FUZZ_CHECK(symbols);
	(void)kernel_symbols_add(symbols, text, size / 2, &taken);
	FUZZ_CHECK(taken <= size / 2 && (taken == 0 || text[taken - 1] == '\n'));
	(void)kernel_symbols_add(symbols, text + taken, size - taken, &more);
	FUZZ_CHECK(more <= size - taken);
	kernel_symbols_sort(symbols);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		if (kernel_symbols_find(symbols, addresses[i], &name, &module) == 0)
			FUZZ_CHECK(strlen(name) + strlen(module) <= size);
	(void)kernel_symbols_hidden(symbols);
	kernel_symbols_free(symbols);
}

static void check_lines(struct reader reader)
{
	static const char types[] = "tTwWdDbBrRaA";
	static const char *const modules[] = { "", "\t[nf_tables]", "\t[bpf]", "\t[a]" };
	struct kernel_symbols *symbols = kernel_symbols_new();
	bool begins[ADDRESSES + 1] = {}, begun = false;
	struct bytes text = {};
	uint32_t lines = 0;
	size_t taken;

	FUZZ_CHECK(symbols);
	while (reader_left(&reader) && lines++ < MAX_LINES) {
		uint8_t at = reader_u8(&reader), type = reader_u8(&reader) % (sizeof(types) - 1);
		uint8_t module = reader_u8(&reader);

		bytes_add_format(&text, "%016" PRIx64 " %c f%02x%s\n", BASE + at, types[type], at,
				 modules[module % 4]);
		begins[at] |= type < 4;
	}
	FUZZ_CHECK(kernel_symbols_add(symbols, text.at, text.size, &taken) == 0 &&
		   taken == text.size);
	kernel_symbols_sort(symbols);
	FUZZ_CHECK(!kernel_symbols_hidden(symbols));
	for (uint32_t at = 0, last = 0; at < ADDRESSES; at++) {
		const char *name = "", *module = "";
		char want[16];

		if (begins[at])
			last = at;
		begun |= begins[at];
		/* Where they begin and end, and some others. */
		if (!begins[at] && !begins[at + 1] && at % 32)
			continue;
		FUZZ_CHECK((kernel_symbols_find(symbols, BASE + at, &name, &module) == 0) == begun);
		snprintf(want, sizeof(want), "f%02x", last);
		FUZZ_CHECK(!begun || strcmp(name, want) == 0);
	}
	kernel_symbols_free(symbols);
	bytes_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_text((const char *)data, size);
	check_lines(reader_of(data, size));
	return 0;
}
