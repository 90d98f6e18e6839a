// SPDX-License-Identifier: Apache-2.0
#include "query/deploys.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/budget.h"
#include "base/clock.h"
#include "diff/output.h"

#define SECOND_NS INT64_C(1000000000)
#define MINUTE_NS (60 * SECOND_NS)
#define HOUR_NS (60 * MINUTE_NS)

/* What is looked at in one go: a return after an absence is seen only between two of them. */
#define CHUNK_NS (10 * MINUTE_NS)
/* One call takes about as long as this; what is left is for the next one. */
#define TIME_NS (3 * SECOND_NS)
/* Where somebody waits for it, either part. */
#define ASKED_NS (10 * SECOND_NS)
/* So much is compared, where there is enough in it, */
#define SIDE_NS (30 * MINUTE_NS)
/* and so far back we look for it. */
#define DAY_NS (24 * HOUR_NS)
#define BEFORE_NS DAY_NS
/* When the new build is judged: by then what it does at its start weighs little. */
#define PATIENCE_NS (10 * MINUTE_NS)
#define LONG_PATIENCE_NS (HOUR_NS)
/* Memory of one side. */
#define SIDE_BYTES (128ULL << 20)

enum {
	STRETCHES = 8,	      /* of a side: to know how much it differs from itself */
	ENOUGH_SAMPLES = 400, /* of a side */
	FEWEST_SAMPLES = 40,  /* with fewer nothing is compared */
	JUDGED_AT_ONCE = 4,   /* in one call */
};

/* ---- Finding them. ---- */

static uint64_t now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/*
 * The history's extent, up to now: a clock that was set far ahead for a while must not have us wait for
 * that time to come, nor forget what it makes look old.
 */
static int find_extent(struct store_reader *reader, int64_t now_ns, struct interval *ret)
{
	int r;

	*ret = (struct interval){};
	r = store_extent(reader, &ret->from_ns, &ret->until_ns);
	if (ret->until_ns > now_ns)
		ret->until_ns = now_ns;
	return r;
}

/* Looks at all windows that were not looked at yet, as far as the time allows. */
static int scan(struct book *book, struct store_reader *reader, int64_t now_ns,
		uint64_t deadline_ns)
{
	struct interval extent;
	int r = find_extent(reader, now_ns, &extent);

	if (r != 0 || extent.until_ns <= extent.from_ns)
		return r;
	/* Before the first window there is none; and a clock may have been set back. */
	if (book->scanned_ns < extent.from_ns)
		book->scanned_ns = extent.from_ns;
	if (book->scanned_ns > extent.until_ns)
		book->scanned_ns = extent.until_ns;
	while (r == 0 && book->scanned_ns < extent.until_ns && now() < deadline_ns) {
		cleanup(store_rows_fini) struct store_rows rows = {};
		struct store_query query = { .from_ns = book->scanned_ns };
		struct store_answer answer;

		query.until_ns = extent.until_ns - query.from_ns > CHUNK_NS
					 ? query.from_ns + CHUNK_NS
					 : extent.until_ns;
		r = store_list(reader, &query, STORE_BY_BUILD_ID, &rows, &answer);
		if (r == 0)
			r = watch_forget(book, rows.rows.count, query.until_ns);
		if (r == 0)
			r = watch_take(book, &rows, query.until_ns, answer.longest_window_ns,
				       &watch_rules);
	}
	return r;
}

/* ---- Judging one. ---- */

struct sides {
	struct stretches old, new;
};

static void sides_fini_cleanup(struct sides *sides)
{
	stretches_fini(&sides->old);
	stretches_fini(&sides->new);
}

/* A pattern that matches this text only. */
static const char *quote(struct bytes *ret, const char *text)
{
	ret->size = 0;
	for (; *text; text++) {
		if (strchr("\\*?[", *text))
			bytes_add_char(ret, '\\');
		bytes_add_char(ret, *text);
	}
	return bytes_str(ret);
}

static int64_t count_samples(const struct stretches *stretches)
{
	int64_t samples = 0;

	for (uint32_t i = 0; i < stretches->samples.count; i++)
		samples = profile_sum(samples, stretches->samples.at[i]);
	return samples;
}

static double count_cores(const struct stretches *stretches)
{
	double cpu_ns = 0, covered_ns = 0;

	for (uint32_t i = 0; i < stretches->profiles.count; i++) {
		const struct profile *profile = stretches->profiles.at[i];

		cpu_ns += (double)profile_total(profile, profile->meta.main_type);
		covered_ns += (double)profile->meta.duration_ns;
	}
	return covered_ns > 0 ? cpu_ns / covered_ns : 0;
}

/* The old build's last half hour or, where that holds little, up to a day of it. */
static int read_old(struct stretches *ret, struct store_reader *reader, struct store_query *query,
		    int64_t last_ns, int64_t until_ns, int64_t now_ns, struct answer_reason *reason)
{
	int r = 0;

	for (int64_t length = SIDE_NS;; length *= 4) {
		query->from_ns = last_ns > length ? last_ns - length : 0;
		query->until_ns = until_ns;
		stretches_fini(ret);
		r = stretches_read(ret, reader, query, STRETCHES_OF_SAMPLES, STRETCHES, now_ns,
				   reason);
		if (r != 0 || length >= BEFORE_NS || count_samples(ret) >= ENOUGH_SAMPLES)
			return r;
	}
}

