// SPDX-License-Identifier: Apache-2.0
#include "server/link.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "server/pprof.h"
#include "server/site.h"

#define SECOND_NS 1000000000ULL
#define FRESH_NS SECOND_NS
#define PATIENCE_NS (6 * SECOND_NS)	     /* for a status: less than Prometheus has */
#define CAPTURE_PATIENCE_NS (20 * SECOND_NS) /* beyond its own time */

void link_init(struct link *link, int fd)
{
	*link = (struct link){ .fd = fd };
}

void link_fini(struct link *link)
{
	bytes_fini(&link->in);
	bytes_fini(&link->out);
	bytes_fini(&link->status);
	while (link->fd_count)
		close(link->fds[--link->fd_count]);
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
}

static void say(struct link *link, const struct control_request *request)
{
	control_request_add(&link->out, request);
}

/* ---- status ---- */

void link_await_status(struct exchange *exchange)
{
	struct link *link = &exchange->site->link;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (link->status.size && now - link->status_ns < FRESH_NS) {
		exchange->on_status(exchange, bytes_str(&link->status));
		return;
	}
	/* Who is silent already is neither asked again nor waited for. */
	if (link->asked_id && now - link->asked_ns > PATIENCE_NS) {
		exchange->on_status(exchange, NULL);
		return;
	}
	exchange->awaits_status = true;
	if (link->asked_id)
		return;
	link->asked_id = ++link->last_id;
	link->asked_ns = now;
	say(link, &(struct control_request){ .verb = CONTROL_STATUS, .id = link->asked_id });
}

static void tell_status(struct site *site, const char *json)
{
	for (struct exchange *exchange = site->http.exchanges, *next; exchange; exchange = next) {
		next = exchange->next;
		if (!exchange->awaits_status)
			continue;
		exchange->awaits_status = false;
		exchange->on_status(exchange, json);
	}
}

static void take_status(struct site *site, const struct control_answer *status)
{
	struct link *link = &site->link;

	link->asked_id = 0;
	if (status->result != CONTROL_IS_STATUS) {
		tell_status(site, NULL);
		return;
	}
	link->status.size = 0;
	bytes_add_str(&link->status, status->text);
	link->status_ns = clock_ns(CLOCK_MONOTONIC);
	tell_status(site, bytes_str(&link->status));
}

/* ---- captures ---- */

unsigned link_running_captures(const struct link *link)
{
	unsigned running = 0;

	for (unsigned i = 0; i < CONTROL_CAPTURES; i++)
		running += link->captures[i].id != 0;
	return running;
}

/* asked: all but what the exchange tells, and its id. */
static void ask(struct exchange *exchange, struct control_request asked)
{
	struct link *link = &exchange->site->link;
	const struct request *request = &exchange->request;
	uint64_t now = clock_ns(CLOCK_MONOTONIC), first_end = UINT64_MAX;
	struct capture *slot = NULL;

	for (unsigned i = 0; i < CONTROL_CAPTURES; i++) {
		if (!link->captures[i].id)
			slot = &link->captures[i];
		else if (link->captures[i].ends_ns < first_end)
			first_end = link->captures[i].ends_ns;
	}
	if (!slot) {
		link->captures_refused++;
		exchange_fail_for_now(
			exchange, MHD_HTTP_SERVICE_UNAVAILABLE,
			first_end > now ? (unsigned)((first_end - now) / SECOND_NS + 1) : 1,
			"%d profiles are being taken already; no more at once", CONTROL_CAPTURES);
		return;
	}
	link->captures_asked++;
	asked.id = ++link->last_id;
	asked.kind = request->kind;
	memcpy(asked.value, request->value, strlen(request->value) + 1);
	say(link, &asked);
	*slot = (struct capture){
		.id = asked.id,
		.exchange = exchange,
		.ends_ns = now + asked.seconds * SECOND_NS,
		.deadline_ns = now + asked.seconds * SECOND_NS + CAPTURE_PATIENCE_NS,
	};
	exchange->capture_id = asked.id;
}

void link_capture(struct exchange *exchange, uint32_t seconds, uint32_t hz)
{
	ask(exchange,
	    (struct control_request){ .verb = CONTROL_CAPTURE, .seconds = seconds, .hz = hz });
}

void link_record(struct exchange *exchange, uint32_t seconds, enum control_event event)
{
	ask(exchange,
	    (struct control_request){ .verb = CONTROL_RECORD, .seconds = seconds, .event = event });
}

static struct capture *find(struct link *link, uint64_t id)
{
	for (unsigned i = 0; id && i < CONTROL_CAPTURES; i++)
		if (link->captures[i].id == id)
			return &link->captures[i];
	return NULL;
}

void link_cancel(struct exchange *exchange)
{
	struct link *link = &exchange->site->link;
	struct capture *capture = find(link, exchange->capture_id);

	exchange->capture_id = 0;
	if (!capture)
		return;
	say(link, &(struct control_request){ .verb = CONTROL_CANCEL, .id = capture->id });
	*capture = (struct capture){};
}

/* The descriptor that belongs to a line that tells of one; -1: none came. */
static int take_fd(struct link *link)
{
	int fd = link->fd_count ? link->fds[0] : -1;

	if (fd >= 0)
		memmove(link->fds, link->fds + 1, --link->fd_count * sizeof(*link->fds));
	return fd;
}

