// SPDX-License-Identifier: Apache-2.0
#include "session/heap.h"

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
#include "session/event_source.h"
#include "session/heap_objects.h"
#include "session/measures.h"
#include "session/recording_parts.h"
#include "source/heap_region.h"
#include "source/heap_socket.h"

enum {
	TURN_MS = 20,	       /* a busy program fills its ring in some hundred of them */
	PROCESSES_MAX = 16384, /* with a region each */
	DRAINS_MAX = 16,       /* of one region in a turn */
	ANCESTORS_MAX = 64,
	MAPS_BYTES_MAX = 64 << 20,
	DROP_FROM = 4096,      /* objects */
	FORGET_FROM = 1024,    /* processes */
	OBJECTS_MAX = 2 << 20, /* 150 MB; a process that is not hostile has 131072 at most */
};

/* What ends so long before the recording does counts as if it had ended with it. */
#define END_NS 1000000000ULL
#define LOOK_NS 100000000ULL
/* What lives is looked at once a second, or as often as costs 2 %. */
#define REFRESH_NS 1000000000ULL
#define REFRESH_COST 50
#define DROP_NS 10000000000ULL

struct heap_process {
	struct heap_region region; /* its descriptor is -1 once it counts for nothing more */
	int pid_fd;		   /* -1: it has ended, or nothing can be known of that */
	uint64_t ended_ns;	   /* 0: not yet */
	bool replaced;		   /* by exec: what it had is gone */
	bool needed;		   /* by forget_processes */
};

struct heap {
	struct recording *recording;
	struct heap_socket socket;
	char *added[5]; /* to the command's environment; NULL ends it */
	ARRAY_OF(struct heap_process) processes;
	struct heap_objects objects;
	uint32_t processes_seen, own_allocator, dropped_at, forgotten_at;
	uint64_t looked_ns, refresh_ns;	   /* when it was looked last, and when to look next */
	uint64_t lost, untracked, refused; /* of those that are closed */
	double alloc_objects, alloc_bytes;
	unsigned char *buffer; /* a sample */
};

/* ---- the command's environment ---- */

static bool is_file(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* Where it was built, where it is installed, or beside the program. Returns 0 or a negative errno. */
static int find_library(char **ret)
{
	static const char *const places[] = { "../preload", "../" PROFD_LIBRARY_DIR, "." };
	char program[4096], *path = NULL, *slash;
	ssize_t size = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (size < 0)
		return -errno;
	program[size] = '\0';
	slash = strrchr(program, '/');
	if (slash)
		*slash = '\0';
	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		cleanup(free) char *name = NULL;

		if (asprintf(&name, "%s/%s/libprofd-heap.so", program, places[i]) < 0)
			return -ENOMEM;
		path = is_file(name) ? realpath(name, NULL) : NULL;
		if (path)
			break;
	}
	if (!path)
		return -ENOENT;
	*ret = path;
	return 0;
}

static bool add(struct heap *heap, unsigned at, const char *name, const char *value,
		const char *separator)
{
	const char *before = separator ? getenv(name) : NULL;

	if (asprintf(&heap->added[at], "%s=%s%s%s", name, value, before ? separator : "",
		     before ? before : "") >= 0)
		return true;
	heap->added[at] = NULL;
	return false;
}

static int add_environment(struct heap *heap, uint64_t interval)
{
	cleanup(free) char *library = NULL;
	char number[32];
	int r = find_library(&library);

	if (r == -ENOENT) {
		log_error(
			"cannot record: libprofd-heap.so is not there, which belongs to profd and "
			"samples the heap from within the command");
		return r;
	}
	if (r < 0)
		return recording_complain(r, "cannot find libprofd-heap.so");
	if (strpbrk(library, " :")) {
		log_error(
			"cannot record: '%s' has a blank or a colon in its path, which LD_PRELOAD "
			"cannot bear",
			library);
		return -EINVAL;
	}
	snprintf(number, sizeof(number), "%llu", (unsigned long long)interval);
	/* AddressSanitizer's runtime ends a program in which another library comes first. */
	if (!add(heap, 0, "LD_PRELOAD", library, ":") ||
	    !add(heap, 1, HEAP_SOCKET_VARIABLE, heap->socket.told, NULL) ||
	    !add(heap, 2, HEAP_INTERVAL_VARIABLE, number, NULL) ||
	    !add(heap, 3, "ASAN_OPTIONS", "verify_asan_link_order=0", ":"))
		return recording_complain(-ENOMEM, "cannot set up");
	heap->recording->launch.added = heap->added;
	return 0;
}

