// SPDX-License-Identifier: Apache-2.0
#include "session/heap_attached.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "session/alloc_targets.h"
#include "session/event_alloc.h"
#include "session/heap_parts.h"
#include "session/heap_places.h"
#include "session/heap_rate.h"
#include "session/recording_parts.h"
#include "source/heap_probes.h"

#define WATCH_NS 50000000ULL /* what it costs is looked at so often */
/* While calls are counted: at first a busy program is to be let go soon. */
#define COUNT_NS 1000000ULL
#define COUNT_FOR_NS 50000000ULL
#define COUNT_LATER_NS 5000000ULL

enum { STATUS_BYTES_MAX = 1 << 16 };

enum follow_state {
	FOLLOW_COUNTED, /* its calls, so far */
	FOLLOW_CHOSEN,
	FOLLOW_REFUSED,
	FOLLOW_LEFT,	 /* it called too often; objects are as of then */
	FOLLOW_REPLACED, /* by exec */
};

struct followed {
	pid_t pid;
	int pid_fd; /* -1: it has ended */
	uint64_t nonce;
	enum follow_state state;
	bool python;
	uint64_t attached_ns, began_ns, until_ns; /* 0: not yet */
	uint64_t ended_ns;			  /* 0: not yet */
	struct heap_rate rate;
	clockid_t clock;
	uint64_t cpu_ns, looked_ns, hits, sample_ns; /* when it was looked last */
	struct heap_figures first, figures;	     /* when it began to be followed, and now */
	uint64_t cpu_began_ns;
	ARRAY_OF(uint64_t) kept; /* ids of what was in use when it was left */
	char why[320];		 /* FOLLOW_REFUSED */
};

struct heap_attached {
	struct heap_probes *probes;
	struct alloc_targets *targets;
	double trap_ns;
	bool harms_filtered;
	uint64_t looked_ns;
	uint32_t count;
	struct followed at[WIRE_HEAP_PROCESSES];
};

/* ---- before ---- */

static int open_attached(struct heap *heap, pid_t pid)
{
	struct recording *rec = heap->recording;
	struct heap_attached *attached = calloc(1, sizeof(*attached));
	struct source_failure failure;
	int r;

	if (!attached)
		return recording_complain(-ENOMEM, "cannot set up");
	heap->attached = attached;
	r = alloc_targets_new(&attached->targets);
	if (r < 0)
		return recording_complain(r, "cannot set up");
	r = heap_probes_open(&attached->probes, rec->source, rec->config->heap_interval, &failure);
	if (r == 0) {
		r = heap_probes_measure(attached->probes, &attached->trap_ns,
					&attached->harms_filtered);
		snprintf(failure.what, sizeof(failure.what), "%s",
			 r == -EOPNOTSUPP ? "this kernel cannot probe the return of single calls, "
					    "which Linux 6.13 is the first to do"
					  : "cannot find out what a probe costs here");
	}
	if (r < 0) {
		log_error(
			"'-e heap': pid %d was not started with profd's libprofd-heap.so, and %s: "
			"'-e growth' measures any, 'profd record -e heap -- COMMAND' what it starts",
			(int)pid, failure.what);
		return r;
	}
	if (attached->trap_ns > TRAP_NS_MAX) {
		log_error("'-e heap': a probe takes %.1f us of each call here, which is too much: "
			  "this kernel steps through each probed instruction",
			  attached->trap_ns / 1000);
		return -EOPNOTSUPP;
	}
	return 0;
}

static bool is_thread_filtered(pid_t pid, const char *tid)
{
	cleanup(bytes_fini) struct bytes text = {};
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%.16s/status", (int)pid, tid);
	if (fs_read(&text, AT_FDCWD, path, STATUS_BYTES_MAX) != 0 || !bytes_str(&text))
		return true;
	return !strstr(text.at, "\nSeccomp:\t0\n");
}

/* Does any thread of the process filter its system calls? Each has filters of its own. */
static bool is_filtered(pid_t pid)
{
	cleanup(closedir) DIR *folder = NULL;
	const struct dirent *entry;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	folder = opendir(path);
	if (!folder)
		return true;
	while ((entry = readdir(folder)))
		if (entry->d_name[0] != '.' && is_thread_filtered(pid, entry->d_name))
			return true;
	return false;
}

static bool is_python(const struct process *process)
{
	for (uint32_t i = 0; i < process->mappings.count; i++) {
		const struct object *object = process->mappings.at[i].object;
		const char *path = object ? object->path : NULL;
		const char *name = path ? strrchr(path, '/') : NULL;

		if (name &&
		    (strncmp(name, "/python3", 8) == 0 || strncmp(name, "/libpython3", 11) == 0))
			return true;
	}
	return false;
}

