// SPDX-License-Identifier: Apache-2.0
/*
 * A dump for people: threads with the same stack and state together, innermost frame first. Nearly
 * everything in it comes out of the target: every text is cleaned on its way.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "output/escape.h"
#include "session/dump.h"

enum {
	WIDTH = 80,
	CALLS_SHOWN = 3, /* different ones of a group */
};

struct page {
	const struct dump *dump;
	const struct dump_config *config;
	struct bytes *out;
};

/* Threads that are shown together: a run in `order`. */
struct group {
	uint32_t first, count;
};

struct call_text {
	struct bytes text;
	uint32_t threads;
};

static void add_clean(struct page *page, const char *text)
{
	escape_clean(page->out, text);
}

static bool has_stack(const struct dump_thread *thread)
{
	return thread->how != DUMP_NOTHING && thread->how != DUMP_ENDED;
}

static const struct profile *profile_of(const struct dump *dump)
{
	return dump->pipeline.profile;
}

static bool is_shown(const struct page *page, uint32_t location)
{
	return !page->config->no_kernel ||
	       profile_of(page->dump)->locations.at[location].kind != LOCATION_KERNEL;
}

/* The next shown location of the stack from `at` on, or NULL; moves on. */
static const uint32_t *next_location(const struct page *page, const struct dump_thread *thread,
				     uint32_t *at)
{
	const struct profile *profile = profile_of(page->dump);
	const struct profile_run *run;

	if (!has_stack(thread))
		return NULL;
	run = &profile->stacks.at[thread->stack];
	while (*at < run->count) {
		const uint32_t *location = &profile->stack_locations.at[run->first + (*at)++];

		if (is_shown(page, *location))
			return location;
	}
	return NULL;
}

/* As memcmp, over what is shown of both. */
static int compare_stacks(const struct page *page, const struct dump_thread *a,
			  const struct dump_thread *b)
{
	uint32_t at_a = 0, at_b = 0;

	if (has_stack(a) && has_stack(b) && a->stack == b->stack)
		return 0;
	for (;;) {
		const uint32_t *x = next_location(page, a, &at_a),
			       *y = next_location(page, b, &at_b);

		if (!x || !y)
			return (x != NULL) - (y != NULL);
		if (*x != *y)
			return *x < *y ? -1 : 1;
	}
}

static int compare(const struct page *page, const struct dump_thread *a,
		   const struct dump_thread *b)
{
	int r = strcmp(thread_state_text(&a->at), thread_state_text(&b->at));

	if (r == 0)
		r = (int)a->how - (int)b->how;
	if (r == 0)
		r = (int)a->moved - (int)b->moved;
	if (r == 0)
		r = (a->call.number > b->call.number) - (a->call.number < b->call.number);
	return r ? r : compare_stacks(page, a, b);
}

static int compare_threads(const void *a, const void *b, void *context)
{
	const struct dump_thread *threads = ((const struct page *)context)->dump->threads.at;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int r = compare(context, &threads[x], &threads[y]);

	return r ? r : (x > y) - (x < y);
}

/* Groups of most threads first, then by their first thread. */
static int compare_groups(const void *a, const void *b, void *order)
{
	const struct group *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return ((uint32_t *)order)[x->first] < ((uint32_t *)order)[y->first] ? -1 : 1;
}

/* ---- frames ---- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* "libc.so.6+0x1234" says already where it is. */
static bool names_module(const char *name, const char *module)
{
	size_t size = strlen(module);

	return strncmp(name, module, size) == 0 && strncmp(name + size, "+0x", 3) == 0;
}

static void add_place(struct page *page, const struct profile_location *location,
		      const struct profile_function *function, uint32_t line)
{
	const struct profile *profile = profile_of(page->dump);
	const char *file = profile_text(profile, function->file);
	const char *name = profile_text(profile, function->name);
	const char *module =
		base_name(profile_text(profile, profile->mappings.at[location->mapping].file));

	if (*file) {
		bytes_add_str(page->out, " (");
		add_clean(page, base_name(file));
		if (line)
			bytes_add_format(page->out, ":%" PRIu32, line);
		bytes_add_char(page->out, ')');
	} else if (location->kind == LOCATION_KERNEL) {
		bytes_add_str(page->out, " [kernel]");
	} else if (location->kind != LOCATION_NOTE && *module && *name != '[' &&
		   !names_module(name, module)) {
		bytes_add_str(page->out, *module == '[' ? " " : " [");
		add_clean(page, module);
		bytes_add_str(page->out, *module == '[' ? "" : "]");
	}
}

