// SPDX-License-Identifier: Apache-2.0
#include "query/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS INT64_C(1000000000)
#define HOUR_NS (3600 * SECOND_NS)
#define KEPT_NS (90 * 24 * HOUR_NS)

enum { FEW_SAMPLES = 10 }; /* of a build, before it is taken for more than a stray */

const struct watch_rules watch_rules = {
	.settle_ns = 60 * SECOND_NS,
	.absent_ns = 120 * SECOND_NS,
	.give_up_ns = HOUR_NS,
	.many_in_an_hour = 6,
};

uint32_t watch_find(const struct book *book, uint32_t unit, uint32_t program, uint32_t build_id)
{
	for (uint32_t i = 0; i < book->builds.count; i++) {
		const struct book_build *build = &book->builds.at[i];

		if (build->build_id == build_id && build->program == program && build->unit == unit)
			return i;
	}
	return UINT32_MAX;
}

static uint32_t find_current(const struct book *book, uint32_t unit, uint32_t program)
{
	for (uint32_t i = 0; i < book->builds.count; i++) {
		const struct book_build *build = &book->builds.at[i];

		if (build->is_current && build->program == program && build->unit == unit)
			return i;
	}
	return UINT32_MAX;
}

static void make_current(struct book *book, uint32_t index)
{
	struct book_build *build = &book->builds.at[index];
	uint32_t before = find_current(book, build->unit, build->program);

	if (before == index)
		return;
	if (before != UINT32_MAX) {
		book->builds.at[before].is_current = false;
		book->builds.at[before].is_dirty = true;
	}
	build->is_current = build->is_dirty = true;
}

/* A unit that is the same one after a restart. */
static bool lasts(const char *unit)
{
	size_t size = strlen(unit);

	return size > 8 && strcmp(unit + size - 8, ".service") == 0;
}

/* What the kernel adds to the path of a file that was replaced is no part of it. */
static size_t path_size(const char *exe)
{
	static const char deleted[] = " (deleted)";
	size_t size = strlen(exe), more = sizeof(deleted) - 1;

	return size > more && strcmp(exe + size - more, deleted) == 0 ? size - more : size;
}

static int compare_first(const void *a_, const void *b_)
{
	const struct store_row *a = *(const struct store_row *const *)a_;
	const struct store_row *b = *(const struct store_row *const *)b_;

	if (a->first_ns != b->first_ns)
		return a->first_ns < b->first_ns ? -1 : 1;
	return strcmp(a->text, b->text);
}

static bool is_watched(const struct book *book, const struct book_build *build)
{
	for (uint32_t i = 0; i < book->deploys.count; i++) {
		const struct book_deploy *deploy = &book->deploys.at[i];

		if (deploy->state == BOOK_WATCHED && deploy->new_build == build->build_id &&
		    deploy->program == build->program && deploy->unit == build->unit)
			return true;
	}
	return false;
}

/* In the order of time; the last ones are looked at first. */
static int add_deploy(struct book *book, const struct book_build *old, const struct book_build *new,
		      int64_t time_ns, int64_t grain_ns, bool is_return)
{
	struct book_deploy deploy = {
		.unit = new->unit,
		.exe = new->exe,
		.program = new->program,
		.old_build = old->build_id,
		.new_build = new->build_id,
		.time_ns = time_ns,
		.first_end_ns = profile_sum(time_ns, grain_ns),
		.is_return = is_return,
		.old_must_go = is_return || !new->unit || new->exe != old->exe,
		.is_dirty = true,
	};
	uint32_t at = book->deploys.count;

	if (!array_push(&book->deploys))
		return -ENOMEM;
	for (; at && book->deploys.at[at - 1].time_ns > time_ns; at--)
		book->deploys.at[at] = book->deploys.at[at - 1];
	book->deploys.at[at] = deploy;
	return 0;
}

