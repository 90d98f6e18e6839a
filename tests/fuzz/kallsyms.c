// SPDX-License-Identifier: Apache-2.0
/* /proc/kallsyms, in two pieces. */
#include "fuzz.h"

#include <string.h>

#include "symbol/kernel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t addresses[] = { 0, 1, 0xffffffff81000010, 0xffffffffc0000000,
					      UINT64_MAX };
	struct kernel_symbols *symbols = kernel_symbols_new();
	const char *text = (const char *)data, *name, *module;
	size_t taken = 0, more = 0;

	FUZZ_CHECK(symbols);
	(void)kernel_symbols_add(symbols, text, size / 2, &taken);
	FUZZ_CHECK(taken <= size / 2);
	(void)kernel_symbols_add(symbols, text + taken, size - taken, &more);
	FUZZ_CHECK(more <= size - taken);
	kernel_symbols_sort(symbols);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		if (kernel_symbols_find(symbols, addresses[i], &name, &module) == 0)
			FUZZ_CHECK(strlen(name) + strlen(module) <= size);
	(void)kernel_symbols_hidden(symbols);
	kernel_symbols_free(symbols);
	return 0;
}
