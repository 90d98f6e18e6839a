/* SPDX-License-Identifier: Apache-2.0 */
/* How much more memory a process may have: its control groups' memory.max, and the machine's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct memory_limit {
	bool known;
	bool of_group;	     /* of a control group, else of the machine */
	uint64_t left_bytes; /* until it is reached */
	uint64_t limit_bytes;
};

/* The nearest one; not known where nothing can be read. */
void memory_limit_read(struct memory_limit *ret, pid_t pid);

/*
 * Pure; NUL-terminated texts of files. Return 0, -ENODATA (there is no limit, no such line) or -EINVAL.
 */
/* memory.max, memory.current: one number, or "max" for none. */
int memory_limit_number(uint64_t *ret, const char *text);
/* /proc/meminfo: a line in kB, as bytes; name: "MemAvailable". */
int memory_limit_meminfo(uint64_t *ret, const char *text, const char *name);
/* /proc/PID/cgroup: the path of the group of version 2, to be freed by the caller. Also -ENOMEM. */
int memory_limit_group(char **ret, const char *text);
