// SPDX-License-Identifier: Apache-2.0
#include "query/answer.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "output/escape.h"

#define SECOND_NS INT64_C(1000000000)

/* The finest grain that the history has: stretches are not shorter. */
#define LEAST_STEP_NS (10 * SECOND_NS)

static int none(struct answer_reason *reason, struct bytes *text)
{
	snprintf(reason->text, sizeof(reason->text), "%s",
		 bytes_str(text) ? text->at : "out of memory");
	return ANSWER_NONE;
}

int answer_fail(struct answer_reason *reason, struct store_reader *reader, int outcome)
{
	const char *why = store_reader_why(reader);

	if (outcome == -ENOMEM)
		snprintf(reason->text, sizeof(reason->text),
			 "not enough memory for the answer: ask for a shorter interval, or for a "
			 "part of what ran");
	else if (outcome == STORE_TOO_LARGE)
		snprintf(reason->text, sizeof(reason->text),
			 "the answer would be too large: ask for a shorter interval, or for a part "
			 "of what ran");
	else if (*why)
		snprintf(reason->text, sizeof(reason->text), "%s", why);
	else
		snprintf(reason->text, sizeof(reason->text), "cannot read the history: %s",
			 outcome < 0 ? strerror(-outcome) : "it is damaged");
	return ANSWER_FAILED;
}

static void add_word(struct bytes *bytes, const char *what, const char *text)
{
	if (!text)
		return;
	bytes_add_format(bytes, "%s%s ", bytes->size ? ", " : "", what);
	escape_clean(bytes, text);
}

void answer_add_scope(struct bytes *bytes, const struct store_query *query)
{
	cleanup(bytes_fini) struct bytes words = {};

	for (uint32_t i = 0; i < query->pid_count; i++)
		bytes_add_format(&words, "%s%" PRId32, i ? ", " : "pid ", query->pids[i]);
	add_word(&words, "unit", query->unit);
	add_word(&words, "command", query->comm);
	add_word(&words, "executable", query->exe);
	add_word(&words, "build ID", query->build_id);
	add_word(&words, "container", query->container);
	add_word(&words, "pod", query->pod);
	add_word(&words, "cgroup", query->cgroup);
	add_word(&words, "user", query->user);
	if (query->has_uid)
		bytes_add_format(&words, "%suser %" PRIu32, words.size ? ", " : "", query->uid);
	bytes_add_str(bytes, words.size && bytes_str(&words) ? words.at : PROFILE_OF_MACHINE);
}

/* The part of the interval that profd was asked about and that is over. */
static int64_t asked_ns(const struct store_query *query, const struct store_answer *answer)
{
	int64_t until_ns = query->until_ns;

	/* What is still to come is no gap; the window that is being recorded is not there yet. */
	if (answer->last_ns && answer->last_ns < until_ns &&
	    until_ns - answer->last_ns <= 2 * LEAST_STEP_NS)
		until_ns = answer->last_ns;
	return until_ns - query->from_ns;
}

void answer_add_health(struct bytes *bytes, const struct store_query *query,
		       const struct store_answer *answer)
{
	int64_t asked = asked_ns(query, answer);

	if (answer->covered_ns >= asked - SECOND_NS) {
		bytes_add_str(bytes, "all of it recorded");
	} else {
		bytes_add_str(bytes, "recorded ");
		when_add_duration(bytes, answer->covered_ns);
		bytes_add_str(bytes, " of ");
		when_add_duration(bytes, asked);
		if (answer->first_ns > query->from_ns + SECOND_NS) {
			bytes_add_str(bytes, ", from ");
			when_add(bytes, answer->first_ns, query->until_ns);
		}
		if (answer->last_ns < query->from_ns + asked - SECOND_NS) {
			bytes_add_str(bytes, ", until ");
			when_add(bytes, answer->last_ns, query->until_ns);
		}
		if (answer->gaps)
			bytes_add_format(bytes, ", with %" PRIu32 " gap%s", answer->gaps,
					 answer->gaps == 1 ? "" : "s");
	}
	if (answer->longest_window_ns) {
		bytes_add_str(bytes, ", in windows of ");
		when_add_duration(bytes, answer->longest_window_ns);
	}
	bytes_add_format(bytes, "; %" PRIu64 " samples lost", answer->lost);
	if (answer->thinned_ns > 0 && answer->cpu_ns > 0) {
		bytes_add_format(bytes,
				 "; thinned: %.1f %% of the CPU time is of rare stacks, of which "
				 "one in several stands for all, for %.2g s at most",
				 100 * (double)answer->thinned_ns / (double)answer->cpu_ns,
				 (double)answer->thin_ns / 1e9);
	}
}

