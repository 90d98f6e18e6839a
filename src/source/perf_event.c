// SPDX-License-Identifier: Apache-2.0
#include "source/perf_event.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

enum { MAX_CPUS = 8192 }; /* the kernel's own limit on x86-64, CONFIG_NR_CPUS */

int cpu_list_parse(struct cpu_list *ret, const char *text)
{
	struct cpu_list list = {};
	unsigned next = 0; /* the least that can follow */

	for (;;) {
		unsigned first, last;
		int used = 0, more = 0;

		if (sscanf(text, "%u%n-%u%n", &first, &used, &last, &more) < 2) {
			last = first;
			more = used;
		}
		if (more == 0 || first > last || last >= MAX_CPUS || first < next)
			goto invalid;
		next = last + 1;
		for (unsigned cpu = first; cpu <= last; cpu++) {
			uint32_t *slot = array_push(&list.cpus);

			if (!slot) {
				array_fini(&list.cpus);
				return -ENOMEM;
			}
			*slot = cpu;
		}
		text += more;
		if (*text == '\0' || *text == '\n')
			break;
		if (*text++ != ',')
			goto invalid;
	}
	*ret = list;
	return 0;
invalid:
	array_fini(&list.cpus);
	return -EINVAL;
}

int cpu_list_online(struct cpu_list *ret)
{
	cleanup(bytes_fini) struct bytes text = {};
	int r = fs_read(&text, AT_FDCWD, "/sys/devices/system/cpu/online", 65536);

	if (r < 0)
		return r;
	return bytes_str(&text) ? cpu_list_parse(ret, bytes_str(&text)) : -ENOMEM;
}

int perf_event_new(struct perf_event_attr *attr, pid_t pid, int cpu)
{
	long fd;

	attr->size = sizeof(*attr);
	fd = syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : (int)fd;
}
