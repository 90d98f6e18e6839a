// SPDX-License-Identifier: Apache-2.0
/* The processes that sample their heap themselves, because they have loaded libprofd-heap.so. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "proc/maps.h"
#include "session/heap_parts.h"
#include "session/recording_parts.h"

enum {
	PROCESSES_MAX = 16384, /* with a region each */
	DRAINS_MAX = 16,       /* of one region in a turn */
	ANCESTORS_MAX = 64,
	MAPS_BYTES_MAX = 64 << 20,
	FORGET_FROM = 1024, /* processes */
};

#define LOOK_NS 100000000ULL

static void close_process(struct heap *heap, struct heap_process *process)
{
	if (process->region.fd >= 0) {
		heap->preloaded.lost += process->region.lost;
		heap->preloaded.untracked += process->region.untracked;
		heap->preloaded.refused += process->region.refused;
	}
	heap_region_close(&process->region);
	if (process->pid_fd >= 0)
		close(process->pid_fd);
	process->pid_fd = -1;
}

/* Takes the descriptor. Returns 0, HEAP_REGION_REFUSED or a negative errno. */
static int add_process(struct heap *heap, int fd, pid_t pid, uint64_t now_ns)
{
	struct heap_process *process;
	struct heap_region region;
	int r = heap_region_open(&region, fd, pid);

	if (r == -EMFILE || heap->preloaded.processes.count >= PROCESSES_MAX) {
		if (r == 0)
			heap_region_close(&region);
		return HEAP_REGION_REFUSED;
	}
	if (r != 0)
		return r;
	/* Of one process only the last region is in use: exec has made it anew. */
	for (uint32_t i = 0; i < heap->preloaded.processes.count; i++) {
		process = &heap->preloaded.processes.at[i];
		if (process->region.nonce == region.nonce) {
			heap_region_close(&region);
			return HEAP_REGION_REFUSED;
		}
		if (process->region.pid == pid && !process->ended_ns) {
			process->ended_ns = now_ns;
			process->replaced = true;
		}
	}
	process = array_push(&heap->preloaded.processes);
	if (!process) {
		heap_region_close(&region);
		return -ENOMEM;
	}
	*process = (struct heap_process){ .region = region, .pid_fd = -1 };
	process->pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (process->pid_fd < 0 && errno == ESRCH)
		process->ended_ns = now_ns;
	heap->preloaded.processes_seen++;
	heap->preloaded.own_allocator += (region.flags & HEAP_OWN_ALLOCATOR) != 0;
	return 0;
}

static int take_callers(struct heap *heap, uint64_t now_ns)
{
	pid_t pid;
	int fd, r;

	if (heap->preloaded.socket.fd < 0)
		return 0;
	while ((r = heap_socket_take(&heap->preloaded.socket, now_ns, &fd, &pid)) > 0) {
		r = add_process(heap, fd, pid, now_ns);
		if (r < 0)
			return r;
	}
	return r;
}

struct search {
	uint64_t start, end, inode;
};

static int find_region(void *context, const struct maps_line *line)
{
	static const char name[] = "/memfd:" HEAP_MEMORY_NAME;
	struct search *search = context;

	if (line->path_size >= sizeof(name) - 1 &&
	    memcmp(line->path, name, sizeof(name) - 1) == 0) {
		search->start = line->start;
		search->end = line->end;
		search->inode = line->inode;
	}
	return 0;
}

/* What the process has mapped as its region; search->end 0: nothing. Returns 0 or a negative errno. */
static int search_maps(struct search *search, pid_t pid)
{
	cleanup(bytes_fini) struct bytes text = {};
	char path[64];
	int r;

	*search = (struct search){};
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	r = fs_read(&text, AT_FDCWD, path, MAPS_BYTES_MAX);
	if (r < 0)
		return r;
	r = maps_parse(text.at, text.size, find_region, search);
	return r < 0 ? r : 0;
}

