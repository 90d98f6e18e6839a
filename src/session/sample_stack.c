// SPDX-License-Identifier: Apache-2.0
#include "session/sample_stack.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "session/copy_walk.h"
#include "session/guess.h"
#include "session/meet.h"
#include "session/sample_labels.h"
#include "unwind/outcome.h"
#include "unwind/walk.h"

/* A process's mappings are read again at most so often: bad stacks lead to nowhere, too. */
#define LOOK_AGAIN_NS 100000000ULL

/* Loading a program takes no longer, unless its file does not come. */
#define EXEC_NS 1000000000ULL

void process_wire_update(struct pipeline *p, struct process *process, bool build)
{
	uint32_t files = 0;

	process->wire.count = 0;
	if (!array_reserve(&process->wire, process->mappings.count))
		return;
	for (uint32_t i = 0; i < process->mappings.count; i++) {
		struct mapping *mapping = &process->mappings.at[i];
		struct wire_mapping *wire = array_push(&process->wire);

		/* Looking for the file costs system calls: only where something was sampled. */
		if (process->sampled || process->target)
			pipeline_resolve(p, process, mapping);
		*wire = (struct wire_mapping){ mapping->start, mapping->end, mapping->bias, 0,
					       MAPPING_NO_CFI | MAPPING_UNKNOWN };
		if (mapping->object)
			wire->table = object_tables_get(&p->tables, mapping->object, build,
							p->horizon_ns, &wire->flags);
		files += mapping->object != NULL;
	}
	process->files = files;
}

/* ---- finishing a walk ---- */

struct walked {
	uint64_t *addresses; /* user frames, leaf first */
	uint32_t count;
	enum walk_outcome outcome;
	uint32_t guessed; /* the first frame that was guessed; 0: none was */
	bool generated;	  /* a frame lies in code of no object: its frame pointer was trusted */
};

/* Compiles the table for the code at the address. False: there is none to be had now. */
static bool build_table(struct pipeline *p, struct process *process, uint64_t address)
{
	struct mapping *mapping = process_mapping(process, address);
	struct wire_mapping *wire;

	if (!mapping || !mapping->object)
		return false;
	wire = &process->wire.at[mapping - process->mappings.at];
	wire->table =
		object_tables_get(&p->tables, mapping->object, true, p->horizon_ns, &wire->flags);
	process->dirty = true; /* the kernel half does not know of it yet */
	return wire->table || wire->flags & MAPPING_NO_CFI;
}

/* Appends the frames that the input leads to. */
static void walk_on(struct pipeline *p, struct process *process, struct walk_input *input,
		    struct walked *walked, struct walk_end *end)
{
	uint32_t limit = p->max_depth - walked->count, count;

	if (process->dirty || process->wire.count != process->mappings.count)
		process_wire_update(p, process, false);
	input->mappings = process->wire.at;
	input->mapping_count = process->wire.count;
	do
		walked->outcome =
			walk_run_to(input, walked->addresses + walked->count, limit, &count, end);
	while (walked->outcome == WALK_NO_TABLE && build_table(p, process, end->address));
	walked->count += count;
}

/*
 * The entry code of the dynamic loader has no CFI, and rbp is zero when it begins: what looks like
 * the end of the frame pointers is the root.
 */
static bool ends_at_entry(const struct process *process, const struct walked *walked)
{
	enum { ENTRY_BYTES = 64 };
	uint64_t address = walked->count ? walked->addresses[walked->count - 1] : 0;
	const struct mapping *mapping = process_mapping(process, address);

	if (walked->outcome != WALK_BAD_FRAME_POINTER || !mapping || !mapping->object)
		return false;
	address -= mapping->bias;
	return address >= mapping->object->entry && address - mapping->object->entry < ENTRY_BYTES;
}