/* A build that was seen from first_ns to last_ns. */
static int take_build(struct book *book, uint32_t unit, uint32_t exe, uint32_t build_id,
		      const struct store_row *row, int64_t grain_ns,
		      const struct watch_rules *rules)
{
	struct book_build *build;
	uint32_t at, current, program;
	bool is_new, was_absent;

	if (book_add_program(book, &program, unit, exe) < 0)
		return -ENOMEM;
	at = watch_find(book, unit, program, build_id);
	is_new = at == UINT32_MAX;

	if (is_new) {
		build = array_push(&book->builds);
		if (!build)
			return -ENOMEM;
		at = book->builds.count - 1;
		*build = (struct book_build){ .unit = unit,
					      .exe = exe,
					      .program = program,
					      .build_id = build_id,
					      .first_ns = row->first_ns,
					      .last_ns = row->first_ns };
	}
	build = &book->builds.at[at];
	was_absent = row->first_ns - build->last_ns >= rules->absent_ns;
	if (row->first_ns < build->first_ns)
		build->first_ns = row->first_ns;
	if (row->last_ns > build->last_ns)
		build->last_ns = row->last_ns;
	build->samples = profile_sum(build->samples, row->samples);
	build->is_dirty = true;
	current = find_current(book, unit, program);
	if (current == UINT32_MAX) {
		make_current(book, at);
		return 0;
	}
	if (current == at || (!is_new && !was_absent) || is_watched(book, build))
		return 0;
	/* Of two that were there from the beginning none is newer. */
	if (row->first_ns <= book->builds.at[current].first_ns)
		return 0;
	return add_deploy(book, &book->builds.at[current], build, row->first_ns, grain_ns, !is_new);
}

static int take_row(struct book *book, const struct store_row *row, int64_t grain_ns,
		    const struct watch_rules *rules)
{
	uint32_t unit = 0, exe, build_id;
	int r = 0;

	if (!*row->text || !*row->exe || row->first_ns < 0 || row->last_ns < row->first_ns ||
	    row->last_ns > BOOK_MAX_NS || strlen(row->text) > BOOK_MAX_TEXT ||
	    strlen(row->exe) > BOOK_MAX_TEXT || strlen(row->unit) > BOOK_MAX_TEXT ||
	    book->builds.count >= BOOK_MAX_BUILDS)
		return 0;
	if (lasts(row->unit))
		r = strtab_add_str(&book->strings, &unit, row->unit);
	if (r == 0)
		r = strtab_add(&book->strings, &exe, row->exe, path_size(row->exe));
	if (r == 0)
		r = strtab_add_str(&book->strings, &build_id, row->text);
	return r == 0 ? take_build(book, unit, exe, build_id, row, grain_ns, rules) : r;
}

static int drop_deploy(struct book *book, uint32_t at)
{
	struct book_deploy *deploy = &book->deploys.at[at];

	if (deploy->id) {
		int64_t *gone = array_push(&book->gone_deploys);

		if (!gone)
			return -ENOMEM;
		*gone = deploy->id;
	}
	array_fini(&deploy->changes);
	memmove(deploy, deploy + 1, (book->deploys.count - at - 1) * sizeof(*deploy));
	book->deploys.count--;
	return 0;
}

/* Whether it is a new version every few minutes. */
static bool is_developed(const struct book *book, const struct book_deploy *deploy,
			 const struct watch_rules *rules)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < book->builds.count; i++) {
		const struct book_build *build = &book->builds.at[i];

		count += build->program == deploy->program && build->unit == deploy->unit &&
			 build->first_ns > deploy->time_ns - HOUR_NS &&
			 build->first_ns <= deploy->time_ns;
	}
	return count >= rules->many_in_an_hour;
}

/* Outside of units a moment of another build was another container's: nothing was replaced. */
static bool is_stray(const struct book *book, const struct book_deploy *deploy)
{
	uint32_t old = watch_find(book, deploy->unit, deploy->program, deploy->old_build);

	return !deploy->unit && old != UINT32_MAX && book->builds.at[old].samples < FEW_SAMPLES;
}

/* The one before it has nothing more to tell from here on. */
static void end_earlier(struct book *book, const struct book_deploy *deploy)
{
	for (uint32_t i = 0; i < book->deploys.count; i++) {
		struct book_deploy *other = &book->deploys.at[i];

		if (other == deploy || other->program != deploy->program ||
		    other->unit != deploy->unit || other->state == BOOK_WATCHED ||
		    other->ended_ns || other->time_ns >= deploy->time_ns)
			continue;
		other->ended_ns = deploy->time_ns;
		other->is_dirty = true;
	}
}

enum settling { STILL_SETTLING, SETTLED, GIVEN_UP };

