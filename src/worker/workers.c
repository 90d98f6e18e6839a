// SPDX-License-Identifier: Apache-2.0
#include "worker/workers.h"

#include <string.h>

#include "base/clock.h"

#define STUCK_PAUSE_NS 60000000000ULL

/*
 * For all that is asked after the end: somebody sits there and waits. CPU time is for what is not
 * named yet, 0.1 s for a large library and 2 s for a browser.
 */
#define HURRY_WAITING_NS 3000000000ULL
#define HURRY_CPU_NS 20000000000ULL
/* Lines are nice to have. */
#define LINES_HURRY_WAITING_NS 1000000000ULL
#define LINES_HURRY_CPU_NS 4000000000ULL
/*
 * An honest question about lines is answered in pieces of a fifth of a second, and a unit; see
 * reader/answer_names.c.
 */
#define LINES_OVERTIME_NS 3000000000ULL
enum { LINES_TIGHTNESS = 4 };
/* A thousand frames take some milliseconds. */
#define WALK_OVERTIME_NS 1000000000ULL

void workers_init(struct workers *workers)
{
	*workers = (struct workers){};
	symbol_cache_init(&workers->symbol_cache);
	worker_init(&workers->reader, "reader");
	worker_init(&workers->liner, "reader");
	worker_init(&workers->walker, "walker");
	worker_init(&workers->opener, "opener");
	workers->liner.overtime_ns = LINES_OVERTIME_NS;
	workers->walker.overtime_ns = WALK_OVERTIME_NS;
	workers->liner.hurry = &workers->lines_hurry;
	workers->lines_patience.tightness = LINES_TIGHTNESS;
	workers->opener.gives_files = true;
	workers->reader.hurry = workers->walker.hurry = workers->opener.hurry = &workers->hurry;
}

void workers_fini(struct workers *workers)
{
	worker_fini(&workers->reader);
	worker_fini(&workers->liner);
	worker_fini(&workers->walker);
	worker_fini(&workers->opener);
	symbol_cache_close(&workers->symbol_cache);
	for (uint32_t i = 0; i < workers->casualties.count; i++)
		free(workers->casualties.at[i].path);
	array_fini(&workers->casualties);
	hash_index_fini(&workers->given_up_paths);
	array_fini(&workers->stuck);
	patience_fini(&workers->patience);
	patience_fini(&workers->lines_patience);
}

int workers_start(struct workers *workers)
{
	int r = worker_start(&workers->reader);

	return r < 0 ? r : worker_start(&workers->opener);
}

int workers_check(struct workers *workers)
{
	int r = worker_check(&workers->reader);

	return r < 0 ? r : worker_check(&workers->opener);
}

void workers_set_meanwhile(struct workers *workers, void (*meanwhile)(void *context), void *context)
{
	workers->reader.meanwhile = workers->liner.meanwhile = workers->walker.meanwhile =
		workers->opener.meanwhile = meanwhile;
	workers->reader.context = workers->liner.context = workers->walker.context =
		workers->opener.context = context;
}

void workers_set_priority(struct workers *workers, int nice)
{
	worker_set_priority(&workers->reader, nice);
	worker_set_priority(&workers->liner, nice);
	worker_set_priority(&workers->walker, nice);
	worker_set_priority(&workers->opener, nice);
}

void workers_tidy(struct workers *workers)
{
	worker_tidy(&workers->reader);
	worker_tidy(&workers->liner);
	worker_tidy(&workers->walker);
	worker_tidy(&workers->opener);
}

uint64_t workers_cpu_ns(const struct workers *workers)
{
	return worker_cpu_ns(&workers->reader) + worker_cpu_ns(&workers->liner) +
	       worker_cpu_ns(&workers->walker) +
	       worker_cpu_ns(&workers->opener);
}

uint64_t workers_peak_bytes(const struct workers *workers)
{
	return worker_peak_bytes(&workers->reader) + worker_peak_bytes(&workers->liner) +
	       worker_peak_bytes(&workers->walker) +
	       worker_peak_bytes(&workers->opener);
}

int workers_ask(struct workers *workers, struct worker *worker, const struct payer *payer,
		struct answer *ret, struct question question, const void *payload, size_t size,
		const int *fds, unsigned fd_count)
{
	struct patience *patience =
		worker == &workers->liner ? &workers->lines_patience : &workers->patience;
	struct question_limits limits;
	int r = patience_allows(patience, &limits, payer, clock_ns(CLOCK_MONOTONIC));

	if (r > 0)
		return r;
	worker->waiting_limit_ns = limits.waiting_ns;
	worker->cpu_limit_ns = limits.cpu_ns;
	r = worker_ask(worker, ret, question, payload, size, fds, fd_count);
	worker->waiting_limit_ns = worker->cpu_limit_ns = UINT64_MAX;
	patience_charge(patience, payer, worker->waited_ns, worker->used_ns,
			clock_ns(CLOCK_MONOTONIC));
	return r;
}

void workers_hurry(struct workers *workers)
{
	if (workers->hurry.begun)
		return;
	workers->hurry = (struct hurry){ true, HURRY_WAITING_NS, HURRY_CPU_NS };
	workers->lines_hurry = (struct hurry){ true, LINES_HURRY_WAITING_NS, LINES_HURRY_CPU_NS };
}

void workers_wait_no_more(struct workers *workers)
{
	workers->hurry = workers->lines_hurry = (struct hurry){ .begun = true };
}

void workers_note_stuck(struct workers *workers, uint64_t device)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	struct stuck_device *stuck = NULL;

	/* Those that may be tried again make room: whoever can mount, can mount any number. */
	for (uint32_t i = 0; i < workers->stuck.count && !stuck; i++)
		if (workers->stuck.at[i].device == device)
			stuck = &workers->stuck.at[i];
	for (uint32_t i = 0; i < workers->stuck.count && !stuck; i++)
		if (workers->stuck.at[i].until_ns <= now)
			stuck = &workers->stuck.at[i];
	if (!stuck)
		stuck = array_push(&workers->stuck);
	if (stuck)
		*stuck = (struct stuck_device){ device, now + STUCK_PAUSE_NS };
}

bool workers_is_stuck(const struct workers *workers, uint64_t device)
{
	for (uint32_t i = 0; i < workers->stuck.count; i++)
		if (workers->stuck.at[i].device == device)
			return clock_ns(CLOCK_MONOTONIC) < workers->stuck.at[i].until_ns;
	return false;
}

void workers_give_up(struct workers *workers, const char *path, const char *why)
{
	uint64_t hash = hash_bytes(path, strlen(path));
	struct casualty *casualty;

	if (hash_index_find(&workers->given_up_paths, hash, NULL, NULL, NULL) != HASH_ABSENT)
		return;
	if (workers->given_up >= MAX_GIVEN_UP ||
	    hash_index_add(&workers->given_up_paths, hash, workers->given_up) < 0) {
		workers->more_given_up = true;
		return;
	}
	workers->given_up++;
	if (workers->casualties.count >= MAX_CASUALTIES)
		return;
	casualty = array_push(&workers->casualties);
	if (!casualty)
		return;
	*casualty = (struct casualty){ strdup(path), why };
	if (!casualty->path)
		workers->casualties.count--;
}
