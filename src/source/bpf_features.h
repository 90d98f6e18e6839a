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
