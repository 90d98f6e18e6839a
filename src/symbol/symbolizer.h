/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names for frames, each distinct frame once.
 *
 * A user frame is (object, ELF address): the reader process is asked (symbol/object_names.h says in
 * which order it looks), and what has no name is "libfoo.so+0x1234" by its function's start, or
 * "[libfoo.so]". JIT code is (process, runtime address); kernel frames are addresses.
 *
 * Names are kept within a budget, of which no object and no process has more than is left for all
 * others. Beyond it functions are called after their object as a whole, as if they had no names.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "elf/object.h"
#include "worker/workers.h"

/* One function of an answer; strings are borrowed from the symbolizer until it is freed. */
struct symbol_line {
	const char *name;        /* demangled, never empty */
	const char *system_name; /* as in the symbol table; equal to `name` when not mangled */
	const char *file;        /* source file, "" when not known */
	uint32_t line;           /* 0 when not known */
	uint32_t start_line;     /* of the function; 0 when not known */
};

enum { SYMBOL_MAX_LINES = 64 };

/* What a frame is called. lines[0] is the innermost inlined function, the last one the real one. */
struct symbol {
	struct symbol_line lines[SYMBOL_MAX_LINES];
	uint32_t line_count; /* at least 1 */
	bool named;          /* false: `name` is made of a module and an offset */
};

struct symbolizer;

struct symbolizer_options {
	bool kernel_names; /* read /proc/kallsyms when a kernel address comes */
	uint64_t jit_bytes_max; /* of memory for the names that JITs give; 0: the usual */
	uint64_t name_bytes_max; /* the same for all names that were asked for */
};

/* workers: borrowed. Returns 0 or -ENOMEM. */
int symbolizer_new(struct symbolizer **ret, const struct symbolizer_options *options,
		   struct workers *workers);
void symbolizer_free(struct symbolizer *symbolizer);
DEFINE_CLEANUP(struct symbolizer, symbolizer_free);

/* The answer for addresses[number]; borrowed. Returns 0 or a negative errno, which ends it. */
typedef int (*symbol_fn)(void *context, uint32_t number, const struct symbol *symbol);

/*
 * Names addresses of one object: `tell` is called for each in their order; when that takes longer, only
 * for the first ones, at least one.
 * Returns 0, what `tell` returned below 0, or -ENOMEM.
 */
int symbolizer_object(struct symbolizer *symbolizer, struct object *object,
		      const uint64_t *addresses, uint32_t count, symbol_fn tell, void *context);
/*
 * The same of the kernel: there is always an answer that can be shown. Functions of modules have
 * theirs behind them, "nft_do_chain [nf_tables]", BPF programs "[bpf]".
 */
int symbolizer_kernel(struct symbolizer *symbolizer, const uint64_t *addresses, uint32_t count,
		      symbol_fn tell, void *context);
/*
 * The same of code outside of files: /tmp/perf-PID.map of the process, as its mount and pid namespace
 * name it. start_time: of the process (clock ticks since boot, /proc/PID/stat field 22), so that a
 * pid that is used again is not confused. A process whose names the reader cannot cope with keeps
 * them as they are, and that is noted.
 */
int symbolizer_jit(struct symbolizer *symbolizer, pid_t pid, uint64_t start_time,
		   const uint64_t *addresses, uint32_t count, symbol_fn tell, void *context);
/* The process has ended and all its code has its names. */
void symbolizer_forget_process(struct symbolizer *symbolizer, pid_t pid, uint64_t start_time);
/*
 * Why kernel names are missing (kptr_restrict), or NULL when they are not, or when no kernel address
 * was asked for yet.
 */
const char *symbolizer_kernel_trouble(const struct symbolizer *symbolizer);
/* How many lines have none of their names because whose they are has too many. */
uint64_t symbolizer_refused(const struct symbolizer *symbolizer);
/* CPU time spent building name tables and naming so far, here and in the workers. */
uint64_t symbolizer_cost_ns(const struct symbolizer *symbolizer);
