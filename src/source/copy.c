// SPDX-License-Identifier: Apache-2.0
#include "source/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/hash.h"
#include "source/copy_filter.h"
#include "source/copy_record.h"
#include "source/copy_registers.h"
#include "source/lifecycle.h"
#include "source/perf_event.h"
#include "source/perf_ring.h"
#include "source/sampler.h"
#include "source/task_events.h"

enum {
	RING_BYTES = 4 * 1024 * 1024,
	RING_BYTES_MIN = 32 * 1024,
	RINGS_BYTES = 128 * 1024 * 1024, /* all together */
	MLOCK_KIB = 516,	      /* kernel.perf_event_mlock_kb, unless somebody changed it */
	LIFECYCLE_BYTES = 132 * 1024, /* the rings of process events: lifecycle.c */
	/* That a ring has room for at first; one of a CPU's own event gets everybody's samples. */
	RECORDS_OF_TASKS = 16,
	RECORDS_OF_CPU = 64,
	RECORDS_LEAST = 3,
	STACK_BYTES_MIN = 4096,
	STACK_BYTES_MAX = 65528, /* sample_stack_user: 16 bits, and a multiple of 8 */
	RECORD_REST_BYTES =
		2048, /* what a record takes beside the stack, with many kernel frames */
};

/* As of cpu.c. */
#define SHIFT_MAX 0.05
/* Above this rate rings are four times as large: a quarter of a second at 997 Hz. */
#define FAST_NS 4000000ULL
#define LOOK_NS 1000000000ULL
#define LOOK_TICKS 10
/* Samples that wait for the events before them; then no more are taken in. */
#define WAITING_BYTES_MAX (128UL << 20)

struct copy_cpu {
	uint32_t cpu;
	int ring_fd; /* of the event that the ring belongs to; -1: none */
	int fd;	     /* of the CPU's own event; -1: none */
	struct perf_ring ring;
	double shift;
	uint64_t ticks, looked_ticks;
	uint64_t last_ns; /* of the last tick */
	bool busy;	  /* it was of a task */
};

struct waiting_event {
	struct lifecycle_event event; /* without text */
	char comm[WIRE_COMM_BYTES];
	uint32_t order;
};

struct waiting_sample {
	uint64_t time_ns;
	size_t offset, size;
	uint64_t missed; /* ticks before it */
};

struct copy_source {
	struct wire_config config;
	struct wire_glob comm;
	uint64_t period_ns;
	bool exact, by_task, user_only, runs;
	struct copy_layout layout;
	uint32_t stack_bytes;
	uint64_t cut_seen;
	struct copy_cpu *cpus;
	uint32_t cpu_count;
	int epoll_fd;
	struct task_events tasks;
	struct copy_filter filter;
	uint64_t rephased_ns, looked_ns;
	uint64_t counters[COUNT_COUNTERS];
	uint64_t throttled;
	struct copy_cpu *draining;
	ARRAY_OF(struct waiting_event) events;
	ARRAY_OF(struct waiting_sample) samples;
	struct bytes bytes;
	_Alignas(8) unsigned char record[PERF_RECORD_BYTES_MAX];
	_Alignas(8) unsigned char sample[COPY_SAMPLE_BYTES_MAX];
};

static int fail(struct source_failure *failure, int r, const char *what)
{
	snprintf(failure->what, sizeof(failure->what), "%s", what);
	return r;
}

/* ---- events ---- */

static struct perf_event_attr event_attr(const struct copy_source *source)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = source->period_ns,
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
		attr.sample_stack_user = source->stack_bytes;
	}
	return attr;
}

/* Of a CPU. The event does not run yet. */
static int open_event(struct copy_source *source, struct copy_cpu *cpu)
{
	struct perf_event_attr attr = event_attr(source);
	cleanup(close) int fd = perf_event_new(&attr, -1, (int)cpu->cpu);

	if (fd < 0)
		return TAKE_FD(fd);
	if (ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, cpu->ring_fd) < 0)
		return -errno;
	if (source->runs && ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
		return -errno;
	if (cpu->fd >= 0)
		close(cpu->fd);
	cpu->fd = TAKE_FD(fd);
	return 0;
}

