/* SPDX-License-Identifier: Apache-2.0 */
/* Who is connected, and who has to go: whoever keeps us waiting, whoever is one too many. */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	/* Of each socket: further ones have to wait. */
	CONNECTIONS_MAX = 256,
	/*
	 * More than so many of all, or of one address or user, and the one of them that has kept us waiting
	 * for a request for longest has to go: who says what it wants is not shut out by those who do not.
	 */
	CONNECTIONS_CROWD = 192,
	CONNECTIONS_OF_ONE = 96,
	/* To say what it wants, from the first byte of a connection or a request to its last. */
	REQUEST_SECONDS = 10,
	IDLE_SECONDS = 60,
	/* To take an answer: so long, and as long as it takes at this rate. */
	ANSWER_SECONDS = 20,
	ANSWER_BYTES_PER_SECOND = 64 << 10,
};

struct exchange;

struct client {
	struct client *next, *previous;
	struct clients *clients;
	int fd;
	bool is_local; /* came through the Unix socket */
	uint64_t key;  /* same for the same address or user */
	uint64_t since_ns;
	uint64_t deadline_ns;	   /* UINT64_MAX: somebody else looks after it */
	struct exchange *exchange; /* NULL: it owes us a request */
	bool is_shut;
};

struct clients {
	struct client *first;
	unsigned count;
	uint64_t looked_ns;
	/* Ever since: those that came, those that were one too many, those that were too slow. */
	uint64_t total, crowded_out, timed_out;
};

/* NULL: there is no memory for it. */
struct client *client_add(struct clients *clients, struct MHD_Connection *connection,
			  bool is_local);
/* Accepts NULL. */
void client_remove(struct client *client);
/* Ends the connection; client_remove follows when libmicrohttpd has noticed. */
void client_shut(struct client *client);
/* Its request is done: the next one may come. */
void client_wait_for_request(struct client *client);
/* It has got an answer of so many bytes to take. */
void client_wait_for_taking(struct client *client, uint64_t bytes);
/* How often clients_keep_limits wants to be called while there are any, in ms. */
enum { CLIENTS_LOOK_MS = 250 };
void clients_keep_limits(struct clients *clients);
