// SPDX-License-Identifier: Apache-2.0
/*
 * One thread, which waits in one place: for clients, for the daemon and for queries. When others
 * keep it too busy it pauses, and takes only what the daemon says meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/privileges.h"
#include "server/confine.h"
#include "server/server.h"
#include "server/site.h"

enum {
	SETTINGS_BYTES_MAX = 1 << 20,
	DESCRIPTORS_MAX = 1024,
};

/* Of this process's own CPU time: no more than a third of a CPU for longer than this. */
#define STRETCH_NS 300000000ULL
#define BUSY_NS 100000000ULL

static int read_settings(struct settings *ret)
{
	cleanup(bytes_fini) struct bytes text = {};
	struct stat status;
	int r;

	if (fstat(SERVER_SETTINGS, &status) < 0)
		return -errno;
	if (status.st_size > SETTINGS_BYTES_MAX)
		return -EFBIG;
	if (status.st_size) {
		text.at = malloc((size_t)status.st_size);
		if (!text.at)
			return -ENOMEM;
		text.capacity = (size_t)status.st_size;
		/* Not from its position, which it shares with all processes of the server. */
		r = fs_read_at(SERVER_SETTINGS, text.at, (size_t)status.st_size, 0);
		if (r < 0)
			return r;
		text.size = (size_t)status.st_size;
	}
	if (!bytes_str(&text))
		return -ENOMEM;
	r = settings_parse(ret, text.at ? text.at : (char[]){ "" });
	if (text.at)
		explicit_bzero(text.at, text.size);
	return r;
}

static bool is_socket(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

static int earlier(int a, int b)
{
	return a < 0 ? b : b < 0 || a < b ? a : b;
}

/* How long it has to pause, in ms, so that its share of a CPU stays what it may be. */
static int pause_ms(uint64_t *begun_ns, uint64_t *begun_cpu_ns)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	if (now - *begun_ns >= STRETCH_NS) {
		*begun_ns = now;
		*begun_cpu_ns = cpu;
	}
	if (cpu - *begun_cpu_ns < BUSY_NS)
		return 0;
	return (int)((*begun_ns + STRETCH_NS - now) / 1000000) + 1;
}

/* Until the daemon has closed its end. Returns 0, or a negative errno. */
static int loop(struct site *site)
{
	struct pollfd fds[1 + QUERIES_AT_ONCE + HTTP_POLL_FDS];
	uint64_t begun_ns = 0, begun_cpu_ns = 0;

	for (;;) {
		int pause = pause_ms(&begun_ns, &begun_cpu_ns), timeout, r;
		unsigned queries = 0, clients = 0;

		fds[0] = (struct pollfd){ .fd = site->link.fd, .events = link_events(&site->link) };
		timeout = link_timeout_ms(&site->link);
		if (!pause) {
			queries = queries_poll_fds(&site->queries, fds + 1);
			clients = http_poll_fds(site, fds + 1 + queries);
			timeout = earlier(timeout, queries_timeout_ms(&site->queries));
			timeout = earlier(timeout, http_timeout_ms(site));
		} else {
			timeout = earlier(timeout, pause);
		}
		if (poll(fds, 1 + queries + clients, timeout) < 0 && errno != EINTR)
			return -errno;
		r = link_run(site, fds[0].revents);
		if (r < 0)
			return r == -EPIPE || r == -ECONNRESET ? 0 : r;
		if (pause)
			continue;
		queries_run(site);
		http_run(site, fds + 1 + queries, clients);
	}
}

static int run(struct site *site)
{
	int unix_socket = is_socket(SERVER_UNIX_SOCKET) ? SERVER_UNIX_SOCKET : -1;
	int tcp_socket = is_socket(SERVER_TCP_SOCKET) ? SERVER_TCP_SOCKET : -1;
	int r = read_settings(&site->settings);

	(void)close(SERVER_SETTINGS);
	if (r < 0)
		return r;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)gethostname(site->host_name, sizeof(site->host_name) - 1);
	/* None of these may be there for a query. */
	for (int fd = SERVER_CONTROL; fd < SERVER_DESCRIPTORS_END; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	r = privileges_limit(RLIMIT_NOFILE, DESCRIPTORS_MAX);
	if (r == 0)
		r = confine_server(&site->settings);
	if (r == 0)
		r = http_init(site, unix_socket, tcp_socket);
	if (r == 0)
		r = confine_system_calls();
	if (r == 0)
		r = loop(site);
	http_fini(site);
	return r;
}

int server_main(void)
{
	struct site site = {};
	int r;

	link_init(&site.link, SERVER_CONTROL);
	r = run(&site);
	if (r < 0)
		log_error("the HTTP server has ended: %s", strerror(-r));
	queries_fini(&site.queries);
	unit_series_fini(&site.units);
	link_fini(&site.link);
	settings_fini(&site.settings);
	return r < 0;
}
