/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sample of perf (PERF_RECORD_SAMPLE, linux/perf_event.h) with registers and a copy of the stack becomes
 * a struct wire_sample whose walk could not begin, to be finished as the kernel half's are. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/wire.h"

/* What the event was asked to put into its samples. */
struct copy_layout {
	bool chain;	 /* PERF_SAMPLE_CALLCHAIN */
	bool user_chain; /* with the user's part, by frame pointers; there is no copy then */
	bool cgroup;	 /* PERF_SAMPLE_CGROUP */
	bool identifier; /* PERF_SAMPLE_IDENTIFIER: there are several events */
	bool period;	 /* PERF_SAMPLE_PERIOD */
};

/* What a record says of its event; 0 where the layout has none. */
struct copy_origin {
	uint64_t id, period;
};

/* PERF_SAMPLE_*, for perf_event_attr. */
uint64_t copy_layout_sample_type(const struct copy_layout *layout);

/* The most that a sample takes: its head, frames, and a record's worth of stack. */
enum {
	COPY_SAMPLE_BYTES_MAX =
		sizeof(struct wire_sample) + 8 * (WIRE_MAX_KERNEL_FRAMES + WIRE_MAX_FRAMES) + 65536
};

/*
 * ret: COPY_SAMPLE_BYTES_MAX bytes; weight, user and comm are not known from a record and stay 0. cut:
 * whether the copy ends where its limit was, not where the stack does.
 * Returns the size of the sample, or 0 for what is none.
 */
size_t copy_record_parse(struct wire_sample *ret, struct copy_origin *ret_origin, const void *record,
			 size_t size, const struct copy_layout *layout);