static int64_t min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Nothing recorded then is no failure here: the side stays empty. Returns 0 or ANSWER_FAILED. */
static int read_sides(struct sides *ret, const struct book *book, const struct book_deploy *deploy,
		      struct store_reader *reader, int64_t until_ns)
{
	cleanup(bytes_fini) struct bytes unit = {};
	struct store_query query = { .limit_bytes = SIDE_BYTES };
	uint32_t at = watch_find(book, deploy->unit, deploy->program, deploy->old_build);
	int64_t last_ns = deploy->time_ns;
	struct answer_reason reason;
	int r;

	if (at != UINT32_MAX && book->builds.at[at].last_ns < last_ns)
		last_ns = book->builds.at[at].last_ns;
	if (deploy->unit)
		query.unit = quote(&unit, book_text(book, deploy->unit));
	query.build_id = book_text(book, deploy->old_build);
	r = read_old(&ret->old, reader, &query, last_ns, deploy->time_ns, until_ns, &reason);
	if (r == ANSWER_FAILED)
		return r;
	query.build_id = book_text(book, deploy->new_build);
	query.from_ns = deploy->time_ns;
	query.until_ns = min(deploy->time_ns + SIDE_NS, until_ns);
	if (deploy->ended_ns)
		query.until_ns = min(query.until_ns, deploy->ended_ns);
	if (query.until_ns <= query.from_ns)
		return 0;
	r = stretches_read(&ret->new, reader, &query, STRETCHES_OF_SAMPLES, STRETCHES, until_ns,
			   &reason);
	return r == ANSWER_FAILED ? r : 0;
}

static int add_change(struct book *book, struct book_deploy *deploy, const struct diff *diff,
		      const struct diff_entry *entry)
{
	const struct diff_frame *frame = &diff->frames.at[entry->index];
	const char *name = diff_name(diff, frame), *module = diff_module(diff, frame);
	struct book_change *change;
	int r;

	if (deploy->changes.count >= BOOK_MAX_CHANGES)
		return 0;
	change = array_push(&deploy->changes);
	if (!change)
		return -ENOMEM;
	r = strtab_add(&book->strings, &change->function, name, strnlen(name, BOOK_MAX_TEXT));
	if (r == 0)
		r = strtab_add(&book->strings, &change->module, module,
			       strnlen(module, BOOK_MAX_TEXT));
	change->with_callees = entry->is_total && !frame->is_leaf;
	change->old = entry->value->base;
	change->new = entry->value->new;
	change->half = diff_half(entry->value);
	return r;
}

/*
 * What became dearer, then what became cheaper for it: functions by themselves, then those with what
 * they call, unless they were named already.
 */
static int add_changes(struct book *book, struct book_deploy *deploy, const struct diff *diff)
{
	static const enum diff_mark marks[] = { DIFF_DEARER, DIFF_CHEAPER };
	cleanup(free) struct diff_entry *selfs = NULL, *totals = NULL;
	uint32_t self_count, total_count;
	int r = diff_rank_functions(diff, false, &selfs, &self_count);

	if (r == 0)
		r = diff_rank_functions(diff, true, &totals, &total_count);
	for (size_t m = 0; r == 0 && m < ARRAY_SIZE(marks); m++) {
		for (uint32_t i = 0; r == 0 && i < self_count; i++)
			if (selfs[i].value->mark == marks[m])
				r = add_change(book, deploy, diff, &selfs[i]);
		for (uint32_t i = 0; r == 0 && i < total_count; i++)
			if (totals[i].value->mark == marks[m] &&
			    diff->function_self[totals[i].index].mark != marks[m])
				r = add_change(book, deploy, diff, &totals[i]);
	}
	return r;
}

static uint32_t fill(struct diff_input *inputs, const struct stretches *stretches, const char *name)
{
	for (uint32_t i = 0; i < stretches->profiles.count; i++)
		inputs[i] = (struct diff_input){ stretches->profiles.at[i], name,
						 stretches->profiles.at[i]->meta.main_type };
	return stretches->profiles.count;
}

static int compare(struct book *book, struct book_deploy *deploy, const struct sides *sides)
{
	struct diff_input inputs[2 * STRETCHES];
	cleanup(diff_free) struct diff *diff = NULL;
	struct diff_reason reason;
	uint32_t old = fill(inputs, &sides->old, "old"),
		 new = fill(inputs + old, &sides->new, "new");
	int r = diff_choose_types(inputs, old + new, true, &reason);

	if (r == 0)
		r = diff_new(&diff, inputs, old, inputs + old, new, DIFF_PER_SAMPLES, &reason);
	/* Nothing that can be compared, as when nothing in it has a weight. */
	if (r == DIFF_REFUSED)
		deploy->is_undecided = true;
	return r == 0 ? add_changes(book, deploy, diff) : r < 0 ? r : 0;
}

