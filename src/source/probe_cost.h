/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a probe costs on this machine, found out before any process of others has one: a child of ours
 * runs into probes on instructions of each kind that is probed, in memory that only it has.
 */
#pragma once

#include "source/uprobe_link.h"

/*
 * program: for links of that type. *ret_ns: nanoseconds that a probed instruction
 * takes longer, of the dearest kind. Returns 0 or a negative errno (-EOPNOTSUPP: there are no such links).
 */
int probe_cost_measure(int program, enum uprobe_link_type type, double *ret_ns);
