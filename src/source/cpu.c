// SPDX-License-Identifier: Apache-2.0
#include "source/cpu.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "cpu.skel.h"
#include "source/bpf_features.h"
#include "source/libbpf_log.h"
#include "source/perf_event.h"
#include "source/sampler.h"
#include "source/throttle_ring.h"

struct timer {
	int fd; /* -1: none */
	uint32_t cpu;
	struct bpf_link *link;
	double shift; /* of the period, relative; 0: take a new one */
	uint64_t ticks; /* when it was last looked at */
	struct throttle_ring stops;
};

/* A timer that has not ticked for so long has ended with its CPU; an idle one ticks, too. */
#define LOOK_NS 1000000000ULL
#define LOOK_TICKS 10

/* By how much a period is shortened or lengthened at most, relative. */
#define SHIFT_MAX 0.05

struct cpu_source {
	struct cpu_bpf *bpf;
	struct ring_buffer *ring;
	struct timer *timers; /* by CPU, as many as are possible */
	bool runs;
	uint64_t looked_ns; /* when it was last looked whether the timers tick */
	uint64_t period_ns;
	uint64_t closer_ns; /* the period of who is looked at closely; 0: nobody is */
	bool exact; /* the period was asked for, not a rate */
	uint32_t possible_cpus;
	int (*handle)(void *, const struct wire_sample *, size_t);
	void *context;
};

static int ring_record(void *context, void *data, size_t size)
{
	struct cpu_source *source = context;
	const struct wire_sample *sample = data;

	if (size < sizeof(*sample) ||
	    size - sizeof(*sample) < 8ULL * (sample->kernel_count + sample->user_count) +
					     (uint64_t)sample->stack_bytes + sample->other_bytes +
					     sample->far_lines * sizeof(struct wire_far_line))
		return 0;
	return source->handle(source->context, sample, size);
}

static int fail(struct source_failure *failure, int r, const char *what)
{
	snprintf(failure->what, sizeof(failure->what), "%s", what);
	return r;
}

static int set_filters(struct cpu_bpf *bpf, const struct cpu_source_options *options,
		       struct source_failure *failure)
{
	uint32_t zero = 0;

	if (options->config.filter_comm && bpf_map_update_elem(bpf_map__fd(bpf->maps.comm_filter),
							       &zero, options->comm, BPF_ANY) < 0)
		return fail(failure, -errno, "cannot set the name filter");
	if (options->config.filter_cgroup &&
	    bpf_map_update_elem(bpf_map__fd(bpf->maps.cgroup_filter), &zero, &options->cgroup_fd,
				BPF_ANY) < 0)
		return fail(failure, -errno, "cannot set the control group filter");
	return 0;
}

/* Has the kernel half look which pid namespace is ours. */
static int learn_namespace(struct cpu_bpf *bpf, struct source_failure *failure)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);
	int r = bpf_prog_test_run_opts(bpf_program__fd(bpf->progs.learn_namespace), &options);

	if (r == 0 && !bpf->bss->own_pid_namespace)
		r = -ENOENT;
	return r < 0 ? fail(failure, r, "cannot find out about this pid namespace") : 0;
}

/* Where the kernel wants it so; of exit stacks, which are large, there are none there anyway (see cpu.bpf.c). */
static int allocate_at_once(struct cpu_bpf *bpf)
{
	struct bpf_map *maps[] = { bpf->maps.targets, bpf->maps.processes, bpf->maps.closely,
				   bpf->maps.exiting };
	int r = bpf_map__set_max_entries(bpf->maps.exiting, 1);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(maps); i++)
		r = bpf_map__set_map_flags(maps[i], 0);
	return r;
}

static int load(struct cpu_source *source, const struct cpu_source_options *options,
		struct source_failure *failure)
{
	struct cpu_bpf *bpf = source->bpf;
	bool translate = options->config.translate_pids;
	int r;