static uint64_t make_nonce(void)
{
	uint64_t nonce = 0;

	if (getrandom(&nonce, sizeof(nonce), GRND_NONBLOCK) != sizeof(nonce))
		nonce = clock_ns(CLOCK_MONOTONIC) << 20;
	return nonce ? nonce : 1;
}

static void refuse(struct followed *followed, const char *why)
{
	followed->state = FOLLOW_REFUSED;
	snprintf(followed->why, sizeof(followed->why), "%s", why);
}

static uint64_t read_cpu(struct followed *followed)
{
	struct timespec time;

	/* Of who is gone: what it had. */
	if (clock_gettime(followed->clock, &time) < 0)
		return followed->cpu_ns;
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* What happened since the last look. */
static struct heap_rate_step step_of(struct followed *followed, const struct heap_figures *figures)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC), cpu = read_cpu(followed);
	struct heap_rate_step step = {
		.hits = figures->hits - followed->hits,
		.sample_ns = figures->sample_ns - followed->sample_ns,
		.cpu_ns = cpu > followed->cpu_ns ? cpu - followed->cpu_ns : 0,
		.wall_ns = now - followed->looked_ns,
	};

	followed->hits = figures->hits;
	followed->sample_ns = figures->sample_ns;
	followed->cpu_ns = cpu;
	followed->looked_ns = now;
	followed->figures = *figures;
	return step;
}

/* Where it is to be probed, if it can be. Returns 0, HEAP_PLACES_NONE or a negative errno. */
static int find_places(struct heap *heap, uint32_t slot, struct heap_process_places *ret)
{
	struct heap_attached *attached = heap->attached;
	struct followed *followed = &attached->at[slot];
	struct pipeline *p = &heap->recording->pipeline;
	const struct process *process = process_table_find(&p->processes, followed->pid);
	struct heap_places_of of = { .slot = slot };
	struct alloc_used used;
	char why[sizeof(followed->why)];
	int r;

	*ret = (struct heap_process_places){};
	if (!process)
		return -ESRCH;
	if (alloc_targets_out_of_reach(process)) {
		refuse(followed,
		       "its first thread has ended, and the kernel probes no process without it");
		return HEAP_PLACES_NONE;
	}
	if (process->mappings.count == 0) {
		refuse(followed, "it has no memory of its own: it is a thread of the kernel");
		return HEAP_PLACES_NONE;
	}
	followed->python = is_python(process);
	r = alloc_targets_of(attached->targets, p, process, &used);
	if (r < 0)
		return r;
	of.used = &used;
	of.program = process->mappings.count ? process->mappings.at[0].object : NULL;
	r = heap_places_find(ret, &of, why, sizeof(why));
	if (r == HEAP_PLACES_NONE)
		refuse(followed, why);
	array_fini(&used.of);
	return r;
}

/* Puts probes there. Returns 0, HEAP_PLACES_NONE (it is refused now) or a negative errno. */
static int count_calls(struct heap *heap, uint32_t slot)
{
	struct heap_attached *attached = heap->attached;
	struct heap_figures figures[WIRE_HEAP_PROCESSES];
	struct followed *followed = &attached->at[slot];
	struct heap_process_places places;
	int r = find_places(heap, slot, &places);

	if (r == 0 && attached->harms_filtered && is_filtered(followed->pid)) {
		refuse(followed, "it filters its system calls (seccomp), and this kernel makes one "
				 "of each probed return");
		r = HEAP_PLACES_NONE;
	}
	if (r == 0) {
		r = heap_probes_attach(attached->probes, slot, followed->pid, followed->nonce,
				       &places);
		if (r < 0 && r != -ENOMEM) {
			char why[128];

			snprintf(why, sizeof(why), "it cannot be probed: %s", strerror(-r));
			refuse(followed, why);
			r = HEAP_PLACES_NONE;
		}
	}
	heap_process_places_fini(&places);
	followed->attached_ns = followed->looked_ns = clock_ns(CLOCK_MONOTONIC);
	followed->cpu_ns = read_cpu(followed);
	/* The slot may have counted before: what a probe costs was measured with one. */
	heap_probes_figures(attached->probes, figures);
	followed->hits = figures[slot].hits;
	followed->sample_ns = figures[slot].sample_ns;
	return r;
}

