// SPDX-License-Identifier: Apache-2.0
#include "worker/ask_reader.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

enum {
	MAX_MANGLED_BYTES = 8192, /* as demangle.c takes them */
	KILLED_MAX = 3,		  /* processes that somebody kills over one question */
};

bool ask_may_demangle(const char *name)
{
	return (strncmp(name, "_Z", 2) == 0 || strncmp(name, "_R", 2) == 0) &&
	       strnlen(name, MAX_MANGLED_BYTES) < MAX_MANGLED_BYTES;
}

static size_t count_texts(const unsigned char *texts, size_t size)
{
	size_t count = 0;

	for (size_t i = 0; i < size; i++)
		count += texts[i] == '\0';
	return count;
}

static bool are_as_many(const struct answer *answer, const char *names, size_t size)
{
	return answer->size && answer->at[answer->size - 1] == '\0' &&
	       count_texts(answer->at, answer->size) ==
		       count_texts((const unsigned char *)names, size);
}

int ask_demangled(struct workers *workers, struct bytes *ret, const char *names, size_t size,
		  const struct payer *payer)
{
	const struct question question = { .what = READER_DEMANGLE };
	struct worker *reader = &workers->reader;
	unsigned killed = 0;

	for (;;) {
		cleanup(answer_fini) struct answer answer = {};
		bool first = !reader->pid || reader->asked == 0;
		int r = workers_ask(workers, reader, payer, &answer, question, names, size, NULL,
				    0);

		if (r == 0 && answer.result == 0 && are_as_many(&answer, names, size)) {
			bytes_add(ret, answer.at, answer.size);
			return ret->failed ? -ENOMEM : 0;
		}
		if (r < 0)
			return r;
		if (r == WORKER_DIED && reader->was_killed && killed++ < KILLED_MAX)
			continue;
		if (r == 0) { /* out of memory, or nonsense */
			worker_restart(reader);
			r = WORKER_NONSENSE;
		}
		if (r >= WORKER_ENDING || first)
			return r;
	}
}
