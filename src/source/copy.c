// SPDX-License-Identifier: Apache-2.0
#include "source/copy.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "source/copy_counters.h"
#include "source/copy_cpus.h"
#include "source/copy_filter.h"
#include "source/copy_queue.h"
#include "source/copy_record.h"
#include "source/copy_registers.h"
#include "source/copy_sizes.h"
#include "source/copy_threads.h"
#include "source/lifecycle.h"
#include "source/perf_event.h"
#include "source/perf_ring.h"
#include "source/sampler.h"
#include "source/task_events.h"

struct copy_source {
	struct wire_config config;
	struct wire_glob comm;
	struct copy_sizes sizes;
	bool exact, user_only;
	struct copy_layout layout;
	struct copy_threads threads; /* of whole CPUs: all have the same */
	bool larger;		     /* some copies are to be, from the next look on */
	struct copy_cpus cpus;
	struct task_events tasks;
	bool timed; /* time is sampled */
	bool counts_tasks; /* what is counted is that of tasks alone, where whole CPUs are not asked for */
	struct copy_counters counted;
	uint64_t stopped_ns;
	uint32_t opening; /* the event that was opened last, for what is said of it */
	struct copy_filter filter;
	struct copy_queue queue;
	uint64_t counters[COUNT_COUNTERS];
	uint64_t throttled;
	struct copy_cpu *draining;
	_Alignas(8) unsigned char record[PERF_RECORD_BYTES_MAX];
	_Alignas(8) unsigned char sample[COPY_SAMPLE_BYTES_MAX];
};

static int fail(struct source_failure *failure, int r, const char *what)
{
	snprintf(failure->what, sizeof(failure->what), "%s", what);
	return r;
}

static struct perf_event_attr event_attr(const struct copy_source *source)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = source->sizes.period_ns,
		.sample_type = copy_layout_sample_type(&source->layout),
		.disabled = 1,
		.exclude_kernel = source->user_only,
		.exclude_callchain_user = !source->layout.user_chain,
		.exclude_callchain_kernel = source->user_only || !source->config.kernel_stacks,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
		.watermark = 1,
		.wakeup_watermark = INT32_MAX, /* the ring's own event wakes us */
	};

	if (!source->layout.user_chain) {
		attr.sample_regs_user = copy_registers_mask();
		attr.sample_stack_user = source->threads.bytes;
	}
	return attr;
}

static const char *open_failure(int r)
{
	if (r == -EPERM || r == -EACCES)
		return "kernel.perf_event_paranoid and kernel.perf_event_mlock_kb do not allow us to "
		       "sample here";
	return "cannot open perf events";
}

static int open_cpu_events(struct copy_source *source)
{
	struct perf_event_attr attr = event_attr(source);
	int r = source->timed ? copy_cpus_open_events(&source->cpus, &attr) : 0;

	return r < 0 || source->counts_tasks
		       ? r
		       : copy_counters_open(&source->counted, &attr, -1, false, false,
					    &source->opening);
}

/* Whether we may sample time in the kernel, at least our own. */
static bool may_see_kernel(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.disabled = 1,
	};
	cleanup(close) int fd = perf_event_new(&attr, 0, -1);

	return fd >= 0;
}

int copy_source_open(struct copy_source **ret, const struct copy_source_options *options,
		     struct source_failure *failure)
{
	cleanup(copy_source_close) struct copy_source *source = calloc(1, sizeof(*source));
	int r;

