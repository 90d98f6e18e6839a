// SPDX-License-Identifier: Apache-2.0
#include "session/naming.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

int naming_add(struct naming *naming, uint32_t location, const struct naming_item *item)
{
	struct naming_item *slot = NULL;

	/* Ids are dense and arrive in order, so this is one element. */
	while (naming->items.count <= location) {
		slot = array_push(&naming->items);
		if (!slot)
			return -ENOMEM;
	}
	naming->items.at[location] = *item;
	return 0;
}

int naming_fixed(struct naming *naming, uint32_t location, const char *name)
{
	struct profile *profile = naming->profile;
	struct profile_function function = {};
	struct profile_line line = {};
	int r = naming_add(naming, location, &(struct naming_item){ .source = NAMING_FIXED });

	if (r == 0)
		r = profile_string(profile, &function.name, name);
	if (r == 0) {
		function.system_name = function.name;
		r = profile_function_add(profile, &line.function, &function);
	}
	return r < 0 ? r : profile_location_name(profile, location, &line, 1, true);
}

static int ask(struct naming *naming, struct symbol *symbol, const struct naming_item *item)
{
	switch (item->source) {
	case NAMING_OBJECT:
		return symbolizer_object(naming->symbolizer, symbol, item->object, item->address);
	case NAMING_KERNEL:
		return symbolizer_kernel(naming->symbolizer, symbol, item->address);
	case NAMING_JIT:
		return symbolizer_jit(naming->symbolizer, symbol, item->pid, item->start_time,
				      item->address);
	case NAMING_FIXED:
		break;
	}
	return -EINVAL;
}

static int name_one(struct naming *naming, uint32_t location)
{
	struct profile *profile = naming->profile;
	struct profile_line lines[SYMBOL_MAX_LINES];
	struct symbol symbol;
	int r = ask(naming, &symbol, &naming->items.at[location]);

	if (r < 0)
		return r;
	if (!symbol.named && naming->items.at[location].fallback) {
		struct profile_function function = { .name = naming->items.at[location].fallback,
						     .system_name = naming->items.at[location].fallback };

		lines[0].line = 0;
		r = profile_function_add(profile, &lines[0].function, &function);
		return r < 0 ? r : profile_location_name(profile, location, lines, 1, false);
	}
	for (uint32_t i = 0; i < symbol.line_count; i++) {
		const struct symbol_line *from = &symbol.lines[i];
		struct profile_function function = {};

		if ((r = profile_string(profile, &function.name, from->name)) < 0 ||
		    (r = profile_string(profile, &function.system_name, from->system_name)) < 0 ||
		    (r = profile_string(profile, &function.file, from->file)) < 0 ||
		    (r = profile_function_add(profile, &lines[i].function, &function)) < 0)
			return r;
		lines[i].line = from->line;
	}
	return profile_location_name(profile, location, lines, symbol.line_count, symbol.named);
}

int naming_advance(struct naming *naming, uint64_t budget_ns)
{
	uint64_t begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	while (naming->next < naming->items.count) {
		struct naming_item *item = &naming->items.at[naming->next];

		if (item->source != NAMING_FIXED) {
			int r = name_one(naming, naming->next);

			if (r < 0)
				return r;
		}
		naming->next++;
		if (clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin > budget_ns)
			break;
	}
	return 0;
}

void naming_fini(struct naming *naming)
{
	for (uint32_t i = 0; i < naming->items.count; i++)
		object_unref(naming->items.at[i].object);
	array_fini(&naming->items);
}
