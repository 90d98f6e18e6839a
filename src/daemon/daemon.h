/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon: records all day, keeps the history, and hands it out. */
#pragma once

#include "daemon/daemon_config.h"

/* Runs until it is told to stop. Whatever goes wrong has been logged. Returns the exit status. */
int daemon_run(struct daemon_config *config);