	if (!source)
		return fail(failure, -ENOMEM, "out of memory");
	source->cpus.epoll_fd = -1;
	source->config = options->config;
	if (options->config.filter_comm)
		source->comm = *options->comm;
	source->filter = (struct copy_filter){ .config = &source->config,
					       .comm = &source->comm,
					       .cgroup_fd = options->config.filter_cgroup
								    ? dup(options->cgroup_fd)
								    : -1 };
	source->sizes = (struct copy_sizes){
		.period_ns = options->frequency_hz ? 1000000000ULL / options->frequency_hz
						   : options->period_ns,
		.cpu_count = options->cpus->cpus.count,
		.by_task = options->by_task,
	};
	source->exact = options->frequency_hz == 0;
	source->counts_tasks = options->by_task || !options->config.everything;
	source->timed = options->events >> EVENT_CPU & 1;
	source->counted.events = options->events >> EVENT_COUNTED_FIRST << EVENT_COUNTED_FIRST;
	source->counted.frequency_hz = options->frequency_hz;
	source->counted.period = options->counted_period;
	source->user_only = !may_see_kernel();
	source->layout = (struct copy_layout){
		.chain = options->frame_pointers ||
			 (options->config.kernel_stacks && !source->user_only),
		.user_chain = options->frame_pointers,
		.cgroup = options->config.filter_cgroup,
		.identifier = source->counted.events != 0,
		/* With a fixed one the kernel would take each event of its own as a sample. */
		.period = source->counted.events && !options->counted_period,
	};
	r = copy_cpus_init(&source->cpus, options->cpus);
	if (r < 0)
		return fail(failure, r, "cannot set up");
	r = copy_cpus_open_rings(&source->cpus, &source->sizes,
				 source->sizes.by_task ? &source->tasks : NULL);
	if (r < 0)
		return fail(failure, r, open_failure(r));
	r = copy_counters_init(&source->counted, &source->cpus, source->counts_tasks);
	if (r < 0)
		return fail(failure, r, "out of memory");
	source->threads.bytes =
		copy_stack_bytes_at_first(&source->sizes, copy_cpus_smallest_ring(&source->cpus));
	r = source->sizes.by_task ? 0 : open_cpu_events(source);
	if (r < 0 && source->opening >= EVENT_COUNTED_FIRST) {
		counted_event_trouble(failure->what, sizeof(failure->what), source->opening, r);
		return r;
	}
	if (r == -EINVAL && source->layout.cgroup)
		return fail(failure, r,
			    "this kernel's perf does not tell control groups (before Linux 5.7)");
	if (r < 0)
		return fail(failure, r, open_failure(r));
	*ret = TAKE_PTR(source);
	return 0;
}

void copy_source_close(struct copy_source *source)
{
	if (!source)
		return;
	task_events_fini(&source->tasks);
	copy_counters_fini(&source->counted);
	copy_cpus_fini(&source->cpus);
	if (source->filter.cgroup_fd >= 0)
		close(source->filter.cgroup_fd);
	copy_filter_fini(&source->filter);
	copy_queue_fini(&source->queue);
	copy_threads_fini(&source->threads);
	free(source);
}

static void size_copies(void *context, struct perf_event_attr *attr, pid_t tid)
{
	const struct copy_source *source = context;

	attr->sample_stack_user = copy_threads_bytes(&source->threads, tid);
}

static int open_task(struct copy_source *source, pid_t id, uint32_t flags)
{
	struct perf_event_attr attr = event_attr(source);
	int r;

	source->tasks.adapt = source->layout.user_chain ? NULL : size_copies;
	source->tasks.adapt_context = source;
	for (uint32_t i = 0; source->sizes.by_task && i < EVENTS_COUNTED; i++) {
		source->counted.opened[i].adapt = source->tasks.adapt;
		source->counted.opened[i].adapt_context = source;
	}
	r = !source->timed || !source->sizes.by_task
		    ? 0
		    : task_events_open(&source->tasks, &attr, id, source->config.by_tid,
				       flags & TARGET_INHERIT);
	return r < 0 || !source->counts_tasks
		       ? r
		       : copy_counters_open(&source->counted, &attr, id, source->config.by_tid,
					    flags & TARGET_INHERIT, &source->opening);
}

static int watch(void *context, pid_t id, uint32_t flags)
{
	struct copy_source *source = context;
	int r = copy_filter_watch(&source->filter, id, flags, clock_ns(CLOCK_MONOTONIC));

	/* From now on its name is known, also when it ends before its first sample is seen. */
	if (r == 0 && !task_names_get(&source->filter.names, id))
		r = -ENOMEM;
	return r < 0 ? r : open_task(source, id, flags);
}

