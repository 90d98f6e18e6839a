// SPDX-License-Identifier: Apache-2.0
#include "source/growth.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/array.h"
#include "bpf/page_hash.h"
#include "growth.skel.h"
#include "source/bpf_features.h"
#include "source/libbpf_log.h"
#include "source/perf_event.h"

/*
 * A sample takes 1 to 2 µs of the target's time: so many at the beginning, which is enough for shares
 * within three points, then less than a thousandth of a CPU.
 */
enum { SAMPLES_AT_FIRST = 2048, SAMPLES_PER_SECOND = 400 };

struct thread_events {
	pid_t tid;
	int minor, major;
};

struct growth_source {
	struct growth_bpf *bpf;
	struct ring_buffer *moves;
	ARRAY_OF(struct thread_events) events; /* tid -1 - CPU: of a CPU */
	bool per_cpu, running;
	uint64_t allowed_ns; /* up to when growth_source_allow has reckoned */
	int (*handle)(void *, const struct wire_move *);
	void *context;
};

static int fail(struct source_failure *failure, int r, const char *what)
{
	snprintf(failure->what, sizeof(failure->what), "%s", what);
	return r;
}

static int move_record(void *context, void *data, size_t size)
{
	struct growth_source *source = context;

	return size < sizeof(struct wire_move) ? 0 : source->handle(source->context, data);
}

static int open_event(const struct bpf_program *program, uint64_t config, pid_t pid, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = config,
		.sample_period = 1,
		.sample_type = PERF_SAMPLE_ADDR,
		.disabled = 1,
		.inherit = pid > 0,
	};
	int fd = perf_event_new(&attr, pid, cpu), r;

	if (fd < 0)
		return fd;
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, bpf_program__fd(program)) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

static int add_events(struct growth_source *source, pid_t pid, int cpu)
{
	struct thread_events events = { .tid = pid > 0 ? pid : -1 - cpu, .major = -1 }, *added;
	int r = 0;

	events.minor =
		open_event(source->bpf->progs.minor_fault, PERF_COUNT_SW_PAGE_FAULTS_MIN, pid, cpu);
	if (events.minor < 0)
		return events.minor;
	events.major =
		open_event(source->bpf->progs.major_fault, PERF_COUNT_SW_PAGE_FAULTS_MAJ, pid, cpu);
	if (events.major < 0)
		r = events.major;
	else if (source->running && (ioctl(events.minor, PERF_EVENT_IOC_ENABLE, 0) < 0 ||
				     ioctl(events.major, PERF_EVENT_IOC_ENABLE, 0) < 0))
		r = -errno;
	added = r == 0 ? array_push(&source->events) : NULL;
	if (added) {
		*added = events;
		return 0;
	}
	close(events.minor);
	if (events.major >= 0)
		close(events.major);
	return r < 0 ? r : -ENOMEM;
}

static int load(struct growth_source *source, struct cpu_source *base,
		const struct growth_source_options *options, struct source_failure *failure)
{
	struct growth_bpf *bpf = source->bpf;
	struct cpu_source_namespace own;
	struct wire_config config;
	int r = cpu_source_share(base, bpf->obj, &config, &own);

	if (r < 0)
		return fail(failure, r, "cannot share the maps of the BPF programs");
	memcpy((void *)&bpf->rodata->config, &config, sizeof(config));
	*(uint64_t *)&bpf->rodata->page_salt = options->salt;
	bpf->bss->own_pid_namespace = own.address;
	bpf->bss->own_pid_level = own.level;
	bpf->bss->allowed = SAMPLES_AT_FIRST;
	if (libbpf_find_vmlinux_btf_id("vm_unmapped_area", BPF_TRACE_RAW_TP) < 0)
		bpf_program__set_autoload(bpf->progs.place_found, false);
	r = growth_bpf__load(bpf);
	if (r < 0)
		return fail(failure, r == -EACCES ? -EINVAL : r, bpf_refusal(r));
	if (growth_source_tells_moves(source)) {
		bpf->links.place_found = bpf_program__attach(bpf->progs.place_found);
		if (!bpf->links.place_found)
			return fail(failure, -errno, "cannot attach to new mappings");
	}
	source->moves = ring_buffer__new(bpf_map__fd(bpf->maps.moves), move_record, source, NULL);
	return source->moves ? 0 : fail(failure, -errno, "cannot map the ring of moved memory");
}

int growth_source_open(struct growth_source **ret, struct cpu_source *base,
		       const struct growth_source_options *options, struct source_failure *failure)
{
	cleanup(growth_source_close) struct growth_source *source = calloc(1, sizeof(*source));
	int r;

	if (!source)
		return fail(failure, -ENOMEM, "out of memory");
	libbpf_log();
	source->per_cpu = options->cpus;
	source->bpf = growth_bpf__open();
	if (!source->bpf)
		return fail(failure, -errno, "cannot open the BPF programs");
	r = load(source, base, options, failure);
	for (uint32_t i = 0; r == 0 && options->cpus && i < options->cpus->cpus.count; i++) {
		r = add_events(source, -1, (int)options->cpus->cpus.at[i]);
		if (r == -ENODEV || r == -ENXIO)
			r = 0; /* the CPU went offline just now */
		else if (r < 0)
			fail(failure, r, "cannot open events for page faults");
	}
	if (r == 0)
		*ret = TAKE_PTR(source);
	return r;
}