int heap_preloaded_watch(struct heap *heap, pid_t pid)
{
	struct search search;
	char path[96];
	int r, fd;

	r = search_maps(&search, pid);
	if (r == 0 && !search.end)
		return HEAP_NOT_PRELOADED;
	if (r == 0) {
		snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", (int)pid,
			 (unsigned long long)search.start, (unsigned long long)search.end);
		fd = open(path, O_RDWR | O_CLOEXEC);
		r = fd < 0 ? -errno : add_process(heap, fd, pid, clock_ns(CLOCK_MONOTONIC));
	}
	if (r == HEAP_REGION_REFUSED) {
		log_error("cannot sample the heap of pid %d: it has a libprofd-heap.so of another "
			  "version",
			  (int)pid);
		return -EINVAL;
	}
	return r < 0 ? recording_complain(r, "cannot open what libprofd-heap.so shares") : 0;
}

/* Which processes have ended. */
static int look_at_processes(struct heap *heap, uint64_t now_ns)
{
	cleanup(free) struct pollfd *fds = NULL;
	uint32_t count = heap->preloaded.processes.count;

	heap->preloaded.looked_ns = now_ns;
	fds = calloc(count + 1, sizeof(*fds));
	if (!fds)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		fds[i] = (struct pollfd){ heap->preloaded.processes.at[i].pid_fd, POLLIN, 0 };
	if (poll(fds, count, 0) <= 0)
		return 0;
	for (uint32_t i = 0; i < count; i++) {
		struct heap_process *process = &heap->preloaded.processes.at[i];

		if (!fds[i].revents)
			continue;
		close(process->pid_fd);
		process->pid_fd = -1;
		if (!process->ended_ns)
			process->ended_ns = now_ns;
	}
	return 0;
}

/* ---- samples ---- */

static void fill_comm(char *comm, const struct wire_sample *sample)
{
	cleanup(bytes_fini) struct bytes text = {};
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/task/%u/comm", sample->pid, sample->tid);
	if (fs_read(&text, AT_FDCWD, path, 64) != 0 || !text.size)
		return;
	text.size--; /* the newline */
	memcpy(comm, text.at, text.size < WIRE_COMM_BYTES ? text.size : WIRE_COMM_BYTES - 1);
}

/* Into the pipeline, to be walked like a sample whose mappings the kernel half did not know. */
static int take_sample(void *context, const struct heap_sample *heap_sample)
{
	const struct heap_region *region = heap_sample->region;
	const struct heap_record *record = heap_sample->record;
	struct heap *heap = context;
	struct wire_sample *sample = (void *)heap->preloaded.buffer;
	struct heap_object *object;
	bool is_new;

	if (heap->objects.at.count >= HEAP_OBJECTS_MAX) {
		heap->refused++;
		return 0;
	}
	object = heap_objects_add(&heap->objects, region->nonce, record->id, &is_new);
	if (!object)
		return -ENOMEM;
	if (!is_new)
		return 0; /* nonsense */
	object->weight = heap_weight(record->size, record->interval, record->id);
	/* The future would never come. */
	object->time_ns = clock_ns(CLOCK_MONOTONIC);
	if (record->time_ns < object->time_ns)
		object->time_ns = record->time_ns;
	*sample = (struct wire_sample){
		.time_ns = object->time_ns,
		.pid = (uint32_t)region->pid,
		.tid = record->tid == region->own_pid ? (uint32_t)region->pid : record->tid,
		.ip = record->ip,
		.sp = record->sp,
		.bp = record->bp,
		.bx = record->bx,
		.stack_at = record->sp,
		.stack_bytes = record->stack_bytes < WIRE_STACK_COPY_BYTES ? record->stack_bytes
									   : WIRE_STACK_COPY_BYTES,
		.outcome = WALK_NO_PROCESS,
		.event = EVENT_HEAP,
		.weight_ns = region->nonce,
		.address = record->id,
		.size = record->size,
	};
	if (heap->recording->config->threads)
		fill_comm(sample->comm, sample);
	memcpy(sample + 1, heap_sample->stack, sample->stack_bytes);
	return pipeline_sample(&heap->recording->pipeline, sample,
			       sizeof(*sample) + sample->stack_bytes);
}