static bool watches_any(void *context)
{
	struct copy_source *source = context;

	return copy_filter_watches_any(&source->filter);
}

static void control(struct copy_source *source, unsigned long request)
{
	task_events_control(&source->tasks, request);
	copy_counters_control(&source->counted, request);
	copy_cpus_control(&source->cpus, request);
}

static int start(void *context)
{
	struct copy_source *source = context;

	source->cpus.runs = true;
	control(source, PERF_EVENT_IOC_ENABLE);
	return 0;
}

static void stop(void *context)
{
	struct copy_source *source = context;

	if (source->cpus.runs)
		source->stopped_ns = clock_ns(CLOCK_MONOTONIC);
	source->cpus.runs = false;
	control(source, PERF_EVENT_IOC_DISABLE);
}

static int drain(void *context, int (*handle)(void *, const struct wire_sample *, size_t),
		 void *handle_context);

/* All events anew, with the size of copies that there is now. */
static int reopen(struct copy_source *source)
{
	int r;

	/* What counters have written says whose it is by ids that are forgotten next. */
	copy_counters_control(&source->counted, PERF_EVENT_IOC_DISABLE);
	r = drain(source, NULL, NULL);
	if (r < 0)
		return r;
	copy_counters_close(&source->counted);
	task_events_close(&source->tasks);
	r = source->sizes.by_task ? 0 : open_cpu_events(source);
	for (uint32_t i = 0; r == 0 && i < source->filter.targets.count; i++) {
		const struct copy_target *target = &source->filter.targets.at[i];

		r = target->ended ? 0 : open_task(source, target->id, target->flags);
		/* It is gone, or runs a program with privileges now, whose events the kernel has ended. */
		if (r == -ESRCH || r == -EACCES || r == -EPERM)
			r = 0;
	}
	if (r == 0 && source->cpus.runs) {
		task_events_control(&source->tasks, PERF_EVENT_IOC_ENABLE);
		copy_counters_control(&source->counted, PERF_EVENT_IOC_ENABLE);
	}
	return r;
}

int copy_source_note_cut(struct copy_source *source, pid_t tid, uint32_t copied)
{
	uint32_t ring = copy_cpus_smallest_ring(&source->cpus), bytes;
	int r = 0;

	if (source->sizes.by_task) {
		r = copy_threads_grow(&source->threads, tid, copied, ring);
	} else if (copied >= source->threads.bytes) {
		bytes = copy_stack_bytes_grown(source->threads.bytes, ring);
		r = bytes > source->threads.bytes;
		source->threads.bytes = bytes;
	}
	source->larger |= r > 0;
	return r < 0 ? r : 0;
}

int copy_source_grow(struct copy_source *source)
{
	if (!source->larger || !source->cpus.runs)
		return 0;
	source->larger = false;
	source->threads.rounds++;
	return reopen(source);
}

uint32_t copy_source_stack_bytes(const struct copy_source *source)
{
	return source->layout.user_chain ? 0 : copy_threads_most(&source->threads);
}

uint32_t copy_source_grown_threads(const struct copy_source *source)
{
	return source->threads.grown.count;
}

bool copy_source_is_user_only(const struct copy_source *source)
{
	return source->user_only;
}

uint64_t copy_source_throttled(const struct copy_source *source)
{
	return source->throttled;
}

void copy_source_figures(const struct copy_source *source, uint32_t event,
			 struct counted_figures *ret)
{
	copy_counters_figures(&source->counted, event,
			      source->cpus.runs ? clock_ns(CLOCK_MONOTONIC) : source->stopped_ns, ret);
}

/* As cpu_source_rephase. */
static void rephase(void *context, uint64_t elapsed_ns)
{
	struct copy_source *source = context;

	/* A task's event counts its own time: to begin anew would lose half a period of that each time. */
	if (source->exact || source->sizes.by_task)
		return;
	copy_cpus_rephase(&source->cpus, source->sizes.period_ns, elapsed_ns);
}

