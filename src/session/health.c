// SPDX-License-Identifier: Apache-2.0
#include "session/health.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "session/event_alloc.h"
#include "session/fetches.h"
#include "session/measures.h"
#include "session/pipeline.h"
#include "session/recording.h"
#include "source/counted.h"
#include "unwind/outcome.h"
#include "worker/workers.h"

/* Shorter recordings tell their cost as a time. */
#define SHORT_S 0.25

static const char *const counter_names[] = {
#define COUNTER(name, text) [COUNT_##name] = #name,
	WIRE_COUNTERS(COUNTER)
#undef COUNTER
};

void health_clock_read(struct health_clock *ret, const struct pipeline *pipeline)
{
	ret->cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + workers_cpu_ns(pipeline->workers);
	ret->build_ns = pipeline->tables.cost_ns;
	ret->naming_ns = symbolizer_cost_ns(pipeline->symbolizer);
}

/* CPU time between two moments that went neither into tables nor into names. */
static uint64_t plain_ns(const struct health_clock *from, const struct health_clock *to)
{
	uint64_t apart = to->build_ns - from->build_ns + to->naming_ns - from->naming_ns;
	uint64_t all = to->cpu_ns - from->cpu_ns;

	return all > apart ? all - apart : 0;
}

void health_count_frames(struct health *h, const struct profile *profile, uint32_t samples_type)
{
	h->frames = h->frames_named = 0;
	for (uint32_t i = 0; i < profile->samples.count; i++) {
		struct profile_run run = profile->stacks.at[profile->samples.at[i].stack];
		uint64_t times = (uint64_t)profile_value(profile, i, samples_type), named = 0,
			 code = 0;

		for (uint32_t k = 0; k < run.count; k++) {
			const struct profile_location *location =
				&profile->locations.at[profile->stack_locations.at[run.first + k]];

			if (location->kind == LOCATION_NOTE)
				continue;
			code++;
			named += location->named;
		}
		h->frames += code * times;
		h->frames_named += named * times;
	}
}

static void gather_way(struct health *ret, const struct recording *rec)
{
	if (!rec->copies) {
		ret->unwind = "table";
		ret->throttled = cpu_source_throttled(rec->source);
		return;
	}
	ret->copy_bytes = copy_source_stack_bytes(rec->copies);
	ret->libunwind_stacks = rec->pipeline.libunwind_stacks;
	ret->libunwind_failures = rec->pipeline.libunwind_failures;
	ret->copies_grown = copy_source_grown_threads(rec->copies);
	ret->unwind = ret->copy_bytes ? "copy" : "fp";
	ret->why_copies = rec->why_copies[0] ? rec->why_copies : NULL;
	ret->user_only = copy_source_is_user_only(rec->copies);
	ret->throttled = copy_source_throttled(rec->copies);
}

static void gather_counted(struct health *ret, const struct recording *rec)
{
	ret->rate_limit_hz = rec->rate_limit.first_hz;
	ret->lowest_rate_limit_hz = rec->rate_limit.lowest_hz;
	ret->counted_events = rec->config->events & EVENTS_COUNTED_BITS;
	for (uint32_t event = EVENT_COUNTED_FIRST; event < EVENTS; event++) {
		struct counted_figures *figures = &ret->counted[event - EVENT_COUNTED_FIRST];
		uint64_t ours = rec->pipeline.weights[event].samples;

		if (!(ret->counted_events & EVENT_BIT(event)))
			continue;
		if (rec->counted)
			counted_source_figures(rec->counted, event, figures);
		else if (rec->copies)
			copy_source_figures(rec->copies, event, figures);
		ret->throttled += figures->throttled;
		/* Nobody knows whose they were: like those that came. */
		if (figures->seen.hits)
			ret->lost_counted += (uint64_t)((double)figures->lost * (double)ours /
							(double)figures->seen.hits);
	}
}

