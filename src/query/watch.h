/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which changes of a build ID are new versions of a program ("deploys"). Pure.
 *
 * A program is an executable of some name in a unit (its whole path where the unit is none that lasts: a
 * container's or a session's scope is another one each time, and many things run in no unit). That a
 * unit starts other executables, as a compiler's driver does all the time, is no new version of
 * anything; the same build again, as after a restart, neither.
 *
 * A new build counts once it has been seen over `settle_ns`: what is compiled and run for a moment
 * never does. Both may run side by side, as in a rolling deploy, while the new one is already the one
 * that is talked about. Only where the old one going is the only sign of a change it must have gone:
 *  - where a build comes back that ran before (a rollback; else it is an old process that woke up)
 *  - outside of units (else it is another container with another program at the same path)
 *  - where the new one is at another path (else it is another program of that name)
 * A program of which there is a new build all the time is being developed, not deployed.
 */
#pragma once

#include "store/deploys.h"

struct watch_rules {
	int64_t settle_ns;
	int64_t absent_ns;	  /* a build that was not seen for so long has gone */
	int64_t give_up_ns;	  /* so long something may take to settle */
	uint32_t many_in_an_hour; /* new builds of one program: it is being developed */
};

extern const struct watch_rules watch_rules;

/*
 * Takes what ran as which build from book->scanned_ns to until_ns: rows of STORE_BY_BUILD_ID, in any
 * order. grain_ns: the longest window of that time. Returns 0 or -ENOMEM.
 */
int watch_take(struct book *book, const struct store_rows *rows, int64_t until_ns, int64_t grain_ns,
	       const struct watch_rules *rules);
/*
 * Forgets what is beyond the book's bounds, so that watch_take of at most `builds` rows stays within them, and
 * builds that were not seen for 90 days. Returns 0 or -ENOMEM.
 */
int watch_forget(struct book *book, uint32_t builds, int64_t now_ns);

/* Index into book->builds, or UINT32_MAX. */
uint32_t watch_find(const struct book *book, uint32_t unit, uint32_t program, uint32_t build_id);
