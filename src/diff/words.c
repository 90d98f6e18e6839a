// SPDX-License-Identifier: Apache-2.0
/* How values, changes and noise are put into words. */
#include <math.h>
#include <stdio.h>

#include "diff/output.h"
#include "output/escape.h"

/* Of shares, percent; of others the number. */
static double shown(const struct diff *diff, double value)
{
	return diff->per == DIFF_PER_SAMPLES ? 100 * value : value;
}

/* Of percent: as many as the samples are worth. */
static int digits(const struct diff *diff)
{
	double samples = INFINITY;

	for (uint32_t i = 0; i < diff->runs.count; i++)
		samples = fmin(samples, diff->runs.at[i].effective);
	return samples < 20000 ? 1 : samples < 2000000 ? 2 : 3;
}

static void add_number(struct bytes *bytes, const struct diff *diff, double value)
{
	if (diff->per == DIFF_PER_SAMPLES)
		bytes_add_format(bytes, "%.*f", digits(diff), value);
	else if (diff->is_time)
		bytes_add_format(bytes, "%.3f", value);
	else
		bytes_add_format(bytes, "%.4g", value);
}

void diff_add_value(struct bytes *bytes, const struct diff *diff, double value)
{
	add_number(bytes, diff, shown(diff, value));
	if (diff->per == DIFF_PER_SAMPLES)
		bytes_add_str(bytes, " %");
}

void diff_add_unit(struct bytes *bytes, const struct diff *diff)
{
	if (diff->per == DIFF_PER_SAMPLES)
		bytes_add_str(bytes, "of ");
	else if (diff->is_time)
		bytes_add_str(bytes, "seconds of ");
	escape_clean(bytes, diff->what);
	if (diff->per == DIFF_PER_SECONDS)
		bytes_add_str(bytes, " per second");
	if (diff->per == DIFF_PER_CPU_SECONDS)
		bytes_add_str(bytes, " per second of CPU");
}

void diff_add_points(struct bytes *bytes, const struct diff *diff, const struct diff_value *value,
		     bool with_unit)
{
	double change = shown(diff, diff_change(value)), half = shown(diff, diff_half(value));

	if (change >= 0)
		bytes_add_char(bytes, '+');
	add_number(bytes, diff, change);
	if (with_unit && diff->per == DIFF_PER_SAMPLES)
		bytes_add_str(bytes, " points");
	if (!isfinite(half))
		return;
	bytes_add_str(bytes, " ± ");
	add_number(bytes, diff, half);
}

void diff_add_noise(struct bytes *bytes, const struct diff *diff)
{
	if (!diff->is_counted && !diff->has_run_noise) {
		bytes_add_str(bytes,
			      "Nothing says how many samples there were: what is noise is not "
			      "known, and nothing is marked. Several files on either side would "
			      "tell how much runs differ.");
		return;
	}
	if (!diff->has_run_noise) {
		bytes_add_str(
			bytes,
			"With one file a side only the noise of sampling is known: a mark says that "
			"the two recordings differ, not that the programs do. Give several "
			"recordings of either: --base A B C --new D E F.");
		return;
	}
	bytes_add_format(
		bytes, "Marked is what differs by more than runs of one side do among themselves");
	if (diff->is_counted)
		bytes_add_str(bytes, ", and more than sampling explains");
	if (diff->base_count == 1 || diff->new_count == 1)
		bytes_add_format(bytes, "; %s has one run, and is taken to vary as the other side",
				 diff->base_count == 1 ? "BASE" : "NEW");
	bytes_add_char(bytes, '.');
}
