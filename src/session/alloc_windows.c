// SPDX-License-Identifier: Apache-2.0
#include "session/alloc_windows.h"

#include <math.h>

#include "base/hash.h"

#define MS 1000000.0

/* The first one only finds out how much there is to see. */
#define FIRST_NS (1 * MS)
#define FIRST_GAP_NS (20 * MS)
/* Lengths that are tried for, and what they are at worst. */
#define WANTED_NS (20 * MS)
#define SHORT_NS (3 * MS)
#define SHORTEST_NS (1 * MS)
#define GAP_MIN_NS (300 * MS)
#define GAP_MAX_NS (5000 * MS)
/* With a share of time above this the probes stay. */
#define STAYS 0.8
#define STAY_NS (250 * MS)
/* Samples that a window is to have, and calls that each is to stand for: sampling costs more than a trap. */
#define SAMPLES_WANTED 300
#define CALLS_PER_SAMPLE 6
/* What the last window counts in what is learnt. */
#define NEWEST 0.4
/*
 * Who uses less CPU time than this is treated as if it were so much: nobody minds half a percent of it, and
 * else hardly anything of a quiet program could be seen.
 */
#define CPU_MIN 0.1
#define TOO_DEAR 4
/* For so long it is waited for targets that do not run. */
#define LIMIT_NS (100 * MS)
#define CPU_LEAST 0.001
/* In bytes; with the largest there are hardly any samples. */
#define INTERVAL_MIN 16
#define INTERVAL_MAX (1ULL << 34)
/* Of its CPU time a target has at least so much for itself, whatever the figures say. */
#define OWN_MIN 0.02
/* Who ran less than this, of what it usually does, has shown nothing. */
#define RAN_MIN 0.02
/* How many times its own time a window stands for, when it follows one that was not like it. */
#define STAYS_FOR_MORE 10
/* So much is seen before something is learnt from it. */
#define CPU_LEARN_NS (2000 * MS)
#define LEARN_HITS 200
#define LEARN_NS (150 * MS)

void alloc_windows_init(struct alloc_windows *w, double cap, double trap_ns, uint64_t seed,
			uint64_t now_ns)
{
	*w = (struct alloc_windows){
		.cap = cap, .trap_ns = trap_ns, .hits = -1, .random = seed, .closed_ns = now_ns
	};
}

/* From 0 to 1. */
static double random_share(struct alloc_windows *w)
{
	w->random = hash_pair(w->random, 0x616c6c6f63);
	return (double)(w->random >> 11) / (double)(1ULL << 53);
}

/* The share of their CPU time in which the targets can be looked at. */
static double duty(const struct alloc_windows *w)
{
	return w->cost > 0 ? w->cap * fmax(w->cpu, CPU_MIN) / fmax(w->cpu, CPU_LEAST) / w->cost : 1;
}

static uint64_t interval_for(const struct alloc_windows *w, double length_ns)
{
	double samples = fmin(SAMPLES_WANTED, w->hits * length_ns / CALLS_PER_SAMPLE);
	double interval = w->bytes * length_ns / fmax(samples, 1);

	if (!(interval > INTERVAL_MIN))
		return INTERVAL_MIN;
	return interval < INTERVAL_MAX ? (uint64_t)interval : INTERVAL_MAX;
}

/* Sets a window's length and the time before it, from the share of CPU time that it may have. */
static void plan(struct alloc_windows *w, struct alloc_window *window, double share, double debt)
{
	/* Putting probes there and taking them away again has to be paid for, too. */
	double edges = w->cost > 0 ? w->outside_ns / w->cost : 0, cpu = fmax(w->cpu, CPU_LEAST);
	double length = WANTED_NS, gap;

	gap = ((length + edges) / share - length) / cpu;
	if (gap > GAP_MIN_NS) {
		length = fmax(SHORT_NS, WANTED_NS * GAP_MIN_NS / gap);
		gap = ((length + edges) / share - length) / cpu;
	}
	if (gap > GAP_MAX_NS) {
		gap = GAP_MAX_NS;
		length = fmax(SHORTEST_NS, share * gap * cpu - edges);
	}
	if (gap < GAP_MIN_NS) {
		gap = GAP_MIN_NS;
		length = share * gap * cpu / (1 - share);
	}
	if (!w->looked) {
		/* What the targets use is hardly known yet: soon, and only as much as is paid for by then. */
		length = fmin(length, share * GAP_MIN_NS * cpu - edges);
		gap = GAP_MIN_NS;
	} else if (debt > 0) {
		gap += fmin(debt / (w->cap * fmax(w->cpu, CPU_MIN)), GAP_MAX_NS);
	}
	window->length_ns = (uint64_t)fmax(length, SHORTEST_NS);
	window->limit_ns = (uint64_t)(length + LIMIT_NS);
	window->gap_ns = (uint64_t)(gap * (0.5 + random_share(w)));
	window->next_gap_ns = (uint64_t)gap;
	window->interval_bytes = interval_for(w, length);
}

