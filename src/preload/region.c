// SPDX-License-Identifier: Apache-2.0
/*
 * The memory that is shared with profd: made when the program begins, and anew in every child of
 * fork, before it does anything else: later it may have shut itself in.
 */
#include "preload/region_new.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/prctl.h>
#include <linux/time_types.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "preload/system.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U /* linux/memfd.h, 6.3 */
#endif
#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_SEAL_SEAL 1
#define F_SEAL_SHRINK 2
#define F_SEAL_GROW 4
#endif

static int make_memory(void)
{
	struct rlimit limit;
	long fd;

	/* Whoever makes a file larger than this is sent a signal. */
	if (SYSTEM_CALL_2(SYS_getrlimit, RLIMIT_FSIZE, &limit) < 0 ||
	    limit.rlim_cur < HEAP_REGION_BYTES)
		return -1;
	fd = SYSTEM_CALL_2(SYS_memfd_create, HEAP_MEMORY_NAME,
			   MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (fd < 0) /* before 6.3 */
		fd = SYSTEM_CALL_2(SYS_memfd_create, HEAP_MEMORY_NAME,
				   MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -1;
	/* Sealed, it cannot be cut short under us: writing behind a file's end kills. */
	if (SYSTEM_CALL_2(SYS_ftruncate, fd, HEAP_REGION_BYTES) < 0 ||
	    SYSTEM_CALL_3(SYS_fcntl, fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) <
		    0) {
		(void)SYSTEM_CALL_1(SYS_close, fd);
		return -1;
	}
	return (int)fd;
}

/* Hands the descriptor to whoever listens there (HEAP_SOCKET_VARIABLE). Returns whether somebody does. */
static bool announce(int fd, const char *told)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {};
	struct iovec part = {};
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = CMSG_LEN(sizeof(int)) };
	uint32_t length = 0, token = 0;
	long to, sent = -1;

	/* An abstract name: a zero byte goes before it, and none behind. */
	while (told[length] && told[length] != '/' && length < sizeof(address.sun_path) - 2) {
		address.sun_path[1 + length] = told[length];
		length++;
	}
	if (!length || told[length] != '/')
		return false;
	while (told[length + 1 + token])
		token++;
	part = (struct iovec){ (void *)(uintptr_t)&told[length + 1], token };
	to = SYSTEM_CALL_3(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (to < 0)
		return false;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	*(int *)(void *)CMSG_DATA(&control.header) = fd;
	if (SYSTEM_CALL_3(SYS_connect, to, &address,
			  offsetof(struct sockaddr_un, sun_path) + 1 + length) == 0)
		sent = SYSTEM_CALL_3(SYS_sendmsg, to, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)SYSTEM_CALL_1(SYS_close, to);
	return sent == (long)token;
}

struct heap_header *region_new(const struct region_wish *wish)
{
	struct heap_header *region;
	int fd = make_memory();
	long at;

	if (fd < 0)
		return NULL;
	at = system_call(SYS_mmap, 0, HEAP_REGION_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at < 0 && at > -4096) {
		(void)SYSTEM_CALL_1(SYS_close, fd);
		return NULL;
	}
	region = (struct heap_header *)at;
	region->magic = HEAP_MAGIC;
	region->version = HEAP_VERSION;
	region->flags = wish->flags;
	region->nonce = wish->nonce;
	region->parent_nonce = wish->parent_nonce;
	region->first_id = wish->first_id;
	region->pid = (uint32_t)SYSTEM_CALL_1(SYS_getpid, 0);
	region->interval = wish->interval;
	/* Whoever is told reads what it wants to know by itself, and nobody waits for that. */
	region->enabled = wish->told[0] != 0;
	if (region->enabled && !announce(fd, wish->told))
		region->enabled = 0;
	(void)SYSTEM_CALL_1(SYS_close, fd);
	return region;
}

void region_free(struct heap_header *region)
{
	(void)SYSTEM_CALL_2(SYS_munmap, region, HEAP_REGION_BYTES);
}

long region_seccomp(void)
{
	return SYSTEM_CALL_1(SYS_prctl, PR_GET_SECCOMP);
}

uint32_t *region_fork_mark(void)
{
	long at = system_call(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t *mark = (uint32_t *)at;

	if (at < 0 && at > -4096)
		return NULL;
	/* 4.14 */
	if (SYSTEM_CALL_3(SYS_madvise, at, 4096, MADV_WIPEONFORK) < 0) {
		(void)SYSTEM_CALL_2(SYS_munmap, at, 4096);
		return NULL;
	}
	*mark = 1;
	return mark;
}
