/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a probed return is safe for who filters its system calls: on some kernels it is one itself
 * (uretprobe, Linux 6.11), which a filter that does not know it may end the process for. Later ones let
 * it pass (kernel/seccomp.c, __secure_computing). Found out with a child of ours.
 */
#pragma once

enum { PROBE_RETURN_KILLS = 1 };
/*
 * program: for UPROBE_LINK_SESSION, that asks for each return. Returns 0, PROBE_RETURN_KILLS, or a negative
 * errno (-EOPNOTSUPP: there are no such links).
 */
int probe_return_check(int program);
