// SPDX-License-Identifier: Apache-2.0
#include "output/viewed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "output/escape.h"

enum { FLUSH_BYTES = 64 << 10 };

void viewed_fini(struct viewed *viewed)
{
	array_fini(&viewed->frames);
	array_fini(&viewed->threads);
	free(viewed->frame_of_line);
	free(viewed->thread_of_labels);
	free(viewed->samples);
	hash_index_fini(&viewed->index);
}

static bool is_frame(const void *context, uint32_t position, const void *key)
{
	const struct viewed *viewed = context;
	const struct viewed_frame *a = &viewed->frames.at[position], *b = key;
	const struct profile_function *of_a = &viewed->profile->functions.at[a->function];
	const struct profile_function *of_b = &viewed->profile->functions.at[b->function];

	return of_a->name == of_b->name && of_a->file == of_b->file && a->line == b->line &&
	       a->module == b->module && a->kind == b->kind && a->inlined == b->inlined;
}

static int intern_frame(struct viewed *viewed, uint32_t *ret, const struct viewed_frame *frame)
{
	const struct profile_function *function = &viewed->profile->functions.at[frame->function];
	uint64_t hash = hash_pair(hash_pair(function->name, function->file),
				  hash_pair((uint64_t)frame->line << 32 | frame->module,
					    (uint64_t)frame->kind << 1 | frame->inlined));
	struct viewed_frame *added;

	*ret = hash_index_find(&viewed->index, hash, is_frame, viewed, frame);
	if (*ret != HASH_ABSENT)
		return 0;
	*ret = viewed->frames.count;
	added = array_push(&viewed->frames);
	if (!added)
		return -ENOMEM;
	*added = *frame;
	return hash_index_add(&viewed->index, hash, *ret);
}

static int intern_frames(struct viewed *viewed, bool detailed)
{
	const struct profile *profile = viewed->profile;
	int r = 0;

	viewed->frame_of_line = calloc(profile->lines.count + 1ULL, sizeof(uint32_t));
	if (!viewed->frame_of_line)
		return -ENOMEM;
	for (uint32_t i = 0; i < profile->locations.count; i++) {
		const struct profile_location *location = &profile->locations.at[i];

		for (uint32_t k = 0; r == 0 && k < location->line_count; k++) {
			const struct profile_line *line =
				&profile->lines.at[location->first_line + k];
			const struct viewed_frame frame = {
				.function = line->function,
				.line = detailed ? line->line : 0,
				.module = profile->mappings.at[location->mapping].file,
				.kind = location->kind,
				.inlined = detailed && k + 1 < location->line_count,
			};

			r = intern_frame(viewed, &viewed->frame_of_line[location->first_line + k],
					 &frame);
		}
	}
	hash_index_fini(&viewed->index);
	return r;
}

static int64_t number_of(const struct profile *profile, uint32_t set, const char *key)
{
	const struct profile_label *label = profile_label_find(profile, set, key);

	return label && label->is_number ? label->number : 0;
}

static uint32_t text_of(const struct profile *profile, uint32_t set, const char *key)
{
	const struct profile_label *label = profile_label_find(profile, set, key);

	return label && !label->is_number ? label->text : 0;
}

static bool is_thread(const void *context, uint32_t position, const void *key)
{
	const struct viewed *viewed = context;
	const struct viewed_thread *a = &viewed->threads.at[position], *b = key;

	return a->comm == b->comm && a->thread_name == b->thread_name && a->pid == b->pid &&
	       a->tid == b->tid;
}

static int intern_thread(struct viewed *viewed, uint32_t *ret, const struct viewed_thread *thread)
{
	uint64_t hash = hash_pair(hash_pair((uint64_t)thread->pid, (uint64_t)thread->tid),
				  (uint64_t)thread->comm << 32 | thread->thread_name);
	struct viewed_thread *added;

	*ret = hash_index_find(&viewed->index, hash, is_thread, viewed, thread);
	if (*ret != HASH_ABSENT)
		return 0;
	*ret = viewed->threads.count;
	added = array_push(&viewed->threads);
	if (!added)
		return -ENOMEM;
	*added = *thread;
	return hash_index_add(&viewed->index, hash, *ret);
}

struct place {
	int64_t weight;
	uint32_t thread;
};

static int compare_places(const void *a, const void *b)
{
	const struct place *one = a, *other = b;

	if (one->weight != other->weight)
		return one->weight > other->weight ? -1 : 1;
	return one->thread < other->thread ? -1 : one->thread > other->thread;
}

/* The heaviest first. */
static int sort_threads(struct viewed *viewed)
{
	uint32_t count = viewed->threads.count;
	cleanup(free) struct place *places = calloc(count + 1ULL, sizeof(*places));
	cleanup(free) uint32_t *to = calloc(count + 1ULL, sizeof(*to));
	struct viewed_thread *sorted = calloc(count + 1ULL, sizeof(*sorted));

	if (!places || !to || !sorted) {
		free(sorted);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < count; i++)
		places[i] = (struct place){ viewed->threads.at[i].weight, i };
	qsort(places, count, sizeof(*places), compare_places);
	for (uint32_t i = 0; i < count; i++) {
		sorted[i] = viewed->threads.at[places[i].thread];
		to[places[i].thread] = i;
	}
	for (uint32_t i = 0; i < viewed->profile->label_sets.count; i++)
		viewed->thread_of_labels[i] = to[viewed->thread_of_labels[i]];
	free(viewed->threads.at);
	viewed->threads.at = sorted;
	viewed->threads.capacity = count + 1;
	return 0;
}