/* False: there is more, and the input is where to go on. */
static bool walk_by_libunwind(struct pipeline *p, struct process *process, struct walk_input *input,
			      struct walked *walked)
{
	if (process->dirty || process->wire.count != process->mappings.count)
		process_wire_update(p, process, false);
	walked->outcome =
		copy_walk(p, process, input, walked->addresses, p->max_depth, &walked->count);
	p->libunwind_frames += walked->count;
	p->libunwind_stacks += walked->outcome == WALK_COMPLETE;
	return walked->outcome == WALK_COMPLETE ||
	       (walked->outcome == WALK_TOO_DEEP && walked->count >= p->max_depth);
}

/* Has it ended where tables know nothing? A copy that is too short is so for libunwind, too. */
static bool libunwind_may_help(const struct process *process, const struct walked *walked)
{
	return (walked->outcome == WALK_NO_ROW || walked->outcome == WALK_NO_TABLE ||
		walked->outcome == WALK_BAD_FRAME_POINTER || walked->outcome == WALK_NO_PROGRESS) &&
	       !ends_at_entry(process, walked);
}

/*
 * By tables first: in the middle of an exception, and on stacks that code in assembly has made, libunwind goes
 * astray where they do not. True: nothing is left to be done.
 */
static bool walk_copy(struct pipeline *p, struct process *process, struct walk_input *input,
		      struct walked *walked, struct walk_end *end)
{
	struct walk_input leaf = *input;
	uint32_t found = 0;

	if (!p->libunwind_first) {
		walk_on(p, process, input, walked, end);
		if (!libunwind_may_help(process, walked))
			return false;
		found = walked->count;
		walked->count = 0;
		*input = leaf;
	}
	if (walk_by_libunwind(p, process, input, walked))
		return true;
	if (walked->count <= found) {
		walked->count = 0;
		*input = leaf;
	}
	walk_on(p, process, input, walked, end);
	return false;
}

/*
 * What frame pointers led to ends at a root where its table says so; elsewhere the chain broke, or led
 * nowhere from the start.
 */
static void judge_frame_pointers(struct pipeline *p, struct process *process, struct walked *walked)
{
	uint64_t address = walked->count ? walked->addresses[walked->count - 1] : 0, found;
	const struct wire_mapping *wire;
	const struct wire_rule *rule = NULL;

	process_wire_update(p, process, false);
	wire = walk_mapping(process->wire.at, process->wire.count, address);
	if (wire && !wire->table && build_table(p, process, address))
		wire = walk_mapping(process->wire.at, process->wire.count, address);
	if (wire && wire->table) {
		found = table_store_find_rule(p->store, wire->table, address - wire->bias);
		if (found != WALK_FIND_NO_TABLE && found != WALK_FIND_NO_ROW)
			rule = table_store_rule(p->store, (uint32_t)(found >> 16));
	}
	if ((rule && (rule->kind_and_step & RULE_KIND_MASK) == RULE_END) ||
	    ends_at_entry(process, walked))
		walked->outcome = WALK_COMPLETE;
	else
		walked->outcome = walked->count ? WALK_BAD_FRAME_POINTER : WALK_NO_USER_STACK;
}

/* Goes on from the registers in the sample, behind the frames there are. */
static void finish(struct pipeline *p, struct process *process, const struct wire_sample *sample,
		   struct walked *walked)
{
	enum { GUESSES_MAX = 8 };
	const unsigned char *stack = (const unsigned char *)(sample + 1) +
				     8UL * (sample->kernel_count + sample->user_count);
	struct walk_input input = {
		.store = p->store,
		.ip = sample->ip,
		.sp = sample->sp,
		.bp = sample->bp,
		.bx = sample->bx,
		.temporaries = sample->temporaries,
		.exact = sample->flags & SAMPLE_NEXT_IS_EXACT,
		.loose = sample->flags & SAMPLE_SP_LOOSE,
		.leaf = walked->count == 0,
		.stack = stack,
		.stack_address = sample->stack_at,
		.stack_bytes = sample->stack_bytes,
		.other = stack + sample->stack_bytes,
		.other_address = sample->other_at,
		.other_bytes = sample->other_bytes,
		.far = stack + sample->stack_bytes + sample->other_bytes,
		.far_lines = sample->far_lines,
		.read = p->read_memory,
		.read_context = p->read_context,
	};
	struct walk_end end;

