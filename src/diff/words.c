// SPDX-License-Identifier: Apache-2.0
/* How values, changes and noise are put into words. */
#include <math.h>
#include <string.h>

#include "diff/output.h"
#include "output/escape.h"

/* Of percent: as many as the samples are worth. */
static int digits_of_shares(const struct diff *diff)
{
	double samples = INFINITY;

	for (uint32_t i = 0; i < diff->runs.count; i++)
		samples = fmin(samples, diff->runs.at[i].effective);
	return samples < 20000 ? 1 : samples < 2000000 ? 2 : 3;
}

static bool is_bytes(const struct diff *diff)
{
	return strcmp(profile_text(diff->names, diff->type_unit), "bytes") == 0;
}

/* A second of CPU per second is one CPU that was busy. */
static bool is_cpus(const struct diff *diff)
{
	return diff->per == DIFF_PER_SECONDS && diff->is_time && strcmp(diff->what, "CPU") == 0;
}

struct diff_measure diff_measure_of(const struct diff *diff)
{
	static const char *const bytes[] = { "bytes", "KiB", "MiB", "GiB", "TiB", NULL };
	static const char *const counts[] = { "", "thousand", "million", "billion", NULL };
	const struct diff_value *all = &diff->node_total[0];
	double largest = fmax(all->base, all->new), scale = 1, step = 1000;
	const char *const *unit = counts;

	if (diff->per == DIFF_PER_SAMPLES)
		return (struct diff_measure){ 100, "%", digits_of_shares(diff) };
	if (is_bytes(diff)) {
		unit = bytes;
		step = 1024;
	}
	/* One unit for all, so that columns can be compared, and four digits of the largest value. */
	while (!diff->is_time && largest >= 2 * step && unit[1]) {
		largest /= step;
		scale /= step;
		unit++;
	}
	return (struct diff_measure){ scale, diff->is_time ? "seconds" : *unit,
				      largest >= 100   ? 1
				      : largest >= 10  ? 2
				      : largest >= 1   ? 3
				      : largest >= 0.1 ? 4
						       : 5 };
}

static void add_number(struct bytes *bytes, const struct diff *diff, double value)
{
	struct diff_measure measure = diff_measure_of(diff);

	bytes_add_format(bytes, "%.*f", measure.digits, measure.scale * value);
}

void diff_add_value(struct bytes *bytes, const struct diff *diff, double value)
{
	add_number(bytes, diff, value);
	if (diff->per == DIFF_PER_SAMPLES)
		bytes_add_str(bytes, " %");
}

void diff_add_unit(struct bytes *bytes, const struct diff *diff)
{
	const char *unit = diff_measure_of(diff).unit;

	if (is_cpus(diff)) {
		bytes_add_str(bytes, "CPUs");
		return;
	}
	if (diff->per == DIFF_PER_SAMPLES)
		bytes_add_str(bytes, "of ");
	else if (*unit)
		bytes_add_format(bytes, diff->is_time || is_bytes(diff) ? "%s of " : "%s ", unit);
	escape_clean(bytes, diff->what);
	if (diff->per == DIFF_PER_SECONDS)
		bytes_add_str(bytes, " per second");
	if (diff->per == DIFF_PER_CPU_SECONDS)
		bytes_add_str(bytes, " per second of CPU");
}

void diff_add_points(struct bytes *bytes, const struct diff *diff, const struct diff_value *value,
		     bool with_unit)
{
	struct diff_measure measure = diff_measure_of(diff);
	double change = diff_change(value), half = diff_half(value);

	/* Never "-0.0". */
	if (fabs(change) * measure.scale * pow(10, measure.digits) < 0.5)
		change = 0;
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
	if (!diff->has_run_noise && diff->of_history) {
		bytes_add_str(
			bytes,
			"The history has the two intervals as one window each: only the noise of "
			"sampling is known, and a mark says that they differ, not that they differ by "
			"more than times like these do. A longer baseline would tell.");
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
		bytes, "Marked is what differs by more than %s of one side do among themselves",
		diff->of_history ? "stretches of time" : "runs");
	if (diff->is_counted)
		bytes_add_str(bytes, ", and more than sampling explains");
	if (diff->base_count == 1 || diff->new_count == 1)
		bytes_add_format(bytes, "; %s %s, and is taken to vary as the other side",
				 diff->base_count == 1 ? "BASE" : "NEW",
				 diff->of_history ? "is one stretch" : "has one run");
	bytes_add_char(bytes, '.');
}
