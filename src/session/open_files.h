/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file is held open only while somebody maps it, and only where somebody does: an open file pins
 * the mounts by which it was found, those of a container for one.
 */
#pragma once

#include "session/pipeline.h"

/*
 * Closes what is not used any more, every now and then: after 2 to 3 s, or after 5 to 6 s where the
 * process that it was opened by has left it to others, but nobody of them has it to open.
 * Returns 0 or a negative errno.
 */
int open_files_sweep(struct pipeline *pipeline);
