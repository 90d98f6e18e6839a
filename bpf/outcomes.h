/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Why a walk ended, and what was counted on the way: one list for both halves.
 *
 * OUTCOME(NAME, text): `text` is what the closing summary prints. The order is part of the wire.
 */
#pragma once

#define WALK_OUTCOMES(OUTCOME)                                                                     \
	OUTCOME(COMPLETE, "complete")                                                              \
	OUTCOME(NO_PROCESS, "process not known yet")                                               \
	OUTCOME(NO_MAPPING, "address outside of every mapping")                                    \
	OUTCOME(NO_TABLE, "unwind table not there yet")                                            \
	OUTCOME(NO_ROW, "no unwind row")                                                           \
	OUTCOME(BAD_FRAME_POINTER, "frame pointer not usable")                                     \
	OUTCOME(NOT_PRESENT, "page not present")                                                   \
	OUTCOME(NO_PROGRESS, "stack pointer did not advance")                                      \
	OUTCOME(TOO_DEEP, "deeper than the limit")                                                 \
	OUTCOME(COPY_SHORT, "deeper than the copied stack")                                        \
	OUTCOME(STALE_MAPPING, "code was mapped meanwhile")                                        \
	OUTCOME(COMPAT, "32-bit code")                                                             \
	OUTCOME(NO_USER_STACK, "no user stack")                                                    \
	OUTCOME(GUESSED, "guessed")                                                                \
	OUTCOME(PROFILE_FULL, "profile full")                                                      \
	OUTCOME(NOT_ALLOWED, "mappings may not be read")

enum walk_outcome {
#define OUTCOME(name, text) WALK_##name,
	WALK_OUTCOMES(OUTCOME)
#undef OUTCOME
	WALK_OUTCOME_COUNT
};

/* Per-CPU counters of the kernel half, summed by the other half. COUNTER(NAME, text). */
#define WIRE_COUNTERS(COUNTER)                                                                     \
	COUNTER(TICKS, "timer ticks that reached the program")                                     \
	COUNTER(IDLE, "ticks of an idle CPU")                                                      \
	COUNTER(FILTERED, "ticks of tasks that are not watched")                                   \
	COUNTER(OUTSIDE, "those of them that are outside of profd's pid namespace")                \
	COUNTER(PASSED, "ticks passed over: of tasks that are sampled at a lower rate")            \
	COUNTER(MISSED, "ticks that should have been between two busy ones, of watched tasks")     \
	COUNTER(WALKS, "user stacks walked")                                                       \
	COUNTER(FRAMES, "user frames walked")                                                      \
	COUNTER(SENT, "samples handed over")                                                       \
	COUNTER(DROPPED, "samples dropped: ring full")                                             \
	COUNTER(COPIES, "samples that carry a piece of stack")                                     \
	COUNTER(RUN_NS, "nanoseconds spent in the program, all ticks")                             \
	COUNTER(SAMPLE_NS, "nanoseconds spent in the program, ticks that became samples")          \
	COUNTER(FAULTS, "page faults that reached the program")                                    \
	COUNTER(FAULT_SAMPLES, "those of them that became samples")                                \
	COUNTER(MOVES_DROPPED, "moved pieces of memory that were not told: ring full")

enum wire_counter {
#define COUNTER(name, text) COUNT_##name,
	WIRE_COUNTERS(COUNTER)
#undef COUNTER
	COUNT_COUNTERS
};
