/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two sides, BASE and NEW, of one profile or more each, as one tree, with what has changed between
 * them, and whether that is more than noise.
 *
 * Functions are the same where their name and the file name of their module are: paths, build ids
 * and addresses differ from build to build. The program itself is one module, whatever its file is
 * called on either side; where one side has no modules, as folded text, names alone decide. Threads
 * are the same where their names are. Stacks are the same where all of their frames are.
 *
 * Values are normalised to the same work (enum diff_per) for each run, and averaged over the runs
 * of a side. Nodes are in preorder, siblings by name, as in a call tree; node 0 is everything.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "diff/spread.h"
#include "profile/call_tree.h"

/* What values are related to. */
enum diff_per {
	DIFF_PER_SAMPLES,     /* the whole of the run: shares from 0 to 1 */
	DIFF_PER_SECONDS,     /* a second of recording; of CPU time: cores */
	DIFF_PER_CPU_SECONDS, /* a second of CPU time that the target used */
	DIFF_PER_RUN,	      /* nothing: amounts as they are */
	DIFF_PER_KIND,	      /* amounts of memory to nothing, all else to the whole of the run */
};

enum diff_mark {
	DIFF_NOTHING, /* nothing beyond noise */
	DIFF_DEARER,
	DIFF_CHEAPER,
};

struct diff_value {
	double base, new;
	double low, high;      /* 95 % interval of new - base; infinite: nothing is known of it */
	double error, freedom; /* standard error of new - base, for the t-test; freedom 0: none */
	double base_samples, new_samples; /* effective ones */
	double p;			  /* that noise alone makes such a difference */
	enum diff_mark mark;
};

struct diff_frame {
	uint32_t name, module, file; /* strings of diff->names */
	uint32_t line;
	enum call_kind kind;
	bool inlined;
	/* Self and total are the same in every run: one test, not two. */
	bool is_leaf;
};

struct diff_node {
	uint32_t frame, parent, end, depth;
};

/* One profile. */
struct diff_run {
	uint32_t name; /* for people; string of diff->names */
	bool is_new;
	int64_t samples;			/* 0: not known */
	double effective;			/* call_tree.effective_samples; 0: not known */
	double value;				/* of everything, per whatever is chosen */
	double amount;				/* of everything, in the unit of the type */
	double exposure;			/* samples for a value of 1; 0: not known */
	double *self, *total;			/* by node */
	double *function_self, *function_total; /* by frame; recursion counts once */
};

struct diff {
	struct profile *names; /* holds strings only */
	enum diff_per per;
	bool is_time;		       /* values are CPU or other time */
	bool has_seconds;	       /* how long was recorded is known of every run */
	bool is_counted;	       /* how many samples there were is known of every run */
	bool has_run_noise;	       /* there are runs to tell the noise between runs from */
	bool of_history;	       /* set by the caller: runs are stretches of it, not files */
	const char *what;	       /* "CPU", or the name of the type; borrowed from `names` */
	uint32_t type_name, type_unit; /* as the profiles have them; strings of `names` */
	const char *base_program, *new_program; /* where these differ; else NULL; from `names` */
	uint32_t base_count, new_count;
	ARRAY_OF(struct diff_run) runs; /* NEW's first */
	/* Like a run, but of the squares of what single samples weigh, of all runs together. Samples of
	   one stack are taken to weigh the same. */
	struct diff_run squares;
	ARRAY_OF(struct diff_frame) frames; /* by name, module, kind */
	ARRAY_OF(struct diff_node) nodes;
	uint32_t max_depth;
	struct diff_value *function_self, *function_total; /* by frame */
	struct diff_value *node_total;			   /* by node */
	struct spread function_spread, node_spread;
	uint32_t function_tests, node_tests; /* how many of them were asked whether they changed */
};

/* A profile and which of its types is compared. */
struct diff_input {
	const struct profile *profile;
	const char *name; /* for people */
	uint32_t type;
};

/* Why two sides cannot be compared, for people. */
struct diff_reason {
	char text[480];
};

/* Named outcome: they cannot be compared, and the reason says why. */
enum { DIFF_REFUSED = 1 };

/*
 * Chooses the types so that all are of the same name and unit: what each shows first or, where that
 * differs, one of those that another one shows and all have.
 * is_chosen: the first types were asked for, and stay. Returns 0 or DIFF_REFUSED, also where values are
 * below 0, as those of a difference are.
 */
int diff_choose_types(struct diff_input *inputs, uint32_t count, bool is_chosen,
		      struct diff_reason *reason);

/* Returns 0, with *ret the caller's; DIFF_REFUSED; or -ENOMEM. Nothing of the inputs is kept. */
int diff_new(struct diff **ret, const struct diff_input *base, uint32_t base_count,
	     const struct diff_input *new, uint32_t new_count, enum diff_per per,
	     struct diff_reason *reason);
void diff_free(struct diff *diff);
DEFINE_CLEANUP(struct diff, diff_free);

/* Of all marked functions and of all marked stacks as many may be marked for nothing. */
#define DIFF_FALSE_RATE 0.05

/*
 * Fills what is judged of a merged diff; diff_new does. Returns 0 or -ENOMEM.
 */
int diff_judge(struct diff *diff);

static inline const char *diff_name(const struct diff *diff, const struct diff_frame *frame)
{
	return profile_text(diff->names, frame->name);
}

static inline const char *diff_module(const struct diff *diff, const struct diff_frame *frame)
{
	return profile_text(diff->names, frame->module);
}

static inline double diff_change(const struct diff_value *value)
{
	return value->new - value->base;
}

/* value ± half covers the whole interval. */
static inline double diff_half(const struct diff_value *value)
{
	double up = value->high - diff_change(value), down = diff_change(value) - value->low;

	return up > down ? up : down;
}

/* A node's own values, the means of either side's runs. */
static inline void diff_self(const struct diff *diff, uint32_t node, double *ret_base,
			     double *ret_new)
{
	*ret_base = *ret_new = 0;
	for (uint32_t i = 0; i < diff->runs.count; i++) {
		const struct diff_run *run = &diff->runs.at[i];

		*(run->is_new ? ret_new : ret_base) +=
			run->self[node] / (run->is_new ? diff->new_count : diff->base_count);
	}
}

static inline bool diff_is_function(const struct diff_frame *frame)
{
	return frame->kind < CALL_ALL;
}
