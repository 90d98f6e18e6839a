// SPDX-License-Identifier: Apache-2.0
#include "server/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "server/access.h"
#include "server/site.h"

enum {
	CONNECTION_MEMORY_BYTES = 24 << 10, /* the request line and all headers */
	SENTENCE_BYTES = 512,
	LOOK_MS = 250, /* how exactly time limits are kept */
};

#define SECOND_NS 1000000000ULL

static const char policy_none[] = "default-src 'none'; base-uri 'none'; form-action 'none'; "
				  "frame-ancestors 'none'";
static const char policy_page[] =
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
	"connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; "
	"frame-ancestors 'none'";
static const char policy_picture[] =
	"sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
	"style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
	"frame-ancestors 'self'";

/* ---- connections ---- */

static uint64_t key_of(int fd, bool is_local, const struct sockaddr *address)
{
	if (is_local) {
		struct ucred peer = {};
		socklen_t size = sizeof(peer);

		(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
		return hash_u64(peer.uid);
	}
	if (address && address->sa_family == AF_INET)
		return hash_bytes(&((const struct sockaddr_in *)address)->sin_addr, 4);
	/* Who has one address of IPv6 has 2^64 of them. */
	if (address && address->sa_family == AF_INET6)
		return hash_bytes(&((const struct sockaddr_in6 *)address)->sin6_addr, 8);
	return 0;
}

static bool is_like(const struct client *a, const struct client *b)
{
	return a->is_local == b->is_local && a->key == b->key;
}

/* libmicrohttpd sees the end of it, and closes it then. */
static void shut(struct client *client)
{
	if (client->is_shut)
		return;
	client->is_shut = true;
	client->deadline_ns = UINT64_MAX;
	(void)shutdown(client->fd, SHUT_RDWR);
}

/* Ends the one that has owed us a request for longest; same_key: of those like the newest one. */
static void crowd_out(struct http *http, struct client *newest, bool same_key)
{
	struct client *longest = NULL;

	for (struct client *client = http->clients; client; client = client->next) {
		if (client == newest || client->exchange || client->is_shut ||
		    (same_key && !is_like(client, newest)))
			continue;
		if (!longest || client->since_ns < longest->since_ns)
			longest = client;
	}
	http->counts.crowded_out++;
	/* All of them are being answered. */
	shut(longest ? longest : newest);
}

static void add_client(struct site *site, struct MHD_Connection *connection, void **context,
		       bool is_local)
{
	const union MHD_ConnectionInfo *fd =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	const union MHD_ConnectionInfo *address =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct client *client = calloc(1, sizeof(*client));
	struct http *http = &site->http;
	unsigned of_one = 0;

	*context = client;
	if (!client || !fd) { /* it gets no answer */
		free(client);
		*context = NULL;
		return;
	}
	client->site = site;
	client->fd = fd->connect_fd;
	client->is_local = is_local;
	client->key = key_of(client->fd, is_local, address ? address->client_addr : NULL);
	client->since_ns = clock_ns(CLOCK_MONOTONIC);
	client->deadline_ns = client->since_ns + REQUEST_SECONDS * SECOND_NS;
	client->next = http->clients;
	if (http->clients)
		http->clients->previous = client;
	http->clients = client;
	http->client_count++;
	http->counts.connections++;
	for (const struct client *other = http->clients; other; other = other->next)
		of_one += is_like(other, client) && !other->is_shut;
	if (of_one > CONNECTIONS_OF_ONE)
		crowd_out(http, client, true);
	else if (http->client_count > CONNECTIONS_CROWD)
		crowd_out(http, client, false);
}

static void remove_client(struct client *client)
{
	struct http *http = &client->site->http;

	if (client->previous)
		client->previous->next = client->next;
	else
		http->clients = client->next;
	if (client->next)
		client->next->previous = client->previous;
	http->client_count--;
	free(client);
}

static void notify_local(void *cls, struct MHD_Connection *connection, void **context,
			 enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		add_client(cls, connection, context, true);
	else if (*context)
		remove_client(*context);
}

static void notify_tcp(void *cls, struct MHD_Connection *connection, void **context,
		       enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		add_client(cls, connection, context, false);
	else if (*context)
		remove_client(*context);
}

static struct client *client_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* ---- answers ---- */

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
	(void)MHD_add_response_header(response, name, value);
}

