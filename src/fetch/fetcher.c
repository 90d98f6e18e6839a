// SPDX-License-Identifier: Apache-2.0
/*
 * SIGTERM is the request to give up: libdebuginfod notices within a moment, and removes what it has
 * begun to write. Who sent it does not wait for long.
 */
#include "fetch/fetcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/parse.h"
#include "fetch/cache.h"
#include "fetch/confine.h"
#include "fetch/library.h"
#include "fetch/protocol.h"

#define TELL_NS 100000000ULL

static volatile sig_atomic_t is_over, is_too_large;
static uint64_t told_ns;

static void give_up(int number)
{
	(void)number;
	is_over = 1;
}

static void note_size(int number)
{
	(void)number;
	is_too_large = 1;
}

static void say(const struct fetch_message *message, int flags)
{
	/* Who does not listen is not waited for: only how far it got is lost by that. */
	(void)send(FETCH_STATUS_SOCKET, message, sizeof(*message), MSG_NOSIGNAL | flags);
}

static int fail(enum fetch_kind kind, int error)
{
	say(&(struct fetch_message){ .kind = kind, .error = error }, 0);
	return 1;
}

static bool is_alone(void)
{
	struct pollfd poll_fd = { .fd = FETCH_STATUS_SOCKET };

	return poll(&poll_fd, 1, 0) > 0 && poll_fd.revents & (POLLHUP | POLLERR | POLLNVAL);
}

static bool progress(long done, long total)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (is_over || is_too_large || is_alone())
		return false;
	if (now - told_ns >= TELL_NS) {
		told_ns = now;
		say(&(struct fetch_message){ .kind = FETCH_PROGRESS,
					     .done = done > 0 ? (uint64_t)done : 0,
					     .total = total > 0 ? (uint64_t)total : 0 },
		    MSG_DONTWAIT);
	}
	return true;
}

/* The library's may be open for writing. */
static int send_file(int fd)
{
	union {
		char buffer[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	char byte = 0, path[32];
	struct iovec part = { &byte, sizeof(byte) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.buffer,
				  .msg_controllen = sizeof(control.buffer) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	cleanup(close) int file = -1;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return -errno;
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &file, sizeof(int));
	return sendmsg(FETCH_FILE_SOCKET, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void take_signals(void)
{
	struct sigaction over = { .sa_handler = give_up }, size = { .sa_handler = note_size };

	/* Without SA_RESTART: what waits for the network is to return. */
	(void)sigaction(SIGTERM, &over, NULL);
	(void)sigaction(SIGXFSZ, &size, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

static uint64_t file_bytes_max(void)
{
	const char *text = getenv("DEBUGINFOD_MAXSIZE");
	uint64_t bytes;

	return text && parse_u64(&bytes, text, FETCH_FILE_BYTES_MAX) == 0 && bytes
		       ? bytes
		       : FETCH_FILE_BYTES_MAX;
}

int fetcher_main(const char *build_id)
{
	cleanup(bytes_fini) struct bytes cache = {};
	cleanup(close) int fd = -1;
	bool from_cache = false;
	int r;

	/* Becoming somebody else has undone that. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (is_alone())
		return 1;
	take_signals();
	if (library_trouble())
		return fail(FETCH_NO_LIBRARY, -ENOSYS);
	r = cache_path(&cache);
	if (r == 0)
		r = bytes_str(&cache) ? cache_make(cache.at) : -ENOMEM;
	if (r == 0 && setenv("DEBUGINFOD_CACHE_PATH", cache.at, 1) < 0)
		r = -errno;
	if (r < 0)
		return fail(FETCH_NO_CACHE, r);
	r = confine(cache.at, file_bytes_max());
	if (r < 0)
		return fail(FETCH_ERROR, r);
	fd = library_find(build_id, progress, &from_cache);
	if (fd < 0 && (is_over || is_too_large))
		cache_forget_absence(cache.at, build_id);
	if (fd < 0 && is_too_large)
		return fail(FETCH_ERROR, -EFBIG);
	if (fd < 0)
		return fail(fd == -ENOENT ? FETCH_UNKNOWN : FETCH_ERROR, fd);
	r = send_file(fd);
	if (r < 0)
		return fail(FETCH_ERROR, r);
	say(&(struct fetch_message){ .kind = FETCH_DONE, .from_cache = from_cache }, 0);
	return 0;
}