static void cpu_close(struct copy_cpu *cpu)
{
	if (cpu->fd >= 0)
		close(cpu->fd);
	perf_ring_unmap(&cpu->ring);
	if (cpu->ring_fd >= 0)
		close(cpu->ring_fd);
	cpu->fd = cpu->ring_fd = -1;
}

/* What a user without privileges may lock: a part of it for each CPU, and his process's own limit. */
static uint64_t lockable_bytes(const struct copy_source *source)
{
	cleanup(bytes_fini) struct bytes text = {};
	uint64_t kib = MLOCK_KIB, own = 0;
	struct rlimit limit;

	if (fs_read(&text, AT_FDCWD, "/proc/sys/kernel/perf_event_mlock_kb", 64) == 0 &&
	    bytes_str(&text))
		(void)sscanf(text.at, "%" SCNu64, &kib);
	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0)
		own = limit.rlim_cur > RINGS_BYTES ? RINGS_BYTES : limit.rlim_cur;
	return kib * 1024 + own / source->cpu_count;
}

static uint32_t ring_bytes(const struct copy_source *source)
{
	uint32_t bytes = source->period_ns < FAST_NS ? 4 * RING_BYTES : RING_BYTES;
	uint64_t most = RINGS_BYTES / source->cpu_count, allowed;

	if (source->by_task) {
		allowed = lockable_bytes(source) / 4 * 3; /* he may run something else, too */
		allowed = allowed > LIFECYCLE_BYTES ? allowed - LIFECYCLE_BYTES : 0;
		if (allowed < most)
			most = allowed;
	}
	while (bytes > RING_BYTES_MIN && bytes > most)
		bytes /= 2;
	return bytes;
}

/* Its ring, and in a source of whole CPUs its event. */
static int cpu_open(struct copy_source *source, struct copy_cpu *cpu, uint32_t bytes)
{
	struct epoll_event event = { .events = EPOLLIN };
	int r = task_events_ring(&cpu->ring_fd, &cpu->ring, cpu->cpu, bytes, bytes);

	if (r < 0)
		return r;
	if (epoll_ctl(source->epoll_fd, EPOLL_CTL_ADD, cpu->ring_fd, &event) < 0)
		return -errno;
	if (source->by_task)
		return task_events_output(&source->tasks, cpu->cpu, cpu->ring_fd);
	return 0;
}

/* All as large as the limit on locked memory allows all of them to be. */
static int open_rings(struct copy_source *source)
{
	uint32_t bytes = ring_bytes(source);
	int r = -EPERM;

	for (; r == -EPERM && bytes >= RING_BYTES_MIN; bytes /= 2) {
		r = 0;
		for (uint32_t i = 0; i < source->cpu_count; i++)
			cpu_close(&source->cpus[i]);
		for (uint32_t i = 0; r == 0 && i < source->cpu_count; i++) {
			r = cpu_open(source, &source->cpus[i], bytes);
			if (r == -ENODEV || r == -ENXIO)
				r = 0; /* it went offline just now */
		}
	}
	return r;
}

static uint32_t smallest_ring(const struct copy_source *source)
{
	uint32_t bytes = UINT32_MAX;

	for (uint32_t i = 0; i < source->cpu_count; i++)
		if (source->cpus[i].ring_fd >= 0 && source->cpus[i].ring.bytes < bytes)
			bytes = source->cpus[i].ring.bytes;
	return bytes;
}

/* So large that the smallest ring holds this many records. */
static uint32_t stack_bytes_for(const struct copy_source *source, uint32_t records)
{
	uint32_t bytes = smallest_ring(source) / records;

	bytes = bytes > RECORD_REST_BYTES + STACK_BYTES_MIN ? bytes - RECORD_REST_BYTES
							    : STACK_BYTES_MIN;
	return bytes > STACK_BYTES_MAX ? STACK_BYTES_MAX : bytes & ~7U;
}

