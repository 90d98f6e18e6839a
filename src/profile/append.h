/* SPDX-License-Identifier: Apache-2.0 */
/* Adds what one profile holds to another one. */
#pragma once

#include "profile/profile.h"

/*
 * Equal things become one, values are added up; `meta` and comments of `to` stay as they are. A
 * location that `to` has without a name takes the one that `from` has. Neither is frozen, or `from`
 * only. Returns 0, PROFILE_FULL, -ENOMEM, or -EINVAL (other types, or ids that do not exist); then `to`
 * has some of it.
 */
int profile_append(struct profile *to, const struct profile *from);