static void add_location(struct page *page, const struct profile_location *location)
{
	const struct profile *profile = profile_of(page->dump);

	for (uint32_t i = 0; i < location->line_count; i++) {
		const struct profile_line *line = &profile->lines.at[location->first_line + i];
		const struct profile_function *function = &profile->functions.at[line->function];

		bytes_add_str(page->out, "    ");
		add_clean(page, profile_text(profile, function->name));
		add_place(page, location, function, line->line);
		if (i + 1 < location->line_count)
			bytes_add_str(page->out, " (inlined)");
		bytes_add_char(page->out, '\n');
	}
}

static void add_repeats(struct page *page, uint32_t repeats)
{
	if (repeats)
		bytes_add_format(page->out, "    (the same %" PRIu32 " more time%s)\n", repeats,
				 repeats == 1 ? "" : "s");
}

/* What calls itself from one place is shown once, with how often. */
static void add_frames(struct page *page, const struct dump_thread *thread)
{
	const struct profile *profile = profile_of(page->dump);
	const uint32_t *id, *before = NULL;
	uint32_t at = 0, repeats = 0;

	for (; (id = next_location(page, thread, &at)); before = id) {
		if (before && *before == *id) {
			repeats++;
			continue;
		}
		add_repeats(page, repeats);
		repeats = 0;
		add_location(page, &profile->locations.at[*id]);
	}
	add_repeats(page, repeats);
}

const char *dump_kernel_function(const struct dump *dump, const struct dump_thread *thread)
{
	const struct profile *profile = profile_of(dump);
	const struct profile_run *run;

	if (!has_stack(thread) || thread->at.flags & THREAD_ON_CPU || !thread->at.state)
		return NULL;
	if (*thread->kernel_function)
		return thread->kernel_function;
	run = &profile->stacks.at[thread->stack];
	for (uint32_t i = 0; i < run->count; i++) {
		const struct profile_location *location =
			&profile->locations.at[profile->stack_locations.at[run->first + i]];
		const char *name;

		if (location->kind != LOCATION_KERNEL || !location->line_count)
			return NULL;
		name = profile_text(profile,
				    profile->functions
					    .at[profile->lines.at[location->first_line].function]
					    .name);
		if (!is_scheduler_function(name))
			return name;
	}
	return NULL;
}

/* ---- what threads do ---- */

static void add_call(struct bytes *ret, const struct system_call *call)
{
	escape_clean(ret, call->name ? call->name : call->number_text);
	bytes_add_char(ret, '(');
	for (unsigned i = 0; i < call->count; i++) {
		bytes_add_str(ret, i ? ", " : "");
		escape_clean(ret, call->arguments[i].text);
	}
	bytes_add_char(ret, ')');
}

static uint64_t off_cpu_ns(const struct dump_thread *thread)
{
	if (!thread->at.since_ns || thread->at.flags & THREAD_ON_CPU || !has_stack(thread) ||
	    thread->looked_ns < thread->at.since_ns)
		return 0;
	return thread->looked_ns - thread->at.since_ns;
}

static void add_time(struct bytes *ret, uint64_t ns)
{
	double seconds = (double)ns / 1e9;

	if (seconds < 1)
		bytes_add_format(ret, "%.*f ms", seconds < 0.01 ? 1 : 0, seconds * 1e3);
	else
		bytes_add_format(ret, "%.*f s", seconds < 100 ? 1 : 0, seconds);
}