/* More where they come faster: until the ring is read, they have to find room. */
static uint32_t records_at_first(const struct copy_source *source)
{
	uint32_t records = source->by_task ? RECORDS_OF_TASKS : RECORDS_OF_CPU;

	return source->period_ns < FAST_NS ? 4 * records : records;
}

static const char *open_failure(int r)
{
	if (r == -EPERM || r == -EACCES)
		return "kernel.perf_event_paranoid and kernel.perf_event_mlock_kb do not allow us to "
		       "sample here";
	return "cannot open perf events";
}

static int open_events(struct copy_source *source)
{
	for (uint32_t i = 0; i < source->cpu_count; i++) {
		int r = source->cpus[i].ring_fd >= 0 ? open_event(source, &source->cpus[i]) : 0;

		if (r < 0 && r != -ENODEV && r != -ENXIO)
			return r;
	}
	return 0;
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
	source->epoll_fd = -1;
	source->config = options->config;
	if (options->config.filter_comm)
		source->comm = *options->comm;
	source->filter = (struct copy_filter){ .config = &source->config,
					       .comm = &source->comm,
					       .cgroup_fd = options->config.filter_cgroup
								    ? dup(options->cgroup_fd)
								    : -1 };
	source->period_ns =
		options->frequency_hz ? 1000000000ULL / options->frequency_hz : options->period_ns;
	source->exact = options->frequency_hz == 0;
	source->by_task = options->by_task;
	source->user_only = !may_see_kernel();
	source->layout = (struct copy_layout){
		.chain = options->frame_pointers ||
			 (options->config.kernel_stacks && !source->user_only),
		.user_chain = options->frame_pointers,
		.cgroup = options->config.filter_cgroup,
	};
	source->cpus = calloc(options->cpus->cpus.count, sizeof(*source->cpus));
	if (!source->cpus)
		return fail(failure, -ENOMEM, "out of memory");
	source->cpu_count = options->cpus->cpus.count;
	for (uint32_t i = 0; i < source->cpu_count; i++)
		source->cpus[i] = (struct copy_cpu){ .cpu = options->cpus->cpus.at[i],
						     .ring_fd = -1,
						     .fd = -1 };
	source->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (source->epoll_fd < 0)
		return fail(failure, -errno, "cannot set up");
	r = open_rings(source);
	if (r < 0)
		return fail(failure, r, open_failure(r));
	source->stack_bytes = stack_bytes_for(source, records_at_first(source));
	r = source->by_task ? 0 : open_events(source);
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
	for (uint32_t i = 0; source->cpus && i < source->cpu_count; i++)
		cpu_close(&source->cpus[i]);
	if (source->epoll_fd >= 0)
		close(source->epoll_fd);
	if (source->filter.cgroup_fd >= 0)
		close(source->filter.cgroup_fd);
	copy_filter_fini(&source->filter);
	array_fini(&source->events);
	array_fini(&source->samples);
	bytes_fini(&source->bytes);
	free(source->cpus);
	free(source);
}

static int open_task(struct copy_source *source, pid_t id, uint32_t flags)
{
	struct perf_event_attr attr = event_attr(source);

	return task_events_open(&source->tasks, &attr, id, source->config.by_tid,
				flags & TARGET_INHERIT);
}

static int watch(void *context, pid_t id, uint32_t flags)
{
	struct copy_source *source = context;
	int r = copy_filter_watch(&source->filter, id, flags, clock_ns(CLOCK_MONOTONIC));

	/* From now on its name is known, also when it ends before its first sample is seen. */
	if (r == 0 && !task_names_get(&source->filter.names, id))
		r = -ENOMEM;
	return r < 0 || !source->by_task ? r : open_task(source, id, flags);
}