void answer_json(struct json *json, const struct store_query *query,
		 const struct store_answer *answer)
{
	cleanup(bytes_fini) struct bytes text = {};

	json_object(json, "history");
	answer_add_scope(&text, query);
	json_string(json, "of", bytes_str(&text));
	text.size = 0;
	when_add_iso(&text, query->from_ns);
	json_string(json, "from", bytes_str(&text));
	text.size = 0;
	when_add_iso(&text, query->until_ns);
	json_string(json, "until", bytes_str(&text));
	json_i64(json, "from_ns", query->from_ns);
	json_i64(json, "until_ns", query->until_ns);
	json_u64(json, "windows", answer->windows);
	json_i64(json, "first_ns", answer->first_ns);
	json_i64(json, "last_ns", answer->last_ns);
	json_i64(json, "recorded_ns", answer->covered_ns);
	json_u64(json, "gaps", answer->gaps);
	json_i64(json, "longest_window_ns", answer->longest_window_ns);
	json_i64(json, "samples", answer->samples);
	json_u64(json, "lost", answer->lost);
	json_i64(json, "cpu_ns", answer->cpu_ns);
	json_i64(json, "all_cpu_ns", answer->all_cpu_ns);
	json_double(json, "cores",
		    answer->covered_ns > 0 ? (double)answer->cpu_ns / (double)answer->covered_ns
					   : 0);
	json_u64(json, "cpus", answer->cpus);
	json_i64(json, "thinned_ns", answer->thinned_ns);
	json_i64(json, "heaviest_sample_ns", answer->thin_ns);
	json_end(json);
}

/* "2,970 samples at 19 Hz; recorded ..." */
static void add_quality(struct bytes *bytes, const struct profile *profile,
			const struct store_query *query, const struct store_answer *answer)
{
	double rate = profile->meta.period > 0 ? 1e9 / (double)profile->meta.period : 0;

	text_add_count(bytes, answer->samples);
	bytes_add_str(bytes, answer->samples == 1 ? " sample" : " samples");
	/* Rates change with the load; samples that stand for several say nothing about them. */
	if (answer->samples && !answer->thinned_ns && rate > 0) {
		double mean = (double)answer->samples * 1e9 / (double)answer->cpu_ns;

		if (fabs(mean / rate - 1) > 0.05)
			bytes_add_format(bytes, " at %.3g Hz on average", mean);
		else
			bytes_add_format(bytes, " at %.3g Hz", rate);
	} else if (rate > 0) {
		bytes_add_format(bytes, " at %.3g Hz", rate);
	}
	bytes_add_str(bytes, "; ");
	answer_add_health(bytes, query, answer);
}

static char *take_text(struct bytes *bytes)
{
	return bytes_str(bytes) ? TAKE_PTR(bytes->at) : NULL;
}

/* Words and measures; then nothing more is added. */
static int describe(struct profile *profile, const struct store_query *query,
		    const struct store_answer *answer, int64_t now_ns)
{
	const struct interval interval = { query->from_ns, query->until_ns };
	cleanup(bytes_fini) struct bytes title = {}, subtitle = {}, quality = {};
	struct profile_meta *meta = &profile->meta;

	answer_add_scope(&title, query);
	when_add_interval(&subtitle, &interval, now_ns);
	add_quality(&quality, profile, query, answer);
	free(meta->title);
	free(meta->subtitle);
	free(meta->quality);
	meta->title = take_text(&title);
	meta->subtitle = take_text(&subtitle);
	meta->quality = take_text(&quality);
	if (!meta->title || !meta->subtitle || !meta->quality)
		return -ENOMEM;
	meta->of_machine = true;
	if (answer->covered_ns > 0)
		meta->duration_ns = answer->covered_ns;
	return profile_freeze(profile);
}