void health_gather(struct health *ret, const struct recording *rec,
		   const struct health_clock *started, const struct health_clock *stopped)
{
	const struct pipeline *pipeline = &rec->pipeline;
	struct table_store_figures figures;

	sampler_counters(&rec->sampler, ret->counters);
	gather_way(ret, rec);
	gather_counted(ret, rec);
	ret->samples = pipeline->sample_count;
	ret->unreadable = pipeline->unreadable;
	ret->lost_ring = ret->counters[COUNT_DROPPED] + pipeline->samples_refused;
	ret->lost_ticks = ret->counters[COUNT_MISSED];
	ret->lost_lifecycle = pipeline->lifecycle_lost;
	ret->outside = pipeline->everything ? ret->counters[COUNT_OUTSIDE] : 0;
	memcpy(ret->outcomes, pipeline->outcomes, sizeof(ret->outcomes));
	ret->through_generated_code = pipeline->through_generated_code;
	health_count_frames(ret, pipeline->profile, pipeline->measures.types[MEASURE_SAMPLES]);
	ret->finished = pipeline->finished;
	ret->bpf_ns = ret->counters[COUNT_RUN_NS];
	ret->start_ns = plain_ns(&(struct health_clock){}, started);
	ret->user_ns = plain_ns(started, stopped);
	ret->build_ns = pipeline->tables.cost_ns;
	ret->naming_ns = symbolizer_cost_ns(pipeline->symbolizer);
	ret->names_refused = symbolizer_refused(pipeline->symbolizer);
	ret->rss_bytes = process_peak_bytes(getpid()) + workers_peak_bytes(pipeline->workers);
	ret->workers = pipeline->workers;
	table_store_figures(pipeline->store, &figures);
	ret->kernel_bytes = sampler_kernel_bytes(&rec->sampler) + figures.chunk_bytes;
	ret->table_bytes = figures.used_bytes;
	ret->tables = figures.tables;
	ret->evictions = figures.evictions;
	ret->processes_refused = figures.processes_refused;
	ret->kernel_trouble = symbolizer_kernel_trouble(pipeline->symbolizer);
}

void health_add_probes(struct health *h, const struct alloc_cost *cost)
{
	h->probe_hits = cost->hits;
	h->probe_ns = cost->probe_ns;
	h->probed_ns = cost->target_ns;
	h->probe_windows = cost->windows;
	h->probe_open_ns = cost->open_ns;
}

/* Of the CPU time of those who were probed, in percent. */
static double probe_percent(const struct health *h)
{
	return h->probed_ns ? h->probe_ns / (double)h->probed_ns * 100 : 0;
}

uint64_t health_lost(const struct health *h)
{
	return h->lost_ring + h->lost_ticks + h->lost_counted;
}

double health_cost_percent(const struct health *h)
{
	if (h->duration_s <= 0)
		return 0;
	return (double)(h->bpf_ns + h->user_ns) / (h->duration_s * 1e9) * 100;
}

static uint64_t truncated(const struct health *h)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < WALK_OUTCOME_COUNT; i++)
		if (i != WALK_COMPLETE && i != WALK_GUESSED)
			all += h->outcomes[i];
	return all;
}

/* Never rounded up to "100 %" while something is missing. */
static double percent(uint64_t part, uint64_t whole)
{
	double exact = whole ? 100.0 * (double)part / (double)whole : 100.0;

	return part < whole && exact > 99.9 ? 99.9 : exact;
}

static void add_reasons(const struct health *h, struct bytes *ret)
{
	const char *separator = "";

	for (unsigned i = 0; i < WALK_OUTCOME_COUNT; i++) {
		if (i == WALK_COMPLETE || i == WALK_GUESSED || !h->outcomes[i])
			continue;
		bytes_add_format(ret, "%s%s %" PRIu64, separator, walk_outcome_text(i),
				 h->outcomes[i]);
		separator = ", ";
	}
}

/* What the workers could not cope with; a few by name, all in the JSON. */
static void add_casualties(const struct workers *workers, struct bytes *ret)
{
	enum { NAMED = 3, PATH_BYTES = 256 }; /* so that the line is not cut off */

	bytes_add_format(ret, "; gave up on %s%u file%s (",
			 workers->more_given_up ? "more than " : "", workers->given_up,
			 workers->given_up == 1 ? "" : "s");
	for (uint32_t i = 0; i < workers->casualties.count && i < NAMED; i++)
		bytes_add_format(ret, "%s%.*s: %s", i ? ", " : "", PATH_BYTES,
				 workers->casualties.at[i].path, workers->casualties.at[i].why);
	bytes_add_str(ret, workers->casualties.count > NAMED ? ", ...)" : ")");
}

