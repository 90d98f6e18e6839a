// SPDX-License-Identifier: Apache-2.0
/*
 * speedscope's own format: https://www.speedscope.app/file-format-schema.json, "sampled" profiles.
 *
 * One profile a thread, as py-spy writes them, and of each type of values: first those of the type
 * that pictures show. A frame has the line that was executed; without a source file it has its
 * module's path as its file, by which speedscope colours. Weights are the values: an entry is one
 * stack with all that it used, and their order is that of the stacks, not of time.
 *
 * What the format has no place for, but its schema allows to be there, stands under names that other
 * readers pass over: a frame's "module" and "inlined", and "profd" objects with the type of values,
 * the ids of process and thread and what is known of the recording. input/speedscope.c takes it back.
 */
#include "output/formats.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "output/escape.h"
#include "output/viewed.h"

static const char *unit_of(const char *unit)
{
	double nanoseconds = viewed_nanoseconds(unit);

	if (nanoseconds > 0)
		return nanoseconds == 1	    ? "nanoseconds"
		       : nanoseconds == 1e3 ? "microseconds"
		       : nanoseconds == 1e6 ? "milliseconds"
					    : "seconds";
	return strcmp(unit, "bytes") == 0 ? "bytes" : "none";
}

static void add_frames(struct viewed_page *page, const struct viewed *viewed)
{
	struct json *json = &page->json;

	json_object(json, "shared");
	json_array(json, "frames");
	for (uint32_t i = 0; i < viewed->frames.count; i++) {
		const struct viewed_frame *frame = &viewed->frames.at[i];
		const char *module = profile_text(viewed->profile, frame->module);
		const char *file = viewed_file(viewed, frame);

		json_object(json, NULL);
		viewed_page_text(page, "name", viewed_name(viewed, frame));
		if (*file || *module)
			viewed_page_text(page, "file", *file ? file : module);
		if (frame->line)
			json_u64(json, "line", frame->line);
		if (*module)
			viewed_page_text(page, "module", module);
		if (frame->inlined)
			json_bool(json, "inlined", true);
		json_end(json);
		viewed_page_flush(page);
	}
	json_end(json);
	json_end(json);
}

/* The frames of a stack, outermost first. */
static void add_stack(struct viewed_page *page, const struct viewed *viewed, uint32_t stack)
{
	const struct profile *profile = viewed->profile;
	struct profile_run run = profile->stacks.at[stack];

	json_array(&page->json, NULL);
	for (uint32_t i = run.count; i-- > 0;) {
		uint32_t id = profile->stack_locations.at[run.first + i];
		const struct profile_location *location = &profile->locations.at[id];

		for (uint32_t k = location->line_count; k-- > 0;)
			json_u64(&page->json, NULL,
				 viewed->frame_of_line[location->first_line + k]);
	}
	json_end(&page->json);
}

static int64_t value_of(const struct viewed *viewed, const struct viewed_thread *thread,
			uint32_t index, uint32_t type)
{
	int64_t value = profile_value(viewed->profile,
				      viewed->samples[thread->samples.first + index], type);

	return value > 0 ? value : 0;
}

static void add_name(struct viewed_page *page, const struct viewed *viewed,
		     const struct viewed_thread *thread, uint32_t type)
{
	const struct profile *profile = viewed->profile;
	const char *title = profile->meta.title ? profile->meta.title : "";
	struct bytes *name = &page->scratch;

	name->size = 0;
	viewed_add_thread(name, viewed, thread);
	if (!name->size)
		escape_clean(name, title);
	if (profile->types.count > 1 || !name->size) {
		bytes_add_str(name, name->size ? ": " : "");
		escape_clean(name, profile_text(profile, profile->types.at[type].name));
	}
	if (bytes_str(name))
		json_string(&page->json, "name", name->at);
	else
		page->bytes.failed = true;
}

static void add_ids(struct viewed_page *page, const struct viewed *viewed,
		    const struct viewed_thread *thread, uint32_t type)
{
	const struct profile *profile = viewed->profile;

	json_object(&page->json, "profd");
	viewed_page_text(page, "type", profile_text(profile, profile->types.at[type].name));
	viewed_page_text(page, "unit", profile_text(profile, profile->types.at[type].unit));
	if (thread->comm)
		viewed_page_text(page, "comm", profile_text(profile, thread->comm));
	if (thread->pid)
		json_i64(&page->json, "pid", thread->pid);
	if (thread->thread_name)
		viewed_page_text(page, "thread_name", profile_text(profile, thread->thread_name));
	if (thread->tid)
		json_i64(&page->json, "tid", thread->tid);
	json_end(&page->json);
}