	(void)bpf_memory_is_limited(); /* for bpf_refusal */
	memcpy((void *)&bpf->rodata->config, &options->config, sizeof(options->config));
	((struct wire_config *)&bpf->rodata->config)->period_ns = source->period_ns;
	if ((r = bpf_map__set_max_entries(bpf->maps.samples, options->ring_bytes)) < 0 ||
	    (r = bpf_map__set_max_entries(bpf->maps.mappings, options->mapping_capacity)) < 0 ||
	    (r = bpf_map__set_max_entries(bpf->maps.scratches, source->possible_cpus)) < 0 ||
	    (r = bpf_map__set_max_entries(bpf->maps.rule_caches, source->possible_cpus)) < 0 ||
	    (!bpf_has_loose_maps() && (r = allocate_at_once(bpf)) < 0) ||
	    (r = bpf_program__set_autoload(bpf->progs.cpu_tick, !options->no_timers)) < 0 ||
	    (r = bpf_program__set_autoload(bpf->progs.learn_namespace, translate)) < 0)
		return fail(failure, r, "cannot set up the BPF programs");
	r = cpu_bpf__load(bpf);
	if (r < 0)
		return fail(failure, r == -EACCES ? -EINVAL : r, bpf_refusal(r));
	r = set_filters(bpf, options, failure);
	if (r == 0 && translate)
		r = learn_namespace(bpf, failure);
	if (r < 0)
		return r;
	r = cpu_bpf__attach(bpf);
	if (r < 0)
		return fail(failure, r, "cannot attach to process events");
	source->ring = ring_buffer__new(bpf_map__fd(bpf->maps.samples), ring_record, source, NULL);
	return source->ring ? 0 : fail(failure, -errno, "cannot map the sample ring");
}

static void timer_close(struct timer *timer)
{
	throttle_ring_unmap(&timer->stops);
	bpf_link__destroy(timer->link);
	/* Destroying the link closes the event's descriptor with it. */
	if (!timer->link && timer->fd >= 0)
		close(timer->fd);
	timer->link = NULL;
	timer->fd = -1;
}

static int timer_open(struct cpu_source *source, struct timer *timer)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = source->period_ns,
		.disabled = 1,
	};

	throttle_ring_ask(&attr);
	timer->fd = perf_event_new(&attr, -1, (int)timer->cpu);
	if (timer->fd < 0) {
		int r = timer->fd;

		timer->fd = -1;
		return r;
	}
	timer->link = bpf_program__attach_perf_event(source->bpf->progs.cpu_tick, timer->fd);
	if (!timer->link)
		return -errno;
	throttle_ring_map(&timer->stops, timer->fd);
	/* Attaching enables the event; the clock starts in cpu_source_start, for all at once. */
	if (ioctl(timer->fd, PERF_EVENT_IOC_DISABLE, 0) < 0 ||
	    ioctl(timer->fd, PERF_EVENT_IOC_RESET, 0) < 0)
		return -errno;
	return 0;
}

int cpu_source_open(struct cpu_source **ret, const struct cpu_source_options *options,
		    struct source_failure *failure)
{
	cleanup(cpu_source_close) struct cpu_source *source = calloc(1, sizeof(*source));
	int r;

	if (!source)
		return fail(failure, -ENOMEM, "out of memory");
	libbpf_log();
	source->period_ns = options->frequency_hz ? 1000000000ULL / options->frequency_hz
						  : options->period_ns;
	source->exact = options->frequency_hz == 0;
	r = libbpf_num_possible_cpus();
	if (r < 0)
		return fail(failure, r, "cannot count the CPUs");
	source->possible_cpus = (uint32_t)r;
	source->timers = calloc(source->possible_cpus, sizeof(*source->timers));
	if (!source->timers)
		return fail(failure, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < source->possible_cpus; i++)
		source->timers[i] = (struct timer){ .fd = -1, .cpu = i };
	source->bpf = cpu_bpf__open();
	if (!source->bpf)
		return fail(failure, -errno, "cannot open the BPF programs");
	r = load(source, options, failure);
	if (r < 0)
		return r;
	for (uint32_t i = 0; !options->no_timers && i < options->cpus->cpus.count; i++) {
		uint32_t cpu = options->cpus->cpus.at[i];

		if (cpu >= source->possible_cpus)
			continue;
		r = timer_open(source, &source->timers[cpu]);
		if (r == -ENODEV || r == -ENXIO)
			timer_close(&source->timers[cpu]); /* the CPU went offline just now */
		else if (r == -EPERM || r == -EACCES)
			return fail(failure, r, "the kernel does not allow events on whole CPUs");
		else if (r < 0)
			return fail(failure, r, "cannot open a timer event");
	}
	*ret = TAKE_PTR(source);
	return 0;
}