/* Takes the response over; NULL: there was no memory for it. */
static void answer(struct exchange *exchange, unsigned code, const char *type,
		   enum answer_policy policy, struct MHD_Response *response, uint64_t size)
{
	if (exchange->response) { /* one is enough */
		if (response)
			MHD_destroy_response(response);
		return;
	}
	exchange->response = response;
	exchange->code = code;
	exchange->answer_bytes = size;
	if (response) {
		add_header(response, "Content-Type", type);
		add_header(response, "X-Content-Type-Options", "nosniff");
		add_header(response, "Cache-Control", "no-store");
		add_header(response, "Referrer-Policy", "no-referrer");
		add_header(response, "Cross-Origin-Resource-Policy", "same-origin");
		add_header(response, "Cross-Origin-Opener-Policy", "same-origin");
		add_header(response, "X-Frame-Options",
			   policy == POLICY_PICTURE ? "SAMEORIGIN" : "DENY");
		add_header(response, "Content-Security-Policy",
			   policy == POLICY_PAGE      ? policy_page
			   : policy == POLICY_PICTURE ? policy_picture
						      : policy_none);
	}
	if (!exchange->is_suspended)
		return;
	exchange->is_suspended = false;
	exchange->site->http.waiting--;
	/* Then its handler is called again. */
	MHD_resume_connection(exchange->connection);
}

static void reply(struct exchange *exchange, unsigned code, const char *type,
		  enum answer_policy policy, struct bytes *body)
{
	struct MHD_Response *response = NULL;
	size_t size = body->size;

	if (!body->failed)
		response = MHD_create_response_from_buffer(size, body->at, MHD_RESPMEM_MUST_FREE);
	if (response)
		*body = (struct bytes){};
	else
		bytes_fini(body);
	answer(exchange, code, type, policy, response, size);
}

void exchange_reply(struct exchange *exchange, const char *type, struct bytes *body)
{
	reply(exchange, MHD_HTTP_OK, type, POLICY_NONE, body);
}

void exchange_reply_page(struct exchange *exchange, struct bytes *body)
{
	reply(exchange, MHD_HTTP_OK, "text/html; charset=utf-8", POLICY_PAGE, body);
}

void exchange_reply_static(struct exchange *exchange, const char *type, enum answer_policy policy,
			   const char *data, size_t size)
{
	answer(exchange, MHD_HTTP_OK, type, policy,
	       MHD_create_response_from_buffer(size, (void *)(uintptr_t)data,
					       MHD_RESPMEM_PERSISTENT),
	       size);
}

void exchange_reply_file(struct exchange *exchange, int fd, uint64_t size)
{
	struct MHD_Response *response = MHD_create_response_from_fd64(size, fd);
	char disposition[128];

	if (!response) {
		close(fd);
	} else if (exchange->file_name) {
		snprintf(disposition, sizeof(disposition), "attachment; filename=\"%s\"",
			 exchange->file_name);
		add_header(response, "Content-Disposition", disposition);
	}
	answer(exchange, MHD_HTTP_OK, exchange->type, exchange->policy, response, size);
}

void exchange_reply_elsewhere(struct exchange *exchange, const char *path)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);

	if (response)
		add_header(response, "Location", path);
	answer(exchange, MHD_HTTP_MOVED_PERMANENTLY, "text/plain; charset=utf-8", POLICY_NONE,
	       response, 0);
}