static void add_since(struct page *page, const uint32_t *order, const struct group *group)
{
	cleanup(bytes_fini) struct bytes from = {}, to = {};
	uint64_t shortest = UINT64_MAX, longest = 0;

	for (uint32_t i = 0; i < group->count; i++) {
		uint64_t ns = off_cpu_ns(&page->dump->threads.at[order[group->first + i]]);

		if (!ns)
			return;
		shortest = ns < shortest ? ns : shortest;
		longest = ns > longest ? ns : longest;
	}
	add_time(&from, shortest);
	add_time(&to, longest);
	if (!bytes_str(&from) || !bytes_str(&to)) {
		page->out->failed = true;
		return;
	}
	bytes_add_format(page->out, ", for %s", from.at);
	if (strcmp(from.at, to.at) != 0)
		bytes_add_format(page->out, " to %s", to.at);
}

static void add_calls(struct page *page, const uint32_t *order, const struct group *group)
{
	struct call_text calls[CALLS_SHOWN] = {};
	uint32_t others = 0;
	unsigned count = 0;

	if (page->dump->threads.at[order[group->first]].call.number < 0)
		return;
	for (uint32_t i = 0; i < group->count; i++) {
		const struct dump_thread *thread = &page->dump->threads.at[order[group->first + i]];
		cleanup(bytes_fini) struct bytes text = {};
		unsigned k = 0;

		add_call(&text, &thread->call);
		if (!bytes_str(&text)) {
			page->out->failed = true;
			break;
		}
		while (k < count && strcmp(bytes_str(&calls[k].text), text.at) != 0)
			k++;
		if (k == count && count < CALLS_SHOWN) {
			calls[count++].text = text;
			text = (struct bytes){};
		}
		if (k < count)
			calls[k].threads++;
		else
			others++;
	}
	for (unsigned k = 0; k < count; k++) {
		bytes_add_str(page->out, "  in ");
		bytes_add(page->out, calls[k].text.at, calls[k].text.size);
		if (count > 1)
			bytes_add_format(page->out, ": %" PRIu32 " thread%s", calls[k].threads,
					 calls[k].threads == 1 ? "" : "s");
		bytes_add_char(page->out, '\n');
		bytes_fini(&calls[k].text);
	}
	if (others)
		bytes_add_format(page->out,
				 "  in the same with other arguments: %" PRIu32 " thread%s\n",
				 others, others == 1 ? "" : "s");
}

/* ---- threads ---- */

static const char *remark(const struct page *page, const struct dump_thread *thread)
{
	if (thread->how == DUMP_NOTHING && page->config->stop_ns)
		return "did not stop in time";
	if (thread->how == DUMP_NOTHING)
		return "neither slept nor could be sampled meanwhile";
	return thread->moved ? "moved while it was read" : NULL;
}

static void add_state(struct page *page, const uint32_t *order, const struct group *group)
{
	const struct dump_thread *thread = &page->dump->threads.at[order[group->first]];
	const char *function = dump_kernel_function(page->dump, thread);

	bytes_add_format(page->out, " (%s", thread_state_text(&thread->at));
	if (function) {
		bytes_add_str(page->out, " in ");
		add_clean(page, function);
	}
	add_since(page, order, group);
	bytes_add_char(page->out, ')');
}

/* 'Thread 42 (sleeping in do_nanosleep, for 3.1 s): "name"' */
static void add_single(struct page *page, const uint32_t *order, const struct group *group)
{
	const struct dump_thread *thread = &page->dump->threads.at[order[group->first]];
	char comm[WIRE_COMM_BYTES + 1] = "";

	memcpy(comm, thread->at.comm, WIRE_COMM_BYTES);
	bytes_add_format(page->out, "\nThread %" PRIu32, thread->at.tid);
	add_state(page, order, group);
	bytes_add_str(page->out, ": \"");
	add_clean(page, comm);
	bytes_add_str(page->out, "\"\n");
}

/* How many threads from `from` on have ids that follow each other, and one name. */
static uint32_t run_of(const struct page *page, const uint32_t *order, const struct group *group,
		       uint32_t from)
{
	const struct dump_thread *threads = page->dump->threads.at;
	const struct dump_thread *first = &threads[order[group->first + from]];
	uint32_t count = 1;

	for (; from + count < group->count; count++) {
		const struct dump_thread *next = &threads[order[group->first + from + count]];

		if (next->at.tid != first->at.tid + count ||
		    memcmp(next->at.comm, first->at.comm, WIRE_COMM_BYTES) != 0)
			break;
	}
	return count;
}

