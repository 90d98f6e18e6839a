/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New versions of programs: found (watch.h), and what each has changed, judged by src/diff: the share
 * of the program's own CPU time that each of its functions has, before and after, where that differs
 * by more than sampling and the time of day explain.
 *
 * Before is the old build's last half hour (more where it was hardly busy), after the new one's first
 * half hour, each by itself, also while both run. What is found is kept in the history, and is there
 * when the windows are long gone.
 */
#pragma once

#include "query/answer.h"
#include "query/watch.h"

/*
 * A step of what _tidy does: finds new versions in what was recorded since the last time, and judges
 * those of which there is enough. Takes some seconds at most; the rest is for the next time.
 * Returns 0 or as store_tidy; whenever it is not 0, *why has a line for a person.
 */
int deploys_judge(const struct store_options *options, struct bytes *why);

/*
 * For who asks: what is kept, and what can be said by now about what is not yet: those are not
 * written, and have no judged_ns. book: fresh. *ret_whole: false where it would have taken too long, and
 * history after book->scanned_ns was not looked at, or some were not compared. Returns 0 or ANSWER_FAILED.
 */
int deploys_ask(struct book *book, struct store_reader *reader, int64_t now_ns, bool *ret_whole,
		struct answer_reason *reason);

/* Which deploys are shown; patterns as in store_query, NULL: any. */
struct deploys_query {
	int64_t from_ns, until_ns; /* of book_deploy.time_ns */
	const char *unit, *exe, *build_id;
};

bool deploys_chooses(const struct deploys_query *query, const struct book *book,
		     const struct book_deploy *deploy);
/*
 * For people, and a whole JSON object for programs; the newest come last. limit: the newest ones; 0: all.
 * Return 0 or -ENOMEM.
 */
int deploys_text(struct bytes *ret, const struct book *book, const struct deploys_query *query,
		 uint32_t limit, size_t width, int64_t now_ns);
int deploys_json(struct bytes *ret, const struct book *book, const struct deploys_query *query,
		 uint32_t limit);
