// SPDX-License-Identifier: Apache-2.0
#include "cmd/tidy.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "query/deploys.h"
#include "store/tidy.h"

/* <linux/ioprio.h>, which only newer headers have. */
enum { IOPRIO_WHO_PROCESS = 1, IOPRIO_CLASS_BE = 2, IOPRIO_CLASS_SHIFT = 13, IOPRIO_LAST = 7 };

/* A damaged file must not make us take all there is. */
#define MEMORY_BYTES (1ULL << 30)

/*
 * Behind others, but not behind all: who writes windows waits while this one has the lock, and on a
 * busy machine what has the least priority may not run for minutes. Refusals do no harm.
 */
static void be_modest(void)
{
	const struct sched_param none = {};
	const struct rlimit memory = { MEMORY_BYTES, MEMORY_BYTES };

	(void)prctl(PR_SET_NAME, "profd-tidy");
	(void)setpriority(PRIO_PROCESS, 0, 5);
	(void)sched_setscheduler(0, SCHED_BATCH, &none);
	(void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
		      IOPRIO_CLASS_BE << IOPRIO_CLASS_SHIFT | IOPRIO_LAST);
	(void)setrlimit(RLIMIT_AS, &memory);
}

/* Returns whether it failed; that somebody else is at it is no failure. */
static bool say(int r, struct bytes *why)
{
	if (r == 0 || r == STORE_BUSY)
		return false;
	log_error("%s", bytes_str(why));
	return true;
}

int tidy_main(const char *folder, const char *max_bytes, const char *max_age_ns)
{
	struct store_options options = { .folder = folder };
	cleanup(bytes_fini) struct bytes why = {};
	bool judged_badly, tidied_badly;

	if (parse_u64(&options.max_bytes, max_bytes, UINT64_MAX) < 0 ||
	    parse_u64(&options.max_age_ns, max_age_ns, UINT64_MAX) < 0) {
		log_error("_tidy: not a number: %.32s, %.32s", max_bytes, max_age_ns);
		return 2;
	}
	be_modest();
	/* First what needs short windows. */
	judged_badly = say(deploys_judge(&options, &why), &why);
	why.size = 0;
	tidied_badly = say(store_tidy(&options, (int64_t)clock_ns(CLOCK_REALTIME), &why), &why);
	return judged_badly || tidied_badly;
}