static void add_stacks(const struct health *h, struct bytes *ret)
{
	uint64_t cut = truncated(h), guessed = h->outcomes[WALK_GUESSED];
	const char *separator = " (";

	bytes_add_format(ret, "; stacks %.1f%% complete",
			 percent(h->samples - cut - guessed, h->samples));
	if (h->through_generated_code) {
		/* Few are not none. */
		bytes_add_format(ret,
				 "%s%.1f%% through generated code, trusting its frame pointers",
				 separator,
				 fmax(percent(h->through_generated_code, h->samples), 0.1));
		separator = "; ";
	}
	if (guessed) {
		bytes_add_format(ret, "%s%" PRIu64 " guessed", separator, guessed);
		separator = ", ";
	}
	if (cut) {
		bytes_add_format(ret, "%s%" PRIu64 " truncated: ", separator, cut);
		add_reasons(h, ret);
	}
	if (h->through_generated_code || guessed || cut)
		bytes_add_str(ret, ")");
}

/* Only where it is not the usual one. */
static void add_way(const struct health *h, struct bytes *ret)
{
	if (h->copy_bytes)
		bytes_add_format(ret, "; unwound from copies of up to %u KiB of stack",
				 (h->copy_bytes + 1023) / 1024);
	else if (h->unwind && strcmp(h->unwind, "fp") == 0)
		bytes_add_str(ret, "; unwound by frame pointers");
	if (h->libunwind_failures)
		bytes_add_format(ret, "; libunwind failed on %" PRIu64 " walks",
				 h->libunwind_failures);
	if (h->user_only)
		bytes_add_str(ret, "; without time in the kernel");
}

/* 0..1; clocks of several CPUs are read one after another. */
static double counted_share(const struct counted_reading *reading)
{
	return reading->running_ns < reading->enabled_ns
		       ? (double)reading->running_ns / (double)reading->enabled_ns
		       : 1;
}

/* What lies in between is not worth a word: counters of one task are not all switched on at once. */
static bool took_turns(const struct counted_reading *reading)
{
	return reading->running_ns + reading->enabled_ns / 1000 < reading->enabled_ns;
}

static void add_counters(const struct health *h, struct bytes *ret)
{
	for (uint32_t event = EVENT_COUNTED_FIRST; event < EVENTS; event++) {
		const struct counted_reading *reading =
			&h->counted[event - EVENT_COUNTED_FIRST].reading;

		if (h->counted_events & EVENT_BIT(event) && took_turns(reading))
			bytes_add_format(ret,
					 "; %s counted on %.1f%% of the time only, for others use the "
					 "processor's counters, too (values are as counted)",
					 event_name(event),
					 percent(reading->running_ns, reading->enabled_ns));
	}
	if (h->throttled)
		bytes_add_format(ret, "; throttled by the kernel %" PRIu64 " times", h->throttled);
	if (h->lowest_rate_limit_hz < h->rate_limit_hz)
		bytes_add_format(ret,
				 "; kernel.perf_event_max_sample_rate was lowered from %" PRIu64
				 " to %" PRIu64 " meanwhile, see 'profd doctor'",
				 h->rate_limit_hz, h->lowest_rate_limit_hz);
}

/* Of a moment, a share of it says nothing. */
static void add_cost(const struct health *h, struct bytes *ret)
{
	if (h->duration_s > 0 && h->duration_s < SHORT_S)
		bytes_add_format(ret, "; cost %.0f ms of CPU time",
				 (double)(h->bpf_ns + h->user_ns) / 1e6);
	else
		bytes_add_format(ret, "; cost %.2f%% of one CPU", health_cost_percent(h));
	if (h->copy_bytes)
		bytes_add_str(ret, " without what the kernel takes to copy");
	bytes_add_format(ret, ", %" PRIu64 " MiB", (h->rss_bytes + (1 << 19)) >> 20);
}

