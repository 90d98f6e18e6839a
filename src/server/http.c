// SPDX-License-Identifier: Apache-2.0
#include "server/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "server/access.h"
#include "server/site.h"

enum { CONNECTION_MEMORY_BYTES = 24 << 10 }; /* the request line and all headers */

/* ---- connections ---- */

static void notify(struct site *site, struct MHD_Connection *connection, void **context,
		   enum MHD_ConnectionNotificationCode code, bool is_local)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		*context = client_add(&site->http.clients, connection, is_local);
	else
		client_remove(*context);
}

static void notify_local(void *cls, struct MHD_Connection *connection, void **context,
			 enum MHD_ConnectionNotificationCode code)
{
	notify(cls, connection, context, code, true);
}

static void notify_tcp(void *cls, struct MHD_Connection *connection, void **context,
		       enum MHD_ConnectionNotificationCode code)
{
	notify(cls, connection, context, code, false);
}

static struct client *client_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* ---- requests ---- */

/* Whatever it waits for. */
static void give_up(struct exchange *exchange)
{
	exchange->awaits_status = false;
	if (exchange->query)
		query_cancel(exchange->query);
	exchange->query = NULL;
	link_cancel(exchange);
}

/* Called with the request line, before anything else. Returns what MHD hands on: the exchange. */
static void *begin(void *cls, const char *uri, struct MHD_Connection *connection)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));
	struct client *client = client_of(connection);
	struct site *site = cls;

	if (!exchange || !client) {
		free(exchange);
		return NULL;
	}
	exchange->site = site;
	exchange->client = client;
	exchange->connection = connection;
	exchange->bad_uri = request_parse(&exchange->request, uri);
	/* Go's tool is told in its own way what is wrong with a pid or a name, too. */
	if (exchange->bad_uri && strstr(uri, "/debug/pprof/"))
		exchange->route = route_find("/debug/pprof/");
	exchange->next = site->http.exchanges;
	if (site->http.exchanges)
		site->http.exchanges->previous = exchange;
	site->http.exchanges = exchange;
	return exchange;
}

static void finish(void *cls, struct MHD_Connection *connection, void **context,
		   enum MHD_RequestTerminationCode code)
{
	struct exchange *exchange = *context;
	struct http *http;

	(void)cls;
	(void)connection;
	(void)code;
	if (!exchange)
		return;
	*context = NULL;
	http = &exchange->site->http;
	give_up(exchange);
	if (exchange->is_suspended)
		http->waiting--;
	if (exchange->response)
		MHD_destroy_response(exchange->response);
	queries_release(&exchange->site->queries, exchange->held_bytes);
	if (exchange->previous)
		exchange->previous->next = exchange->next;
	else
		http->exchanges = exchange->next;
	if (exchange->next)
		exchange->next->previous = exchange->previous;
	client_wait_for_request(exchange->client);
	request_fini(&exchange->request);
	bytes_fini(&exchange->body);
	free(exchange);
}

/* Is whoever asks somebody to be answered? Else says why not. */
static bool admit(struct exchange *exchange)
{
	const struct settings *settings = &exchange->site->settings;

	/* What comes through the Unix socket has passed its permissions, and is no browser. */
	if (exchange->client->is_local)
		return true;
	if (!access_host_is_ours(settings, exchange->site->host_name,
				 exchange_header(exchange, "Host"))) {
		exchange_fail(exchange, MHD_HTTP_MISDIRECTED_REQUEST,
			      "this is not a name of the machine that profd knows; add it to the "
			      "allowed hosts of profd.conf");
		return false;
	}
	if (exchange->route && exchange->route->is_open)
		return true;
	if (settings->token &&
	    !access_token_is_right(settings->token, exchange_header(exchange, "Authorization"))) {
		exchange_fail_with(
			exchange, MHD_HTTP_UNAUTHORIZED, "WWW-Authenticate",
			"Basic realm=\"profd\", charset=\"UTF-8\"",
			"the token is missing or wrong: it belongs into 'Authorization: Bearer TOKEN', or "
			"is the password of any user");
		return false;
	}
	if (access_is_from_elsewhere(exchange_header(exchange, "Sec-Fetch-Site"),
				     exchange_header(exchange, "Sec-Fetch-Mode"))) {
		exchange_fail(exchange, MHD_HTTP_FORBIDDEN,
			      "pages of other sites get nothing from here");
		return false;
	}
	return true;
}