	p->finished++;
	if (p->libunwind && walked->count == 0 && sample->stack_bytes) {
		if (walk_copy(p, process, &input, walked, &end))
			return;
	} else {
		walk_on(p, process, &input, walked, &end);
	}
	for (unsigned i = 0; i < GUESSES_MAX && !ends_at_entry(process, walked) &&
			     guess_is_allowed(process, walked->outcome, &end) &&
			     guess_caller(p, process, &input, &end);
	     i++) {
		if (!walked->guessed)
			walked->guessed = walked->count;
		walk_on(p, process, &input, walked, &end);
	}
	if (ends_at_entry(process, walked))
		walked->outcome = WALK_COMPLETE;
	if (walked->guessed && walked->outcome == WALK_COMPLETE)
		walked->outcome = WALK_GUESSED;
}

/* Reads again what the process has mapped, but not too often. Returns whether it was done. */
static bool look_again(struct pipeline *p, struct process *process)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	/* A process of which nothing is known is met as a stranger. */
	if (process->mappings.count == 0 || process->looked_again_ns + LOOK_AGAIN_NS > now)
		return false;
	process->look_again = false;
	process->looked_again_ns = now;
	/* Gone already: it stays with what the events told. */
	return process_table_look_again(&p->processes, process) == 0;
}

/*
 * mremap moves code and no event tells of it. But what the process maps from now on is not what the
 * sample is about.
 */
static bool find_moved(struct pipeline *p, struct process *process, uint64_t address)
{
	return !pipeline_maps_later(p, process) && look_again(p, process) &&
	       process_mapping(process, address);
}

/* The number of leading frames whose code has not changed since the state the kernel half used. */
static uint32_t unchanged_frames(const struct process *process, const struct wire_sample *sample,
				 const struct walked *walked)
{
	uint32_t i = 0;

	if (sample->generation == process->generation && !process->dirty)
		return walked->count;
	while (i < walked->count &&
	       !process_changed(process, sample->generation, walked->addresses[i]))
		i++;
	return i;
}

/*
 * Between the end of the old program and the beginning of the new one there is no user stack, and the
 * registers are still those of the system call. Only to be told by when it was, and by what they lead
 * to: nothing.
 */
static bool is_in_exec(const struct pipeline *p, const struct process *process,
		       const struct wire_sample *sample, const struct walked *walked)
{
	if (!p->copies || !(sample->flags & SAMPLE_KERNEL_MODE) ||
	    sample->flags & SAMPLE_NEXT_IS_EXACT ||
	    !(sample->stack_bytes == 0 ||
	      (walked->count <= 1 && walked->outcome == WALK_NO_MAPPING)))
		return false;
	return (process->exec_ns && sample->time_ns - process->exec_ns < EXEC_NS) ||
	       pipeline_execs_later(p, process);
}

