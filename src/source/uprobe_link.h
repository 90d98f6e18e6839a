/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A BPF program on instructions of a file, in one process: bpf(2), BPF_LINK_CREATE with
 * BPF_TRACE_UPROBE_MULTI (Linux 6.6; include/uapi/linux/bpf.h), which libbpf 1.1 has no call for; or
 * with BPF_TRACE_UPROBE_SESSION (6.13), which is called at a function's return, too, when it says so.
 *
 * The kernel puts breakpoints into the memory of that process alone, and takes them away when the
 * descriptor is closed, by whatever way it is.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* What a program for such links is loaded as (expected_attach_type). */
enum uprobe_link_type { UPROBE_LINK_MULTI = 48, UPROBE_LINK_SESSION = 57 };

/*
 * offsets: in the file, of `count` instructions; cookies: what bpf_get_attach_cookie tells there.
 * file: open for reading, or as a place (O_PATH). Returns a descriptor or a negative errno (-ESRCH: no such process; -EINVAL also:
 * the kernel has no such links).
 */
int uprobe_link_new(int program, enum uprobe_link_type type, int file, pid_t pid,
		    const uint64_t *offsets, const uint64_t *cookies, uint32_t count);
