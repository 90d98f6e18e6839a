// SPDX-License-Identifier: Apache-2.0
#include "session/event_source.h"

#include "session/measures.h"
#include "session/recording_parts.h"

static int start_cpu(struct recording *rec)
{
	int r = sampler_start(&rec->sampler);

	return r < 0 ? recording_complain(r, "cannot start the timers") : 0;
}

static void stop_cpu(struct recording *rec)
{
	sampler_stop(&rec->sampler);
}

const struct event_source event_source_cpu = {
	.event = EVENT_CPU,
	.start = start_cpu,
	.stop = stop_cpu,
};

const struct event_source *const event_sources[EVENTS] = {
	[EVENT_CPU] = &event_source_cpu,
	[EVENT_GROWTH] = &event_source_growth,
	[EVENT_ALLOC] = &event_source_alloc,
	[EVENT_HEAP] = &event_source_heap,
};

const struct event_source *const *event_source_next(const struct recording *rec,
						    const struct event_source *const *before)
{
	const struct event_source *const *at = before ? before + 1 : event_sources;

	while (at < event_sources + EVENTS &&
	       (!*at || !(rec->config->events & EVENT_BIT((*at)->event))))
		at++;
	return at < event_sources + EVENTS ? at : NULL;
}
