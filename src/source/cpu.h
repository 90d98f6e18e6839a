/* SPDX-License-Identifier: Apache-2.0 */
/*
 * On-CPU samples: owns the BPF programs of bpf/cpu.bpf.c and one timer event per CPU.
 *
 * Life: cpu_source_open loads everything and fills in the targets; cpu_source_start lets the timers
 * run; cpu_source_drain hands samples over; cpu_source_stop ends the timers, what is in the ring
 * stays to be drained. Closing the last descriptor removes every probe, also after kill -9.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "bpf/wire.h"

struct cpu_list;

struct cpu_source_options {
	struct wire_config config; /* period_ns is filled in here */
	uint32_t frequency_hz;     /* 0: use period_ns */
	uint64_t period_ns;        /* of CPU time between two samples */
	const struct wire_glob *comm; /* when config.filter_comm */
	int cgroup_fd;		      /* when config.filter_cgroup: its folder, borrowed */
	uint32_t ring_bytes;       /* a power of two, at least 64 KiB */
	uint32_t mapping_capacity; /* mappings of all processes together */
	const struct cpu_list *cpus;
	bool no_timers; /* samples come from other events only, see cpu_source_share */
};

struct cpu_source;

/* As the kernel half knows it, see bpf/pids.h. */
struct cpu_source_namespace {
	uint64_t address;
	uint32_t level;
};

/* What failed, in words, for the one line that is shown; set when cpu_source_open fails. */
struct source_failure {
	char what[256];
};

/* Returns 0 or a negative errno. */
int cpu_source_open(struct cpu_source **ret, const struct cpu_source_options *options,
		    struct source_failure *failure);
void cpu_source_close(struct cpu_source *source);
DEFINE_CLEANUP(struct cpu_source, cpu_source_close);

/* Watches one more process (or thread, with config.by_tid). flags: TARGET_*. 0 or -errno. */
int cpu_source_watch(struct cpu_source *source, pid_t id, uint32_t flags);
/* False once the process or thread is gone (and its children, if they were to be watched). */
bool cpu_source_watches_any(const struct cpu_source *source);

int cpu_source_start(struct cpu_source *source);
void cpu_source_stop(struct cpu_source *source);

/*
 * Moves the timers against the program, to be called once a second or so: a program that repeats
 * itself at about the sampling rate would else meet every tick in the same phase. The rate stays
 * what it is on average. Nothing happens with an exact period (frequency_hz 0).
 */
void cpu_source_rephase(struct cpu_source *source, uint64_t elapsed_ns);

/*
 * CPUs come and go, as when a machine was suspended or gets more of them: to be called now and then with
 * those that are online. Of those that had no timer, or one that does not tick any more, it opens one, and
 * adds their numbers to *changed (the caller's). Nothing happens before cpu_source_start, and within a
 * second after the last time. Returns 0 or a negative errno.
 */
int cpu_source_follow(struct cpu_source *source, const struct cpu_list *online,
		      struct cpu_list *changed);

/*
 * Another rate from here on; samples weigh what they stand for, so nothing is biased by it. With an
 * exact period, too.
 */
void cpu_source_set_rate(struct cpu_source *source, uint32_t frequency_hz);
/*
 * Has the timers run faster: tasks that are looked at closely are sampled at this rate, all others as
 * before. 0: none is any more. Below the rate of all others nothing changes.
 */
void cpu_source_look_closely(struct cpu_source *source, uint32_t frequency_hz);
/* Which ones: a process (closely false: not any more), or all. Returns 0 or a negative errno. */
int cpu_source_look_closely_at(struct cpu_source *source, pid_t pid, bool closely);
void cpu_source_look_closely_at_all(struct cpu_source *source, bool closely);

/* A descriptor that polls readable when the ring should be drained soon. */
int cpu_source_fd(const struct cpu_source *source);
/* Hands over what is in the ring. size: of the record. Returns 0 or the first negative result. */
int cpu_source_drain(struct cpu_source *source,
		     int (*handle)(void *context, const struct wire_sample *sample, size_t size),
		     void *context);

/* Sums over all CPUs since the start. */
void cpu_source_counters(const struct cpu_source *source, uint64_t ret[COUNT_COUNTERS]);
/* How often the kernel has stopped a timer for a moment because it came too often, up to the last drain. */
uint64_t cpu_source_throttled(const struct cpu_source *source);
/* Of whoever is not looked at closely. */
uint64_t cpu_source_period_ns(const struct cpu_source *source);
/* What the kernel half's maps and programs occupy, in bytes, without the table chunks. */
uint64_t cpu_source_kernel_bytes(const struct cpu_source *source);

/*
 * Has the programs of another event walk by the same tables, watch the same targets, write into the
 * same ring and count in the same counters: to be called between opening and loading their object, whose
 * maps of the same names are made the source's; `config`, `own_namespace`: what the object's variables of
 * these names (bpf/maps.h, bpf/pids.h) are to be set to. Returns 0 or a negative errno.
 */
struct bpf_object;
int cpu_source_share(const struct cpu_source *source, struct bpf_object *object,
		     struct wire_config *config, struct cpu_source_namespace *own_namespace);
/*
 * Has them put samples together in the same place, too, if all of them are programs on perf events, of
 * which the kernel runs one at a time on a CPU. After cpu_source_share. Returns 0 or a negative errno.
 */
int cpu_source_share_scratches(const struct cpu_source *source, struct bpf_object *object);

/* Descriptors for the table store, borrowed. */
struct cpu_source_maps {
	int processes, mappings, tables, rules, chunks, rule_caches;
	uint32_t rule_cache_count;
};
struct cpu_source_maps cpu_source_maps(const struct cpu_source *source);
