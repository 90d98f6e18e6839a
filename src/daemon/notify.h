/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the service manager is told: sd_notify(3)'s protocol, one datagram of NAME=VALUE lines to the
 * socket that the environment names. Nothing here waits, and nothing fails loudly: whoever does not
 * listen is not told.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

enum {
	NOTIFY_NOBODY = 1, /* there is no service manager that wants to know */
	NOTIFY_STATUS_MAX = 256,
};

struct notify {
	int fd; /* -1: nobody listens */
	struct sockaddr_un address;
	socklen_t address_size;
	uint64_t watchdog_ns; /* how often it wants a sign of life at least; 0: never */
	uint64_t next_ns;     /* CLOCK_MONOTONIC: when the next one is due */
};

#define NOTIFY_NULL                                                                                \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/*
 * Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID and takes them out of the environment: they
 * are not for children. Before there are threads.
 * Returns 0, NOTIFY_NOBODY, or a negative errno for a socket that cannot be used; in both cases
 * the functions below do nothing.
 */
int notify_open(struct notify *notify);
void notify_close(struct notify *notify);
static inline void notify_close_cleanup(struct notify *notify)
{
	notify_close(notify);
}

/* Started: data comes in. Also after notify_reloading. */
void notify_ready(struct notify *notify, const char *status);
/* One line for `systemctl status`; longer ones are cut. */
void notify_status(struct notify *notify, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void notify_reloading(struct notify *notify);
void notify_stopping(struct notify *notify);
/* To be called at every turn of the loop whose life it is; says so when it is time. now_ns: CLOCK_MONOTONIC. */
void notify_alive(struct notify *notify, uint64_t now_ns);