static bool watches_any(void *context)
{
	struct copy_source *source = context;

	return copy_filter_watches_any(&source->filter);
}

static void control(struct copy_source *source, unsigned long request)
{
	task_events_control(&source->tasks, request);
	for (uint32_t i = 0; i < source->cpu_count; i++)
		if (source->cpus[i].fd >= 0)
			(void)ioctl(source->cpus[i].fd, request, 0);
}

static int start(void *context)
{
	struct copy_source *source = context;

	source->runs = true;
	control(source, PERF_EVENT_IOC_ENABLE);
	return 0;
}

static void stop(void *context)
{
	struct copy_source *source = context;

	source->runs = false;
	control(source, PERF_EVENT_IOC_DISABLE);
}

/* All events anew, with the size of copies that there is now. */
static int reopen(struct copy_source *source)
{
	int r = 0;

	source->rephased_ns = clock_ns(CLOCK_MONOTONIC);
	if (!source->by_task)
		return open_events(source);
	task_events_close(&source->tasks);
	for (uint32_t i = 0; r == 0 && i < source->filter.targets.count; i++) {
		const struct copy_target *target = &source->filter.targets.at[i];

		r = target->ended ? 0 : open_task(source, target->id, target->flags);
		if (r == -ESRCH)
			r = 0;
	}
	if (r == 0 && source->runs)
		task_events_control(&source->tasks, PERF_EVENT_IOC_ENABLE);
	return r;
}

int copy_source_note_cut(struct copy_source *source, uint64_t walks)
{
	uint32_t most = stack_bytes_for(source, RECORDS_LEAST), bytes;
	bool more = walks > source->cut_seen;

	source->cut_seen = walks;
	if (!more || !source->stack_bytes || !source->runs)
		return 0;
	bytes = source->stack_bytes > most / 2 ? most : source->stack_bytes * 2;
	if (bytes <= source->stack_bytes)
		return 0;
	source->stack_bytes = bytes;
	return reopen(source);
}

uint32_t copy_source_stack_bytes(const struct copy_source *source)
{
	return source->layout.user_chain ? 0 : source->stack_bytes;
}

bool copy_source_is_user_only(const struct copy_source *source)
{
	return source->user_only;
}

uint64_t copy_source_throttled(const struct copy_source *source)
{
	return source->throttled;
}

/* As cpu_source_rephase. */
static void rephase(void *context, uint64_t elapsed_ns)
{
	struct copy_source *source = context;
	double tick = (double)source->period_ns;
	double lost = elapsed_ns ? tick / 2 / (double)elapsed_ns : 0;
	double mean = tick * (1 - (lost < 0.1 ? lost : 0.1));

	/* A task's event counts its own time: to begin anew would lose half a period of that each time. */
	if (source->exact || source->by_task)
		return;
	source->rephased_ns = clock_ns(CLOCK_MONOTONIC);
	for (uint32_t i = 0; i < source->cpu_count; i++) {
		struct copy_cpu *cpu = &source->cpus[i];
		double random = (double)(hash_pair(source->rephased_ns, i) >> 11) * 0x1p-53;
		double shift = cpu->shift != 0 ? -cpu->shift : (random - 0.5) * 2 * SHIFT_MAX;
		uint64_t period = (uint64_t)(mean * (1 + shift));

		cpu->shift = cpu->shift != 0 ? 0 : shift;
		if (cpu->fd >= 0)
			(void)ioctl(cpu->fd, PERF_EVENT_IOC_PERIOD, &period);
	}
}

static struct copy_cpu *find_cpu(struct copy_source *source, uint32_t number)
{
	for (uint32_t i = 0; i < source->cpu_count; i++)
		if (source->cpus[i].cpu == number)
			return &source->cpus[i];
	return NULL;
}

