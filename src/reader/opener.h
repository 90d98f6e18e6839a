/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The opener process: opens files of targets and reads what /proc tells of them. It keeps profd's
 * privileges but looks into nothing; it is there because a file system of somebody else (FUSE, NFS)
 * may never answer, and then it is only this process that hangs.
 */
#pragma once

#include "worker/protocol.h"

/* answer_fn; there is no state. */
int opener_answer(void *state, const struct question *question, const void *payload, size_t size,
		  int *fds, unsigned fd_count, struct reply *reply);
/* The whole process. Returns its exit status. */
int opener_main(void);