static enum settling settle(const struct book *book, const struct book_deploy *deploy,
			    int64_t until_ns, const struct watch_rules *rules)
{
	uint32_t old = watch_find(book, deploy->unit, deploy->program, deploy->old_build);
	uint32_t new = watch_find(book, deploy->unit, deploy->program, deploy->new_build);
	const struct book_build *build = new == UINT32_MAX ? NULL : &book->builds.at[new];
	int64_t old_last_ns = old == UINT32_MAX ? 0 : book->builds.at[old].last_ns;
	bool is_over, has_gone, has_stayed;

	if (!build)
		return GIVEN_UP;
	has_gone = build->last_ns - old_last_ns >= rules->absent_ns;
	/* A window says that it ran at some time in it. */
	has_stayed = build->last_ns - deploy->first_end_ns >= rules->settle_ns;
	is_over = until_ns - deploy->time_ns >= rules->give_up_ns;
	if (has_stayed && build->samples >= FEW_SAMPLES && (has_gone || !deploy->old_must_go))
		return SETTLED;
	/* What hardly ever works is a new version all the same. */
	if (is_over)
		return has_stayed && has_gone ? SETTLED : GIVEN_UP;
	return STILL_SETTLING;
}

static int settle_all(struct book *book, int64_t until_ns, const struct watch_rules *rules)
{
	for (uint32_t i = 0; i < book->deploys.count; i++) {
		struct book_deploy *deploy = &book->deploys.at[i];
		enum settling settling;
		uint32_t new, current;

		if (deploy->state != BOOK_WATCHED)
			continue;
		settling = settle(book, deploy, until_ns, rules);
		if (settling == STILL_SETTLING)
			continue;
		new = watch_find(book, deploy->unit, deploy->program, deploy->new_build);
		current = find_current(book, deploy->unit, deploy->program);
		/* Another one may have settled since this one was first seen. */
		if (settling == SETTLED && current != UINT32_MAX && current != new)
			deploy->old_build = book->builds.at[current].build_id;
		if (settling == SETTLED)
			make_current(book, new);
		if (settling == GIVEN_UP || deploy->old_build == deploy->new_build ||
		    is_stray(book, deploy) || is_developed(book, deploy, rules)) {
			if (drop_deploy(book, i--) < 0)
				return -ENOMEM;
			continue;
		}
		deploy->state = BOOK_WAITS;
		deploy->is_dirty = true;
		end_earlier(book, deploy);
	}
	return 0;
}

int watch_take(struct book *book, const struct store_rows *rows, int64_t until_ns, int64_t grain_ns,
	       const struct watch_rules *rules)
{
	cleanup(free) const struct store_row **order =
		malloc((rows->rows.count + 1ULL) * sizeof(*order));
	int r = order ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < rows->rows.count; i++)
		order[i] = &rows->rows.at[i];
	if (rows->rows.count)
		qsort(order, rows->rows.count, sizeof(*order), compare_first);
	for (uint32_t i = 0; r == 0 && i < rows->rows.count; i++)
		r = take_row(book, order[i], grain_ns, rules);
	if (r == 0)
		r = settle_all(book, until_ns, rules);
	book->scanned_ns = until_ns;
	return r;
}

static int drop_build(struct book *book, uint32_t at)
{
	struct book_build *build = &book->builds.at[at];

	if (build->id) {
		int64_t *gone = array_push(&book->gone_builds);

		if (!gone)
			return -ENOMEM;
		*gone = build->id;
	}
	*build = book->builds.at[--book->builds.count];
	return 0;
}

static int compare_age(const void *a_, const void *b_)
{
	const struct book_build *a = a_, *b = b_;

	if (a->is_current != b->is_current)
		return a->is_current ? 1 : -1;
	return a->last_ns < b->last_ns ? -1 : a->last_ns > b->last_ns;
}

int watch_forget(struct book *book, uint32_t builds, int64_t now_ns)
{
	uint32_t most = builds < BOOK_MAX_BUILDS ? BOOK_MAX_BUILDS - builds : 0, too_many;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < book->builds.count;)
		if (book->builds.at[i].last_ns < now_ns - KEPT_NS)
			r = drop_build(book, i);
		else
			i++;
	too_many = book->builds.count > most ? book->builds.count - most : 0;
	if (too_many)
		qsort(book->builds.at, book->builds.count, sizeof(*book->builds.at), compare_age);
	for (uint32_t i = too_many; r == 0 && i; i--)
		r = drop_build(book, i - 1);
	while (r == 0 && book->deploys.count > BOOK_MAX_DEPLOYS)
		r = drop_deploy(book, 0);
	return r;
}