int answer_say_nothing(struct store_reader *reader, const struct store_query *query, int64_t now_ns,
		       struct answer_reason *reason)
{
	const struct interval asked = { query->from_ns, query->until_ns };
	cleanup(bytes_fini) struct bytes text = {};
	struct interval there;
	int r = store_extent(reader, &there.from_ns, &there.until_ns);

	if (r != 0)
		return answer_fail(reason, reader, r);
	bytes_add_str(&text, "nothing was recorded from ");
	when_add_interval(&text, &asked, now_ns);
	if (there.until_ns > there.from_ns) {
		bytes_add_str(&text, "; there is history from ");
		when_add_interval(&text, &there, now_ns);
	} else {
		bytes_add_str(&text, ", nor at any other time yet");
	}
	return none(reason, &text);
}

int answer_read(struct profile **ret, struct store_answer *answer, struct store_reader *reader,
		const struct store_query *query, int64_t now_ns, struct answer_reason *reason)
{
	cleanup(profile_free) struct profile *profile = NULL;
	int r = store_read(reader, query, &profile, answer);

	if (r == 0 && !answer->windows)
		return answer_say_nothing(reader, query, now_ns, reason);
	if (r == 0)
		r = describe(profile, query, answer, now_ns);
	if (r != 0)
		return answer_fail(reason, reader, r);
	*ret = TAKE_PTR(profile);
	return 0;
}

void stretches_fini(struct stretches *stretches)
{
	for (uint32_t i = 0; i < stretches->profiles.count; i++)
		profile_free(stretches->profiles.at[i]);
	array_fini(&stretches->profiles);
	array_fini(&stretches->intervals);
	array_fini(&stretches->samples);
}

/* Takes the profile over. */
static int add_stretch(struct stretches *stretches, struct profile *taken,
		       const struct interval *interval, int64_t samples)
{
	cleanup(profile_free) struct profile *profile = taken;
	struct interval *added = array_push(&stretches->intervals);
	int64_t *count = array_push(&stretches->samples);
	struct profile **last;

	if (!added || !count)
		return -ENOMEM;
	last = array_push(&stretches->profiles);
	if (!last)
		return -ENOMEM;
	*added = *interval;
	*count = samples;
	*last = TAKE_PTR(profile);
	return 0;
}

struct collect {
	struct stretches *to;
	const struct store_query *query;
	int64_t now_ns, step_ns;
	int64_t longest_window_ns; /* that was too long, if one was */
};

enum { TOO_SHORT = 1000 }; /* beyond the store's outcomes */

/* Takes the profile over. */
static int collect_one(void *context, struct profile *taken, const struct store_answer *answer)
{
	struct collect *collect = context;
	cleanup(profile_free) struct profile *profile = taken;
	struct store_query query = *collect->query;
	struct interval interval;
	int r;

	if (answer->longest_window_ns > collect->step_ns &&
	    query.until_ns - query.from_ns > collect->step_ns) {
		/* A part of a window says nothing about how windows differ. */
		collect->longest_window_ns = answer->longest_window_ns;
		return TOO_SHORT;
	}
	if (!answer->windows)
		return 0;
	if (profile->meta.time_ns > query.from_ns)
		query.from_ns = profile->meta.time_ns;
	if (query.until_ns - query.from_ns > collect->step_ns)
		query.until_ns = query.from_ns + collect->step_ns;
	r = describe(profile, &query, answer, collect->now_ns);
	if (r < 0)
		return r;
	interval = (struct interval){ query.from_ns, query.until_ns };
	return add_stretch(collect->to, TAKE_PTR(profile), &interval, answer->samples);
}

static int64_t step_of(const struct store_query *query, uint32_t most, int64_t least_ns)
{
	int64_t whole = query->until_ns - query->from_ns;
	int64_t count = whole / least_ns;

	if (count > most)
		count = most;
	if (count < 1)
		count = 1;
	return (whole + count - 1) / count;
}