void growth_source_close(struct growth_source *source)
{
	if (!source)
		return;
	for (uint32_t i = 0; i < source->events.count; i++) {
		close(source->events.at[i].minor);
		close(source->events.at[i].major);
	}
	array_fini(&source->events);
	ring_buffer__free(source->moves);
	growth_bpf__destroy(source->bpf);
	free(source);
}

int growth_source_watch_thread(struct growth_source *source, pid_t tid)
{
	return source->per_cpu ? 0 : add_events(source, tid, -1);
}

static bool is_known(const struct growth_source *source, pid_t tid)
{
	for (uint32_t i = 0; i < source->events.count; i++)
		if (source->events.at[i].tid == tid)
			return true;
	return false;
}

/* Those that are not known yet; *ret_new: how many. */
static int watch_threads(struct growth_source *source, pid_t pid, uint32_t *ret_new)
{
	cleanup(closedir) DIR *folder = NULL;
	struct dirent *entry;
	char path[64];

	*ret_new = 0;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	folder = opendir(path);
	if (!folder)
		return errno == ENOENT ? -ESRCH : -errno;
	while ((entry = readdir(folder))) {
		pid_t tid = atoi(entry->d_name);
		int r;

		if (tid <= 0 || is_known(source, tid))
			continue;
		r = add_events(source, tid, -1);
		if (r < 0 && r != -ESRCH)
			return r;
		*ret_new += r == 0;
	}
	return 0;
}

/*
 * What a thread starts inherits its events; one that another starts meanwhile shows in the next round.
 * If it has inherited events as well, the kernel half notices that both tell of the same fault.
 */
int growth_source_watch(struct growth_source *source, pid_t pid)
{
	enum { ROUNDS = 16 };
	uint32_t found = 1, before = source->events.count;
	int r = 0;

	for (int i = 0; !source->per_cpu && i < ROUNDS && r == 0 && found; i++)
		r = watch_threads(source, pid, &found);
	return r == 0 && !source->per_cpu && source->events.count == before ? -ESRCH : r;
}

int growth_source_start(struct growth_source *source)
{
	source->running = true;
	for (uint32_t i = 0; i < source->events.count; i++)
		if (ioctl(source->events.at[i].minor, PERF_EVENT_IOC_ENABLE, 0) < 0 ||
		    ioctl(source->events.at[i].major, PERF_EVENT_IOC_ENABLE, 0) < 0)
			return -errno;
	return 0;
}

void growth_source_stop(struct growth_source *source)
{
	source->running = false;
	for (uint32_t i = 0; i < source->events.count; i++) {
		(void)ioctl(source->events.at[i].minor, PERF_EVENT_IOC_DISABLE, 0);
		(void)ioctl(source->events.at[i].major, PERF_EVENT_IOC_DISABLE, 0);
	}
	bpf_link__destroy(source->bpf->links.place_found);
	source->bpf->links.place_found = NULL;
}

void growth_source_allow(struct growth_source *source, uint64_t now_ns)
{
	uint64_t taken = source->bpf->bss->taken, granted = source->bpf->bss->granted;
	uint64_t most = taken + SAMPLES_AT_FIRST, allowed = source->bpf->bss->allowed, more;

	if (!source->allowed_ns)
		source->allowed_ns = now_ns;
	more = (now_ns - source->allowed_ns) * SAMPLES_PER_SECOND / 1000000000ULL;
	source->allowed_ns += more * 1000000000ULL / SAMPLES_PER_SECOND;
	allowed += more;
	/* What was not used is not kept for ever. */
	if (allowed + granted > most && most > granted)
		allowed = most - granted;
	source->bpf->bss->allowed = allowed;
	source->bpf->bss->epoch = now_ns >> 30;
}

uint32_t growth_source_shift(const struct growth_source *source)
{
	return source->bpf->bss->sample_shift;
}

void growth_source_raise_shift(struct growth_source *source, uint32_t shift)
{
	if (source->bpf->bss->sample_shift < shift)
		source->bpf->bss->sample_shift = shift;
}

bool growth_source_tells_moves(const struct growth_source *source)
{
	return bpf_program__fd(source->bpf->progs.place_found) >= 0;
}

int growth_source_drain_moves(struct growth_source *source,
			      int (*handle)(void *, const struct wire_move *), void *context)
{
	int r;

	source->handle = handle;
	source->context = context;
	r = ring_buffer__consume(source->moves);
	return r < 0 ? r : 0;
}
