/* SPDX-License-Identifier: Apache-2.0 */
/* How much memory a process has (proc(5), smaps): its share of what it shares with others. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/*
 * Proportional share of resident memory in bytes, without BPF maps that it has mapped: those are the
 * kernel's memory. 0: the process is gone, or may not be looked at.
 */
uint64_t resident_bytes(pid_t pid);
/* The same of a text like /proc/PID/smaps, NUL-terminated. Pure. */
uint64_t resident_parse(const char *smaps);
