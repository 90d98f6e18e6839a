/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon says about itself, as Prometheus reads it (text format 0.0.4).
 *
 * The status is one JSON object; members that are missing are left out here:
 *   version text, started_s and now_s (seconds since the epoch), samples, lost {where: n},
 *   truncated {reason: n}, frames, frames_named, rate_hz, asked_rate_hz, governor (words),
 *   own_cpu_ns, bpf_ns, rss_bytes, kernel_bytes, processes, windows_written, windows_dropped,
 *   store_error (words or null), store_bytes, tables, cpus, units [{unit, cpu_ns}], paused (bool).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct exchange;
struct site;

enum { UNIT_SERIES_MAX = 64 };

/*
 * Units that have a time series: the largest ones of when there was room. They keep it for as long as the
 * process lives, because counters may not change whom they count; all others are "other".
 */
struct unit_series {
	struct {
		char *name;
		uint64_t cpu_ns; /* of the last status; never less than before */
	} units[UNIT_SERIES_MAX];
	unsigned count;
	uint64_t other_ns;
};

void unit_series_fini(struct unit_series *units);
/* Appends the metrics of a status. Returns 0, or -EBADMSG when it is not JSON. */
int metrics_add_status(struct bytes *ret, struct unit_series *units, const char *json);
/* Appends those of the server itself. */
void metrics_add_server(struct bytes *ret, const struct site *site);
/* Is it an object, and no nonsense? */
bool metrics_is_status(const char *json);
/* Whether the daemon can answer about its history: NULL, or what is wrong, in *why. */
const char *metrics_trouble(struct bytes *why, const char *json);

void metrics_answer(struct exchange *exchange);