void cpu_source_close(struct cpu_source *source)
{
	if (!source)
		return;
	for (uint32_t i = 0; source->timers && i < source->possible_cpus; i++)
		timer_close(&source->timers[i]);
	ring_buffer__free(source->ring);
	cpu_bpf__destroy(source->bpf);
	free(source->timers);
	free(source);
}

int cpu_source_watch(struct cpu_source *source, pid_t id, uint32_t flags)
{
	return bpf_map_update_elem(bpf_map__fd(source->bpf->maps.targets), &id, &flags, BPF_ANY);
}

bool cpu_source_watches_any(const struct cpu_source *source)
{
	uint32_t first;

	return bpf_map_get_next_key(bpf_map__fd(source->bpf->maps.targets), NULL, &first) == 0;
}

int cpu_source_start(struct cpu_source *source)
{
	for (uint32_t i = 0; i < source->possible_cpus; i++)
		if (source->timers[i].fd >= 0 &&
		    ioctl(source->timers[i].fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
			return -errno;
	source->runs = true;
	return 0;
}

void cpu_source_stop(struct cpu_source *source)
{
	source->runs = false;
	for (uint32_t i = 0; i < source->possible_cpus; i++)
		if (source->timers[i].fd >= 0)
			(void)ioctl(source->timers[i].fd, PERF_EVENT_IOC_DISABLE, 0);
}

int cpu_source_drain(struct cpu_source *source,
		     int (*handle)(void *, const struct wire_sample *, size_t), void *context)
{
	int r;

	source->handle = handle;
	source->context = context;
	r = ring_buffer__consume(source->ring);
	for (uint32_t i = 0; r >= 0 && i < source->possible_cpus; i++)
		r = throttle_ring_drain(&source->timers[i].stops);
	return r < 0 ? r : 0;
}

int cpu_source_fd(const struct cpu_source *source)
{
	return ring_buffer__epoll_fd(source->ring);
}

void cpu_source_counters(const struct cpu_source *source, uint64_t ret[COUNT_COUNTERS])
{
	cleanup(free) uint64_t *values = calloc(source->possible_cpus, sizeof(*values));
	int fd = bpf_map__fd(source->bpf->maps.counters);

	memset(ret, 0, COUNT_COUNTERS * sizeof(*ret));
	for (uint32_t key = 0; values && key < COUNT_COUNTERS; key++) {
		if (bpf_map_lookup_elem(fd, &key, values) < 0)
			continue;
		for (uint32_t cpu = 0; cpu < source->possible_cpus; cpu++)
			ret[key] += values[cpu];
	}
}

uint64_t cpu_source_throttled(const struct cpu_source *source)
{
	uint64_t times = 0;

	for (uint32_t i = 0; i < source->possible_cpus; i++)
		times += source->timers[i].stops.throttle.times;
	return times;
}

uint64_t cpu_source_period_ns(const struct cpu_source *source)
{
	return source->period_ns;
}

static uint64_t tick_ns(const struct cpu_source *source)
{
	return source->closer_ns ? source->closer_ns : source->period_ns;
}

/* Tells the kernel half, then the timers, which begin their new period at once. */
static void change_period(struct cpu_source *source)
{
	uint64_t period = tick_ns(source);

	source->bpf->bss->rephased_ns = clock_ns(CLOCK_MONOTONIC);
	source->bpf->bss->rate_changed_ns = source->bpf->bss->rephased_ns;
	source->bpf->bss->tick_period_ns = period;
	source->bpf->bss->others_period_ns = source->closer_ns ? source->period_ns : 0;
	for (uint32_t i = 0; i < source->possible_cpus; i++) {
		source->timers[i].shift = 0;
		if (source->timers[i].fd >= 0)
			(void)ioctl(source->timers[i].fd, PERF_EVENT_IOC_PERIOD, &period);
	}
}

void cpu_source_set_rate(struct cpu_source *source, uint32_t frequency_hz)
{
	source->period_ns = 1000000000ULL / frequency_hz;
	source->exact = false;
	if (source->closer_ns >= source->period_ns)
		source->closer_ns = 0;
	change_period(source);
}

void cpu_source_look_closely(struct cpu_source *source, uint32_t frequency_hz)
{
	uint64_t period = frequency_hz ? 1000000000ULL / frequency_hz : 0;

	if (period >= source->period_ns)
		period = 0;
	if (period == source->closer_ns)
		return;
	source->closer_ns = period;
	change_period(source);
}

int cpu_source_look_closely_at(struct cpu_source *source, pid_t pid, bool closely)
{
	int fd = bpf_map__fd(source->bpf->maps.closely);
	uint32_t yes = 1;

	if (closely)
		return bpf_map_update_elem(fd, &pid, &yes, BPF_ANY);
	return bpf_map_delete_elem(fd, &pid) < 0 && errno != ENOENT ? -errno : 0;
}

void cpu_source_look_closely_at_all(struct cpu_source *source, bool closely)
{
	source->bpf->bss->all_closely = closely;
}

void cpu_source_rephase(struct cpu_source *source, uint64_t elapsed_ns)
{
	/* The kernel begins the new period at once: on average half of the old one is lost to it. */
	double tick = (double)tick_ns(source);
	double lost = elapsed_ns ? tick / 2 / (double)elapsed_ns : 0;
	double mean = tick * (1 - (lost < 0.1 ? lost : 0.1));

	if (source->exact)
		return;
	source->bpf->bss->rephased_ns = clock_ns(CLOCK_MONOTONIC);
	for (uint32_t i = 0; i < source->possible_cpus; i++) {
		struct timer *timer = &source->timers[i];
		/* Each shift is followed by its opposite, so that the rate is right after two. */
		double random = (double)(hash_pair(source->bpf->bss->rephased_ns, i) >> 11) * 0x1p-53;
		double shift = timer->shift != 0 ? -timer->shift : (random - 0.5) * 2 * SHIFT_MAX;
		uint64_t period = (uint64_t)(mean * (1 + shift));

		timer->shift = timer->shift != 0 ? 0 : shift;
		if (timer->fd >= 0)
			(void)ioctl(timer->fd, PERF_EVENT_IOC_PERIOD, &period);
	}
}

/* A CPU that comes again has a timer that never ticks any more. */
static int revive(struct cpu_source *source, struct timer *timer, struct cpu_list *changed)
{
	uint64_t period = tick_ns(source);
	uint32_t *slot;
	int r;

	timer_close(timer);
	r = timer_open(source, timer);
	if (r < 0) {
		timer_close(timer);
		return r == -ENODEV || r == -ENXIO ? 0 : r;
	}
	/* What was missed meanwhile was no tick of it. */
	source->bpf->bss->rephased_ns = clock_ns(CLOCK_MONOTONIC);
	(void)ioctl(timer->fd, PERF_EVENT_IOC_PERIOD, &period);
	if (ioctl(timer->fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
		return -errno;
	slot = array_push(&changed->cpus);
	if (!slot)
		return -ENOMEM;
	*slot = timer->cpu;
	return 0;
}

int cpu_source_follow(struct cpu_source *source, const struct cpu_list *online,
		      struct cpu_list *changed)
{
	cleanup(free) uint64_t *ticks = calloc(source->possible_cpus, sizeof(*ticks));
	uint64_t now = clock_ns(CLOCK_MONOTONIC), pause = now - source->looked_ns;
	uint32_t key = COUNT_TICKS;
	int r = 0;

	if (!source->runs || pause < LOOK_NS || pause < LOOK_TICKS * source->period_ns)
		return 0;
	if (!ticks)
		return -ENOMEM;
	if (bpf_map_lookup_elem(bpf_map__fd(source->bpf->maps.counters), &key, ticks) < 0)
		return -errno;
	for (uint32_t i = 0; r == 0 && i < online->cpus.count; i++) {
		uint32_t cpu = online->cpus.at[i];
		struct timer *timer = cpu < source->possible_cpus ? &source->timers[cpu] : NULL;

		if (timer && (timer->fd < 0 || (source->looked_ns && ticks[cpu] == timer->ticks)))
			r = revive(source, timer, changed);
	}
	for (uint32_t cpu = 0; cpu < source->possible_cpus; cpu++)
		source->timers[cpu].ticks = ticks[cpu];
	source->looked_ns = now;
	return r;
}

/* "memlock:" of /proc/self/fdinfo/N, which the kernel prints for maps and programs. */
static uint64_t kernel_bytes_of(int fd)
{
	char path[64], line[256];
	uint64_t bytes = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "memlock: %" SCNu64, &bytes) == 1)
			break;
	fclose(file);
	return bytes;
}

uint64_t cpu_source_kernel_bytes(const struct cpu_source *source)
{
	struct bpf_program *program;
	struct bpf_map *map;
	uint64_t bytes = 0;

	bpf_object__for_each_map(map, source->bpf->obj)
		bytes += kernel_bytes_of(bpf_map__fd(map));
	bpf_object__for_each_program(program, source->bpf->obj)
		bytes += kernel_bytes_of(bpf_program__fd(program));
	return bytes;
}

int cpu_source_share(const struct cpu_source *source, struct bpf_object *object,
		     struct wire_config *config, struct cpu_source_namespace *own_namespace)
{
	struct bpf_map *map, *mine;

	bpf_object__for_each_map(map, object) {
		const char *name = bpf_map__name(map);
		int r;

		/* Another program may be in the middle of one; variables are each object's own. */
		if (bpf_map__is_internal(map) || strcmp(name, "scratches") == 0)
			continue;
		mine = bpf_object__find_map_by_name(source->bpf->obj, name);
		if (!mine)
			continue;
		r = bpf_map__reuse_fd(map, bpf_map__fd(mine));
		if (r < 0)
			return r;
	}
	map = bpf_object__find_map_by_name(object, "scratches");
	if (map && bpf_map__set_max_entries(map, source->possible_cpus) < 0)
		return -EINVAL;
	*config = source->bpf->rodata->config;
	*own_namespace = (struct cpu_source_namespace){ source->bpf->bss->own_pid_namespace,
							source->bpf->bss->own_pid_level };
	return 0;
}

int cpu_source_share_scratches(const struct cpu_source *source, struct bpf_object *object)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, "scratches");

	return map ? bpf_map__reuse_fd(map, bpf_map__fd(source->bpf->maps.scratches)) : -ENOENT;
}

