// SPDX-License-Identifier: Apache-2.0
/*
 * Freezing: the same contents, in whatever order they were added, become the same bytes.
 *
 * Bottom up: strings are sorted by their bytes, so that from then on comparing ids is comparing
 * texts; then mappings, functions, locations, stacks, label sets and samples by those ids. What no
 * sample reaches is dropped, or two recordings that saw the same could still differ.
 *
 * Mapping 0 is the main binary, where `go tool pprof` looks for a title: the mapping whose
 * LOCATION_USER frames the most of the main value passes through; failing that any real file.
 */
#include "profile/freeze.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static void freezer_fini_cleanup(struct freezer *freezer)
{
	free(freezer->to.string);
	free(freezer->to.mapping);
	free(freezer->to.function);
	free(freezer->to.location);
	free(freezer->to.stack);
	free(freezer->to.labels);
	profile_free(freezer->now);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* Gives locations without functions one, named by its place. */
static int name_unnamed(struct profile *profile)
{
	for (uint32_t i = 0; i < profile->locations.count; i++) {
		struct profile_location *location = &profile->locations.at[i];
		cleanup(free) char *name = NULL;
		struct profile_function function = {};
		struct profile_line line = {};
		const char *file;
		int r;

		if (location->line_count)
			continue;
		file = profile_text(profile, profile->mappings.at[location->mapping].file);
		if (location->kind == LOCATION_NOTE || !*file)
			name = strdup(*file == '[' ? file : "[unknown]");
		else if (asprintf(&name, "%s+0x%" PRIx64, base_name(file), location->address) < 0)
			name = NULL;
		if (!name)
			return -ENOMEM;
		r = profile_string(profile, &function.name, name);
		if (r < 0)
			return r;
		function.system_name = function.name;
		r = profile_function_add(profile, &line.function, &function);
		if (r < 0)
			return r;
		r = profile_location_name(profile, i, &line, 1, false);
		if (r < 0)
			return r;
	}
	return 0;
}

#define SWAP(a, b)                                                                                 \
	do {                                                                                       \
		__typeof__(a) swap_ = (a);                                                         \
		(a) = (b);                                                                         \
		(b) = swap_;                                                                       \
	} while (0)

/* Everything but the meta texts and the small lists, which only have their strings renumbered. */
static void take_over(struct freezer *freezer)
{
	struct profile *old = freezer->old, *now = freezer->now;

	for (uint32_t i = 0; i < old->types.count; i++) {
		old->types.at[i].name = freezer->to.string[old->types.at[i].name];
		old->types.at[i].unit = freezer->to.string[old->types.at[i].unit];
	}
	old->meta.period_of.name = freezer->to.string[old->meta.period_of.name];
	old->meta.period_of.unit = freezer->to.string[old->meta.period_of.unit];
	old->meta.drop_frames = freezer->to.string[old->meta.drop_frames];
	for (uint32_t i = 0; i < old->comments.count; i++)
		old->comments.at[i] = freezer->to.string[old->comments.at[i]];
	SWAP(now->types, old->types);
	SWAP(now->comments, old->comments);
	SWAP(now->meta, old->meta);
	hash_index_fini(&now->label_index); /* of the one empty set */
	SWAP(*now, *old);		    /* what is old now goes with the freezer */
	old->frozen = true;
}

int profile_freeze(struct profile *profile)
{
	cleanup(freezer_fini) struct freezer freezer = { .old = profile };
	static int (*const steps[])(struct freezer *) = {
		freeze_mark,	  freeze_strings, freeze_mappings, freeze_functions,
		freeze_locations, freeze_stacks,  freeze_labels,   freeze_samples,
	};
	int r;

	if (profile->frozen)
		return 0;
	r = name_unnamed(profile);
	if (r < 0)
		return r;
	r = profile_new(&freezer.now);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		r = steps[i](&freezer);
		if (r < 0)
			return r;
	}
	take_over(&freezer);
	return 0;
}