static void dispatch(struct exchange *exchange)
{
	const struct request *request = &exchange->request;

	if (exchange->bad_uri == -ENOMEM) {
		exchange_fail(exchange, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
		return;
	}
	if (exchange->bad_uri == 0)
		exchange->route = route_find(request->path);
	if (!admit(exchange))
		return;
	if (exchange->bad_uri == REQUEST_LONG)
		exchange_fail(exchange, MHD_HTTP_URI_TOO_LONG, "the address is too long");
	else if (exchange->bad_uri)
		exchange_fail(exchange, MHD_HTTP_BAD_REQUEST,
			      "the address is not one of profd's: %s", request->why);
	else if (!exchange->route || (request->kind != CONTROL_ALL && !exchange->route->of_targets))
		exchange_fail(exchange, MHD_HTTP_NOT_FOUND,
			      "there is nothing here; see / and /debug/pprof/");
	else if (exchange->is_post && !exchange->route->takes_post)
		exchange_fail_with(exchange, MHD_HTTP_METHOD_NOT_ALLOWED, "Allow", "GET, HEAD",
				   "only GET and HEAD are known here");
	else if (exchange->is_body_too_large)
		exchange_fail(exchange, MHD_HTTP_CONTENT_TOO_LARGE, "that is too much");
	else
		exchange->route->answer(exchange);
}

static enum MHD_Result queue(struct exchange *exchange)
{
	enum MHD_Result result;

	/* Out of memory: without an answer, the connection is closed. */
	if (!exchange->response)
		return MHD_NO;
	exchange->site->http.answers[exchange->code / 100 % 6]++;
	client_wait_for_taking(exchange->client, exchange->answer_bytes);
	result = MHD_queue_response(exchange->connection, exchange->code, exchange->response);
	MHD_destroy_response(exchange->response);
	exchange->response = NULL;
	return result;
}

static void wait_for_it(struct exchange *exchange)
{
	struct http *http = &exchange->site->http;

	if (http->waiting >= EXCHANGES_WAITING) {
		give_up(exchange);
		exchange_fail_for_now(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, 5,
				      "too many requests are waiting for their answers");
		return;
	}
	exchange->is_suspended = true;
	http->waiting++;
	exchange->client->deadline_ns = UINT64_MAX;
	MHD_suspend_connection(exchange->connection);
}

/* Called when the headers are there, for each piece of the body, at the body's end, and when resumed. */
static enum MHD_Result take(void *cls, struct MHD_Connection *connection, const char *url,
			    const char *method, const char *version, const char *data, size_t *size,
			    void **context)
{
	struct exchange *exchange = *context;
	bool is_known;

	(void)cls;
	(void)connection;
	(void)url;
	(void)version;
	if (!exchange)
		return MHD_NO;
	if (!exchange->is_begun) {
		exchange->is_begun = true;
		exchange->is_post = strcmp(method, "POST") == 0;
		is_known = exchange->is_post || strcmp(method, "GET") == 0 ||
			   strcmp(method, "HEAD") == 0;
		if (!is_known) {
			exchange_fail_with(exchange, MHD_HTTP_METHOD_NOT_ALLOWED, "Allow",
					   "GET, HEAD", "only GET and HEAD are known here");
			exchange->client->exchange = exchange;
			return queue(exchange);
		}
		return MHD_YES;
	}
	if (*size) {
		if (exchange->body.size + *size > BODY_BYTES_MAX)
			exchange->is_body_too_large = true;
		else
			bytes_add(&exchange->body, data, *size);
		*size = 0;
		return MHD_YES;
	}
	if (!exchange->client->exchange) { /* all of it is there */
		exchange->client->exchange = exchange;
		dispatch(exchange);
		if (!exchange->response &&
		    (exchange->awaits_status || exchange->query || exchange->capture_id))
			wait_for_it(exchange);
	}
	return exchange->is_suspended ? MHD_YES : queue(exchange);
}

/* Escapes stay as they are: request.c takes them apart. */
static size_t leave_escapes(void *cls, struct MHD_Connection *connection, char *text)
{
	(void)cls;
	(void)connection;
	return strlen(text);
}

/* ---- the loop's side ---- */

static struct MHD_Daemon *listen_on(struct site *site, int fd, bool is_local)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, take, site,
				MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK, begin,
				site, MHD_OPTION_NOTIFY_COMPLETED, finish, site,
				MHD_OPTION_NOTIFY_CONNECTION, is_local ? notify_local : notify_tcp,
				site, MHD_OPTION_UNESCAPE_CALLBACK, leave_escapes, site,
				MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
				MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
				MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP,
				1, MHD_OPTION_END);
}

