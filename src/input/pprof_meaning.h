/* SPDX-License-Identifier: Apache-2.0 */
/* What the numbers and texts of a pprof file mean to profd, which the format leaves open. */
#pragma once

#include "profile/profile.h"

/*
 * Finds the type that counts samples, and whether the period divides the values that it is said to be
 * of. meta.period and meta.period_of are set, as the file has them; all samples are there.
 */
void pprof_meaning_of_values(struct profile *profile);
/* Title, subtitle and quality of a recording of profd, which are its comments. Returns 0 or -ENOMEM. */
int pprof_meaning_of_comments(struct profile *profile);
