// SPDX-License-Identifier: Apache-2.0
/*
 * dlopen_loop FIRST.so SECOND.so [SECONDS]
 *
 * Loads one plugin, works in it for 20 ms, unloads it, loads the other one, and so on. The kernel
 * gives the second the addresses that the first had. True stacks: main, visit, plugin_run,
 * red_middle, red_leaf, or the same in blue. Prints how often a plugin came to lie where the other
 * one had been.
 */
#include <dlfcn.h>

#include "target.h"

FUNCTION uint64_t visit(const char *path, uint64_t value, uintptr_t *ret_address);

uint64_t visit(const char *path, uint64_t value, uintptr_t *ret_address)
{
	void *handle = dlopen(path, RTLD_NOW);
	uint64_t (*run)(uint64_t), end_ns;

	if (!handle)
		exit(1);
	run = (uint64_t(*)(uint64_t))(uintptr_t)dlsym(handle, "plugin_run");
	*ret_address = (uintptr_t)run & ~(uintptr_t)0xfff;
	end_ns = target_clock_ns(CLOCK_MONOTONIC) + 20000000u;
	while (!target_stopped && target_clock_ns(CLOCK_MONOTONIC) < end_ns)
		value = run(value);
	dlclose(handle);
	NO_TAIL_CALL(value);
	return value;
}

int main(int argc, char **argv)
{
	uint64_t value = 1, visits = 0, same = 0;
	uintptr_t address, previous = 0;

	if (argc < 3)
		return 2;
	target_begin(argc > 3 ? argv[3] : NULL);
	target_ready();
	while (!target_stopped) {
		value = visit(argv[1 + visits % 2], value, &address);
		same += address == previous;
		previous = address;
		visits++;
	}
	printf("{\"visits\": %llu, \"same_place\": %llu, \"value\": %llu}\n",
	       (unsigned long long)visits, (unsigned long long)same, (unsigned long long)value);
	return 0;
}
