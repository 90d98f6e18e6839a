// SPDX-License-Identifier: Apache-2.0
#include "session/growth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "bpf/page_hash.h"
#include "session/event_source.h"
#include "session/growth_parts.h"

enum {
	PAGE_BYTES = 4096,
	LARGE_BYTES = 2 << 20,
	AROUND_BYTES = 65536, /* that one fault of a file maps, fault_around_bytes of mm/memory.c */
	LEDGER_PAGES = 16384, /* a share is within one point by as many */
	MOVES_MAX = 65536,
};

/* A look at all pages takes 10 ms at most; it may take so much of the time. */
#define LOOK_NS 1000000000ULL
#define LOOK_PART 200
#define TREND_NS 200000000ULL

/* ---- moved memory ---- */

static int keep_move(void *context, const struct wire_move *move)
{
	struct growth *g = context;
	struct wire_move *kept = g->moves.count < MOVES_MAX ? array_push(&g->moves) : NULL;

	if (kept)
		*kept = *move;
	else
		g->moves_dropped++;
	return 0;
}

/* Those up to a time; samples from before that are all counted. */
static int apply_moves(struct growth *g, uint64_t horizon_ns)
{
	uint32_t done = 0;
	int r = 0;

	if (!g->moves_drained)
		r = growth_source_drain_moves(g->source, keep_move, g);
	g->moves_drained = true;

	for (; done < g->moves.count && r == 0; done++) {
		const struct wire_move *move = &g->moves.at[done];
		uint32_t index;

		if (move->time_ns > horizon_ns)
			break;
		index = growth_find_process(g, (pid_t)move->pid);
		if (index != HASH_ABSENT)
			r = ledger_move(&g->ledger, index, move->from, move->bytes, move->to,
					move->time_ns);
	}
	if (done) {
		memmove(g->moves.at, g->moves.at + done,
			(g->moves.count - done) * sizeof(*g->moves.at));
		g->moves.count -= done;
	}
	return r;
}

uint64_t growth_place_now(const struct growth *g, pid_t pid, uint64_t address)
{
	for (uint32_t i = 0; i < g->moves.count; i++) {
		const struct wire_move *move = &g->moves.at[i];

		if (move->pid == (uint32_t)pid && address - move->from < move->bytes)
			address = address - move->from + move->to;
	}
	return address;
}

/* ---- samples ---- */

/*
 * A fault that reads a file maps what else is in memory of the 64 KiB around: that belongs to the first
 * fault there.
 */
static uint64_t bytes_around(struct growth *g, uint32_t index, uint64_t address, uint64_t time_ns)
{
	struct growth_process *process = g->processes.at[index];
	const struct memory_area *area = memory_map_find(&process->map, address);
	uint64_t start = address & ~(AROUND_BYTES - 1ULL), end = start + AROUND_BYTES, known = 0;
	struct growth_found found;

	if (!area)
		return PAGE_BYTES;
	start = start > area->start ? start : area->start;
	end = end < area->end ? end : area->end;
	found = growth_find(g, process, start, end, time_ns);
	for (uint64_t at = start; at < end; at += PAGE_BYTES) {
		const struct ledger_page *page = ledger_find(&g->ledger, index, at);

		known += page ? page->bytes : 0;
	}
	return found.bytes > known + PAGE_BYTES ? found.bytes - known : PAGE_BYTES;
}

static uint32_t shift_of(const struct wire_sample *sample)
{
	uint32_t shift = 0;

	while (shift < GROWTH_MAX_SHIFT && (uint64_t)PAGE_BYTES << shift < sample->size)
		shift++;
	return shift;
}

