// SPDX-License-Identifier: Apache-2.0
/* From one window to the next. */
#include "daemon/daemon_parts.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"

/*
 * For what is not named yet at the end of a window; the rest is named when it is seen again. Samples are
 * taken meanwhile, and only the first windows of new programs need so long.
 */
#define NAMING_NS 3000000000ULL

uint64_t daemon_lost(const struct daemon *d)
{
	uint64_t counters[COUNT_COUNTERS];

	cpu_source_counters(d->recording.source, counters);
	return counters[COUNT_DROPPED] + counters[COUNT_MISSED] +
	       d->recording.pipeline.samples_refused;
}

static void count_frames(struct daemon *d)
{
	const struct pipeline *p = &d->recording.pipeline;
	const struct profile *profile = p->profile;

	for (uint32_t i = 0; i < profile->samples.count; i++) {
		struct profile_run run = profile->stacks.at[profile->samples.at[i].stack];
		uint64_t times = (uint64_t)profile_value(profile, i, p->measures.types[MEASURE_SAMPLES]);

		for (uint32_t k = 0; k < run.count; k++) {
			uint32_t id = profile->stack_locations.at[run.first + k];
			const struct profile_location *location = &profile->locations.at[id];

			if (location->kind == LOCATION_NOTE)
				continue;
			d->totals.frames += times;
			/* What is known to the history is not named here again. */
			if (location->named || p->naming.items.at[id].source == NAMING_FIXED)
				d->totals.frames_named += times;
		}
	}
}

static void govern(struct daemon *d, uint64_t wall_ns)
{
	uint32_t before = d->governor.rate_hz;
	/* The costs of tables and names, which are left out, are told for themselves. */
	uint64_t steady_ns = d->costs.steady_ns > d->costs_before.steady_ns
				     ? d->costs.steady_ns - d->costs_before.steady_ns
				     : 0;
	struct governor_figures figures = {
		.wall_ns = wall_ns,
		.cpu_ns = steady_ns + d->costs.bpf_ns - d->costs_before.bpf_ns,
		.cpus = d->recording.cpus.cpus.count,
	};
	uint32_t rate = governor_look(&d->governor, &figures);

	/* Captures give way as all others do. */
	d->captures.slowed = rate < d->governor.asked_hz ? (double)rate / d->governor.asked_hz : 0;
	if (rate == before)
		return;
	cpu_source_set_rate(d->recording.source, rate);
	log_info("sampling costs %.3f %% of the machine, %s the limit of %.3g %%: %u Hz from now on "
		 "instead of %u Hz",
		 d->governor.cost * 100, rate < before ? "above" : "below",
		 d->governor.limit * 100, rate, before);
}

int daemon_cut(struct daemon *d, uint64_t now_ns)
{
	struct pipeline *p = &d->recording.pipeline;
	struct store_health health = { .cpus = d->recording.cpus.cpus.count };
	uint64_t lost = daemon_lost(d), number = 0;
	struct profile *profile;
	int64_t wall;
	int r = naming_advance(&p->naming, NAMING_NS);

	if (r < 0)
		return r;
	now_ns = clock_ns(CLOCK_MONOTONIC);
	wall = (int64_t)clock_ns(CLOCK_REALTIME);
	count_frames(d);
	unit_times_add(&d->units, p->profile);
	if (d->has_windows)
		known_names_take(&d->known, &p->naming, now_ns);
	r = pipeline_cut(p, &profile);
	if (r < 0)
		return r;
	profile->meta.time_ns = d->began_wall;
	profile->meta.duration_ns = (int64_t)(now_ns - d->began_ns);
	profile->meta.period = (int64_t)cpu_source_period_ns(d->recording.source);
	profile->meta.period_type = profile->meta.main_type = p->measures.types[MEASURE_CPU];
	profile->meta.count_type = p->measures.types[MEASURE_SAMPLES];
	profile->meta.of_machine = true;
	health.lost = lost - d->lost_before;
	if (d->has_windows)
		number = windows_add(&d->windows, profile, &health);
	else
		profile_free(profile);
	govern(d, now_ns - d->began_ns);
	captures_cut(&d->captures, now_ns, wall, number);
	daemon_meet_all(d);
	d->began_ns = now_ns;
	d->began_wall = wall;
	d->lost_before = lost;
	d->costs_before = d->costs;
	return 0;
}