int http_init(struct site *site, int unix_socket, int tcp_socket)
{
	const int sockets[] = { unix_socket, tcp_socket };

	for (size_t i = 0; i < ARRAY_SIZE(sockets); i++) {
		struct MHD_Daemon *daemon;

		if (sockets[i] < 0)
			continue;
		daemon = listen_on(site, sockets[i], i == 0);
		if (!daemon)
			return -EIO;
		site->http.daemons[site->http.daemon_count++] = daemon;
	}
	return 0;
}

void http_fini(struct site *site)
{
	struct http *http = &site->http;

	/* None may be suspended when it stops. */
	for (struct exchange *exchange = http->exchanges; exchange; exchange = exchange->next)
		if (exchange->is_suspended) {
			give_up(exchange);
			exchange_fail(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, "profd ends");
		}
	for (unsigned i = 0; i < http->daemon_count; i++)
		MHD_stop_daemon(http->daemons[i]);
}

unsigned http_poll_fds(struct site *site, struct pollfd *fds)
{
	struct http *http = &site->http;
	unsigned count = 0;

	for (unsigned i = 0; i < http->daemon_count; i++) {
		const union MHD_DaemonInfo *info =
			MHD_get_daemon_info(http->daemons[i], MHD_DAEMON_INFO_EPOLL_FD);

		fds[count++] =
			(struct pollfd){ .fd = info ? info->epoll_fd : -1, .events = POLLIN };
	}
	for (struct exchange *exchange = http->exchanges; exchange; exchange = exchange->next)
		if (exchange->is_suspended && count < HTTP_POLL_FDS)
			fds[count++] =
				(struct pollfd){ .fd = exchange->client->fd, .events = POLLRDHUP };
	return count;
}

int http_timeout_ms(struct site *site)
{
	int timeout = site->http.clients.count ? CLIENTS_LOOK_MS : -1;

	for (unsigned i = 0; i < site->http.daemon_count; i++) {
		MHD_UNSIGNED_LONG_LONG ms;

		if (MHD_get_timeout(site->http.daemons[i], &ms) == MHD_YES &&
		    (timeout < 0 || ms < (unsigned)timeout))
			timeout = (int)ms;
	}
	return timeout;
}

/* Those whose clients have gone wait for nothing any more. */
static void notice_gone(struct http *http, const struct pollfd *fds, unsigned count)
{
	for (unsigned i = http->daemon_count; i < count; i++) {
		if (!(fds[i].revents & (POLLRDHUP | POLLHUP | POLLERR)))
			continue;
		for (struct exchange *exchange = http->exchanges; exchange;
		     exchange = exchange->next)
			if (exchange->is_suspended && exchange->client->fd == fds[i].fd) {
				give_up(exchange);
				exchange_fail(exchange, MHD_HTTP_INTERNAL_SERVER_ERROR,
					      "nobody waits for it any more");
				client_shut(exchange->client);
				break;
			}
	}
}

void http_run(struct site *site, const struct pollfd *fds, unsigned count)
{
	notice_gone(&site->http, fds, count);
	clients_keep_limits(&site->http.clients);
	for (unsigned i = 0; i < site->http.daemon_count; i++)
		(void)MHD_run(site->http.daemons[i]);
}
