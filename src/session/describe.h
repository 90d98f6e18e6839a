/* SPDX-License-Identifier: Apache-2.0 */
/* The words over and under a picture: what was recorded, where, when, how well. */
#pragma once

#include "session/recording.h"

/* Fills in the profile's meta and comments. Returns 0 or -ENOMEM. */
int describe(const struct recording *recording, const struct health *health,
	     struct profile *profile);
