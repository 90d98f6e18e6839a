// SPDX-License-Identifier: Apache-2.0
#include "proc/unix_peer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "proc/stat.h"

/* For looking through all processes' descriptors; a machine may have millions. */
#define OWNERS_NS 200000000ULL
enum { OWNERS_MAX = 1 << 20 };

/* Of one socket. */
struct unix_socket {
	uint32_t peer;	/* inode; 0: none */
	char name[128]; /* path, or "@" and the abstract name; "": none */
};

void unix_peers_fini(struct unix_peers *peers)
{
	array_fini(&peers->owners);
}

static bool is_in_our_network(pid_t pid)
{
	char path[64], theirs[64], ours[64];
	ssize_t size, our_size;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	size = readlink(path, theirs, sizeof(theirs));
	our_size = readlink("/proc/self/ns/net", ours, sizeof(ours));
	return size > 0 && size == our_size && memcmp(theirs, ours, (size_t)size) == 0;
}

static void take_attribute(struct unix_socket *ret, const struct rtattr *attribute)
{
	const char *data = RTA_DATA(attribute);
	size_t size = RTA_PAYLOAD(attribute);

	if (attribute->rta_type == UNIX_DIAG_PEER && size >= sizeof(ret->peer))
		memcpy(&ret->peer, data, sizeof(ret->peer));
	if (attribute->rta_type != UNIX_DIAG_NAME || size == 0)
		return;
	/* An abstract name begins with NUL (unix(7)). */
	snprintf(ret->name, sizeof(ret->name), "%s%.*s", *data ? "" : "@",
		 (int)(*data ? size : size - 1), *data ? data : data + 1);
}

static bool take_answer(struct unix_socket *ret, const char *answer, size_t size)
{
	const struct nlmsghdr *head = (const void *)answer;
	const struct unix_diag_msg *message = NLMSG_DATA(head);
	const struct rtattr *attribute = (const void *)(message + 1);
	size_t left;

	if (!NLMSG_OK(head, size) || head->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    head->nlmsg_len < NLMSG_LENGTH(sizeof(*message)))
		return false;
	left = head->nlmsg_len - NLMSG_LENGTH(sizeof(*message));
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		take_attribute(ret, attribute);
	return true;
}

/* Returns whether the kernel knows it. */
static bool ask(struct unix_socket *ret, uint64_t inode)
{
	cleanup(close) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	struct {
		struct nlmsghdr head;
		struct unix_diag_req request;
	} question = {
		.head = { .nlmsg_len = sizeof(question),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST },
		.request = { .sdiag_family = AF_UNIX,
			     .udiag_states = UINT32_MAX,
			     .udiag_ino = (uint32_t)inode,
			     .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER,
			     .udiag_cookie = { UINT32_MAX, UINT32_MAX } }, /* any */
	};
	_Alignas(struct nlmsghdr) char answer[4096];
	ssize_t size;

	*ret = (struct unix_socket){};
	if (fd < 0 || inode > UINT32_MAX ||
	    send(fd, &question, sizeof(question), 0) != (ssize_t)sizeof(question))
		return false;
	/* The kernel has answered before `send` returns. */
	size = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
	return size > 0 && take_answer(ret, answer, (size_t)size);
}

/* ---- whose socket it is ---- */

static int compare_owners(const void *a, const void *b)
{
	const struct socket_owner *x = a, *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

static void read_owner(struct unix_peers *peers, pid_t pid)
{
	char path[64], target[64];
	cleanup(closedir) DIR *folder = NULL;
	const struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	folder = opendir(path);
	while (folder && (entry = readdir(folder))) {
		ssize_t size = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1);
		struct socket_owner *slot;
		uint64_t inode;

		if (size < 0)
			continue;
		target[size] = '\0';
		if (sscanf(target, "socket:[%" SCNu64 "]", &inode) != 1)
			continue;
		slot = peers->owners.count < OWNERS_MAX ? array_push(&peers->owners) : NULL;
		if (!slot)
			return;
		*slot = (struct socket_owner){ inode, pid };
	}
}

static void read_owners(struct unix_peers *peers)
{
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + OWNERS_NS;
	cleanup(closedir) DIR *folder = opendir("/proc");
	const struct dirent *entry;

	while (folder && (entry = readdir(folder)) && clock_ns(CLOCK_MONOTONIC) < until) {
		int pid;

		if (sscanf(entry->d_name, "%d", &pid) == 1)
			read_owner(peers, pid);
	}
	if (peers->owners.count)
		qsort(peers->owners.at, peers->owners.count, sizeof(*peers->owners.at),
		      compare_owners);
}

/* The process with the lowest id that has it; 0: none was found. */
static pid_t owner_of(struct unix_peers *peers, uint64_t inode)
{
	uint32_t low = 0, high;

	if (!peers->owners_read) {
		peers->owners_read = true;
		read_owners(peers);
	}
	high = peers->owners.count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (peers->owners.at[middle].inode < inode)
			low = middle + 1;
		else
			high = middle;
	}
	return low < peers->owners.count && peers->owners.at[low].inode == inode
		       ? peers->owners.at[low].pid
		       : 0;
}

bool unix_socket_describe(struct unix_peers *peers, struct bytes *ret, pid_t pid, uint64_t inode)
{
	struct unix_socket own, peer;
	struct proc_stat stat;
	pid_t owner;

	if (!is_in_our_network(pid) || !ask(&own, inode))
		return false;
	bytes_add_format(ret, "unix%s%s", *own.name ? " " : "", own.name);
	if (!own.peer)
		return true;
	(void)ask(&peer, own.peer);
	owner = owner_of(peers, own.peer);
	if (!*peer.name && !owner)
		return true;
	bytes_add_format(ret, " -> %s", peer.name);
	if (owner && proc_stat_read(&stat, owner) == 0)
		bytes_add_format(ret, "%s(%s, pid %d)", *peer.name ? " " : "", stat.comm,
				 (int)owner);
	return true;
}
