/* SPDX-License-Identifier: Apache-2.0 */
/* The server's end of what it says to the daemon; see control_protocol.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "server/control_protocol.h"

struct exchange;
struct site;

struct capture {
	uint64_t id; /* 0: free */
	struct exchange *exchange;
	uint64_t deadline_ns, ends_ns;
};

enum { LINK_FDS = CONTROL_CAPTURES };

struct link {
	int fd;
	struct bytes in, out;
	uint64_t last_id;
	struct bytes status;	     /* the last one that came, JSON; empty: none came yet */
	uint64_t status_ns;	     /* when; CLOCK_MONOTONIC */
	uint64_t asked_id, asked_ns; /* of a status that is owed; 0: none is */
	int fds[LINK_FDS]; /* that came, and whose lines have not come yet; the first one first */
	unsigned fd_count;
	struct capture captures[CONTROL_CAPTURES]; /* records, too */
	uint64_t captures_asked, captures_refused;
};

void link_init(struct link *link, int fd);
void link_fini(struct link *link);
/* Calls exchange->on_status now, when what is known is of this second, or later. */
void link_await_status(struct exchange *exchange);
/* Has a target sampled, and then queries what came; or says why not. */
void link_capture(struct exchange *exchange, uint32_t seconds, uint32_t hz);
/* Has a profile of another event made, which is the answer; or says why not. */
void link_record(struct exchange *exchange, uint32_t seconds, enum control_event event);
/* Nobody waits for it any more. */
void link_cancel(struct exchange *exchange);
unsigned link_running_captures(const struct link *link);
/* POLLIN, POLLOUT: what it waits for. */
short link_events(const struct link *link);
/* Reads and writes what can be, and looks after time limits. Returns 0, or a negative errno: the end. */
int link_run(struct site *site, short events);
/* In ms; -1: nothing is waited for. */
int link_timeout_ms(const struct link *link);
