/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind daemon.h know of each other. */
#pragma once

#include "daemon/captures.h"
#include "daemon/control.h"
#include "daemon/costs.h"
#include "daemon/daemon.h"
#include "daemon/governor.h"
#include "daemon/known_names.h"
#include "daemon/notify.h"
#include "daemon/recorders.h"
#include "daemon/unit_times.h"
#include "daemon/windows.h"
#include "server/server.h"
#include "session/identity.h"
#include "session/recording.h"

/* Of windows that were handed over. */
struct daemon_totals {
	uint64_t frames, frames_named;
};

struct daemon {
	struct daemon_config *config;
	struct recording recording;
	struct identities identities;
	struct known_names known;
	struct governor governor;
	struct captures captures;
	struct recorders recorders;
	struct unit_times units;
	struct daemon_totals totals;

	bool has_windows; /* the history is written */
	struct windows windows;
	struct windows_figures written;

	bool has_server;
	struct server server;
	struct control control;
	uint64_t server_again_ns; /* when it may be started anew; 0: it runs */
	unsigned server_failures; /* in a row */
	uint64_t server_began_ns;
	dev_t server_store_device; /* the folder that it may read; 0: none */
	ino_t server_store_inode;

	pid_t tidy_pid; /* 0: it does not run */
	uint64_t tidied_ns;
	uint64_t ended_cpu_ns; /* of helpers that have ended */

	/* The window under way. */
	uint64_t began_ns; /* CLOCK_MONOTONIC */
	int64_t began_wall; /* CLOCK_REALTIME */
	uint64_t lost_before; /* samples lost up to its begin */
	struct costs costs, costs_before; /* as of late; at its begin */
	uint64_t fixed_kernel_bytes;

	uint64_t looked_ns; /* when slow things were looked at last */
	struct notify notify;
	bool paused; /* by the stop file */
	uint64_t memory_ns;   /* when it was looked how much memory is taken */
	uint64_t relieved_ns; /* when too much memory was taken last */
	bool must_reload;
};

/* status.c */

/* One line of JSON, see server/control_protocol.h. */
void daemon_status(const struct daemon *d, struct bytes *ret);

/* helpers.c */

void helpers_open(struct daemon *d);
/* Starts what is due, takes away what has ended, answers the server. */
void helpers_look(struct daemon *d, uint64_t now_ns);
/* Only answers the server: at any time once sampling has begun. */
void helpers_answer(struct daemon *d);
/* Sampling is stopped: tells those who wait for more of it. */
void helpers_stopped(struct daemon *d);
void helpers_close(struct daemon *d);

/* daemon.c */

/* For captures that begin now: those that have been sampled before. */
void daemon_meet_all(struct daemon *d);

/* cut.c */

/* Samples that were lost so far, of whatever kind. */
uint64_t daemon_lost(const struct daemon *d);
/* Hands the window under way over, if it holds anything or someone asked for it. */
int daemon_cut(struct daemon *d, uint64_t now_ns);