/* Finds out what the sample is of. False: it is of nothing. */
static bool take(void *context, const struct pipeline *p, const struct wire_sample *sample)
{
	struct growth *g = context;
	uint64_t address = sample->address & ~(PAGE_BYTES - 1ULL),
		 flags = sample->address & GROWTH_FLAGS;
	struct ledger_page page = { .address = address,
				    .span = PAGE_BYTES,
				    .bytes = PAGE_BYTES,
				    .time_ns = sample->time_ns,
				    .hashed = page_key(address, sample->pid),
				    .by_hash = true };
	struct growth_process *process;
	enum memory_kind kind;
	struct growth_found found;
	uint64_t now_at;
	uint32_t index;

	(void)p;
	if (address >> WIRE_USER_BITS || growth_get_process(g, &index, (pid_t)sample->pid) < 0 ||
	    apply_moves(g, sample->time_ns) < 0)
		return false;
	process = g->processes.at[index];
	page.process = index;
	now_at = growth_place_now(g, process->pid, address);
	kind = growth_kind_of(g, process, now_at, sample->sp);
	if (flags & GROWTH_RANGE) {
		if (sample->size >> WIRE_USER_BITS)
			return false;
		found = growth_find(g, process, now_at, now_at + sample->size, sample->time_ns);
		page.by_hash = false;
		page.span = page.bytes = sample->size;
		if (found.bytes)
			page.bytes = found.bytes;
	} else {
		found = growth_find(g, process, now_at, now_at + PAGE_BYTES, sample->time_ns);
		if (found.flags & RESIDENT_HUGE) {
			page.address = address & ~(LARGE_BYTES - 1ULL);
			page.span = page.bytes = LARGE_BYTES;
			page.by_hash = false;
		} else if (flags & GROWTH_ONLY_LARGE) {
			return false;
		} else if (kind == MEMORY_FILE && found.flags & RESIDENT_FILE) {
			page.bytes = bytes_around(g, index, address, sample->time_ns);
		}
	}
	page.held = page.bytes;
	g->at_hand = (struct growth_at_hand){ page, kind,
					      page.by_hash ? page.bytes << shift_of(sample)
							   : page.bytes };
	return true;
}

static void values(void *context, const struct pipeline *p, const struct wire_sample *sample,
		   int64_t *ret)
{
	const struct growth *g = context;

	(void)sample;
	ret[p->measures.types[MEASURE_SAMPLES]] = 1;
	ret[p->measures.types[MEASURE_TOUCHED]] = (int64_t)g->at_hand.touched;
}

static int label(void *context, struct pipeline *p, const struct wire_sample *sample,
		 struct profile_label *ret, uint32_t *ret_count)
{
	const struct growth *g = context;
	int r = profile_string(p->profile, &ret->key, "memory");

	(void)sample;
	if (r == 0)
		r = profile_string(p->profile, &ret->text, memory_kind_names[g->at_hand.kind]);
	*ret_count = r == 0;
	return r;
}

static int counted(void *context, const struct wire_sample *sample, uint32_t stack, uint32_t labels)
{
	struct growth *g = context;
	struct ledger_page page = g->at_hand.page;
	double weight = (double)g->at_hand.touched;

	(void)sample;
	page.stack = stack;
	page.labels = labels;
	g->touched += g->at_hand.touched;
	g->weights += weight;
	g->squares += weight * weight;
	g->samples++;
	return ledger_add(&g->ledger, &page);
}

/* ---- how much there is ---- */

/* Bytes that are resident of what is recorded, on top of `before` of processes met later. */
static uint64_t level(struct growth *g)
{
	uint64_t bytes = g->before;

	if (growth_is_machine(g))
		return growth_machine_bytes();
	for (uint32_t i = 0; i < g->processes.count; i++) {
		struct growth_process *process = g->processes.at[i];

		if (!process)
			continue;
		process->resident_bytes = growth_resident_bytes(process->pid);
		bytes += process->resident_bytes - process->before_bytes;
	}
	return (int64_t)bytes < 0 ? 0 : bytes;
}

