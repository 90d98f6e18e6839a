// SPDX-License-Identifier: Apache-2.0
#include "top/spans.h"

#include <errno.h>
#include <math.h>

/* A sample that counts for less than this is forgotten. */
#define FORGOTTEN 0.01

void spans_init(struct spans *spans, uint64_t began_ns, struct span_types types)
{
	*spans = (struct spans){
		.types = types, .began_ns = began_ns, .reset_ns = began_ns, .now_ns = began_ns
	};
}

void spans_fini(struct spans *spans)
{
	array_fini(&spans->last);
	array_fini(&spans->base);
	array_fini(&spans->decayed);
	for (uint32_t i = 0; i < SPAN_INTERVALS; i++)
		array_fini(&spans->intervals[i].changes);
}

void span_weights_fini(struct span_weights *weights)
{
	array_fini(&weights->samples);
}

static bool make_room(struct spans *spans, uint32_t samples)
{
	if (!array_reserve(&spans->last, 2ULL * samples) ||
	    !array_reserve(&spans->base, 2ULL * samples) ||
	    !array_reserve(&spans->decayed, samples))
		return false;
	while (spans->decayed.count < samples) {
		(void)array_push(&spans->last);
		(void)array_push(&spans->last);
		(void)array_push(&spans->base);
		(void)array_push(&spans->base);
		(void)array_push(&spans->decayed);
	}
	return true;
}

static void decay(struct spans *spans, double seconds)
{
	double kept = exp2(-seconds / SPAN_HALF_LIFE_S);

	for (uint32_t i = 0; i < spans->samples; i++) {
		spans->decayed.at[i].count *= kept;
		spans->decayed.at[i].value *= kept;
	}
	spans->decayed_s = spans->decayed_s * kept + seconds;
	spans->decayed_sum *= kept;
	spans->decayed_squares *= kept * kept;
}

/* One that is in the last seconds by more than half belongs to them. */
static bool is_recent(const struct spans *spans, const struct span_interval *interval)
{
	return interval->begin_ns / 2 + interval->end_ns / 2 + SPAN_RECENT_S * 1000000000ULL >=
	       spans->now_ns;
}

/* What no span needs any more: long intervals of a busy machine would add up. */
static void forget_old(struct spans *spans)
{
	while (spans->used > 1) {
		uint32_t oldest =
			(spans->newest + SPAN_INTERVALS - spans->used + 1) % SPAN_INTERVALS;

		if (is_recent(spans, &spans->intervals[oldest]))
			return;
		array_fini(&spans->intervals[oldest].changes);
		spans->used--;
	}
}

int spans_look(struct spans *spans, const struct profile *profile, uint64_t now_ns)
{
	uint32_t count = profile->samples.count, next = (spans->newest + 1) % SPAN_INTERVALS;
	struct span_interval *interval = &spans->intervals[next];

	if (!make_room(spans, count))
		return -ENOMEM;
	interval->changes.count = 0;
	interval->begin_ns = spans->now_ns;
	interval->end_ns = now_ns;
	decay(spans, (double)(now_ns - spans->now_ns) / 1e9);
	for (uint32_t i = 0; i < count; i++) {
		const int64_t now[2] = { profile_value(profile, i, spans->types.count),
					 profile_value(profile, i, spans->types.value) };
		int64_t *last = &spans->last.at[2ULL * i];
		struct span_change change = { i, now[0] - last[0], now[1] - last[1] }, *added;

		if (change.count <= 0 && change.value == 0)
			continue;
		added = array_push(&interval->changes);
		if (!added)
			return -ENOMEM;
		*added = change;
		last[0] = now[0];
		last[1] = now[1];
		spans->decayed.at[i].count += (double)change.count;
		spans->decayed.at[i].value += (double)change.value;
		spans->decayed_sum += (double)change.count;
		spans->decayed_squares += (double)change.count;
	}
	spans->samples = count;
	spans->newest = next;
	spans->now_ns = now_ns;
	if (spans->used < SPAN_INTERVALS)
		spans->used++;
	forget_old(spans);
	return 0;
}

int spans_reset(struct spans *spans)
{
	if (spans->last.count)
		memcpy(spans->base.at, spans->last.at, spans->last.count * sizeof(*spans->last.at));
	for (uint32_t i = 0; i < spans->decayed.count; i++)
		spans->decayed.at[i] = (struct span_decayed){};
	spans->decayed_s = spans->decayed_sum = spans->decayed_squares = 0;
	spans->used = 0;
	spans->reset_ns = spans->now_ns;
	return 0;
}

static bool add(struct span_weights *ret, uint32_t sample, int64_t count, int64_t value)
{
	struct span_change *added;

	if (count <= 0 && value == 0)
		return true;
	added = array_push(&ret->samples);
	if (added)
		*added = (struct span_change){ sample, count, value };
	return added != NULL;
}

/* A sample that is in several intervals comes several times: whoever adds samples up adds these, too. */
static int select_recent(const struct spans *spans, struct span_weights *ret)
{
	uint64_t begin_ns = spans->now_ns;

	for (uint32_t age = 0; age < spans->used; age++) {
		uint32_t at = (spans->newest + SPAN_INTERVALS - age) % SPAN_INTERVALS;
		const struct span_interval *interval = &spans->intervals[at];

		if (age && !is_recent(spans, interval))
			break;
		for (uint32_t i = 0; i < interval->changes.count; i++) {
			const struct span_change *change = &interval->changes.at[i];

			if (!add(ret, change->sample, change->count, change->value))
				return -ENOMEM;
		}
		begin_ns = interval->begin_ns;
	}
	ret->seconds = (double)(spans->now_ns - begin_ns) / 1e9;
	return 0;
}

static int select_reset(const struct spans *spans, struct span_weights *ret)
{
	for (uint32_t i = 0; i < spans->samples; i++) {
		const int64_t *now = &spans->last.at[2ULL * i], *base = &spans->base.at[2ULL * i];

		if (!add(ret, i, now[0] - base[0], now[1] - base[1]))
			return -ENOMEM;
	}
	ret->seconds = (double)(spans->now_ns - spans->reset_ns) / 1e9;
	return 0;
}

static int select_decayed(const struct spans *spans, struct span_weights *ret)
{
	for (uint32_t i = 0; i < spans->samples; i++) {
		const struct span_decayed *decayed = &spans->decayed.at[i];

		/* There are no parts of samples; that there was something is not to be lost. */
		if (decayed->count >= FORGOTTEN &&
		    !add(ret, i, (int64_t)ceil(decayed->count), llround(decayed->value)))
			return -ENOMEM;
	}
	ret->seconds = spans->decayed_s;
	if (spans->decayed_squares > 0)
		ret->effective = spans->decayed_sum * spans->decayed_sum / spans->decayed_squares;
	return 0;
}

int spans_select(const struct spans *spans, enum span span, struct span_weights *ret)
{
	ret->end_ns = spans->now_ns;
	switch (span) {
	case SPAN_RECENT:
		return select_recent(spans, ret);
	case SPAN_RESET:
		return select_reset(spans, ret);
	case SPAN_DECAY:
		return select_decayed(spans, ret);
	case SPAN_COUNT:
		break;
	}
	return -EINVAL;
}
