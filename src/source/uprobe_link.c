// SPDX-License-Identifier: Apache-2.0
#include "source/uprobe_link.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The part of union bpf_attr that the call reads; older headers lack it. */
struct link_create {
	uint32_t program, target, attach_type, flags;
	uint64_t path, offsets, counters, cookies;
	uint32_t count, multi_flags, pid, reserved;
};

int uprobe_link_new(int program, enum uprobe_link_type type, int file, pid_t pid,
		    const uint64_t *offsets, const uint64_t *cookies, uint32_t count)
{
	char path[64];
	struct link_create create = {
		.program = (uint32_t)program,
		.attach_type = type,
		.path = (uint64_t)(uintptr_t)path,
		.offsets = (uint64_t)(uintptr_t)offsets,
		.cookies = (uint64_t)(uintptr_t)cookies,
		.count = count,
		.pid = (uint32_t)pid,
	};
	long fd;

	/* It wants a name. This one leads to the very file that is open, in whatever namespace it is. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	fd = syscall(SYS_bpf, BPF_LINK_CREATE, &create, sizeof(create));
	return fd < 0 ? -errno : (int)fd;
}