static int measure_level(struct growth *g, bool last)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC), bytes;
	uint32_t count = g->trend.points.count;

	if (count && !last &&
	    now < g->trend.points.at[count - 1].time_ns + g->trend.spacing_ns * 7 / 8)
		return 0;
	/* After the end of all there is nothing to measure. */
	bytes = level(g);
	if (last && g->rec->end == RECORDING_TARGET_GONE)
		return 0;
	g->after = bytes;
	return trend_add(&g->trend, now, bytes);
}

/* ---- the source ---- */

void growth_free(struct growth *g)
{
	if (!g)
		return;
	growth_source_close(g->source);
	for (uint32_t i = 0; i < g->processes.count; i++)
		growth_process_free(g->processes.at[i]);
	array_fini(&g->processes);
	hash_index_fini(&g->by_pid);
	array_fini(&g->moves);
	array_fini(&g->ended);
	hash_index_fini(&g->ended_index);
	ledger_fini(&g->ledger);
	trend_fini(&g->trend);
	free(g);
}

static int open_growth(struct recording *rec)
{
	const struct target *target = &rec->config->target;
	struct growth_source_options options = {};
	struct source_failure failure;
	struct growth *g = calloc(1, sizeof(*g));
	int r;

	rec->growth = g;
	if (!g)
		return recording_complain(-ENOMEM, "cannot set up");
	g->rec = rec;
	if (getrandom(&options.salt, sizeof(options.salt), GRND_NONBLOCK) != sizeof(options.salt))
		options.salt = clock_ns(CLOCK_MONOTONIC);
	/* Threads are told by the kernel half, as filters are. */
	if (target->everything || target->tids.count)
		options.cpus = &rec->cpus;
	ledger_init(&g->ledger, options.salt, LEDGER_PAGES);
	trend_init(&g->trend, TREND_NS);
	r = growth_source_open(&g->source, rec->source, &options, &failure);
	if (r < 0)
		return recording_complain(r, failure.what);
	if (!growth_source_tells_moves(g->source))
		log_debug("this kernel does not tell when memory is moved: pages that mremap moves "
			  "count as given back");
	rec->pipeline.counters[EVENT_GROWTH] = (struct sample_counter){
		.take = take, .values = values, .label = label, .counted = counted, .context = g
	};
	return 0;
}

static int watch(struct recording *rec, pid_t pid)
{
	struct growth *g = rec->growth;
	uint32_t index;
	int r = growth_source_watch(g->source, pid);

	if (r == -ESRCH)
		r = 0; /* it has just ended, which is told elsewhere */
	if (r < 0)
		return recording_complain(r, "cannot open events for page faults");
	g->limited = pid;
	/* What runs now is not yet the command. */
	if (pid == rec->launch.pid)
		return 0;
	r = growth_add_process(g, &index, pid, false);
	if (r < 0)
		return r == -ESRCH ? 0 : recording_complain(r, "cannot set up");
	if (g->processes.at[index]->refused) {
		log_error("cannot record growth: /proc/%d/pagemap cannot be read, which tells what "
			  "stays resident; it needs CAP_SYS_PTRACE, or "
			  "CAP_PERFMON on newer kernels",
			  (int)pid);
		return -EACCES;
	}
	g->before += g->processes.at[index]->before_bytes;
	return 0;
}

static int start(struct recording *rec)
{
	struct growth *g = rec->growth;
	int r;

	if (growth_is_machine(g)) {
		g->before = growth_machine_bytes();
	} else if (rec->config->delay_ns) {
		/* What became resident while it warmed up was there before. */
		g->before = 0;
		for (uint32_t i = 0; i < g->processes.count; i++) {
			struct growth_process *process = g->processes.at[i];

			if (process)
				g->before += process->before_bytes =
					growth_resident_bytes(process->pid);
		}
	}
	growth_source_allow(g->source, clock_ns(CLOCK_MONOTONIC));
	r = growth_source_start(g->source);
	return r < 0 ? recording_complain(r, "cannot start the events for page faults") : 0;
}

static void stop(struct recording *rec)
{
	if (rec->growth)
		growth_source_stop(rec->growth->source);
}

