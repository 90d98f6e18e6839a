/* SPDX-License-Identifier: Apache-2.0 */
/* One recording, from the first probe to the last output file. */
#pragma once

#include "session/config.h"

/*
 * Records and writes every output. Logs its one line on failure, and the quality line at the end.
 * Returns the process's exit status: 0 done, 1 could not, or the status of the started command.
 */
int session_record(const struct config *config);
