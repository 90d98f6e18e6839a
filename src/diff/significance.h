/* SPDX-License-Identifier: Apache-2.0 */
/* Distributions, tests and the choice among many tests; nothing here knows profiles. */
#pragma once

#include <stdint.h>

/* The 97.5 % quantile of the normal distribution. */
#define SIGNIFICANCE_Z 1.959963984540054

/* Degrees of freedom from here on are as good as the normal distribution. */
#define SIGNIFICANCE_MANY 1e6

/*
 * The probability of a t-distributed value at or beyond ±t, by the incomplete beta function
 * (Abramowitz and Stegun, Handbook of Mathematical Functions, 26.5.27). freedom: above 0.
 */
double student_two_sided(double t, double freedom);
/* The same beyond +t alone. */
double student_above(double t, double freedom);
/* The value that is exceeded on either side, both together, with the probability. */
double student_critical(double probability, double freedom);

/*
 * Whether two counts can come from the same share (with `wholes`: a of whole_a, b of whole_b) or
 * the same rate (a during exposure whole_a, b during whole_b): two-sided mid-p of the conditional
 * test, hypergeometric (Fisher) for shares and binomial for rates, which stays right for small
 * counts. Counts and wholes are effective samples; those of shares are rounded to whole ones.
 */
double counts_share_p(double a, double whole_a, double b, double whole_b);
double counts_rate_p(double a, double whole_a, double b, double whole_b);

/*
 * The 95 % interval of share b - share a, from the Wilson intervals of both (R. G. Newcombe,
 * Statistics in Medicine 17, 1998, p. 873, method 10).
 */
void counts_share_interval(double share_a, double whole_a, double share_b, double whole_b,
			   double *ret_low, double *ret_high);
/* Of rate b - rate a, from the score intervals of both counts in the same way. */
void counts_rate_interval(double rate_a, double whole_a, double rate_b, double whole_b,
			  double *ret_low, double *ret_high);

/*
 * The 95 % interval of one share that holds it in no less than 95 of 100 cases, also where counts are
 * few (C. J. Clopper, E. S. Pearson, Biometrika 26, 1934, p. 404).
 */
void counts_exact_interval(double share, double whole, double *ret_low, double *ret_high);
/*
 * The variance of a share of samples that weigh differently: squares is the sum of the squares of the
 * weights of those that are counted in, all_squares of all, both in terms of the whole. Where all weigh
 * the same it is share * (1 - share) / samples.
 */
double weighted_share_variance(double share, double squares, double all_squares);

/* The derivatives of log gamma; x above 0. trigamma_inverse is the x with trigamma(x) = value. */
double digamma(double x);
double trigamma(double x);
double trigamma_inverse(double value);

/*
 * Which of `count` tests to believe so that of all believed ones at most the part `rate` is false,
 * whatever depends on what: Y. Benjamini and D. Yekutieli, Annals of Statistics 29, 2001, p. 1165.
 * Shares do depend on one another: where one rises others must fall, and a caller rises with what
 * it calls. Sorts `p`. Returns the largest p that is believed; below 0: none is.
 */
double false_discovery_limit(double *p, uint32_t count, double rate);
/*
 * Which tests are worth asking: those whose smallest possible p is not above what is returned. Others
 * have too few counts to be believed whatever these say, and only make it harder for the rest; how
 * many counts there are says nothing of how they are divided, so this favours no answer (R. E. Tarone,
 * Biometrics 46, 1990, p. 515; P. B. Gilbert, Applied Statistics 54, 2005, p. 143). Sorts `smallest`.
 */
double attainable_limit(double *smallest, uint32_t count, double rate);