static int add_growth(struct growth *g, uint32_t stack, uint32_t labels, uint64_t bytes)
{
	const struct pipeline *p = &g->rec->pipeline;
	int64_t values[PROFILE_MAX_TYPES] = {};
	int r;

	if (!bytes)
		return 0;
	g->stayed += bytes;
	values[p->measures.types[MEASURE_GROWTH]] = (int64_t)bytes;
	r = profile_sample_add(p->profile, stack, labels, values);
	return r < 0 ? r : 0;
}

/* What is held becomes its stack's growth, in place of what it was before. */
static int settle(struct growth *g)
{
	struct pipeline *p = &g->rec->pipeline;
	uint32_t types = p->profile->types.count, growth = p->measures.types[MEASURE_GROWTH];
	uint64_t counters[COUNT_COUNTERS];
	int r = 0;

	g->stayed = g->pages = 0;
	for (uint32_t i = 0; i < p->profile->samples.count; i++)
		p->profile->values.at[(uint64_t)i * types + growth] = 0;
	for (uint32_t i = 0; i < g->ended.count && r == 0; i++) {
		const struct growth_ended *ended = &g->ended.at[i];

		g->pages += ended->pages;
		r = add_growth(g, ended->stack, ended->labels, ended->bytes);
	}
	for (uint32_t i = 0; i < g->ledger.pages.count && r == 0; i++) {
		const struct ledger_page *page = &g->ledger.pages.at[i];

		g->pages += page->held > 0;
		r = add_growth(g, page->stack, page->labels, ledger_held(&g->ledger, page));
	}
	cpu_source_counters(g->rec->source, counters);
	g->faults = counters[COUNT_FAULTS];
	g->moves_lost = counters[COUNT_MOVES_DROPPED];
	return r;
}

static int turn(struct recording *rec, bool last)
{
	struct growth *g = rec->growth;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	int r;

	growth_source_allow(g->source, now);
	r = apply_moves(g, last ? UINT64_MAX : rec->pipeline.horizon_ns);
	g->moves_drained = false;
	g->turn++;
	ledger_raise(&g->ledger, growth_source_shift(g->source));
	growth_source_raise_shift(g->source, g->ledger.shift);
	if (r == 0 && rec->began_ns)
		r = measure_level(g, last);
	if (r == 0 && (last || now - g->looked_ns >= LOOK_NS + LOOK_PART * g->look_cost_ns)) {
		r = growth_look(g);
		if (r == 0)
			r = settle(g);
		g->looked_ns = clock_ns(CLOCK_MONOTONIC);
		g->look_cost_ns = g->looked_ns - now;
	}
	return r;
}

static void close_growth(struct recording *rec)
{
	growth_free(rec->growth);
	rec->growth = NULL;
}

const struct event_source event_source_growth = {
	.events = EVENT_BIT(EVENT_GROWTH),
	.open = open_growth,
	.watch = watch,
	.start = start,
	.stop = stop,
	.turn = turn,
	.close = close_growth,
};

void growth_summarize(const struct growth *g, struct growth_summary *ret)
{
	*ret = (struct growth_summary){
		.touched = g->touched,
		.stayed = g->stayed,
		.before = g->before,
		.after = g->after,
		.pages = g->pages,
		.one_of = 1U << g->ledger.shift,
		.faults = g->faults,
		.samples = g->samples,
		.moves_dropped = g->moves_dropped + g->moves_lost,
		.refused = g->ledger.refused,
		.processes_refused = g->processes_refused,
		.tells_moves = growth_source_tells_moves(g->source),
		.trend = trend_judge(&g->trend),
		.filtered = growth_is_filtered(g),
		.ended = g->rec->end == RECORDING_TARGET_GONE,
		.evenness = g->samples ? g->weights * g->weights / (g->squares * (double)g->samples)
				       : 0,
	};
	memory_limit_read(&ret->limit, growth_is_machine(g) ? 0 : g->limited);
}
