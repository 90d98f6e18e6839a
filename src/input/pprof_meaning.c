// SPDX-License-Identifier: Apache-2.0
/*
 * The convention of profile.proto for counts of events, "unit count, at index 0", is kept by Go's heap
 * profiles, too, whose counts are estimates made of few samples, and by lists of goroutines, of which
 * there is nothing more to know. What counts samples is called so: "samples", "sample", and
 * "EVENT_sample" where perf_data_converter wrote it.
 */
#include "input/pprof_meaning.h"

#include <errno.h>
#include <string.h>

static bool counts_samples(const struct profile *profile, const struct profile_type *type)
{
	static const char end[] = "_sample";
	const char *name = profile_text(profile, type->name);
	size_t size = strlen(name);

	if (strcmp(profile_text(profile, type->unit), "count") != 0)
		return false;
	return strcmp(name, "samples") == 0 || strcmp(name, "sample") == 0 ||
	       (size >= sizeof(end) && strcmp(name + size - strlen(end), end) == 0);
}

/* Whether all values of the type are whole periods, and none is below 0. */
static bool is_divided(const struct profile *profile, uint32_t type, int64_t period)
{
	for (uint32_t i = 0; i < profile->samples.count; i++) {
		int64_t value = profile_value(profile, i, type);

		if (value < 0 || value % period)
			return false;
	}
	return true;
}

void pprof_meaning_of_values(struct profile *profile)
{
	struct profile_meta *meta = &profile->meta;

	meta->period_type = meta->count_type = PROFILE_NO_TYPE;
	for (uint32_t i = 0; i < profile->types.count; i++) {
		const struct profile_type *type = &profile->types.at[i];

		if (meta->count_type == PROFILE_NO_TYPE && counts_samples(profile, type))
			meta->count_type = i;
		if (type->name == meta->period_of.name && type->unit == meta->period_of.unit &&
		    meta->period > 0 && is_divided(profile, i, meta->period))
			meta->period_type = i;
	}
	if (meta->period_type != PROFILE_NO_TYPE)
		meta->period_of = (struct profile_type){};
}

int pprof_meaning_of_comments(struct profile *profile)
{
	struct profile_meta *meta = &profile->meta;
	char **const texts[] = { &meta->title, &meta->subtitle, &meta->quality };

	/* What follows that says more about what was measured. */
	if (profile->comments.count < ARRAY_SIZE(texts) + 1 ||
	    strncmp(profile_text(profile, profile->comments.at[ARRAY_SIZE(texts)]), "profd ", 6) !=
		    0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		*texts[i] = strdup(profile_text(profile, profile->comments.at[i]));
		if (!*texts[i])
			return -ENOMEM;
	}
	meta->of_machine = strncmp(meta->title, PROFILE_OF_MACHINE, strlen(PROFILE_OF_MACHINE)) == 0;
	return 0;
}