static void fail(struct exchange *exchange, unsigned code, const char *header, const char *value,
		 const char *sentence)
{
	/* In the place of a picture it is for people. */
	const bool is_picture = exchange->policy == POLICY_PICTURE;
	enum error_style style =
		exchange->route && !is_picture ? exchange->route->errors : ERROR_PLAIN;
	struct bytes body = {};
	bool had_one = exchange->response;

	if (had_one)
		return;
	if (style == ERROR_JSON) {
		struct json json = json_to(&body);

		json_object(&json, NULL);
		json_string(&json, "error", sentence);
		json_end(&json);
	} else {
		bytes_add_format(&body, "%s\n", sentence);
	}
	/* Headers come before it is resumed, but that only happens in http_run. */
	reply(exchange, code,
	      style == ERROR_JSON ? "application/json" : "text/plain; charset=utf-8",
	      exchange->policy, &body);
	if (exchange->response && style == ERROR_PPROF)
		add_header(exchange->response, "X-Go-Pprof", "1");
	if (exchange->response && header)
		add_header(exchange->response, header, value);
}

void exchange_fail(struct exchange *exchange, unsigned code, const char *format, ...)
{
	char sentence[SENTENCE_BYTES];
	va_list list;

	va_start(list, format);
	vsnprintf(sentence, sizeof(sentence), format, list);
	va_end(list);
	fail(exchange, code, NULL, NULL, sentence);
}

void exchange_fail_for_now(struct exchange *exchange, unsigned code, unsigned seconds,
			   const char *format, ...)
{
	char sentence[SENTENCE_BYTES], after[16];
	va_list list;

	va_start(list, format);
	vsnprintf(sentence, sizeof(sentence), format, list);
	va_end(list);
	snprintf(after, sizeof(after), "%u", seconds ? seconds : 1);
	fail(exchange, code, "Retry-After", after, sentence);
}

const char *exchange_header(struct exchange *exchange, const char *name)
{
	return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
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
	struct client *client;
	struct http *http;

	(void)cls;
	(void)connection;
	(void)code;
	if (!exchange)
		return;
	*context = NULL;
	http = &exchange->site->http;
	client = exchange->client;
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
	client->exchange = NULL;
	client->since_ns = clock_ns(CLOCK_MONOTONIC);
	if (!client->is_shut)
		client->deadline_ns = client->since_ns + IDLE_SECONDS * SECOND_NS;
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
		fail(exchange, MHD_HTTP_UNAUTHORIZED, "WWW-Authenticate",
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
		fail(exchange, MHD_HTTP_METHOD_NOT_ALLOWED, "Allow", "GET, HEAD",
		     "only GET and HEAD are known here");
	else if (exchange->is_body_too_large)
		exchange_fail(exchange, MHD_HTTP_CONTENT_TOO_LARGE, "that is too much");
	else
		exchange->route->answer(exchange);
}

static enum MHD_Result queue(struct exchange *exchange)
{
	struct client *client = exchange->client;
	enum MHD_Result result;

	/* Out of memory: without an answer, the connection is closed. */
	if (!exchange->response)
		return MHD_NO;
	exchange->site->http.counts.answers[exchange->code / 100 % 6]++;
	client->deadline_ns =
		clock_ns(CLOCK_MONOTONIC) +
		(ANSWER_SECONDS + exchange->answer_bytes / ANSWER_BYTES_PER_SECOND) * SECOND_NS;
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
			fail(exchange, MHD_HTTP_METHOD_NOT_ALLOWED, "Allow", "GET, HEAD",
			     "only GET and HEAD are known here");
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
	int timeout = site->http.client_count ? LOOK_MS : -1;

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
				shut(exchange->client);
				break;
			}
	}
}

static void keep_limits(struct http *http)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (now - http->looked_ns < LOOK_MS * 1000000ULL)
		return;
	http->looked_ns = now;
	for (struct client *client = http->clients; client; client = client->next)
		if (now > client->deadline_ns) {
			http->counts.timed_out++;
			shut(client);
		}
}

void http_run(struct site *site, const struct pollfd *fds, unsigned count)
{
	notice_gone(&site->http, fds, count);
	keep_limits(&site->http);
	for (unsigned i = 0; i < site->http.daemon_count; i++)
		(void)MHD_run(site->http.daemons[i]);
}
