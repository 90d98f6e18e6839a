// SPDX-License-Identifier: Apache-2.0
#include "top/status.h"

#include <string.h>

#include "base/clock.h"

/* Until memory's growth is told. */
#define SLOPE_MIN_S 5.0

void status_fini(struct status *status)
{
	usage_fini(&status->usage);
}

static void remember(struct status *status)
{
	status->newest = (status->newest + 1) % STATUS_HISTORY;
	status->history[status->newest] =
		(struct status_moment){ status->usage.read_ns, (float)status_percent(status),
					status->usage.resident_bytes };
	if (status->used < STATUS_HISTORY)
		status->used++;
}

void status_look(struct status *status, const struct feed *feed)
{
	uint64_t sent = feed->counters[COUNT_SENT] - status->counters[COUNT_SENT];
	uint64_t lost = feed->counters[COUNT_DROPPED] + feed->counters[COUNT_MISSED];
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	/* What is read of processes that have all ended would say that nothing was used. */
	if ((!feed->last || !status->used) && usage_read(&status->usage, &feed->target, now) == 0)
		remember(status);
	if (status->taken_ns && feed->taken_ns > status->taken_ns) {
		double elapsed = (double)(feed->taken_ns - status->taken_ns);

		status->samples_per_s = (double)sent * 1e9 / elapsed;
		status->cost_percent_all = 100 * (double)(feed->own_cpu_ns - status->own_began_ns) /
					   (double)(feed->taken_ns - status->counters_began_ns);
	} else {
		double elapsed = (double)(feed->taken_ns - feed->recording->began_ns);

		status->samples_per_s = elapsed > 0 ? (double)sent * 1e9 / elapsed : 0;
		status->cost_percent_all = -1;
		status->own_began_ns = feed->own_cpu_ns;
		status->counters_began_ns = feed->taken_ns;
	}
	status->lost_now = lost - status->lost;
	status->lost = lost;
	status->taken_ns = feed->taken_ns;
	status->own_cpu_ns = feed->own_cpu_ns;
	memcpy(status->counters, feed->counters, sizeof(status->counters));
}

double status_percent(const struct status *status)
{
	const struct usage *usage = &status->usage;

	return usage->user_percent < 0 ? -1 : usage->user_percent + usage->system_percent;
}

static const struct status_moment *moment(const struct status *status, uint32_t age)
{
	return &status->history[(status->newest + STATUS_HISTORY - age) % STATUS_HISTORY];
}

bool status_slope(const struct status *status, double *ret)
{
	const struct status_moment *now = moment(status, 0), *then = now;
	double seconds;

	for (uint32_t age = 1; age < status->used; age++) {
		then = moment(status, age);
		if (now->ns - then->ns >= STATUS_SLOPE_S * 1000000000ULL)
			break;
	}
	seconds = (double)(now->ns - then->ns) / 1e9;
	if (seconds < SLOPE_MIN_S)
		return false;
	*ret = ((double)now->resident_bytes - (double)then->resident_bytes) / seconds;
	return true;
}

double status_history(const struct status *status, float *ret, uint32_t columns)
{
	float most = 0;
	double column_ns = STATUS_HISTORY_S * 1e9 / columns;

	for (uint32_t i = 0; i < columns; i++)
		ret[i] = -1;
	for (uint32_t age = 0; age < status->used && columns; age++) {
		const struct status_moment *at = moment(status, age);
		uint32_t back = (uint32_t)((double)(moment(status, 0)->ns - at->ns) / column_ns);
		float *value;

		if (back >= columns)
			break;
		/* Of several moments the busiest: a short burst is not to disappear. */
		value = &ret[columns - 1 - back];
		if (at->percent > *value)
			*value = at->percent;
		if (at->percent > most)
			most = at->percent;
	}
	return most;
}
