// SPDX-License-Identifier: Apache-2.0
/* The shared library of plt_loop: functions of a few instructions, so that the stubs weigh. */
#include <stdint.h>

__attribute__((visibility("default"))) uint64_t tiny_add(uint64_t value);
__attribute__((visibility("default"))) uint64_t tiny_mix(uint64_t value);

uint64_t tiny_add(uint64_t value)
{
	return value + 0x9e3779b97f4a7c15ULL;
}

uint64_t tiny_mix(uint64_t value)
{
	return value ^ value >> 29;
}
