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
	.events = EVENT_BIT(EVENT_CPU),
	.start = start_cpu,
	.stop = stop_cpu,
};

static const struct event_source *const sources[] = {
	&event_source_cpu,  &event_source_growth,  &event_source_alloc,
	&event_source_heap, &event_source_counted,
};

const struct event_source *const *event_source_next(const struct recording *rec,
						    const struct event_source *const *before)
{
	const struct event_source *const *at = before ? before + 1 : sources;

	while (at < sources + ARRAY_SIZE(sources) && !(rec->config->events & (*at)->events))
		at++;
	return at < sources + ARRAY_SIZE(sources) ? at : NULL;
}