static void complete_walk(struct pipeline *p, struct process *process,
			  const struct wire_sample *sample, struct walked *walked)
{
	bool stale = sample->flags & SAMPLE_MAPPINGS_STALE;
	uint32_t good;

	if (walked->outcome == WALK_NO_USER_STACK || walked->outcome == WALK_COMPAT)
		return;
	/* The first thread may end long before the others. */
	if (process->dead && sample->time_ns > process->exit_ns) {
		process->exit_ns = sample->time_ns;
		process->goes_on = sample->tid != sample->pid;
		process->thread = (pid_t)sample->tid;
	}
	process->mappings_known = true; /* or nobody will ever know */
	if (!meet_knows(p, process, sample->time_ns)) {
		walked->count = 0;
		walked->outcome = WALK_STALE_MAPPING;
		return;
	}
	if (process->look_again)
		(void)look_again(p, process);
	process_table_check(&p->processes, process, p->round);
	pipeline_note_reuse(process, sample->time_ns);
	/* Told anew, the kernel half stops to wonder about code that was only unmapped. */
	if (!process->sampled || stale)
		process->dirty = true;
	process->sampled = true;
	if (sample->flags & SAMPLE_FRAME_POINTERS) {
		judge_frame_pointers(p, process, walked);
		return;
	}
	good = unchanged_frames(process, sample, walked);
	if (good == walked->count) {
		if (walked->outcome == WALK_COMPLETE || walked->outcome == WALK_TOO_DEEP)
			return;
		if (stale)
			walked->count = 0; /* the registers are those of the leaf */
	} else if (stale) {
		walked->count = 0;
	} else {
		walked->count = good;
		walked->outcome = WALK_STALE_MAPPING;
		return;
	}
	good = walked->count;
	finish(p, process, sample, walked);
	if (walked->outcome == WALK_NO_MAPPING &&
	    find_moved(p, process, walked->addresses[walked->count - 1])) {
		walked->count = good;
		finish(p, process, sample, walked);
	}
	if (is_in_exec(p, process, sample, walked)) {
		walked->count = 0;
		walked->outcome = WALK_NO_USER_STACK;
		return;
	}
	/* A larger copy would end there, too. */
	if (walked->outcome == WALK_COPY_SHORT && sample->flags & SAMPLE_STACK_ENDED)
		walked->outcome = WALK_NOT_PRESENT;
	/* There was no room for a copy: why one was needed says more. */
	if (walked->outcome == WALK_NOT_PRESENT && sample->stack_bytes == 0 && !p->read_memory &&
	    !p->copies &&
	    (sample->outcome == WALK_NO_PROCESS || sample->outcome == WALK_NO_MAPPING ||
	     sample->outcome == WALK_NO_TABLE))
		walked->outcome = (enum walk_outcome)sample->outcome;
}

/*
 * ---- frames become locations ----
 *
 * What adds to the profile returns PROFILE_FULL, too.
 */

static bool is_library(const char *path)
{
	const char *name = strrchr(path, '/');

	name = name ? name + 1 : path;
	return strstr(name, ".so") || name[0] == '[';
}

/* The profile's mapping for the object's segment that holds the ELF address. */
static int object_mapping(struct pipeline *p, const struct object *object, uint64_t address,
			  uint32_t *ret)
{
	const struct object_segment *segment = object_segment_of(object, address);
	char build_id[2 * OBJECT_BUILD_ID_MAX + 1];
	struct profile_mapping mapping = { .identity = object->id };
	int r;

	if (segment) {
		mapping.start = segment->address & ~4095ULL;
		mapping.limit = (segment->address + segment->memory_size + 4095) & ~4095ULL;
		mapping.file_offset = segment->file_offset & ~4095ULL;
	}
	object_build_id_hex(object, build_id);
	if ((r = profile_string(p->profile, &mapping.file, object->path)) != 0 ||
	    (r = profile_string(p->profile, &mapping.build_id, build_id)) != 0)
		return r;
	return profile_mapping_add(p->profile, ret, &mapping);
}

static int named_mapping(struct pipeline *p, const char *name, uint32_t *ret)
{
	struct profile_mapping mapping = {};
	int r = profile_string(p->profile, &mapping.file, name);

	return r != 0 ? r : profile_mapping_add(p->profile, ret, &mapping);
}

static int add_location(struct pipeline *p, uint32_t mapping, uint64_t address,
			enum location_kind kind, const struct naming_item *item, uint32_t *ret)
{
	uint32_t known = p->profile->locations.count;
	int r = profile_location_add(p->profile, ret, mapping, address, kind);

	if (r == 0 && *ret == known) {
		if (item->object)
			object_ref(item->object);
		r = naming_add(&p->naming, *ret, item);
		if (r < 0)
			object_unref(item->object);
	}
	return r;
}

/*
 * The profile's mapping for code without an object: generated code, of which the same address is
 * other code in another process; or a file that is no readable ELF file, named as a whole.
 */