static int64_t sum(const struct stretches *stretches)
{
	int64_t samples = 0;

	for (uint32_t i = 0; i < stretches->samples.count; i++)
		samples = profile_sum(samples, stretches->samples.at[i]);
	return samples;
}

/* Whether one says much more than another, which would count as much. */
static bool is_balanced(const struct stretches *stretches)
{
	double mean = (double)sum(stretches) / stretches->samples.count;

	for (uint32_t i = 0; i < stretches->samples.count; i++)
		if ((double)stretches->samples.at[i] < mean / 3)
			return false;
	return true;
}

static int read_one(struct stretches *to, struct store_reader *reader,
		    const struct store_query *query, const struct interval *interval,
		    int64_t now_ns)
{
	struct profile *profile = NULL;
	struct store_query part = *query;
	struct store_answer answer;
	int r;

	part.from_ns = interval->from_ns;
	part.until_ns = interval->until_ns;
	r = store_read(reader, &part, &profile, &answer);
	if (r == 0)
		r = describe(profile, &part, &answer, now_ns);
	if (r != 0) {
		profile_free(profile);
		return r;
	}
	return add_stretch(to, profile, interval, answer.samples);
}

/* Neighbours become one until each has as many samples as the mean, at least half of it at the end. */
static int balance(struct stretches *stretches, struct store_reader *reader,
		   const struct store_query *query, int64_t now_ns)
{
	cleanup(stretches_fini) struct stretches fair = {};
	int64_t all = sum(stretches), mean = all / stretches->samples.count, left = all,
		samples = 0;
	struct interval interval = {};
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < stretches->samples.count; i++) {
		bool is_last = i + 1 == stretches->samples.count;

		if (!samples)
			interval.from_ns = stretches->intervals.at[i].from_ns;
		interval.until_ns = stretches->intervals.at[i].until_ns;
		samples += stretches->samples.at[i];
		if (!is_last && (samples < mean || left - samples < mean / 2))
			continue;
		if (samples)
			r = read_one(&fair, reader, query, &interval, now_ns);
		left -= samples;
		samples = 0;
	}
	if (r == 0) {
		struct stretches swap = fair;

		fair = *stretches;
		*stretches = swap;
	}
	return r;
}

static bool has_empty(const struct stretches *stretches)
{
	for (uint32_t i = 0; i < stretches->samples.count; i++)
		if (!stretches->samples.at[i])
			return true;
	return false;
}

/* Equal stretches. Returns as the store does. */
static int read_equal(struct stretches *ret, struct store_reader *reader,
		      const struct store_query *query, uint32_t most, int64_t now_ns)
{
	int64_t least_ns = LEAST_STEP_NS;
	int r;

	/* The older, the coarser: known once it is read, and there are two levels more. */
	for (;;) {
		struct collect collect = { ret, query, now_ns, step_of(query, most, least_ns), 0 };

		stretches_fini(ret);
		r = store_read_steps(reader, query, collect.step_ns, collect_one, &collect);
		if (r != TOO_SHORT)
			return r;
		/* A clock that jumped, or a hostile file: it takes ever fewer. */
		least_ns = collect.longest_window_ns > 2 * least_ns ? collect.longest_window_ns
								    : 2 * least_ns;
	}
}

int stretches_read(struct stretches *ret, struct store_reader *reader,
		   const struct store_query *query, enum stretches_of of, uint32_t most,
		   int64_t now_ns, struct answer_reason *reason)
{
	int r = read_equal(ret, reader, query, most, now_ns);

	if (r == 0 && !ret->profiles.count)
		return answer_say_nothing(reader, query, now_ns, reason);
	if (r == 0 && sum(ret) == 0) {
		stretches_fini(ret);
		return 0;
	}
	while (r == 0 && of == STRETCHES_OF_TIME && has_empty(ret) && ret->profiles.count > 1)
		r = read_equal(ret, reader, query, ret->profiles.count / 2, now_ns);
	if (r == 0 && of == STRETCHES_OF_SAMPLES && !is_balanced(ret))
		r = balance(ret, reader, query, now_ns);
	return r == 0 ? 0 : answer_fail(reason, reader, r);
}