static int add_cpu(struct copy_source *source, uint32_t number)
{
	struct copy_cpu *cpus = reallocarray(source->cpus, source->cpu_count + 1ULL, sizeof(*cpus));

	if (!cpus)
		return -ENOMEM;
	source->cpus = cpus;
	cpus[source->cpu_count++] = (struct copy_cpu){ .cpu = number, .ring_fd = -1, .fd = -1 };
	return 0;
}

static int revive(struct copy_source *source, uint32_t number, struct cpu_list *changed)
{
	struct copy_cpu *cpu = find_cpu(source, number);
	uint32_t *slot;
	int r = cpu ? 0 : add_cpu(source, number);

	if (r < 0)
		return r;
	cpu = find_cpu(source, number);
	if (cpu->ring_fd < 0)
		r = cpu_open(source, cpu, smallest_ring(source));
	if (r == 0)
		r = open_event(source, cpu);
	if (r < 0)
		return r == -ENODEV || r == -ENXIO ? 0 : r;
	cpu->last_ns = 0;
	slot = array_push(&changed->cpus);
	if (!slot)
		return -ENOMEM;
	*slot = number;
	return 0;
}

/* As cpu_source_follow. Events of tasks on such a CPU are opened for those that are watched later. */
static int follow(void *context, const struct cpu_list *online, struct cpu_list *changed)
{
	struct copy_source *source = context;
	uint64_t now = clock_ns(CLOCK_MONOTONIC), pause = now - source->looked_ns;
	int r = 0;

	if (!source->runs || source->by_task || pause < LOOK_NS ||
	    pause < LOOK_TICKS * source->period_ns)
		return 0;
	for (uint32_t i = 0; r == 0 && i < online->cpus.count; i++) {
		const struct copy_cpu *cpu = find_cpu(source, online->cpus.at[i]);

		if (!cpu || cpu->fd < 0 || (source->looked_ns && cpu->ticks == cpu->looked_ticks))
			r = revive(source, online->cpus.at[i], changed);
	}
	for (uint32_t i = 0; i < source->cpu_count; i++)
		source->cpus[i].looked_ticks = source->cpus[i].ticks;
	source->looked_ns = now;
	return r;
}

static int fd_of(void *context)
{
	struct copy_source *source = context;

	return source->epoll_fd;
}

/* ---- taking in ---- */

/*
 * A tick that comes whole periods late was missed: an interrupt that could not come, or a throttled
 * event. Only between two busy ones, as in bpf/cpu.bpf.c; a task's own timer stands still while the task
 * does, which says nothing.
 */
static uint64_t missed_ticks(const struct copy_source *source, struct copy_cpu *cpu,
			     const struct wire_sample *sample)
{
	bool busy = sample->tid != 0;
	uint64_t periods = 0;

	cpu->ticks++;
	if (!source->by_task && !source->user_only && cpu->last_ns > source->rephased_ns &&
	    cpu->busy && busy && sample->time_ns > cpu->last_ns) {
		periods = (sample->time_ns - cpu->last_ns + source->period_ns / 2) /
			  source->period_ns;
	}
	cpu->last_ns = sample->time_ns;
	cpu->busy = busy;
	return periods > 1 ? periods - 1 : 0;
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
	static const char zeros[8];
	struct waiting_sample *waiting;

	if (source->bytes.size > WAITING_BYTES_MAX) {
		source->counters[COUNT_DROPPED]++;
		return 0;
	}
	waiting = array_push(&source->samples);
	if (!waiting)
		return -ENOMEM;
	*waiting = (struct waiting_sample){ sample->time_ns, source->bytes.size, size, missed };
	bytes_add(&source->bytes, sample, size);
	bytes_add(&source->bytes, zeros, -size & 7);
	return source->bytes.failed ? -ENOMEM : 0;
}

