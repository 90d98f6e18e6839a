/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names for frames: resolvers asked in order, the first answer wins, each distinct frame once.
 *
 * A user frame is (object, ELF address); JIT code is (process, runtime address); kernel frames are
 * addresses. Order for objects: separate debug file or own .symtab, .dynsym, .gnu_debugdata, start
 * of the FDE ("libfoo.so+0x1234"), then "[libfoo.so]". A symbol covers its size and no more.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "elf/object.h"

/* One function of an answer; strings are borrowed from the symbolizer until it is freed. */
struct symbol_line {
	const char *name;        /* demangled, never empty */
	const char *system_name; /* as in the symbol table; equal to `name` when not mangled */
	const char *file;        /* source file, "" when not known */
	uint32_t line;           /* 0 when not known */
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
};

int symbolizer_new(struct symbolizer **ret, const struct symbolizer_options *options);
void symbolizer_free(struct symbolizer *symbolizer);
DEFINE_CLEANUP(struct symbolizer, symbolizer_free);

/* Each puts an answer into *ret, always one that can be shown. Return 0 or -ENOMEM. */
int symbolizer_object(struct symbolizer *symbolizer, struct symbol *ret, struct object *object,
		      uint64_t address);
/* Functions of modules have theirs behind them, "nft_do_chain [nf_tables]", BPF programs "[bpf]". */
int symbolizer_kernel(struct symbolizer *symbolizer, struct symbol *ret, uint64_t address);
/*
 * Code outside of files: /tmp/perf-PID.map of the process, as its mount and pid namespace name it.
 * start_time: of the process (clock ticks since boot, /proc/PID/stat field 22), so that a pid that
 * is used again is not confused.
 */
int symbolizer_jit(struct symbolizer *symbolizer, struct symbol *ret, pid_t pid,
		   uint64_t start_time, uint64_t address);
/*
 * Why kernel names are missing (kptr_restrict), or NULL when they are not, or when no kernel address
 * was asked for yet.
 */
const char *symbolizer_kernel_trouble(const struct symbolizer *symbolizer);
/* CPU time spent building name tables and naming so far. */
uint64_t symbolizer_cost_ns(const struct symbolizer *symbolizer);