/* ---- processes ---- */

static void close_process(struct heap *heap, struct heap_process *process)
{
	if (process->region.fd >= 0) {
		heap->lost += process->region.lost;
		heap->untracked += process->region.untracked;
		heap->refused += process->region.refused;
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

	if (r == -EMFILE || heap->processes.count >= PROCESSES_MAX) {
		if (r == 0)
			heap_region_close(&region);
		return HEAP_REGION_REFUSED;
	}
	if (r != 0)
		return r;
	/* Of one process only the last region is in use: exec has made it anew. */
	for (uint32_t i = 0; i < heap->processes.count; i++) {
		process = &heap->processes.at[i];
		if (process->region.nonce == region.nonce) {
			heap_region_close(&region);
			return HEAP_REGION_REFUSED;
		}
		if (process->region.pid == pid && !process->ended_ns) {
			process->ended_ns = now_ns;
			process->replaced = true;
		}
	}
	process = array_push(&heap->processes);
	if (!process) {
		heap_region_close(&region);
		return -ENOMEM;
	}
	*process = (struct heap_process){ .region = region, .pid_fd = -1 };
	process->pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (process->pid_fd < 0 && errno == ESRCH)
		process->ended_ns = now_ns;
	heap->processes_seen++;
	heap->own_allocator += (region.flags & HEAP_OWN_ALLOCATOR) != 0;
	return 0;
}

static int take_callers(struct heap *heap, uint64_t now_ns)
{
	pid_t pid;
	int fd, r;

	if (heap->socket.fd < 0)
		return 0;
	while ((r = heap_socket_take(&heap->socket, now_ns, &fd, &pid)) > 0) {
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

static int watch_heap(struct recording *rec, pid_t pid)
{
	struct heap *heap = rec->heap;
	struct search search;
	char path[96];
	int r, fd;

	if (rec->config->target.command)
		return 0; /* it will call */
	r = search_maps(&search, pid);
	if (r == 0 && !search.end) {
		log_error(
			"cannot sample the heap of pid %d: it was not started with LD_PRELOAD set to "
			"profd's libprofd-heap.so; see profd-record(1), and -e growth",
			(int)pid);
		return -ENOENT;
	}
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
	uint32_t count = heap->processes.count;

	heap->looked_ns = now_ns;
	fds = calloc(count + 1, sizeof(*fds));
	if (!fds)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		fds[i] = (struct pollfd){ heap->processes.at[i].pid_fd, POLLIN, 0 };
	if (poll(fds, count, 0) <= 0)
		return 0;
	for (uint32_t i = 0; i < count; i++) {
		struct heap_process *process = &heap->processes.at[i];

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
	struct wire_sample *sample = (void *)heap->buffer;
	struct heap_object *object;
	bool is_new;

	if (heap->objects.at.count >= OBJECTS_MAX) {
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

static int drain_heap(struct recording *rec)
{
	struct heap *heap = rec->heap;
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	int r;

	if (!heap)
		return 0;
	r = take_callers(heap, now_ns);
	if (r == 0 && now_ns - heap->looked_ns >= LOOK_NS)
		r = look_at_processes(heap, now_ns);
	for (uint32_t i = 0; r >= 0 && i < heap->processes.count; i++) {
		struct heap_process *process = &heap->processes.at[i];

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
		if (r == 0 && process->ended_ns && now_ns - process->ended_ns > 2 * END_NS &&
		    !rec->ended_ns)
			close_process(heap, process);
	}
	return r < 0 ? r : 0;
}

/* ---- values ---- */

static struct heap_object *object_of(const struct heap *heap, const struct wire_sample *sample)
{
	return heap_objects_find(&heap->objects, sample->weight_ns, sample->address);
}

static void fill_values(void *context, const struct pipeline *p, const struct wire_sample *sample,
			int64_t *values)
{
	struct heap *heap = context;
	const struct heap_object *object = object_of(heap, sample);

	/* During --delay only what stays counts. */
	if (!object || !heap->recording->began_ns || sample->time_ns < heap->recording->began_ns)
		return;
	values[p->measures.types[MEASURE_ALLOC_OBJECTS]] = object->weight.objects;
	values[p->measures.types[MEASURE_ALLOC_SPACE]] = object->weight.bytes;
	heap->alloc_objects += (double)object->weight.objects;
	heap->alloc_bytes += (double)object->weight.bytes;
}

static int note_place(void *context, const struct wire_sample *sample, uint32_t stack,
		      uint32_t labels)
{
	struct heap_object *object = object_of(context, sample);

	if (object) {
		object->stack = stack;
		object->labels = labels;
		object->counted = true;
	}
	return 0;
}

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
	for (uint32_t i = heap->processes.count; i-- > 0 && ret->count < ANCESTORS_MAX;) {
		const struct heap_region *at = &heap->processes.at[i].region;

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

/* Those that have ended are only known for what their children have from them. */
static void forget_processes(struct heap *heap)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < heap->processes.count; i++)
		heap->processes.at[i].needed = heap->processes.at[i].region.fd >= 0;
	/* Children are behind their parents. */
	for (uint32_t i = heap->processes.count; i-- > 0;) {
		const struct heap_process *child = &heap->processes.at[i];

		for (uint32_t k = i; child->needed && child->region.parent_nonce && k-- > 0;)
			if (heap->processes.at[k].region.nonce == child->region.parent_nonce) {
				heap->processes.at[k].needed = true;
				break;
			}
	}
	for (uint32_t i = 0; i < heap->processes.count; i++)
		if (heap->processes.at[i].needed)
			heap->processes.at[kept++] = heap->processes.at[i];
	heap->processes.count = heap->forgotten_at = kept;
}

/* Whether what the process has in use is to be counted. */
static bool counts(const struct heap_process *process, uint64_t end_ns)
{
	return process->region.fd >= 0 && !process->replaced &&
	       (!process->ended_ns || process->ended_ns + END_NS >= end_ns);
}

/* Changes what the profile says is in use by what has changed. */
static int tell_difference(struct heap *heap, struct heap_object *object)
{
	const struct measures *measures = &heap->recording->pipeline.measures;
	int64_t values[PROFILE_MAX_TYPES] = {}, more;
	int r;

	if (!object->counted || object->holders == object->held)
		return 0;
	more = (int64_t)object->holders - object->held;
	values[measures->types[MEASURE_SAMPLES]] = more;
	values[measures->types[MEASURE_INUSE_OBJECTS]] = more * object->weight.objects;
	values[measures->types[MEASURE_INUSE_SPACE]] = more * object->weight.bytes;
	r = profile_sample_add(heap->recording->pipeline.profile, object->stack, object->labels,
			       values);
	if (r == 0)
		object->held = object->holders;
	return r < 0 ? r : 0;
}

static int refresh(struct heap *heap, uint64_t end_ns)
{
	int r = 0;

	for (uint32_t i = 0; i < heap->objects.at.count; i++)
		heap->objects.at.at[i].holders = 0;
	for (uint32_t i = 0; r >= 0 && i < heap->processes.count; i++) {
		struct heap_process *process = &heap->processes.at[i];
		struct ancestors ancestors;

		if (!counts(process, end_ns))
			continue;
		find_ancestors(&ancestors, heap, &process->region);
		/* Of what a child had from its parent, nothing is left when it ends. */
		if (process->ended_ns && ancestors.count)
			ancestors.count = 1;
		r = heap_region_live(&process->region, hold, &ancestors);
	}
	for (uint32_t i = 0; r >= 0 && i < heap->objects.at.count; i++)
		r = tell_difference(heap, &heap->objects.at.at[i]);
	return r < 0 ? r : 0;
}

/*
 * exec to a program that does not load the library leaves no trace but this: nobody has the memory mapped.
 */
static void find_replaced(struct heap *heap, uint64_t now_ns)
{
	for (uint32_t i = 0; i < heap->processes.count; i++) {
		struct heap_process *process = &heap->processes.at[i];
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

static int turn_heap(struct recording *rec, bool last)
{
	struct heap *heap = rec->heap;
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC), took;
	int r;

	if (!last && now_ns < heap->refresh_ns)
		return 0;
	if (last)
		find_replaced(heap, now_ns);
	r = refresh(heap, rec->ended_ns ? rec->ended_ns : now_ns);
	if (r == 0 && heap->objects.at.count > DROP_FROM + 2 * heap->dropped_at &&
	    now_ns > DROP_NS) {
		r = heap_objects_drop(&heap->objects, now_ns - DROP_NS);
		heap->dropped_at = heap->objects.at.count;
	}
	if (heap->processes.count > FORGET_FROM + 2 * heap->forgotten_at)
		forget_processes(heap);
	took = clock_ns(CLOCK_MONOTONIC) - now_ns;
	heap->refresh_ns =
		now_ns + (took * REFRESH_COST > REFRESH_NS ? took * REFRESH_COST : REFRESH_NS);
	return r;
}

/* ---- beginning and end ---- */

static int open_heap(struct recording *rec)
{
	struct sample_counter *counter = &rec->pipeline.counters[EVENT_HEAP];
	const struct target *target = &rec->config->target;
	struct heap *heap;
	int r;

	if (target->everything || target->tids.count) {
		log_error(
			"cannot record: the heap is sampled from within a process, so -e heap needs "
			"-p or a command");
		return -EINVAL;
	}
	if (rec->config->last_ns) {
		log_error(
			"cannot record: --last keeps windows, and what is in use belongs to none");
		return -EINVAL;
	}
	heap = rec->heap = calloc(1, sizeof(*heap));
	if (!heap)
		return recording_complain(-ENOMEM, "cannot set up");
	heap->recording = rec;
	heap->socket.fd = -1;
	heap->buffer = malloc(sizeof(struct wire_sample) + WIRE_STACK_COPY_BYTES);
	if (!heap->buffer)
		return recording_complain(-ENOMEM, "cannot set up");
	*counter = (struct sample_counter){ .values = fill_values,
					    .counted = note_place,
					    .context = heap };
	if (!rec->turn_ms)
		rec->turn_ms = TURN_MS;
	if (!target->command)
		return 0;
	r = heap_socket_open(&heap->socket);
	if (r < 0)
		return recording_complain(r, "cannot open a socket");
	return add_environment(heap, rec->config->heap_interval);
}

static int start_heap(struct recording *rec)
{
	struct heap *heap = rec->heap;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < heap->processes.count; i++)
		if (heap->processes.at[i].region.fd >= 0)
			r = heap_region_switch(&heap->processes.at[i].region, true,
					       rec->config->heap_interval);
	return r < 0 ? recording_complain(r, "cannot switch libprofd-heap.so on") : 0;
}

static void stop_heap(struct recording *rec)
{
	struct heap *heap = rec->heap;

	for (uint32_t i = 0; heap && i < heap->processes.count; i++)
		if (heap->processes.at[i].region.fd >= 0)
			(void)heap_region_switch(&heap->processes.at[i].region, false, 0);
}

static void close_heap(struct recording *rec)
{
	struct heap *heap = rec->heap;

	if (!heap)
		return;
	stop_heap(rec);
	for (uint32_t i = 0; i < heap->processes.count; i++)
		close_process(heap, &heap->processes.at[i]);
	array_fini(&heap->processes);
	heap_socket_close(&heap->socket);
	heap_objects_fini(&heap->objects);
	for (unsigned i = 0; i < ARRAY_SIZE(heap->added); i++)
		free(heap->added[i]);
	free(heap->buffer);
	free(heap);
	rec->heap = NULL;
}

const struct event_source event_source_heap = {
	.event = EVENT_HEAP,
	.open = open_heap,
	.watch = watch_heap,
	.start = start_heap,
	.drain = drain_heap,
	.turn = turn_heap,
	.stop = stop_heap,
	.close = close_heap,
};

void heap_summarize(const struct recording *rec, struct heap_summary *ret)
{
	const struct heap *heap = rec->heap;
	double sum = 0, squares = 0;

	*ret = (struct heap_summary){
		.interval = rec->config->heap_interval,
		.processes = heap->processes_seen,
		.own_allocator = heap->own_allocator,
		.began_before = !rec->config->target.command,
		.alloc_objects = (int64_t)heap->alloc_objects,
		.alloc_bytes = (int64_t)heap->alloc_bytes,
		.lost = heap->lost,
		.untracked = heap->untracked,
		.refused = heap->refused,
	};
	for (uint32_t i = 0; i < heap->processes.count; i++) {
		const struct heap_region *region = &heap->processes.at[i].region;

		if (region->fd < 0)
			continue;
		ret->lost += region->lost;
		ret->untracked += region->untracked;
		ret->refused += region->refused;
	}
	for (uint32_t i = 0; i < heap->objects.at.count; i++) {
		const struct heap_object *object = &heap->objects.at.at[i];
		double bytes = (double)object->weight.bytes;

		ret->live_objects += object->held;
		ret->inuse_objects += object->held * object->weight.objects;
		ret->inuse_bytes += object->held * object->weight.bytes;
		sum += object->held * bytes;
		squares += object->held * bytes * bytes;
	}
	if (squares > 0)
		ret->evenness = sum * sum / squares / (double)ret->live_objects;
}
