/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A copy of a profile that still grows, for another thread to look at.
 *
 * A growing profile only ever appends, but for the lines of locations, which come when they are named,
 * and the values: so the copy takes over the ends of the tables, and those two whole. It is never
 * added to and has no indexes; what reads a profile reads it.
 */
#pragma once

#include "profile/profile.h"

struct mirror {
	struct profile *profile; /* the copy; its meta is not kept up to date */
};

/* Returns 0 or -ENOMEM. */
int mirror_init(struct mirror *mirror);
void mirror_fini(struct mirror *mirror);
/* Takes over what the profile, always the same one, holds by now. Returns 0 or -ENOMEM. */
int mirror_update(struct mirror *mirror, const struct profile *from);
