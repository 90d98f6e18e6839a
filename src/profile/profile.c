// SPDX-License-Identifier: Apache-2.0
/*
 * Filling a profile: every table is append-only and interned through a hash of its contents.
 *
 * Ids that a caller hands in are checked, because they may come from a file that somebody else
 * wrote; everything read back out of a profile may therefore be trusted by the writers.
 */
#include "profile/profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int profile_new(struct profile **ret)
{
	cleanup(profile_free) struct profile *profile = calloc(1, sizeof(*profile));
	uint32_t empty;
	int r;

	if (!profile)
		return -ENOMEM;
	r = strtab_init(&profile->strings);
	if (r < 0)
		return r;
	r = profile_labels_add(profile, &empty, NULL, 0);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(profile);
	return 0;
}

void profile_free(struct profile *profile)
{
	if (!profile)
		return;
	strtab_fini(&profile->strings);
	array_fini(&profile->types);
	array_fini(&profile->mappings);
	array_fini(&profile->functions);
	array_fini(&profile->lines);
	array_fini(&profile->locations);
	array_fini(&profile->stack_locations);
	array_fini(&profile->stacks);
	array_fini(&profile->label_items);
	array_fini(&profile->label_sets);
	array_fini(&profile->samples);
	array_fini(&profile->values);
	array_fini(&profile->first_samples);
	array_fini(&profile->comments);
	hash_index_fini(&profile->mapping_index);
	hash_index_fini(&profile->function_index);
	hash_index_fini(&profile->location_index);
	hash_index_fini(&profile->stack_index);
	hash_index_fini(&profile->label_index);
	hash_index_fini(&profile->sample_index);
	free(profile->meta.title);
	free(profile->meta.subtitle);
	free(profile->meta.quality);
	free(profile);
}

static bool is_string(const struct profile *profile, uint32_t id)
{
	return id < profile->strings.offsets.count;
}

#define BYTES_OF(array) ((array)->count * (uint64_t)sizeof(*(array)->at))

uint64_t profile_bytes(const struct profile *p)
{
	uint64_t indexed = (uint64_t)p->strings.index.count + p->mapping_index.count +
			   p->function_index.count + p->location_index.count +
			   p->stack_index.count + p->label_index.count + p->sample_index.count;

	return BYTES_OF(&p->strings.bytes) + BYTES_OF(&p->strings.offsets) +
	       BYTES_OF(&p->mappings) + BYTES_OF(&p->functions) + BYTES_OF(&p->lines) +
	       BYTES_OF(&p->locations) + BYTES_OF(&p->stack_locations) + BYTES_OF(&p->stacks) +
	       BYTES_OF(&p->label_items) + BYTES_OF(&p->label_sets) + BYTES_OF(&p->samples) +
	       BYTES_OF(&p->values) + BYTES_OF(&p->first_samples) + indexed * 2 * sizeof(struct hash_slot) +
	       p->sample_frames * PROFILE_FRAME_BYTES;
}

int profile_string(struct profile *profile, uint32_t *ret, const char *text)
{
	return profile_string_of(profile, ret, text, strlen(text));
}

int profile_string_of(struct profile *profile, uint32_t *ret, const char *text, size_t size)
{
	if (profile->frozen)
		return -EINVAL;
	if (profile->closed)
		return strtab_find(&profile->strings, ret, text, size) ? 0 : PROFILE_FULL;
	return strtab_add(&profile->strings, ret, text, size);
}

int profile_type_add(struct profile *profile, uint32_t *ret, const char *name, const char *unit)
{
	struct profile_type type, *added;
	int r;

	r = profile_string(profile, &type.name, name);
	if (r != 0)
		return r;
	r = profile_string(profile, &type.unit, unit);
	if (r != 0)
		return r;
	for (uint32_t i = 0; i < profile->types.count; i++)
		if (profile->types.at[i].name == type.name &&
		    profile->types.at[i].unit == type.unit) {
			*ret = i;
			return 0;
		}
	if (profile->closed)
		return PROFILE_FULL;
	/* The values of earlier samples would have to be laid out anew. */
	if (profile->types.count == PROFILE_MAX_TYPES || profile->samples.count)
		return -EINVAL;
	added = array_push(&profile->types);
	if (!added)
		return -ENOMEM;
	*added = type;
	*ret = profile->types.count - 1;
	return 0;
}

