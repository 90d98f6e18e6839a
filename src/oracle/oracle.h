/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a program one instruction at a time and compares, after each of them, the stack that profd's
 * walker finds from the registers with the true one (truth.h). Where the next instruction is a
 * system call, it also compares what a sample in that call would give. Every thread is followed, no
 * other process is.
 */
#pragma once

#include "oracle/code.h"
#include "oracle/compare.h"
#include "oracle/report.h"
#include "oracle/tables.h"
#include "oracle/tracee.h"
#include "oracle/truth.h"

struct oracle_options {
	uint64_t instructions; /* 0: until the program ends */
	uint64_t every;	       /* compares after one of so many; 0: after each */
	uint64_t interrupt;    /* a signal after about so many instructions; 0: none */
	bool born;	       /* follow threads that the first one starts, not the first one */
	bool from_entry;       /* let the dynamic loader run before */
	bool without_tables;   /* walk by frame pointers alone, to see that this is noticed */
	bool in_process;       /* files are parsed here, not in processes without privileges */
	bool silent;	       /* the program writes to nowhere */
};

struct oracle {
	struct oracle_options options;
	struct tracee tracee;
	struct tables tables;
	bool has_tables;
	struct truth truth;
	struct code_cache codes;
	struct report report;
	uint64_t random;
	int failure;  /* of reading the mappings: a negative errno */
	bool stale;   /* executable mappings may have changed */
	bool catches; /* the program has handlers for both signals */
	struct comparer comparer;
	uint64_t instructions; /* executed so far, that were followed */
};

/*
 * Starts the program; it stands at its first instruction. Returns NULL with a negative errno in *error
 * (-EPERM: ptrace is not allowed; -EOPNOTSUPP: profd was built without a decoder of instructions). Free
 * with oracle_free.
 */
struct oracle *oracle_new(const struct oracle_options *options, char **argv, int *error);
/*
 * Follows it. Returns its status as of waitpid, 0 also when it was stopped at the limit, or a negative
 * errno. What was found is in oracle->report, truth.counts and comparer.
 */
int oracle_follow(struct oracle *oracle);
/* Kills what is left of the program. NULL is fine. */
void oracle_free(struct oracle *oracle);