struct alloc_window alloc_windows_next(struct alloc_windows *w)
{
	struct alloc_window window = {};
	double share = duty(w), debt = w->spent_ns - w->allowed_ns;

	if (w->hits < 0)
		return (struct alloc_window){ .gap_ns = (uint64_t)FIRST_GAP_NS,
					      .length_ns = (uint64_t)FIRST_NS,
					      .limit_ns = (uint64_t)LIMIT_NS,
					      .interval_bytes = INTERVAL_MAX,
					      .only_learns = true };
	if (share >= STAYS && debt <= 0) {
		window.length_ns = window.limit_ns = (uint64_t)STAY_NS;
		window.stays = true;
		window.interval_bytes = interval_for(w, STAY_NS * w->cpu);
	} else {
		plan(w, &window, fmin(share, STAYS), debt);
	}
	return window;
}

void alloc_windows_recount(struct alloc_windows *w, uint64_t cpu_before, uint64_t cpu_after)
{
	w->claimed_ns += (double)cpu_after - (double)cpu_before;
}

double alloc_windows_open(const struct alloc_windows *w, const struct alloc_window *window,
			  uint64_t cpu_ns)
{
	double before = (double)cpu_ns - w->claimed_ns;
	double own = fmax(w->cpu, CPU_MIN) * (double)window->length_ns;

	/* After another such one nothing is left. */
	return 1 + fmin(fmax(before, 0) / own, STAYS_FOR_MORE);
}

double alloc_windows_close(struct alloc_windows *w, const struct alloc_window *window,
			   uint64_t cpu_opened, uint64_t cpu_closed, double probe_ns, double weight)
{
	double cpu = (double)(cpu_closed - cpu_opened);
	double own = fmax(cpu - probe_ns, OWN_MIN * cpu), stands_for;
	double after = w->cpu * (double)window->next_gap_ns / 2;

	if (window->stays) {
		w->looked = true;
		w->told_ns += weight * own;
		w->claimed_ns = (double)cpu_closed;
		return weight;
	}
	if (window->only_learns || own <= 0 || own < RAN_MIN * (double)window->length_ns)
		return 0;
	w->looked = true;
	stands_for = fmax((double)cpu_closed - (cpu - own) + after - w->claimed_ns, 0);
	w->told_ns += stands_for;
	w->claimed_ns = (double)cpu_closed + after;
	return stands_for / own;
}

double alloc_windows_correction(const struct alloc_windows *w, double cpu_ns)
{
	return w->told_ns > 0 && cpu_ns > 0 ? cpu_ns / w->told_ns : 1;
}

static void learn(double *value, double newest, bool first)
{
	*value = first ? newest : *value + NEWEST * (newest - *value);
}

void alloc_windows_learn(struct alloc_windows *w, const struct alloc_window_result *result)
{
	double cost = (double)result->hits * w->trap_ns + (double)result->sample_ns;
	bool first = w->hits < 0;

	w->seen_ns += (double)result->length_ns;
	w->seen_wall_ns += (double)result->wall_ns;
	w->seen_hits += (double)result->hits;
	w->seen_bytes += (double)result->bytes;
	w->seen_cost += cost;
	w->spent_ns += cost + (double)result->outside_hits * w->trap_ns;
	if (result->over_ns) {
		double newest = (double)result->cpu_ns / (double)result->over_ns;
		double share = fmin((double)result->over_ns / CPU_LEARN_NS, 1);

		w->cpu = w->cpu > 0 ? w->cpu + share * (newest - w->cpu) : newest;
		w->allowed_ns +=
			w->cap * fmax((double)result->cpu_ns, CPU_MIN * (double)result->over_ns);
	}
	learn(&w->outside_ns, (double)result->outside_hits * w->trap_ns, first);
	if (w->seen_ns < 1 || (w->seen_hits < LEARN_HITS && w->seen_wall_ns < LEARN_NS))
		return;
	learn(&w->hits, w->seen_hits / w->seen_ns, first);
	learn(&w->bytes, w->seen_bytes / w->seen_ns, first);
	/* Upwards at once: better too few windows than too many. */
	learn(&w->cost, w->seen_cost / w->seen_ns, first || w->seen_cost / w->seen_ns > w->cost);
	w->seen_ns = w->seen_wall_ns = w->seen_hits = w->seen_bytes = w->seen_cost = 0;
}

bool alloc_windows_is_too_dear(const struct alloc_windows *w, uint64_t open_ns, uint64_t hits)
{
	return (double)hits * w->trap_ns >
	       TOO_DEAR * w->cap * fmax(w->cpu, CPU_MIN) * fmax((double)open_ns, GAP_MIN_NS);
}

double alloc_chance(uint64_t size, uint64_t interval_bytes)
{
	return -expm1(-(double)size / (double)interval_bytes);
}
