/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions about the history, each answered by a process of its own: `profd query`, with limits on
 * its CPU time, memory, output and time. It may crash, or be slow: that is one answer's affair.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/bytes.h"

struct exchange;
struct site;

enum {
	QUERIES_AT_ONCE = 2,
	QUERIES_WAITING = 16,
	QUERY_CPU_SECONDS = 20,
	QUERY_SECONDS = 40, /* waiting for its turn included */
	QUERY_MEMORY_BYTES = 1 << 30,
	QUERY_OUTPUT_BYTES = 32 << 20,
	/* Of answers that clients have not taken yet. */
	ANSWERS_BYTES_MAX = 128 << 20,
};

struct query {
	struct query *next;
	struct exchange *exchange; /* NULL: nobody waits for it any more */
	ARRAY_OF(char *) words;	   /* of the command line, NULL-terminated when it runs */
	pid_t pid;		   /* 0: it waits for its turn */
	int pidfd, output, errors;
	uint64_t deadline_ns;
	bool is_overdue;
};

struct queries {
	struct query *first; /* in the order in which they were asked */
	unsigned running, waiting;
	uint64_t held_bytes;
	uint64_t asked, refused, failed;
};

/* A question that is being put; "query" and where the history is are there already. NULL: no memory. */
struct query *query_new(struct site *site);
/* A word of the command line: "--NAME=VALUE", or "--NAME" where value is NULL. */
void query_add(struct query *query, const char *name, const char *value);
/*
 * Asks, and answers the exchange in the end, with what exchange->type and so on say. query: consumed;
 * NULL: there was no memory.
 */
void query_ask(struct exchange *exchange, struct query *query);
/* A question that is not asked after all. */
void query_abandon(struct query *query);
/* Nobody waits for it any more. */
void query_cancel(struct query *query);
/* What it waits for. Returns how many, at most QUERIES_AT_ONCE. */
unsigned queries_poll_fds(const struct queries *queries, struct pollfd *fds);
/* Takes what has ended, ends what is late, starts what waits. */
void queries_run(struct site *site);
/* In ms; -1: nothing is waited for. */
int queries_timeout_ms(const struct queries *queries);
/* An answer that was held is gone. */
void queries_release(struct queries *queries, uint64_t bytes);
void queries_fini(struct queries *queries);
