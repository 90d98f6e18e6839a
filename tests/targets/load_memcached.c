// SPDX-License-Identifier: Apache-2.0
/*
 * load_memcached PORT [SECONDS [CONNECTIONS [DEPTH]]]
 *
 * Keeps a memcached on 127.0.0.1:PORT busy: on each connection DEPTH requests are in flight (one
 * write, then all answers are read), one set to nine gets over 10 000 keys with values of 10 to
 * 1 000 bytes. Never talks to anything but the loopback interface; always bounded in time.
 * Speaks the text protocol (memcached, doc/protocol.txt): set, get, END, STORED, VALUE.
 * Prints how many requests were answered, and how.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "target.h"

enum {
	KEYS = 10000,
	MAX_VALUE = 1000,
	MAX_CONNECTIONS = 64,
	MAX_DEPTH = 100,
	REQUEST_BYTES = 1100,
	LONGEST_SECONDS = 600,
};

struct connection {
	int fd;
	unsigned int waiting; /* answers still to come */
	char line[64];	      /* the answer line being read, cut */
	unsigned int line_size;
	unsigned int skip; /* bytes of a value still to pass over */
};

static uint64_t stored, hits, misses, errors;
static char request[MAX_DEPTH * REQUEST_BYTES];

static int dial(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)port),
				       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static int send_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return -1;
		data += sent;
		size -= (size_t)sent;
	}
	return 0;
}

static int ask(struct connection *connection, unsigned int depth, uint64_t *random)
{
	static char value[MAX_VALUE + 1];
	size_t size = 0;

	if (value[0] == '\0')
		memset(value, 'v', MAX_VALUE);
	for (unsigned int i = 0; i < depth; i++) {
		uint64_t dice = target_random(random) >> 16;
		unsigned int key = (unsigned int)(dice % KEYS);
		int length = 10 + (int)(dice / KEYS % (MAX_VALUE - 10));

		if (dice / KEYS / MAX_VALUE % 10 == 0)
			size += (size_t)snprintf(request + size, sizeof(request) - size,
						 "set key%u 0 0 %d\r\n%.*s\r\n", key, length,
						 length, value);
		else
			size += (size_t)snprintf(request + size, sizeof(request) - size,
						 "get key%u\r\n", key);
	}
	connection->waiting = depth;
	return send_all(connection->fd, request, size);
}

/* An answer line is complete. VALUE announces bytes; everything else but END ends a request. */
static void on_line(struct connection *connection)
{
	const char *line = connection->line;
	unsigned int flags, bytes;

	if (strncmp(line, "VALUE ", 6) == 0) {
		hits++;
		misses--; /* the END that follows counts one */
		if (sscanf(line, "VALUE %*s %u %u", &flags, &bytes) == 2)
			connection->skip = bytes + 2;
		return;
	}
	if (strcmp(line, "END") == 0)
		misses++;
	else if (strcmp(line, "STORED") == 0)
		stored++;
	else
		errors++;
	if (connection->waiting > 0)
		connection->waiting--;
}

static int take(struct connection *connection)
{
	static char buffer[256 * 1024];
	ssize_t size = recv(connection->fd, buffer, sizeof(buffer), MSG_DONTWAIT);

	if (size < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (size <= 0)
		return -1;
	for (ssize_t i = 0; i < size; i++) {
		if (connection->skip > 0) {
			unsigned int left = (unsigned int)(size - i);
			unsigned int step = connection->skip < left ? connection->skip : left;

			connection->skip -= step;
			i += (ssize_t)step - 1;
		} else if (buffer[i] == '\n') {
			connection->line[connection->line_size] = '\0';
			connection->line_size = 0;
			on_line(connection);
		} else if (buffer[i] != '\r' &&
			   connection->line_size < sizeof(connection->line) - 1) {
			connection->line[connection->line_size++] = buffer[i];
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	int port = argc > 1 ? atoi(argv[1]) : 0;
	int seconds = argc > 2 ? atoi(argv[2]) : 10;
	int count = argc > 3 ? atoi(argv[3]) : 4, depth = argc > 4 ? atoi(argv[4]) : 20;
	struct connection connections[MAX_CONNECTIONS] = { 0 };
	struct pollfd polled[MAX_CONNECTIONS];
	uint64_t random = 88172645463325252ULL;
	char text[16];

	if (port < 1 || port > 65535 || seconds < 1 || seconds > LONGEST_SECONDS || count < 1 ||
	    count > MAX_CONNECTIONS || depth < 1 || depth > MAX_DEPTH) {
		fprintf(stderr, "usage: load_memcached PORT [SECONDS [CONNECTIONS [DEPTH]]]\n");
		return 2;
	}
	for (int i = 0; i < count; i++) {
		connections[i].fd = dial(port);
		if (connections[i].fd < 0) {
			perror("load_memcached: connect");
			return 1;
		}
		polled[i] = (struct pollfd){ connections[i].fd, POLLIN, 0 };
	}
	snprintf(text, sizeof(text), "%d", seconds);
	target_begin(text);
	target_ready();
	while (!target_stopped) {
		for (int i = 0; i < count; i++)
			if (connections[i].waiting == 0 &&
			    ask(&connections[i], (unsigned int)depth, &random) != 0)
				return 1;
		if (poll(polled, (nfds_t)count, 1000) < 0 && errno != EINTR)
			return 1;
		for (int i = 0; i < count; i++)
			if (polled[i].revents && take(&connections[i]) != 0)
				return 1;
	}
	printf("{\"stored\": %llu, \"hits\": %llu, \"misses\": %lld, \"errors\": %llu}\n",
	       (unsigned long long)stored, (unsigned long long)hits, (long long)misses,
	       (unsigned long long)errors);
	return 0;
}