struct cpu_source_maps cpu_source_maps(const struct cpu_source *source)
{
	return (struct cpu_source_maps){
		.processes = bpf_map__fd(source->bpf->maps.processes),
		.mappings = bpf_map__fd(source->bpf->maps.mappings),
		.tables = bpf_map__fd(source->bpf->maps.tables),
		.rules = bpf_map__fd(source->bpf->maps.rules),
		.chunks = bpf_map__fd(source->bpf->maps.chunks),
		.rule_caches = bpf_map__fd(source->bpf->maps.rule_caches),
		.rule_cache_count = source->possible_cpus,
	};
}

/* ---- as one of the samplers ---- */

static int watch_it(void *source, pid_t id, uint32_t flags)
{
	return cpu_source_watch(source, id, flags);
}

static bool watches_any_it(void *source)
{
	return cpu_source_watches_any(source);
}

static int start_it(void *source)
{
	return cpu_source_start(source);
}

static void stop_it(void *source)
{
	cpu_source_stop(source);
}

static void rephase_it(void *source, uint64_t elapsed_ns)
{
	cpu_source_rephase(source, elapsed_ns);
}

static int follow_it(void *source, const struct cpu_list *online, struct cpu_list *changed)
{
	return cpu_source_follow(source, online, changed);
}

static int fd_of_it(void *source)
{
	return cpu_source_fd(source);
}

static int drain_it(void *source, int (*handle)(void *, const struct wire_sample *, size_t),
		    void *context)
{
	return cpu_source_drain(source, handle, context);
}

static void counters_of_it(void *source, uint64_t ret[COUNT_COUNTERS])
{
	cpu_source_counters(source, ret);
}

static uint64_t period_ns_of_it(void *source)
{
	return cpu_source_period_ns(source);
}

static uint64_t kernel_bytes_of_it(void *source)
{
	return cpu_source_kernel_bytes(source);
}

struct sampler cpu_source_sampler(struct cpu_source *source)
{
	static const struct sampler_ops ops = {
		.watch = watch_it,
		.watches_any = watches_any_it,
		.start = start_it,
		.stop = stop_it,
		.rephase = rephase_it,
		.follow = follow_it,
		.fd = fd_of_it,
		.drain = drain_it,
		.counters = counters_of_it,
		.period_ns = period_ns_of_it,
		.kernel_bytes = kernel_bytes_of_it,
	};

	return (struct sampler){ &ops, source };
}
