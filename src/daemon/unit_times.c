// SPDX-License-Identifier: Apache-2.0
#include "daemon/unit_times.h"

#include <stdlib.h>
#include <string.h>

#define OTHERS "other"

void unit_times_fini(struct unit_times *times)
{
	for (uint32_t i = 0; i < times->units.count; i++)
		free(times->units.at[i].unit);
	array_fini(&times->units);
	hash_index_fini(&times->index);
}

static bool is_equal(const void *context, uint32_t position, const void *key)
{
	const struct unit_times *times = context;

	return strcmp(times->units.at[position].unit, key) == 0;
}

static struct unit_time *unit_of(struct unit_times *times, const char *name)
{
	uint64_t hash = hash_bytes(name, strlen(name));
	uint32_t at = hash_index_find(&times->index, hash, is_equal, times, name);
	struct unit_time *unit;

	if (at != HASH_ABSENT)
		return &times->units.at[at];
	if (times->units.count >= UNIT_TIMES_MAX && strcmp(name, OTHERS) != 0)
		return unit_of(times, OTHERS);
	unit = array_push(&times->units);
	if (!unit)
		return NULL;
	unit->unit = strdup(name);
	if (!unit->unit || hash_index_add(&times->index, hash, times->units.count - 1) < 0) {
		free(unit->unit);
		times->units.count--;
		return NULL;
	}
	return unit;
}

void unit_times_add(struct unit_times *times, const struct profile *window)
{
	for (uint32_t i = 0; i < window->samples.count; i++) {
		const struct profile_label *label =
			profile_label_find(window, window->samples.at[i].labels, "unit");
		struct unit_time *unit = unit_of(times, label ? profile_text(window, label->text) : "");

		if (unit)
			unit->cpu_ns += (uint64_t)profile_value(window, i, 1);
	}
}
