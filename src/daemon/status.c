// SPDX-License-Identifier: Apache-2.0
#include "daemon/daemon_parts.h"

#include "base/clock.h"
#include "base/json.h"
#include "unwind/outcome.h"

static void add_lost(struct json *json, const struct daemon *d, const uint64_t *counters)
{
	json_object(json, "lost");
	json_u64(json, "ring", counters[COUNT_DROPPED]);
	json_u64(json, "ticks", counters[COUNT_MISSED]);
	json_u64(json, "events", d->recording.pipeline.lifecycle_lost);
	json_u64(json, "budget", d->recording.pipeline.samples_refused);
	json_end(json);
}

static void add_truncated(struct json *json, const struct pipeline *p)
{
	json_object(json, "truncated");
	for (unsigned i = 0; i < WALK_OUTCOME_COUNT; i++)
		if (i != WALK_COMPLETE && i != WALK_GUESSED && p->outcomes[i])
			json_u64(json, walk_outcome_text(i), p->outcomes[i]);
	json_end(json);
}

static void add_units(struct json *json, const struct unit_times *times)
{
	json_array(json, "units");
	for (uint32_t i = 0; i < times->units.count; i++) {
		json_object(json, NULL);
		json_string(json, "unit", times->units.at[i].unit);
		json_u64(json, "cpu_ns", times->units.at[i].cpu_ns);
		json_end(json);
	}
	json_end(json);
}

void daemon_status(const struct daemon *d, struct bytes *ret)
{
	const struct pipeline *p = &d->recording.pipeline;
	uint64_t counters[COUNT_COUNTERS];
	struct json json = json_to(ret);

	cpu_source_counters(d->recording.source, counters);
	json_object(&json, NULL);
	json_string(&json, "version", PROFD_VERSION);
	json_double(&json, "started_s", (double)d->recording.began_wall_ns / 1e9);
	json_double(&json, "now_s", (double)clock_ns(CLOCK_REALTIME) / 1e9);
	json_u64(&json, "samples", p->sample_count);
	add_lost(&json, d, counters);
	add_truncated(&json, p);
	json_u64(&json, "frames", d->totals.frames);
	json_u64(&json, "frames_named", d->totals.frames_named);
	json_double(&json, "rate_hz", 1e9 / (double)cpu_source_period_ns(d->recording.source));
	json_u64(&json, "asked_rate_hz", d->governor.asked_hz);
	json_string(&json, "governor",
		    d->paused					       ? "stopped"
		    : d->governor.rate_hz < d->governor.asked_hz ? "slowed down"
								       : "as asked");
	json_u64(&json, "own_cpu_ns", d->costs.cpu_ns);
	json_u64(&json, "bpf_ns", d->costs.bpf_ns);
	json_u64(&json, "rss_bytes", d->costs.rss_bytes);
	json_u64(&json, "kernel_bytes", d->costs.kernel_bytes);
	json_u64(&json, "processes", p->processes.processes.count);
	json_u64(&json, "windows_written", d->written.written);
	json_u64(&json, "windows_dropped", d->written.lost);
	json_string(&json, "store_error", d->written.trouble[0] ? d->written.trouble : NULL);
	json_u64(&json, "store_bytes", d->written.store_bytes);
	json_u64(&json, "tables", p->tables.compiled);
	json_u64(&json, "cpus", d->recording.cpus.cpus.count);
	add_units(&json, &d->units);
	json_bool(&json, "paused", d->paused);
	json_end(&json);
}
