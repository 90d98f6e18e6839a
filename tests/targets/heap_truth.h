// SPDX-License-Identifier: Apache-2.0
/* What programs say of the memory that they hold. */
#pragma once

#include <cmath>
#include <cstddef>

static double interval;

/*
 * Bytes, objects, and the variance that both have when they are estimated from objects that are sampled with
 * the probability p = 1 - exp(-size / interval): the sum of size^2 (1 - p) / p, and of (1 - p) / p.
 */
struct truth {
	double bytes = 0, objects = 0, variance = 0, objects_variance = 0;

	void add(size_t size, double sign = 1)
	{
		double p = -std::expm1(-(double)size / interval);

		bytes += sign * (double)size;
		objects += sign;
		variance += sign * (double)size * (double)size * (1 - p) / p;
		objects_variance += sign * (1 - p) / p;
	}
};