static bool mapping_equal(const void *context, uint32_t position, const void *key)
{
	const struct profile *profile = context;
	const struct profile_mapping *a = &profile->mappings.at[position], *b = key;

	return a->start == b->start && a->limit == b->limit && a->file_offset == b->file_offset &&
	       a->file == b->file && a->build_id == b->build_id && a->identity == b->identity;
}

int profile_mapping_add(struct profile *profile, uint32_t *ret, const struct profile_mapping *m)
{
	uint64_t hash = hash_pair(hash_pair(m->start, m->limit),
				  hash_pair(m->file_offset ^ (uint64_t)m->identity << 32,
					    (uint64_t)m->file << 32 | m->build_id));
	struct profile_mapping *added;
	uint32_t id;

	if (profile->frozen || !is_string(profile, m->file) || !is_string(profile, m->build_id))
		return -EINVAL;
	id = hash_index_find(&profile->mapping_index, hash, mapping_equal, profile, m);
	if (id == HASH_ABSENT && profile->closed)
		return PROFILE_FULL;
	if (id == HASH_ABSENT) {
		id = profile->mappings.count;
		if (!array_reserve(&profile->mappings, id + 1ULL) ||
		    hash_index_add(&profile->mapping_index, hash, id) < 0)
			return -ENOMEM;
		added = array_push(&profile->mappings);
		*added = *m;
	}
	*ret = id;
	return 0;
}

static bool function_equal(const void *context, uint32_t position, const void *key)
{
	const struct profile *profile = context;
	const struct profile_function *a = &profile->functions.at[position], *b = key;

	return a->name == b->name && a->system_name == b->system_name && a->file == b->file &&
	       a->start_line == b->start_line;
}

int profile_function_append(struct profile *profile, uint32_t *ret,
			    const struct profile_function *f)
{
	struct profile_function *added;

	if (profile->frozen || !is_string(profile, f->name) ||
	    !is_string(profile, f->system_name) || !is_string(profile, f->file))
		return -EINVAL;
	if (profile->closed)
		return PROFILE_FULL;
	added = array_push(&profile->functions);
	if (!added)
		return -ENOMEM;
	*added = *f;
	*ret = profile->functions.count - 1;
	return 0;
}

int profile_function_add(struct profile *profile, uint32_t *ret, const struct profile_function *f)
{
	uint64_t hash = hash_pair((uint64_t)f->name << 32 | f->system_name,
				  (uint64_t)f->file << 32 | f->start_line);
	uint32_t id = hash_index_find(&profile->function_index, hash, function_equal, profile, f);
	int r;

	if (id != HASH_ABSENT && !profile->frozen) {
		*ret = id;
		return 0;
	}
	r = profile_function_append(profile, ret, f);
	return r ? r : hash_index_add(&profile->function_index, hash, *ret);
}

struct location_key {
	uint32_t mapping;
	uint64_t address;
};

static bool location_equal(const void *context, uint32_t position, const void *key_)
{
	const struct profile *profile = context;
	const struct location_key *key = key_;

	return profile->locations.at[position].mapping == key->mapping &&
	       profile->locations.at[position].address == key->address;
}

int profile_location_append(struct profile *profile, uint32_t *ret, uint32_t mapping,
			    uint64_t address, enum location_kind kind)
{
	struct profile_location *added;

	if (profile->frozen || mapping >= profile->mappings.count)
		return -EINVAL;
	if (profile->closed)
		return PROFILE_FULL;
	added = array_push(&profile->locations);
	if (!added)
		return -ENOMEM;
	added->mapping = mapping;
	added->address = address;
	added->kind = kind;
	*ret = profile->locations.count - 1;
	return 0;
}

int profile_location_add(struct profile *profile, uint32_t *ret, uint32_t mapping,
			 uint64_t address, enum location_kind kind)
{
	struct location_key key = { mapping, address };
	uint64_t hash = hash_pair(mapping, address);
	uint32_t id =
		hash_index_find(&profile->location_index, hash, location_equal, profile, &key);
	int r;

	if (id != HASH_ABSENT && !profile->frozen) {
		*ret = id;
		return 0;
	}
	r = profile_location_append(profile, ret, mapping, address, kind);
	return r ? r : hash_index_add(&profile->location_index, hash, *ret);
}