static int unreadable_mapping(struct pipeline *p, const struct process *process,
			      const struct mapping *mapping, uint32_t *ret, uint32_t *fallback)
{
	const char *path = strtab_get(&p->processes.paths, mapping->path);
	const char *slash = strrchr(path, '/');
	char name[300];
	int r;

	if (mapping->kind != MAPPING_FILE) {
		snprintf(name, sizeof(name), "[jit:%d]", (int)process->pid);
		return named_mapping(p, name, ret);
	}
	snprintf(name, sizeof(name), "[%s]", slash ? slash + 1 : path);
	r = profile_string(p->profile, fallback, name);
	return r != 0 ? r : named_mapping(p, path, ret);
}

/* mapping: that of the address; NULL: there is none. */
static int user_location(struct pipeline *p, const struct process *process,
			 const struct mapping *mapping, uint64_t address, uint32_t *ret)
{
	struct naming_item item = { .address = address };
	enum location_kind kind = LOCATION_JIT;
	uint32_t in;
	int r;

	if (!mapping) {
		r = named_mapping(p, "[unknown]", &in);
		if (r != 0)
			return r;
		/* Addresses nobody can place say nothing: one box for all of them. */
		r = profile_location_add(p->profile, ret, in, 0, LOCATION_NOTE);
		return r != 0 || *ret < p->naming.items.count
			       ? r
			       : naming_fixed(&p->naming, *ret, "[unknown]");
	}
	if (mapping->object) {
		object_tables_touch(&p->tables, mapping->object, p->horizon_ns);
		item.source = NAMING_OBJECT;
		item.object = mapping->object;
		item.address = address - mapping->bias;
		kind = is_library(mapping->object->path) ? LOCATION_LIBRARY : LOCATION_USER;
		r = object_mapping(p, mapping->object, item.address, &in);
	} else {
		item.source = NAMING_JIT;
		item.pid = process->pid;
		item.start_time = process->start_time;
		r = unreadable_mapping(p, process, mapping, &in, &item.fallback);
	}
	return r != 0 ? r : add_location(p, in, item.address, kind, &item, ret);
}

static int kernel_location(struct pipeline *p, uint64_t address, uint32_t *ret)
{
	struct naming_item item = { .source = NAMING_KERNEL, .address = address };
	uint32_t in;
	int r = named_mapping(p, "[kernel.kallsyms]", &in);

	return r != 0 ? r : add_location(p, in, address, LOCATION_KERNEL, &item, ret);
}

/* A frame that says why the stack does not go on. */
static int note_location(struct pipeline *p, const char *name, uint32_t *ret)
{
	uint32_t in;
	int r = named_mapping(p, name, &in);

	if (r == 0)
		r = profile_location_add(p->profile, ret, in, 0, LOCATION_NOTE);
	if (r != 0 || *ret < p->naming.items.count)
		return r;
	return naming_fixed(&p->naming, *ret, name);
}

static int truncation_location(struct pipeline *p, enum walk_outcome outcome, uint32_t *ret)
{
	char note[96];

	snprintf(note, sizeof(note), "[truncated: %s]", walk_outcome_text(outcome));
	return note_location(p, note, ret);
}

/* ---- counting ---- */

/* The process of the sample; NULL for kernel threads and the idle task. */
static int sample_process(struct pipeline *p, const struct wire_sample *sample,
			  struct process **ret)
{
	if (sample->flags & SAMPLE_KTHREAD) {
		*ret = NULL;
		return 0;
	}
	return process_table_get(&p->processes, ret, (pid_t)sample->pid);
}