/* '3 threads (sleeping ...):', and their ids and names, wrapped. */
static void add_several(struct page *page, const uint32_t *order, const struct group *group)
{
	size_t column = WIDTH;

	bytes_add_format(page->out, "\n%" PRIu32 " threads", group->count);
	add_state(page, order, group);
	bytes_add_char(page->out, ':');
	for (uint32_t i = 0; i < group->count;) {
		const struct dump_thread *thread = &page->dump->threads.at[order[group->first + i]];
		uint32_t count = run_of(page, order, group, i);
		cleanup(bytes_fini) struct bytes text = {};
		char comm[WIRE_COMM_BYTES + 1] = "";
		size_t columns;

		memcpy(comm, thread->at.comm, WIRE_COMM_BYTES);
		bytes_add_format(&text, " %" PRIu32, thread->at.tid);
		if (count > 1)
			bytes_add_format(&text, "-%" PRIu32, thread->at.tid + count - 1);
		i += count;
		bytes_add_str(&text, " \"");
		escape_clean(&text, comm);
		bytes_add_str(&text, i < group->count ? "\"," : "\"");
		if (!bytes_str(&text)) {
			page->out->failed = true;
			return;
		}
		columns = text_columns(text.at);
		if (column + columns > WIDTH) {
			bytes_add_str(page->out, "\n ");
			column = 1;
		}
		bytes_add(page->out, text.at, text.size);
		column += columns;
	}
	bytes_add_char(page->out, '\n');
}

static void add_group(struct page *page, const uint32_t *order, const struct group *group)
{
	const struct dump_thread *thread = &page->dump->threads.at[order[group->first]];
	const char *text = remark(page, thread);

	if (group->count == 1)
		add_single(page, order, group);
	else
		add_several(page, order, group);
	add_calls(page, order, group);
	if (text)
		bytes_add_format(page->out, "  (%s)\n", text);
	add_frames(page, thread);
}

/* Runs of threads that are shown as one. Returns how many. */
static uint32_t make_groups(struct page *page, uint32_t *order, struct group *groups)
{
	const struct dump *dump = page->dump;
	uint32_t count = 0;

	for (uint32_t i = 0; i < dump->threads.count; i++)
		order[i] = i;
	if (!page->config->each && dump->threads.count)
		qsort_r(order, dump->threads.count, sizeof(*order), compare_threads, page);
	for (uint32_t i = 0; i < dump->threads.count; i++) {
		if (!page->config->each && count &&
		    compare(page, &dump->threads.at[order[i - 1]], &dump->threads.at[order[i]]) ==
			    0)
			groups[count - 1].count++;
		else
			groups[count++] = (struct group){ i, 1 };
	}
	if (!page->config->each && count)
		qsort_r(groups, count, sizeof(*groups), compare_groups, order);
	return count;
}

void dump_text(struct bytes *ret, const struct dump *dump, const struct dump_config *config,
	       const char *command)
{
	struct page page = { dump, config, ret };
	size_t room = (size_t)dump->threads.count + 1;
	cleanup(free) uint32_t *order = calloc(room, sizeof(*order));
	cleanup(free) struct group *groups = calloc(room, sizeof(*groups));
	uint32_t count;

	if (!order || !groups) {
		ret->failed = true;
		return;
	}
	count = make_groups(&page, order, groups);
	bytes_add_format(ret, "Process %d: ", (int)dump->pid);
	escape_clean(ret, command);
	bytes_add_format(ret, "\n%" PRIu32 " thread%s", dump->threads.count,
			 dump->threads.count == 1 ? "" : "s");
	if (!config->each && count != dump->threads.count)
		bytes_add_format(ret, ", %" PRIu32 " different", count);
	if (config->stop_ns)
		bytes_add_str(ret, "; stopped for ");
	if (dump->stop_ns)
		add_time(ret, dump->stop_ns);
	else if (config->stop_ns)
		add_time(ret, config->stop_ns);
	bytes_add_char(ret, '\n');
	for (uint32_t i = 0; i < count; i++)
		add_group(&page, order, &groups[i]);
}
