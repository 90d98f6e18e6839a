// SPDX-License-Identifier: Apache-2.0
/* Samples without BPF: perf's own, with registers and a copy of the stack (source/copy.h). */
#include "cmd/probes.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "source/copy.h"
#include "source/perf_event.h"
#include "source/sampler.h"

#define BURN_NS 20000000ULL
#define PERIOD_NS 1000000ULL

struct seen {
	uint32_t samples, copies;
};

static int note_sample(void *context, const struct wire_sample *sample, size_t size)
{
	struct seen *seen = context;

	(void)size;
	seen->samples++;
	seen->copies += sample->stack_bytes > 0;
	return 0;
}

/* Samples ourselves for a moment. */
static int try_copies(struct seen *seen, struct copy_source *source)
{
	struct sampler sampler = copy_source_sampler(source);
	int r = sampler_watch(&sampler, getpid(), TARGET_WATCHED);
	uint64_t until;

	if (r == 0)
		r = sampler_start(&sampler);
	if (r < 0)
		return r;
	until = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + BURN_NS;
	while (clock_ns(CLOCK_PROCESS_CPUTIME_ID) < until)
		;
	sampler_stop(&sampler);
	r = sampler_drain(&sampler, note_sample, seen);
	return r < 0 ? r : sampler_settle(&sampler, note_sample, seen);
}

static int open_and_try(struct probe_result *ret, const struct cpu_list *cpus, bool by_task)
{
	cleanup(copy_source_close) struct copy_source *source = NULL;
	struct copy_source_options options = {
		.config = { .kernel_stacks = 1, .user_stacks = 1, .max_frames = WIRE_MAX_FRAMES },
		.events = 1U << EVENT_CPU,
		.period_ns = PERIOD_NS,
		.cgroup_fd = -1,
		.cpus = cpus,
		.by_task = by_task,
	};
	struct source_failure failure = {};
	struct seen seen = {};
	int r = copy_source_open(&source, &options, &failure);

	if (r == 0)
		r = try_copies(&seen, source);
	if (r < 0) {
		probe_say(ret, PROBE_MISSING, "%s: %s",
			  failure.what[0] ? failure.what : "stacks cannot be copied", strerror(-r));
		return r;
	}
	if (!seen.copies)
		probe_say(ret, PROBE_MISSING, "%u samples came, none with a copy of the stack",
			  seen.samples);
	else if (!by_task)
		probe_say(ret, PROBE_OK, "up to %u bytes of stack came with each sample",
			  copy_source_stack_bytes(source));
	else
		probe_say(ret, PROBE_DEGRADED, "up to %u bytes of stack, of your own processes%s",
			  copy_source_stack_bytes(source),
			  copy_source_is_user_only(source) ? ", without time in the kernel" : "");
	return 0;
}

static void stack_copies(struct probe_result *ret)
{
	struct cpu_list cpus = {};
	int r = cpu_list_online(&cpus);

	if (r < 0) {
		probe_say(ret, PROBE_UNKNOWN, "the CPUs cannot be counted: %s", strerror(-r));
		return;
	}
	r = open_and_try(ret, &cpus, false);
	if (r == -EACCES || r == -EPERM) {
		if (open_and_try(ret, &cpus, true) < 0)
			probe_fix(ret, "sysctl -w kernel.perf_event_paranoid=2");
		else
			probe_fix_as_root(ret);
	}
	array_fini(&cpus.cpus);
}

const struct probe probes_copies[] = {
	{ "stack-copies", PROBE_FOR_COPIES, stack_copies },
	{},
};