/* until_ns: the end of the history. Returns 0, ANSWER_FAILED or -ENOMEM. */
static int judge(struct book *book, struct book_deploy *deploy, struct store_reader *reader,
		 int64_t until_ns)
{
	cleanup(sides_fini) struct sides sides = {};
	int r = read_sides(&sides, book, deploy, reader, until_ns);

	if (r != 0)
		return r;
	deploy->changes.count = 0;
	deploy->old = (struct book_side){ count_samples(&sides.old), count_cores(&sides.old) };
	deploy->new = (struct book_side){ count_samples(&sides.new), count_cores(&sides.new) };
	deploy->is_undecided =
		deploy->old.samples < FEWEST_SAMPLES || deploy->new.samples < FEWEST_SAMPLES;
	return deploy->is_undecided ? 0 : compare(book, deploy, &sides);
}

/* Whether it can be judged for good. */
static bool is_due(const struct book *book, const struct book_deploy *deploy, int64_t until_ns)
{
	uint32_t at = watch_find(book, deploy->unit, deploy->program, deploy->new_build);
	int64_t age_ns = until_ns - deploy->time_ns;

	if (deploy->state != BOOK_WAITS)
		return false;
	if (deploy->ended_ns || age_ns >= LONG_PATIENCE_NS)
		return true;
	return age_ns >= PATIENCE_NS && at != UINT32_MAX &&
	       book->builds.at[at].samples >= ENOUGH_SAMPLES;
}

static int judge_due(struct book *book, struct store_reader *reader, int64_t now_ns,
		     uint64_t deadline_ns)
{
	struct interval extent;
	unsigned judged = 0;
	int r = find_extent(reader, now_ns, &extent);

	for (uint32_t i = 0; r == 0 && i < book->deploys.count; i++) {
		struct book_deploy *deploy = &book->deploys.at[i];

		if (!is_due(book, deploy, extent.until_ns))
			continue;
		if (judged++ >= JUDGED_AT_ONCE || now() >= deadline_ns)
			break;
		r = judge(book, deploy, reader, extent.until_ns);
		if (r < 0)
			break;
		/* Once more, the next time; but not for ever. */
		if (r == ANSWER_FAILED && extent.until_ns - deploy->time_ns < DAY_NS) {
			r = 0;
			continue;
		}
		if (r == ANSWER_FAILED)
			deploy->is_undecided = true;
		r = 0;
		deploy->state = BOOK_JUDGED;
		deploy->judged_ns = extent.until_ns;
		deploy->is_dirty = true;
	}
	return r;
}

static int say_why(int r, struct store_reader *reader, struct bytes *why)
{
	struct answer_reason reason;

	if (r == 0)
		return 0;
	(void)answer_fail(&reason, reader, r);
	bytes_add_str(why, reason.text);
	return r;
}

int deploys_judge(const struct store_options *options, struct bytes *why)
{
	cleanup(store_reader_close) struct store_reader *reader = NULL;
	const char *folder = options->folder ? options->folder : STORE_DEFAULT_FOLDER;
	cleanup(book_fini) struct book book = {};
	int64_t now_ns = (int64_t)clock_ns(CLOCK_REALTIME);
	uint64_t deadline_ns = now() + TIME_NS;
	cleanup(close) int lock = -1;
	int r = store_reader_open(&reader, folder, why);

	if (r == 0)
		r = book_lock(&lock, folder, why);
	if (r != 0)
		return r;
	r = book_init(&book);
	if (r == 0)
		r = book_read(&book, reader);
	if (r == 0)
		r = scan(&book, reader, now_ns, deadline_ns);
	if (r == 0)
		r = judge_due(&book, reader, now_ns, deadline_ns);
	if (r != 0)
		return say_why(r, reader, why);
	return book_write(&book, folder, why);
}

/* Of what is only watched by now some will turn out to be nothing. */
static int judge_all(struct book *book, struct store_reader *reader, int64_t now_ns,
		     bool *ret_whole)
{
	uint64_t deadline_ns = now() + ASKED_NS;
	struct interval extent;
	int r = find_extent(reader, now_ns, &extent);

	*ret_whole = book->scanned_ns >= extent.until_ns;
	for (uint32_t i = book->deploys.count; r == 0 && i; i--) {
		struct book_deploy *deploy = &book->deploys.at[i - 1];

		if (deploy->state == BOOK_JUDGED)
			continue;
		deploy->is_undecided = true;
		if (now() >= deadline_ns) {
			*ret_whole = false;
			continue;
		}
		r = judge(book, deploy, reader, extent.until_ns);
		if (r == ANSWER_FAILED)
			r = 0;
	}
	return r;
}

int deploys_ask(struct book *book, struct store_reader *reader, int64_t now_ns, bool *ret_whole,
		struct answer_reason *reason)
{
	int r = book_read(book, reader);

	if (r == 0)
		r = scan(book, reader, now_ns, now() + ASKED_NS);
	if (r == 0)
		r = judge_all(book, reader, now_ns, ret_whole);
	return r == 0 ? 0 : answer_fail(reason, reader, r);
}
