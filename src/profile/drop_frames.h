/* SPDX-License-Identifier: Apache-2.0 */
/* Which frames of a call tree end the stacks that come to them, see struct profile_meta. */
#pragma once

#include <stdbool.h>

#include "profile/call_tree.h"

/*
 * *ret, the caller's: whether each of the tree's frames does; NULL where none can. tree: with its frames,
 * without nodes. An expression that is none drops nothing: it may come from a file. Returns 0 or -ENOMEM.
 */
int drop_frames_find(bool **ret, const struct call_tree *tree);
