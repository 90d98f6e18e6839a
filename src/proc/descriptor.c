// SPDX-License-Identifier: Apache-2.0
#include "proc/descriptor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

/* Of one table: of more than 100 000 connections or so, the first ones are told. */
#define TABLE_BYTES_MAX (16UL << 20)

enum { WATCHED_SHOWN = 3 };

void descriptors_fini(struct descriptors *descriptors)
{
	array_fini(&descriptors->sockets);
	unix_peers_fini(&descriptors->peers);
}

/*
 * "0100007F:1F90": each 32-bit word of the address as the machine holds it, then the port.
 * Returns false when it is no address.
 */
static bool parse_address(char *ret, size_t size, const char *text)
{
	size_t digits = strspn(text, "0123456789ABCDEFabcdef"), words = digits / 8;
	uint32_t address[4];
	char name[INET6_ADDRSTRLEN];
	unsigned port;

	if ((digits != 8 && digits != 32) || sscanf(text + digits, ":%4x", &port) != 1)
		return false;
	for (size_t i = 0; i < words; i++)
		if (sscanf(text + 8 * i, "%8" SCNx32, &address[i]) != 1)
			return false;
	if (!inet_ntop(words == 1 ? AF_INET : AF_INET6, address, name, sizeof(name)))
		return false;
	snprintf(ret, size, words == 1 ? "%s:%u" : "[%s]:%u", name, port);
	return true;
}

static bool parse_internet(struct socket_name *ret, const char *table, const char *line)
{
	char local[64], peer[64], local_name[64], peer_name[64];
	unsigned port;

	/* Fields: number, local and remote address, state, queues, timer, retransmits, uid, timeout, inode. */
	if (sscanf(line, " %*[0-9]: %63s %63s %*s %*s %*s %*s %*s %*s %" SCNu64, local, peer,
		   &ret->inode) != 3 ||
	    !parse_address(local_name, sizeof(local_name), local) ||
	    !parse_address(peer_name, sizeof(peer_name), peer))
		return false;
	if (sscanf(strrchr(peer, ':'), ":%x", &port) == 1 && port)
		snprintf(ret->text, sizeof(ret->text), "%s %s -> %s", table, local_name, peer_name);
	else
		snprintf(ret->text, sizeof(ret->text), "%s %s", table, local_name);
	return true;
}