int heap_preloaded_drain(struct heap *heap)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	int r;

	r = take_callers(heap, now_ns);
	if (r == 0 && now_ns - heap->preloaded.looked_ns >= LOOK_NS)
		r = look_at_processes(heap, now_ns);
	for (uint32_t i = 0; r >= 0 && i < heap->preloaded.processes.count; i++) {
		struct heap_process *process = &heap->preloaded.processes.at[i];

		if (process->region.fd < 0)
			continue;
		for (unsigned k = 0; k < DRAINS_MAX; k++) {
			r = heap_region_drain(&process->region,
					      process->ended_ns ? HEAP_REGION_ENDED : now_ns,
					      take_sample, heap);
			if (r <= 0)
				break;
		}
		/* What it had in use, if that was at the end, is not asked for any more. */
		if (r == 0 && process->ended_ns && now_ns - process->ended_ns > 2 * HEAP_END_NS &&
		    !heap->recording->ended_ns)
			close_process(heap, process);
	}
	return r < 0 ? r : 0;
}

/* ---- what lives ---- */

/* Where ids below first_id come from, down to the process that exec made. */
struct ancestors {
	struct {
		uint64_t nonce, first_id;
	} at[ANCESTORS_MAX];
	uint32_t count;
	bool only_own;
	struct heap *heap;
};

static void find_ancestors(struct ancestors *ret, struct heap *heap,
			   const struct heap_region *region)
{
	uint64_t nonce = region->nonce;

	*ret = (struct ancestors){ .heap = heap };
	/* A parent was there before its children, which ends this, whatever they say. */
	for (uint32_t i = heap->preloaded.processes.count; i-- > 0 && ret->count < ANCESTORS_MAX;) {
		const struct heap_region *at = &heap->preloaded.processes.at[i].region;

		if (at->nonce != nonce)
			continue;
		ret->at[ret->count].nonce = nonce;
		ret->at[ret->count++].first_id = at->first_id;
		nonce = at->parent_nonce;
	}
}

static int hold(void *context, uint64_t id)
{
	const struct ancestors *ancestors = context;
	struct heap_object *object;

	for (uint32_t i = 0; i < ancestors->count; i++) {
		if (id < ancestors->at[i].first_id)
			continue;
		object = heap_objects_find(&ancestors->heap->objects, ancestors->at[i].nonce, id);
		if (object)
			object->holders++;
		return 0;
	}
	return 0;
}

void heap_preloaded_forget(struct heap *heap)
{
	uint32_t kept = 0;

	if (heap->preloaded.processes.count <= FORGET_FROM + 2 * heap->preloaded.forgotten_at)
		return;
	for (uint32_t i = 0; i < heap->preloaded.processes.count; i++)
		heap->preloaded.processes.at[i].needed =
			heap->preloaded.processes.at[i].region.fd >= 0;
	/* Children are behind their parents. */
	for (uint32_t i = heap->preloaded.processes.count; i-- > 0;) {
		const struct heap_process *child = &heap->preloaded.processes.at[i];

		for (uint32_t k = i; child->needed && child->region.parent_nonce && k-- > 0;)
			if (heap->preloaded.processes.at[k].region.nonce ==
			    child->region.parent_nonce) {
				heap->preloaded.processes.at[k].needed = true;
				break;
			}
	}
	for (uint32_t i = 0; i < heap->preloaded.processes.count; i++)
		if (heap->preloaded.processes.at[i].needed)
			heap->preloaded.processes.at[kept++] = heap->preloaded.processes.at[i];
	heap->preloaded.processes.count = heap->preloaded.forgotten_at = kept;
}

/* Whether what the process has in use is to be counted. */
static bool counts(const struct heap_process *process, uint64_t end_ns)
{
	return process->region.fd >= 0 && !process->replaced &&
	       (!process->ended_ns || process->ended_ns + HEAP_END_NS >= end_ns);
}

