// SPDX-License-Identifier: Apache-2.0
/* Threads and their samples. */
#include "output/firefox_parts.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* How values are told. */
struct weights {
	const char *type;
	double milliseconds; /* of one; 0: it is no time */
};

static struct weights weights_of(const struct profile *profile)
{
	const char *unit = profile_text(profile, profile->types.at[profile->meta.main_type].unit);
	double nanoseconds = viewed_nanoseconds(unit);

	if (nanoseconds > 0)
		return (struct weights){ "tracing-ms", nanoseconds / 1e6 };
	return (struct weights){ strcmp(unit, "bytes") == 0 ? "bytes" : "samples", 0 };
}

static int64_t value_of(const struct firefox *firefox, const struct viewed_thread *thread,
			uint32_t index)
{
	const struct viewed *viewed = &firefox->viewed;
	int64_t value =
		profile_value(viewed->profile, viewed->samples[thread->samples.first + index],
			      viewed->profile->meta.main_type);

	return value > 0 ? value : 0;
}

static void add_samples(struct firefox *firefox, const struct viewed_thread *thread)
{
	const struct viewed *viewed = &firefox->viewed;
	struct weights weights = weights_of(viewed->profile);
	struct viewed_page *page = &firefox->page;
	struct json *json = &page->json;
	uint32_t count = 0;
	int64_t sum = 0;

	json_object(json, "samples");
	json_array(json, "stack");
	for (uint32_t i = 0; i < thread->samples.count; i++) {
		uint32_t sample = viewed->samples[thread->samples.first + i];

		if (!value_of(firefox, thread, i))
			continue;
		firefox_row(page, firefox->stack_of[viewed->profile->samples.at[sample].stack]);
		count++;
	}
	json_end(json);
	json_array(json, "time");
	for (uint32_t i = 0, k = 0; i < thread->samples.count; i++) {
		int64_t value = value_of(firefox, thread, i);

		if (!value)
			continue;
		if (weights.milliseconds > 0)
			json_double(json, NULL,
				    round((double)sum * weights.milliseconds * 1e3) / 1e3);
		else
			json_u64(json, NULL, k);
		sum = profile_sum(sum, value);
		k++;
		viewed_page_flush(page);
	}
	json_end(json);
	json_array(json, "weight");
	for (uint32_t i = 0; i < thread->samples.count; i++) {
		int64_t value = value_of(firefox, thread, i);

		if (!value)
			continue;
		if (weights.milliseconds > 0)
			json_double(json, NULL, (double)value * weights.milliseconds);
		else
			json_i64(json, NULL, value);
		viewed_page_flush(page);
	}
	json_end(json);
	json_string(json, "weightType", weights.type);
	firefox_end_table(page, count);
}

static void add_markers(struct viewed_page *page)
{
	static const char *const columns[] = { "data",	  "name",  "startTime",
					       "endTime", "phase", "category" };

	json_object(&page->json, "markers");
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		firefox_constant(page, columns[i], 0, "");
	firefox_end_table(page, 0);
}

void firefox_add_thread(struct firefox *firefox, uint32_t index)
{
	const struct viewed_thread *thread = &firefox->viewed.threads.at[index];
	const struct profile *profile = firefox->viewed.profile;
	const char *comm = profile_text(profile, thread->comm);
	const char *name = profile_text(profile, thread->thread_name);
	const char *title =
		profile->meta.title && *profile->meta.title ? profile->meta.title : "profd";
	struct viewed_page *page = &firefox->page;
	struct json *json = &page->json;
	char pid[24], tid[24];

	if (!*name)
		name = *comm ? comm : title;
	snprintf(pid, sizeof(pid), "%" PRId64, thread->pid);
	snprintf(tid, sizeof(tid), "thread-%" PRIu32, index); /* another one for each */
	json_object(json, NULL);
	json_string(json, "processType", "default");
	json_u64(json, "processStartupTime", 0);
	json_string(json, "processShutdownTime", NULL);
	json_u64(json, "registerTime", 0);
	json_string(json, "unregisterTime", NULL);
	json_array(json, "pausedRanges");
	json_end(json);
	viewed_page_text(page, "name", name);
	json_bool(json, "isMainThread", !thread->tid || thread->tid == thread->pid);
	viewed_page_text(page, "processName", *comm ? comm : title);
	json_string(json, "pid", pid);
	if (thread->tid)
		json_i64(json, "tid", thread->tid);
	else
		json_string(json, "tid", tid);
	add_samples(firefox, thread);
	add_markers(page);
	json_end(json);
}