bool socket_name_parse(struct socket_name *ret, const char *table, const char *line)
{
	int path = 0;

	*ret = (struct socket_name){};
	if (strcmp(table, "netlink") == 0) {
		snprintf(ret->text, sizeof(ret->text), "netlink");
		return sscanf(line, "%*x %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64, &ret->inode) ==
		       1;
	}
	if (strcmp(table, "unix") != 0)
		return parse_internet(ret, table, line);
	/* Fields: address, references, protocol, flags, type, state, inode, and a path if it has one. */
	if (sscanf(line, "%*x: %*x %*x %*x %*x %*x %" SCNu64 "%n", &ret->inode, &path) != 1)
		return false;
	snprintf(ret->text, sizeof(ret->text), "unix%.*s", (int)strcspn(line + path, "\n"),
		 line + path);
	return true;
}

static void read_table(struct descriptors *descriptors, const char *table)
{
	cleanup(bytes_fini) struct bytes text = {};
	char path[64], *rest, *line;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/net/%s", (int)descriptors->pid, table);
	r = fs_read(&text, AT_FDCWD, path, TABLE_BYTES_MAX);
	if ((r < 0 && r != -EFBIG) || !text.size || !bytes_str(&text))
		return;
	rest = text.at;
	while ((line = strsep(&rest, "\n"))) {
		struct socket_name name, *slot;

		if (!socket_name_parse(&name, table, line))
			continue;
		slot = array_push(&descriptors->sockets);
		if (!slot)
			return;
		*slot = name;
	}
}

static const char *find_socket(struct descriptors *descriptors, uint64_t inode)
{
	static const char *const tables[] = { "tcp", "tcp6", "udp", "udp6", "unix", "netlink" };

	if (!descriptors->sockets_read) {
		descriptors->sockets_read = true;
		for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
			read_table(descriptors, tables[i]);
	}
	for (uint32_t i = 0; i < descriptors->sockets.count; i++)
		if (descriptors->sockets.at[i].inode == inode)
			return descriptors->sockets.at[i].text;
	return NULL;
}

/* Of a process's descriptor. Returns whether there is such a one. */
static bool read_link(char ret[PATH_MAX], const struct descriptors *descriptors, int64_t fd)
{
	char path[64];
	ssize_t size;

	snprintf(path, sizeof(path), "/proc/%d/fd/%" PRId64, (int)descriptors->pid, fd);
	size = readlink(path, ret, PATH_MAX - 1);
	ret[size < 0 ? 0 : size] = '\0';
	return size >= 0;
}

/* All but what an epoll instance watches. */
static bool describe_plain(struct descriptors *descriptors, struct bytes *ret, int64_t fd)
{
	const char *socket = NULL;
	char target[PATH_MAX];
	uint64_t inode;

	if (!read_link(target, descriptors, fd))
		return false;
	if (sscanf(target, "socket:[%" SCNu64 "]", &inode) == 1)
		socket = find_socket(descriptors, inode);
	/* A name with a newline in it can forge lines of the table. */
	if (!socket || strncmp(socket, "unix", 4) != 0 ||
	    !unix_socket_describe(&descriptors->peers, ret, descriptors->pid, inode))
		bytes_add_str(ret, socket ? socket : target);
	return true;
}

/* Sorts a number into the lowest ones, of which there are `count` so far. */
static void keep_lowest(int lowest[WATCHED_SHOWN], unsigned *count, int fd)
{
	unsigned at = *count;

	while (at && lowest[at - 1] > fd) {
		if (at < WATCHED_SHOWN)
			lowest[at] = lowest[at - 1];
		at--;
	}
	if (at < WATCHED_SHOWN)
		lowest[at] = fd;
	*count += *count < WATCHED_SHOWN;
}

/* Lines "tfd: 5 events: 19 data: ..." (proc_pid_fdinfo(5)), in no order. */
static void add_watched(struct descriptors *descriptors, struct bytes *ret, int64_t fd)
{
	cleanup(bytes_fini) struct bytes text = {};
	unsigned shown = 0, all = 0;
	int lowest[WATCHED_SHOWN], watched;
	char path[64], *rest, *line;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%" PRId64, (int)descriptors->pid, fd);
	r = fs_read(&text, AT_FDCWD, path, TABLE_BYTES_MAX);
	if ((r < 0 && r != -EFBIG) || !bytes_str(&text))
		return;
	rest = text.at;
	while ((line = strsep(&rest, "\n"))) {
		if (sscanf(line, "tfd: %d", &watched) != 1)
			continue;
		keep_lowest(lowest, &shown, watched);
		all++;
	}
	for (unsigned i = 0; i < shown; i++) {
		bytes_add_format(ret, "%s%d <", i ? ", " : " of ", lowest[i]);
		if (!describe_plain(descriptors, ret, lowest[i]))
			bytes_add_str(ret, "closed");
		bytes_add_char(ret, '>');
	}
	if (all > shown)
		bytes_add_format(ret, ", %u more", all - shown);
}

bool descriptor_describe(struct descriptors *descriptors, struct bytes *ret, int64_t fd)
{
	char target[PATH_MAX];

	if (!read_link(target, descriptors, fd))
		return false;
	if (strcmp(target, "anon_inode:[eventpoll]") != 0)
		return describe_plain(descriptors, ret, fd);
	bytes_add_str(ret, "epoll");
	add_watched(descriptors, ret, fd);
	return true;
}