/* The stack of locations, with a note at its root where it is not complete. Fills in `generated`. */
static int add_stack(struct pipeline *p, const struct process *process,
		     const struct wire_sample *sample, struct walked *walked, uint32_t *ret)
{
	const uint64_t *kernel = (const uint64_t *)(sample + 1);
	uint32_t count = 0;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < sample->kernel_count; i++)
		/* The leaf is where it is; the others are return addresses. */
		r = kernel_location(p, kernel[i] - (i > 0), &p->stack_locations[count++]);
	for (uint32_t i = 0; r == 0 && i < walked->count; i++) {
		uint64_t address = walked->addresses[i];
		const struct mapping *mapping = process_mapping(process, address);

		walked->generated |= !mapping || !mapping->object;
		if (walked->guessed && i == walked->guessed)
			r = note_location(p, "[guessed]", &p->stack_locations[count++]);
		if (r == 0)
			r = user_location(p, process, mapping, address,
					  &p->stack_locations[count++]);
	}
	if (r == 0 && walked->outcome != WALK_COMPLETE && walked->outcome != WALK_GUESSED)
		r = truncation_location(p, walked->outcome, &p->stack_locations[count++]);
	return r != 0 ? r : profile_stack_add(p->profile, ret, p->stack_locations, count);
}

static void fill_values(struct pipeline *p, const struct wire_sample *sample, int64_t *values)
{
	const struct sample_counter *counter = &p->counters[sample->event];
	struct event_weights *weights = &p->weights[sample->event];
	double weight = (double)sample->weight_ns;

	if (counter->values) {
		counter->values(counter->context, p, sample, values);
	} else {
		values[p->measures.types[MEASURE_SAMPLES]] = 1;
		values[measures_weight_type(&p->measures, sample->event)] =
			(int64_t)sample->weight_ns;
		weights->samples++;
		weights->sum += weight;
		weights->squares += weight * weight;
	}
}

static int add_values(struct pipeline *p, const struct wire_sample *sample, uint32_t stack,
		      uint32_t labels, const int64_t *values)
{
	const struct sample_counter *counter = &p->counters[sample->event];
	int r = profile_sample_add(p->profile, stack, labels, values);

	return r == 0 && counter->counted
		       ? counter->counted(counter->context, sample, stack, labels)
		       : r;
}

/* Counts the sample as it is. */
static int count_whole(struct pipeline *p, struct process *process,
		       const struct wire_sample *sample, struct walked *walked,
		       const int64_t *values)
{
	uint32_t stack, labels;
	int r = add_stack(p, process, sample, walked, &stack);

	if (r == 0)
		r = sample_labels(p, process, sample, &labels);
	return r != 0 ? r : add_values(p, sample, stack, labels, values);
}

/*
 * Counts it without its stack, and with as many labels as may be: those there are, or one that tells
 * of its process; that cannot be said in many ways.
 */
static int count_merged(struct pipeline *p, struct process *process,
			const struct wire_sample *sample, const int64_t *values)
{
	uint32_t stack, labels;
	int r = sample_labels(p, process, sample, &labels);

	p->profile->closed = false;
	if (r == PROFILE_FULL && p->budget.used < p->budget.limit) {
		r = sample_labels_pid(p, sample, &labels);
	} else if (r == PROFILE_FULL) {
		labels = 0;
		r = 0;
	}
	if (r == 0)
		r = truncation_location(p, WALK_PROFILE_FULL, &p->stack_locations[0]);
	if (r == 0)
		r = profile_stack_add(p->profile, &stack, p->stack_locations, 1);
	return r != 0 ? r : add_values(p, sample, stack, labels, values);
}

static uint64_t bytes_used(const struct pipeline *p)
{
	return profile_bytes(p->profile) +
	       p->naming.items.count * (uint64_t)sizeof(*p->naming.items.at);
}

/* Counts the sample while there is room for what is new in it, and for its process. */
static int count(struct pipeline *p, struct process *process, const struct wire_sample *sample,
		 struct walked *walked)
{
	int64_t values[PROFILE_MAX_TYPES] = {};
	uint64_t *share = process ? &process->profile_bytes : &p->kernel_bytes;
	int r;

	fill_values(p, sample, values);
	p->budget.used = bytes_used(p);
	p->profile->closed = !budget_allows(&p->budget, *share, 0, 1);
	r = count_whole(p, process, sample, walked, values);
	if (r == PROFILE_FULL) {
		walked->outcome = WALK_PROFILE_FULL;
		r = count_merged(p, process, sample, values);
	}
	p->profile->closed = false;
	*share += bytes_used(p) - p->budget.used;
	p->outcomes[walked->outcome]++;
	p->through_generated_code += walked->outcome == WALK_COMPLETE && walked->generated;
	return r;
}

