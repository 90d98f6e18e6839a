// SPDX-License-Identifier: Apache-2.0
/* What a recording of the heap has found, in words and as JSON. */
#include <inttypes.h>

#include "base/json.h"
#include "output/escape.h"
#include "session/heap.h"

enum { FOLLOWED_SHOWN = 4 };

/* Of a CPU. */
#define QUIET_SHARE 0.1

static void add_several(struct bytes *ret, uint64_t count, const char *one, const char *several)
{
	text_add_count(ret, (int64_t)count);
	bytes_add_format(ret, " %s", count == 1 ? one : several);
}

void heap_sentence(const struct heap_summary *s, struct bytes *ret)
{
	if (!s->processes) {
		bytes_add_str(ret, s->followed_count
					   ? "heap: no process could be followed"
					   : "heap: no process has loaded libprofd-heap.so");
		return;
	}
	bytes_add_str(ret, "heap: ");
	text_add_size(ret, s->inuse_bytes);
	bytes_add_str(ret, " in use in ");
	add_several(ret, (uint64_t)s->inuse_objects, "object", "objects");
	bytes_add_str(ret, ", ");
	text_add_size(ret, s->alloc_bytes);
	bytes_add_str(ret, " allocated meanwhile in ");
	add_several(ret, (uint64_t)s->alloc_objects, "object", "objects");
	bytes_add_str(ret, ", estimated from ");
	add_several(ret, s->live_objects, "sampled object", "sampled objects");
	bytes_add_str(ret, " in use (one in ");
	text_add_size(ret, (int64_t)s->interval);
	bytes_add_str(ret, ") of ");
	add_several(ret, s->processes, "process", "processes");
}

static void add_caveat(struct bytes *ret, const char *text)
{
	bytes_add_format(ret, "%s%s", ret->size ? "; " : "", text);
}

/* How many of the followed processes there are with this end. */
static uint32_t count_ends(const struct heap_summary *s, enum heap_follow_end end)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < s->followed_count; i++)
		count += s->followed[i].end == end;
	return count;
}

static void add_followed(struct bytes *ret, const struct heap_followed *f)
{
	/* Of who hardly runs, anything would be much. */
	bool quiet = f->cost * QUIET_SHARE > f->of_one_cpu;

	switch (f->end) {
	case HEAP_FOLLOW_TOO_DEAR:
		bytes_add_format(
			ret,
			"pid %d was followed for %.1f s only: then it called malloc and free "
			"%.0f times a second, for which probes cost %.1f%% of its CPU time, with "
			"%g%% allowed (--alloc-overhead); what it had in use is as of then",
			(int)f->pid, f->seconds, f->calls_per_second, f->cost * 100, f->cap * 100);
		break;
	case HEAP_FOLLOW_REPLACED:
		bytes_add_format(
			ret,
			"pid %d became another program after %.1f s, which is not followed: "
			"what it had in use is gone",
			(int)f->pid, f->seconds);
		break;
	case HEAP_FOLLOW_REFUSED:
		bytes_add_format(ret, "pid %d was not followed: %s", (int)f->pid, f->why);
		break;
	default:
		bytes_add_format(ret, "probes cost pid %d %.2f%% of %s, %.0f calls a second",
				 (int)f->pid, quiet ? f->of_one_cpu * 100 : f->cost * 100,
				 quiet ? "one CPU" : "its CPU time", f->calls_per_second);
	}
}

/* The first few; JSON has all. */
static void add_all_followed(const struct heap_summary *s, struct bytes *ret)
{
	uint32_t shown = 0;

	for (uint32_t i = 0; i < s->followed_count && shown < FOLLOWED_SHOWN; i++, shown++) {
		add_caveat(ret, "");
		add_followed(ret, &s->followed[i]);
	}
	if (shown < s->followed_count) {
		add_caveat(ret, "");
		add_several(ret, s->followed_count - shown, "process more", "processes more");
		bytes_add_str(ret, " without the library");
	}
}

static bool sees_only_what_is_new(const struct heap_summary *s)
{
	return s->followed_count > count_ends(s, HEAP_FOLLOW_REFUSED);
}

void heap_caveats(const struct heap_summary *s, struct bytes *ret)
{
	if (!s->processes && !s->followed_count)
		add_caveat(ret,
			   "programs that are static, setuid, 32-bit or without an environment do "
			   "not load it; -e growth sees all");
	else if (s->began_before)
		add_caveat(ret, "what they had in use before the recording began is not in it");
	add_all_followed(s, ret);
	if (s->followed_count && s->children)
		add_caveat(ret, "children are not followed by probes");
	if (s->python)
		add_caveat(ret,
			   "Python takes its objects of up to 512 bytes out of memory that it has "
			   "from mmap, which probes do not see: 'profd record -e heap -- COMMAND' "
			   "does");
	if (s->own_allocator) {
		add_caveat(ret, "");
		add_several(ret, s->own_allocator, "process has", "processes have");
		bytes_add_str(ret, " a malloc of the program's own, which is not seen");
	}
	if (s->lost + s->refused) {
		add_caveat(ret, "");
		add_several(ret, s->lost + s->refused, "sample was", "samples were");
		bytes_add_str(ret, " lost, of which nothing is counted");
	}
	if (s->untracked) {
		add_caveat(ret, "");
		add_several(ret, s->untracked, "object was", "objects were");
		bytes_add_str(ret,
			      " not followed and counts as freed: a larger --heap-interval samples "
			      "fewer");
	}
}

static void followed_json(const struct heap_followed *f, struct json *json)
{
	static const char *const ends[] = {
		[HEAP_FOLLOW_WHOLE] = "end of the recording",
		[HEAP_FOLLOW_ENDED] = "process ended",
		[HEAP_FOLLOW_REPLACED] = "exec",
		[HEAP_FOLLOW_TOO_DEAR] = "cost",
		[HEAP_FOLLOW_REFUSED] = "refused",
	};

	json_object(json, NULL);
	json_u64(json, "pid", (uint64_t)f->pid);
	json_string(json, "until", ends[f->end]);
	if (f->end == HEAP_FOLLOW_REFUSED)
		json_string(json, "why", f->why);
	json_double(json, "seconds", f->seconds);
	json_u64(json, "calls", f->calls);
	json_double(json, "calls_per_second", f->calls_per_second);
	json_double(json, "percent_of_cpu", f->cost * 100);
	json_double(json, "percent_of_one_cpu", f->of_one_cpu * 100);
	json_double(json, "percent_allowed", f->cap * 100);
	json_end(json);
}

void heap_json(const struct heap_summary *s, struct json *json)
{
	json_object(json, "heap");
	json_u64(json, "interval_bytes", s->interval);
	json_u64(json, "processes", s->processes);
	json_u64(json, "processes_with_own_malloc", s->own_allocator);
	json_u64(json, "inuse_bytes", (uint64_t)s->inuse_bytes);
	json_u64(json, "inuse_objects", (uint64_t)s->inuse_objects);
	json_u64(json, "inuse_sampled_objects", s->live_objects);
	json_u64(json, "alloc_bytes", (uint64_t)s->alloc_bytes);
	json_u64(json, "alloc_objects", (uint64_t)s->alloc_objects);
	json_u64(json, "samples_lost", s->lost);
	json_u64(json, "samples_refused", s->refused);
	json_u64(json, "objects_not_followed", s->untracked);
	json_bool(json, "only_allocated_since_attaching", sees_only_what_is_new(s));
	json_array(json, "followed_by_probes");
	for (uint32_t i = 0; i < s->followed_count; i++)
		followed_json(&s->followed[i], json);
	json_end(json);
	json_end(json);
}
