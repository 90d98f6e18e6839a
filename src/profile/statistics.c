// SPDX-License-Identifier: Apache-2.0
#include "profile/statistics.h"

#include <math.h>

/* The 97.5 % quantile of the normal distribution. */
#define Z 1.959963984540054

static double clamp(double value)
{
	return value < 0 ? 0 : value > 1 ? 1 : value;
}

struct share share_of(double part, double whole, double samples)
{
	struct share ret = { 0, 0, 1, 1 };
	double center, spread, shrink;

	if (!(whole > 0) || !(samples > 0))
		return ret;
	ret.share = clamp(part / whole);
	shrink = 1 + Z * Z / samples;
	center = (ret.share + Z * Z / (2 * samples)) / shrink;
	spread = Z / shrink *
		 sqrt(ret.share * (1 - ret.share) / samples + Z * Z / (4 * samples * samples));
	ret.low = ret.share > 0 ? clamp(center - spread) : 0;
	ret.high = ret.share < 1 ? clamp(center + spread) : 1;
	ret.half = fmax(ret.share - ret.low, ret.high - ret.share);
	return ret;
}