static bool is_cut(enum walk_outcome outcome)
{
	return outcome != WALK_COMPLETE && outcome != WALK_GUESSED && outcome != WALK_COMPAT &&
	       outcome != WALK_NO_USER_STACK;
}

/*
 * Walks to the end. *ret_process: the sample's; NULL for kernel threads. Returns 0, NO_SAMPLE for what
 * is none, or a negative errno.
 */
enum { NO_SAMPLE = 1 };

static int walk_whole(struct pipeline *p, const struct wire_sample *sample, struct walked *walked,
		      struct process **ret_process)
{
	const uint64_t *addresses = (const uint64_t *)(sample + 1);
	struct process *process;
	int r = sample_process(p, sample, &process);

	if (r < 0)
		return r;
	*walked = (struct walked){ p->stack_addresses, sample->user_count,
				   (enum walk_outcome)sample->outcome };
	if (sample->user_count > (process ? p->max_depth : 0) ||
	    sample->kernel_count > WIRE_MAX_KERNEL_FRAMES || sample->outcome >= WALK_OUTCOME_COUNT)
		return NO_SAMPLE;
	memcpy(walked->addresses, addresses + sample->kernel_count, 8UL * sample->user_count);
	if (process)
		complete_walk(p, process, sample, walked);
	if (process && process->unreadable && is_cut(walked->outcome))
		walked->outcome = WALK_NOT_ALLOWED;
	/* A kernel thread, or a process in exec or exit, has a kernel stack and no other. */
	if (walked->outcome == WALK_NO_USER_STACK && sample->kernel_count + walked->count)
		walked->outcome = WALK_COMPLETE;
	*ret_process = process;
	return 0;
}

static bool is_measured(const struct pipeline *p, const struct wire_sample *sample)
{
	return sample->event < EVENTS && p->events & EVENT_BIT(sample->event) &&
	       (p->counters[sample->event].values ||
		((sample->event == EVENT_CPU || sample->event >= EVENT_COUNTED_FIRST) &&
		 sample->weight_ns <= INT64_MAX)); /* of others it is no weight, but a mark, say */
}

static int note_cut(struct pipeline *p, const struct wire_sample *sample)
{
	enum { CUTS_MAX = 256 }; /* others are noted when they come again */
	struct cut_walk *cut = NULL;

	for (uint32_t i = 0; i < p->cuts.count; i++)
		if (p->cuts.at[i].tid == (pid_t)sample->tid)
			cut = &p->cuts.at[i];
	if (!cut && p->cuts.count == CUTS_MAX)
		return 0;
	if (!cut)
		cut = array_push(&p->cuts);
	if (!cut)
		return -ENOMEM;
	*cut = (struct cut_walk){ (pid_t)sample->tid, sample->stack_bytes };
	return 0;
}

int sample_stack_count(struct pipeline *p, const struct wire_sample *sample)
{
	const struct sample_counter *counter;
	struct process *process;
	struct walked walked;
	int r;

	if (!is_measured(p, sample))
		return 0;
	counter = &p->counters[sample->event];
	if (counter->take && !counter->take(counter->context, p, sample))
		return 0;
	r = walk_whole(p, sample, &walked, &process);
	if (r != 0)
		return r < 0 ? r : 0;
	p->sample_count++;
	if (p->copies && walked.outcome == WALK_COPY_SHORT)
		r = note_cut(p, sample);
	return r < 0 ? r : count(p, process, sample, &walked);
}

int sample_stack_add(struct pipeline *p, const struct wire_sample *sample, uint32_t *ret,
		     enum walk_outcome *ret_outcome)
{
	struct process *process;
	struct walked walked;
	int r = walk_whole(p, sample, &walked, &process);

	if (r == 0)
		r = add_stack(p, process, sample, &walked, ret);
	if (r != 0)
		return r < 0 ? r : -EINVAL;
	*ret_outcome = walked.outcome;
	return 0;
}
