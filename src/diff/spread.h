/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much runs of the same program differ, beyond what sampling alone makes of them.
 *
 * A value of a run is expected to vary by
 *
 *     expected = sampling + (common * value * rest)²
 *
 * where `sampling` follows from the number of samples, `rest` is 1 - value for shares and 1 for
 * rates, and `common` is one figure for all that is compared: load and its like move large and small
 * functions by the same part of themselves. It is the one under which the spreads that are seen are
 * likeliest. What a single function's spread says beyond that, with few runs, is mostly chance, so
 * it is moderated: drawn towards that of all others as strongly as these agree with one another
 * (G. K. Smyth, Statistical Applications in Genetics and Molecular Biology 3, 2004, article 3,
 * whose moments of log variances are taken here, and whose t-test follows from it).
 *
 * Some things come in bursts, as interrupts do: what varies by more than one in a hundred like the
 * others would is left out of the common opinion, and judged by its own spread alone (as B. Phipson
 * et al., Annals of Applied Statistics 10, 2016, p. 946, have it, in a simpler way).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum spread_kind {
	SPREAD_OF_SHARES,
	SPREAD_OF_RATES,
};

/* What is known of one thing that is compared. */
struct spread_item {
	double value;	/* mean of all runs: the value where nothing has changed */
	double squares; /* sum of (run - mean of its side)² */
	double heaviness; /* how many samples it takes to say as much as one of the spread's exposure */
	/* Set by spread_fit: the variance of a run's value that is to be expected, and whether what is
	   seen is beyond that. */
	double expected;
	bool is_wild;
};

struct spread {
	enum spread_kind kind;
	double freedom;	 /* runs less sides: what one item's squares hold */
	double exposure; /* samples that a run has for a value of 1, on average; 0: not known */
	double common;
	/* The others' opinion on squares / freedom / expected, and how many runs' worth it is. */
	double prior, prior_freedom;
};

/* The variance that a value of a run is expected to have. */
double spread_expected(const struct spread *spread, double value, double exposure);
/* Fills all but kind, freedom and exposure from the items that say something, and their `expected`. */
void spread_fit(struct spread *spread, struct spread_item *items, uint32_t count);
/* The item's variance in terms of what was expected; *ret_freedom is for its t-test. */
double spread_moderated(const struct spread *spread, const struct spread_item *item,
			double *ret_freedom);
