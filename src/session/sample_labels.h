/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose a sample is, as labels of the profile: command, pid, thread where threads are told apart, and with
 * pipeline.identities user, executable, its build ID, control group, unit, container and pod.
 */
#pragma once

#include "session/pipeline.h"

/* process: NULL: a kernel thread's, or the idle task's. Returns 0, PROFILE_FULL or a negative errno. */
int sample_labels(struct pipeline *pipeline, struct process *process,
		  const struct wire_sample *sample, uint32_t *ret);
/* The pid alone: that cannot be said in many ways. Returns the same. */
int sample_labels_pid(struct pipeline *pipeline, const struct wire_sample *sample, uint32_t *ret);