int heap_attached_watch(struct heap *heap, pid_t pid)
{
	struct recording *rec = heap->recording;
	int r = heap->attached ? 0 : open_attached(heap, pid);
	struct followed *followed;

	if (r < 0)
		return r;
	if (heap->attached->count >= WIRE_HEAP_PROCESSES) {
		log_error("'-e heap' follows %d processes at once that have not loaded "
			  "libprofd-heap.so, and no more",
			  WIRE_HEAP_PROCESSES);
		return -EMFILE;
	}
	followed = &heap->attached->at[heap->attached->count++];
	*followed = (struct followed){ .pid = pid,
				       .pid_fd = (int)syscall(SYS_pidfd_open, pid, 0),
				       .nonce = make_nonce() };
	heap_rate_init(&followed->rate, rec->config->alloc_overhead_percent / 100,
		       heap->attached->trap_ns);
	if (clock_getcpuclockid(pid, &followed->clock) != 0)
		refuse(followed, "it has ended");
	return 0;
}

/* ---- choosing ---- */

static void refuse_as_too_dear(struct followed *followed)
{
	snprintf(
		followed->why, sizeof(followed->why),
		"it calls malloc and free %.0f times a second, which probes would make cost %.1f %% "
		"of its CPU time, with %g %% allowed (--alloc-overhead)",
		heap_rate_per_second(&followed->rate), heap_rate_cost(&followed->rate) * 100,
		followed->rate.cap * 100);
	followed->state = FOLLOW_REFUSED;
}

/* Returns whether there is anybody of whom it is still to be found out. */
static bool count_once(struct heap_attached *attached)
{
	struct heap_figures figures[WIRE_HEAP_PROCESSES];
	bool open = false;

	heap_probes_figures(attached->probes, figures);
	for (uint32_t slot = 0; slot < attached->count; slot++) {
		struct followed *followed = &attached->at[slot];
		struct heap_rate_step step;

		if (followed->state != FOLLOW_COUNTED)
			continue;
		step = step_of(followed, &figures[slot]);
		switch (heap_rate_measure(&followed->rate, &step)) {
		case HEAP_RATE_OPEN:
			open = true;
			break;
		case HEAP_RATE_FITS:
			followed->state = FOLLOW_CHOSEN;
			break;
		case HEAP_RATE_TOO_DEAR:
			heap_probes_detach(attached->probes, slot);
			refuse_as_too_dear(followed);
			break;
		}
	}
	return open;
}

static const char instead[] =
	"'-e growth' and '-e alloc' measure any, and what is started by 'profd "
	"record -e heap -- COMMAND' or with LD_PRELOAD set to "
	"libprofd-heap.so samples its heap itself";

int heap_attached_choose(struct heap *heap)
{
	struct heap_attached *attached = heap->attached;
	uint64_t begin = clock_ns(CLOCK_MONOTONIC), wait = COUNT_NS;
	const struct followed *refused = NULL;
	uint32_t refusals = 0;
	int r = 0;

	if (!attached)
		return 0;
	for (uint32_t slot = 0; slot < attached->count && r >= 0; slot++)
		if (attached->at[slot].state == FOLLOW_COUNTED)
			r = count_calls(heap, slot);
	if (r < 0)
		return recording_complain(r, "cannot look for what allocates");
	while (heap->recording->end == RECORDING_RUNS && count_once(attached)) {
		if (clock_ns(CLOCK_MONOTONIC) - begin > COUNT_FOR_NS) {
			wait = COUNT_LATER_NS;
			recording_collect(heap->recording);
		}
		(void)nanosleep(&(struct timespec){ .tv_nsec = (long)wait }, NULL);
	}
	for (uint32_t i = 0; i < attached->count; i++) {
		if (attached->at[i].state != FOLLOW_REFUSED)
			continue;
		refused = refused ? refused : &attached->at[i];
		refusals++;
	}
	if (refusals && refusals == attached->count && !heap->preloaded.processes.count) {
		if (refusals > 1)
			log_error(
				"'-e heap': pid %d: %s (and the others cannot be followed, either): %s",
				(int)refused->pid, refused->why, instead);
		else
			log_error("'-e heap': pid %d: %s: %s", (int)refused->pid, refused->why,
				  instead);
		return -EINVAL;
	}
	for (uint32_t i = 0; i < attached->count && !heap->recording->config->on_screen; i++)
		if (attached->at[i].state == FOLLOW_REFUSED)
			log_warning("'-e heap': pid %d is not followed: %s",
				    (int)attached->at[i].pid, attached->at[i].why);
	return 0;
}

/* ---- following ---- */

static bool is_followed(const struct followed *followed)
{
	return followed->state == FOLLOW_CHOSEN;
}