/* As cpu_source_follow. Events of tasks on such a CPU are opened for those that are watched later. */
static int follow(void *context, const struct cpu_list *online, struct cpu_list *changed)
{
	struct copy_source *source = context;
	struct perf_event_attr attr = event_attr(source);

	if (!source->cpus.runs || source->sizes.by_task || !source->timed)
		return 0;
	return copy_cpus_follow(&source->cpus, &attr, online, changed);
}

static int fd_of(void *context)
{
	struct copy_source *source = context;

	return source->cpus.epoll_fd;
}

/* What is outside of profd's pid namespace has no pid there, like idling; but it has a user stack. */
static bool is_outside(const struct wire_sample *sample)
{
	return sample->tid == 0 && sample->outcome != WALK_NO_USER_STACK;
}

/* A task's own timer stands still while the task does, which says nothing. */
static uint64_t missed_ticks(const struct copy_source *source, struct copy_cpu *cpu,
			     const struct wire_sample *sample)
{
	bool busy = sample->tid != 0 || is_outside(sample);
	uint64_t missed = copy_cpu_tick(cpu, sample->time_ns, busy,
					source->cpus.rephased_ns, source->sizes.period_ns);

	return source->sizes.by_task || source->user_only ? 0 : missed;
}

static bool is_surely_not_ours(struct copy_source *source, const struct wire_sample *sample)
{
	uint32_t id = source->config.by_tid ? sample->tid : sample->pid;

	if (sample->tid == 0)
		return !source->config.include_idle;
	if (source->config.everything || source->config.filter_comm || source->config.filter_uid)
		return false;
	for (uint32_t i = 0; i < source->filter.targets.count; i++) {
		const struct copy_target *target = &source->filter.targets.at[i];

		if (target->id == (pid_t)id || target->flags & TARGET_INHERIT)
			return false;
	}
	return true;
}

static int keep(struct copy_source *source, const struct wire_sample *sample, size_t size,
		uint64_t missed)
{
	int r = copy_queue_add_sample(&source->queue, sample, size, missed);

	source->counters[COUNT_DROPPED] += r > 0;
	return r < 0 ? r : 0;
}

/* Whether it was one of a counter, not of a timer. */
static bool note_counter_stop(struct copy_source *source, const void *record, uint32_t size)
{
	struct {
		struct perf_event_header header;
		uint64_t time_ns, id, stream_id;
	} stop; /* include/uapi/linux/perf_event.h, PERF_RECORD_THROTTLE */
	struct copy_counter *counter;

	if (size < sizeof(stop))
		return false;
	memcpy(&stop, record, sizeof(stop));
	counter = copy_counters_find(&source->counted, stop.id);
	if (counter)
		counted_throttle_note(&counter->throttle, stop.header.type == PERF_RECORD_THROTTLE,
				      stop.time_ns);
	return counter != NULL;
}

/* What the sample is of, and weighs. False: it is a timer's. */
static bool take_counter(struct copy_source *source, const struct copy_origin *origin,
			 struct wire_sample *sample)
{
	struct copy_counter *counter =
		source->layout.identifier ? copy_counters_find(&source->counted, origin->id) : NULL;
	uint64_t period = source->counted.period ? source->counted.period : origin->period;

	if (!counter)
		return false;
	sample->event = counter->event;
	sample->weight_ns = period;
	counter->seen.hits++;
	counter->seen.events += period;
	if (counter->seen.largest < period)
		counter->seen.largest = period;
	return true;
}

