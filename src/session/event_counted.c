// SPDX-License-Identifier: Apache-2.0
/* Events that counters count: sampled by programs of their own, or by the source of copies with all else. */
#include <string.h>

#include "base/log.h"
#include "session/event_source.h"
#include "session/measures.h"
#include "session/recording_parts.h"
#include "source/counted.h"

static int open_counted(struct recording *rec)
{
	const struct config *config = rec->config;
	struct counted_source_options options = {
		.events = config->events & EVENTS_COUNTED_BITS,
		.frequency_hz = config->frequency_hz,
		.period = config->counted_period,
		.cpus = &rec->cpus,
	};
	struct source_failure failure = {};
	int r;

	if (!rec->source)
		return 0; /* they are the copies' own */
	r = counted_source_open(&rec->counted, rec->source, &options, &failure);
	if (r < 0)
		log_error("cannot record: %s", failure.what);
	return r;
}

static int start(struct recording *rec)
{
	int r = rec->counted ? counted_source_start(rec->counted) : sampler_start(&rec->sampler);

	return r < 0 ? recording_complain(r, "cannot start the counters") : 0;
}

static void stop(struct recording *rec)
{
	if (rec->counted)
		counted_source_stop(rec->counted);
	else if (rec->copies)
		sampler_stop(&rec->sampler);
}

static int follow(struct recording *rec, const struct cpu_list *online)
{
	return rec->counted ? counted_source_follow(rec->counted, online) : 0;
}

static int turn(struct recording *rec, bool last)
{
	(void)last;
	return rec->counted ? counted_source_turn(rec->counted) : 0;
}

static void close_counted(struct recording *rec)
{
	counted_source_close(rec->counted);
	rec->counted = NULL;
}

const struct event_source event_source_counted = {
	.events = EVENTS_COUNTED_BITS,
	.open = open_counted,
	.start = start,
	.stop = stop,
	.follow = follow,
	.turn = turn,
	.close = close_counted,
};
