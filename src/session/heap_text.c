// SPDX-License-Identifier: Apache-2.0
/* What a recording of the heap has found, in words and as JSON. */
#include <inttypes.h>

#include "base/json.h"
#include "output/escape.h"
#include "session/heap.h"

static void add_several(struct bytes *ret, uint64_t count, const char *one, const char *several)
{
	text_add_count(ret, (int64_t)count);
	bytes_add_format(ret, " %s", count == 1 ? one : several);
}

void heap_sentence(const struct heap_summary *s, struct bytes *ret)
{
	if (!s->processes) {
		bytes_add_str(ret, "heap: no process has loaded libprofd-heap.so");
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

void heap_caveats(const struct heap_summary *s, struct bytes *ret)
{
	if (!s->processes)
		add_caveat(ret,
			   "programs that are static, setuid, 32-bit or without an environment do "
			   "not load it; -e growth sees all");
	else if (s->began_before)
		add_caveat(ret, "what they had in use before the recording began is not in it");
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
	json_end(json);
}
