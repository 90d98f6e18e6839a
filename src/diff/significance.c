// SPDX-License-Identifier: Apache-2.0
#include "diff/significance.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/*
 * The continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8), by Lentz's
 * method (W. J. Lentz, Applied Optics 15, 1976, p. 668).
 */
static double beta_fraction(double a, double b, double x)
{
	double c = 1, d = 1 - (a + b) * x / (a + 1), value;

	d = 1 / (fabs(d) < DBL_MIN ? DBL_MIN : d);
	value = d;
	for (int i = 1; i < 10000; i++) {
		double change = 1;

		for (int odd = 0; odd < 2; odd++) {
			double m = i, step;

			step = odd ? -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
				   : m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
			d = 1 + step * d;
			d = 1 / (fabs(d) < DBL_MIN ? DBL_MIN : d);
			c = 1 + step / c;
			c = fabs(c) < DBL_MIN ? DBL_MIN : c;
			change = c * d;
			value *= change;
		}
		if (fabs(change - 1) < 1e-15)
			break;
	}
	return value;
}

/* The incomplete beta function's share of the whole one: between 0 and 1. rest: 1 - x, exactly. */
static double beta_share(double a, double b, double x, double rest)
{
	double front;

	if (x <= 0)
		return 0;
	if (rest <= 0)
		return 1;
	front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(rest));
	if (x < (a + 1) / (a + b + 2))
		return front * beta_fraction(a, b, x) / a;
	return 1 - front * beta_fraction(b, a, rest) / b;
}

double student_two_sided(double t, double freedom)
{
	t = fabs(t);
	if (!(freedom < SIGNIFICANCE_MANY))
		return erfc(t / sqrt(2));
	if (isinf(t))
		return 0;
	return beta_share(freedom / 2, 0.5, freedom / (freedom + t * t), t * t / (freedom + t * t));
}

double student_above(double t, double freedom)
{
	double half = student_two_sided(t, freedom) / 2;

	return t > 0 ? half : 1 - half;
}

double student_critical(double probability, double freedom)
{
	double low = 0, high = 1;

	while (student_two_sided(high, freedom) > probability && high < 1e300)
		high *= 2;
	for (int i = 0; i < 200 && high - low > 1e-12 * high; i++) {
		double middle = (low + high) / 2;

		if (student_two_sided(middle, freedom) > probability)
			low = middle;
		else
			high = middle;
	}
	return high;
}

/* Whatever two counts' sum is distributed by: ratio(n) is P(n + 1) / P(n). */
struct conditional {
	bool is_share;
	double both, whole_a, whole_b;
};

static double ratio_up(const struct conditional *of, double b)
{
	double a = of->both - b;

	if (of->is_share)
		return (of->whole_b - b) * a / ((b + 1) * (of->whole_a - a + 1));
	return a * of->whole_b / ((b + 1) * of->whole_a);
}

static double log_choose(double n, double k)
{
	return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

static double probability(const struct conditional *of, double b)
{
	double a = of->both - b, all = of->whole_a + of->whole_b;

	if (of->is_share)
		return exp(log_choose(of->whole_a, a) + log_choose(of->whole_b, b) -
			   log_choose(all, of->both));
	return exp(log_choose(of->both, b) + a * log(of->whole_a / all) +
		   b * log(of->whole_b / all));
}

/* The probability of what is further out than b, in terms of that of b; direction: 1 or -1. */
static double beyond(const struct conditional *of, double b, int direction)
{
	double sum = 0, term = 1;
	double first = of->is_share ? fmax(0, of->both - of->whole_a) : 0;
	double last = of->is_share ? fmin(of->both, of->whole_b) : of->both;

	while (direction > 0 ? b < last : b > first) {
		term *= direction > 0 ? ratio_up(of, b) : 1 / ratio_up(of, b - 1);
		b += direction;
		sum += term;
		/* Terms fall ever faster behind the middle. */
		if (term < 1e-17 * (1 + sum))
			break;
	}
	return sum;
}

/* Large counts: the normal approximation is closer than any rounding, and faster. */
enum { MANY_COUNTS = 2000000 };

static double conditional_p(const struct conditional *of, double b)
{
	double all = of->whole_a + of->whole_b;
	double part = of->whole_b / all, mean = of->both * part;
	double one, spread = of->both * part * (1 - part), below;

	if (!(of->both > 0) || !(of->whole_a > 0) || !(of->whole_b > 0))
		return 1;
	if (of->is_share)
		spread *= all > 1 ? (all - of->both) / (all - 1) : 0;
	if (!(spread > 0))
		return 1;
	if (of->both > MANY_COUNTS)
		return erfc(fabs(b - mean) / sqrt(2 * spread));
	one = probability(of, b);
	below = b > mean ? beyond(of, b, 1) : beyond(of, b, -1);
	return fmin(1, 2 * one * (below + 0.5));
}

double counts_share_p(double a, double whole_a, double b, double whole_b)
{
	struct conditional of = { true, 0, fmax(round(whole_a), round(a)),
				  fmax(round(whole_b), round(b)) };

	of.both = round(a) + round(b);
	return conditional_p(&of, round(b));
}

double counts_rate_p(double a, double whole_a, double b, double whole_b)
{
	struct conditional of = { false, round(a) + round(b), whole_a, whole_b };

	return conditional_p(&of, round(b));
}

static double clamp(double value)
{
	return value < 0 ? 0 : value > 1 ? 1 : value;
}

/* Wilson's score interval, as share_of in profile/statistics.c. */
static void share_interval(double share, double whole, double *ret_low, double *ret_high)
{
	const double z = SIGNIFICANCE_Z;
	double shrink = 1 + z * z / whole, center = (share + z * z / (2 * whole)) / shrink;
	double spread =
		z / shrink * sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole));

	*ret_low = share > 0 ? clamp(center - spread) : 0;
	*ret_high = share < 1 ? clamp(center + spread) : 1;
}

