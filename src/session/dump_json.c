// SPDX-License-Identifier: Apache-2.0
/* A dump as one JSON object: the threads, and the stacks that they have, each once. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "session/dump.h"
#include "unwind/outcome.h"

static const char *const kinds[] = {
	[LOCATION_USER] = "program",
	[LOCATION_LIBRARY] = "library",
	[LOCATION_KERNEL] = "kernel",
	[LOCATION_JIT] = "generated",
	[LOCATION_INTERPRETED] = "interpreted",
	[LOCATION_NOTE] = "note",
};

static const char *how_text(const struct dump_thread *thread)
{
	switch (thread->how) {
	case DUMP_WALKED:
	case DUMP_STILL:
		return thread->moved ? "moved" : "still";
	case DUMP_SAMPLED:
		return "sampled";
	case DUMP_NOTHING:
	case DUMP_ENDED:
		break;
	}
	return "none";
}

static void add_call(struct json *json, const struct system_call *call)
{
	if (call->number < 0)
		return;
	json_object(json, "system_call");
	json_u64(json, "number", (uint64_t)call->number);
	json_string(json, "name", call->name);
	json_array(json, "arguments");
	for (unsigned i = 0; i < call->count; i++) {
		json_object(json, NULL);
		json_u64(json, "value", call->arguments[i].value);
		json_string(json, "text", call->arguments[i].text);
		json_end(json);
	}
	json_end(json);
	json_end(json);
}

static bool has_stack(const struct dump_thread *thread)
{
	return thread->how != DUMP_NOTHING && thread->how != DUMP_ENDED;
}

static void add_thread(struct json *json, const struct dump *dump, const struct dump_thread *thread,
		       const uint32_t *numbers)
{
	char comm[WIRE_COMM_BYTES + 1] = "";

	memcpy(comm, thread->at.comm, WIRE_COMM_BYTES);
	json_object(json, NULL);
	json_u64(json, "tid", thread->at.tid);
	json_string(json, "name", comm);
	json_string(json, "state", thread_state_text(&thread->at));
	json_string(json, "kernel_function", dump_kernel_function(dump, thread));
	if (has_stack(thread) && thread->at.since_ns && !(thread->at.flags & THREAD_ON_CPU) &&
	    thread->looked_ns >= thread->at.since_ns)
		json_double(json, "off_cpu_s",
			    (double)(thread->looked_ns - thread->at.since_ns) / 1e9);
	add_call(json, &thread->call);
	json_string(json, "taken", how_text(thread));
	if (has_stack(thread)) {
		json_string(json, "walk", walk_outcome_text(thread->outcome));
		json_u64(json, "stack", numbers[thread->stack] - 1);
	}
	json_end(json);
}

static void add_frames(struct json *json, const struct profile *profile,
		       const struct profile_location *location)
{
	const struct profile_mapping *mapping = &profile->mappings.at[location->mapping];

	for (uint32_t i = 0; i < location->line_count; i++) {
		const struct profile_line *line = &profile->lines.at[location->first_line + i];
		const struct profile_function *function = &profile->functions.at[line->function];

		json_object(json, NULL);
		json_string(json, "function", profile_text(profile, function->name));
		json_string(json, "system_name", profile_text(profile, function->system_name));
		if (function->file)
			json_string(json, "file", profile_text(profile, function->file));
		if (line->line)
			json_u64(json, "line", line->line);
		json_string(json, "module", profile_text(profile, mapping->file));
		if (mapping->build_id)
			json_string(json, "build_id", profile_text(profile, mapping->build_id));
		json_u64(json, "address", location->address);
		json_string(json, "kind", kinds[location->kind]);
		json_bool(json, "inlined", i + 1 < location->line_count);
		json_end(json);
	}
}

static void add_stack(struct json *json, const struct profile *profile, uint32_t stack,
		      bool no_kernel)
{
	const struct profile_run *run = &profile->stacks.at[stack];

	json_array(json, NULL);
	for (uint32_t i = 0; i < run->count; i++) {
		const struct profile_location *location =
			&profile->locations.at[profile->stack_locations.at[run->first + i]];

		if (!no_kernel || location->kind != LOCATION_KERNEL)
			add_frames(json, profile, location);
	}
	json_end(json);
}

void dump_json(struct bytes *ret, const struct dump *dump, const struct dump_config *config,
	       const char *command)
{
	const struct profile *profile = dump->pipeline.profile;
	/* By stack: its number in the output + 1; 0: no thread has it any more. */
	cleanup(free) uint32_t *numbers = calloc(profile->stacks.count + 1, sizeof(*numbers));
	cleanup(free) uint32_t *stacks = calloc(dump->threads.count + 1, sizeof(*stacks));
	struct json json = json_to(ret);
	uint32_t count = 0;

	if (!numbers || !stacks) {
		ret->failed = true;
		return;
	}
	json_object(&json, NULL);
	json_u64(&json, "schema_version", 1);
	json_u64(&json, "pid", (uint64_t)dump->pid);
	json_string(&json, "command", command);
	if (dump->stop_ns)
		json_double(&json, "stopped_s", (double)dump->stop_ns / 1e9);
	json_array(&json, "threads");
	for (uint32_t i = 0; i < dump->threads.count; i++) {
		const struct dump_thread *thread = &dump->threads.at[i];

		if (has_stack(thread) && !numbers[thread->stack]) {
			stacks[count++] = thread->stack;
			numbers[thread->stack] = count;
		}
		add_thread(&json, dump, thread, numbers);
	}
	json_end(&json);
	json_array(&json, "stacks");
	for (uint32_t i = 0; i < count; i++)
		add_stack(&json, profile, stacks[i], config->no_kernel);
	json_end(&json);
	json_end(&json);
}