/*
 * exec to a program that does not load the library leaves no trace but this: nobody has the memory mapped.
 */
void heap_preloaded_find_replaced(struct heap *heap, uint64_t now_ns)
{
	for (uint32_t i = 0; i < heap->preloaded.processes.count; i++) {
		struct heap_process *process = &heap->preloaded.processes.at[i];
		struct search search;
		struct stat status;

		if (process->ended_ns || process->region.fd < 0 ||
		    search_maps(&search, process->region.pid) < 0 ||
		    fstat(process->region.fd, &status) < 0)
			continue;
		/* It may have ended just now: then there are no mappings at all. */
		if (search.inode != status.st_ino && look_at_processes(heap, now_ns) == 0 &&
		    !process->ended_ns) {
			process->ended_ns = now_ns;
			process->replaced = true;
		}
	}
}

int heap_preloaded_hold(struct heap *heap, uint64_t end_ns)
{
	int r = 0;

	for (uint32_t i = 0; r >= 0 && i < heap->preloaded.processes.count; i++) {
		struct heap_process *process = &heap->preloaded.processes.at[i];
		struct ancestors ancestors;

		if (!counts(process, end_ns))
			continue;
		find_ancestors(&ancestors, heap, &process->region);
		/* Of what a child had from its parent, nothing is left when it ends. */
		if (process->ended_ns && ancestors.count)
			ancestors.count = 1;
		r = heap_region_live(&process->region, hold, &ancestors);
	}
	return r < 0 ? r : 0;
}

/* ---- beginning and end ---- */

int heap_preloaded_open(struct heap *heap)
{
	struct recording *rec = heap->recording;
	int r;

	heap->preloaded.socket.fd = -1;
	heap->preloaded.buffer = malloc(sizeof(struct wire_sample) + WIRE_STACK_COPY_BYTES);
	if (!heap->preloaded.buffer)
		return recording_complain(-ENOMEM, "cannot set up");
	if (!rec->config->target.command)
		return 0;
	r = heap_socket_open(&heap->preloaded.socket);
	if (r < 0)
		return recording_complain(r, "cannot open a socket");
	r = heap_environment_make(&heap->preloaded.environment, heap->preloaded.socket.told,
				  rec->config->heap_interval);
	if (r == 0)
		rec->launch.added = heap->preloaded.environment.added;
	return r;
}

int heap_preloaded_switch(struct heap *heap, bool on)
{
	int r = 0;

	for (uint32_t i = 0; i < heap->preloaded.processes.count; i++) {
		struct heap_region *region = &heap->preloaded.processes.at[i].region;
		int given = region->fd < 0
				    ? 0
				    : heap_region_switch(region, on,
							 on ? heap->recording->config->heap_interval
							    : 0);

		r = r < 0 ? r : given;
	}
	return r;
}

void heap_preloaded_close(struct heap *heap)
{
	for (uint32_t i = 0; i < heap->preloaded.processes.count; i++)
		close_process(heap, &heap->preloaded.processes.at[i]);
	array_fini(&heap->preloaded.processes);
	heap_socket_close(&heap->preloaded.socket);
	heap_environment_fini(&heap->preloaded.environment);
	free(heap->preloaded.buffer);
}

void heap_preloaded_summarize(const struct heap *heap, struct heap_summary *ret)
{
	ret->processes += heap->preloaded.processes_seen;
	ret->own_allocator = heap->preloaded.own_allocator;
	ret->lost += heap->preloaded.lost;
	ret->untracked += heap->preloaded.untracked;
	ret->refused += heap->preloaded.refused;
	for (uint32_t i = 0; i < heap->preloaded.processes.count; i++) {
		const struct heap_region *region = &heap->preloaded.processes.at[i].region;

		if (region->fd < 0)
			continue;
		ret->lost += region->lost;
		ret->untracked += region->untracked;
		ret->refused += region->refused;
	}
}