void health_line(const struct health *h, struct bytes *ret)
{
	bytes_add_format(ret, "%" PRIu64 " samples in %.1f s", h->samples, h->duration_s);
	if (h->frequency_hz > 0)
		bytes_add_format(ret, " (%.*g Hz)", h->frequency_hz < 1000 ? 4 : 9,
				 h->frequency_hz < 1000 ? h->frequency_hz : round(h->frequency_hz));
	bytes_add_format(ret, ", %" PRIu64 " lost", health_lost(h));
	if (h->samples) {
		add_stacks(h, ret);
		bytes_add_format(ret, "; %.1f%% of frames named",
				 percent(h->frames_named, h->frames));
	}
	add_cost(h, ret);
	add_way(h, ret);
	add_counters(h, ret);
	if (h->probe_windows)
		bytes_add_format(ret, "; probes cost %.2f%% of the target's CPU time (%" PRIu64 " calls in %" PRIu64 " windows)",
				 probe_percent(h), h->probe_hits, h->probe_windows);
	if (h->unreadable)
		bytes_add_format(ret,
				 "; the mappings of %u process%s may not be read, which takes "
				 "CAP_SYS_PTRACE",
				 h->unreadable, h->unreadable == 1 ? "" : "es");
	if (h->outside)
		bytes_add_format(ret,
				 "; left out: %" PRIu64
				 " samples of what is outside of this pid namespace",
				 h->outside);
	if (h->lost_lifecycle)
		bytes_add_format(ret, "; %" PRIu64 " process events lost", h->lost_lifecycle);
	if (h->evictions)
		bytes_add_format(ret, "; %u unwind tables evicted", h->evictions);
	if (h->workers && h->workers->given_up)
		add_casualties(h->workers, ret);
	if (h->processes_refused)
		bytes_add_format(ret, "; %u times no room for a process's mappings",
				 h->processes_refused);
}

static void counted_json(const struct health *h, struct json *json)
{
	json_object(json, "counted");
	for (uint32_t event = EVENT_COUNTED_FIRST; event < EVENTS; event++) {
		const struct counted_figures *figures = &h->counted[event - EVENT_COUNTED_FIRST];

		if (!(h->counted_events & EVENT_BIT(event)))
			continue;
		json_object(json, event_name(event));
		json_u64(json, "counted", figures->reading.count);
		json_u64(json, "in_samples", figures->seen.events);
		json_u64(json, "enabled_ns", figures->reading.enabled_ns);
		json_u64(json, "running_ns", figures->reading.running_ns);
		json_double(json, "counted_share_of_time", counted_share(&figures->reading));
		json_u64(json, "lost", figures->lost);
		json_u64(json, "throttled", figures->throttled);
		json_u64(json, "throttled_ns", figures->throttled_ns);
		json_end(json);
	}
	json_end(json);
}