static int take_record(void *context, const void *record, uint32_t size)
{
	struct copy_source *source = context;
	struct wire_sample *sample = (struct wire_sample *)(void *)source->sample;
	struct perf_event_header header;
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
		/* An idle CPU without its tick is throttled by and by, and nothing is lost. */
		source->throttled += source->draining->busy;
		return 0;
	default:
		break;
	}
	bytes = copy_record_parse(sample, record, size, &source->layout);
	if (!bytes)
		return 0;
	sample->weight_ns = source->period_ns;
	source->counters[COUNT_TICKS]++;
	source->counters[COUNT_IDLE] += sample->tid == 0;
	missed = missed_ticks(source, source->draining, sample);
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
	for (uint32_t i = 0; r == 0 && i < source->cpu_count; i++) {
		source->draining = &source->cpus[i];
		r = perf_ring_drain(&source->cpus[i].ring, source->record, take_record, source);
	}
	return r;
}

static int note_event(void *context, const struct lifecycle_event *event)
{
	struct copy_source *source = context;
	struct waiting_event *waiting;

	if (event->type != LIFECYCLE_FORK && event->type != LIFECYCLE_EXEC &&
	    event->type != LIFECYCLE_COMM)
		return 0;
	waiting = array_push(&source->events);
	if (!waiting)
		return -ENOMEM;
	waiting->event = *event;
	waiting->event.text = NULL;
	waiting->order = source->events.count;
	memcpy(waiting->comm, event->text, strnlen(event->text, sizeof(waiting->comm) - 1));
	return 0;
}

static int by_event_time(const void *a, const void *b)
{
	const struct waiting_event *x = a, *y = b;

	if (x->event.time_ns != y->event.time_ns)
		return x->event.time_ns < y->event.time_ns ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

static int by_sample_time(const void *a, const void *b)
{
	const struct waiting_sample *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* All events up to a moment, from the next one on. */
static int apply_events(struct copy_source *source, uint32_t *next, uint64_t time_ns)
{
	int r = 0;

	while (r == 0 && *next < source->events.count &&
	       source->events.at[*next].event.time_ns <= time_ns) {
		struct waiting_event *waiting = &source->events.at[(*next)++];

		waiting->event.text = waiting->comm;
		r = copy_filter_event(&source->filter, &waiting->event);
	}
	return r;
}

static int settle(void *context, int (*handle)(void *, const struct wire_sample *, size_t),
		  void *handle_context)
{
	struct copy_source *source = context;
	uint32_t next = 0;
	int r = 0;

	if (source->events.count)
		qsort(source->events.at, source->events.count, sizeof(*source->events.at),
		      by_event_time);
	if (source->samples.count)
		qsort(source->samples.at, source->samples.count, sizeof(*source->samples.at),
		      by_sample_time);
	for (uint32_t i = 0; r >= 0 && i < source->samples.count; i++) {
		const struct waiting_sample *at = &source->samples.at[i];
		struct wire_sample *sample = (void *)(source->bytes.at + at->offset);

		r = apply_events(source, &next, at->time_ns);
		if (r == 0)
			r = copy_filter_sample(&source->filter, sample);
		if (r < 0)
			break;
		source->counters[r ? COUNT_SENT : COUNT_FILTERED]++;
		source->counters[COUNT_MISSED] += r ? at->missed : 0;
		source->counters[COUNT_COPIES] += r && sample->stack_bytes;
		r = r ? handle(handle_context, sample, at->size) : 0;
	}
	if (r >= 0)
		r = apply_events(source, &next, UINT64_MAX);
	array_fini(&source->events);
	array_fini(&source->samples);
	bytes_fini(&source->bytes);
	source->bytes = (struct bytes){};
	return r < 0 ? r : 0;
}

static void counters(void *context, uint64_t ret[COUNT_COUNTERS])
{
	const struct copy_source *source = context;

	memcpy(ret, source->counters, sizeof(source->counters));
}

static uint64_t period_ns(void *context)
{
	const struct copy_source *source = context;

	return source->period_ns;
}

static uint64_t kernel_bytes(void *context)
{
	const struct copy_source *source = context;
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < source->cpu_count; i++)
		bytes += source->cpus[i].ring.bytes;
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