void heap_attached_switch(struct heap *heap, bool on)
{
	struct heap_attached *attached = heap->attached;
	struct heap_figures figures[WIRE_HEAP_PROCESSES];
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (!attached || !attached->probes)
		return;
	heap_probes_figures(attached->probes, figures);
	for (uint32_t slot = 0; slot < attached->count; slot++) {
		struct followed *followed = &attached->at[slot];

		if (!is_followed(followed) || (!on && followed->until_ns))
			continue;
		heap_probes_switch(attached->probes, slot, on);
		(void)step_of(followed, &figures[slot]);
		if (on) {
			followed->began_ns = now;
			followed->first = figures[slot];
			followed->cpu_began_ns = followed->cpu_ns;
		} else {
			followed->until_ns = now;
		}
	}
}

struct keeping {
	struct followed *followed;
	uint32_t slot;
};

static int keep_one(void *context, uint32_t slot, uint64_t id)
{
	const struct keeping *keeping = context;
	uint64_t *at;

	if (slot != keeping->slot)
		return 0;
	at = array_push(&keeping->followed->kept);
	if (!at)
		return -ENOMEM;
	*at = id;
	return 0;
}

/* It calls too often. What it has in use is told as it is now: from here on nobody sees it freed. */
static int leave(struct heap_attached *attached, uint32_t slot)
{
	struct followed *followed = &attached->at[slot];
	struct keeping keeping = { followed, slot };
	int r;

	heap_probes_switch(attached->probes, slot, false);
	followed->until_ns = clock_ns(CLOCK_MONOTONIC);
	followed->state = FOLLOW_LEFT;
	r = heap_probes_live(attached->probes, keep_one, &keeping);
	heap_probes_detach(attached->probes, slot);
	return r;
}

static void note_end(struct followed *followed, uint64_t now_ns)
{
	struct pollfd fd = { followed->pid_fd, POLLIN, 0 };

	if (followed->pid_fd < 0 || poll(&fd, 1, 0) <= 0)
		return;
	(void)close(followed->pid_fd);
	followed->pid_fd = -1;
	followed->ended_ns = now_ns;
}

/* Has it become another program since it was probed? */
static bool is_replaced(const struct heap *heap, uint32_t slot)
{
	const struct followed *followed = &heap->attached->at[slot];
	const struct process *process =
		process_table_find(&heap->recording->pipeline.processes, followed->pid);

	return (is_followed(followed) && heap_probes_replaced(heap->attached->probes, slot)) ||
	       (process && process->exec_ns > followed->attached_ns);
}

int heap_attached_turn(struct heap *heap)
{
	struct heap_attached *attached = heap->attached;
	struct heap_figures figures[WIRE_HEAP_PROCESSES];
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	int r = 0;

	if (!attached || (now - attached->looked_ns < WATCH_NS && !heap->recording->ended_ns))
		return 0;
	attached->looked_ns = now;
	heap_probes_figures(attached->probes, figures);
	for (uint32_t slot = 0; slot < attached->count && r == 0; slot++) {
		struct followed *followed = &attached->at[slot];
		struct heap_rate_step step;

		if (followed->state == FOLLOW_REFUSED || followed->state == FOLLOW_REPLACED)
			continue;
		note_end(followed, now);
		if (is_replaced(heap, slot)) {
			followed->state = FOLLOW_REPLACED;
			if (!followed->until_ns)
				followed->until_ns = now;
			heap_probes_detach(attached->probes, slot);
			array_fini(&followed->kept);
			continue;
		}
		if (!is_followed(followed) || followed->until_ns)
			continue;
		step = step_of(followed, &figures[slot]);
		if (heap_rate_watch(&followed->rate, &step) != HEAP_RATE_TOO_DEAR)
			continue;
		if (followed->began_ns) {
			r = leave(attached, slot);
		} else { /* during --delay */
			heap_probes_detach(attached->probes, slot);
			refuse_as_too_dear(followed);
		}
	}
	return r < 0 ? recording_complain(r, "cannot read what is in use") : 0;
}

void heap_attached_release(struct heap *heap)
{
	struct heap_attached *attached = heap->attached;

	for (uint32_t slot = 0; attached && attached->probes && slot < attached->count; slot++)
		if (is_followed(&attached->at[slot]) || attached->at[slot].state == FOLLOW_COUNTED)
			heap_probes_detach(attached->probes, slot);
}

/* ---- what lives ---- */

bool heap_attached_owns(const struct heap *heap, uint64_t nonce)
{
	for (uint32_t i = 0; heap->attached && i < heap->attached->count; i++)
		if (heap->attached->at[i].nonce == nonce)
			return true;
	return false;
}