/* The rates that a count's score test does not refuse: (count - rate * whole)² = z² rate * whole. */
static void rate_interval(double rate, double whole, double *ret_low, double *ret_high)
{
	const double z = SIGNIFICANCE_Z;
	double center = rate + z * z / (2 * whole);
	double spread = z * sqrt(rate / whole + z * z / (4 * whole * whole));

	*ret_low = fmax(0, center - spread);
	*ret_high = center + spread;
}

static void combine(double a, const double *of_a, double b, const double *of_b, double *ret_low,
		    double *ret_high)
{
	*ret_low = b - a - hypot(b - of_b[0], of_a[1] - a);
	*ret_high = b - a + hypot(of_b[1] - b, a - of_a[0]);
}

void counts_share_interval(double share_a, double whole_a, double share_b, double whole_b,
			   double *ret_low, double *ret_high)
{
	double a[2], b[2];

	*ret_low = -1;
	*ret_high = 1;
	if (!(whole_a > 0) || !(whole_b > 0))
		return;
	share_a = clamp(share_a);
	share_b = clamp(share_b);
	share_interval(share_a, whole_a, &a[0], &a[1]);
	share_interval(share_b, whole_b, &b[0], &b[1]);
	combine(share_a, a, share_b, b, ret_low, ret_high);
}

void counts_rate_interval(double rate_a, double whole_a, double rate_b, double whole_b,
			  double *ret_low, double *ret_high)
{
	double a[2], b[2];

	*ret_low = -INFINITY;
	*ret_high = INFINITY;
	if (!(whole_a > 0) || !(whole_b > 0))
		return;
	rate_interval(rate_a, whole_a, &a[0], &a[1]);
	rate_interval(rate_b, whole_b, &b[0], &b[1]);
	combine(rate_a, a, rate_b, b, ret_low, ret_high);
}

/* The share below which the incomplete beta function has `part` of the whole one. */
static double beta_quantile(double a, double b, double part)
{
	double low = 0, high = 1;

	for (int i = 0; i < 100 && high - low > 1e-12 * high; i++) {
		double middle = (low + high) / 2;

		if (beta_share(a, b, middle, 1 - middle) < part)
			low = middle;
		else
			high = middle;
	}
	return (low + high) / 2;
}

void counts_exact_interval(double share, double whole, double *ret_low, double *ret_high)
{
	double seen = share * whole, rest = whole - seen;

	*ret_low = seen > 0 ? beta_quantile(seen, rest + 1, 0.025) : 0;
	*ret_high = rest > 0 ? beta_quantile(seen + 1, rest, 0.975) : 1;
}

double weighted_share_variance(double share, double squares, double all_squares)
{
	return (1 - share) * (1 - share) * squares + share * share * fmax(all_squares - squares, 0);
}

/* Both: recurrence up to where the asymptotic series (Abramowitz and Stegun 6.3.18, 6.4.12) is exact. */
double digamma(double x)
{
	double sum = 0, square;

	for (; x < 12; x++)
		sum -= 1 / x;
	square = 1 / (x * x);
	return sum + log(x) - 1 / (2 * x) -
	       square * (1.0 / 12 - square * (1.0 / 120 - square * (1.0 / 252 - square / 240)));
}

double trigamma(double x)
{
	double sum = 0, square;

	for (; x < 12; x++)
		sum += 1 / (x * x);
	square = 1 / (x * x);
	return sum + 1 / x + square / 2 +
	       square / x * (1.0 / 6 - square * (1.0 / 30 - square * (1.0 / 42 - square / 30)));
}

double trigamma_inverse(double value)
{
	double low = 1e-6, high = 1e8;

	for (int i = 0; i < 200 && high > low * (1 + 1e-14); i++) {
		double middle = sqrt(low * high);

		if (trigamma(middle) > value)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static int compare_doubles(const void *a_, const void *b_)
{
	double a = *(const double *)a_, b = *(const double *)b_;

	return a < b ? -1 : a > b;
}

double false_discovery_limit(double *p, uint32_t count, double rate)
{
	double harmonic = 0, limit = -1;

	if (count)
		qsort(p, count, sizeof(*p), compare_doubles);
	for (uint32_t i = 1; i <= count; i++)
		harmonic += 1.0 / i;
	for (uint32_t i = 1; i <= count; i++)
		if (p[i - 1] <= i * rate / (count * harmonic))
			limit = p[i - 1];
	return limit;
}

double attainable_limit(double *smallest, uint32_t count, double rate)
{
	double harmonic = 0, limit = 1;
	uint32_t worth = count;

	if (count)
		qsort(smallest, count, sizeof(*smallest), compare_doubles);
	/* As few tests as there are at the level that so many have. */
	for (uint32_t tests = 1; tests <= count; tests++) {
		harmonic += 1.0 / tests;
		limit = rate / (tests * harmonic);
		while (worth && smallest[worth - 1] > limit)
			worth--;
		if (worth <= tests)
			break;
	}
	return limit;
}
