/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections and requests, over libmicrohttpd, all in one thread: nothing here ever blocks.
 *
 * A request is an exchange. Its handler answers at once (exchange_reply_*), or begins to wait for the
 * daemon or for a query, and whoever ends that wait answers then. While it waits, its connection is
 * suspended, and watched: when the client goes away, whatever it waited for is given up.
 */
#pragma once

#include <microhttpd.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "server/clients.h"
#include "server/request.h"
#include "server/settings.h"

enum {
	/* Requests that wait for the daemon or a query. */
	EXCHANGES_WAITING = 96,
	BODY_BYTES_MAX = 64 << 10,
};

struct site;
struct exchange;

/* How an error is told. */
enum error_style {
	ERROR_PLAIN,
	ERROR_PPROF, /* with "X-Go-Pprof: 1", so that Go's tool shows it (cmd/pprof) */
	ERROR_JSON,
};

/* What may be done in the browser with an answer. */
enum answer_policy {
	POLICY_NONE,	/* nothing: data */
	POLICY_PAGE,	/* our page: its own script, style and addresses only */
	POLICY_PICTURE, /* a document with scripts of its own: cut off from all the rest of us */
};

struct route {
	const char *path;
	bool of_targets; /* also below /pid/N and so on */
	bool is_open;	 /* needs no token */
	bool takes_post;
	enum error_style errors;
	void (*answer)(struct exchange *exchange);
};

struct exchange {
	struct exchange *next, *previous;
	struct site *site;
	struct client *client;
	struct MHD_Connection *connection;
	const struct route *route;
	struct request request;
	int bad_uri;	   /* what request_parse has said */
	struct bytes body; /* of a POST */
	bool is_post, is_body_too_large, is_begun, is_suspended;
	/* The answer, once there is one. */
	struct MHD_Response *response;
	unsigned code;
	uint64_t answer_bytes;
	/* What it waits for. */
	bool awaits_status;
	struct query *query; /* NULL: none */
	uint64_t capture_id; /* 0: none */
	/* Called when it came; status: NULL when the daemon does not say. */
	void (*on_status)(struct exchange *exchange, const char *json);
	/* What the answer to a query is. */
	const char *type, *file_name;
	enum answer_policy policy;
	uint64_t held_bytes; /* of an answer in memory */
};

struct http {
	struct MHD_Daemon *daemons[2];
	unsigned daemon_count;
	struct clients clients;
	struct exchange *exchanges;
	unsigned waiting;    /* of them, those that are suspended */
	uint64_t answers[6]; /* by the hundreds of their status */
};

/* Begins to answer on the sockets (-1: none). Returns 0 or a negative errno. */
int http_init(struct site *site, int unix_socket, int tcp_socket);
void http_fini(struct site *site);
/* Adds what is to be waited for. Returns how many, at most HTTP_POLL_FDS. */
enum { HTTP_POLL_FDS = 2 + EXCHANGES_WAITING };
unsigned http_poll_fds(struct site *site, struct pollfd *fds);
/* How long until it wants to run at the latest, in ms; -1: whenever something comes. */
int http_timeout_ms(struct site *site);
/* Does what there is to do. fds: as http_poll_fds has filled them, polled. */
void http_run(struct site *site, const struct pollfd *fds, unsigned count);

/* ---- For handlers. ---- */

/* One sentence, as the route tells errors; without an end of line. */
void exchange_fail(struct exchange *exchange, unsigned code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same, with one more header (NULL: none). */
void exchange_fail_with(struct exchange *exchange, unsigned code, const char *header,
			const char *value, const char *sentence);
/* The same, with "Retry-After". */
void exchange_fail_for_now(struct exchange *exchange, unsigned code, unsigned seconds,
			   const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Takes the bytes over. */
void exchange_reply(struct exchange *exchange, const char *type, struct bytes *body);
/* A page of ours. Takes the bytes over. */
void exchange_reply_page(struct exchange *exchange, struct bytes *body);
/* What is part of the program. */
void exchange_reply_static(struct exchange *exchange, const char *type, enum answer_policy policy,
			   const char *data, size_t size);
/* A file, consumed; type, file_name (NULL: none) and policy as the exchange says. */
void exchange_reply_file(struct exchange *exchange, int fd, uint64_t size);
void exchange_reply_elsewhere(struct exchange *exchange, const char *path);
/* The value of a header; NULL: there is none. */
const char *exchange_header(struct exchange *exchange, const char *name);