static void add_profile(struct viewed_page *page, const struct viewed *viewed,
			const struct viewed_thread *thread, uint32_t type, int64_t total)
{
	const struct profile *profile = viewed->profile;
	struct json *json = &page->json;

	json_object(json, NULL);
	json_string(json, "type", "sampled");
	add_name(page, viewed, thread, type);
	json_string(json, "unit", unit_of(profile_text(profile, profile->types.at[type].unit)));
	json_u64(json, "startValue", 0);
	json_i64(json, "endValue", total);
	json_array(json, "samples");
	for (uint32_t i = 0; i < thread->samples.count; i++) {
		uint32_t sample = viewed->samples[thread->samples.first + i];

		if (value_of(viewed, thread, i, type))
			add_stack(page, viewed, profile->samples.at[sample].stack);
		viewed_page_flush(page);
	}
	json_end(json);
	json_array(json, "weights");
	for (uint32_t i = 0; i < thread->samples.count; i++) {
		int64_t value = value_of(viewed, thread, i, type);

		if (value)
			json_i64(json, NULL, value);
		viewed_page_flush(page);
	}
	json_end(json);
	add_ids(page, viewed, thread, type);
	json_end(json);
}

/* Those of one type. */
static void add_profiles(struct viewed_page *page, const struct viewed *viewed, uint32_t type)
{
	for (uint32_t i = 0; i < viewed->threads.count; i++) {
		const struct viewed_thread *thread = &viewed->threads.at[i];
		int64_t total = 0;

		for (uint32_t k = 0; k < thread->samples.count; k++)
			total = profile_sum(total, value_of(viewed, thread, k, type));
		/* A file without any profile is none. */
		if (!total && (i || type != viewed->profile->meta.main_type))
			continue;
		add_profile(page, viewed, thread, type, total);
	}
}

static void add_text(struct viewed_page *page, const char *key, const char *text)
{
	if (text && *text)
		viewed_page_text(page, key, text);
}

static void add_meta(struct viewed_page *page, const struct profile *profile)
{
	const struct profile_meta *meta = &profile->meta;
	const struct profile_type *types = profile->types.at;

	json_object(&page->json, "profd");
	add_text(page, "subtitle", meta->subtitle);
	add_text(page, "quality", meta->quality);
	if (meta->time_ns)
		json_i64(&page->json, "time_ns", meta->time_ns);
	if (meta->duration_ns)
		json_i64(&page->json, "duration_ns", meta->duration_ns);
	if (meta->period_type < profile->types.count && meta->period) {
		json_i64(&page->json, "period", meta->period);
		viewed_page_text(page, "period_type",
				 profile_text(profile, types[meta->period_type].name));
	}
	if (meta->count_type < profile->types.count)
		viewed_page_text(page, "count_type",
				 profile_text(profile, types[meta->count_type].name));
	json_end(&page->json);
}

static int speedscope_write(const struct profile *profile, struct stream *stream)
{
	cleanup(viewed_fini) struct viewed viewed = {};
	struct viewed_page page;
	int r = viewed_init(&viewed, profile, true);

	if (r < 0)
		return r;
	viewed_page_init(&page, stream);
	json_object(&page.json, NULL);
	json_string(&page.json, "$schema", "https://www.speedscope.app/file-format-schema.json");
	json_string(&page.json, "exporter", "profd@" PROFD_VERSION);
	add_text(&page, "name", profile->meta.title);
	json_u64(&page.json, "activeProfileIndex", 0);
	add_meta(&page, profile);
	add_frames(&page, &viewed);
	json_array(&page.json, "profiles");
	add_profiles(&page, &viewed, profile->meta.main_type);
	for (uint32_t i = 0; i < profile->types.count; i++)
		if (i != profile->meta.main_type)
			add_profiles(&page, &viewed, i);
	json_end(&page.json);
	json_end(&page.json);
	return viewed_page_finish(&page);
}

const struct writer writer_speedscope = {
	.name = "speedscope",
	.aliases = { NULL },
	.extensions = { ".speedscope.json" },
	.description = "for speedscope, one profile for each thread",
	.write = speedscope_write,
};
