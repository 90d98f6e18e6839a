/* SPDX-License-Identifier: Apache-2.0 */
/* Budgets: whether profiles keep to limits, as far as their samples can tell. */
#pragma once

#include "base/bytes.h"
#include "base/pattern.h"
#include "diff/diff.h"

enum verdict_kind {
	VERDICT_WITHIN,
	VERDICT_BROKEN,
	VERDICT_UNDECIDED, /* the limit is inside of the 95 % interval */
};

/* One limit of the command line. */
struct budget_rule {
	const char *text;	 /* as it was given */
	struct pattern *pattern; /* NULL: any function */
	double limit;		 /* 0 .. 1 */
	bool is_self;		 /* of functions by themselves */
	bool is_growth; /* of NEW's share less BASE's, of each function; else of all together */
};

/* What has become of a rule, or, where growth is limited, of one function. */
struct verdict {
	const struct budget_rule *rule; /* borrowed */
	enum verdict_kind kind;
	char *function;	    /* owned; NULL: the rule as a whole */
	double share, base; /* `base` of growth only */
	double low, high;   /* of the share, or of the growth */
	bool is_known;	    /* whether anything matches, or was compared */
	/*
	 * What would decide, about: samples of each side or, where runs differ more than samples do,
	 * runs. Infinite: nothing, it is the limit; 0: it is decided.
	 */
	double samples_needed, runs_needed;
};

struct verdicts {
	ARRAY_OF(struct verdict) list; /* broken ones first within a rule */
	uint32_t broken, undecided;
};

void verdicts_fini(struct verdicts *verdicts);
static inline void verdicts_fini_cleanup(struct verdicts *verdicts)
{
	verdicts_fini(verdicts);
}

/*
 * Adds the verdict on one rule for shares: of all samples in which a function that matches is found,
 * or is the innermost one. Several inputs are runs of one program; the interval is then the wider
 * one of that of sampling and that of the runs' mean. Returns 0, DIFF_REFUSED or -ENOMEM.
 */
int check_share(struct verdicts *verdicts, const struct budget_rule *rule,
		const struct diff_input *inputs, uint32_t count, struct diff_reason *reason);
/*
 * Adds verdicts on one rule for growth: each function that has grown beyond the limit for sure (of
 * all that are called so at most 5 % are not, as with diff_judge), each whose interval holds the
 * limit; and where there is neither, one on the rule as a whole. diff: per samples.
 * Returns 0, DIFF_REFUSED, where nothing tells what is noise, or -ENOMEM.
 */
int check_growth(struct verdicts *verdicts, const struct budget_rule *rule, const struct diff *diff,
		 struct diff_reason *reason);

/* ---- verdicts.c: as they are shown. `what`: of what shares are, "CPU". ---- */

/* A sentence: "json_decode: 6.2 % ± 0.7 of CPU, more than 5 %". */
void verdict_add_text(struct bytes *bytes, const struct verdict *verdict, const char *what);
/* All of it, for people, for programs, for Jenkins and its like, and for GitHub's pages. */
void verdicts_add_text(struct bytes *bytes, const struct verdicts *verdicts, const char *what);
void verdicts_add_json(struct bytes *bytes, const struct verdicts *verdicts, const char *what);
void verdicts_add_junit(struct bytes *bytes, const struct verdicts *verdicts, const char *what,
			const char *file);
void verdicts_add_github(struct bytes *bytes, const struct verdicts *verdicts, const char *what);