static void hold(struct heap *heap, const struct followed *followed, uint64_t id)
{
	struct heap_object *object = heap_objects_find(&heap->objects, followed->nonce, id);

	if (object)
		object->holders++;
}

struct holding {
	struct heap *heap;
	uint64_t end_ns;
};

/* What ended with the recording counts as it was then. */
static bool counts(const struct followed *followed, uint64_t end_ns)
{
	return (followed->state == FOLLOW_CHOSEN || followed->state == FOLLOW_LEFT) &&
	       (!followed->ended_ns || followed->ended_ns + HEAP_END_NS >= end_ns);
}

static int hold_one(void *context, uint32_t slot, uint64_t id)
{
	const struct holding *holding = context;
	const struct followed *followed = &holding->heap->attached->at[slot];

	if (slot < holding->heap->attached->count && followed->state == FOLLOW_CHOSEN &&
	    counts(followed, holding->end_ns))
		hold(holding->heap, followed, id);
	return 0;
}

int heap_attached_hold(struct heap *heap, uint64_t end_ns)
{
	struct heap_attached *attached = heap->attached;
	struct holding holding = { heap, end_ns };

	if (!attached)
		return 0;
	for (uint32_t i = 0; i < attached->count; i++) {
		const struct followed *followed = &attached->at[i];

		for (uint32_t k = 0; followed->state == FOLLOW_LEFT && counts(followed, end_ns) &&
				     k < followed->kept.count;
		     k++)
			hold(heap, followed, followed->kept.at[k]);
	}
	return heap_probes_live(attached->probes, hold_one, &holding);
}

/* ---- at the end ---- */

static enum heap_follow_end end_of(const struct followed *followed)
{
	switch (followed->state) {
	case FOLLOW_REFUSED:
		return HEAP_FOLLOW_REFUSED;
	case FOLLOW_LEFT:
		return HEAP_FOLLOW_TOO_DEAR;
	case FOLLOW_REPLACED:
		return HEAP_FOLLOW_REPLACED;
	default:
		return followed->ended_ns ? HEAP_FOLLOW_ENDED : HEAP_FOLLOW_WHOLE;
	}
}

static void tell_cost(struct heap_followed *ret, const struct heap_attached *attached,
		      const struct followed *from)
{
	double cost = (double)(from->figures.hits - from->first.hits) * attached->trap_ns +
		      (double)(from->figures.sample_ns - from->first.sample_ns);
	double cpu = (double)(from->cpu_ns - from->cpu_began_ns) - cost;

	ret->of_one_cpu = cost / fmax(ret->seconds * 1e9, 1);
	if (from->state == FOLLOW_LEFT) {
		ret->calls_per_second = heap_rate_per_second(&from->rate);
		ret->cost = heap_rate_cost(&from->rate);
	} else {
		ret->calls_per_second = (double)ret->calls / fmax(ret->seconds, 1e-9);
		ret->cost = cpu > 0 ? cost / cpu : 0;
	}
}

void heap_attached_summarize(const struct heap *heap, struct heap_summary *ret)
{
	const struct heap_attached *attached = heap->attached;
	uint64_t now = heap->recording->ended_ns;

	for (uint32_t i = 0; attached && i < attached->count; i++) {
		const struct followed *from = &attached->at[i];
		uint64_t until = from->until_ns ? from->until_ns : now;
		struct heap_followed *to = &ret->followed[ret->followed_count++];

		*to = (struct heap_followed){
			.pid = from->pid,
			.end = end_of(from),
			.why = from->why,
			.cap = from->rate.cap,
			.calls = from->figures.hits - from->first.hits,
		};
		if (from->state == FOLLOW_REFUSED)
			continue;
		ret->processes++;
		ret->python += from->python;
		ret->lost += from->figures.lost;
		ret->untracked += from->figures.untracked;
		if (!from->began_ns || until < from->began_ns)
			continue;
		to->seconds = (double)(until - from->began_ns) / 1e9;
		tell_cost(to, attached, from);
	}
}

void heap_attached_close(struct heap *heap)
{
	struct heap_attached *attached = heap->attached;

	if (!attached)
		return;
	for (uint32_t i = 0; i < attached->count; i++) {
		if (attached->at[i].pid_fd >= 0)
			(void)close(attached->at[i].pid_fd);
		array_fini(&attached->at[i].kept);
	}
	heap_probes_close(attached->probes);
	alloc_targets_free(attached->targets);
	free(attached);
	heap->attached = NULL;
}
