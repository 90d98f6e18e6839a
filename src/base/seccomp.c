// SPDX-License-Identifier: Apache-2.0
#include "base/seccomp.h"

#include <errno.h>
#include <stdint.h>
#include <sys/prctl.h>

#include "base/cleanup.h"

/* System calls of x32 have this bit in their numbers (arch/x86/include/uapi/asm/unistd.h). */
#define OTHER_NUMBERS 0x40000000

#define REFUSE SECCOMP_END(SECCOMP_RET_ERRNO | EPERM)

int seccomp_install(const struct sock_filter *filter, size_t count)
{
	/* The kernel only reads it. */
	const struct sock_fprog program = { (unsigned short)count, (struct sock_filter *)filter };

	if (count > BPF_MAXINSNS)
		return -EINVAL;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

int seccomp_refuse(const int *calls, size_t count)
{
	static const struct sock_filter begin[] = {
		SECCOMP_LOAD(arch),
		SECCOMP_EQUALS(SECCOMP_ARCHITECTURE, 1, 0),
		REFUSE,
		SECCOMP_LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, OTHER_NUMBERS, 0, 1),
		REFUSE,
	};
	const size_t size = ARRAY_SIZE(begin) + 2 * count + 1;
	cleanup(free) struct sock_filter *filter = calloc(size, sizeof(*filter));
	struct sock_filter *next = filter;

	if (!filter)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(begin); i++)
		*next++ = begin[i];
	for (size_t i = 0; i < count; i++) {
		*next++ = (struct sock_filter)SECCOMP_EQUALS(calls[i], 0, 1);
		*next++ = (struct sock_filter)REFUSE;
	}
	*next = (struct sock_filter)SECCOMP_END(SECCOMP_RET_ALLOW);
	return seccomp_install(filter, size);
}
