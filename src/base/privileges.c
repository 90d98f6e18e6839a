// SPDX-License-Identifier: Apache-2.0
#include "base/privileges.h"

#include <errno.h>
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
