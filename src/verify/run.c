// SPDX-License-Identifier: Apache-2.0
#include "verify/run.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "session/recording.h"

struct counting {
	struct verify_run *run;
	const struct profile *profile;
	uint32_t count_type, weight_type;
	const char *program; /* path */
	uint8_t functions[WIRE_MAX_FRAMES];
};

/* Is it code of this program, and which? PROGRAM_FUNCTIONS: none that is known. */
static enum program_function function_of(const struct counting *c,
					 const struct profile_location *location)
{
	const struct profile_mapping *mapping = &c->profile->mappings.at[location->mapping];

	if (location->kind == LOCATION_NOTE || location->kind == LOCATION_KERNEL ||
	    strcmp(profile_text(c->profile, mapping->file), c->program) != 0)
		return PROGRAM_FUNCTIONS;
	return program_function_at(location->address);
}

/* The frames between the outermost known function and the end are those that begin a program or a thread. */
static bool reaches_root(const struct counting *c, struct profile_run stack, uint32_t outermost,
			 enum program_function first)
{
	enum { THREAD_BEGINS_MAX = 3 };
	const uint32_t *ids = c->profile->stack_locations.at + stack.first;
	const struct profile_location *last = &c->profile->locations.at[ids[stack.count - 1]];
	const char *file = profile_text(c->profile, c->profile->mappings.at[last->mapping].file);
	uint32_t beyond = stack.count - 1 - outermost;

	if (last->kind == LOCATION_NOTE)
		return false;
	if (first == PROGRAM_THREAD)
		return beyond >= 1 && beyond <= THREAD_BEGINS_MAX;
	return first == PROGRAM_MAIN && strcmp(file, c->program) == 0 &&
	       program_is_entry(last->address);
}

static void count_stack(struct counting *c, struct profile_run stack, uint64_t samples,
			double weight)
{
	const uint32_t *ids = c->profile->stack_locations.at + stack.first;
	struct verify_run *run = c->run;
	uint32_t count = 0, outermost = 0;

	run->samples += samples;
	for (uint32_t i = stack.count; i-- > 0;) {
		enum program_function function = function_of(c, &c->profile->locations.at[ids[i]]);

		if (function == PROGRAM_FUNCTIONS || count == ARRAY_SIZE(c->functions))
			continue;
		if (count == 0)
			outermost = i;
		c->functions[count++] = function;
	}
	if (count == 0) { /* before the program's own code runs, and after */
		run->rootless +=
			stack.count && c->profile->locations.at[ids[stack.count - 1]].kind ==
						LOCATION_NOTE
				? samples
				: 0;
		return;
	}
	run->inside += samples;
	if (!reaches_root(c, stack, outermost, c->functions[0]))
		run->rootless += samples;
	if (!program_can_have(c->functions, count))
		run->wrong += samples;
	if (count < 2 || c->functions[1] != PROGRAM_SPLIT)
		return;
	run->split_samples += samples;
	run->split_weight += weight;
	if (c->functions[count - 1] < PROGRAM_PARTS) {
		run->part_samples[c->functions[count - 1]] += samples;
		run->part_weight[c->functions[count - 1]] += weight;
	}
}

static void count_all(struct verify_run *run, const struct pipeline *pipeline, const char *program)
{
	const struct profile *profile = pipeline->profile;
	struct counting c = { .run = run,
			      .profile = profile,
			      .count_type = pipeline->measures.types[MEASURE_SAMPLES],
			      .weight_type = pipeline->measures.types[MEASURE_CPU],
			      .program = program };

	for (uint32_t i = 0; i < profile->samples.count; i++) {
		const int64_t *values = profile->values.at + (size_t)i * profile->types.count;

		count_stack(&c, profile->stacks.at[profile->samples.at[i].stack],
			    (uint64_t)values[c.count_type], (double)values[c.weight_type]);
	}
}

/* What was interrupted before it began needs no words of its own; recording_fini ends it. Returns 0 or -ECHILD. */
static int end_program(struct verify_run *run, struct recording *rec, bool interrupted)
{
	bool begun = rec->launch.go_fd < 0 && launch_result(&rec->launch) != LAUNCH_UNDER_WAY;

	if (!rec->launch.pid || (interrupted && !begun) || recording_end_command(rec) == 0)
		return 0;
	run->said = !begun;
	return -ECHILD;
}

static int record(struct verify_run *run, const struct config *config, const char *program)
{
	struct recording rec;
	int r = recording_open(&rec, config), ended;

	if (r == 0)
		r = recording_run(&rec);
	run->said = r < 0;
	if (r == 0) {
		r = recording_finish(&rec, &run->health);
		run->health.workers = NULL;
		run->health.fetches = NULL;
		run->health.why_copies = NULL;
		if (r == 0)
			count_all(run, &rec.pipeline, program);
		if (r == 0 && rec.end == RECORDING_SIGNAL)
			r = -EINTR;
		recording_let_signals_through(&rec);
		ended = end_program(run, &rec, r == -EINTR);
		if (r == 0)
			r = ended;
	}
	recording_fini(&rec);
	return r;
}

int verify_run(struct verify_run *ret, const char *what, unsigned seconds, uint32_t frequency_hz,
	       enum unwind_choice unwind)
{
	/* Inherited by the program, which writes there what is true. */
	cleanup(close) int truth = memfd_create("profd-truth", 0);
	char program[PATH_MAX] = {}, duration[16], fd[16];
	char *command[] = {
		program, (char *)"_verify", (char *)(uintptr_t)what, duration, fd, NULL
	};
	struct config config;
	int r;

	*ret = (struct verify_run){};
	if (truth < 0 || readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
		return -errno;
	snprintf(duration, sizeof(duration), "%u", seconds);
	snprintf(fd, sizeof(fd), "%d", truth);
	config_init(&config);
	config.target.command = command;
	config.target.children = true;
	config.frequency_hz = frequency_hz;
	config.unwind = unwind;
	config.quiet = true;
	config.itself = true; /* it is profd's own program that is looked at */
	r = record(ret, &config, program);
	config_fini(&config);
	if (r == 0 && fs_read_at(truth, &ret->truth, sizeof(ret->truth), 0) < 0)
		r = -ENODATA;
	return r;
}