void health_json(const struct health *h, struct bytes *ret)
{
	struct json json = json_to(ret);

	json_object(&json, NULL);
	json_u64(&json, "schema_version", 1);
	json_u64(&json, "samples", h->samples);
	json_double(&json, "duration_s", h->duration_s);
	json_double(&json, "frequency_hz", h->frequency_hz);
	json_u64(&json, "expected_samples", h->samples + health_lost(h));
	json_u64(&json, "lost", health_lost(h));
	json_object(&json, "lost_detail");
	json_u64(&json, "ring", h->lost_ring);
	json_u64(&json, "ticks", h->lost_ticks);
	json_u64(&json, "counters", h->lost_counted);
	json_u64(&json, "process_events", h->lost_lifecycle);
	json_end(&json);
	json_u64(&json, "complete", h->outcomes[WALK_COMPLETE]);
	json_u64(&json, "through_generated_code", h->through_generated_code);
	json_u64(&json, "guessed", h->outcomes[WALK_GUESSED]);
	json_object(&json, "truncated");
	for (unsigned i = 0; i < WALK_OUTCOME_COUNT; i++)
		if (i != WALK_COMPLETE && i != WALK_GUESSED && h->outcomes[i])
			json_u64(&json, walk_outcome_text(i), h->outcomes[i]);
	json_end(&json);
	json_u64(&json, "walks_finished_later", h->finished);
	json_string(&json, "unwind", h->unwind);
	json_string(&json, "why_not_table", h->why_copies);
	json_u64(&json, "copy_bytes", h->copy_bytes);
	json_u64(&json, "copies_grown_threads", h->copies_grown);
	json_u64(&json, "walked_by_libunwind", h->libunwind_stacks);
	json_u64(&json, "libunwind_failures", h->libunwind_failures);
	json_u64(&json, "unreadable_processes", h->unreadable);
	json_bool(&json, "kernel_time_sampled", !h->user_only);
	json_u64(&json, "throttled", h->throttled);
	if (h->rate_limit_hz) {
		json_u64(&json, "max_sample_rate", h->rate_limit_hz);
		json_u64(&json, "lowest_max_sample_rate", h->lowest_rate_limit_hz);
	}
	if (h->counted_events)
		counted_json(h, &json);
	json_u64(&json, "frames", h->frames);
	json_u64(&json, "frames_named", h->frames_named);
	json_u64(&json, "names_refused", h->names_refused);
	json_string(&json, "kernel_names", h->kernel_trouble ? h->kernel_trouble : "ok");
	json_u64(&json, "files_given_up", h->workers ? h->workers->given_up : 0);
	if (h->workers && h->workers->more_given_up)
		json_bool(&json, "more_files_given_up", true);
	json_array(&json, "given_up");
	for (uint32_t i = 0; h->workers && i < h->workers->casualties.count; i++) {
		json_object(&json, NULL);
		json_string(&json, "path", h->workers->casualties.at[i].path);
		json_string(&json, "why", h->workers->casualties.at[i].why);
		json_end(&json);
	}
	json_end(&json);
	json_u64(&json, "symbol_cache_files",
		 h->workers ? h->workers->symbol_cache.used[SYMBOL_CACHE_NAMES] : 0);
	json_u64(&json, "table_cache_files",
		 h->workers ? h->workers->symbol_cache.used[SYMBOL_CACHE_TABLE] : 0);
	if (h->fetches)
		fetches_json(h->fetches, &json);
	if (h->has_growth)
		growth_json(&h->growth, &json);
	if (h->has_heap)
		heap_json(&h->heap, &json);
	json_object(&json, "cost");
	json_u64(&json, "bpf_ns", h->bpf_ns);
	json_u64(&json, "user_ns", h->user_ns);
	json_u64(&json, "start_ns", h->start_ns);
	json_u64(&json, "build_ns", h->build_ns);
	json_u64(&json, "naming_ns", h->naming_ns);
	json_double(&json, "percent_of_cpu", health_cost_percent(h));
	json_bool(&json, "kernel_part_counted", !h->copy_bytes);
	if (h->probe_windows) {
		json_u64(&json, "probe_hits", h->probe_hits);
		json_u64(&json, "probe_ns", (uint64_t)h->probe_ns);
		json_u64(&json, "probe_windows", h->probe_windows);
		json_u64(&json, "probe_open_ns", h->probe_open_ns);
		json_double(&json, "probes_percent_of_target", probe_percent(h));
	}
	json_u64(&json, "rss_bytes", h->rss_bytes);
	json_u64(&json, "kernel_bytes", h->kernel_bytes);
	json_u64(&json, "table_bytes", h->table_bytes);
	json_u64(&json, "tables", h->tables);
	json_u64(&json, "evictions", h->evictions);
	json_end(&json);
	json_object(&json, "counters");
	for (unsigned i = 0; i < COUNT_COUNTERS; i++) {
		char name[32] = "";

		for (size_t k = 0; counter_names[i][k] && k < sizeof(name) - 1; k++)
			name[k] = (char)(counter_names[i][k] == '_' ? '_'
								    : counter_names[i][k] | 0x20);
		json_u64(&json, name, h->counters[i]);
	}
	json_end(&json);
	json_end(&json);
}
