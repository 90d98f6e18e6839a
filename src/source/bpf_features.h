/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel's BPF lacks or has, each found out by trying, never by its version. What a program can
 * find out by itself when it is loaded (CO-RE: fields, types, helpers) is not here.
 */
#pragma once

#include <stdbool.h>

/*
 * May programs on perf events use hash maps whose entries are allocated when they are needed (Linux 6.1)?
 * Else those have to be allocated at once.
 */
bool bpf_has_loose_maps(void);

/* May programs read the kernel's memory? Not with lockdown=confidentiality. */
bool bpf_may_read_kernel(void);

/*
 * Do maps count to RLIMIT_MEMLOCK (before Linux 5.11, and not for who may raise it: CAP_SYS_RESOURCE), so that
 * none larger than what is left of it can be made? Found out once, which is to be done before anything is
 * loaded: what a failed attempt has taken is given back by and by.
 */
bool bpf_memory_is_limited(void);

/* Are there links of many user probes at once (Linux 6.6)? */
bool bpf_has_uprobe_multi(void);

/* Have we the capabilities that BPF programs on perf events take? */
bool bpf_is_permitted(void);

/* Why the kernel has refused programs or maps (r: its error), in words; static. */
const char *bpf_refusal(int r);
