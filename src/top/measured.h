/* SPDX-License-Identifier: Apache-2.0 */
/* What a recording measures, as the views show it. */
#pragma once

#include "session/recording.h"
#include "top/spans.h"

/* Which values are shown. */
static inline struct span_types measured_types(const struct recording *recording)
{
	const struct measures *measures = &recording->pipeline.measures;

	return (struct span_types){ measures->types[MEASURE_SAMPLES], measures->main };
}

/* Of CPU time between two samples; 0: they are of something else. */
static inline uint64_t measured_period_ns(const struct recording *recording)
{
	const struct measures *measures = &recording->pipeline.measures;

	return measures->main == measures->types[MEASURE_CPU] ? sampler_period_ns(&recording->sampler)
							     : 0;
}
