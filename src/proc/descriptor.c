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

/* Of one table; a machine with more connections has those of the first 100 000 or so told. */
#define TABLE_BYTES_MAX (16UL << 20)

void descriptors_fini(struct descriptors *descriptors)
{
	array_fini(&descriptors->sockets);
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

bool descriptor_describe(struct descriptors *descriptors, struct bytes *ret, int64_t fd)
{
	char path[64], target[PATH_MAX];
	const char *socket = NULL;
	uint64_t inode;
	ssize_t size;

	snprintf(path, sizeof(path), "/proc/%d/fd/%" PRId64, (int)descriptors->pid, fd);
	size = readlink(path, target, sizeof(target) - 1);
	if (size < 0)
		return false;
	target[size] = '\0';
	if (sscanf(target, "socket:[%" SCNu64 "]", &inode) == 1)
		socket = find_socket(descriptors, inode);
	bytes_add_str(ret, socket ? socket : target);
	return true;
}
