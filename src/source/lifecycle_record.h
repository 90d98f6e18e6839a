/* SPDX-License-Identifier: Apache-2.0 */
/* The records of a lifecycle ring (linux/perf_event.h, "enum perf_event_type") as events. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "source/lifecycle.h"

/*
 * record: a perf_event_header and its body, `size` bytes in all, from an event with sample_id_all,
 * PERF_SAMPLE_TID and PERF_SAMPLE_TIME. ret->text is borrowed from it.
 * Returns false (*ret is then of no use) for records that say nothing to us or are cut short.
 */
bool lifecycle_record_parse(struct lifecycle_event *ret, const void *record, size_t size);
