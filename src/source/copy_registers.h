/* SPDX-License-Identifier: Apache-2.0 */
/* Which user registers a sample carries for its stack to be walked later; one table an architecture. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bpf/wire.h"

/* For perf_event_attr.sample_regs_user. */
uint64_t copy_registers_mask(void);
/* How many values a sample has of them. */
uint32_t copy_registers_count(void);
/*
 * Puts them where a walk begins, with SAMPLE_NEXT_IS_EXACT if so. values: copy_registers_count of them,
 * ascending by their bit in the mask; kernel_mode: the thread was in the kernel.
 */
void copy_registers_place(struct wire_sample *sample, const uint64_t *values, bool kernel_mode);
