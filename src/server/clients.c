// SPDX-License-Identifier: Apache-2.0
#include "server/clients.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/hash.h"

#define SECOND_NS 1000000000ULL

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
void client_shut(struct client *client)
{
	if (client->is_shut)
		return;
	client->is_shut = true;
	client->deadline_ns = UINT64_MAX;
	(void)shutdown(client->fd, SHUT_RDWR);
}

/* Ends the one that has owed us a request for longest; same_key: of those like the newest one. */
static void crowd_out(struct clients *clients, struct client *newest, bool same_key)
{
	struct client *longest = NULL;

	for (struct client *client = clients->first; client; client = client->next) {
		if (client == newest || client->exchange || client->is_shut ||
		    (same_key && !is_like(client, newest)))
			continue;
		if (!longest || client->since_ns < longest->since_ns)
			longest = client;
	}
	clients->crowded_out++;
	/* All of them are being answered. */
	client_shut(longest ? longest : newest);
}

struct client *client_add(struct clients *clients, struct MHD_Connection *connection, bool is_local)
{
	const union MHD_ConnectionInfo *fd =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	const union MHD_ConnectionInfo *address =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct client *client = fd ? calloc(1, sizeof(*client)) : NULL;
	unsigned of_one = 0;

	if (!client)
		return NULL;
	client->clients = clients;
	client->fd = fd->connect_fd;
	client->is_local = is_local;
	client->key = key_of(client->fd, is_local, address ? address->client_addr : NULL);
	client->since_ns = clock_ns(CLOCK_MONOTONIC);
	client->deadline_ns = client->since_ns + REQUEST_SECONDS * SECOND_NS;
	client->next = clients->first;
	if (clients->first)
		clients->first->previous = client;
	clients->first = client;
	clients->count++;
	clients->total++;
	for (const struct client *other = clients->first; other; other = other->next)
		of_one += is_like(other, client) && !other->is_shut;
	if (of_one > CONNECTIONS_OF_ONE)
		crowd_out(clients, client, true);
	else if (clients->count > CONNECTIONS_CROWD)
		crowd_out(clients, client, false);
	return client;
}

void client_remove(struct client *client)
{
	if (!client)
		return;
	if (client->previous)
		client->previous->next = client->next;
	else
		client->clients->first = client->next;
	if (client->next)
		client->next->previous = client->previous;
	client->clients->count--;
	free(client);
}

void client_wait_for_request(struct client *client)
{
	client->exchange = NULL;
	client->since_ns = clock_ns(CLOCK_MONOTONIC);
	if (!client->is_shut)
		client->deadline_ns = client->since_ns + IDLE_SECONDS * SECOND_NS;
}

void client_wait_for_taking(struct client *client, uint64_t bytes)
{
	client->deadline_ns = clock_ns(CLOCK_MONOTONIC) +
			      (ANSWER_SECONDS + bytes / ANSWER_BYTES_PER_SECOND) * SECOND_NS;
}

void clients_keep_limits(struct clients *clients)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (now - clients->looked_ns < CLIENTS_LOOK_MS * 1000000ULL)
		return;
	clients->looked_ns = now;
	for (struct client *client = clients->first; client; client = client->next)
		if (now > client->deadline_ns) {
			clients->timed_out++;
			client_shut(client);
		}
}