int profile_location_name(struct profile *profile, uint32_t location,
			  const struct profile_line *lines, uint32_t count, bool named)
{
	struct profile_location *loc;
	struct profile_mapping *mapping;

	if (profile->frozen || location >= profile->locations.count)
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++)
		if (lines[i].function >= profile->functions.count)
			return -EINVAL;
	if (!array_reserve(&profile->lines, (uint64_t)profile->lines.count + count))
		return -ENOMEM;
	loc = &profile->locations.at[location];
	mapping = &profile->mappings.at[loc->mapping];
	loc->first_line = profile->lines.count;
	loc->line_count = count;
	loc->named = named;
	for (uint32_t i = 0; i < count; i++) {
		*array_push(&profile->lines) = lines[i];
		mapping->has_functions |= named;
		mapping->has_files |= profile->functions.at[lines[i].function].file != 0;
		mapping->has_lines |= lines[i].line != 0;
	}
	mapping->has_inlines |= count > 1;
	return 0;
}

struct stack_key {
	const uint32_t *locations;
	uint32_t count;
};

static bool stack_equal(const void *context, uint32_t position, const void *key_)
{
	const struct profile *profile = context;
	const struct stack_key *key = key_;
	struct profile_run run = profile->stacks.at[position];

	return run.count == key->count &&
	       (!run.count || memcmp(&profile->stack_locations.at[run.first], key->locations,
				     run.count * sizeof(uint32_t)) == 0);
}

int profile_stack_add(struct profile *profile, uint32_t *ret, const uint32_t *locations,
		      uint32_t count)
{
	uint64_t hash = hash_bytes(locations, count * sizeof(*locations));
	struct stack_key key = { locations, count };
	struct profile_run *added;
	uint32_t id;

	if (profile->frozen)
		return -EINVAL;
	id = hash_index_find(&profile->stack_index, hash, stack_equal, profile, &key);
	if (id != HASH_ABSENT) {
		*ret = id;
		return 0;
	}
	for (uint32_t i = 0; i < count; i++)
		if (locations[i] >= profile->locations.count)
			return -EINVAL;
	if (profile->closed)
		return PROFILE_FULL;
	id = profile->stacks.count;
	if (!array_reserve(&profile->stacks, id + 1ULL) ||
	    !array_reserve(&profile->stack_locations,
			   (uint64_t)profile->stack_locations.count + count) ||
	    hash_index_add(&profile->stack_index, hash, id) < 0)
		return -ENOMEM;
	added = array_push(&profile->stacks);
	*added = (struct profile_run){ profile->stack_locations.count, count };
	if (count)
		memcpy(&profile->stack_locations.at[added->first], locations,
		       count * sizeof(*locations));
	profile->stack_locations.count += count;
	*ret = id;
	return 0;
}

struct labels_key {
	const struct profile_label *labels;
	uint32_t count;
};

static bool label_equal(const struct profile_label *a, const struct profile_label *b)
{
	return a->key == b->key && a->is_number == b->is_number &&
	       (a->is_number ? a->number == b->number && a->unit == b->unit : a->text == b->text);
}

static bool labels_equal(const void *context, uint32_t position, const void *key_)
{
	const struct profile *profile = context;
	const struct labels_key *key = key_;
	struct profile_run run = profile->label_sets.at[position];

	if (run.count != key->count)
		return false;
	for (uint32_t i = 0; i < run.count; i++)
		if (!label_equal(&profile->label_items.at[run.first + i], &key->labels[i]))
			return false;
	return true;
}

