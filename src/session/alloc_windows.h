/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When calls that allocate are looked at, and what a sample then stands for: a controller that keeps the
 * cost of the probes, as a share of the CPU time of those who are probed, below a limit.
 *
 * A window is long enough to see something and short enough that nobody waits for it: what is probed
 * runs two or three times slower inside of one. So a busy program gets many short windows, and one
 * that allocates seldom has its probes all the time.
 *
 * Each window stands for the targets' CPU time from halfway after the one before to halfway before the
 * next: a program at work on other things has not allocated less because it was not looked at, and what
 * the probes themselves take is no work. The distance is random, so that no program keeps step with it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct alloc_windows {
	double cap;	/* share of the targets' CPU time */
	double trap_ns; /* of a call that runs into a probe */
	/* Learnt, per nanosecond of the targets' CPU time in windows; below 0: not yet. */
	double hits, bytes, cost;
	/* Seen since something was learnt last: in one window nobody may have run. */
	double seen_ns, seen_wall_ns, seen_hits, seen_bytes, seen_cost;
	double spent_ns, allowed_ns; /* all in all */
	double outside_ns; /* what putting probes there and taking them away costs those who run into them */
	double cpu;	/* CPU time of the targets, per nanosecond of time */
	double slow_ns; /* putting probes there takes so long */
	uint64_t random;
	bool looked; /* not only to learn */
	uint64_t closed_ns; /* when the last window closed */
	double claimed_ns;  /* up to this much of the targets' CPU time some window stands for */
	double told_ns;	    /* for how much of it all windows stand */
};

struct alloc_window {
	uint64_t gap_ns;	 /* after the last one closed; 0: at once */
	uint64_t length_ns;	 /* of the targets' CPU time; of time, if it stays */
	uint64_t limit_ns;	 /* of time, should they use less */
	uint64_t interval_bytes; /* of the samples in it */
	uint64_t next_gap_ns;	 /* as it would be on average */
	bool only_learns;	 /* how much there is: its samples, hardly any, count for nothing */
	bool stays;		 /* the probes are left where they are afterwards */
};

/* What one window has shown. */
struct alloc_window_result {
	uint64_t length_ns; /* CPU time of the targets */
	uint64_t wall_ns, hits, bytes, sample_ns;
	uint64_t outside_hits;	  /* while the probes were put there and taken away */
	uint64_t cpu_ns, over_ns; /* CPU time of the targets, and in how much time */
};

/* cap: 0.005 is half a percent. */
void alloc_windows_init(struct alloc_windows *windows, double cap, double trap_ns, uint64_t seed,
			uint64_t now_ns);
struct alloc_window alloc_windows_next(struct alloc_windows *windows);
/* The CPU time of what is probed from now on is counted from another number: before, after, in ns. */
void alloc_windows_recount(struct alloc_windows *windows, uint64_t cpu_before, uint64_t cpu_after);
/* One whose probes stay opens: by how much its samples are multiplied. cpu_ns: of the targets by then. */
double alloc_windows_open(const struct alloc_windows *windows, const struct alloc_window *window,
			  uint64_t cpu_ns);
/*
 * One has closed; cpu_opened, cpu_closed: CPU time of the targets by then; probe_ns: of it, what the
 * probes took; weight: what alloc_windows_open said, if that is what counts. By how much its samples are
 * multiplied; 0: nobody ran meanwhile, the next one has to stand for that, too.
 */
double alloc_windows_close(struct alloc_windows *windows, const struct alloc_window *window,
			   uint64_t cpu_opened, uint64_t cpu_closed, double probe_ns,
			   double weight);
/*
 * When all is over: by how much everything is multiplied, because no window stands for the end, or the
 * last one for more than there was. cpu_ns: CPU time of the targets, without what probes took.
 */
double alloc_windows_correction(const struct alloc_windows *windows, double cpu_ns);
void alloc_windows_learn(struct alloc_windows *windows, const struct alloc_window_result *result);
/* Does the window, open for so long, cost so much more than it should that it is to be closed now? */
bool alloc_windows_is_too_dear(const struct alloc_windows *windows, uint64_t open_ns,
			       uint64_t hits);
/*
 * The chance with which a call for `size` bytes is sampled at a mean distance of so many bytes: what its
 * sample is divided by.
 */
double alloc_chance(uint64_t size, uint64_t interval_bytes);
