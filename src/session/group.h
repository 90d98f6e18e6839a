/* SPDX-License-Identifier: Apache-2.0 */
/* The control group that --cgroup, --unit or --container names. */
#pragma once

#include "session/config.h"

/* The option that it was named with: "cgroup", "unit", "container". */
const char *group_option(enum target_group is);
/* Opens target->group's folder. Logs one line on failure. Returns 0 or a negative errno. */
int group_open(int *ret, const struct target *target);