int profile_labels_add(struct profile *profile, uint32_t *ret, const struct profile_label *labels,
		       uint32_t count)
{
	struct labels_key key = { labels, count };
	uint64_t hash = hash_u64(count);
	struct profile_run *added;
	uint32_t id;

	if (profile->frozen)
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++) {
		const struct profile_label *label = &labels[i];

		if (!is_string(profile, label->key) ||
		    !is_string(profile, label->is_number ? label->unit : label->text))
			return -EINVAL;
		hash = hash_pair(hash, hash_pair(label->key, label->is_number
								     ? (uint64_t)label->number
								     : label->text));
	}
	id = hash_index_find(&profile->label_index, hash, labels_equal, profile, &key);
	if (id != HASH_ABSENT) {
		*ret = id;
		return 0;
	}
	if (profile->closed)
		return PROFILE_FULL;
	id = profile->label_sets.count;
	if (!array_reserve(&profile->label_sets, id + 1ULL) ||
	    !array_reserve(&profile->label_items, (uint64_t)profile->label_items.count + count) ||
	    hash_index_add(&profile->label_index, hash, id) < 0)
		return -ENOMEM;
	added = array_push(&profile->label_sets);
	*added = (struct profile_run){ profile->label_items.count, count };
	for (uint32_t i = 0; i < count; i++) {
		struct profile_label *label = array_push(&profile->label_items);

		*label = labels[i];
		/* What the other kind of label would hold must not make two equal ones differ. */
		if (label->is_number)
			label->text = 0;
		else
			label->number = 0, label->unit = 0;
	}
	*ret = id;
	return 0;
}

static bool sample_equal(const void *context, uint32_t position, const void *key_)
{
	const struct profile *profile = context;
	const struct profile_sample *key = key_;

	return profile->samples.at[position].stack == key->stack &&
	       profile->samples.at[position].labels == key->labels;
}

int profile_sample_add(struct profile *profile, uint32_t stack, uint32_t labels,
		       const int64_t *values)
{
	struct profile_sample key = { stack, labels };
	uint64_t hash = hash_pair(stack, labels);
	uint32_t id, width = profile->types.count;
	bool is_first;

	if (profile->frozen || !width || stack >= profile->stacks.count ||
	    labels >= profile->label_sets.count)
		return -EINVAL;
	while (profile->first_samples.count <= stack)
		if (!array_push(&profile->first_samples))
			return -ENOMEM;
	/* Most stacks have just one. */
	id = profile->first_samples.at[stack] - 1;
	is_first = id == HASH_ABSENT;
	if (!is_first && !sample_equal(profile, id, &key))
		id = hash_index_find(&profile->sample_index, hash, sample_equal, profile, &key);
	if (id == HASH_ABSENT && profile->closed)
		return PROFILE_FULL;
	if (id == HASH_ABSENT) {
		id = profile->samples.count;
		if (!array_reserve(&profile->samples, id + 1ULL) ||
		    !array_reserve(&profile->values, (uint64_t)profile->values.count + width) ||
		    (!is_first && hash_index_add(&profile->sample_index, hash, id) < 0))
			return -ENOMEM;
		if (is_first)
			profile->first_samples.at[stack] = id + 1;
		*array_push(&profile->samples) = key;
		profile->sample_frames += profile->stacks.at[stack].count;
		for (uint32_t i = 0; i < width; i++)
			*array_push(&profile->values) = 0;
	}
	for (uint32_t i = 0; i < width; i++) {
		int64_t *value = &profile->values.at[(size_t)id * width + i];

		*value = profile_sum(*value, values[i]);
	}
	return 0;
}

int profile_comment_add(struct profile *profile, const char *text)
{
	uint32_t id, *added;
	int r = profile_string(profile, &id, text);

	if (r != 0)
		return r;
	added = array_push(&profile->comments);
	if (!added)
		return -ENOMEM;
	*added = id;
	return 0;
}

const struct profile_label *profile_label_find(const struct profile *profile, uint32_t set,
					       const char *key)
{
	struct profile_run run;

	if (set >= profile->label_sets.count)
		return NULL;
	run = profile->label_sets.at[set];
	for (uint32_t i = 0; i < run.count; i++) {
		const struct profile_label *label = &profile->label_items.at[run.first + i];

		if (strcmp(profile_text(profile, label->key), key) == 0)
			return label;
	}
	return NULL;
}

int64_t profile_value(const struct profile *profile, uint32_t sample, uint32_t type)
{
	if (sample >= profile->samples.count || type >= profile->types.count)
		return 0;
	return profile->values.at[(size_t)sample * profile->types.count + type];
}

int64_t profile_total(const struct profile *profile, uint32_t type)
{
	int64_t total = 0;

	for (uint32_t i = 0; i < profile->samples.count; i++)
		total = profile_sum(total, profile_value(profile, i, type));
	return total;
}
