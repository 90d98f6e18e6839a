// SPDX-License-Identifier: Apache-2.0
#include "daemon/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/parse.h"
#include "base/utf8.h"

#define MAX_WATCHDOG_US (UINT64_MAX / 1000)

/* "/path", or "@name" of the abstract namespace. Returns 0 or -EINVAL, also for vsock's. */
static int parse_address(struct notify *notify, const char *text)
{
	size_t size = strlen(text);

	if ((text[0] != '/' && text[0] != '@') || size < 2 ||
	    size >= sizeof(notify->address.sun_path))
		return -EINVAL;
	notify->address.sun_family = AF_UNIX;
	memcpy(notify->address.sun_path, text, size);
	/* The length tells where an abstract name ends; a path ends with a NUL of its own. */
	if (text[0] == '@')
		notify->address.sun_path[0] = '\0';
	notify->address_size =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (text[0] == '/'));
	return 0;
}

/* Returns 0 for what makes no sense, too: then nobody waits for a sign of life. */
static uint64_t parse_watchdog(const char *usec, const char *pid)
{
	uint64_t us, whose;

	if (!usec || parse_u64(&us, usec, MAX_WATCHDOG_US) < 0)
		return 0;
	if (pid && (parse_u64(&whose, pid, INT32_MAX) < 0 || whose != (uint64_t)getpid()))
		return 0;
	return us * 1000;
}

int notify_open(struct notify *notify)
{
	cleanup(free) char *path = NULL;
	const char *given = getenv("NOTIFY_SOCKET");
	int r;

	*notify = (struct notify)NOTIFY_NULL;
	notify->watchdog_ns = parse_watchdog(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"));
	path = given ? strdup(given) : NULL;
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
	if (!given)
		return NOTIFY_NOBODY;
	if (!path)
		return -ENOMEM;
	r = parse_address(notify, path);
	if (r < 0)
		return r;
	notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return notify->fd < 0 ? -errno : 0;
}

void notify_close(struct notify *notify)
{
	if (notify->fd >= 0)
		(void)close(notify->fd);
	notify->fd = -1;
}

/* Nobody to tell if it fails: the manager may be restarting, or its queue be full. */
static void tell(struct notify *notify, const char *text)
{
	if (notify->fd >= 0)
		(void)sendto(notify->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
			     (struct sockaddr *)&notify->address, notify->address_size);
}

/*
 * A line break would begin another of the protocol's lines, and what is not UTF-8, as the end of a
 * line that was cut, makes systemd refuse the whole line.
 */
static void make_one_line(char *text)
{
	size_t size = strlen(text), length;

	for (size_t i = 0; i < size; i += length) {
		uint32_t point = 0;

		length = utf8_next(&point, text + i, size - i);
		if (length && point >= 0x20 && point != 0x7f)
			continue;
		length += !length;
		text[i] = ' ';
	}
}

void notify_ready(struct notify *notify, const char *status)
{
	char line[NOTIFY_STATUS_MAX], text[NOTIFY_STATUS_MAX + 32];

	snprintf(line, sizeof(line), "%s", status);
	make_one_line(line);
	snprintf(text, sizeof(text), "READY=1\nSTATUS=%s", line);
	tell(notify, text);
}

void notify_status(struct notify *notify, const char *format, ...)
{
	char text[NOTIFY_STATUS_MAX] = "STATUS=";
	size_t begin = strlen(text);
	va_list list;

	va_start(list, format);
	(void)vsnprintf(text + begin, sizeof(text) - begin, format, list);
	va_end(list);
	make_one_line(text);
	tell(notify, text);
}

void notify_reloading(struct notify *notify)
{
	char text[64];

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
		 (unsigned long long)clock_ns(CLOCK_MONOTONIC) / 1000);
	tell(notify, text);
}

void notify_stopping(struct notify *notify)
{
	tell(notify, "STOPPING=1");
}

void notify_alive(struct notify *notify, uint64_t now_ns)
{
	if (!notify->watchdog_ns || now_ns < notify->next_ns)
		return;
	/* Half of it is the custom; a third leaves room for a slow turn. */
	notify->next_ns = now_ns + notify->watchdog_ns / 3;
	tell(notify, "WATCHDOG=1");
}
