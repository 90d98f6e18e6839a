// SPDX-License-Identifier: Apache-2.0
/* Labels by key, samples by stack and labels; of the same ones the values are added up. */
#include "profile/freeze.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

static int compare_label(const struct profile_label *a, const struct profile_label *b)
{
	FREEZE_COMPARE(a->key, b->key);
	FREEZE_COMPARE(a->is_number, b->is_number);
	FREEZE_COMPARE(a->text, b->text);
	FREEZE_COMPARE(a->number, b->number);
	FREEZE_COMPARE(a->unit, b->unit);
	return 0;
}

static int compare_label_items(const void *a, const void *b)
{
	return compare_label(a, b);
}

static int compare_label_sets(const void *a_, const void *b_, void *context)
{
	const struct freezer *freezer = context;
	const struct profile_run *a = &freezer->old->label_sets.at[*(const uint32_t *)a_];
	const struct profile_run *b = &freezer->old->label_sets.at[*(const uint32_t *)b_];
	uint32_t shared = a->count < b->count ? a->count : b->count;

	for (uint32_t i = 0; i < shared; i++) {
		int order = compare_label(&freezer->old->label_items.at[a->first + i],
					  &freezer->old->label_items.at[b->first + i]);

		if (order)
			return order;
	}
	FREEZE_COMPARE(a->count, b->count);
	return 0;
}

int freeze_labels(struct freezer *freezer)
{
	struct profile *old = freezer->old, *now = freezer->now;
	cleanup(free) uint32_t *order = NULL;
	uint32_t used;

	for (uint32_t i = 0; i < old->label_sets.count; i++) {
		struct profile_run run = old->label_sets.at[i];

		if (freezer->to.labels[i] == FREEZE_UNUSED || !run.count)
			continue;
		for (uint32_t k = run.first; k < run.first + run.count; k++) {
			struct profile_label *label = &old->label_items.at[k];

			label->key = freezer->to.string[label->key];
			label->text = freezer->to.string[label->text];
			label->unit = freezer->to.string[label->unit];
		}
		qsort(&old->label_items.at[run.first], run.count, sizeof(struct profile_label),
		      compare_label_items);
	}
	order = freeze_compared(freezer->to.labels, old->label_sets.count, &used,
				compare_label_sets, freezer);
	if (!order || !array_reserve(&now->label_sets, used) ||
	    !array_reserve(&now->label_items, old->label_items.count))
		return -ENOMEM;
	now->label_sets.count = now->label_items.count = 0; /* the empty set is added like any */
	for (uint32_t i = 0; i < used; i++) {
		struct profile_run run = old->label_sets.at[order[i]];

		/* Sets that differed in their order only have become one. */
		if (!i || compare_label_sets(&order[i - 1], &order[i], freezer) != 0) {
			*array_push(&now->label_sets) =
				(struct profile_run){ now->label_items.count, run.count };
			for (uint32_t k = 0; k < run.count; k++)
				*array_push(&now->label_items) = old->label_items.at[run.first + k];
		}
		freezer->to.labels[order[i]] = now->label_sets.count - 1;
	}
	return 0;
}

static int compare_samples(const void *a_, const void *b_, void *context)
{
	const struct freezer *freezer = context;
	const struct profile_sample *a = &freezer->old->samples.at[*(const uint32_t *)a_];
	const struct profile_sample *b = &freezer->old->samples.at[*(const uint32_t *)b_];

	FREEZE_COMPARE(freezer->to.stack[a->stack], freezer->to.stack[b->stack]);
	FREEZE_COMPARE(freezer->to.labels[a->labels], freezer->to.labels[b->labels]);
	return 0;
}

/* Each goes to where its stack's begin; few share one. NULL: out of memory. */
static uint32_t *sort_samples(struct freezer *freezer)
{
	const struct profile *old = freezer->old;
	uint32_t count = old->samples.count, stacks = freezer->now->stacks.count;
	uint32_t *order = malloc((count + 1ULL) * sizeof(*order));
	cleanup(free) uint32_t *ends = calloc(stacks + 1ULL, sizeof(*ends));

	if (!order || !ends) {
		free(order);
		return NULL;
	}
	for (uint32_t i = 0; i < count; i++)
		ends[freezer->to.stack[old->samples.at[i].stack] + 1]++;
	for (uint32_t i = 0; i < stacks; i++)
		ends[i + 1] += ends[i];
	/* What was the first place of each is in the end that of the next one. */
	for (uint32_t i = 0; i < count; i++)
		order[ends[freezer->to.stack[old->samples.at[i].stack]]++] = i;
	for (uint32_t i = 0, first = 0; i < stacks; first = ends[i++])
		if (ends[i] - first > 1)
			qsort_r(order + first, ends[i] - first, sizeof(*order), compare_samples,
				freezer);
	return order;
}

int freeze_samples(struct freezer *freezer)
{
	struct profile *old = freezer->old, *now = freezer->now;
	uint32_t width = old->types.count, count = old->samples.count;
	cleanup(free) uint32_t *order = sort_samples(freezer);

	if (!order || !array_reserve(&now->samples, count) ||
	    !array_reserve(&now->values, (uint64_t)count * width))
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		const struct profile_sample *sample = &old->samples.at[order[i]];
		const int64_t *values = &old->values.at[(size_t)order[i] * width];

		if (!i || compare_samples(&order[i - 1], &order[i], freezer) != 0) {
			*array_push(&now->samples) =
				(struct profile_sample){ freezer->to.stack[sample->stack],
							 freezer->to.labels[sample->labels] };
			for (uint32_t k = 0; k < width; k++)
				*array_push(&now->values) = 0;
		}
		for (uint32_t k = 0; k < width; k++) {
			int64_t *sum = &now->values.at[now->values.count - width + k];

			*sum = profile_sum(*sum, values[k]);
		}
	}
	return 0;
}