/* fd: of CONTROL_RECORDED, else -1; consumed. */
static void take_capture(struct site *site, const struct control_answer *answer, int fd)
{
	struct capture *capture = find(&site->link, answer->id);
	struct exchange *exchange;
	const char *words = *answer->text ? answer->text : "the daemon does not say why";

	if (!capture) { /* cancelled meanwhile */
		if (fd >= 0)
			close(fd);
		return;
	}
	exchange = capture->exchange;
	exchange->capture_id = 0;
	*capture = (struct capture){};
	switch (answer->result) {
	case CONTROL_CAPTURED:
		pprof_answer_captured(exchange, answer->from_ns, answer->until_ns);
		return;
	case CONTROL_RECORDED:
		pprof_answer_recorded(exchange, fd, answer->size);
		return;
	case CONTROL_ABSENT:
		exchange_fail(exchange, MHD_HTTP_NOT_FOUND, "%s", words);
		return;
	case CONTROL_BUSY:
		exchange_fail_for_now(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, 10, "%s", words);
		return;
	default:
		exchange_fail(exchange, MHD_HTTP_INTERNAL_SERVER_ERROR, "%s", words);
	}
}

/* ---- the socket ---- */

short link_events(const struct link *link)
{
	return (short)(POLLIN | (link->out.size ? POLLOUT : 0));
}

/* Returns 0 or a negative errno: it cannot go on. */
static int take_lines(struct site *site)
{
	struct link *link = &site->link;
	size_t start = 0;
	char *line;

	while ((line = control_next_line(&link->in, &start))) {
		struct control_answer answer;
		int fd = -1;

		if (control_answer_parse(&answer, line) < 0)
			return -EBADMSG;
		if (answer.result == CONTROL_RECORDED && (fd = take_fd(link)) < 0)
			return -EBADMSG;
		if (link->asked_id && answer.id == link->asked_id)
			take_status(site, &answer);
		else if (answer.result != CONTROL_IS_STATUS)
			take_capture(site, &answer, fd);
	}
	control_drop_lines(&link->in, start);
	return link->in.size > CONTROL_LINE_BYTES ? -EBADMSG : 0;
}

/* As recv; what comes with it is kept. */
static ssize_t receive(struct link *link, char *piece, size_t size)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(LINK_FDS * sizeof(int))];
	} rights;
	struct iovec to = { piece, size };
	struct msghdr message = { .msg_iov = &to,
				  .msg_iovlen = 1,
				  .msg_control = &rights,
				  .msg_controllen = sizeof(rights) };
	ssize_t r = recvmsg(link->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	for (struct cmsghdr *at = r >= 0 ? CMSG_FIRSTHDR(&message) : NULL; at;
	     at = CMSG_NXTHDR(&message, at)) {
		size_t count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(at) + i * sizeof(int), sizeof(int));
			if (link->fd_count < LINK_FDS)
				link->fds[link->fd_count++] = fd;
			else
				close(fd);
		}
	}
	return r;
}

static int read_in(struct site *site)
{
	struct link *link = &site->link;
	char piece[16 << 10];
	ssize_t size;

	/* Not for ever, whatever comes. */
	for (unsigned i = 0; i < 128; i++) {
		int r;

		do
			size = receive(link, piece, sizeof(piece));
		while (size < 0 && errno == EINTR);
		if (size == 0)
			return -EPIPE;
		if (size < 0)
			return errno == EAGAIN ? 0 : -errno;
		bytes_add(&link->in, piece, (size_t)size);
		r = link->in.failed ? -ENOMEM : take_lines(site);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_out(struct link *link)
{
	ssize_t size;

	if (!link->out.size)
		return 0;
	if (link->out.failed)
		return -ENOMEM;
	do
		size = send(link->fd, link->out.at, link->out.size, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return errno == EAGAIN ? 0 : -errno;
	memmove(link->out.at, link->out.at + size, link->out.size - (size_t)size);
	link->out.size -= (size_t)size;
	return 0;
}

static void keep_limits(struct site *site)
{
	struct link *link = &site->link;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	/* It stays owed: one that hangs is not asked ever more. */
	if (link->asked_id && now - link->asked_ns > PATIENCE_NS)
		tell_status(site, NULL);
	for (unsigned i = 0; i < CONTROL_CAPTURES; i++) {
		struct exchange *exchange = link->captures[i].exchange;

		if (!link->captures[i].id || now < link->captures[i].deadline_ns)
			continue;
		link_cancel(exchange);
		exchange_fail(exchange, MHD_HTTP_GATEWAY_TIMEOUT,
			      "the daemon has not finished the profile in time");
	}
}

int link_run(struct site *site, short events)
{
	int r = 0;

	if (events & (POLLIN | POLLHUP | POLLERR))
		r = read_in(site);
	keep_limits(site);
	return r < 0 ? r : write_out(&site->link);
}

int link_timeout_ms(const struct link *link)
{
	/* Not exactly: half a second more does not matter. */
	return link->asked_id || link_running_captures(link) ? 500 : -1;
}
