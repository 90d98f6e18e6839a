/* SPDX-License-Identifier: Apache-2.0 */
/* One interval as text or JSON on stdout: for scripts, and where there is no terminal. */
#pragma once

#include "top/top.h"

/* Returns the exit status. */
int top_once(struct top_config *config);
