// SPDX-License-Identifier: Apache-2.0
#include "base/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int privileges_limit(int resource, rlim_t value)
{
	struct rlimit both = { value, value };

	return setrlimit(resource, &both) < 0 ? -errno : 0;
}

int privileges_drop(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = {};

	/* Without CAP_SETPCAP there is nothing in the bounding set that exec could give back. */
	for (int i = 0; i < 64; i++)
		(void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

/* Permitted and effective, and in what exec starts, too. */
static int keep(uint64_t capabilities)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct kept[2];

	for (int i = 0; i < 2; i++) {
		uint32_t half = (uint32_t)(capabilities >> 32 * i);

		kept[i] = (struct __user_cap_data_struct){ half, half, half };
	}
	if (syscall(SYS_capset, &head, kept) < 0)
		return -errno;
	for (int i = 0; i < 64; i++)
		if (capabilities >> i & 1 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
			return -errno;
	return 0;
}

int privileges_become(uid_t uid, gid_t gid, const gid_t *groups, size_t group_count,
		      uint64_t capabilities)
{
	/* While there is CAP_SETPCAP; beyond the last capability of this kernel it is EINVAL. */
	for (int i = 0; i < 64; i++)
		if (!(capabilities >> i & 1) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0 &&
		    errno != EINVAL)
			return -errno;
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(group_count, groups) < 0 ||
	    setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return keep(capabilities);
}
