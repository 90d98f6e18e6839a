// SPDX-License-Identifier: Apache-2.0
#include "session/naming.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "session/fetches.h"

enum { BATCH = 4096 };

uint64_t naming_key(const struct naming_item *item)
{
	switch (item->source) {
	case NAMING_OBJECT:
		return hash_pair(item->object->id + 1ULL, item->address) | 1;
	case NAMING_KERNEL:
		return hash_pair(0, item->address) | 1;
	case NAMING_JIT:
	case NAMING_FIXED:
		break;
	}
	return 0;
}

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
	if (!naming->knows)
		return 0;
	slot = &naming->items.at[location];
	slot->key = naming_key(item);
	if (slot->key && naming->knows(naming->knows_context, slot->key)) {
		object_unref(slot->object);
		*slot = (struct naming_item){ .source = NAMING_FIXED };
	}
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

/* Puts the answer into the profile. */
static int name_location(struct naming *naming, uint32_t location, const struct symbol *symbol)
{
	struct profile *profile = naming->profile;
	struct naming_item *item = &naming->items.at[location];
	struct profile_line lines[SYMBOL_MAX_LINES];
	uint32_t first = naming->no_inline ? symbol->line_count - 1 : 0;
	int r;

	item->named = true;
	if (!naming->fetches) {
		object_unref(item->object);
		item->object = NULL;
	}
	if (item->was_named && !symbol->named)
		return 0;
	item->was_named = true;
	if (!symbol->named && item->fallback) {
		struct profile_function function = { .name = item->fallback,
						     .system_name = item->fallback };

		lines[0].line = 0;
		r = profile_function_add(profile, &lines[0].function, &function);
		return r < 0 ? r : profile_location_name(profile, location, lines, 1, false);
	}
	for (uint32_t i = first; i < symbol->line_count; i++) {
		const struct symbol_line *from = &symbol->lines[i];
		struct profile_function function = { .start_line = from->start_line };

		if ((r = profile_string(profile, &function.name, from->name)) < 0 ||
		    (r = profile_string(profile, &function.system_name, from->system_name)) < 0 ||
		    (r = profile_string(profile, &function.file, from->file)) < 0 ||
		    (r = profile_function_add(profile, &lines[i].function, &function)) < 0)
			return r;
		lines[i].line = from->line;
	}
	return profile_location_name(profile, location, lines + first, symbol->line_count - first,
				     symbol->named);
}

/* Locations of one object, of one process's generated code, or of the kernel: asked about at once. */
struct batch {
	struct naming *naming;
	ARRAY_OF(uint64_t) addresses;
	ARRAY_OF(uint32_t) locations; /* parallel to addresses */
};

static int take_symbol(void *context, uint32_t number, const struct symbol *symbol)
{
	struct batch *batch = context;

	return name_location(batch->naming, batch->locations.at[number], symbol);
}

static bool belong_together(const struct naming_item *a, const struct naming_item *b)
{
	if (a->source != b->source)
		return false;
	if (a->source == NAMING_OBJECT)
		return a->object == b->object;
	return a->source == NAMING_KERNEL || (a->pid == b->pid && a->start_time == b->start_time);
}

static int ask(struct batch *batch, const struct naming_item *item)
{
	struct symbolizer *symbolizer = batch->naming->symbolizer;
	const uint64_t *addresses = batch->addresses.at;
	uint32_t count = batch->addresses.count;

	switch (item->source) {
	case NAMING_OBJECT:
		return symbolizer_object(symbolizer, item->object, addresses, count, take_symbol,
					 batch);
	case NAMING_KERNEL:
		return symbolizer_kernel(symbolizer, addresses, count, take_symbol, batch);
	case NAMING_JIT:
		return symbolizer_jit(symbolizer, item->pid, item->start_time, addresses, count,
				      take_symbol, batch);
	case NAMING_FIXED:
		break;
	}
	return 0;
}

/* Names what is waiting of whatever the item belongs to, from there on. */
static int name_from(struct naming *naming, uint32_t from)
{
	struct batch batch = { .naming = naming };
	const struct naming_item what = naming->items.at[from];
	int r = 0;

	for (uint32_t i = from; i < naming->items.count && batch.addresses.count < BATCH; i++) {
		const struct naming_item *item = &naming->items.at[i];
		uint64_t *address;
		uint32_t *location;

		if (item->named || !belong_together(item, &what))
			continue;
		address = array_push(&batch.addresses);
		location = array_push(&batch.locations);
		if (!address || !location) {
			r = -ENOMEM;
			break;
		}
		*address = item->address;
		*location = i;
	}
	/* Those that get their names let go of it. */
	if (what.object)
		object_ref(what.object);
	if (r == 0)
		r = ask(&batch, &what);
	if (r == 0 && what.object && naming->fetches)
		r = fetches_want(naming->fetches, what.object);
	object_unref(what.object);
	array_fini(&batch.addresses);
	array_fini(&batch.locations);
	return r;
}

int naming_advance(struct naming *naming, uint64_t budget_ns)
{
	uint64_t begin = clock_ns(CLOCK_MONOTONIC);

	while (naming->next < naming->items.count) {
		const struct naming_item *item = &naming->items.at[naming->next];

		if (item->source != NAMING_FIXED && !item->named) {
			int r = name_from(naming, naming->next);

			if (r < 0)
				return r;
		}
		naming->next++;
		if (clock_ns(CLOCK_MONOTONIC) - begin > budget_ns)
			break;
	}
	return 0;
}

int naming_finish_object(struct naming *naming, struct object *object)
{
	for (uint32_t i = naming->next; i < naming->items.count; i++) {
		const struct naming_item *item = &naming->items.at[i];

		if (item->source == NAMING_OBJECT && item->object == object && !item->named) {
			int r = name_from(naming, i);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

int naming_finish_process(struct naming *naming, pid_t pid, uint64_t start_time)
{
	for (uint32_t i = naming->next; i < naming->items.count; i++) {
		const struct naming_item *item = &naming->items.at[i];

		if (item->source == NAMING_JIT && item->pid == pid && !item->named) {
			int r = name_from(naming, i);

			if (r < 0)
				return r;
		}
	}
	symbolizer_forget_process(naming->symbolizer, pid, start_time);
	return 0;
}

void naming_again(struct naming *naming, const struct object *object)
{
	for (uint32_t i = naming->items.count; i-- > 0;) {
		struct naming_item *item = &naming->items.at[i];

		if (item->source != NAMING_OBJECT || item->object != object)
			continue;
		item->named = false;
		if (i < naming->next)
			naming->next = i;
	}
}

void naming_fini(struct naming *naming)
{
	for (uint32_t i = 0; i < naming->items.count; i++)
		object_unref(naming->items.at[i].object);
	array_fini(&naming->items);
}

void naming_forget(struct naming *naming)
{
	for (uint32_t i = 0; i < naming->items.count; i++)
		object_unref(naming->items.at[i].object);
	naming->items.count = naming->next = 0;
}