static int intern_threads(struct viewed *viewed)
{
	const struct profile *profile = viewed->profile;
	/* Which label sets samples have: the empty one is always there. */
	cleanup(free) bool *used = calloc(profile->label_sets.count + 1ULL, sizeof(*used));
	int r = 0;

	viewed->thread_of_labels = calloc(profile->label_sets.count + 1ULL, sizeof(uint32_t));
	if (!viewed->thread_of_labels || !used)
		return -ENOMEM;
	for (uint32_t i = 0; i < profile->samples.count; i++)
		used[profile->samples.at[i].labels] = true;
	for (uint32_t i = 0; r == 0 && i < profile->label_sets.count; i++) {
		const struct viewed_thread thread = {
			.comm = text_of(profile, i, "comm"),
			.thread_name = text_of(profile, i, "thread_name"),
			.pid = number_of(profile, i, "pid"),
			.tid = number_of(profile, i, "tid"),
		};

		if (used[i])
			r = intern_thread(viewed, &viewed->thread_of_labels[i], &thread);
	}
	if (r == 0 && !viewed->threads.count && !array_push(&viewed->threads))
		return -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < profile->samples.count; i++) {
		uint32_t thread = viewed->thread_of_labels[profile->samples.at[i].labels];
		int64_t *weight = &viewed->threads.at[thread].weight;
		int64_t value = profile_value(profile, i, profile->meta.main_type);

		*weight = profile_sum(*weight, value > 0 ? value : 0);
	}
	hash_index_fini(&viewed->index);
	return r ? r : sort_threads(viewed);
}

static int order_samples(struct viewed *viewed)
{
	const struct profile *profile = viewed->profile;
	uint32_t first = 0;

	viewed->samples = calloc(profile->samples.count + 1ULL, sizeof(uint32_t));
	if (!viewed->samples)
		return -ENOMEM;
	for (uint32_t i = 0; i < profile->samples.count; i++)
		viewed->threads.at[viewed->thread_of_labels[profile->samples.at[i].labels]]
			.samples.count++;
	for (uint32_t i = 0; i < viewed->threads.count; i++) {
		struct profile_run *run = &viewed->threads.at[i].samples;

		run->first = first;
		first += run->count;
		run->count = 0;
	}
	for (uint32_t i = 0; i < profile->samples.count; i++) {
		uint32_t thread = viewed->thread_of_labels[profile->samples.at[i].labels];
		struct profile_run *run = &viewed->threads.at[thread].samples;

		viewed->samples[run->first + run->count++] = i;
	}
	return 0;
}

int viewed_init(struct viewed *viewed, const struct profile *profile, bool detailed)
{
	int r;

	*viewed = (struct viewed){ .profile = profile };
	r = intern_frames(viewed, detailed);
	if (r == 0)
		r = intern_threads(viewed);
	return r ? r : order_samples(viewed);
}

const char *viewed_name(const struct viewed *viewed, const struct viewed_frame *frame)
{
	const struct profile *profile = viewed->profile;
	const char *name = profile_text(profile, profile->functions.at[frame->function].name);

	return name[strspn(name, " ")] ? name : "[unknown]";
}

const char *viewed_file(const struct viewed *viewed, const struct viewed_frame *frame)
{
	return profile_text(viewed->profile, viewed->profile->functions.at[frame->function].file);
}

static void add_named(struct bytes *bytes, const char *name, int64_t number)
{
	escape_clean(bytes, name);
	if (number)
		bytes_add_format(bytes, *name ? " (%" PRId64 ")" : "%" PRId64, number);
}

void viewed_add_thread(struct bytes *bytes, const struct viewed *viewed,
		       const struct viewed_thread *thread)
{
	size_t start = bytes->size;

	add_named(bytes, profile_text(viewed->profile, thread->comm), thread->pid);
	if (!thread->thread_name && !thread->tid)
		return;
	if (bytes->size != start)
		bytes_add_str(bytes, ", ");
	add_named(bytes,
		  thread->thread_name ? profile_text(viewed->profile, thread->thread_name)
				      : "thread",
		  thread->tid);
}

double viewed_nanoseconds(const char *unit)
{
	static const struct {
		const char *names[3];
		double nanoseconds;
	} units[] = {
		{ { "nanoseconds", "ns", "nanosecond" }, 1 },
		{ { "microseconds", "us", "microsecond" }, 1e3 },
		{ { "milliseconds", "ms", "millisecond" }, 1e6 },
		{ { "seconds", "s", "second" }, 1e9 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		for (size_t k = 0; k < ARRAY_SIZE(units[i].names); k++)
			if (strcmp(unit, units[i].names[k]) == 0)
				return units[i].nanoseconds;
	return 0;
}

void viewed_page_init(struct viewed_page *page, struct stream *stream)
{
	*page = (struct viewed_page){ .stream = stream };
	page->json = json_to(&page->bytes);
}

void viewed_page_flush(struct viewed_page *page)
{
	if (page->bytes.size < FLUSH_BYTES || page->bytes.failed)
		return;
	stream_write(page->stream, page->bytes.at, page->bytes.size);
	page->bytes.size = 0;
}

void viewed_page_text(struct viewed_page *page, const char *key, const char *text)
{
	page->scratch.size = 0;
	escape_clean(&page->scratch, text);
	text = bytes_str(&page->scratch);
	if (text)
		json_string(&page->json, key, text);
	else
		page->bytes.failed = true;
}

int viewed_page_finish(struct viewed_page *page)
{
	bool failed = page->bytes.failed;

	if (!failed)
		stream_write(page->stream, page->bytes.at, page->bytes.size);
	bytes_fini(&page->bytes);
	bytes_fini(&page->scratch);
	return failed ? -ENOMEM : page->stream->error;
}