static int take_record(void *context, const void *record, uint32_t size)
{
	struct copy_source *source = context;
	struct wire_sample *sample = (struct wire_sample *)(void *)source->sample;
	struct perf_event_header header;
	struct copy_origin origin;
	uint64_t lost, missed;
	size_t bytes;

	memcpy(&header, record, sizeof(header));
	switch (header.type) {
	case PERF_RECORD_LOST: /* u64 id, lost */
		if (size < sizeof(header) + 16)
			return 0;
		memcpy(&lost, (const char *)record + sizeof(header) + 8, sizeof(lost));
		source->counters[COUNT_DROPPED] += lost;
		source->draining->last_ns = 0;
		return 0;
	case PERF_RECORD_THROTTLE:
	case PERF_RECORD_UNTHROTTLE:
		if (note_counter_stop(source, record, size) || header.type != PERF_RECORD_THROTTLE)
			return 0;
		/* An idle CPU without its tick is throttled by and by, and nothing is lost. */
		source->throttled += source->draining->busy;
		return 0;
	default:
		break;
	}
	bytes = copy_record_parse(sample, &origin, record, size, &source->layout);
	if (!bytes)
		return 0;
	if (take_counter(source, &origin, sample)) {
		missed = 0;
	} else {
		sample->weight_ns = source->sizes.period_ns;
		source->counters[COUNT_TICKS]++;
		missed = missed_ticks(source, source->draining, sample);
	}
	if (is_outside(sample)) {
		source->counters[COUNT_OUTSIDE]++;
		return 0;
	}
	source->counters[COUNT_IDLE] += sample->tid == 0;
	if (is_surely_not_ours(source, sample)) {
		source->counters[COUNT_FILTERED] += sample->tid != 0;
		return 0;
	}
	return keep(source, sample, bytes, missed);
}

static int drain(void *context, int (*handle)(void *, const struct wire_sample *, size_t),
		 void *handle_context)
{
	struct copy_source *source = context;
	int r = 0;

	(void)handle;
	(void)handle_context;
	for (uint32_t i = 0; r == 0 && i < source->cpus.count; i++) {
		source->draining = &source->cpus.at[i];
		r = perf_ring_drain(&source->cpus.at[i].ring, source->record, take_record, source);
	}
	return r;
}

static int note_event(void *context, const struct lifecycle_event *event)
{
	struct copy_source *source = context;

	return copy_queue_add_event(&source->queue, event);
}

struct settling {
	struct copy_source *source;
	int (*handle)(void *, const struct wire_sample *, size_t);
	void *context;
};

static int settle_event(void *context, const struct lifecycle_event *event)
{
	struct settling *settling = context;

	return copy_filter_event(&settling->source->filter, event);
}

static int settle_sample(void *context, struct wire_sample *sample, size_t size, uint64_t missed)
{
	struct settling *settling = context;
	struct copy_source *source = settling->source;
	int r = copy_filter_sample(&source->filter, sample);

	if (r < 0)
		return r;
	source->counters[r ? COUNT_SENT : COUNT_FILTERED]++;
	source->counters[COUNT_MISSED] += r ? missed : 0;
	source->counters[COUNT_COPIES] += r && sample->stack_bytes;
	r = r ? settling->handle(settling->context, sample, size) : 0;
	return r < 0 ? r : 0;
}

static int settle(void *context, int (*handle)(void *, const struct wire_sample *, size_t),
		  void *handle_context)
{
	static const struct copy_queue_ops ops = { settle_event, settle_sample };
	struct copy_source *source = context;
	struct settling settling = { source, handle, handle_context };

	return copy_queue_settle(&source->queue, &ops, &settling);
}

static void counters(void *context, uint64_t ret[COUNT_COUNTERS])
{
	const struct copy_source *source = context;

	memcpy(ret, source->counters, sizeof(source->counters));
}

static uint64_t period_ns(void *context)
{
	const struct copy_source *source = context;

	return source->sizes.period_ns;
}

static uint64_t kernel_bytes(void *context)
{
	const struct copy_source *source = context;
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < source->cpus.count; i++)
		bytes += source->cpus.at[i].ring.bytes;
	return bytes;
}

struct sampler copy_source_sampler(struct copy_source *source)
{
	static const struct sampler_ops ops = {
		.watch = watch,
		.watches_any = watches_any,
		.start = start,
		.stop = stop,
		.rephase = rephase,
		.follow = follow,
		.fd = fd_of,
		.drain = drain,
		.event = note_event,
		.settle = settle,
		.counters = counters,
		.period_ns = period_ns,
		.kernel_bytes = kernel_bytes,
	};

	return (struct sampler){ &ops, source };
}
